"""Image to image: one network that redraws pictures, trained on pairs with and without a critic.

    from gantut.applications import image_to_image

    run = image_to_image.train(sources, targets, adversarial_weight=0.01)
    redrawn = run.gan.translate(new_sources)

The method is that of Isola et al. 2017 (pix2pix). A generator takes an image x, the source, and
draws another, G(x), that should be like the target y which belongs to x. A discriminator sees a
source beside an image, and tells the target from what G drew. There is no latent vector: Isola et
al. found that G learns to ignore one.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy.typing as npt

from gantut import _check, recipes
from gantut._keras import Tensor, keras, tf
from gantut.data import Float32, check_alike, check_images
from gantut.gan import GAN
from gantut.networks import parts
from gantut.networks.parts import MNIST_SHAPE, Model
from gantut.sampling import in_batches

layers = keras.layers
Builder = Callable[..., Model]


# --- Networks ----------------------------------------------------------------------------------


def redrawer(
    shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (512, 512),
    filters: int = 8,
    mean_source: npt.ArrayLike | None = None,
) -> Model:
    """A small generator from images to images of the same shape, in [-1, 1].

    Dense layers look at the whole source and draw a coarse image of half the size with several
    channels; a transposed convolution makes the image of it. They suit images of few pixels.

    Args:
        shape: (height, width, channels), both sides even.
        widths: Units of the dense layers, first to last, each with batch normalisation.
        filters: Channels of the coarse image.
        mean_source: The mean of the sources, which is subtracted; nothing is if None.
    """
    height, width, channels = shape = parts.checked_shape(shape, 2)
    source = keras.Input(shape, name="source")
    coarse = (height // 2, width // 2, filters)
    x = parts.pixels_in_a_row(source, mean_source)
    x = parts.dense_layers(x, (*widths, math.prod(coarse)), batch_norm=True)
    x = layers.Reshape(coarse, name="coarse")(x)
    x = layers.Conv2DTranspose(channels, 6, 2, padding="same", name="enlarge")(x)
    return keras.Model(source, layers.Activation("tanh", name="image")(x), name="redrawer")


@keras.saving.register_keras_serializable("gantut")
class Places(keras.layers.Layer):
    """Adds to each place its row and its column, as two channels from -1 to 1 (Liu et al. 2018)."""

    def call(self, x: Tensor) -> Tensor:
        """Joins the channels."""
        rows, columns = (tf.linspace(-1.0, 1.0, side) for side in x.shape[1:3])
        place = tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)
        return tf.concat([x, tf.repeat(place[None], tf.shape(x)[0], axis=0)], axis=-1)


def restyler(
    shape: Sequence[int] = MNIST_SHAPE,
    filters: int = 16,
    blocks: int = 2,
    places: bool = True,
    skip: bool = False,
) -> Model:
    """A small convolutional generator from images to images of the same shape, in [-1, 1].

    A convolution with stride 2, residual blocks of two 3 x 3 convolutions (He et al. 2016) at half
    the size, and a transposed convolution back: what Zhu et al. 2017 use, in small and without
    normalisation. A pixel depends on the source within ``4 * blocks + 4`` pixels at most, which
    suits changes of style; `redrawer` draws from the whole source at once.

    Args:
        shape: As in `redrawer`.
        filters: Channels at half the size.
        blocks: Number of residual blocks.
        places: Tell the network where it is (`Places`). Without, the weights fit any size
            (`resized`).
        skip: Add the source before the last tanh, so that the network starts near to copying it.
    """
    shape = parts.checked_shape(shape, 2)
    source = keras.Input(shape, name="source")
    x = layers.Conv2D(filters, 4, 2, padding="same", name="shrink")(source)
    if places:
        x = layers.Conv2D(filters, 1, name="place")(Places(name="places")(x))
    x = parts.leaky(x, "leaky_shrink")
    for i in range(1, blocks + 1):
        y = layers.Conv2D(filters, 3, padding="same", name=f"conv_{i}a")(x)
        y = parts.leaky(y, f"leaky_{i}a")
        y = layers.Conv2D(filters, 3, padding="same", name=f"conv_{i}b")(y)
        x = layers.Add(name=f"add_{i}")([x, y])
    x = parts.leaky(x, "leaky_blocks")
    x = layers.Conv2DTranspose(shape[2], 6, 2, padding="same", name="enlarge")(x)
    if skip:
        x = layers.Add(name="skip")([x, source])
    return keras.Model(source, layers.Activation("tanh", name="image")(x), name="restyler")


def resized(generator: Model, shape: Sequence[int]) -> Model:
    """A copy of a `restyler` without ``places``, with its weights, for images of another size."""
    copy = keras.models.clone_model(generator, input_tensors=keras.Input(shape))
    copy.set_weights(generator.get_weights())
    return copy


def image_discriminator(shape: Sequence[int] = MNIST_SHAPE, width: int = 8) -> Model:
    """A small discriminator from single images to logits (batch, 1).

    The first of three convolutions has ``width`` filters, the others twice as many.
    """
    image = keras.Input(parts.checked_shape(shape, 2), name="image")
    x = parts.halving_layers(image, (width, 2 * width, 2 * width), 4)
    return keras.Model(image, parts.logit(x), name="image_discriminator")


def pair_discriminator(shape: Sequence[int] = MNIST_SHAPE, width: int = 16) -> Model:
    """The same from [images, sources]."""
    image, source = (
        keras.Input(parts.checked_shape(shape, 2), name=n) for n in ("image", "source")
    )
    x = layers.Concatenate(name="pair")([image, source])
    x = parts.halving_layers(x, (width, 2 * width, 2 * width), 4)
    return keras.Model([image, source], parts.logit(x), name="pair_discriminator")


# --- The model ---------------------------------------------------------------------------------


class Redrawer(GAN):
    """A `gantut.GAN` whose generator takes images, so that there is nothing to draw from."""

    @staticmethod
    def check_networks(generator: Model, discriminator: Model) -> None:
        """Any networks fit for which the calls work."""

    def check_batch(self, x: Any, y: Any) -> None:
        """Any images fit that the networks take."""

    def sample(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises a TypeError: images come from images, by ``translate``."""
        raise TypeError(f"a {type(self).__name__} redraws images: give translate(images) some")


