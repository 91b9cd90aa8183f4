"""What a GAN and a VAE share as Keras models: the data's doors, files, and Keras' verbs.

The mathematics of a model is its ``step``; what leads to it is here::

    fit  ->  a look at the data  ->  Keras' loop  ->  train_step  ->  step
"""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from gantut import _check
from gantut._files import atomic_write
from gantut._keras import Tensor, keras, layers_of, tf
from gantut._state import read_state, save_training
from gantut.data import check_labels, check_samples
from gantut.optimizers import Optimizer


class Model(keras.Model):
    """A model that learns from samples (and labels), one ``step`` for each batch.

    A subclass has a ``step(x, labels)`` that returns the ``means()``, a ``state()`` and the
    ``networks`` to be saved.

    Attributes:
        conditional: Whether there is a label beside each sample.
        num_classes: The number of labels; None where there are none, or any value may come.
        sample_shape: The shape of one sample.
        step_counter: The variable that counts steps.
        seed_generator: The source of training's random numbers, but for those of layers.
        on_replicas: Whether several replicas may take a step together.
    """

    conditional = False
    num_classes: int | None = None
    on_replicas = False
    _pick: Callable[[Any], Any] | None = None
    _waits = _looks = False

    def begin(self, seed: int | None, *means: str) -> None:
        """Makes what counts, draws and reports (running means of these names)."""
        self.seed_generator = keras.random.SeedGenerator(
            None if seed is None else _check.seed(seed)
        )
        self.step_counter = self.add_weight(
            dtype="int64",
            initializer="zeros",
            trainable=False,
            name="step",
            aggregation="only_first_replica",
        )
        self.trackers = [keras.metrics.Mean(name) for name in means]
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means that ``fit`` reports and resets each epoch."""
        return self.trackers

    def means(self) -> dict[str, Tensor]:
        """The running means so far, by name."""
        return {tracker.name: tracker.result() for tracker in self.trackers}

    @property
    def g_optimizer(self) -> Optimizer:
        """The optimizer of what draws samples, which Keras calls ``optimizer``."""
        return self.optimizer

    @staticmethod
    def check_options(options: dict[str, Any], taken: str) -> None:
        """Refuses what Keras' ``compile`` takes and has no meaning here."""
        if other := options.keys() - {"steps_per_execution", "run_eagerly", "jit_compile"}:
            raise TypeError(f"compile takes {taken}, not {', '.join(sorted(other))}")
        steps = options.get("steps_per_execution", 1)
        options["steps_per_execution"] = _check.integer(steps, "steps_per_execution", 1)

    # --- A step, and many ------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of ``fit``."""
        x, labels = self.unpack(data)
        if labels is not None and self.num_classes is not None:
            labels = _known_labels(labels, self.num_classes)
        if self._looks:
            x = _finite(x, self.step_counter, images=len(self.sample_shape) == 3)
        # The end of data that does not tell its length is found by a step whose batch is missing:
        # what did not wait for the batch would move, count and draw once more.
        with tf.control_dependencies([x] if self._waits else []):
            return self.step(x, labels)

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """Samples and labels (or None) of what a dataset yields."""
        if self._pick is not None:
            batch = self._pick(batch)
        samples, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        return samples, labels

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        *,
        pick: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> keras.callbacks.History:
        """Keras' ``fit`` after a look at the data: at all of an array, or at a first batch.

        Of each later batch every step looks at the labels, and whether samples are finite and
        images in [-1, 1].

        Args:
            x: Samples as an array or a list; or batches ``x`` or ``(x, labels)``, as a dataset, a
                ``keras.utils.PyDataset``, a generator, or another iterable such as a torch
                ``DataLoader``. Images are float32 (batch, height, width, channels) in [-1, 1].
            y: Integer labels beside an array ``x``; ignored by a model without labels.
            batch_size: Samples in a batch of an array; 32 if None. Where there are fewer it is
                all of them, with a warning.
            epochs: As in Keras.
            verbose: As in Keras.
            callbacks: As in Keras. A warning says which of Keras' own do less here than their
                name says.
            pick: From a batch, inside the compiled step, to what a dataset would yield. If it
                gathers rows of a tensor by their numbers, no batch has to be sent to the device.
            **options: As in Keras; weights of samples and validation data have no meaning here.

        Returns:
            Keras' History, with the running means of each epoch.

        Raises:
            TypeError: ``x`` is none of these.
            ValueError: what was looked at first does not fit the networks.
            tensorflow.errors.InvalidArgumentError: a later batch does not.
        """
        kind = type(self).__name__
        for name in ("sample_weight", "class_weight", "validation_data", "validation_split"):
            if name in options:
                raise ValueError(f"{kind}.fit takes no {name}: no sample has a loss of its own")
        if self.distribute_strategy.num_replicas_in_sync > 1 and not self.on_replicas:
            raise ValueError(
                f"a {kind} trains on one device; several take a gantut.distribution.ReplicatedGAN"
            )
        if batch_size is not None:
            batch_size = _check.integer(batch_size, "batch_size", 1)
        warn_of_callbacks(callbacks, [metric.name for metric in self.metrics])
        compiled_for = self._pick, self._waits, self._looks
        self._pick = pick
        try:
            x, y = self._looked_at(x, y, batch_size)
            self._waits = not _tells_length(x)
            self._looks = not isinstance(x, np.ndarray) and pick is None
            if (self._pick, self._waits, self._looks) != compiled_for:
                self.train_function = None
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, **options)
        finally:
            if pick is not None:
                # What is compiled holds on to the function, and the function to the data.
                self._pick, self.train_function = None, None

    # --- Doors for the data ----------------------------------------------------------------------

    def check_batch(self, x: Any, y: Any) -> None:
        """Raises ValueError where samples or labels do not fit the networks."""
        x = check_samples(x, self.sample_shape, maker="generator")
        if self.conditional:
            if y is None:
                raise ValueError("a conditional GAN needs integer labels y beside the samples x")
            check_labels(y, len(x), self.num_classes)

    def check_rows(self, n: int) -> None:
        """Raises where a last batch of ``n`` samples cannot be trained on."""

    def _looked_at(self, x: Any, y: Any, batch_size: int | None) -> tuple[Any, Any]:
        """The data as Keras takes it, after a look at all of an array or at the first batch."""
        if x is None:
            raise ValueError("fit needs samples: an array or a dataset x")
        if isinstance(x, list | tuple) or hasattr(x, "__array__"):
            x, y = np.asarray(x), np.asarray(y) if self.conditional and y is not None else None
            self.check_batch(x, y)
            if batch_size is not None and batch_size > len(x):
                warnings.warn(
                    f"batch_size {batch_size} is more than the {len(x)} samples: a batch holds "
                    f"{len(x)}",
                    stacklevel=3,
                )
            if rows := len(x) % (batch_size or 32):
                self.check_rows(rows)
            return x, y
        if isinstance(x, tf.distribute.DistributedDataset):
            return x, y
        if isinstance(x, Iterator):
            first, rest = next(x, None), x
            x = (batch for part in ([first], rest) for batch in part)
        elif isinstance(x, keras.utils.PyDataset):
            first = None if x.num_batches == 0 else x[0]
        elif isinstance(x, Iterable) and not isinstance(x, str | Mapping):
            x = x if isinstance(x, tf.data.Dataset) else _as_dataset(x)
            first = next(iter(x.take(1)), None)
        else:
            raise TypeError(
                "fit takes an array or a list of samples, or batches of them as a tf.data.Dataset, "
                "a keras.utils.PyDataset, a torch DataLoader or a generator (not its function); "
                f"got {type(x).__name__}"
            )
        if first is None:
            raise ValueError("the dataset is empty")
        self.check_batch(*self.unpack(first))
        return x, y

    # --- Files -----------------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes what is needed to sample, and what is needed to go on training.

        ``generator.keras`` (what samples come from) and the file of the other network open with
        ``keras.models.load_model`` where gantut is not installed (with layers of
        `gantut.stabilisers`, where that is imported); ``state.npz`` holds all variables, also of
        the optimizers and the random state, for :meth:`restore`.

        Args:
            directory: A folder, made if it does not exist. Each file appears whole or not at all.
                A path that ends in ``.keras`` is one file, that of ``generator.keras``.
            overwrite: Replace what is there.

        Raises:
            FileExistsError: there is a state, or that file, and ``overwrite`` is False.
            OSError: the folder cannot be written to, or is a file.
        """
        path = Path(directory)
        if path.suffix != ".keras":
            _refuse_file(path)
            save_training(path, self.networks, self.state(), overwrite=overwrite)
            return
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists already; pass overwrite=True")
        with atomic_write(path) as temporary:
            self.networks["generator"].save(temporary)

    def restore(self, directory: str | os.PathLike[str]) -> None:
        """Puts what :meth:`save` wrote into this (compiled) model of the same architecture.

        Raises:
            FileNotFoundError: there is no ``state.npz``.
            ValueError: the file is damaged or belongs to other networks, or this model is not
                compiled. Nothing is changed then.
        """
        path = Path(directory)
        if not self.compiled:
            raise ValueError(
                f"compile the {type(self).__name__} first: the optimizers' state is restored too"
            )
        _refuse_file(path)
        read_state(path / "state.npz", self.state())


def _known_labels(labels: Tensor, num_classes: int) -> Tensor:
    """The labels, if all are in range; others would be rows of zeros, and nobody would notice."""
    wide = tf.cast(labels, tf.int64)
    known = tf.reduce_all((wide >= 0) & (wide < num_classes))
    words = f"labels must be in 0..{num_classes - 1}, got"
    with tf.control_dependencies([tf.debugging.Assert(known, [words, labels], summarize=16)]):
        return tf.identity(labels)


def _finite(x: Tensor, step: Any, images: bool) -> Tensor:
    """The samples, if all are numbers, and those of images in [-1, 1]; else nothing is learned."""
    worst = tf.reduce_max(tf.abs(x))
    # Two reductions, which are cheap (10 µs for 64 digits): a maximum need not see NaN.
    fine = (worst <= 1 if images else True) & tf.math.is_finite(tf.reduce_sum(x))
    wanted = "images must be in [-1, 1]" if images else "samples must be finite"
    said = [f"{wanted}, got magnitudes up to", worst, "in the batch of step", step]
    with tf.control_dependencies([tf.debugging.Assert(fine, said)]):
        return tf.identity(x)


def _as_dataset(batches: Iterable[Any]) -> tf.data.Dataset:
    """Batches of another library, such as a torch DataLoader's, as a dataset of arrays."""

    def arrays() -> Iterator[tuple[np.ndarray, ...]]:
        for batch in batches:
            parts = batch if isinstance(batch, tuple | list) else [batch]
            yield tuple(np.asarray(part) for part in parts)

    first = next(arrays(), None)
    if first is None:
        raise ValueError("the dataset is empty")
    specs = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in first)
    dataset = tf.data.Dataset.from_generator(arrays, output_signature=specs)
    with contextlib.suppress(TypeError):  # they need not tell their number
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))  # type: ignore[arg-type]
    return dataset


