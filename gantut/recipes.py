"""Recipes: whole settings for training a GAN on small images, by name.

    from gantut import load_mnist, recipes

    run = recipes.train("fast", load_mnist().x_train)
    run.gan.sample(64)

A recipe's length is a number of steps, so that a seed fixes every bit of the result: the initial
weights, the order of the data, the latent vectors and dropout are drawn from it, and TensorFlow is
told to use deterministic operations. What that promises: the same seed, recipe, data, versions and
machine give identical weights. On a GPU the same holds for the same model of GPU with the same
drivers; an operation that has no deterministic version there raises an error. Another processor,
another number of cores or another version may round differently, and a GAN amplifies the
difference. A training that is limited by time stops at a step that depends on the machine's load,
so there a seed fixes the start only.
"""

import functools
import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, Self, TypeVar

import numpy as np

from gantut import _check, distribution, losses, networks
from gantut import callbacks as training
from gantut._keras import keras, tf
from gantut.callbacks.clock import Timed
from gantut.data import check_images, check_labels, check_samples
from gantut.gan import GAN
from gantut.optimizers import FusedAdam
from gantut.stabilisers import packed
from gantut.vae import VAE

Builder = Callable[..., Any]
Schedule = Callable[[float], float]
_Entry = TypeVar("_Entry")
_Trained = TypeVar("_Trained")
_Game = TypeVar("_Game", bound=GAN)
_Given = ParamSpec("_Given")
_Record = TypeVar("_Record")


# --- Schedules ---------------------------------------------------------------------------------


def constant(progress: float) -> float:
    """The learning rate stays as it is.

    Args:
        progress: Share of the training that is done, in [0, 1].

    Returns:
        1.
    """
    return 1.0


def _warm(progress: float, warm_up: float) -> tuple[float, float]:
    """The multiplier of the warm-up, and the progress of what follows it."""
    if progress < warm_up:
        return progress / warm_up, 0.0
    return 1.0, min(1.0, (progress - warm_up) / (1.0 - warm_up))


def _check_schedule(**shares: float) -> None:
    for name, value in shares.items():
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must lie in [0, 1), got {value!r}")


