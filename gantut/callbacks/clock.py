"""Seconds of training."""

import time
from collections.abc import Callable
from typing import Any

from gantut import _check
from gantut._keras import keras
from gantut.callbacks.parts import Logs, Resumable


class TrainingClock:
    """Counts the seconds spent in training steps, and not those spent in callbacks.

    Tracing and compiling the step, which happen in its first execution, count as training.

    Put ``stop`` first and ``start`` last in the list of callbacks; calling the clock reads it.

    Attributes:
        start: The callback that starts the clock before each execution.
        stop: The callback that stops it after each execution.
        last: Seconds that the latest execution took, the first one left out.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.last = 0.0
        self.executions = 0
        self.start = keras.callbacks.LambdaCallback(on_train_batch_begin=self._start)
        self.stop = keras.callbacks.LambdaCallback(on_train_batch_end=self._stop)

    def _start(self, batch: int, logs: Logs) -> None:
        self._since = time.perf_counter()

    def _stop(self, batch: int, logs: Logs) -> None:
        # Reading a loss waits for a device that works asynchronously.
        float(next(iter((logs or {}).values()), 0.0))
        seconds = time.perf_counter() - self._since
        self.total += seconds
        self.executions += 1
        if self.executions > 1:
            self.last = seconds

    def __call__(self) -> float:
        """Seconds of training so far, up to the end of the latest execution."""
        return self.total


class Timed(keras.callbacks.Callback, Resumable):
    """A callback that knows the time.

    Attributes:
        clock: A function that returns the seconds so far; time since training began if None.
    """

    def __init__(self, clock: Callable[[], float] | None) -> None:
        super().__init__()
        self.clock = clock
        self._began = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes the time."""
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._began if self.clock is None else self.clock()


def check_length(steps: Any, seconds: Any) -> tuple[int | None, float | None]:
    """A training's length, in steps or in seconds, as numbers of Python.

    Raises:
        ValueError: not exactly one of both is given, or it is not positive.
    """
    if (steps is None) == (seconds is None):
        raise ValueError(
            f"wanted either steps or seconds, got steps={steps!r} and seconds={seconds!r}"
        )
    if steps is not None:
        return _check.integer(steps, "steps", 1), None
    return None, _check.number(seconds, "seconds", above=0)
