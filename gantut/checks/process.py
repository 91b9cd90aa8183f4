"""Every variable of the process put back: a step may hold any of them, wherever it was made."""

import contextlib
import gc
import random
from collections.abc import Callable, Iterator

import numpy as np

from gantut._keras import keras, tf
from gantut.checks.parts import all_layers


@contextlib.contextmanager
def everything_back(*networks: keras.Model) -> Iterator[Callable[[], None]]:
    """Lends a function that puts back every variable of the process; it is called at the end.

    Reading a variable shares its memory until it is written to, so what a step leaves alone costs
    nothing here.
    """
    variables, optimizers = [], []
    kinds: dict[type, type | None] = {}
    for thing in gc.get_objects():
        # By type, not by isinstance: that would wake lazy modules and dead proxies. And by the
        # list of bases: issubclass asks abstract classes, which takes seconds for thousands.
        kind = type(thing)
        if kind not in kinds:
            bases = (tf.Variable, keras.optimizers.Optimizer)
            kinds[kind] = next((base for base in bases if base in kind.__mro__), None)
        if kinds[kind] is tf.Variable:
            with contextlib.suppress(Exception):  # made in a graph, or not initialised
                variables.append((thing, tf.identity(tf.convert_to_tensor(thing))))
        elif kinds[kind] is not None and not thing.built:
            optimizers.append(thing)
    flags = [(x, x.trainable) for network in networks for x in all_layers(network)]
    states = np.random.get_state(), random.getstate()  # noqa: NPY002 - it is the reader's

    def restore() -> None:
        for optimizer in [x for x in optimizers if x.built]:
            # It was made during the steps, and a new one is as it was.
            new = type(optimizer).from_config(optimizer.get_config())
            new.build(optimizer._trainable_variables)  # noqa: SLF001 - Keras has no other
            fresh = zip(optimizer.variables, new.variables, strict=True)
            variables.extend((v.value, tf.convert_to_tensor(value)) for v, value in fresh)
            optimizers.remove(optimizer)
        for variable, value in variables:
            variable.assign(value)
        if any(layer.trainable != flag for layer, flag in flags):
            for layer, flag in flags:  # outer layers first: they set those inside them
                layer.trainable = flag

    try:
        yield restore
    finally:
        restore()
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