class ImageToImage(Redrawer):
    """A `gantut.GAN` whose generator redraws a source, with an error beside the critic.

    G minimises ``mean |y - G(x)| + adversarial_weight * adversarial loss`` (Isola et al. 2017,
    eq. 4, divided by its lambda: their 100 is 0.01 here). The dataset holds (targets, sources).

    Args:
        *game: The networks and the loss, as in `gantut.GAN`; the generator maps sources (batch,
            height, width, channels) to images, the discriminator [images, sources] to logits.
        adversarial_weight: At least 0. With 0 the discriminator is neither used nor trained.
        error: "absolute", or "squared" for the mean ``(y - G(x))^2`` in its place.
        **options: The other options of `gantut.GAN`, but for ``unroll_steps``.
    """

    def __init__(
        self, *game: Any, adversarial_weight: float = 0.01, error: str = "absolute", **options: Any
    ) -> None:
        super().__init__(*game, **options)
        self.adversarial_weight = _check.number(adversarial_weight, "adversarial_weight", least=0)
        self.error = _check.one_of(error, "error", ("absolute", "squared"))
        self.conditional = True  # The "label" of a target is its source.
        self.l1_tracker = keras.metrics.Mean("l1")
        self.trackers = [*(self.trackers if adversarial_weight else []), self.l1_tracker]

    def check_batch(self, x: Any, y: Any) -> None:
        """Raises a ValueError where the sources are missing."""
        if y is None:
            raise ValueError("training needs (targets, sources), got targets alone")

    def generate(self, n: Tensor, labels: Tensor, training: bool) -> Tensor:
        """The generator's images for a batch of sources (``labels``)."""
        return self.generator(labels, training=training)

    def generator_loss(self, real: Tensor, fake: Tensor, adversarial: Tensor) -> Tensor:
        """The error to the targets, and the weighted adversarial loss."""
        l1 = tf.reduce_mean(tf.abs(real - fake))
        self.l1_tracker.update_state(l1)
        error = l1 if self.error == "absolute" else tf.reduce_mean(tf.square(real - fake))
        return error + self.adversarial_weight * adversarial

    def step(self, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """One step of ``fit``: D and G, or G alone where the adversarial weight is 0."""
        if self.adversarial_weight:
            return super().step(real, labels)
        self.step_counter.assign_add(1)
        with tf.GradientTape() as tape:
            loss = self.generator_loss(real, self.generate(None, labels, training=True), 0.0)
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        self.update_average()
        return self.means()

    def translate(self, sources: npt.ArrayLike) -> Float32:
        """Redraws images by `translate`, with the averaged weights."""
        return translate(self.ema_generator, sources)


def translate(generator: Model, sources: npt.ArrayLike) -> Float32:
    """Redraws images (n, height, width, channels) in [-1, 1] with a generator that takes images."""
    _, *size, channels = generator.inputs[0].shape
    array = check_images(sources, name="sources", size=tuple(size), channels=channels)
    return in_batches(functools.partial(generator, training=False), array)


@dataclass(frozen=True, kw_only=True)
class PairedRecipe(recipes.GameSettings):
    """Settings of a training on pairs: of `gantut.recipes.GameSettings` and `ImageToImage`."""

    generator: Builder = redrawer  # from a shape (height, width, channels) to the network
    critic: Builder = pair_discriminator  # the same
    centred: bool = True  # whether the generator takes ``mean_source`` too
    adversarial_weight: float = 0.03
    error: str = "absolute"
    penalties: Mapping[str, float] = field(default_factory=lambda: {"r1": 0.1})
    penalty_every: int = 16
    ema: float | None = 0.995
    batch_size: int = 64
    steps: int = 600
    g_learning_rate: float = 1e-3
    d_learning_rate: float = 2e-3
    beta_1: float = 0.0
    beta_2: float = 0.99
    schedule: recipes.Schedule = field(default_factory=recipes.cosine_decay)
    steps_per_execution: int = 20

    def build(
        self, shape: Sequence[int], seed: int = 0, mean_source: npt.ArrayLike | None = None
    ) -> ImageToImage:
        """A compiled `ImageToImage` for images of a shape (height, width, channels)."""
        recipes.make_deterministic(seed)
        given = {"mean_source": mean_source} if self.centred else {}
        return self.compiled(
            ImageToImage,
            self.generator(shape, **given),
            self.critic(shape),
            adversarial_weight=self.adversarial_weight,
            error=self.error,
            seed=seed,
        )


METHODS: dict[str, dict[str, Any]] = {
    "redrawer": {},
    "restyler": {
        "generator": functools.partial(restyler, skip=True),
        "centred": False,
        "batch_size": 32,
        "steps": 250,
        "g_learning_rate": 2e-3,
        "beta_1": 0.5,
    },
}
"""What differs from the defaults of `PairedRecipe`, by the network that draws."""


def recipe(method: str = "redrawer", **settings: Any) -> PairedRecipe:
    """The settings of a method of ``METHODS``, some of them replaced."""
    return PairedRecipe(**_check.one_of(method, "method", METHODS) | settings)


@recipes.cpu_timed
def train(
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    method: str = "redrawer",
    *,
    seed: int = 0,
    start: ImageToImage | None = None,
    **settings: Any,
) -> recipes.Run[ImageToImage]:
    """Trains a network to redraw sources as their targets.

    The history has the mean absolute error ``l1`` as well.

    Args:
        sources: float32 images (n, height, width, channels) in [-1, 1].
        targets: As many of the same shape, each belonging to the source at its place.
        method: A key of ``METHODS``.
        seed: Fixes the result, as in `gantut.recipes`.
        start: A model from whose generator (averaged weights) this one starts, such as a cheap
            regression without critic (Ledig et al. 2017).
        **settings: Fields of `PairedRecipe` that are to be others, such as ``steps``.
    """
    plan = recipe(method, **settings)
    x, y = check_alike(sources, targets, ("sources", "targets"), as_many=True)
    gan = plan.build(x.shape[1:], seed, x.mean(axis=0))
    if start is not None:
        for network in (gan.generator, gan.ema_generator):
            network.set_weights(start.ema_generator.get_weights())
    data = recipes.batches(y, x, batch_size=plan.batch_size, seed=seed)
    return recipes.run(gan, data, steps=plan.steps, schedule=plan.schedule)
