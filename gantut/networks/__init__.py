"""Generators and discriminators: each function returns a plain, uncompiled ``keras.Model``.

Conventions. A generator maps a latent vector ``(batch, latent_dim)``, drawn from N(0, I), to
samples ``(batch, height, width, channels)`` in [-1, 1] (its last activation is tanh). A
discriminator maps samples to one logit each, ``(batch, 1)``, without a sigmoid: the probability
is the loss's business. With ``num_classes`` a network takes ``[z, labels]`` or ``[x, labels]``,
where ``labels`` are integers of shape ``(batch,)`` from 0 to ``num_classes - 1``; ``image_shape``
is ``(height, width, channels)``. Layers are named, and only layers that ship with Keras are used,
so a saved network opens anywhere.

- ``dense``: perceptrons, which see an image as a row of pixels, and their mirror, an encoder
- ``convolutional``: convolutional, residual and recurrent networks, and those of others' papers
- ``drawn``: generators that draw their label themselves
- ``inspection``: what a generator knows of its labels, and the multiplications of a network
- ``parts``: inputs, blocks and checks that networks elsewhere in the package use too
"""

from gantut.networks.convolutional import (
    dcgan_discriminator,
    dcgan_generator,
    recurrent_discriminator,
    recurrent_generator,
    residual_discriminator,
    residual_generator,
    stacked_discriminator,
    stacked_generator,
    tutorial_dcgan_discriminator,
    tutorial_dcgan_generator,
)
from gantut.networks.dense import (
    channelwise_mlp_discriminator,
    channelwise_mlp_generator,
    logistic_discriminator,
    mlp_discriminator,
    mlp_encoder,
    mlp_generator,
    projection_mlp_discriminator,
)
from gantut.networks.drawn import place_labels, set_label_shares
from gantut.networks.inspection import (
    classes_of,
    count_classes,
    is_conditional,
    multiply_adds,
    soft_labels,
)
from gantut.networks.parts import MNIST_SHAPE, NUM_CLASSES, STACKED_SHAPE, ImageShape

__all__ = [
    "MNIST_SHAPE",
    "NUM_CLASSES",
    "STACKED_SHAPE",
    "ImageShape",
    "channelwise_mlp_discriminator",
    "channelwise_mlp_generator",
    "classes_of",
    "count_classes",
    "dcgan_discriminator",
    "dcgan_generator",
    "is_conditional",
    "logistic_discriminator",
    "mlp_discriminator",
    "mlp_encoder",
    "mlp_generator",
    "multiply_adds",
    "place_labels",
    "projection_mlp_discriminator",
    "recurrent_discriminator",
    "recurrent_generator",
    "residual_discriminator",
    "residual_generator",
    "set_label_shares",
    "soft_labels",
    "stacked_discriminator",
    "stacked_generator",
    "tutorial_dcgan_discriminator",
    "tutorial_dcgan_generator",
]
