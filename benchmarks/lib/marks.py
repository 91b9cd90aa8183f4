"""Judging a model on the way: a row at each of some steps, with what it cost up to there."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gantut._keras import keras
from gantut.callbacks import Resumable

Judge = Callable[[Any], Mapping[str, Any]]


class Marks(keras.callbacks.Callback, Resumable):
    """Judges the model, for the columns of a row, each time that a step is reached."""

    STATE = ("rows", "spent")

    def __init__(self, marks: Sequence[int], judge: Judge) -> None:
        super().__init__()
        self.marks = marks
        self.judge = judge
        self.rows: list[dict[str, Any]] = []
        self.spent = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self.begins()
        self.since = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds a row if a mark is reached."""
        self.spent += time.process_time() - self.since
        step = int(self.model.step_counter.numpy())
        due = [mark for mark in self.marks if mark <= step]
        if len(due) > len(self.rows):
            self.rows.append(row(step, self.spent, self.judge(self.model)))
            print(self.rows[-1], flush=True)
        self.since = time.process_time()


def row(step: int, cpu_seconds: float, columns: Mapping[str, Any]) -> dict[str, Any]:
    """One generator at one step of one training."""
    return {"step": step, "cpu_seconds": round(cpu_seconds, 2), **columns}
