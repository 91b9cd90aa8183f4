"""Keras and TensorFlow, imported once, and what this package asks of Keras' models in many places.

Where Keras runs on another backend, the import ends in an error that says so.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

_ADVICE = (
    "gantut trains with TensorFlow's GradientTape, so Keras must run on the TensorFlow backend: "
    'set KERAS_BACKEND=tensorflow (or "backend": "tensorflow" in ~/.keras/keras.json) '
    "before Python starts."
)

try:
    import keras
except (ImportError, ValueError) as error:  # a backend that is not installed, or unknown
    raise ImportError(f"Keras cannot be imported ({error}). {_ADVICE}") from error

if keras.config.backend() != "tensorflow":
    raise ImportError(f"Keras runs on the backend {keras.config.backend()!r}. {_ADVICE}")

import tensorflow as tf  # noqa: E402

__all__ = ["keras", "tf"]

Tensor: TypeAlias = tf.Tensor
Shape: TypeAlias = tuple[Any, ...]  # integers, and None where any number may come


def full_precision(x: Tensor) -> Tensor:
    """The tensor in float32 where it has 16 bits, as what layers compute in a mixed precision."""
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x


def blank(network: keras.Model, n: int) -> Tensor | list[Tensor]:
    """A batch of ``n`` zeros for each input of a network, or for its only one."""
    inputs = [tf.zeros((n, *(size or 1 for size in x.shape[1:])), x.dtype) for x in network.inputs]
    return inputs if len(inputs) > 1 else inputs[0]


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model, and of the models inside it, in the place of these."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


@contextlib.contextmanager
def put_back(variables: Iterable[keras.Variable]) -> Iterator[None]:
    """Puts the variables' values back at the end, to the bit; in a graph as well."""
    held = [(v, tf.identity(tf.convert_to_tensor(v))) for v in variables]
    try:
        yield
    finally:
        for variable, value in held:
            variable.assign(value)


def unchanged(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Puts back the weights that a forward pass in training mode changes.

    Those are the moving statistics of batch normalisation and the like, which no gradient
    changes, and the kernels that spectral normalisation rescales in place.
    """
    rescaled = [x for x in layers_of(model) if isinstance(x, keras.layers.SpectralNormalization)]
    return put_back([*model.non_trainable_weights, *(layer.kernel for layer in rescaled)])


def computed(gradients: Iterable[Tensor | None]) -> contextlib.AbstractContextManager[None]:
    """What is run inside waits for all of the gradients.

    Otherwise a bias may be updated while a penalty still reads it: the penalty's gradient does
    not depend on the bias of a piecewise linear D except through the signs, and TensorFlow's
    graph optimizer then loses the order of the two (seen with 2.21, in one graph of ten).
    """
    return tf.control_dependencies([g for g in gradients if g is not None])


def gradients(
    tape: tf.GradientTape, loss: Tensor, network: keras.Model, at: list[Tensor] | None = None
) -> list[Tensor | None]:
    """The gradients of a loss by a network's trainable variables, or by tensors in their place.

    One is None where the loss does not depend on the variable.

    Raises:
        NotImplementedError: the loss has a gradient in it (that of a penalty), and TensorFlow
            lacks the second derivative of a layer; the message names the layer.
    """
    try:
        return tape.gradient(loss, network.trainable_variables if at is None else at)
    except LookupError as error:
        found = re.search(r"no entry for: (\w+)Grad", str(error))
        if found is None:
            raise
        raise NotImplementedError(
            f"a gradient penalty needs second derivatives, and TensorFlow has none of {found[1]} "
            f"({_without_second_derivative(network)} of {network.name!r}); "
            f"{_SUBSTITUTES.get(found[1], 'use another layer')}"
        ) from None


_SUBSTITUTES = {
    "ResizeNearestNeighbor": "use UpSampling2D with interpolation='nearest', or Resizing "
    "with 'bilinear'",
    "ResizeBicubic": "use interpolation='bilinear'",
    "ScaleAndTranslate": "use interpolation='bilinear' without antialias",
    "Softsign": "use the activation 'tanh'",
}


def _without_second_derivative(network: keras.Model) -> str:
    """The first layer of a network of which TensorFlow has none."""
    calls: list[tuple[keras.Layer, Tensor]] = []
    with watched(layers_of(network), lambda layer, x, kwargs, y: calls.append((layer, x))):
        network(blank(network, 1))
    for layer, x in calls:
        try:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.square(layer(x))
                slopes = inner.gradient(y, x)
            outer.gradient(slopes, x)
        except LookupError:
            return f"layer {layer.name!r}"
    return "a layer"


@contextlib.contextmanager
def watched(
    layers: Iterable[keras.Layer],
    see: Callable[[keras.Layer, Tensor, dict[str, Any], Tensor], None],
) -> Iterator[None]:
    """Tells ``see`` the layer, its inputs, keyword arguments and output at each call of a layer."""

    def spy(layer: keras.Layer, call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def watch(*args: Any, **kwargs: Any) -> Tensor:
            output = call(*args, **kwargs)
            see(layer, args[0] if args else kwargs.get("inputs"), kwargs, output)
            return output

        return watch

    # Past Keras' own __setattr__, which would take the function for a part of the layer.
    held = [(layer, vars(layer).get("call")) for layer in layers]
    try:
        for layer, _ in held:
            vars(layer)["call"] = spy(layer, layer.call)
        yield
    finally:
        for layer, own in held:
            vars(layer).pop("call", None)
            if own is not None:
                vars(layer)["call"] = own
