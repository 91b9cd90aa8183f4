"""Generators and discriminators: each function returns a plain, uncompiled ``keras.Model``.

The two networks of a variational autoencoder are here too: a decoder is a generator.

Conventions. A generator maps a latent vector ``(batch, latent_dim)``, drawn from N(0, I), to
samples ``(batch, height, width, channels)`` in [-1, 1] (its last activation is tanh). A
discriminator maps samples to one logit each, ``(batch, 1)``, without a sigmoid: the probability
is the loss's business. A conditional network takes ``[z, labels]`` or ``[x, labels]``, where
``labels`` are integers of shape ``(batch,)`` from 0 to ``num_classes - 1``. Layers are named, and
only layers that ship with Keras are used, so a saved network opens anywhere.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gantut import _check
from gantut._keras import keras

layers = keras.layers

ImageShape = tuple[int, int, int]
Model = Any
MNIST_SHAPE: ImageShape = (28, 28, 1)
STACKED_SHAPE: ImageShape = (28, 28, 3)
NUM_CLASSES = 10


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(widths, Sequence) or not widths:
        raise ValueError(f"widths must name the units of at least one layer, got {widths!r}")
    for width in widths:
        _check.sizes(width=width)
    return tuple(widths)


def _image_shape(shape: Sequence[int], multiple_of: int = 1) -> ImageShape:
    if (
        not isinstance(shape, Sequence)
        or len(shape) != 3
        or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape)
    ):
        raise ValueError(
            f"image_shape must be (height, width, channels), three positive integers, got {shape!r}"
        )
    height, width, channels = shape
    if height % multiple_of or width % multiple_of:
        raise ValueError(
            f"this network halves the image twice, so height and width must be multiples of "
            f"{multiple_of}, got {height} x {width}"
        )
    return height, width, channels


def _latent(latent_dim: int) -> Any:
    _check.sizes(latent_dim=latent_dim)
    return keras.Input((latent_dim,), name="latent")


def _label(num_classes: int) -> tuple[Any, Any]:
    """An input of integer labels, and the same as one-hot rows of shape (batch, num_classes)."""
    _check.sizes(num_classes=num_classes)
    label = keras.Input((), dtype="int32", name="label")
    one_hot = layers.CategoryEncoding(num_classes, output_mode="one_hot", name="one_hot")(label)
    return label, one_hot


def _dropout(dropout: float) -> None:
    if not isinstance(dropout, int | float) or not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be a share in [0, 1), got {dropout!r}")


def _leaky(x: Any, name: str, slope: float = 0.2) -> Any:
    return layers.LeakyReLU(negative_slope=slope, name=name)(x)


def logistic_discriminator(image_shape: Sequence[int] = MNIST_SHAPE) -> Model:
    """``D(x) = sigmoid(w . x + b)``: one weight a pixel, a logistic regression.

    It can only compare the means of two sets of images along one direction; see the chapter on
    architectures for a pair of sets that it cannot tell apart.

    Args:
        image_shape: (height, width, channels).

    Returns:
        A model from images to logits (batch, 1).

    Raises:
        ValueError: ``image_shape`` is not three positive integers.
    """
    image = keras.Input(_image_shape(image_shape), name="image")
    x = layers.Flatten(name="flatten")(image)
    return keras.Model(image, layers.Dense(1, name="logit")(x), name="logistic_discriminator")


def _mean_image(mean_image: Any, shape: ImageShape) -> np.ndarray:
    mean = np.asarray(mean_image, dtype=np.float32)
    if mean.shape != shape or not np.isfinite(mean).all() or np.abs(mean).max() > 1.0:
        raise ValueError(
            f"mean_image must be an image of shape {shape} in [-1, 1], got shape {mean.shape}"
            + (f" with values {mean.min()}..{mean.max()}" if mean.size else "")
        )
    return mean.reshape(-1)


def _centre(x: Any, mean: np.ndarray) -> Any:
    """``2 (x - mean)``, along the last axis."""
    # A frozen batch normalisation is Keras' layer for (x - mean) / deviation with constants that
    # are saved with the weights. It never looks at the batch.
    centre = layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name="centre"
    )
    x = centre(x)
    centre.moving_mean.assign(mean)
    centre.moving_variance.assign(np.full(mean.shape, 0.25, np.float32))
    return x


def _centred_pixels(image: Any, shape: ImageShape, mean_image: Any) -> Any:
    """The pixels in a row; less the mean image and doubled, if one is given."""
    x = layers.Flatten(name="flatten")(image)
    return x if mean_image is None else _centre(x, _mean_image(mean_image, shape))


def _start_at(model: Model, mean_image: Any, shape: ImageShape) -> None:
    """Sets the bias of the layer "pixels" to where tanh draws the mean image."""
    # tanh never reaches 1, and where it comes close its slope is gone.
    bounded = np.clip(_mean_image(mean_image, shape), -0.995, 0.995)
    model.get_layer("pixels").bias.assign(np.arctanh(bounded))


def _mlp_generator_hidden(x: Any, widths: Sequence[int], batch_norm: bool) -> Any:
    for i, width in enumerate(_widths(widths), start=1):
        x = layers.Dense(width, use_bias=not batch_norm, name=f"dense_{i}")(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = _leaky(x, f"leaky_relu_{i}")
    return x


def _mlp_generator_body(x: Any, shape: ImageShape, widths: Sequence[int], batch_norm: bool) -> Any:
    x = _mlp_generator_hidden(x, widths, batch_norm)
    x = layers.Dense(math.prod(shape), activation="tanh", name="pixels")(x)
    return layers.Reshape(shape, name="image")(x)


def _channel_mean(mean_image: Any, shape: ImageShape) -> np.ndarray:
    """The mean over the channels of an image, its pixels in a row."""
    return np.asarray(_mean_image(mean_image, shape).reshape(-1, shape[2]).mean(axis=1))


def _mlp_discriminator_hidden(x: Any, widths: Sequence[int], dropout: float) -> Any:
    _dropout(dropout)
    for i, width in enumerate(_widths(widths), start=1):
        x = _leaky(layers.Dense(width, name=f"dense_{i}")(x), f"leaky_relu_{i}")
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    return x


def _mlp_discriminator_body(x: Any, widths: Sequence[int], dropout: float) -> Any:
    x = _mlp_discriminator_hidden(x, widths, dropout)  # first: layers draw their seeds in order
    return layers.Dense(1, name="logit")(x)


def mlp_generator(
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (256, 512, 1024),
    batch_norm: bool = False,
    mean_image: Any = None,
) -> Model:
    """A multilayer perceptron from latent vectors to images.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last, each followed by LeakyReLU(0.2).
        batch_norm: Batch normalisation before each hidden activation.
        mean_image: An image of ``image_shape`` in [-1, 1]: the last layer's bias starts where it
            draws this image, instead of at mid-grey. The data's mean saves G from learning first
            where there is never any ink.

    Returns:
        A model from (batch, latent_dim) to images in [-1, 1].

    Raises:
        ValueError: a size is not a positive integer, there is no hidden layer, or ``mean_image``
            has another shape or range.
    """
    z = _latent(latent_dim)
    shape = _image_shape(image_shape)
    model = keras.Model(z, _mlp_generator_body(z, shape, widths, batch_norm), name="mlp_generator")
    if mean_image is not None:
        _start_at(model, mean_image, shape)
    return model


def mlp_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (1024, 512, 256),
    dropout: float = 0.0,
    mean_image: Any = None,
) -> Model:
    """A multilayer perceptron from images to logits.

    Args:
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last, each followed by LeakyReLU(0.2).
        dropout: Share of units dropped after each hidden layer, in [0, 1).
        mean_image: An image of ``image_shape`` in [-1, 1], the data's mean: the first layer
            ("centre") subtracts it and doubles what is left. Without it the background, the same
            in every image, is most of what D's first weights see.

    Returns:
        A model from images to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive integer, there is no hidden layer, ``dropout`` is
            out of range, or ``mean_image`` has another shape or range.
    """
    shape = _image_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = _centred_pixels(image, shape, mean_image)
    x = _mlp_discriminator_body(x, widths, dropout)
    return keras.Model(image, x, name="mlp_discriminator")


def channelwise_mlp_generator(
    latent_dim: int = 128,
    image_shape: Sequence[int] = STACKED_SHAPE,
    code_dim: int = 64,
    widths: Sequence[int] = (256, 512),
    batch_norm: bool = True,
    mean_image: Any = None,
) -> Model:
    """A multilayer perceptron that draws each channel with the same weights.

    For images whose channels hold the same kind of picture, such as Stacked MNIST. A linear layer
    makes one code a channel out of the latent vector, and one perceptron turns each code into its
    channel: weights are shared over channels as those of a convolution are over places. Nothing
    makes the codes of an image independent of each other; that is left to training.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        code_dim: Length of a channel's code.
        widths: Units of the hidden layers, first to last, each followed by LeakyReLU(0.2).
        batch_norm: Batch normalisation before each hidden activation, over rows and channels.
        mean_image: An image of ``image_shape`` in [-1, 1]: the last layer's bias starts where it
            draws the mean of its channels.

    Returns:
        A model from (batch, latent_dim) to images in [-1, 1].

    Raises:
        ValueError: a size is not a positive integer, there is no hidden layer, or ``mean_image``
            has another shape or range.
    """
    z = _latent(latent_dim)
    height, breadth, channels = shape = _image_shape(image_shape)
    _check.sizes(code_dim=code_dim)
    x = layers.Dense(channels * code_dim, name="codes")(z)
    x = layers.Reshape((channels, code_dim), name="code_by_channel")(x)
    x = _mlp_generator_hidden(x, widths, batch_norm)
    x = layers.Dense(height * breadth, activation="tanh", name="pixels")(x)
    x = layers.Reshape(shape, name="image")(layers.Permute((2, 1), name="channels_last")(x))
    model = keras.Model(z, x, name="channelwise_mlp_generator")
    if mean_image is not None:
        grey = (height, breadth, 1)
        _start_at(model, _channel_mean(mean_image, shape).reshape(grey), grey)
    return model


def channelwise_mlp_discriminator(
    image_shape: Sequence[int] = STACKED_SHAPE,
    widths: Sequence[int] = (512, 128),
    top: Sequence[int] = (256,),
    mean_image: Any = None,
) -> Model:
    """A multilayer perceptron that reads each channel with the same weights, then all of them.

    The mirror of :func:`channelwise_mlp_generator`. The layers of ``widths`` see one channel
    each; those of ``top`` see what came out of all channels, side by side, and so can tell images
    by how their channels go together.

    Args:
        image_shape: (height, width, channels).
        widths: Units of the hidden layers that channels share, each followed by LeakyReLU(0.2).
        top: Units of the hidden layers above, each followed by LeakyReLU(0.2).
        mean_image: An image of ``image_shape`` in [-1, 1]: the mean of its channels is subtracted
            from each channel, as in :func:`mlp_discriminator`.

    Returns:
        A model from images to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive integer, ``widths`` or ``top`` is empty, or
            ``mean_image`` has another shape or range.
    """
    height, breadth, channels = shape = _image_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = layers.Reshape((height * breadth, channels), name="flatten_channels")(image)
    x = layers.Permute((2, 1), name="channels_first")(x)
    if mean_image is not None:
        x = _centre(x, _channel_mean(mean_image, shape))
    for i, units in enumerate(_widths(widths), start=1):
        x = _leaky(layers.Dense(units, name=f"channel_dense_{i}")(x), f"channel_leaky_relu_{i}")
    x = _mlp_discriminator_body(layers.Flatten(name="flatten")(x), top, 0.0)
    return keras.Model(image, x, name="channelwise_mlp_discriminator")


def mlp_encoder(
    latent_dim: int = 64,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (512, 256),
    mean_image: Any = None,
) -> Model:
    """A multilayer perceptron from images to codes, to undo a generator or for an autoencoder.

    Args:
        latent_dim: Length of the code.
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last, each followed by LeakyReLU(0.2).
        mean_image: An image of ``image_shape`` in [-1, 1], which is subtracted from the input as
            in :func:`mlp_discriminator`.

    Returns:
        A model from images to codes (batch, latent_dim), unbounded.

    Raises:
        ValueError: a size is not a positive integer, there is no hidden layer, or ``mean_image``
            has another shape or range.
    """
    _check.sizes(latent_dim=latent_dim)
    shape = _image_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = _centred_pixels(image, shape, mean_image)
    x = _mlp_discriminator_hidden(x, widths, dropout=0.0)
    return keras.Model(image, layers.Dense(latent_dim, name="code")(x), name="mlp_encoder")


def vae_encoder(
    latent_dim: int = 16,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (512, 256),
    mean_image: Any = None,
) -> Model:
    """The encoder of a variational autoencoder: from images to normal distributions of latents.

    Kingma and Welling 2014, appendix C.2: a multilayer perceptron with two outputs, here of the
    size of recipe `fast`'s discriminator, LeakyReLU(0.2) after each hidden layer.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last.
        mean_image: An image of ``image_shape`` in [-1, 1], which is subtracted from the input as
            in :func:`mlp_discriminator`.

    Returns:
        A model from images to [mean, log_variance], each (batch, latent_dim), which is what the
        encoder says of each coordinate of the latent vector that belongs to the image.

    Raises:
        ValueError: a size is not a positive integer, there is no hidden layer, or ``mean_image``
            has another shape or range.
    """
    _check.sizes(latent_dim=latent_dim)
    shape = _image_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = _centred_pixels(image, shape, mean_image)
    x = _mlp_discriminator_hidden(x, widths, dropout=0.0)
    outputs = [layers.Dense(latent_dim, name=name)(x) for name in ("mean", "log_variance")]
    return keras.Model(image, outputs, name="vae_encoder")


def vae_decoder(
    latent_dim: int = 16,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (256, 512),
    mean_image: Any = None,
) -> Model:
    """The decoder of a variational autoencoder: from latent vectors to mean images.

    The same network as :func:`mlp_generator` without batch normalisation, so that what differs
    from a GAN is the training. Its image is the mean of the pixels' distribution given z.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last.
        mean_image: Where the last layer's bias starts, as in :func:`mlp_generator`.

    Returns:
        A model from (batch, latent_dim) to images in [-1, 1].

    Raises:
        ValueError: as :func:`mlp_generator`.
    """
    z = _latent(latent_dim)
    shape = _image_shape(image_shape)
    x = _mlp_generator_body(z, shape, widths, batch_norm=False)
    model = keras.Model(z, x, name="vae_decoder")
    if mean_image is not None:
        _start_at(model, mean_image, shape)
    return model


def conditional_mlp_generator(
    num_classes: int = NUM_CLASSES,
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (256, 512, 1024),
    batch_norm: bool = False,
    mean_image: Any = None,
) -> Model:
    """:func:`mlp_generator` that is told the class: a one-hot label joins the latent vector.

    Mirza and Osindero 2014, section 3.2. Takes ``[z, labels]``; arguments and errors as there.
    """
    z = _latent(latent_dim)
    label, one_hot = _label(num_classes)
    x = layers.Concatenate(name="latent_and_label")([z, one_hot])
    shape = _image_shape(image_shape)
    x = _mlp_generator_body(x, shape, widths, batch_norm)
    model = keras.Model([z, label], x, name="conditional_mlp_generator")
    if mean_image is not None:
        _start_at(model, mean_image, shape)
    return model


def conditional_mlp_discriminator(
    num_classes: int = NUM_CLASSES,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (1024, 512, 256),
    dropout: float = 0.0,
) -> Model:
    """:func:`mlp_discriminator` that is told the class: a one-hot label joins the pixels.

    Mirza and Osindero 2014, section 3.2. Takes ``[x, labels]``; arguments and errors as there.
    """
    image = keras.Input(_image_shape(image_shape), name="image")
    label, one_hot = _label(num_classes)
    x = layers.Concatenate(name="pixels_and_label")(
        [layers.Flatten(name="flatten")(image), one_hot]
    )
    x = _mlp_discriminator_body(x, widths, dropout)
    return keras.Model([image, label], x, name="conditional_mlp_discriminator")


def _project(x: Any, one_hot: Any, spectral_norm: bool = False) -> Any:
    """``w . x + b + v_k . x``: what all classes share, and an inner product with class k's row."""
    logit: Any = layers.Dense(1, name="shared_logit")
    rows: Any = layers.Dense(one_hot.shape[-1], use_bias=False, name="class_logits")
    if spectral_norm:
        logit, rows = _normalised(logit), _normalised(rows)
    chosen = layers.Dot(1, name="class_logit")([rows(x), one_hot])
    return layers.Add(name="logit")([logit(x), chosen])


