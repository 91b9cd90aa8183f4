"""The way back from a loss that is not finite."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gantut import _check
from gantut._keras import keras
from gantut.callbacks.origin import Origin, find_origin
from gantut.callbacks.parts import (
    Logs,
    Resumable,
    copy_state,
    finite_losses,
    is_finite,
    optimizers_of,
    put_state,
    steps_done,
)


class StopOnDivergence(keras.callbacks.Callback, Resumable):
    """Stops training when a loss is no longer a finite number, and goes back to good weights.

    Args:
        every: Steps between copies of the training state (weights, optimizers, random state),
            which is kept in memory. A copy is taken only if all of it is finite.
        directory: Where the good state is saved (by `gantut.GAN.save`) when training is stopped;
            None saves nothing.

    Attributes:
        diverged_at: The step at which a loss was not finite; None if that never happened. The
            GAN then holds the last good state, and its step counter that state's step.
        origin: Where it began: the ``step`` and the layer (``where``). The steps since the last
            good state are gone through again for that, on the data that `gantut.recipes.train`
            provides; None if there is no data or it does not happen again.
        batches: From a step to a dataset that begins with that step's batch; None if that is not
            known.

    Raises:
        OSError: while training, if the directory cannot be written to.
    """

    def __init__(
        self, *, every: int = 500, directory: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        self.every = _check.integer(every, "every", 1)
        self.directory = None if directory is None else Path(directory)
        self.diverged_at: int | None = None
        self.origin: Origin | None = None
        self.batches: Callable[[int], Any] | None = None
        self._good: dict[str, np.ndarray] = {}
        self._good_step = 0
        # Of each execution since then: the step at its end, and the learning rates in it.
        self._rates_since: list[tuple[int, list[float]]] = []

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
        self._rates_since.append((step, rates))
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
            self.origin = find_origin(self.model, self._good, self.batches, self._rates_since)
        put_state(self.model, self._good)
        if self.directory is not None and is_finite(self._good):
            self.model.save(self.directory)

    def _keep(self) -> None:
        state = copy_state(self.model)
        # Weights can be lost in the very step whose loss was still finite.
        if is_finite(state) or not self._good:
            self._good = state
            self._good_step = steps_done(self.model)
            self._rates_since = []
