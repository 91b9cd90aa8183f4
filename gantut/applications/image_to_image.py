"""Image to image: one network that redraws pictures, trained on pairs with and without a critic.

    from gantut.applications import image_to_image

    run = image_to_image.train(sources, targets, adversarial_weight=0.01)
    redrawn = run.gan.translate(new_sources)

The method is that of Isola et al. 2017 (pix2pix). A generator takes an image x, the source, and
draws another, G(x), that should be like the target y which belongs to x. It minimises the mean
absolute error to y (or the squared one), plus an adversarial loss: a discriminator sees a source
beside an image, and tells the target from what G drew. There is no latent vector: Isola et al.
found that G learns to ignore one.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import numpy.typing as npt

from gantut import _check, networks, recipes
from gantut._keras import keras, tf
from gantut.data import Float32, check_images
from gantut.gan import GAN
from gantut.losses import AdversarialLoss
from gantut.networks.parts import checked_shape, dense_layers, leaky, pixels_in_a_row
from gantut.sampling import in_batches

layers = keras.layers

Model: TypeAlias = keras.Model
Tensor: TypeAlias = tf.Tensor
Builder = Callable[..., Model]

ERRORS = ("absolute", "squared")
"""The errors between an image and its target that `ImageToImage` knows."""


# --- Networks ----------------------------------------------------------------------------------


def redrawer(
    source_shape: Sequence[int] = networks.MNIST_SHAPE,
    channels: int | None = None,
    widths: Sequence[int] = (512, 512),
    filters: int = 8,
    mean_source: npt.ArrayLike | None = None,
) -> Model:
    """A small generator from images to images of the same size, in [-1, 1].

    Dense layers look at the whole source and draw a coarse image of half the size with several
    channels; a transposed convolution makes the image of it. They suit images of few pixels.

    Args:
        source_shape: (height, width, channels) of the source, both sides even.
        channels: Of the image that is drawn; as many as the source has if None.
        widths: Units of the dense layers, first to last, each with batch normalisation.
        filters: Channels of the coarse image.
        mean_source: The mean of the sources, which is subtracted; nothing is if None.
    """
    height, width, depth = shape = checked_shape(source_shape, 2)
    channels, filters = _check.sizes(
        channels=depth if channels is None else channels, filters=filters
    )
    source = keras.Input(shape, name="source")
    x = pixels_in_a_row(source, mean_source)
    coarse = (height // 2, width // 2, filters)
    x = dense_layers(x, (*widths, math.prod(coarse)), batch_norm=True)
    x = layers.Reshape(coarse, name="coarse")(x)
    image = layers.Conv2DTranspose(channels, 6, 2, padding="same", activation="tanh", name="image")(
        x
    )
    return keras.Model(source, image, name="redrawer")


@keras.saving.register_keras_serializable("gantut")
class Places(keras.layers.Layer):
    """Adds to each place its row and its column, as two channels from -1 to 1 (Liu et al. 2018).

    So what a convolution does can depend on where it is.
    """

    def call(self, x: Tensor) -> Tensor:
        """Joins the channels."""
        rows, columns = (tf.linspace(-1.0, 1.0, side) for side in x.shape[1:3])
        place = tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)
        return tf.concat([x, tf.repeat(place[None], tf.shape(x)[0], axis=0)], axis=-1)


def restyler(
    source_shape: Sequence[int] = networks.MNIST_SHAPE,
    channels: int | None = None,
    filters: int = 16,
    blocks: int = 2,
    places: bool = True,
    skip: bool = False,
) -> Model:
    """A small convolutional generator from images to images of the same size, in [-1, 1].

    A convolution with stride 2, residual blocks of two 3 x 3 convolutions (He et al. 2016) at half
    the size, and a transposed convolution back: what Zhu et al. 2017 use, in small and without
    normalisation. A pixel depends on the source within ``4 * blocks + 4`` pixels at most, which
    suits changes of style; `redrawer` draws from the whole source at once.

    Args:
        source_shape: (height, width, channels) of the source, both sides even.
        channels: Of the image that is drawn; as many as the source has if None.
        filters: Channels at half the size.
        blocks: Number of residual blocks.
        places: Tell the network where it is (`Places`). Without, the weights fit any size
            (`resized`).
        skip: Add the source before the last tanh, so that the network starts near to copying it.
    """
    shape = checked_shape(source_shape, 2)
    channels, filters, blocks = _check.sizes(
        channels=shape[2] if channels is None else channels, filters=filters, blocks=blocks
    )
    if skip and channels != shape[2]:
        raise ValueError(f"a source of {shape[2]} channels cannot be added to {channels}")
    source = keras.Input(shape, name="source")
    x = layers.Conv2D(filters, 4, 2, padding="same", name="shrink")(source)
    if places:
        x = Places(name="places")(x)
        x = layers.Conv2D(filters, 1, name="place")(x)
    x = leaky(x, "leaky_shrink")
    for i in range(1, blocks + 1):
        y = leaky(layers.Conv2D(filters, 3, padding="same", name=f"conv_{i}a")(x), f"leaky_{i}a")
        y = layers.Conv2D(filters, 3, padding="same", name=f"conv_{i}b")(y)
        x = layers.Add(name=f"add_{i}")([x, y])
    x = leaky(x, "leaky_blocks")
    x = layers.Conv2DTranspose(channels, 6, 2, padding="same", name="enlarge")(x)
    if skip:
        x = layers.Add(name="skip")([x, source])
    image = layers.Activation("tanh", name="image")(x)
    return keras.Model(source, image, name="restyler")


def resized(generator: Model, source_shape: Sequence[int]) -> Model:
    """A network of convolutions alone, such as `restyler` without ``places``, for another size.

    The copy has the same weights, and takes images of (height, width, channels).
    """
    source = keras.Input(checked_shape(source_shape))
    copy = keras.models.clone_model(generator, input_tensors=source)
    copy.set_weights(generator.get_weights())
    return copy


def image_discriminator(
    source_shape: Sequence[int] = networks.MNIST_SHAPE, width: int = 8
) -> Model:
    """A small convolutional discriminator from single images to logits (batch, 1).

    Arguments as in `pair_discriminator`.
    """
    image = keras.Input(checked_shape(source_shape, 2), name="image")
    return keras.Model(image, _critic_body(image, width), name="image_discriminator")


def pair_discriminator(
    source_shape: Sequence[int] = networks.MNIST_SHAPE,
    channels: int = 1,
    width: int = 16,
) -> Model:
    """A small convolutional discriminator from [images, sources] to logits (batch, 1).

    Args:
        source_shape: (height, width, channels) of the source, both sides even.
        channels: Of the image that is judged.
        width: Filters of the first layer; the second and third have twice as many.
    """
    channels = _check.integer(channels, "channels", 1)
    shape = checked_shape(source_shape, 2)
    image = keras.Input((*shape[:2], channels), name="image")
    source = keras.Input(shape, name="source")
    x = layers.Concatenate(name="pair")([image, source])
    logit = _critic_body(x, width)
    return keras.Model([image, source], logit, name="pair_discriminator")


def _critic_body(x: Tensor, width: int) -> Tensor:
    width = _check.integer(width, "width", 1)
    for i, filters in enumerate((width, 2 * width, 2 * width), start=1):
        x = layers.Conv2D(filters, 4, 2, padding="same", name=f"conv_{i}")(x)
        x = leaky(x, f"leaky_{i}")
    return layers.Dense(1, name="logit")(layers.Flatten(name="flatten")(x))


# --- The model ---------------------------------------------------------------------------------


class Redrawer(GAN):
    """A `gantut.GAN` whose generator takes images, so that there is nothing to draw from."""

    def sample(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises a TypeError: images come from images, by ``translate``."""
        raise TypeError(f"a {type(self).__name__} redraws images: give translate(images) some")


