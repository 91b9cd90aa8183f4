"""What networks are made of: their inputs, the layers that many share, and checks of sizes."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from gantut import _check
from gantut._keras import keras, tf

layers = keras.layers

ImageShape: TypeAlias = tuple[int, int, int]
Model: TypeAlias = keras.Model
Tensor: TypeAlias = keras.KerasTensor
MNIST_SHAPE: ImageShape = (28, 28, 1)
STACKED_SHAPE: ImageShape = (28, 28, 3)
NUM_CLASSES = 10


def checked_widths(widths: Iterable[int]) -> tuple[int, ...]:
    """The units of one layer or more, first to last."""
    try:
        found = tuple(widths)
    except TypeError:
        raise TypeError(f"widths must name the units of each layer, got {widths!r}") from None
    if not found:
        raise ValueError("widths must name the units of at least one layer, got none")
    return tuple(_check.integer(width, "each of widths", 1) for width in found)


def checked_shape(image_shape: Iterable[int], multiple_of: int = 1) -> ImageShape:
    """(height, width, channels), where both sides are multiples of a number."""
    try:
        height, width, channels = image_shape
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"image_shape must be (height, width, channels), got {image_shape!r}"
        ) from None
    sizes = (_check.integer(size, "each of image_shape", 1) for size in (height, width, channels))
    height, width, channels = sizes
    if height % multiple_of or width % multiple_of:
        raise ValueError(
            f"height and width in image_shape must be multiples of {multiple_of} for this network, "
            f"got {height} x {width}; resize the images to {height + -height % multiple_of} x "
            f"{width + -width % multiple_of}, say"
        )
    return height, width, channels


def latent_input(latent_dim: int) -> Tensor:
    """An input of latent vectors (batch, latent_dim)."""
    return keras.Input((_check.integer(latent_dim, "latent_dim", 1),), name="latent")


def label_input(num_classes: int) -> tuple[Tensor, Tensor]:
    """An input of integer labels, and the same as one-hot rows of shape (batch, num_classes)."""
    num_classes = _check.integer(num_classes, "num_classes", 1)
    label = keras.Input((), dtype="int32", name="label")
    one_hot = layers.CategoryEncoding(num_classes, output_mode="one_hot", name="one_hot")(label)
    return label, one_hot


def latent_and_label(
    latent_dim: int, num_classes: int | None
) -> tuple[Tensor | list[Tensor], Tensor]:
    """A generator's inputs, and the latent vector with the one-hot label, if any, beside it."""
    z = latent_input(latent_dim)
    if num_classes is None:
        return z, z
    label, one_hot = label_input(num_classes)
    return [z, label], layers.Concatenate(name="latent_and_label")([z, one_hot])


def leaky(x: Tensor, name: str, slope: float = 0.2) -> Tensor:
    """LeakyReLU."""
    return layers.LeakyReLU(negative_slope=slope, name=name)(x)


def dense_layers(
    x: Tensor, widths: Iterable[int], *, batch_norm: bool = False, dropout: float = 0.0
) -> Tensor:
    """Dense layers, each with LeakyReLU(0.2), batch normalisation before it and dropout after."""
    dropout = _check.number(dropout, "dropout", least=0.0, below=1.0)
    for i, width in enumerate(checked_widths(widths), start=1):
        x = layers.Dense(width, use_bias=not batch_norm, name=f"dense_{i}")(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = leaky(x, f"leaky_relu_{i}")
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    return x


def halving_layers(
    x: Tensor,
    filters: Iterable[int],
    kernel_size: int,
    *,
    batch_norm: bool = False,
    slope: float = 0.2,
    dropout: float = 0.0,
) -> Tensor:
    """Convolutions of stride 2, each with LeakyReLU, batch normalisation before, dropout after."""
    dropout = _check.number(dropout, "dropout", least=0.0, below=1.0)
    for i, channels in enumerate(filters, start=1):
        name = f"downsample_{i}"
        x = layers.Conv2D(channels, kernel_size, strides=2, padding="same", name=name)(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"batch_norm_{i}")(x)
        x = leaky(x, f"leaky_relu_{i}", slope)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    return layers.Flatten(name="flatten")(x)


def logit(x: Tensor) -> Tensor:
    """A discriminator's last layer."""
    return layers.Dense(1, name="logit")(x)


def gumbel_noise(z: tf.Tensor) -> tf.Tensor:
    """Turns standard normal numbers into Gumbel noise: ``-log(-log(Phi(z)))``.

    The largest of ``l + noise`` is the k-th with the probability ``softmax(l)_k``, so that a latent
    vector can fix a draw of categories. Beyond 5 numbers are clipped: float32 has no more.
    """
    z = tf.clip_by_value(z, -5.0, 5.0)
    # Phi is 1 - erfc(z / sqrt 2) / 2.
    return -tf.math.log(-tf.math.log1p(-0.5 * tf.math.erfc(z / np.sqrt(2.0))))


def project(x: Tensor, one_hot: Tensor, spectral_norm: bool = False) -> Tensor:
    """``w . x + b + v_k . x``: what all classes share, and an inner product with class k's row."""
    shared = layers.Dense(1, name="shared_logit")
    rows = layers.Dense(one_hot.shape[-1], use_bias=False, name="class_logits")
    if spectral_norm:
        shared, rows = spectrally_normalised(shared), spectrally_normalised(rows)
    chosen = layers.Dot(1, name="class_logit")([rows(x), one_hot])
    return layers.Add(name="logit")([shared(x), chosen])


def spectrally_normalised(layer: keras.Layer) -> keras.Layer:
    """The layer with its matrix's largest singular value kept at 1, under the layer's name."""
    return layers.SpectralNormalization(layer, name=layer.name)


def checked_mean(mean_image: ArrayLike, image_shape: ImageShape) -> np.ndarray:
    """An image in [-1, 1], float32 of a shape."""
    mean = np.asarray(mean_image, dtype=np.float32)
    if mean.shape != image_shape or not np.abs(mean).max() <= 1.0:
        raise ValueError(
            f"mean_image must be an image of shape {image_shape} in [-1, 1], got shape {mean.shape}"
            + (f" with values {mean.min()}..{mean.max()}" if mean.size else "")
        )
    return mean


def centre(x: Tensor, mean: np.ndarray) -> Tensor:
    """``2 (x - mean)``, along the last axis."""
    # A frozen batch normalisation is Keras' layer for (x - mean) / deviation with constants that
    # are saved with the weights. It never looks at the batch.
    layer = layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name="centre"
    )
    x = layer(x)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(np.full(mean.shape, 0.25, np.float32))
    return x


def pixels_in_a_row(image: Tensor, mean_image: ArrayLike | None = None) -> Tensor:
    """The pixels of images (batch, height, width, channels), less the mean and doubled if given."""
    x = layers.Flatten(name="flatten")(image)
    if mean_image is None:
        return x
    return centre(x, checked_mean(mean_image, image.shape[1:]).reshape(-1))


def start_at(model: Model, mean_image: np.ndarray) -> None:
    """Sets the bias of the layer "pixels" to where tanh draws the mean image."""
    # tanh never reaches 1, and where it comes close its slope is gone.
    bounded = np.clip(mean_image.reshape(-1), -0.995, 0.995)
    model.get_layer("pixels").bias.assign(np.arctanh(bounded))
