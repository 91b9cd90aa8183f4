"""What a recipe is: all that a training needs beside the data and a seed."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from gantut import _check, losses
from gantut._keras import keras, tf
from gantut.distribution import ReplicatedGAN
from gantut.gan import GAN
from gantut.model import Model
from gantut.networks import MNIST_SHAPE, NUM_CLASSES, ImageShape
from gantut.optimizers import FusedAdam
from gantut.recipes.schedules import Schedule, constant
from gantut.stabilisers import Builder
from gantut.vae import VAE

_Game = TypeVar("_Game", bound=GAN)


def make_deterministic(seed: int) -> int:
    """Seeds Python, NumPy and TensorFlow, and makes TensorFlow's operations deterministic.

    They stay so for the rest of the process. Returns the seed, as Python's own integer.

    Args:
        seed: An integer in [0, 2**32).
    """
    seed = _check.seed(seed)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return seed


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What all recipes say of the training.

    Attributes:
        batch_size: Real samples in a step.
        steps: Length of the training on a CPU.
        schedule: From progress in [0, 1] to the multiplier of the learning rates.
        steps_per_execution: Steps run by one call of the compiled graph; the schedule is read
            between calls.
    """

    batch_size: int
    steps: int
    schedule: Schedule = constant
    steps_per_execution: int = 16


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingSettings):
    """Everything that a training needs beside the data and a seed: the base of the two kinds.

    Builders are called by keyword, and only with what the recipe says that they need:
    ``image_shape``, ``num_classes`` if it is ``conditional`` or has ``clusters``, and
    ``mean_image``, the mean of the training images, if it is ``centred``.
    ``dataclasses.replace`` makes one recipe from another.

    Attributes:
        name: Its key in ``RECIPES``.
        summary: What it is, in a line.
        generator: The builder of the generator (of a VAE: the decoder).
        gpu_steps: Length of the training where TensorFlow sees a GPU.
        callbacks: From the training's length, ``steps=`` or ``seconds=``, to the Keras callbacks
            that belong to the recipe.
        conditional: Whether the networks take labels.
        clusters: Groups of images that look alike, which take the place of labels (see
            `gantut.clustered`); 0 for none.
        centred: Whether the builders take the mean of the training images.
        image_shape: The only (height, width, channels) of training images that the networks are
            made for; None if they adapt.
        stack: Grey images that make one, in its channels, each drawn at random with replacement;
            1 takes the images as they are. With 3, MNIST becomes Stacked MNIST of 1,000 modes
            (Metz et al. 2017), and no triple needs to be kept in memory.
    """

    name: str
    summary: str
    generator: Builder
    gpu_steps: int
    callbacks: Callable[..., Sequence[keras.callbacks.Callback]] = lambda **length: ()
    conditional: bool = False
    clusters: int = 0
    centred: bool = False
    image_shape: ImageShape | None = None
    stack: int = 1

    def build(
        self,
        image_shape: Sequence[int] = MNIST_SHAPE,
        num_classes: int = NUM_CLASSES,
        seed: int = 0,
        mean_image: npt.ArrayLike | None = None,
    ) -> Model:
        """Makes the compiled model, networks and optimizers, after `make_deterministic`.

        Args:
            image_shape: (height, width, channels) of the training images, before stacking.
            num_classes: Number of labels, for a conditional recipe.
            seed: Fixes the initial weights and the random numbers of training.
            mean_image: The images' mean, for a recipe that is ``centred``; mid-grey if None.
        """
        seed = make_deterministic(seed)
        shape = tuple(image_shape)
        if self.image_shape is not None and shape != self.image_shape:
            raise ValueError(
                f"recipe {self.name!r} is made for images of shape {self.image_shape}, got {shape}"
            )
        if self.stack > 1:
            if len(shape) != 3 or shape[2] != 1:
                raise ValueError(
                    f"recipe {self.name!r} stacks {self.stack} grey images to one: wanted the "
                    f"image_shape (height, width, 1), got {shape}"
                )
            shape = (*shape[:2], self.stack)
        given: dict[str, Any] = {"image_shape": shape}
        if self.conditional or self.clusters:
            given["num_classes"] = self.clusters or num_classes
        if self.centred:
            given["mean_image"] = (
                np.zeros(shape)
                if mean_image is None
                else np.repeat(mean_image, self.stack, axis=-1)
            )
        return self.assemble(given, seed)

    def assemble(self, given: Mapping[str, Any], seed: int) -> Model:
        """The compiled model, its builders called with what is given."""
        raise NotImplementedError

    def fitted(self, n: int) -> Self:
        """The recipe for ``n`` samples: where they fill no batch it is halved, with a warning."""
        size = self.batch_size
        while size > n:
            size //= 2  # which packs and devices can share as before
        if size == self.batch_size:
            return self
        warnings.warn(
            f"recipe {self.name!r} trains on batches of {self.batch_size} samples, but there are "
            f"only {n}; it takes batches of {size}",
            stacklevel=3,
        )
        return replace(self, batch_size=size)

    def reset(self, model: Model) -> None:
        """Gives a model that such a recipe built the recipe's learning rates."""
        raise NotImplementedError

    def record(self) -> dict[str, Any]:
        """What two recipes must have in common to train alike, as JSON can hold it, by field."""
        others = {"summary", "steps", "gpu_steps"}
        names = [f.name for f in fields(self) if f.name not in others]
        return {name: _described(getattr(self, name)) for name in names}


