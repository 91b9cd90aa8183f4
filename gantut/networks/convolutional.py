"""Convolutional networks of Radford's and of BigGAN's kind, made small, and recurrent ones."""

from collections.abc import Sequence

from gantut import _check
from gantut._keras import keras
from gantut.networks import parts
from gantut.networks.parts import MNIST_SHAPE, NUM_CLASSES, Model, Tensor

layers = keras.layers


def dcgan_generator(
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
    *,
    num_classes: int | None = None,
) -> Model:
    """A convolutional generator: a small image of many channels, doubled in size twice.

    After Radford et al. 2016, for small images. The kernel size is a multiple of the stride, so
    that transposed convolution covers each pixel equally often (Odena et al. 2016).

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size; twice as many at quarter size.
        kernel_size: Side of the kernels, in pixels.
        num_classes: Number of labels, which join the latent vector as one-hot rows; None for a
            network without.

    Returns:
        A model from (batch, latent_dim), or that and labels (batch,), to images in [-1, 1].
    """
    inputs, x = parts.latent_and_label(latent_dim, num_classes)
    height, breadth, channels = parts.checked_shape(image_shape, 4)
    width, kernel_size = _check.sizes(width=width, kernel_size=kernel_size)
    x = layers.Dense(height // 4 * (breadth // 4) * 2 * width, use_bias=False, name="dense")(x)
    x = layers.Reshape((height // 4, breadth // 4, 2 * width), name="reshape")(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_1")(x)
    x = parts.leaky(x, "leaky_relu_1")
    x = layers.Conv2DTranspose(
        width, kernel_size, strides=2, padding="same", use_bias=False, name="upsample_1"
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_2")(x)
    x = parts.leaky(x, "leaky_relu_2")
    x = layers.Conv2DTranspose(
        channels, kernel_size, strides=2, padding="same", activation="tanh", name="upsample_2"
    )(x)
    return keras.Model(inputs, x, name="dcgan_generator")


def dcgan_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
    dropout: float = 0.0,
    *,
    num_classes: int | None = None,
) -> Model:
    """A convolutional discriminator: the mirror of :func:`dcgan_generator`.

    It has no batch normalisation, so that gradient penalties see each row alone.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size; twice as many at quarter size.
        kernel_size: Side of the kernels, in pixels.
        dropout: Share of units dropped after each convolution, in [0, 1).
        num_classes: Number of labels, each one more channel of the image: constant 1 for the
            label's, 0 for the others. None for a network without.

    Returns:
        A model from images, or images and labels (batch,), to logits (batch, 1).
    """
    height, breadth, _ = shape = parts.checked_shape(image_shape, 4)
    image = inputs = x = keras.Input(shape, name="image")
    if num_classes is not None:
        label, one_hot = parts.label_input(num_classes)
        inputs = [image, label]
        planes = layers.RepeatVector(height * breadth, name="repeat_label")(one_hot)
        planes = layers.Reshape((height, breadth, one_hot.shape[-1]), name="label_planes")(planes)
        x = layers.Concatenate(name="image_and_label")([image, planes])
    width, kernel_size = _check.sizes(width=width, kernel_size=kernel_size)
    x = parts.halving_layers(x, (width, 2 * width), kernel_size, dropout=dropout)
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

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size.
        num_classes: Number of labels.

    Returns:
        A model from [latent vectors (batch, latent_dim), labels (batch,)] to images in [-1, 1].
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
    x = layers.Conv2DTranspose(
        channels, 4, strides=2, padding="same", activation="tanh", name="pixels"
    )(x)
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
            each dense layer, as around those of
            :func:`gantut.stabilisers.spectrally_normalised`.
        num_classes: Number of labels.

    Returns:
        A model from [images, labels (batch,)] to logits (batch, 1).
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