class ImageToImage(Redrawer):
    """A `gantut.GAN` whose generator redraws a source, with an error beside the critic.

    G minimises ``mean |y - G(x)| + adversarial_weight * adversarial loss`` (Isola et al. 2017,
    eq. 4, divided by its lambda: their 100 is 0.01 here). The dataset holds (targets, sources).

    Args:
        generator: Maps sources (batch, height, width, channels) to images.
        discriminator: Maps [images, sources] to logits (batch, 1).
        loss: As in `gantut.GAN`.
        adversarial_weight: At least 0. With 0 the discriminator is neither used nor trained.
        error: Of ``ERRORS``; "squared" has the mean ``(y - G(x))^2`` in place of the absolute one.
        **options: The other options of `gantut.GAN`, but for ``unroll_steps``.
    """

    def __init__(
        self,
        generator: Model,
        discriminator: Model,
        loss: str | AdversarialLoss = "non_saturating",
        *,
        adversarial_weight: float = 0.01,
        error: str = "absolute",
        **options: Any,
    ) -> None:
        super().__init__(generator, discriminator, loss, **options)
        self.adversarial_weight = _check.number(adversarial_weight, "adversarial_weight", least=0)
        self.error = _check.one_of(error, "error", ERRORS)
        # The "label" of a pair is its source.
        self.conditional = True
        self.l1_tracker = keras.metrics.Mean("l1")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of a GAN, where there is a critic, and that of ``l1``."""
        return [*(self.trackers if self.adversarial_weight else []), self.l1_tracker]

    @staticmethod
    def check_networks(generator: Model, discriminator: Model) -> None:
        """Raises ValueError where the networks do not fit each other."""
        source, image = (tuple(x.shape[1:]) for x in (generator.inputs[0], generator.outputs[0]))
        wanted = [image, source, (1,)]
        got = [tuple(x.shape[1:]) for x in (*discriminator.inputs, discriminator.outputs[0])]
        if got != wanted:
            raise ValueError(
                f"the discriminator must take [image, source] as the generator makes and takes "
                f"them, and return a logit: wanted the shapes {wanted}, got {got}"
            )

    def check_batch(self, x: npt.ArrayLike, y: npt.ArrayLike | None) -> None:
        """Raises ValueError where the images do not fit the networks."""
        if y is None:
            raise ValueError("training needs (targets, sources), got targets alone")
        check_fit(x, self.generator.outputs[0], "targets")
        check_fit(y, self.generator.inputs[0], "sources")

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
            return {**super().step(real, labels), "l1": self.l1_tracker.result()}
        self.step_counter.assign_add(1)
        with tf.GradientTape() as tape:
            loss = self.generator_loss(real, self.generate(None, labels, training=True), 0.0)
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        self.update_average()
        return {"l1": self.l1_tracker.result()}

    def translate(self, sources: npt.ArrayLike, batch_size: int = 500) -> Float32:
        """Redraws images by `translate`, with the averaged weights."""
        return translate(self.ema_generator, sources, batch_size)


def translate(generator: Model, sources: npt.ArrayLike, batch_size: int = 500) -> Float32:
    """Redraws images (n, height, width, channels) in [-1, 1] with a generator that takes images.

    Some go through it at a time, which bounds the memory.
    """
    array = check_fit(sources, generator.inputs[0], "sources")
    return in_batches(functools.partial(generator, training=False), array, batch_size)


def check_fit(images: npt.ArrayLike, tensor: Tensor, name: str) -> Float32:
    """Checks images of the shape that a network takes or makes."""
    _, height, width, channels = tensor.shape
    return check_images(images, name=name, size=(height, width), channels=channels)


@dataclass(frozen=True, kw_only=True)
class PairedRecipe(recipes.GameSettings):
    """Settings of a training on pairs, as `recipe` makes them.

    The rest is as in `gantut.recipes.GameSettings`, with other defaults.

    Attributes:
        generator: From (source shape, channels to draw) to a generator.
        critic: The same for a discriminator.
        centred: Whether the generator takes ``mean_source`` too, as `redrawer` does.
        adversarial_weight: As in `ImageToImage`.
        error: As there.
    """

    generator: Builder = redrawer
    critic: Builder = pair_discriminator
    centred: bool = True
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
        self,
        source_shape: Sequence[int],
        target_shape: Sequence[int],
        seed: int = 0,
        mean_source: npt.ArrayLike | None = None,
    ) -> ImageToImage:
        """Makes the networks and the optimizers for shapes (height, width, channels).

        The seed fixes the initial weights, and ``mean_source`` is as in `redrawer`.
        """
        source, target = checked_shape(source_shape, 2), checked_shape(target_shape, 2)
        if source[:2] != target[:2]:
            raise ValueError(f"sources and targets must be of one size, got {source} and {target}")
        recipes.make_deterministic(seed)
        given = {"mean_source": mean_source} if self.centred else {}
        return self.compiled(
            ImageToImage,
            self.generator(source, target[2], **given),
            self.critic(source, target[2]),
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
    """The settings of a training on pairs.

    Args:
        method: A key of ``METHODS``.
        **settings: Fields of `PairedRecipe` that are to be others.
    """
    return PairedRecipe(**_check.one_of(method, "method", METHODS) | settings)


@recipes.cpu_timed
def train(
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    method: str = "redrawer",
    *,
    steps: int | None = None,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    start: ImageToImage | None = None,
    **settings: Any,
) -> recipes.Run[ImageToImage]:
    """Trains a network to redraw sources as their targets.

    The history has the mean absolute error ``l1`` as well.

    Args:
        sources: float32 images (n, height, width, channels) in [-1, 1].
        targets: As many of the same size, each belonging to the source at its place.
        method: As in `recipe`.
        steps: Length of the training; the recipe's own if None.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: As in `gantut.recipes.train`.
        start: A model from whose generator (averaged weights) this one starts, such as a cheap
            regression without critic (Ledig et al. 2017).
        **settings: As in `recipe`.
    """
    plan = recipe(method, **settings)
    x, y = check_images(sources, name="sources"), check_images(targets, name="targets")
    if len(x) != len(y):
        raise ValueError(f"each source needs its target: got {len(x)} sources and {len(y)} targets")
    steps = _check.integer(plan.steps if steps is None else steps, "steps", 1)
    gan = plan.build(x.shape[1:], y.shape[1:], seed, x.mean(axis=0))
    if start is not None:
        for network in (gan.generator, gan.ema_generator):
            network.set_weights(start.ema_generator.get_weights())
    return recipes.run(
        gan,
        recipes.batches(y, x, batch_size=plan.batch_size, seed=seed),
        steps=steps,
        schedule=plan.schedule,
        callbacks=callbacks,
    )
