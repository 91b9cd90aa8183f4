"""Perceptrons: networks that see an image as a row of pixels."""

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from gantut import _check
from gantut._keras import keras
from gantut.networks import parts
from gantut.networks.drawn import latent_and_drawn_label
from gantut.networks.parts import MNIST_SHAPE, NUM_CLASSES, STACKED_SHAPE, Model

layers = keras.layers


def logistic_discriminator(image_shape: Sequence[int] = MNIST_SHAPE) -> Model:
    """``D(x) = sigmoid(w . x + b)``: one weight a pixel, a logistic regression.

    It cannot tell two sets of images apart whose means are equal, for which see the chapter on
    architectures.
    """
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    x = parts.logit(parts.pixels_in_a_row(image))
    return keras.Model(image, x, name="logistic_discriminator")


def mlp_generator(
    latent_dim: int = 100,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (256, 512, 1024),
    batch_norm: bool = False,
    *,
    mean_image: ArrayLike | None = None,
    num_classes: int | None = None,
    draws_label: bool = False,
) -> Model:
    """A multilayer perceptron from latent vectors to images.

    Told the class, it is that of Mirza and Osindero 2014, section 3.2: a one-hot label joins the
    latent vector.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        widths: Units of the hidden layers, first to last, each followed by LeakyReLU(0.2).
        batch_norm: Batch normalisation before each hidden activation.
        mean_image: An image of ``image_shape`` in [-1, 1]: the last layer's bias starts where it
            draws this image, instead of at mid-grey. The data's mean saves G from learning first
            where there is never any ink.
        num_classes: Number of labels; None for a network without.
        draws_label: Whether it takes no label, but draws one itself: it then has one latent
            coordinate more, on which the label depends (see :func:`set_label_shares`).
    """
    if draws_label:
        inputs, x = latent_and_drawn_label(latent_dim, num_classes or NUM_CLASSES)
    else:
        inputs, x = parts.latent_and_label(latent_dim, num_classes)
    shape = parts.checked_shape(image_shape)
    x = parts.dense_layers(x, widths, batch_norm=batch_norm)
    x = layers.Dense(math.prod(shape), activation="tanh", name="pixels")(x)
    model = keras.Model(inputs, layers.Reshape(shape, name="image")(x), name="mlp_generator")
    if mean_image is not None:
        parts.start_at(model, parts.checked_mean(mean_image, shape))
    return model


def mlp_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (1024, 512, 256),
    dropout: float = 0.0,
    *,
    mean_image: ArrayLike | None = None,
    num_classes: int | None = None,
) -> Model:
    """A multilayer perceptron from images to logits.

    Told the class, it is that of Mirza and Osindero 2014, section 3.2: a one-hot label joins the
    pixels.

    Args:
        image_shape: (height, width, channels).
        widths: As in :func:`mlp_generator`.
        dropout: Share of units dropped after each hidden layer, in [0, 1).
        mean_image: An image of ``image_shape`` in [-1, 1], the data's mean: the first layer
            ("centre") subtracts it and doubles what is left. Without it the background, the same
            in every image, is most of what D's first weights see.
        num_classes: Number of labels; None for a network without.
    """
    image = inputs = keras.Input(parts.checked_shape(image_shape), name="image")
    x = parts.pixels_in_a_row(image, mean_image)
    if num_classes is not None:
        label, one_hot = parts.label_input(num_classes)
        inputs = [image, label]
        x = layers.Concatenate(name="pixels_and_label")([x, one_hot])
    x = parts.logit(parts.dense_layers(x, widths, dropout=dropout))
    return keras.Model(inputs, x, name="mlp_discriminator")


def projection_mlp_discriminator(
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (1024, 512, 256),
    dropout: float = 0.0,
    *,
    mean_image: ArrayLike | None = None,
    num_classes: int = NUM_CLASSES,
) -> Model:
    """:func:`mlp_discriminator` that is told the class by a projection at its end.

    Miyato and Koyama 2018, section 3: with phi(x) the last hidden layer, the logit of image x under
    label k is ``w . phi(x) + b + v_k . phi(x)``. What the network sees in an image does not depend
    on the label; only which of it counts does. Arguments as there.
    """
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    label, one_hot = parts.label_input(num_classes)
    x = parts.pixels_in_a_row(image, mean_image)
    x = parts.project(parts.dense_layers(x, widths, dropout=dropout), one_hot)
    return keras.Model([image, label], x, name="projection_mlp_discriminator")


