"""Networks of other people's tutorials and papers, layer by layer, for comparison."""

from collections.abc import Sequence

from gantut import _check
from gantut._keras import keras
from gantut.networks import parts
from gantut.networks.parts import MNIST_SHAPE, STACKED_SHAPE, Model

layers = keras.layers


def tutorial_dcgan_generator(image_shape: Sequence[int] = MNIST_SHAPE) -> Model:
    """The generator of TensorFlow's DCGAN tutorial: the reference for "slow on a CPU".

    Dense to 7x7x256, transposed convolutions of 128, 64 and 1 channels with 5x5 kernels and
    strides 1, 2, 2; 52 million multiplications an image. Latent vectors have length 100. Other
    images than the tutorial's have a height and a width that are multiples of 4.
    """
    z = parts.latent_input(100)
    height, width, channels = parts.checked_shape(image_shape, 4)
    side = (height // 4, width // 4)
    x = layers.Dense(side[0] * side[1] * 256, use_bias=False, name="dense")(z)
    x = layers.BatchNormalization(name="batch_norm_1")(x)
    x = layers.Reshape((*side, 256), name="reshape")(parts.leaky(x, "leaky_relu_1", 0.3))
    for i, (filters, strides) in enumerate(((128, 1), (64, 2)), start=2):
        x = layers.Conv2DTranspose(
            filters, 5, strides=strides, padding="same", use_bias=False, name=f"upsample_{i - 1}"
        )(x)
        x = layers.BatchNormalization(name=f"batch_norm_{i}")(x)
        x = parts.leaky(x, f"leaky_relu_{i}", 0.3)
    x = layers.Conv2DTranspose(
        channels, 5, strides=2, padding="same", use_bias=False, activation="tanh", name="upsample_3"
    )(x)
    return keras.Model(z, x, name="tutorial_dcgan_generator")


def tutorial_dcgan_discriminator(image_shape: Sequence[int] = MNIST_SHAPE) -> Model:
    """The discriminator of TensorFlow's DCGAN tutorial: 64 and 128 channels, dropout 0.3."""
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    x = parts.halving_layers(image, (64, 128), 5, slope=0.3, dropout=0.3)
    return keras.Model(image, parts.logit(x), name="tutorial_dcgan_discriminator")


def stacked_generator(image_shape: Sequence[int] = STACKED_SHAPE) -> Model:
    """The small generator for Stacked MNIST of Metz et al. 2017, as published with PacGAN.

    Dense to 4x4x64, transposed convolutions of 32, 16 and 8 channels and stride 2 (sides 7, 14
    and 28), a convolution to 3 channels; kernels 3x3; batch normalisation and ReLU after each
    layer but the last; 287,875 trained weights. Latent vectors have length 256.
    """
    z = parts.latent_input(256)
    *sides, channels = parts.checked_shape(image_shape)
    # The sides before each of the three doublings, and at the end: 4, 7, 14, 28.
    first, *doubled = ([-(-side // 2**halvings) for side in sides] for halvings in (3, 2, 1, 0))
    x = layers.Dense(first[0] * first[1] * 64, name="dense")(z)
    x = layers.Reshape((*first, 64), name="reshape")(x)
    x = layers.ReLU(name="relu_1")(layers.BatchNormalization(momentum=0.9, name="batch_norm_1")(x))
    for i, (filters, reached) in enumerate(zip((32, 16, 8), doubled, strict=True), start=2):
        x = layers.Conv2DTranspose(
            filters,
            3,
            strides=2,
            padding="same",
            # A side n becomes 2 n, or 2 n - 1 where that is what is wanted.
            output_padding=[1 - side % 2 for side in reached],
            name=f"upsample_{i - 1}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh", name="image")(x)
    return keras.Model(z, x, name="stacked_generator")


def stacked_discriminator(
    image_shape: Sequence[int] = STACKED_SHAPE, width: int = 2, batch_norm: bool = True
) -> Model:
    """The small discriminator for Stacked MNIST of Metz et al. 2017, as published with PacGAN.

    Three convolutions with 3x3 kernels and stride 2, LeakyReLU(0.3), and a dense layer.

    Args:
        image_shape: (height, width, channels); three channels a stacked image.
        width: Channels of the first convolution, then twice and four times as many. 2 is a
            quarter of :func:`stacked_generator`'s 8, 16 and 32, and 4 a half.
        batch_norm: Batch normalisation after each convolution, as published. Gradient penalties
            need a network without, that sees each row alone.

    Returns:
        A model from images to logits (batch, 1), with 585 trained weights by default.
    """
    width = _check.integer(width, "width", 1)
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    filters = (width, 2 * width, 4 * width)
    x = parts.halving_layers(image, filters, 3, batch_norm=batch_norm, slope=0.3)
    return keras.Model(image, parts.logit(x), name="stacked_discriminator")
