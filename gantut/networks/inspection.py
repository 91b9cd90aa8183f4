"""What networks tell of themselves: a generator its labels, and any network what it costs."""

import math

from gantut._keras import keras
from gantut.networks.parts import Model

layers = keras.layers


def is_conditional(generator: Model) -> bool:
    """Whether a generator takes labels beside latent vectors."""
    return len(generator.inputs) == 2


def count_classes(generator: Model) -> int | None:
    """The number of labels that a conditional generator of ours knows; None where unknown."""
    return next((layer.num_tokens for layer in generator.layers if layer.name == "one_hot"), None)


def classes_of(generator: Model) -> int:
    """The number of labels of a conditional generator of ours, with its layer "one_hot"."""
    classes = count_classes(generator) if is_conditional(generator) else None
    if classes is None:
        raise ValueError(
            f"{generator.name!r} is no conditional generator with a layer 'one_hot' of labels"
        )
    return classes


def soft_labels(generator: Model) -> Model:
    """A conditional generator of ours, asked for a mixture of classes instead of one.

    The model shares its weights, and takes [latent vectors, shares of the classes
    (n, num_classes)]. A one-hot row asks for one class.
    """
    classes_of(generator)
    one_hot = generator.get_layer("one_hot").output
    return keras.Model([generator.inputs[0], one_hot], generator.outputs[0])


def multiply_adds(network: keras.Layer) -> int:
    """Counts the multiplications (each with an addition) of one forward pass of one sample.

    Only products with weights are counted, which is nearly all the work: not activations,
    normalisations and biases. A dense layer has one for each weight and position, a convolution
    one for each weight and output position, a transposed convolution one for each weight and input
    position, a GRU one for each weight and time step. Twice the number is what others count as
    floating-point operations.

    Args:
        network: A built model of such layers and of layers without weight matrices, with models
            inside it; or one such layer.
    """
    if isinstance(network, keras.Model):
        return sum(map(multiply_adds, network.layers))
    spectral = isinstance(network, layers.SpectralNormalization)
    layer = network.layer if spectral else network
    if isinstance(layer, layers.GRU):
        weights = [layer.cell.kernel, layer.cell.recurrent_kernel]
        positions = layer.input.shape[1]
    elif isinstance(layer, layers.Dense | layers.Conv2D):
        weights, positions = [layer.kernel], math.prod(network.output.shape[1:-1])
    elif isinstance(layer, layers.Conv2DTranspose):
        weights, positions = [layer.kernel], math.prod(layer.input.shape[1:-1])
    elif any(len(weight.shape) > 1 for weight in layer.weights):
        raise ValueError(
            f"multiply_adds knows dense, convolutional and GRU layers; {layer.name!r} is a "
            f"{type(layer).__name__}"
        )
    else:
        return 0
    return positions * sum(math.prod(weight.shape) for weight in weights)