def channelwise_mlp_generator(
    latent_dim: int = 128,
    image_shape: Sequence[int] = STACKED_SHAPE,
    code_dim: int = 64,
    widths: Sequence[int] = (256, 512),
    batch_norm: bool = True,
    *,
    mean_image: ArrayLike | None = None,
) -> Model:
    """A multilayer perceptron that draws each channel with the same weights.

    For images whose channels hold the same kind of picture, such as Stacked MNIST. A linear layer
    makes one code a channel out of the latent vector, and one perceptron turns each code into its
    channel: weights are shared over channels as those of a convolution are over places. Nothing
    makes the codes of an image independent of each other; that is left to training.

    Args:
        latent_dim: Length of the latent vector.
        image_shape: (height, width, channels).
        widths: As in :func:`mlp_generator`.
        code_dim: Length of a channel's code.
        batch_norm: Batch normalisation before each hidden activation, over rows and channels.
        mean_image: An image of ``image_shape`` in [-1, 1]: the last layer's bias starts where it
            draws the mean of its channels.
    """
    z = parts.latent_input(latent_dim)
    height, width, channels = shape = parts.checked_shape(image_shape)
    code_dim = _check.integer(code_dim, "code_dim", 1)
    x = layers.Dense(channels * code_dim, name="codes")(z)
    x = layers.Reshape((channels, code_dim), name="code_by_channel")(x)
    x = parts.dense_layers(x, widths, batch_norm=batch_norm)
    x = layers.Dense(height * width, activation="tanh", name="pixels")(x)
    x = layers.Reshape(shape, name="image")(layers.Permute((2, 1), name="channels_last")(x))
    model = keras.Model(z, x, name="channelwise_mlp_generator")
    if mean_image is not None:
        parts.start_at(model, parts.checked_mean(mean_image, shape).mean(axis=-1))
    return model


def channelwise_mlp_discriminator(
    image_shape: Sequence[int] = STACKED_SHAPE,
    widths: Sequence[int] = (512, 128),
    top: Sequence[int] = (256,),
    *,
    mean_image: ArrayLike | None = None,
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
    """
    height, width, channels = shape = parts.checked_shape(image_shape)
    image = keras.Input(shape, name="image")
    x = layers.Reshape((height * width, channels), name="flatten_channels")(image)
    x = layers.Permute((2, 1), name="channels_first")(x)
    if mean_image is not None:
        x = parts.centre(x, parts.checked_mean(mean_image, shape).mean(axis=-1).reshape(-1))
    for i, units in enumerate(parts.checked_widths(widths), start=1):
        x = layers.Dense(units, name=f"channel_dense_{i}")(x)
        x = parts.leaky(x, f"channel_leaky_relu_{i}")
    x = parts.dense_layers(layers.Flatten(name="flatten")(x), top)
    return keras.Model(image, parts.logit(x), name="channelwise_mlp_discriminator")


def mlp_encoder(
    latent_dim: int = 64,
    image_shape: Sequence[int] = MNIST_SHAPE,
    widths: Sequence[int] = (512, 256),
    *,
    variational: bool = False,
    mean_image: ArrayLike | None = None,
) -> Model:
    """A multilayer perceptron from images to codes, to undo a generator or for an autoencoder.

    Args:
        latent_dim: Length of the code.
        image_shape: (height, width, channels).
        widths: As in :func:`mlp_generator`.
        variational: Two outputs, for the encoder of a variational autoencoder (Kingma and
            Welling 2014, appendix C.2).
        mean_image: As in :func:`mlp_discriminator`.

    Returns:
        A model from images to codes (batch, latent_dim), unbounded; or to [mean, log_variance],
        both of that shape: the normal distribution of the latent vectors that belong to an image.
    """
    latent_dim = _check.integer(latent_dim, "latent_dim", 1)
    image = keras.Input(parts.checked_shape(image_shape), name="image")
    x = parts.dense_layers(parts.pixels_in_a_row(image, mean_image), widths)
    heads = ("mean", "log_variance") if variational else ("code",)
    outputs = [layers.Dense(latent_dim, name=name)(x) for name in heads]
    return keras.Model(image, outputs if variational else outputs[0], name="mlp_encoder")
