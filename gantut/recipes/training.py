"""Training by a recipe."""

import contextlib
import functools
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, Self, TypeVar

import numpy as np
import numpy.typing as npt

from gantut import _check, distribution
from gantut._keras import keras, tf
from gantut.callbacks import (
    Annealed,
    Checkpoints,
    HistoryWriter,
    LearningRateSchedule,
    ProgressBar,
    StopOnDivergence,
    TimeLimit,
    TrainingClock,
)
from gantut.callbacks.clock import Timed, check_length
from gantut.callbacks.parts import steps_done
from gantut.clustered import cluster_images
from gantut.data import Float32, check_images, check_labels, check_samples, number_of_classes
from gantut.model import Model
from gantut.networks import NUM_CLASSES
from gantut.recipes.batches import batches_from_step, fingerprint, take
from gantut.recipes.catalogue import get
from gantut.recipes.recipe import Recipe, make_deterministic
from gantut.recipes.schedules import Schedule, constant

_Model = TypeVar("_Model")
_Trained = TypeVar("_Trained", bound=Model)
_Given = ParamSpec("_Given")
_Record = TypeVar("_Record")

_HELD_BYTES = 2**31
"""The most that is put on a GPU at once: MNIST as float32 takes a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Run(Generic[_Model]):
    """What a training left.

    Attributes:
        gan: The trained `GAN`; for a `VAERecipe` the trained `gantut.vae.VAE`.
        history: As in `gantut.callbacks.HistoryWriter`.
        seconds: Time spent in training steps. Tracing and compiling count; callbacks do not.
        cpu_seconds: Processor time of the whole call: preparing the data, making the networks,
            tracing, training and callbacks.
        steps: Steps taken in this training.
        diverged_at: The step at which a loss was not finite, after which the last good weights
            were put back; None if all went well.
        origin: Where that began, in words: the step and the layer; None if all went well or it
            could not be found.
    """

    gan: _Model
    history: dict[str, list[float]]
    seconds: float
    cpu_seconds: float
    steps: int
    diverged_at: int | None = None
    origin: str | None = None

    @classmethod
    def of(cls, run: "Run[Any]", **more: Any) -> Self:
        """The run's record with further fields of this class, or others in place of the run's."""
        return cls(**{**vars(run), **more})


def cpu_timed(train: Callable[_Given, _Record]) -> Callable[_Given, _Record]:
    """A decorator: ``cpu_seconds`` in what is returned becomes that of the whole call."""

    @functools.wraps(train)
    def timed(*args: _Given.args, **kwargs: _Given.kwargs) -> _Record:
        begin = time.process_time()
        record: Any = train(*args, **kwargs)
        spent = {"cpu_seconds": time.process_time() - begin}
        return record._replace(**spent) if hasattr(record, "_replace") else replace(record, **spent)

    return timed


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def count_steps(
    recipe: Recipe, n: int, *, steps: int | None = None, epochs: int | None = None
) -> int:
    """A training's length in steps: ``steps``, or ``epochs`` of n images, or the recipe's own."""
    if steps is not None:
        return _check.integer(steps, "steps", 1)
    if epochs is not None:
        return _check.integer(epochs, "epochs", 1) * (n // recipe.batch_size)
    return recipe.gpu_steps if has_gpu() else recipe.steps


@cpu_timed
def train(
    recipe: str | Recipe,
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    progress: bool = False,
    gan: Model | None = None,
    history_every: int = 100,
    checkpoints: str | os.PathLike[str] | Checkpoints | None = None,
    resume: bool = False,
    on_device: bool | None = None,
) -> Run[Any]:
    """Trains a GAN by a recipe.

    Keras sees one long epoch: callbacks are called every ``steps_per_execution`` steps, by
    ``on_train_batch_begin`` and ``on_train_batch_end``.

    Where an exception ends the training, such as the KeyboardInterrupt of a notebook's stop button,
    learning rates and noise are put back and the model holds the weights of its last step: a
    further call with this ``gan`` goes on from there, and ``resume`` ends the same training.

    Args:
        recipe: A key of ``RECIPES``, or a `GANRecipe` or `VAERecipe`.
        x: Images, float32 (n, height, width, channels) in [-1, 1]; or rows, an array of finite
            float32 (n, width) in any range, for a recipe whose builders take the shape (width,).
        y: Labels, integers (n,) from 0; needed by a conditional recipe, ignored by others. There
            are as many classes as the largest label says.
        steps: Length of the training in steps; or
        seconds: in seconds of training, of which callbacks are no part; or
        epochs: in passes over the data. None of the three: the recipe's own length.
        seed: Fixes the result, except with ``seconds``; see the module's description.
        callbacks: Keras callbacks. Those of `gantut.callbacks` that have no clock of their own
            read this training's. A `HistoryWriter` among them keeps the history; a
            `StopOnDivergence` (such as a `Diagnosis`) is the one that stops.
        progress: Whether to show a progress bar.
        gan: A GAN (or VAE) that the recipe built, to go on with; a new one if None. Its
            optimizers begin the recipe's schedule anew.
        history_every: Steps from row to row of the history, where no `HistoryWriter` says it.
        checkpoints: A folder in which the training is written down every minute, or a
            `gantut.callbacks.Checkpoints` that says when.
        resume: Go on from the newest whole checkpoint of that folder, if there is one. The
            arguments must be those of the training that wrote it; the weights at the end are, bit
            for bit, those of a training that was never interrupted (except with ``seconds``).
        on_device: Whether all the data is put where the networks are, and a step picks its rows
            there; the batches are the same. None does so where TensorFlow sees a GPU, one replica
            is trained, and the data is at most 2 GiB.

    Returns:
        A `Run`. Its ``steps`` and ``seconds`` count those before the checkpoint too.

    Raises:
        OtherTrainingError: the checkpoints to go on from belong to another training.
        FileExistsError: there are checkpoints already, and ``resume`` was not asked for.
        OSError: a checkpoint cannot be written; the message names the last good one.
    """
    settings: Recipe = get(recipe)
    if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
        checkpoints = Checkpoints(checkpoints)
    if [steps, seconds, epochs].count(None) < 2:
        raise ValueError(f"wanted one length, got {steps=}, {seconds=}, {epochs=}")
    x, y = _checked(settings, x, y, gan)
    settings = settings.fitted(len(x))
    if seconds is None:
        steps = count_steps(settings, len(x), steps=steps, epochs=epochs)
    steps, seconds = check_length(steps, seconds)
    length: dict[str, Any] = {"steps": steps} if seconds is None else {"seconds": seconds}
    seed = _check.seed(seed)
    if settings.clusters:
        y = cluster_images(x, settings.clusters, seed)
    if gan is None:
        num_classes = NUM_CLASSES
        if y is not None and not settings.clusters:
            num_classes = number_of_classes(y, settings.batch_size)
        gan = settings.build(x.shape[1:], num_classes, seed, x.mean(axis=0))
    else:
        make_deterministic(seed)
        settings.reset(gan)
    if settings.clusters:
        gan.set_shares(y)
    if checkpoints is not None:
        checkpoints.settings = {
            **settings.record(),
            "dtype policy": gan.dtype_policy.name,
            "seed": seed,
            "steps": steps,
            "seconds": seconds,
            "data": fingerprint(x, y),
        }
    replicas = gan.distribute_strategy.num_replicas_in_sync
    if on_device is None:
        on_device = has_gpu() and replicas == 1 and x.nbytes <= _HELD_BYTES
    elif on_device and replicas > 1:
        raise ValueError(f"on_device=True is for one replica, got {replicas}")
    order = {"batch_size": settings.batch_size, "seed": seed, "stack": settings.stack}
    from_step, pick = batches_from_step(x, y, **order, on_device=on_device)
    return run(
        gan,
        from_step,
        **length,
        schedule=settings.schedule,
        callbacks=[*callbacks, *settings.callbacks(**length)],
        progress=progress,
        history_every=history_every,
        checkpoints=checkpoints,
        resume=resume,
        pick=pick,
    )


def _checked(
    recipe: Recipe, x: npt.ArrayLike, y: npt.ArrayLike | None, gan: Model | None
) -> tuple[Float32, npt.NDArray[np.integer] | None]:
    """The samples, and the labels (None if the recipe takes none), where they fit both."""
    if isinstance(x, np.ndarray) and x.ndim == 2:
        x = check_samples(x, x.shape[1:], maker="generator")
    else:
        x = check_images(x, name="x")
    if not recipe.conditional:
        return x, None
    if y is None:
        raise ValueError(f"recipe {recipe.name!r} is conditional: it needs labels y beside x")
    return x, check_labels(y, len(x), None if gan is None else gan.num_classes)


@cpu_timed
def run(
    gan: _Trained,
    dataset: tf.data.Dataset | Callable[[int], tf.data.Dataset],
    *,
    steps: int | None = None,
    seconds: float | None = None,
    schedule: Schedule = constant,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    progress: bool = False,
    history_every: int = 100,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    pick: Callable[[tf.Tensor], Any] | None = None,
) -> Run[_Trained]:
    """Trains a compiled model on batches: what `train` does once networks and data are made.

    ``dataset`` is an endless dataset of batches, or a function that makes one which begins after
    the given number of batches; ``resume``, and finding where a loss was lost, take that.
    ``schedule`` is as in `gantut.recipes.Recipe`, ``pick`` as in `gantut.model.Model.fit`, and the
    other arguments are as in `train`.
    """
    steps, seconds = check_length(steps, seconds)
    length: dict[str, Any] = {"steps": steps, "seconds": seconds}
    if resume and (checkpoints is None or not callable(dataset)):
        raise ValueError("resume needs checkpoints to go on from, and a function for the dataset")
    replicas = gan.distribute_strategy.num_replicas_in_sync
    if replicas > 1 and steps is None:
        raise ValueError(f"several replicas train for a number of steps, got {seconds=}")
    given, clock = list(callbacks), TrainingClock()
    known = (*given, HistoryWriter(every=history_every), StopOnDivergence())
    history = next(callback for callback in known if isinstance(callback, HistoryWriter))
    divergence = next(callback for callback in known if isinstance(callback, StopOnDivergence))
    in_order = [
        clock.stop,  # first, so that all other callbacks run while the clock stands still
        history,  # before what goes back from a loss that is not finite, to see that loss
        divergence,
        *([] if seconds is None else [TimeLimit(seconds)]),
        *([ProgressBar(**length)] if progress else []),
        *(callback for callback in given if callback not in (history, divergence)),
        LearningRateSchedule(schedule, **length),
        *([] if checkpoints is None else [checkpoints]),  # behind all that it remembers
        clock.start,  # last, as the execution comes next
    ]
    done = 0
    if checkpoints is not None:
        checkpoints.attach(in_order, clock)
        if resume:
            done = _restore(gan, checkpoints)
        else:
            checkpoints.check_unused()
    first_step = steps_done(gan) - done
    if callable(dataset):
        from_step, dataset = dataset, dataset(done)
        divergence.batches = lambda step: from_step(step - first_step)
    remaining = None if steps is None else max(0, steps - done)
    dataset = _lasting(dataset, remaining, seconds)
    dataset = distribution.share_batches(dataset, gan.distribute_strategy)
    with _tidied(in_order, clock):
        if remaining == 0 or (seconds is not None and clock() >= seconds):
            # The checkpoint has all steps, but perhaps not what comes after the last of them:
            # learning rates that are put back, the last row and picture.
            ends = keras.callbacks.CallbackList(in_order, model=gan)
            ends.on_train_begin()
            ends.on_epoch_begin(0)
            ends.on_train_end()
        else:
            # A dataset that is shared out does not tell its length.
            told: dict[str, Any] = {"steps_per_epoch": remaining if replicas > 1 else None}
            gan.fit(dataset, shuffle=False, verbose=0, callbacks=in_order, pick=pick, **told)
            if seconds is not None and not gan.stop_training:
                warnings.warn(f"the dataset ended before {seconds:g} seconds did", stacklevel=3)
    return Run(
        gan=gan,
        history={name: list(column) for name, column in history.history.items()},
        seconds=clock(),
        cpu_seconds=0.0,  # cpu_timed knows it
        steps=steps_done(gan) - first_step,
        diverged_at=divergence.diverged_at,
        origin=divergence.origin,
    )


def _lasting(dataset: tf.data.Dataset, steps: int | None, seconds: float | None) -> tf.data.Dataset:
    """The dataset, as long as the training if that is known, and no shorter."""
    there = int(dataset.cardinality())
    if there >= 0 and (steps is None or there < steps):
        wanted = f"{seconds:g} seconds" if steps is None else f"{steps:,} steps"
        raise ValueError(
            f"the dataset ends after {there:,} batches, wanted {wanted}: dataset.repeat() never "
            "ends"
        )
    return dataset if steps is None else take(dataset, steps)


@contextlib.contextmanager
def _tidied(callbacks: Sequence[keras.callbacks.Callback], clock: TrainingClock) -> Iterator[None]:
    """Lends the clock to callbacks that have none, and undoes what an exception leaves behind.

    Keras tells no callback of one.
    """
    without_clock = [c for c in callbacks if isinstance(c, Timed) and c.clock is None]
    try:
        for callback in without_clock:
            callback.clock = clock
        yield
    finally:
        for callback in without_clock:
            callback.clock = None
        for callback in callbacks:
            if isinstance(callback, StopOnDivergence):
                callback.batches = None
            elif isinstance(callback, Annealed):
                callback.put_back()
            elif isinstance(callback, ProgressBar):
                callback.close()


def _restore(gan: Model, checkpoints: Checkpoints) -> int:
    """The steps that were done at the newest checkpoint that all workers have, which is taken."""
    strategy = gan.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return checkpoints.restore(gan) or 0
    # A worker that was killed may lack what the others have written since.
    there = [checkpoints.step_of(path) for path in checkpoints.files()]
    newest = distribution.newest_common(there, strategy)
    return 0 if newest is None else checkpoints.restore(gan, newest) or 0
