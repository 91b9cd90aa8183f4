"""Where a training was lost: the step and the layer in which a number was no longer finite."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gantut._keras import keras, layers_of, tf, watched
from gantut.callbacks.parts import copy_state, is_finite, optimizers_of, put_state, steps_done


class Origin(NamedTuple):
    """Where it began.

    Attributes:
        step: The training step that could not be done, counted from 1 as the GAN counts.
        where: The layer, and what of it was not finite.
    """

    step: int
    where: str

    def __str__(self) -> str:
        """Both, as the end of a sentence."""
        return f"step {self.step:,} in {self.where}"


def find_origin(
    model: keras.Model,
    good: Mapping[str, np.ndarray],
    batches: Callable[[int], Iterable[Any]],
    rates: list[tuple[int, list[float]]],
) -> Origin | None:
    """Goes through the steps since the last good state again, one at a time.

    The steps are those of the training: the state holds the random numbers, and ``batches`` the
    data. The model is left in some state, which the caller has to put right.

    Args:
        model: A compiled GAN, or another model with its ``step_counter`` and ``state``.
        good: The state to begin from.
        batches: From a step to a dataset that begins with that step's batch.
        rates: For each execution since then the step at its end, and the learning rate of each
            optimizer in it.

    Returns:
        Where it began; None if it does not happen again.
    """
    put_state(model, good)
    train_step = tf.function(model.train_step, autograph=False, reduce_retracing=True)
    first = steps_done(model)
    executions = iter(rates)
    end, now = next(executions)
    for step, batch in enumerate(batches(first), start=first + 1):
        while step > end:
            following = next(executions, None)
            if following is None:
                return None
            end, now = following
        for optimizer, rate in zip(optimizers_of(model), now, strict=True):
            optimizer.learning_rate = rate
        before = copy_state(model)
        model.reset_metrics()
        logs = train_step(batch)
        if not (is_finite(logs) and all(map(is_finite, model.state().values()))):
            put_state(model, before)
            model.reset_metrics()
            return Origin(step, _first_lost(model, batch))
    return None


def _first_lost(model: keras.Model, batch: Any) -> str:
    """The first thing that is not finite in a training step, which is run eagerly."""
    if not is_finite(batch):
        return "the data itself"
    networks = {
        name: part
        for name, part in vars(model).items()
        if isinstance(part, keras.Model) and name != "ema_generator"
    }
    layers = [layer for network in networks.values() for layer in layers_of(network)]
    owners = {
        id(part): name
        for name, network in networks.items()
        for part in (*layers_of(network), *network.variables)
    }
    found: list[str] = []

    def look(value: Any, what: str) -> None:
        # Inside a function that a layer compiles for itself there are no numbers to look at.
        if not found and tf.executing_eagerly() and not is_finite(value):
            found.append(what)

    def see_call(layer: Any, inputs: Any, _: Any, output: Any) -> None:
        name = f"layer {layer.name!r} of the {owners[id(layer)]}"
        look(inputs, f"{name}, its input")
        look(output, f"{name}, its output")

    def seen_update(optimizer: Any, apply: Callable[..., Any]) -> Callable[..., Any]:
        def update(gradients: Any, variables: Any) -> None:
            owner = owners.get(id(variables[0]), "model")
            # Gradients are computed from the last layer to the first.
            for variable, gradient in reversed(list(zip(variables, gradients, strict=True))):
                look(gradient, f"the gradient of {variable.path!r} of the {owner}")
            apply(gradients, variables)
            for variable in (*variables, *optimizer.variables):
                look(variable, f"the update of {variable.path!r} of the {owner}")

        return update

    optimizers = optimizers_of(model)
    try:
        for optimizer in optimizers:
            vars(optimizer)["apply"] = seen_update(optimizer, optimizer.apply)
        with watched(layers, see_call):
            logs = model.train_step(batch)
    finally:
        for optimizer in optimizers:
            vars(optimizer).pop("apply", None)
    for name, variable in model.state().items():
        look(variable, f"the weight {getattr(variable, 'path', name)!r}")
    for name, value in logs.items():
        look(value, f"the mean {name!r}")
    return found[0] if found else "the loss"
