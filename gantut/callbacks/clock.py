"""How far a training is: its seconds and their limit, its length, and a bar."""

import time
from collections.abc import Callable
from typing import Any

from gantut import _check
from gantut._keras import keras
from gantut.callbacks.parts import Logs, Resumable, steps_done


class TrainingClock:
    """Counts the seconds spent in training steps, and not those spent in callbacks.

    Tracing and compiling the step, which happen in its first execution, count as training.

    Put ``stop`` first and ``start`` last in the list of callbacks; calling the clock reads it.

    Attributes:
        total: The seconds so far.
        executions: The executions so far.
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
    """A callback that knows the time, by a ``clock`` or since training began."""

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


class Measured(Timed):
    """A callback that knows the length of the training, in steps or in seconds.

    ``fresh`` says whether the training began with it, or went on from a checkpoint.
    """

    STATE: tuple[str, ...] = ("first_step",)

    def __init__(
        self,
        steps: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        steps, seconds = check_length(steps, seconds)
        self.in_steps = seconds is None
        self.total: Any = steps if seconds is None else seconds
        self.first_step = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes the step that the training begins with."""
        super().on_train_begin(logs)
        self.fresh = self.begins()
        if self.fresh:
            self.first_step = steps_done(self.model)

    def done(self) -> float:
        """The steps or seconds so far."""
        return steps_done(self.model) - self.first_step if self.in_steps else self.seconds()


class TimeLimit(Timed):
    """Stops training when a time is over.

    It looks between executions, and stops where the next one would end later than the limit if it
    took as long as the last one; at least one execution runs. The ``clock`` is as in `Annealed`.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        self.limit = _check.number(seconds, "seconds", above=0)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops if the time is over."""
        if self.seconds() + getattr(self.clock, "last", 0.0) > self.limit:
            self.model.stop_training = True


class ProgressBar(Measured):
    """A bar on standard error, over the steps or seconds of a training."""

    _bar: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Opens the bar."""
        from tqdm import tqdm

        super().on_train_begin(logs)
        if self.in_steps:
            self._bar = tqdm(total=self.total, initial=self.done(), unit="step")
        else:
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
            self._bar = tqdm(total=self.total, bar_format=form)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar on."""
        losses = {k: f"{float(v):.3f}" for k, v in (logs or {}).items() if k.endswith("loss")}
        self._bar.set_postfix(losses, refresh=False)
        self._bar.update(max(0.0, min(self.done(), self.total) - self._bar.n))

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Ends the bar's line; for trainings that an exception ends, too."""
        if self._bar is not None:
            self._bar.close()


def check_length(steps: Any, seconds: Any) -> tuple[int | None, float | None]:
    """A training's length, in steps or in seconds, as numbers of Python."""
    if (steps is None) == (seconds is None):
        raise ValueError(f"wanted either steps or seconds, got {steps=} and {seconds=}")
    if steps is not None:
        return _check.integer(steps, "steps", 1), None
    return None, _check.number(seconds, "seconds", above=0)