def _tells_length(data: Any) -> bool:
    if isinstance(data, tf.data.Dataset):
        return int(data.cardinality()) != tf.data.UNKNOWN_CARDINALITY
    return getattr(data, "num_batches", None) is not None or isinstance(data, np.ndarray)


def _refuse_file(path: Path) -> None:
    if path.is_file():
        raise NotADirectoryError(f"wanted a folder, but {path} is a file")


# What a Keras model has, but would end here in a message about something else.
_INSTEAD = {
    "evaluate": "gantut.evaluate(model) compares samples with data",
    "test_on_batch": "gantut.evaluate(model) compares samples with data",
    "get_config": "model.save(folder) writes all of it, for model.restore(folder)",
    "from_config": "model.restore(folder) reads what model.save(folder) wrote",
    "to_json": "model.save(folder) writes all of it, for model.restore(folder)",
    "export": "gantut.export writes the network that samples come from",
    "__reduce__": "model.save(folder) writes all of it, for model.restore(folder)",
}


def _refusal(verb: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{verb} means nothing here; {instead}")

    refuse.__doc__ = f"Means nothing here; {instead}."
    return refuse


for _verb, _words in _INSTEAD.items():
    setattr(Model, _verb, _refusal(_verb, _words))


# --- What is given to a model --------------------------------------------------------------------


def check_network(network: keras.Model, name: str) -> None:
    """Raises TypeError where a network could not be looked into, or trained but not saved."""
    if not isinstance(network, keras.Model) or not getattr(network, "outputs", None):
        raise TypeError(
            f"the {name} must be a functional keras.Model, or a Sequential that begins with "
            f"keras.Input, got {type(network).__name__}"
        )
    for layer in layers_of(network):
        try:
            layer.get_config()
        except NotImplementedError:
            raise TypeError(
                f"layer {layer.name!r} of the {name} has no get_config "
                f"({type(layer).__name__}): the {name} could not be saved"
            ) from None


def check_pair(maker: keras.Model, reader: keras.Model, names: tuple[str, str]) -> None:
    """Raises ValueError where one network cannot read what the other makes of latent vectors."""
    made, read = maker.outputs[0].shape[1:], reader.inputs[0].shape[1:]
    if made != read:
        raise ValueError(
            f"the {names[0]} makes samples of shape {made}, but the {names[1]} takes {read}"
        )
    if len(maker.inputs[0].shape) != 2:
        raise ValueError(
            f"the {names[0]} must take latent vectors (batch, latent_dim), "
            f"got an input of shape {maker.inputs[0].shape}"
        )


def built_optimizer(
    given: Any, name: str, default: Callable[[], Optimizer], network: keras.Model
) -> Optimizer:
    """The optimizer that ``compile`` was given (or its name, or configuration), with its slots."""
    if isinstance(given, str | Mapping):
        given = keras.optimizers.get(given)
    optimizer = default() if given is None else given
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"{name} must be a Keras optimizer, as keras.optimizers.Adam(2e-4), or the name of "
            f"one, got {given!r}"
        )
    # Keras has no public name for the weights that an optimizer moves.
    moved = optimizer._trainable_variables if optimizer.built else []  # noqa: SLF001
    if {id(v) for v in moved} - {id(v) for v in network.trainable_variables}:
        raise ValueError(f"{name} moves other weights already; make a new one")
    # Variables cannot be made while a graph is traced, so they are made now.
    optimizer.build(network.trainable_variables)
    return optimizer


