"""The way back from a loss that is not finite, and the step and the layer where it was lost."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gantut import _check
from gantut._keras import keras, layers_of, tf, watched
from gantut.callbacks.parts import (
    Logs,
    copy_state,
    finite_losses,
    is_finite,
    optimizers_of,
    put_state,
    steps_done,
)


class StopOnDivergence(keras.callbacks.Callback):
    """Stops training when a loss is no longer a finite number, and goes back to good weights.

    Args:
        every: Steps between copies of the training state (weights, optimizers, random state),
            which is kept in memory. A copy is taken only if all of it is finite.

    Attributes:
        diverged_at: The step at which a loss was not finite; None if that never happened. The
            GAN then holds the last good state, and its step counter that state's step.
        origin: Where it began, in words: the step and the layer. The steps since the last good
            state are gone through again for that, if there are ``batches``; None if that is not
            known.
        batches: From a step to a dataset that begins with that step's batch, or None:
            `gantut.recipes.train` provides it.
    """

    def __init__(self, *, every: int = 500) -> None:
        super().__init__()
        self.every = _check.integer(every, "every", 1)
        self.diverged_at: int | None = None
        self.origin: str | None = None
        self.batches: Callable[[int], tf.data.Dataset] | None = None
        self._good: dict[str, np.ndarray] = {}
        self._good_step = 0
        self._rates_since: list[list[float]] = []  # the optimizers', of each step

    def on_train_begin(self, logs: Logs = None) -> None:
        """Keeps the state that training starts from."""
        self.diverged_at = None
        self.origin = None
        self._good = {}
        self._keep()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks at the losses."""
        step = steps_done(self.model)
        rates = [float(optimizer.learning_rate.numpy()) for optimizer in optimizers_of(self.model)]
        self._rates_since += [rates] * (step - self._good_step - len(self._rates_since))
        if not finite_losses(logs):
            self._go_back(step)
            self.model.reset_metrics()
            self.model.stop_training = True
        elif step - self._good_step >= self.every:
            self._keep()

    def on_train_end(self, logs: Logs = None) -> None:
        """Frees the copy, after a last look at the weights."""
        if self.diverged_at is None and not is_finite(copy_state(self.model)):
            self._go_back(steps_done(self.model))
        self._good = {}

    def _go_back(self, step: int) -> None:
        self.diverged_at = step
        if self.batches is not None and self._rates_since and is_finite(self._good):
            self.origin = _find_origin(self.model, self._good, self.batches, self._rates_since)
        put_state(self.model, self._good)

    def _keep(self) -> None:
        state = copy_state(self.model)
        # Weights can be lost in the very step whose loss was still finite.
        if is_finite(state) or not self._good:
            self._good = state
            self._good_step = steps_done(self.model)
            self._rates_since = []


def _find_origin(
    model: keras.Model,
    good: Mapping[str, np.ndarray],
    batches: Callable[[int], tf.data.Dataset],
    rates: list[list[float]],
) -> str | None:
    """Goes through the steps since the last good state again: the step and the layer, in words.

    ``rates`` holds each optimizer's learning rate in each step. None if all goes well now. The
    model is left in some state, which the caller has to put right.
    """
    put_state(model, good)
    train_step = tf.function(model.train_step, autograph=False, reduce_retracing=True)
    done = steps_done(model)
    for step, (now, batch) in enumerate(zip(rates, batches(done), strict=False), start=done + 1):
        for optimizer, rate in zip(optimizers_of(model), now, strict=True):
            optimizer.learning_rate = rate
        before = copy_state(model)
        model.reset_metrics()
        logs = train_step(batch)
        if not (is_finite(logs) and all(map(is_finite, model.state().values()))):
            put_state(model, before)
            model.reset_metrics()
            return f"step {step:,} in {_first_lost(model, batch)}"
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

    def see_call(layer: keras.Layer, inputs: Any, _: Any, output: Any) -> None:
        name = f"layer {layer.name!r} of the {owners[id(layer)]}"
        look(inputs, f"{name}, its input")
        look(output, f"{name}, its output")

    def seen_update(optimizer: keras.optimizers.Optimizer) -> Callable[..., None]:
        apply = optimizer.apply

        def update(gradients: Sequence[Any], variables: Sequence[keras.Variable]) -> None:
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
            vars(optimizer)["apply"] = seen_update(optimizer)
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
