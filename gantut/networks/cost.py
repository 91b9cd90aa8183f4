"""What networks cost."""

import math

from gantut._keras import keras

layers = keras.layers


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

    Returns:
        Multiply-adds per sample.

    Raises:
        ValueError: a layer has a weight matrix and is of another kind.
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