# Keras' callbacks that do less than their name says where no log has the name "loss".
_LESS = {
    "TerminateOnNaN": "sees no log 'loss'; gantut.callbacks.StopOnDivergence stops",
    "LearningRateScheduler": "changes one optimizer, G's; gantut.callbacks.LearningRateSchedule "
    "changes both",
    "ReduceLROnPlateau": "changes the learning rate of one optimizer, G's",
    "SwapEMAWeights": "swaps nothing here; ema= of gantut.GAN averages G's weights",
    "BackupAndRestore": "forgets D's optimizer; gantut.callbacks.Checkpoints keeps all",
}


def warn_of_callbacks(callbacks: Any, logs: list[str]) -> None:
    """Warns of Keras' callbacks that cannot do what their name says with logs of these names."""
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        name, monitor = type(callback).__name__, getattr(callback, "monitor", None)
        if not type(callback).__module__.startswith("keras."):
            continue
        if name in _LESS and "loss" not in logs:
            warnings.warn(f"{name} {_LESS[name]}", stacklevel=3)
        if monitor is None or (name == "ModelCheckpoint" and not callback.save_best_only):
            continue
        if monitor not in logs:
            warnings.warn(
                f"{name} sees no log {monitor!r}; there are {', '.join(logs)}", stacklevel=3
            )
        elif monitor != "loss" and callback.mode == "auto":
            warnings.warn(f"{name} of {monitor!r} needs mode='min' or 'max'", stacklevel=3)
