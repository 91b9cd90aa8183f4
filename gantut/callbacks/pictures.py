"""Samples on the way."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from gantut import _check
from gantut.callbacks.clock import Timed
from gantut.callbacks.parts import Logs, steps_done
from gantut.data import check_labels
from gantut.networks import is_conditional
from gantut.plotting import save_grid
from gantut.sampling import render


class SampleGrid(Timed):
    """Writes a PNG of samples now and then, always for the same latent vectors.

    A conditional GAN gets one row a class, and one latent vector a column: what changes down a
    column is the label alone. The files are named ``step-000480.png`` by the step; the first
    shows the untrained generator, the last the trained one.

    Args:
        folder: Where the files go; made if it does not exist.
        every: Steps between pictures, rounded up to whole executions.
        times: Seconds at which to draw, beside or instead of ``every``.
        columns: Images in a row.
        rows: Rows, for a GAN without labels.
        labels: Classes to draw, one row each; all classes if None.
        seed: Fixes the latent vectors.
        scale: Each pixel becomes a square of this side.
        clock: As in `Annealed`.

    Attributes:
        files: The files written so far.
    """

    STATE = ("times", "_last_step")

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        every: int | None = None,
        times: Iterable[float] = (),
        columns: int = 8,
        rows: int = 8,
        labels: Iterable[int] | None = None,
        seed: int = 0,
        scale: int = 2,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        self.folder = Path(folder)
        self.every = None if every is None else _check.integer(every, "every", 1)
        self.times = sorted(_check.number(time, "times", above=0) for time in times)
        self.columns = _check.integer(columns, "columns", 1)
        self.rows = _check.integer(rows, "rows", 1)
        self.labels = None if labels is None else list(labels)
        self.seed = seed
        self.scale = _check.integer(scale, "scale", 1)
        self.files: list[Path] = []
        self._last_step = -1
        self._inputs: tuple[np.ndarray, ...] = ()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Draws the latent vectors, and the first picture."""
        super().on_train_begin(logs)
        gan, labels = self.model, self.labels
        if is_conditional(gan.ema_generator) and labels is None:
            if gan.num_classes is None:
                raise ValueError("this GAN's classes are unknown; pass labels")
            labels = list(range(gan.num_classes))
        shape = (self.columns * (self.rows if labels is None else 1), gan.latent_dim)
        z = _check.rng(self.seed).standard_normal(shape, dtype=np.float32)
        self._inputs = (z,)
        if labels is not None:
            classes = check_labels(labels, len(labels), gan.num_classes)
            self._inputs = np.tile(z, (len(labels), 1)), np.repeat(classes, self.columns)
        if self.begins():
            self.draw()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Draws if it is time."""
        due = self.every is not None and steps_done(self.model) - self._last_step >= self.every
        now = self.seconds()
        while self.times and self.times[0] <= now:
            self.times.pop(0)
            due = True
        if due:
            self.draw()

    def on_train_end(self, logs: Logs = None) -> None:
        """Draws the last picture."""
        self.draw()

    def draw(self) -> None:
        """Writes a picture of the present step, unless there is one."""
        step = steps_done(self.model)
        if step == self._last_step:
            return
        self._last_step = step
        images = render(self.model.ema_generator, *self._inputs)
        path = self.folder / f"step-{step:06d}.png"
        save_grid(images, path, columns=self.columns, scale=self.scale)
        self.files.append(path)