def linear_decay(warm_up: float = 0.0, hold: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along a line.

    Args:
        warm_up: Share of the training over which the rate first rises from 0, in [0, 1).
        hold: Share of what follows over which it then stays, in [0, 1).

    Returns:
        A function from progress in [0, 1] to a multiplier in [0, 1].

    Raises:
        ValueError: a share is out of range.
    """
    _check_schedule(warm_up=warm_up, hold=hold)

    def schedule(progress: float) -> float:
        factor, rest = _warm(progress, warm_up)
        return factor * min(1.0, (1.0 - rest) / (1.0 - hold))

    return schedule


def cosine_decay(warm_up: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along half a cosine (Loshchilov and Hutter 2017, eq. 5).

    Args:
        warm_up: Share of the training over which the rate first rises from 0, in [0, 1).

    Returns:
        A function from progress in [0, 1] to a multiplier in [0, 1].

    Raises:
        ValueError: the share is out of range.
    """
    _check_schedule(warm_up=warm_up)

    def schedule(progress: float) -> float:
        factor, rest = _warm(progress, warm_up)
        return factor * 0.5 * (1.0 + math.cos(math.pi * rest))

    return schedule


def no_callbacks(*, steps: int | None = None, seconds: float | None = None) -> Sequence[Any]:
    """A training needs no callbacks of its own.

    Args:
        steps: Length of the training in steps; or
        seconds: its length in seconds.

    Returns:
        Nothing.
    """
    return ()


# --- The recipe --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GameSettings:
    """What a recipe says of the game itself, whatever the networks take and make.

    Attributes:
        loss: A key of ``gantut.losses.LOSSES``.
        penalties: Weights of the gradient penalties, as in `gantut.GAN`.
        penalty_every: Steps from penalty to penalty, as in `gantut.GAN`.
        ema: Decay of the averaged weights, as in `gantut.GAN`; None keeps no average.
        batch_size: Real samples in a step.
        steps: Length of the training on a CPU.
        g_learning_rate: Adam's learning rate for G, before the schedule.
        d_learning_rate: The same for D.
        beta_1: Adam's first moment decay, for both.
        beta_2: Its second moment decay.
        schedule: From progress in [0, 1] to the multiplier of both learning rates.
        steps_per_execution: Steps run by one call of the compiled graph; the schedule is read
            between calls.
    """

    loss: str = "non_saturating"
    penalties: Mapping[str, float] = field(default_factory=dict)
    penalty_every: int = 1
    ema: float | None = None
    batch_size: int
    steps: int
    g_learning_rate: float = 2e-4
    d_learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.999
    schedule: Schedule = constant
    steps_per_execution: int = 16

    def compiled(self, model: Callable[..., _Game], *players: Any, **options: Any) -> _Game:
        """Makes a GAN of networks, and gives both players their optimizers.

        Args:
            model: `gantut.GAN`, or a subclass.
            *players: The networks that it takes.
            **options: What it is to be told beside the settings, the seed for one; they go before
                settings of the same name.

        Returns:
            The model, compiled.

        Raises:
            ValueError: the networks do not fit each other, or a setting is out of range.
        """
        settings = {name: getattr(self, name) for name in ("loss", "penalty_every", "ema")}
        gan = model(*players, **{**settings, "penalties": dict(self.penalties), **options})
        d_adam, g_adam = (
            FusedAdam(rate, beta_1=self.beta_1, beta_2=self.beta_2)
            for rate in (self.d_learning_rate, self.g_learning_rate)
        )
        gan.compile(d_adam, g_adam, steps_per_execution=self.steps_per_execution)
        return gan


@dataclass(frozen=True, kw_only=True)
class Recipe(GameSettings):
    """Everything that a training needs beside the data and a seed.

    Attributes:
        name: Its key in ``RECIPES``.
        summary: What it is, in a line.
        generator: From (image_shape, num_classes) to the generator.
        discriminator: From (image_shape, num_classes) to the discriminator.
        gpu_steps: Length of the training where TensorFlow sees a GPU.
        real_label: The target for real data; below 1 it is one-sided label smoothing.
        d_steps: Steps of D for one of G.
        unroll_steps: Further steps of D that G's step looks ahead, as in `gantut.GAN`.
        simultaneous: Whether both networks move at once, as in `gantut.GAN`.
        callbacks: From the training's length, ``steps=`` or ``seconds=``, to the Keras callbacks
            that belong to the recipe.
        conditional: Whether the networks take labels.
        centred: Whether both builders also take ``mean_image``, the mean of the training images.
        image_shape: The only (height, width, channels) of training images that the networks are
            made for; None if they adapt.
        stack: Images that make one, in its channels, each drawn at random with replacement; 1
            takes the images as they are. With 3, MNIST becomes Stacked MNIST of 1,000 modes
            (Metz et al. 2017), and no triple needs to be kept in memory.
        model: What makes the training step: `gantut.GAN`, or a subclass with the same arguments.

    The rest is as in `GameSettings`.
    """

    name: str
    summary: str
    generator: Builder
    discriminator: Builder
    gpu_steps: int
    real_label: float = 1.0
    d_steps: int = 1
    unroll_steps: int = 0
    simultaneous: bool = False
    callbacks: Callable[..., Sequence[Any]] = no_callbacks
    conditional: bool = False
    centred: bool = False
    image_shape: networks.ImageShape | None = None
    stack: int = 1
    model: Callable[..., GAN] = GAN

    def build(
        self,
        image_shape: Sequence[int] = networks.MNIST_SHAPE,
        num_classes: int = networks.NUM_CLASSES,
        seed: int = 0,
        mean_image: Any = None,
    ) -> GAN:
        """Makes the networks and the optimizers.

        Seeds Python, NumPy and Keras, and switches TensorFlow to deterministic operations for the
        rest of the process.

        Args:
            image_shape: (height, width, channels) of the training images, before stacking.
            num_classes: Number of labels, for a conditional recipe.
            seed: Fixes the initial weights and the random numbers of training.
            mean_image: The mean of the training images, of ``image_shape``, for a recipe that is
                ``centred``; mid-grey if None. `train` passes it. Other recipes ignore it.

        Returns:
            A compiled `GAN`.

        Raises:
            ValueError: the networks are not made for such images, or the seed is out of range.
        """
        make_deterministic(seed)
        shape = tuple(image_shape)
        if self.image_shape is not None and shape != self.image_shape:
            raise ValueError(
                f"recipe {self.name!r} is made for images of shape {self.image_shape}, got {shape}"
            )
        data: dict[str, Any] = {}
        if self.centred:
            data["mean_image"] = np.zeros(shape) if mean_image is None else mean_image
        if self.stack > 1:
            shape = (*shape[:2], shape[2] * self.stack)
            data = {name: np.tile(image, (1, 1, self.stack)) for name, image in data.items()}
        model = self.model
        if tf.distribute.has_strategy() and model is GAN:
            model = distribution.ReplicatedGAN
        return self.compiled(
            model,
            self.generator(shape, num_classes, **data),
            self.discriminator(shape, num_classes, **data),
            loss=losses.get_loss(self.loss, real_label=self.real_label),
            d_steps=self.d_steps,
            unroll_steps=self.unroll_steps,
            simultaneous=self.simultaneous,
            seed=seed,
        )


@dataclass(frozen=True)
class VAERecipe:
    """Everything that a variational autoencoder's training needs beside the data and a seed.

    Attributes:
        name: Its key in ``RECIPES``.
        summary: What it is, in a line.
        encoder: From (image_shape, num_classes, mean_image=...) to the encoder.
        generator: From the same to the decoder.
        batch_size: Images in a step.
        steps: Length of the training on a CPU.
        gpu_steps: Its length where TensorFlow sees a GPU.
        likelihood: What the model says of a pixel, as in `gantut.vae.VAE`.
        deviation: As in `gantut.vae.VAE`.
        learning_rate: Adam's learning rate, before the schedule.
        beta_1: Adam's first moment decay.
        beta_2: Its second moment decay.
        schedule: From progress in [0, 1] to the multiplier of the learning rate.
        steps_per_execution: As in `Recipe`.
        conditional: Always False.
        stack: Always 1.
    """

    name: str
    summary: str
    encoder: Builder
    generator: Builder
    batch_size: int
    steps: int
    gpu_steps: int
    likelihood: str = "bernoulli"
    deviation: float = 0.3
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    schedule: Schedule = constant
    steps_per_execution: int = 16
    conditional: bool = field(default=False, init=False)
    stack: int = field(default=1, init=False)

    def build(
        self,
        image_shape: Sequence[int] = networks.MNIST_SHAPE,
        num_classes: int = networks.NUM_CLASSES,
        seed: int = 0,
        mean_image: Any = None,
    ) -> VAE:
        """Makes the networks and the optimizer, with the same seeding as `Recipe.build`.

        Args:
            image_shape: (height, width, channels) of the images.
            num_classes: Ignored.
            seed: Fixes the initial weights and the random numbers of training.
            mean_image: The mean of the training images, of ``image_shape``; mid-grey if None.

        Returns:
            A compiled `gantut.vae.VAE`.

        Raises:
            ValueError: ``mean_image`` has another shape or range, or the seed is out of range.
        """
        make_deterministic(seed)
        shape = tuple(image_shape)
        mean_image = np.zeros(shape) if mean_image is None else mean_image
        vae = VAE(
            self.encoder(shape, num_classes, mean_image=mean_image),
            self.generator(shape, num_classes, mean_image=mean_image),
            likelihood=self.likelihood,
            deviation=self.deviation,
            seed=seed,
        )
        vae.compile(
            FusedAdam(self.learning_rate, beta_1=self.beta_1, beta_2=self.beta_2),
            steps_per_execution=self.steps_per_execution,
        )
        return vae


AnyRecipe = Recipe | VAERecipe
"""What can be trained by name."""


@dataclass(frozen=True, kw_only=True)
class Run(Generic[_Trained]):
    """What a training left.

    Attributes:
        gan: The trained `GAN`; for a `VAERecipe` the trained `gantut.vae.VAE`.
        history: Lists by column, one entry every ``history_every`` steps: ``step``, ``seconds``,
            the generator's ``learning_rate``, and the means since the entry before of ``d_loss``,
            ``g_loss``, ``d_real`` and ``d_fake`` (of a VAE: ``loss``, ``reconstruction``, ``kl``).
        seconds: Time spent in training steps. Tracing and compiling count; callbacks do not.
        cpu_seconds: Processor time of the whole call: preparing the data, making the networks,
            tracing, training and callbacks.
        steps: Steps taken in this training.
        diverged_at: The step at which a loss was not finite, after which the last good weights
            were put back; None if all went well.
        origin: Where that began, in words: the step and the layer; None if all went well or it
            could not be found.
    """

    gan: _Trained
    history: dict[str, list[float]]
    seconds: float
    cpu_seconds: float
    steps: int
    diverged_at: int | None = None
    origin: str | None = None

    @classmethod
    def of(cls, run: "Run[Any]", **more: Any) -> Self:
        """The record of a training, with what an application knows beside it.

        Args:
            run: What the training left.
            **more: Further fields of this class, or others in the place of the run's.

        Returns:
            A record of this class.

        Raises:
            TypeError: a field is unknown or missing.
        """
        return cls(**{**vars(run), **more})


def cpu_timed(train: Callable[_Given, _Record]) -> Callable[_Given, _Record]:
    """Sets ``cpu_seconds`` of what a function returns to the processor time of the whole call.

    Args:
        train: Returns a `Run`, or another dataclass or named tuple with such a field.

    Returns:
        The function, for use as a decorator.
    """

    @functools.wraps(train)
    def timed(*args: _Given.args, **kwargs: _Given.kwargs) -> _Record:
        begin = time.process_time()
        record: Any = train(*args, **kwargs)
        spent = {"cpu_seconds": time.process_time() - begin}
        return record._replace(**spent) if hasattr(record, "_replace") else replace(record, **spent)

    return timed


def make_deterministic(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow, and asks TensorFlow for deterministic operations.

    Both hold for the rest of the process.

    Args:
        seed: An integer in [0, 2**32).

    Raises:
        ValueError: the seed is no such integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32), got {seed!r}")
    keras.utils.set_random_seed(int(seed))
    tf.config.experimental.enable_op_determinism()


def get(recipe: str | AnyRecipe) -> AnyRecipe:
    """Looks up a recipe by name.

    Args:
        recipe: A key of ``RECIPES``, or a recipe of your own, which is returned as it is
            (``dataclasses.replace`` makes one from another).

    Returns:
        The recipe.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
        TypeError: neither a name nor a recipe.
    """
    if isinstance(recipe, Recipe | VAERecipe):
        return recipe
    return _check.one_of(recipe, "recipe", RECIPES)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def count_steps(
    recipe: AnyRecipe, n: int, *, steps: int | None = None, epochs: int | None = None
) -> int:
    """The length of a training in steps.

    Args:
        recipe: The recipe, whose own length counts where no other is given.
        n: Number of training images.
        steps: A length in steps; or
        epochs: a length in passes over the data, of n // batch_size steps each.

    Returns:
        Steps.

    Raises:
        ValueError: the number given is not a positive integer.
    """
    for name, value in (("steps", steps), ("epochs", epochs)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
        ):
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    if steps is not None:
        return int(steps)
    if epochs is not None:
        return int(epochs) * (n // recipe.batch_size)
    return recipe.gpu_steps if has_gpu() else recipe.steps


@cpu_timed
def train(
    recipe: str | AnyRecipe,
    x: Any,
    y: Any = None,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
    progress: bool = False,
    gan: GAN | VAE | None = None,
    history_every: int = 100,
    checkpoints: str | os.PathLike[str] | training.Checkpoints | None = None,
    resume: bool = False,
    on_device: bool | None = None,
) -> Run[Any]:
    """Trains a GAN by a recipe.

    Keras sees one long epoch: callbacks are called every ``steps_per_execution`` steps, by
    ``on_train_batch_begin`` and ``on_train_batch_end``.

    Args:
        recipe: A key of ``RECIPES``, or a `Recipe`.
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
            `gantut.callbacks.Checkpoints` that says when; None writes nothing down.
        resume: Go on from the newest whole checkpoint of that folder, if there is one. The
            arguments must be those of the training that wrote it; the weights at the end are, bit
            for bit, those of a training that was never interrupted (except with ``seconds``).
        on_device: Whether all the data is put where the networks are, and a step picks its rows
            there; the batches are the same. None does so where TensorFlow sees a GPU, one replica
            is trained, and the data is at most 2 GiB.

    Returns:
        A `Run`. Its ``steps`` and ``seconds`` count those before the checkpoint too.

    Raises:
        ValueError: two lengths were given or one is not positive, the data is empty, smaller than
            a batch, of a wrong shape, dtype or range, has NaN, or lacks labels, an unknown
            recipe was named, the checkpoint belongs to another training, or ``on_device`` is asked
            of several replicas.
        TypeError: ``recipe`` is neither a name nor a recipe, or ``gan`` is not what it builds.
        OSError: a checkpoint cannot be written; the message names the last good one.
    """
    recipe = get(recipe)
    if isinstance(checkpoints, str | os.PathLike):
        checkpoints = training.Checkpoints(checkpoints)
    if checkpoints is not None and not isinstance(checkpoints, training.Checkpoints):
        raise TypeError(
            f"checkpoints must be a folder or Checkpoints, got {type(checkpoints).__name__}"
        )
    if resume and checkpoints is None:
        raise ValueError("resume needs checkpoints, the folder to go on from")
    given = {"steps": steps, "seconds": seconds, "epochs": epochs}
    named = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ValueError(f"wanted one length (steps, seconds or epochs), got {', '.join(named)}")
    if seconds is not None:
        _check.number(seconds, "seconds", above=0)
    if isinstance(x, np.ndarray) and x.ndim == 2:
        x = check_samples(x, x.shape[1:], maker="generator")
    else:
        x = check_images(x, name="x")
    if recipe.batch_size > len(x):
        raise ValueError(
            f"recipe {recipe.name!r} trains on batches of {recipe.batch_size} samples, "
            f"but there are only {len(x)}"
        )
    num_classes = networks.NUM_CLASSES
    if not recipe.conditional:
        y = None
    elif y is None:
        raise ValueError(f"recipe {recipe.name!r} is conditional: it needs labels y beside x")
    else:
        y = check_labels(y, len(x), gan.num_classes if gan is not None else None)
        num_classes = int(y.max()) + 1
    total = count_steps(recipe, len(x), steps=steps, epochs=epochs)
    if gan is None:
        gan = recipe.build(x.shape[1:], num_classes, seed, x.mean(axis=0))
    else:
        make_deterministic(seed)
        _reset_learning_rates(recipe, gan)
    length: dict[str, Any] = {"steps": total} if seconds is None else {"seconds": seconds}
    if checkpoints is not None:
        checkpoints.settings = {
            "recipe": recipe.name,
            "batch size": recipe.batch_size,
            "seed": int(seed),
            **length,
            "data": _fingerprint(x, y),
        }

    replicas = gan.distribute_strategy.num_replicas_in_sync
    if on_device is None:
        on_device = has_gpu() and replicas == 1 and x.nbytes <= _HELD_BYTES
    elif on_device and replicas > 1:
        raise ValueError(f"on_device=True is for one replica, got {replicas}")
    held = [tf.constant(part) for part in (x, y) if part is not None] if on_device else []

    def pick(rows: Any) -> Any:
        return _as_batch([tf.gather(part, rows) for part in held], recipe.stack)

    def from_step(step: int) -> Any:
        order = {"batch_size": recipe.batch_size, "seed": seed, "stack": recipe.stack, "skip": step}
        return _untuned(_rows(len(x), **order)) if on_device else batches(x, y, **order)

    return run(
        gan,
        from_step,
        **length,
        checkpoints=checkpoints,
        resume=resume,
        schedule=recipe.schedule,
        callbacks=callbacks,
        last=recipe.callbacks(**length) if isinstance(recipe, Recipe) else (),
        progress=progress,
        history_every=history_every,
        pick=pick if held else None,
    )


_HELD_BYTES = 2**31
"""The most that is put on a GPU at once: MNIST as float32 takes a tenth of it."""


def _fingerprint(x: Any, y: Any) -> str:
    """A short hash of the data, by which another one is noticed."""
    total = hashlib.blake2b(digest_size=8)
    for array in (x, y):
        if array is not None:
            array = np.ascontiguousarray(array)
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(array.data)
    return total.hexdigest()


def run(
    gan: Any,
    dataset: Any,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    schedule: Schedule = constant,
    callbacks: Iterable[Any] = (),
    last: Iterable[Any] = (),
    progress: bool = False,
    history_every: int = 100,
    checkpoints: training.Checkpoints | None = None,
    resume: bool = False,
    pick: Callable[[Any], Any] | None = None,
) -> Run[Any]:
    """Trains a compiled model on batches: what `train` does once networks and data are made.

    Args:
        gan: A compiled `GAN`, or another model with its ``step_counter`` and ``g_optimizer``.
        dataset: An endless dataset of batches, or a function that makes one which begins after
            the given number of batches; resuming, and finding where a loss was lost, take that.
        steps: Length of the training in steps; or
        seconds: in seconds.
        schedule: From progress in [0, 1] to the multiplier of the learning rates.
        callbacks: As in `train`.
        last: Callbacks that come after all of these.
        progress: As in `train`.
        history_every: As in `train`.
        checkpoints: Writes the training down; None does not.
        resume: Go on from the newest of its checkpoints, if there is one.
        pick: As in `gantut.model.Model.fit`.

    Returns:
        A `Run`.

    Raises:
        ValueError: a length is missing or not positive, a batch does not fit the model, the
            checkpoint belongs to another training, or ``resume`` was asked for without
            ``checkpoints`` or such a function.
        OSError: a checkpoint cannot be written.
    """
    if resume and (checkpoints is None or not callable(dataset)):
        raise ValueError("resume needs checkpoints, and a function that makes the dataset")
    begin = time.process_time()
    clock = training.TrainingClock()
    length: dict[str, Any] = {"steps": steps, "seconds": seconds}
    given_callbacks = list(callbacks)
    history = next(
        (c for c in given_callbacks if isinstance(c, training.HistoryWriter)),
        training.HistoryWriter(every=history_every),
    )
    guard = next(
        (c for c in given_callbacks if isinstance(c, training.StopOnDivergence)),
        training.StopOnDivergence(),
    )
    bar = training.ProgressBar(**length) if progress else None
    # The clock's two hands enclose the execution: all other callbacks run while it stands still.
    # The history comes first, so that it sees a loss that is not finite before the guard goes back.
    hands: list[Any] = [
        clock.stop,
        history,
        guard,
        *([training.TimeLimit(seconds)] if seconds is not None else []),
        *([bar] if bar is not None else []),
        *(callback for callback in given_callbacks if callback not in (history, guard)),
        *last,
        training.LearningRateSchedule(schedule, **length),
        # Behind all that it remembers, as they are after the execution.
        *([checkpoints] if checkpoints is not None else []),
        clock.start,
    ]
    done, left = 0, None
    strategy = gan.distribute_strategy
    if strategy.num_replicas_in_sync > 1 and (steps is None or not isinstance(gan, GAN)):
        raise ValueError(
            f"several replicas train a GAN for a number of steps; got {type(gan).__name__}, "
            f"steps={steps!r}"
        )
    if checkpoints is not None:
        checkpoints.attach(hands, clock)
        if resume:
            at = None
            if strategy.num_replicas_in_sync > 1:
                # A worker that was killed may lack what the others have written since.
                steps_there = [checkpoints.step_of(path) for path in checkpoints.files()]
                at = distribution.newest_common(steps_there, strategy)
            if at is not None or strategy.num_replicas_in_sync == 1:
                done = checkpoints.restore(gan, at) or 0
        else:
            checkpoints.check_unused()
    first = int(gan.step_counter.numpy()) - done
    if callable(dataset):
        make = dataset
        guard.batches = lambda step: make(step - first)
        dataset = make(done)
    if steps is not None:
        left = max(0, steps - done)
        dataset = take(dataset, left)
    dataset = distribution.share_batches(dataset, strategy)
    over = done >= steps if steps is not None else clock() >= (seconds or 0.0) > 0
    without_clock = [c for c in hands if isinstance(c, Timed) and c.clock is None]
    for callback in without_clock:
        callback.clock = clock
    try:
        if over:
            # The checkpoint has all steps, but perhaps not what comes after the last of them:
            # learning rates that are put back, the last row and picture.
            around = keras.callbacks.CallbackList(hands, model=gan)
            around.on_train_begin()
            around.on_epoch_begin(0)
            around.on_train_end()
        else:
            # A dataset that is shared out does not tell its length.
            told: dict[str, Any] = {} if pick is None else {"pick": pick}
            if strategy.num_replicas_in_sync > 1:
                told["steps_per_epoch"] = left
            gan.fit(dataset, shuffle=False, verbose=0, callbacks=hands, **told)
    finally:
        guard.batches = None
        for callback in without_clock:
            callback.clock = None
        for callback in hands:
            if isinstance(callback, training.Annealed):
                callback.put_back()
        if bar is not None:
            bar.close()
    return Run(
        gan=gan,
        history={name: list(column) for name, column in history.history.items()},
        seconds=clock(),
        cpu_seconds=time.process_time() - begin,
        steps=int(gan.step_counter.numpy()) - first,
        diverged_at=guard.diverged_at,
        origin=None if guard.origin is None else str(guard.origin),
    )


def _reset_learning_rates(recipe: AnyRecipe, gan: GAN | VAE) -> None:
    if isinstance(recipe, VAERecipe):
        if not isinstance(gan, VAE):
            raise TypeError(
                f"recipe {recipe.name!r} trains a gantut.vae.VAE, got {type(gan).__name__}"
            )
        gan.optimizer.learning_rate = recipe.learning_rate
    else:
        if not isinstance(gan, GAN):
            raise TypeError(f"recipe {recipe.name!r} trains a gantut.GAN, got {type(gan).__name__}")
        gan.g_optimizer.learning_rate = recipe.g_learning_rate
        gan.d_optimizer.learning_rate = recipe.d_learning_rate


def batches(
    x: Any, y: Any = None, *, batch_size: int, seed: int = 0, stack: int = 1, skip: int = 0
) -> Any:
    """An endless dataset of full batches in random order, each image once a pass.

    Args:
        x: Samples (n, ...), n >= 1. They are not copied, so leave them as they are while the
            dataset is in use.
        y: Labels (n,), or None; not copied either.
        batch_size: Samples in a batch; one batch can hold the end of a pass and the beginning of
            the next.
        seed: Fixes the order, which is another in each pass.
        stack: Images (n, height, width, channels) that make one of ``stack`` times the channels.
            Above 1 each is drawn at random with replacement, and there are no passes.
        skip: Batches to leave out at the beginning, which costs next to nothing.

    Returns:
        A ``tf.data.Dataset`` of ``x``, or of ``(x, labels)``.

    Raises:
        ValueError: labels were given for stacked images, which have several each, or a number is
            out of range.
    """
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("stack", stack, 1),
        ("skip", skip, 0),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    if stack > 1 and y is not None:
        raise ValueError(f"stacked images have {stack} labels each; wanted y=None")
    data = [np.asarray(part) for part in (x, y) if part is not None]

    def gather(rows: Any) -> Any:
        # NumPy picks the rows, and the array stays the only one. TensorFlow would hold the data
        # three times: its copy, which it makes from a copy, and another that tf.data makes.
        picked = tf.numpy_function(
            lambda rows: [part.take(rows, axis=0) for part in data],
            [rows],
            [part.dtype for part in data],
            stateful=False,
        )
        shaped = [
            tf.ensure_shape(part, (*rows.shape, *whole.shape[1:]))
            for part, whole in zip(picked, data, strict=True)
        ]
        return _as_batch(shaped, stack)

    rows = _rows(len(data[0]), batch_size, seed, stack, skip)
    return _untuned(rows.map(gather, num_parallel_calls=1))


def take(dataset: Any, steps: int) -> Any:
    """The first batches of an endless dataset, as one that tells its length.

    Args:
        dataset: Such as `batches` makes.
        steps: How many batches.

    Returns:
        A dataset for ``fit``; Keras warns of data that ends without having told its length.
    """
    return dataset.take(steps).apply(tf.data.experimental.assert_cardinality(steps))


def _rows(count: int, batch_size: int, seed: int, stack: int, skip: int) -> Any:
    """The row numbers of each batch, (batch_size,); for stacked images (batch_size, stack)."""

    def shuffled(number: Any) -> Any:
        # A function of seed and pass alone. Dataset.shuffle would draw from a state that all
        # iterators share, and which one draws first can depend on threads.
        rows = tf.random.experimental.stateless_shuffle(
            tf.range(count), seed=tf.stack([tf.constant(seed, tf.int64), number])
        )
        return rows[tf.where(number == passes, left_out, 0) :]

    def drawn(number: Any) -> Any:
        return tf.random.stateless_uniform(
            (batch_size, stack),
            seed=tf.stack([tf.constant(seed, tf.int64), number]),
            maxval=count,
            dtype=tf.int32,
        )

    if stack > 1:
        return tf.data.Dataset.counter(skip).map(drawn, num_parallel_calls=1)
    passes, left_out = divmod(skip * batch_size, count)
    made = tf.data.Dataset.counter(passes).map(shuffled)
    return made.rebatch(batch_size, drop_remainder=True)


def _as_batch(parts: Sequence[Any], stack: int) -> Any:
    """Images or (images, labels) as a dataset yields them; stacked, one of more channels."""
    if stack > 1:
        (images,) = parts
        batch_size, _, height, width, channels = images.shape
        images = tf.transpose(images, [0, 2, 3, 1, 4])
        return tf.reshape(images, (batch_size, height, width, stack * channels))
    return parts[0] if len(parts) == 1 else tuple(parts)


def _untuned(dataset: Any) -> Any:
    """The dataset, some batches ahead of who takes them."""
    # Nothing here is left to TensorFlow to tune, and the end of a dataset that it tunes waits at
    # times for its tuner (2.21), which looks after 10 ms, 20, 40 and so on: up to half a training.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


# --- The recipes -------------------------------------------------------------------------------


def _mlp_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.mlp_generator(image_shape=shape)


def _fast_generator(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.mlp_generator(
        64, image_shape=shape, widths=(256, 512), batch_norm=True, mean_image=mean_image
    )


def _fast_discriminator(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.mlp_discriminator(image_shape=shape, widths=(512, 256), mean_image=mean_image)


def _mlp_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.mlp_discriminator(image_shape=shape)


def _dcgan_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.dcgan_generator(image_shape=shape)


def _dcgan_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.dcgan_discriminator(image_shape=shape)


def _tutorial_dcgan_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.tutorial_dcgan_generator()


def _tutorial_dcgan_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.tutorial_dcgan_discriminator()


def _vae_encoder(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.mlp_encoder(16, shape, variational=True, mean_image=mean_image)


def _vae_decoder(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.mlp_generator(16, shape, (256, 512), mean_image=mean_image)


def _conditional_mlp_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.mlp_generator(image_shape=shape, batch_norm=True, num_classes=num_classes)


def _conditional_mlp_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.mlp_discriminator(image_shape=shape, num_classes=num_classes)


def _conditional_fast_generator(
    shape: Sequence[int], num_classes: int, mean_image: Any = None
) -> Any:
    return networks.mlp_generator(
        32, shape, (128, 256), batch_norm=True, mean_image=mean_image, num_classes=num_classes
    )


def _conditional_fast_discriminator(
    shape: Sequence[int], num_classes: int, mean_image: Any = None
) -> Any:
    return networks.projection_mlp_discriminator(
        shape, widths=(256, 128), mean_image=mean_image, num_classes=num_classes
    )


def _mini_biggan_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.residual_generator(image_shape=shape, num_classes=num_classes)


def _mini_biggan_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.residual_discriminator(image_shape=shape, num_classes=num_classes)


def _conditional_dcgan_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.dcgan_generator(image_shape=shape, num_classes=num_classes)


def _conditional_dcgan_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.dcgan_discriminator(image_shape=shape, num_classes=num_classes)


def _stacked_generator(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.channelwise_mlp_generator(image_shape=shape, mean_image=mean_image)


def _stacked_discriminator(shape: Sequence[int], num_classes: int, mean_image: Any = None) -> Any:
    return networks.channelwise_mlp_discriminator(image_shape=shape, mean_image=mean_image)


def _small_generator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.stacked_generator()


def _small_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.stacked_discriminator(shape)


def _bare_discriminator(shape: Sequence[int], num_classes: int) -> Any:
    return networks.stacked_discriminator(shape, batch_norm=False)


# The relativistic loss with both zero-centred penalties (Huang et al. 2024, R3GAN), applied
# lazily, and averaged weights: what made the difference on a small budget.
_STEADY: dict[str, Any] = {
    "loss": "relativistic",
    "penalties": {"r1": 0.3, "r2": 0.3},
    "penalty_every": 16,
    "ema": 0.998,
    "batch_size": 64,
    "beta_1": 0.0,
    "beta_2": 0.99,
    "schedule": linear_decay(),
}

# The same at constant rates on centred images, with stronger penalties.
_FAST: dict[str, Any] = {
    **_STEADY,
    "penalties": {"r1": 1.0, "r2": 1.0},
    "g_learning_rate": 2e-3,
    "d_learning_rate": 1e-3,
    "schedule": constant,
    "centred": True,
}

# On a CPU each but tutorial_dcgan takes about two minutes of two quiet cores.
_ALL: tuple[AnyRecipe, ...] = (
    Recipe(
        name="fast",
        summary="good digits after two minutes on two cores: small MLPs on centred images, "
        "relativistic loss, R1 and R2, averaged weights",
        generator=_fast_generator,
        discriminator=_fast_discriminator,
        steps=12_000,
        gpu_steps=40_000,
        **_FAST,
    ),
    Recipe(
        name="mlp",
        summary="the plain GAN of 2014's kind: MLPs, non-saturating loss, labels smoothed to 0.9",
        generator=_mlp_generator,
        discriminator=_mlp_discriminator,
        real_label=0.9,
        batch_size=128,
        steps=3_600,
        gpu_steps=30_000,
    ),
    Recipe(
        name="dcgan",
        summary="a small convolutional GAN with the settings of Radford et al. 2016",
        generator=_dcgan_generator,
        discriminator=_dcgan_discriminator,
        batch_size=64,
        steps=3_000,
        gpu_steps=20_000,
    ),
    Recipe(
        name="tutorial_dcgan",
        summary="TensorFlow's DCGAN tutorial, 50 epochs: the reference; four hours on two cores",
        generator=_tutorial_dcgan_generator,
        discriminator=_tutorial_dcgan_discriminator,
        batch_size=256,
        g_learning_rate=1e-4,
        d_learning_rate=1e-4,
        beta_1=0.9,
        # 234 full batches of MNIST an epoch; the tutorial's ragged 235th is left out.
        steps=11_700,
        gpu_steps=11_700,
        image_shape=networks.MNIST_SHAPE,
    ),
    Recipe(
        name="conditional_mlp",
        summary="MLPs with batch normalisation in G, the digit's label given to both networks",
        generator=_conditional_mlp_generator,
        discriminator=_conditional_mlp_discriminator,
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        steps=4_000,
        gpu_steps=30_000,
        conditional=True,
        **_STEADY,
    ),
    Recipe(
        name="conditional_dcgan",
        summary="a small convolutional GAN with labels, relativistic loss and averaged weights",
        generator=_conditional_dcgan_generator,
        discriminator=_conditional_dcgan_discriminator,
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        steps=2_400,
        gpu_steps=20_000,
        conditional=True,
        **_STEADY,
    ),
    Recipe(
        name="conditional_fast",
        summary="digits on demand in a minute of one core: `fast` at half the width, the label a "
        "projection in D, weaker penalties",
        generator=_conditional_fast_generator,
        discriminator=_conditional_fast_discriminator,
        steps=6_000,
        gpu_steps=40_000,
        conditional=True,
        **{**_FAST, "penalties": {"r1": 0.1, "r2": 0.1}},
    ),
    Recipe(
        name="mini_biggan",
        summary="BigGAN's parts in small: residual blocks, conditional and spectral normalisation, "
        "projection, hinge loss; slow on a CPU",
        generator=_mini_biggan_generator,
        discriminator=_mini_biggan_discriminator,
        loss="hinge",
        ema=0.998,
        batch_size=64,
        g_learning_rate=1e-3,
        d_learning_rate=2e-3,
        beta_1=0.0,
        beta_2=0.99,
        steps=3_000,
        gpu_steps=30_000,
        conditional=True,
    ),
    Recipe(
        name="stacked",
        summary="Stacked MNIST, all 1,000 triples in a minute: `fast` with weights shared over "
        "the three channels",
        generator=_stacked_generator,
        discriminator=_stacked_discriminator,
        steps=8_000,
        gpu_steps=40_000,
        stack=3,
        **_FAST,
    ),
    Recipe(
        name="stacked_dcgan",
        summary="Stacked MNIST with the small networks and settings of Metz et al. 2017, D a "
        "quarter of G: the plain GAN, which collapses",
        generator=_small_generator,
        discriminator=_small_discriminator,
        g_learning_rate=1e-4,
        d_learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.99,
        batch_size=128,
        steps=4_000,
        gpu_steps=100_000,
        image_shape=networks.MNIST_SHAPE,
        stack=3,
    ),
    Recipe(
        name="stacked_small",
        summary="the same networks, D without batch normalisation and with packs of 4: "
        "relativistic loss, R1 and R2, averaged weights",
        generator=_small_generator,
        discriminator=packed(_bare_discriminator, 4),
        loss="relativistic",
        penalties={"r1": 0.1, "r2": 0.1},
        penalty_every=16,
        ema=0.999,
        batch_size=64,
        g_learning_rate=1e-3,
        d_learning_rate=4e-3,
        beta_1=0.0,
        beta_2=0.99,
        steps=4_000,
        gpu_steps=100_000,
        image_shape=networks.MNIST_SHAPE,
        stack=3,
    ),
    VAERecipe(
        name="vae",
        summary="no GAN: a variational autoencoder of the size of fast, to compare with",
        encoder=_vae_encoder,
        generator=_vae_decoder,
        batch_size=64,
        steps=30_000,
        gpu_steps=100_000,
        learning_rate=2e-3,
        schedule=linear_decay(),
    ),
)

RECIPES: dict[str, AnyRecipe] = {recipe.name: recipe for recipe in _ALL}
"""The recipes by name."""
