"""What several checks need: a finding made, a network called, its shapes and layers."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut._keras import keras, layers_of, tf
from gantut.diagnosis import Finding

Array: TypeAlias = npt.NDArray[Any]
Model: TypeAlias = keras.Model
Inputs: TypeAlias = npt.ArrayLike | Sequence[npt.ArrayLike]
"""What a network is called with: an array, or [images, labels]."""


def finding(name: str, message: str, **values: float) -> Finding:
    """A finding before the first step."""
    return Finding(0, name, message, {key: float(value) for key, value in values.items()})


def as_list(inputs: Inputs) -> list[Any]:
    """The inputs of a network of one or several."""
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def call(network: Model, inputs: Inputs, training: bool = False) -> Array:
    """What a network makes of arrays."""
    tensors = [tf.convert_to_tensor(x) for x in as_list(inputs)]
    return np.asarray(network(tensors if len(tensors) > 1 else tensors[0], training=training))


def shapes_of(network: Model) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of a row that a network takes (of its first input), and of one that it makes."""
    if not getattr(network, "inputs", None) or not getattr(network, "outputs", None):
        raise TypeError(
            "a network's shapes are not known: wanted a functional or sequential Keras model with "
            f"an Input, got {type(network).__name__}"
        )
    taken, made = network.inputs[0].shape[1:], network.outputs[0].shape[1:]
    return tuple(taken), tuple(made)


def default_inputs(generator: Model, labels: Sequence[Array] = (), n: int = 8) -> list[Array]:
    """Standard normal latent vectors, and labels (0 where none are given) if it takes some."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, *shapes_of(generator)[0]), dtype=np.float32)
    if len(generator.inputs) == 1:
        return [z]
    given = labels[0] if labels else np.zeros((n, *generator.inputs[1].shape[1:]), np.int32)
    return [z, given]


def all_layers(network: Model) -> list[keras.Layer]:
    """A network and the layers in it at any depth, each behind what holds it."""
    # Keras has no public way into a layer that is made of others.
    return list(network._flatten_layers())  # noqa: SLF001


def learnable(network: Model) -> list[keras.Variable]:
    """The variables that training is for, whether or not they are frozen now."""
    flags = [(layer, layer.trainable) for layer in all_layers(network)]
    network.trainable = True
    found = list(network.trainable_variables)
    for layer, flag in flags:  # outer layers first: they set those inside them
        layer.trainable = flag
    return found


def last_weights(network: Model) -> list[keras.Variable]:
    """The learnable variables of the last layer that has any."""
    wanted = {id(variable) for variable in learnable(network)}
    groups = [[v for v in layer.variables if id(v) in wanted] for layer in layers_of(network)]
    return next((group for group in reversed(groups) if group), [])
