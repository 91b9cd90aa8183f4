"""Convolutional networks of Radford's and of BigGAN's kind, made small, and recurrent ones.

Those of others' tutorials and papers, layer by layer, are for comparison.
"""

from collections.abc import Sequence
from functools import partial

from gantut import _check
from gantut._keras import keras
from gantut.networks import parts
from gantut.networks.parts import MNIST_SHAPE, NUM_CLASSES, STACKED_SHAPE, Model, Tensor

layers = keras.layers
# It doubles a side, where another stride is not given.
_upsample = partial(layers.Conv2DTranspose, strides=2, padding="same")


def dcgan_generator(
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    *,
    num_classes: int | None = None,
) -> Model:
    """A convolutional generator: a small image of many channels, doubled in size twice.

    After Radford et al. 2016, for small images. The kernels' side, 4 pixels, is a multiple of the
    stride, so that transposed convolution covers each pixel equally often (Odena et al. 2016).

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size; twice as many at quarter size.
        num_classes: Number of labels, which join the latent vector as one-hot rows; None for a
            network without.
    """
    inputs, x = parts.latent_and_label(latent_dim, num_classes)
    height, breadth, channels = parts.checked_shape(image_shape, 4)
    width = _check.integer(width, "width", 1)
    x = layers.Dense(height // 4 * (breadth // 4) * 2 * width, use_bias=False, name="dense")(x)
    x = layers.Reshape((height // 4, breadth // 4, 2 * width), name="reshape")(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_1")(x)
    x = parts.leaky(x, "leaky_relu_1")
    x = _upsample(width, 4, use_bias=False, name="upsample_1")(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_2")(x)
    x = parts.leaky(x, "leaky_relu_2")
    x = _upsample(channels, 4, activation="tanh", name="upsample_2")(x)
    return keras.Model(inputs, x, name="dcgan_generator")


def dcgan_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    dropout: float = 0.0,
    *,
    num_classes: int | None = None,
) -> Model:
    """A convolutional discriminator: the mirror of :func:`dcgan_generator`.

    It has no batch normalisation, so that gradient penalties see each row alone.

    Args:
        image_shape: As there.
        width: As there.
        dropout: Share of units dropped after each convolution, in [0, 1).
        num_classes: Number of labels, each one more channel of the image: constant 1 for the
            label's, 0 for the others. None for a network without.
    """
    height, breadth, _ = shape = parts.checked_shape(image_shape, 4)
    image = inputs = x = keras.Input(shape, name="image")
    if num_classes is not None:
        label, one_hot = parts.label_input(num_classes)
        inputs = [image, label]
        planes = layers.RepeatVector(height * breadth, name="repeat_label")(one_hot)
        planes = layers.Reshape((height, breadth, one_hot.shape[-1]), name="label_planes")(planes)
        x = layers.Concatenate(name="image_and_label")([image, planes])
    width = _check.integer(width, "width", 1)
    x = parts.halving_layers(x, (width, 2 * width), 4, dropout=dropout)
    return keras.Model(inputs, parts.logit(x), name="dcgan_discriminator")


def residual_generator(
    latent_dim: int = 32,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 16,
    *,
    num_classes: int = NUM_CLASSES,
) -> Model:
    """BigGAN's generator, made small: a residual block with conditional batch normalisation.

    After Brock et al. 2019, appendix B (BigGAN-deep's conditioning: the whole latent vector and
    the label go into each normalisation). A dense layer makes a quarter-size image of 2 ``width``
    channels; one residual block, ReLU and 3x3 convolutions, doubles it and ends at ``width``
    channels; a transposed convolution doubles it again, where BigGAN has one more block.
    Arguments as in :func:`dcgan_generator`.
    """
    inputs, condition = parts.latent_and_label(latent_dim, num_classes)
    height, breadth, channels = parts.checked_shape(image_shape, 4)
    width = _check.integer(width, "width", 1)
    x = layers.Dense(height // 4 * (breadth // 4) * 2 * width, name="dense")(condition)
    x = layers.Reshape((height // 4, breadth // 4, 2 * width), name="reshape")(x)
    h = _conditional_norm(x, condition, "block_1")
    h = layers.UpSampling2D(name="block_1_double")(h)
    h = layers.Conv2D(width, 3, padding="same", use_bias=False, name="block_1_conv")(h)
    h = _conditional_norm(h, condition, "block_2")
    h = layers.Conv2D(width, 3, padding="same", name="block_2_conv")(h)
    # One pixel's convolution and repetition of pixels commute; this order is the cheaper one.
    x = layers.UpSampling2D(name="skip_double")(layers.Conv2D(width, 1, name="skip_conv")(x))
    x = _conditional_norm(layers.Add(name="residual")([x, h]), condition, "end")
    x = _upsample(channels, 4, activation="tanh", name="pixels")(x)
    return keras.Model(inputs, x, name="residual_generator")


def _conditional_norm(x: Tensor, condition: Tensor, name: str) -> Tensor:
    """Batch normalisation and ReLU; scale and offset are linear functions of the condition."""
    channels = x.shape[-1]
    x = layers.BatchNormalization(momentum=0.9, center=False, scale=False, name=f"{name}_norm")(x)
    # Near 1 and 0 at first, as those of plain batch normalisation.
    small = keras.initializers.RandomNormal(stddev=0.1)
    scale, offset = (
        layers.Reshape((1, 1, channels), name=f"{name}_{what}_by_channel")(
            layers.Dense(
                channels, kernel_initializer=small, bias_initializer=start, name=f"{name}_{what}"
            )(condition)
        )
        for what, start in (("scale", "ones"), ("offset", "zeros"))
    )
    x = layers.Multiply(name=f"{name}_scaled")([x, scale])
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_moved")([x, offset]))


def residual_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 16,
    spectral_norm: bool = True,
    *,
    num_classes: int = NUM_CLASSES,
) -> Model:
    """BigGAN's discriminator, made small: residual blocks, spectral norm and a projection.

    After Miyato and Koyama 2018 and Brock et al. 2019. A convolution of stride 2 makes ``width``
    channels of half size, where BigGAN has a residual block; average pooling halves it again, and
    two residual blocks of 2 ``width`` channels follow. The sum over places is what the label is
    projected on, as in :func:`projection_mlp_discriminator`.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size.
        spectral_norm: Whether Keras' ``SpectralNormalization`` is around each convolution and
            each dense layer, as in :func:`gantut.stabilisers.spectrally_normalised`.
        num_classes: Number of labels.
    """
    height, breadth, _ = shape = parts.checked_shape(image_shape, 4)
    width = _check.integer(width, "width", 1)
    image = keras.Input(shape, name="image")
    label, one_hot = parts.label_input(num_classes)

    def conv(filters: int, kernel_size: int, name: str, strides: int = 1) -> keras.Layer:
        layer = layers.Conv2D(filters, kernel_size, strides=strides, padding="same", name=name)
        return parts.spectrally_normalised(layer) if spectral_norm else layer

    x = conv(width, 4, "downsample", strides=2)(image)
    x = layers.AveragePooling2D(2, name="halve")(x)
    for i in (1, 2):
        h = layers.ReLU(name=f"block_{i}_relu_1")(x)
        h = conv(2 * width, 3, f"block_{i}_conv_1")(h)
        h = conv(2 * width, 3, f"block_{i}_conv_2")(layers.ReLU(name=f"block_{i}_relu_2")(h))
        if i == 1:
            x = conv(2 * width, 1, "skip_conv")(x)
        x = layers.Add(name=f"residual_{i}")([x, h])
    x = layers.GlobalAveragePooling2D(name="mean")(layers.ReLU(name="relu")(x))
    x = layers.Rescaling(height // 4 * (breadth // 4), name="sum")(x)
    x = parts.project(x, one_hot, spectral_norm)
    return keras.Model([image, label], x, name="residual_discriminator")


def recurrent_generator(
    latent_dim: int = 100, image_shape: Sequence[int] = MNIST_SHAPE, width: int = 128
) -> Model:
    """A GRU of ``width`` units that writes the image row by row, fed with z at each row."""
    height, breadth, channels = shape = parts.checked_shape(image_shape)
    width = _check.integer(width, "width", 1)
    z = parts.latent_input(latent_dim)
    x = layers.RepeatVector(height, name="repeat_latent")(z)
    x = layers.GRU(width, return_sequences=True, name="rows")(x)
    x = layers.Dense(breadth * channels, activation="tanh", name="pixels")(x)
    return keras.Model(z, layers.Reshape(shape, name="image")(x), name="recurrent_generator")


def recurrent_discriminator(image_shape: Sequence[int] = MNIST_SHAPE, width: int = 128) -> Model:
    """A GRU of ``width`` units that reads the image row by row and judges it by its last state."""
    height, breadth, channels = shape = parts.checked_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = layers.Reshape((height, breadth * channels), name="sequence_of_rows")(image)
    x = layers.GRU(_check.integer(width, "width", 1), name="rows")(x)
    return keras.Model(image, parts.logit(x), name="recurrent_discriminator")


def tutorial_dcgan_generator(image_shape: Sequence[int] = MNIST_SHAPE) -> Model:
    """The generator of TensorFlow's DCGAN tutorial: the reference for "slow on a CPU".

    Dense to 7x7x256, transposed convolutions of 128, 64 and 1 channels with 5x5 kernels and
    strides 1, 2, 2; 52 million multiplications an image. Latent vectors have length 100.
    """
    z = parts.latent_input(100)
    height, width, channels = parts.checked_shape(image_shape, 4)
    side = (height // 4, width // 4)
    x = layers.Dense(side[0] * side[1] * 256, use_bias=False, name="dense")(z)
    x = layers.BatchNormalization(name="batch_norm_1")(x)
    x = layers.Reshape((*side, 256), name="reshape")(parts.leaky(x, "leaky_relu_1", 0.3))
    for i, (filters, strides) in enumerate(((128, 1), (64, 2)), start=2):
        x = _upsample(filters, 5, strides=strides, use_bias=False, name=f"upsample_{i - 1}")(x)
        x = layers.BatchNormalization(name=f"batch_norm_{i}")(x)
        x = parts.leaky(x, f"leaky_relu_{i}", 0.3)
    x = _upsample(channels, 5, use_bias=False, activation="tanh", name="upsample_3")(x)
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
        # A side n becomes 2 n, or 2 n - 1 where that is what is wanted.
        even = [1 - side % 2 for side in reached]
        x = _upsample(filters, 3, output_padding=even, name=f"upsample_{i - 1}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
    x = layers.Conv2D(channels, 3, padding="same", activation="tanh", name="image")(x)
    return keras.Model(z, x, name="stacked_generator")


def stacked_discriminator(
    image_shape: Sequence[int] = STACKED_SHAPE, batch_norm: bool = True
) -> Model:
    """The small discriminator for Stacked MNIST of Metz et al. 2017, as published with PacGAN.

    Three convolutions of 2, 4 and 8 channels with 3x3 kernels and stride 2, LeakyReLU(0.3), and a
    dense layer; 585 trained weights.

    Args:
        image_shape: (height, width, channels); three channels a stacked image.
        batch_norm: Batch normalisation after each convolution, as published. Gradient penalties
            need a network without, that sees each row alone.
    """
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    x = parts.halving_layers(image, (2, 4, 8), 3, batch_norm=batch_norm, slope=0.3)
    return keras.Model(image, parts.logit(x), name="stacked_discriminator")
