"""What is noted on the way of a training: rows at its marks, and the seconds that it takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gantut._keras import keras
from gantut.callbacks import Resumable
from lib.recording import show

Judge = Callable[[Any], Mapping[str, Any]]
CLOCKS = {"cpu_seconds": time.process_time, "seconds": time.perf_counter}


class Marks(keras.callbacks.Callback, Resumable):
    """Judges the model, for the columns of a row, at each mark; the last one ends the training.

    If the training ends before, it is judged there.

    Args:
        marks: Where to judge, rising.
        judge: From the model to further columns.
        of: The column of the marks, "step" or the clock's.
        clock: The column of the seconds without judging, a key of ``CLOCKS``.
    """

    STATE = ("rows", "spent")

    def __init__(
        self, marks: Sequence[float], judge: Judge, of: str = "step", clock: str = "cpu_seconds"
    ) -> None:
        super().__init__()
        self.marks, self.judge, self.of, self.clock = marks, judge, of, clock
        self.rows: list[dict[str, Any]] = []
        self.spent = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock; adds a row if the first mark is 0."""
        self.begins()
        self.look()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds a row if a mark is reached."""
        self.spent += CLOCKS[self.clock]() - self.since
        self.look()

    def on_train_end(self, logs: Any = None) -> None:
        """Adds a row if steps were done since the last one."""
        self.look(at_end=True)

    def look(self, at_end: bool = False) -> None:
        """Adds a row if there is a mark since the last one, and starts the clock again."""
        place = {"step": int(self.model.step_counter.numpy()), self.clock: round(self.spent, 2)}
        before = self.rows[-1] if self.rows else {"step": -1, self.of: -1}
        passed = any(before[self.of] < mark <= place[self.of] for mark in self.marks)
        if passed or (at_end and before["step"] < place["step"]):
            self.rows.append({**place, **self.judge(self.model)})
            show(self.rows[-1])
        if place[self.of] >= self.marks[-1]:
            self.model.stop_training = True
        self.since = CLOCKS[self.clock]()


def row(step: int, cpu_seconds: float, columns: Mapping[str, Any]) -> dict[str, Any]:
    """One generator at one step of one training."""
    return {"step": step, "cpu_seconds": round(cpu_seconds, 2), **columns}


class Executions(keras.callbacks.Callback):
    """Notes the time after each execution of the steps that are compiled together.

    Args:
        now: The clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.process_time) -> None:
        super().__init__()
        self.now = now

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes the beginning."""
        self.at = [(0, self.now())]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the steps done and the time."""
        self.at.append((batch + 1, self.now()))

    def taken(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps and seconds of each execution but the first, in which the graph is compiled."""
        steps, seconds = np.diff(self.at, axis=0)[1:].T
        return steps, seconds
