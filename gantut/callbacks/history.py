"""Losses over the training."""

import csv
import math
import os
from collections.abc import Callable
from pathlib import Path

from gantut import _check
from gantut._files import atomic_write
from gantut.callbacks.clock import Timed
from gantut.callbacks.parts import Logs, finite_losses, steps_done

COLUMNS = ("step", "seconds", "learning_rate", "d_loss", "g_loss", "d_real", "d_fake")
"""The columns of a history."""


class HistoryWriter(Timed):
    """Keeps the losses over the training, and writes them to a CSV file as it goes.

    It resets the GAN's running means after each row, so that a row holds the mean over the steps
    since the row before. Use one of them in a training.

    Args:
        path: The CSV file, written anew (whole or not at all) after each row; None writes none.
        every: Steps from row to row, rounded up to whole executions. A loss that is no longer
            finite gets its row at once.
        clock: As in `Annealed`.

    Attributes:
        history: The rows so far, by column: ``step``, ``seconds``, the generator's
            ``learning_rate``, ``d_loss``, ``g_loss`` and the mean probabilities ``d_real`` and
            ``d_fake``; NaN where there was nothing to take the mean of, such as ``g_loss`` before
            the first of several ``d_steps``. For another model than a GAN, the model's own means
            follow the first three. A further training of the same model adds its rows.
    """

    STATE = ("history", "_last_step", "_lost")

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        every: int = 100,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        self.path = None if path is None else Path(path)
        self.every = _check.integer(every, "every", 1)
        self.history: dict[str, list[float]] = {column: [] for column in COLUMNS}
        self._last_step = 0
        self._logs: dict[str, float] = {}
        self._lost = False

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes where the training starts."""
        super().on_train_begin(logs)
        self._logs = {}
        if self.begins():
            self._last_step = steps_done(self.model)
            columns = (*COLUMNS[:3], *(metric.name for metric in self.model.metrics))
            ahead = any(step > self._last_step for step in self.history["step"])
            if ahead or tuple(self.history) != columns:
                self.history = {column: [] for column in columns}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Adds a row if it is time, or if a loss has just become something else than a number."""
        self._logs = dict(logs or {})
        lost = not finite_losses(self._logs)
        if steps_done(self.model) - self._last_step >= self.every or (lost and not self._lost):
            self._add_row()
        self._lost = lost

    def on_train_end(self, logs: Logs = None) -> None:
        """Adds the steps since the last row."""
        if steps_done(self.model) > self._last_step:
            self._add_row()

    def _add_row(self) -> None:
        self._last_step = steps_done(self.model)
        # There are none where the checkpoint that was taken up had all steps but not their row.
        logs = self._logs or self.model.get_metrics_result()
        self.history["step"].append(self._last_step)
        self.history["seconds"].append(self.seconds())
        self.history["learning_rate"].append(float(self.model.g_optimizer.learning_rate.numpy()))
        for mean in self.model.metrics:
            known = float(mean.count.numpy()) > 0.0
            self.history[mean.name].append(float(logs[mean.name]) if known else math.nan)
        self.model.reset_metrics()
        if self.path is not None:
            with (
                atomic_write(self.path) as temporary,
                temporary.open("w", newline="", encoding="utf-8") as file,
            ):
                writer = csv.writer(file)
                writer.writerow(self.history)
                for values in zip(*self.history.values(), strict=True):
                    writer.writerow([v if isinstance(v, int) else f"{v:.6g}" for v in values])