def projection_mlp_discriminator(
    num_classes: int = NUM_CLASSES,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (1024, 512, 256),
    dropout: float = 0.0,
    mean_image: Any = None,
) -> Model:
    """:func:`mlp_discriminator` that is told the class by a projection at its end.

    Miyato and Koyama 2018, section 3: with phi(x) the last hidden layer, the logit of image x under
    label k is ``w . phi(x) + b + v_k . phi(x)``. What the network sees in an image does not depend
    on the label; only which of it counts does.

    Takes ``[x, labels]``; arguments and errors as there.
    """
    shape = _image_shape(image_shape)
    image = keras.Input(shape, name="image")
    label, one_hot = _label(num_classes)
    x = _centred_pixels(image, shape, mean_image)
    x = _mlp_discriminator_hidden(x, widths, dropout)
    return keras.Model([image, label], _project(x, one_hot), name="projection_mlp_discriminator")


def _dcgan_generator_body(x: Any, shape: ImageShape, width: int, kernel_size: int) -> Any:
    height, breadth, channels = shape
    _check.sizes(width=width, kernel_size=kernel_size)
    x = layers.Dense(height // 4 * (breadth // 4) * 2 * width, use_bias=False, name="dense")(x)
    x = layers.Reshape((height // 4, breadth // 4, 2 * width), name="reshape")(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_1")(x)
    x = _leaky(x, "leaky_relu_1")
    x = layers.Conv2DTranspose(
        width, kernel_size, strides=2, padding="same", use_bias=False, name="upsample_1"
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name="batch_norm_2")(x)
    x = _leaky(x, "leaky_relu_2")
    return layers.Conv2DTranspose(
        channels, kernel_size, strides=2, padding="same", activation="tanh", name="upsample_2"
    )(x)


def _dcgan_discriminator_body(x: Any, width: int, kernel_size: int, dropout: float) -> Any:
    _check.sizes(width=width, kernel_size=kernel_size)
    _dropout(dropout)
    for i in (1, 2):
        x = layers.Conv2D(
            i * width, kernel_size, strides=2, padding="same", name=f"downsample_{i}"
        )(x)
        x = _leaky(x, f"leaky_relu_{i}")
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    return layers.Dense(1, name="logit")(layers.Flatten(name="flatten")(x))


def dcgan_generator(
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
) -> Model:
    """A convolutional generator: a small image of many channels, doubled in size twice.

    After Radford et al. 2016, for small images. The kernel size is a multiple of the stride, so
    that transposed convolution covers each pixel equally often (Odena et al. 2016).

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size; twice as many at quarter size.
        kernel_size: Side of the kernels, in pixels.

    Returns:
        A model from (batch, latent_dim) to images in [-1, 1].

    Raises:
        ValueError: a size is not a positive integer, or height or width no multiple of 4.
    """
    z = _latent(latent_dim)
    x = _dcgan_generator_body(z, _image_shape(image_shape, 4), width, kernel_size)
    return keras.Model(z, x, name="dcgan_generator")


def dcgan_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
    dropout: float = 0.0,
) -> Model:
    """A convolutional discriminator: the mirror of :func:`dcgan_generator`.

    It has no batch normalisation, so that gradient penalties see each row alone.

    Args:
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size; twice as many at quarter size.
        kernel_size: Side of the kernels, in pixels.
        dropout: Share of units dropped after each convolution, in [0, 1).

    Returns:
        A model from images to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive integer, or height or width no multiple of 4.
    """
    image = keras.Input(_image_shape(image_shape, 4), name="image")
    x = _dcgan_discriminator_body(image, width, kernel_size, dropout)
    return keras.Model(image, x, name="dcgan_discriminator")


def conditional_dcgan_generator(
    num_classes: int = NUM_CLASSES,
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
) -> Model:
    """:func:`dcgan_generator` with a one-hot label beside the latent vector.

    Takes ``[z, labels]``; arguments and errors as there.
    """
    z = _latent(latent_dim)
    label, one_hot = _label(num_classes)
    x = layers.Concatenate(name="latent_and_label")([z, one_hot])
    x = _dcgan_generator_body(x, _image_shape(image_shape, 4), width, kernel_size)
    return keras.Model([z, label], x, name="conditional_dcgan_generator")


def conditional_dcgan_discriminator(
    num_classes: int = NUM_CLASSES,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 32,
    kernel_size: int = 4,
    dropout: float = 0.0,
) -> Model:
    """:func:`dcgan_discriminator` with one more channel a class: constant 1 for the label's.

    Takes ``[x, labels]``; arguments and errors as there.
    """
    shape = _image_shape(image_shape, 4)
    image = keras.Input(shape, name="image")
    label, one_hot = _label(num_classes)
    planes = layers.RepeatVector(shape[0] * shape[1], name="repeat_label")(one_hot)
    planes = layers.Reshape((shape[0], shape[1], num_classes), name="label_planes")(planes)
    x = layers.Concatenate(name="image_and_label")([image, planes])
    x = _dcgan_discriminator_body(x, width, kernel_size, dropout)
    return keras.Model([image, label], x, name="conditional_dcgan_discriminator")


def _normalised(layer: Any) -> Any:
    """The layer with its matrix's largest singular value kept at 1, under the layer's name."""
    return layers.SpectralNormalization(layer, name=layer.name)


def _conditional_norm(x: Any, condition: Any, name: str) -> Any:
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


def residual_generator(
    num_classes: int = NUM_CLASSES,
    latent_dim: int = 32,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 16,
) -> Model:
    """BigGAN's generator, made small: a residual block with conditional batch normalisation.

    After Brock et al. 2019, appendix B (BigGAN-deep's conditioning: the whole latent vector and
    the label go into each normalisation). A dense layer makes a quarter-size image of 2 ``width``
    channels; one residual block, ReLU and 3x3 convolutions, doubles it and ends at ``width``
    channels; a transposed convolution doubles it again, where BigGAN has one more block.

    Args:
        num_classes: Number of labels.
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size.

    Returns:
        A model from [latent vectors (batch, latent_dim), labels (batch,)] to images in [-1, 1].

    Raises:
        ValueError: a size is not a positive integer, or height or width no multiple of 4.
    """
    z = _latent(latent_dim)
    label, one_hot = _label(num_classes)
    height, breadth, channels = _image_shape(image_shape, 4)
    _check.sizes(width=width)
    condition = layers.Concatenate(name="latent_and_label")([z, one_hot])
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
    return keras.Model([z, label], x, name="residual_generator")


def residual_discriminator(
    num_classes: int = NUM_CLASSES,
    image_shape: Sequence[int] = MNIST_SHAPE,
    width: int = 16,
    spectral_norm: bool = True,
) -> Model:
    """BigGAN's discriminator, made small: residual blocks, spectral norm and a projection.

    After Miyato and Koyama 2018 and Brock et al. 2019. A convolution of stride 2 makes ``width``
    channels of half size, where BigGAN has a residual block; average pooling halves it again, and
    two residual blocks of 2 ``width`` channels follow. The sum over places is what the label is
    projected on, as in :func:`projection_mlp_discriminator`.

    Args:
        num_classes: Number of labels.
        image_shape: (height, width, channels); height and width are multiples of 4.
        width: Channels at half size.
        spectral_norm: Whether Keras' ``SpectralNormalization`` is around each convolution and
            each dense layer, as around those of
            :func:`gantut.stabilisers.spectrally_normalised`.

    Returns:
        A model from [images, labels (batch,)] to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive integer, or height or width no multiple of 4.
    """
    shape = _image_shape(image_shape, 4)
    _check.sizes(width=width)
    image = keras.Input(shape, name="image")
    label, one_hot = _label(num_classes)

    def conv(filters: int, kernel_size: int, name: str, strides: int = 1) -> Any:
        layer = layers.Conv2D(filters, kernel_size, strides=strides, padding="same", name=name)
        return _normalised(layer) if spectral_norm else layer

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
    x = layers.Rescaling(shape[0] // 4 * (shape[1] // 4), name="sum")(x)
    x = _project(x, one_hot, spectral_norm)
    return keras.Model([image, label], x, name="residual_discriminator")


def recurrent_generator(
    latent_dim: int = 100, image_shape: Sequence[int] = MNIST_SHAPE, width: int = 128
) -> Model:
    """A GRU that writes the image row by row, fed with the latent vector at each row.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        width: Units of the recurrent layer.

    Returns:
        A model from (batch, latent_dim) to images in [-1, 1].

    Raises:
        ValueError: a size is not a positive integer.
    """
    height, breadth, channels = _image_shape(image_shape)
    _check.sizes(width=width)
    z = _latent(latent_dim)
    x = layers.RepeatVector(height, name="repeat_latent")(z)
    x = layers.GRU(width, return_sequences=True, name="rows")(x)
    x = layers.Dense(breadth * channels, activation="tanh", name="pixels")(x)
    x = layers.Reshape((height, breadth, channels), name="image")(x)
    return keras.Model(z, x, name="recurrent_generator")


def recurrent_discriminator(image_shape: Sequence[int] = MNIST_SHAPE, width: int = 128) -> Model:
    """A GRU that reads the image row by row and judges it by its last state.

    Args:
        image_shape: (height, width, channels).
        width: Units of the recurrent layer.

    Returns:
        A model from images to logits (batch, 1).

    Raises:
        ValueError: a size is not a positive integer.
    """
    height, breadth, channels = _image_shape(image_shape)
    _check.sizes(width=width)
    image = keras.Input((height, breadth, channels), name="image")
    x = layers.Reshape((height, breadth * channels), name="sequence_of_rows")(image)
    x = layers.GRU(width, name="rows")(x)
    return keras.Model(image, layers.Dense(1, name="logit")(x), name="recurrent_discriminator")


def tutorial_dcgan_generator() -> Model:
    """The generator of TensorFlow's DCGAN tutorial: the reference for "slow on a CPU".

    Dense to 7x7x256, transposed convolutions of 128, 64 and 1 channels with 5x5 kernels and
    strides 1, 2, 2; 52 million multiplications an image. Latent vectors have length 100.
    """
    z = _latent(100)
    x = layers.Dense(7 * 7 * 256, use_bias=False, name="dense")(z)
    x = layers.BatchNormalization(name="batch_norm_1")(x)
    x = layers.Reshape((7, 7, 256), name="reshape")(_leaky(x, "leaky_relu_1", 0.3))
    for i, (filters, strides) in enumerate(((128, 1), (64, 2)), start=2):
        x = layers.Conv2DTranspose(
            filters, 5, strides=strides, padding="same", use_bias=False, name=f"upsample_{i - 1}"
        )(x)
        x = layers.BatchNormalization(name=f"batch_norm_{i}")(x)
        x = _leaky(x, f"leaky_relu_{i}", 0.3)
    x = layers.Conv2DTranspose(
        1, 5, strides=2, padding="same", use_bias=False, activation="tanh", name="upsample_3"
    )(x)
    return keras.Model(z, x, name="tutorial_dcgan_generator")


def tutorial_dcgan_discriminator() -> Model:
    """The discriminator of TensorFlow's DCGAN tutorial: 64 and 128 channels, dropout 0.3."""
    image = keras.Input(MNIST_SHAPE, name="image")
    x = image
    for i, filters in enumerate((64, 128), start=1):
        x = layers.Conv2D(filters, 5, strides=2, padding="same", name=f"downsample_{i}")(x)
        x = layers.Dropout(0.3, name=f"dropout_{i}")(_leaky(x, f"leaky_relu_{i}", 0.3))
    x = layers.Dense(1, name="logit")(layers.Flatten(name="flatten")(x))
    return keras.Model(image, x, name="tutorial_dcgan_discriminator")


def _upsampled(x: Any, filters: int, name: str, odd: bool) -> Any:
    """A transposed convolution, kernel 3x3, from side n to 2 n, or to 2 n - 1."""
    if not odd:
        return layers.Conv2DTranspose(filters, 3, strides=2, padding="same", name=name)(x)
    try:
        return layers.Conv2DTranspose(
            filters, 3, strides=2, padding="same", output_padding=0, name=name
        )(x)
    except ValueError:
        # Keras before 3.11 refuses 0. Without the first row and column it is the same.
        layer = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", name=f"{name}_even")
        return layers.Cropping2D(((1, 0), (1, 0)), name=name)(layer(x))


def stacked_generator() -> Model:
    """The small generator for Stacked MNIST of Metz et al. 2017, as published with PacGAN.

    Dense to 4x4x64, transposed convolutions of 32, 16 and 8 channels and stride 2 (sides 7, 14
    and 28), a convolution to 3 channels; kernels 3x3; batch normalisation and ReLU after each
    layer but the last. Latent vectors have length 256.

    Returns:
        A model from (batch, 256) to images (batch, 28, 28, 3) in [-1, 1], with 287,875 trained
        weights.
    """
    z = _latent(256)
    x = layers.Dense(4 * 4 * 64, name="dense")(z)
    x = layers.Reshape((4, 4, 64), name="reshape")(x)
    x = layers.ReLU(name="relu_1")(layers.BatchNormalization(momentum=0.9, name="batch_norm_1")(x))
    for i, filters in enumerate((32, 16, 8), start=2):
        x = _upsampled(x, filters, f"upsample_{i - 1}", odd=i == 2)
        x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = layers.ReLU(name=f"relu_{i}")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="tanh", name="image")(x)
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

    Raises:
        ValueError: a size is not a positive integer.
    """
    _check.sizes(width=width)
    image = keras.Input(_image_shape(image_shape), name="image")
    x = image
    for i, factor in enumerate((1, 2, 4), start=1):
        x = layers.Conv2D(factor * width, 3, strides=2, padding="same", name=f"downsample_{i}")(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = _leaky(x, f"leaky_relu_{i}", 0.3)
    x = layers.Dense(1, name="logit")(layers.Flatten(name="flatten")(x))
    return keras.Model(image, x, name="stacked_discriminator")


# --- What they cost ----------------------------------------------------------------------------


def multiply_adds(model: Model) -> int:
    """Counts the multiplications (each with an addition) of one forward pass of one sample.

    Only products with weights are counted, which is nearly all the work: not activations,
    normalisations and biases. A dense layer has one for each weight and position, a convolution
    one for each weight and output position, a transposed convolution one for each weight and input
    position, a GRU one for each weight and time step. Twice the number is what others count as
    floating-point operations.

    Args:
        model: A built model of such layers and of layers without weight matrices; models inside
            it are counted too.

    Returns:
        Multiply-adds per sample.

    Raises:
        ValueError: a layer has a weight matrix and is of another kind.
    """
    return sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: Any) -> int:
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    call = layer
    if isinstance(layer, layers.SpectralNormalization):
        layer = layer.layer
    if isinstance(layer, layers.GRU):
        cell = layer.cell
        weights = [cell.kernel, cell.recurrent_kernel]
        positions = int(layer.input.shape[1])
    elif isinstance(layer, layers.Dense | layers.Conv2D):
        weights, positions = [layer.kernel], math.prod(call.output.shape[1:-1])
    elif isinstance(layer, layers.Conv2DTranspose):
        weights, positions = [layer.kernel], math.prod(layer.input.shape[1:-1])
    else:
        weights, positions = [w for w in layer.weights if len(w.shape) > 1], 0
        if weights:
            raise ValueError(
                f"multiply_adds knows dense, convolutional and GRU layers; {layer.name!r} is a "
                f"{type(layer).__name__}"
            )
    return positions * sum(math.prod(weight.shape) for weight in weights)
