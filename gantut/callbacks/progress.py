"""How far a training is: a bar, and a limit of time."""

from collections.abc import Callable
from typing import Any

from gantut import _check
from gantut.callbacks.clock import Timed, check_length
from gantut.callbacks.parts import Logs, steps_done


class TimeLimit(Timed):
    """Stops training when a time is over.

    It looks between executions, and stops where the next one would end later than the limit if it
    took as long as the last one; at least one execution runs.

    Args:
        seconds: The limit.
        clock: A `TrainingClock`, which leaves out the time in callbacks; the time since training
            began if None.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        self.limit = _check.number(seconds, "seconds", above=0)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops if the time is over."""
        if self.seconds() + getattr(self.clock, "last", 0.0) > self.limit:
            self.model.stop_training = True


class ProgressBar(Timed):
    """A bar on standard error, over steps or over seconds.

    Args:
        steps: Length of the training in steps; or
        seconds: its length in seconds.
        clock: A function that returns the seconds so far; time since training began if None.
    """

    STATE = ("first_step",)

    def __init__(
        self,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        self.total_steps, self.total_seconds = check_length(steps, seconds)
        self.first_step = 0
        self._bar: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Opens the bar."""
        from tqdm import tqdm

        super().on_train_begin(logs)
        if self.begins():
            self.first_step = steps_done(self.model)
        if self.total_steps is not None:
            done = steps_done(self.model) - self.first_step
            self._bar = tqdm(total=self.total_steps, initial=done, unit="step")
        else:
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
            self._bar = tqdm(total=self.total_seconds, bar_format=form)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar on."""
        if self.total_steps is not None:
            done: float = steps_done(self.model) - self.first_step
        else:
            done = min(self.seconds(), self._bar.total)
        losses = {k: f"{float(v):.3f}" for k, v in (logs or {}).items() if k.endswith("loss")}
        self._bar.set_postfix(losses, refresh=False)
        self._bar.update(max(0.0, done - self._bar.n))

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Ends the bar's line; for trainings that an exception ends, too."""
        if self._bar is not None:
            self._bar.close()