@dataclass(frozen=True, kw_only=True)
class GameSettings(TrainingSettings):
    """What a recipe says of the game itself, whatever the networks take and make.

    ``penalties``, ``penalty_every`` and ``ema`` are as in `gantut.GAN`.

    Attributes:
        loss: A key of ``gantut.losses.LOSSES``.
        g_learning_rate: Adam's learning rate for G, before the schedule.
        d_learning_rate: The same for D.
        beta_1: Adam's first moment decay, for both.
        beta_2: Its second moment decay.
    """

    loss: str = "non_saturating"
    penalties: Mapping[str, float] = field(default_factory=dict)
    penalty_every: int = 1
    ema: float | None = None
    g_learning_rate: float = 2e-4
    d_learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.999

    def __post_init__(self) -> None:
        """Freezes the weights too, which recipes share."""
        object.__setattr__(self, "penalties", MappingProxyType(dict(self.penalties)))

    def compiled(
        self, model: Callable[..., _Game], *players: Any, epsilon: float = 1e-7, **options: Any
    ) -> _Game:
        """Makes a GAN of networks, and gives both players their optimizers.

        Args:
            model: `gantut.GAN`, or a subclass.
            *players: The networks that it takes.
            epsilon: Of both Adams; Keras' own.
            **options: Further arguments; they go before settings of the same name.
        """
        names = ("loss", "penalties", "penalty_every", "ema")
        gan = model(*players, **{**{name: getattr(self, name) for name in names}, **options})
        d_adam, g_adam = (
            FusedAdam(rate, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=epsilon)
            for rate in (self.d_learning_rate, self.g_learning_rate)
        )
        gan.compile(d_adam, g_adam, steps_per_execution=self.steps_per_execution)
        return gan


@dataclass(frozen=True, kw_only=True)
class GANRecipe(GameSettings, Recipe):
    """A recipe for a `gantut.GAN`: what `Recipe` and `GameSettings` say, and the discriminator.

    ``d_steps``, ``unroll_steps`` and ``simultaneous`` are as in `gantut.GAN`.

    Attributes:
        discriminator: The builder of the discriminator.
        real_label: The target for real data; below 1 it is one-sided label smoothing.
        model: What makes the training step: `gantut.GAN`, or a subclass with the same arguments.
    """

    discriminator: Builder
    real_label: float = 1.0
    d_steps: int = 1
    unroll_steps: int = 0
    simultaneous: bool = False
    model: Callable[..., GAN] = GAN

    def assemble(self, given: Mapping[str, Any], seed: int) -> GAN:
        """A compiled GAN."""
        model = self.model
        if tf.distribute.has_strategy() and model is GAN:
            model = ReplicatedGAN
        return self.compiled(
            model,
            self.generator(**given),
            self.discriminator(**given),
            loss=losses.get_loss(self.loss, real_label=self.real_label),
            d_steps=self.d_steps,
            unroll_steps=self.unroll_steps,
            simultaneous=self.simultaneous,
            seed=seed,
        )

    def reset(self, model: Model) -> None:
        """Gives a GAN the recipe's learning rates."""
        if not isinstance(model, GAN):
            raise TypeError(f"recipe {self.name!r} trains a GAN, got {type(model).__name__}")
        model.g_optimizer.learning_rate = self.g_learning_rate
        model.d_optimizer.learning_rate = self.d_learning_rate


@dataclass(frozen=True, kw_only=True)
class VAERecipe(Recipe):
    """A recipe for a variational autoencoder: what `Recipe` says, and the encoder.

    Attributes:
        encoder: The builder of the encoder.
        learning_rate: Adam's, before the schedule.
    """

    encoder: Builder
    learning_rate: float = 1e-3

    def assemble(self, given: Mapping[str, Any], seed: int) -> VAE:
        """A compiled VAE."""
        vae = VAE(self.encoder(**given), self.generator(**given), seed=seed)
        adam = FusedAdam(self.learning_rate)
        vae.compile(adam, steps_per_execution=self.steps_per_execution)
        return vae

    def reset(self, model: Model) -> None:
        """Gives a VAE the recipe's learning rate."""
        if not isinstance(model, VAE):
            raise TypeError(f"recipe {self.name!r} trains a VAE, got {type(model).__name__}")
        model.optimizer.learning_rate = self.learning_rate


def _described(value: Any) -> Any:
    """A setting as JSON can hold it: a function by its name, its numbers and what it encloses."""
    if isinstance(value, Mapping):
        return {str(key): _described(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_described(part) for part in value]
    if isinstance(value, functools.partial):
        return [_described(value.func), _described(value.args), _described(value.keywords)]
    if callable(value):
        name = f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
        code = getattr(value, "__code__", None)
        numbers = [c for c in code.co_consts if isinstance(c, int | float)] if code else []
        enclosed = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        return [name, numbers, _described(enclosed)]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, int | float | str | None) else type(value).__name__
