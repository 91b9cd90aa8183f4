"""What several checks need: a finding made, a network called, its shapes and layers."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut._keras import keras, layers_of, tf
from gantut.diagnosis import Finding

Array: TypeAlias = npt.NDArray[Any]
Model: TypeAlias = keras.Model


def finding(name: str, message: str, **values: float) -> Finding:
    """A finding before the first step."""
    return Finding(0, name, message, {key: float(value) for key, value in values.items()})


def percent(share: float) -> str:
    """A share in [0, 1] as a whole number of per cent."""
    return f"{100 * share:.0f} %"


def as_list(inputs: Any) -> list[Any]:
    """The inputs of a network of one or several."""
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def call(network: Model, inputs: Any, training: bool = False) -> Array:
    """What a network makes of arrays."""
    tensors = [tf.convert_to_tensor(x) for x in as_list(inputs)]
    return np.asarray(network(tensors if len(tensors) > 1 else tensors[0], training=training))


def output_shape(network: Model) -> tuple[int, ...]:
    """The shape of one sample that a network makes."""
    _check_shapes_known(network)
    return tuple(network.outputs[0].shape[1:])


def input_shape(network: Model) -> tuple[int, ...]:
    """The shape of one row that a network takes, of its first input."""
    _check_shapes_known(network)
    return tuple(network.inputs[0].shape[1:])


def _check_shapes_known(network: Model) -> None:
    if not getattr(network, "inputs", None) or not getattr(network, "outputs", None):
        raise TypeError(
            "a network's shapes are not known: wanted a functional or sequential Keras model with "
            f"an Input, got {type(network).__name__}"
        )


def default_inputs(generator: Model, labels: Sequence[Array] = (), n: int = 8) -> list[Array]:
    """Standard normal latent vectors, and labels (0 where none are given) if it takes some."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, *input_shape(generator)), dtype=np.float32)
    if len(generator.inputs) == 1:
        return [z]
    given = labels[0] if labels else np.zeros((n, *generator.inputs[1].shape[1:]), np.int32)
    return [z, given]


def all_layers(network: Model) -> list[keras.Layer]:
    """A network and the layers in it at any depth, each behind what holds it."""
    # Keras has no public way into a layer that is made of others.
    return list(network._flatten_layers())  # noqa: SLF001


@contextlib.contextmanager
def thawed(network: Model) -> Iterator[None]:
    """All of a network is trainable, and at the end frozen where it was."""
    flags = [(layer, layer.trainable) for layer in all_layers(network)]
    network.trainable = True
    try:
        yield
    finally:
        for layer, flag in flags:  # outer layers first: they set those inside them
            layer.trainable = flag


def learnable(network: Model) -> list[Any]:
    """The variables that training is for, whether or not they are frozen now."""
    with thawed(network):
        return list(network.trainable_variables)


def last_weights(network: Model) -> list[Any]:
    """The learnable variables of the last layer that has any."""
    with thawed(network):
        groups = [layer.trainable_variables for layer in layers_of(network)]
    return next((list(group) for group in reversed(groups) if group), [])
