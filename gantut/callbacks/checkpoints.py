"""A training that goes on in another process."""

import contextlib
import json
import os
import re
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut import _check
from gantut._keras import keras
from gantut._state import (
    DamagedError,
    OtherTrainingError,
    numbered,
    read_meta,
    read_state,
    write_state,
)
from gantut.callbacks.clock import TrainingClock
from gantut.callbacks.parts import (
    Logs,
    Resumable,
    copy_state,
    finite_losses,
    is_finite,
    steps_done,
)


class Checkpoints(keras.callbacks.Callback):
    """Writes down a training as it goes, so that it can go on in another process, bit for bit.

    A checkpoint is one file, ``step-000480.npz``, with the weights of both networks and of the
    average, the optimizers' slots, the random state, the running means and what the other
    callbacks remember. It appears whole or not at all, and only if all of it is finite. The last
    ``keep`` of them stay, so that one which is damaged later costs a few minutes. ::

        recipes.train("fast", images, checkpoints="run", resume=True)

    With `gantut.recipes.train` the order of the data goes on as well; with ``gan.fit`` that is
    yours to see to.

    Args:
        directory: The folder for the files; made if it does not exist.
        every: Steps from checkpoint to checkpoint, rounded up to whole executions; None goes by
            ``seconds``.
        seconds: Seconds from checkpoint to checkpoint, on a clock that never goes backwards.
        keep: How many to keep.

    Attributes:
        last: The newest checkpoint that was written or taken up, a path; None so far.
        settings: What must be the same where the training is taken up, by name.

    Raises:
        FileExistsError: while training, if the folder has checkpoints of another training.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        every: int | None = None,
        seconds: float = 60.0,
        keep: int = 2,
    ) -> None:
        super().__init__()
        if not isinstance(directory, str | os.PathLike):
            raise TypeError(f"checkpoints need a folder's path, got {directory!r}")
        self.directory = Path(directory)
        self.every = None if every is None else _check.integer(every, "every", 1)
        self.every_seconds = _check.number(seconds, "seconds", above=0)
        self.keep = _check.integer(keep, "keep", 1)
        self.last: Path | None = None
        self.settings: dict[str, Any] = {}
        self._others: dict[str, Resumable] = {}
        self._clock: TrainingClock | None = None
        self._first_step = 0
        self._last_step = -1
        self._since = 0.0
        self._taken_up: dict[str, np.ndarray] = {}

    def attach(self, callbacks: Iterable[keras.callbacks.Callback], clock: TrainingClock) -> None:
        """Tells which callbacks, in the order of the training, and which clock to remember too."""
        self._clock, self._others = clock, {}
        for callback in callbacks:
            if isinstance(callback, Resumable):
                kind = type(callback).__name__
                alike = [name for name in self._others if name.startswith(f"{kind}/")]
                self._others[f"{kind}/{len(alike)}"] = callback

    def files(self) -> list[Path]:
        """The checkpoints that are there, the newest first: by their step, not by their date."""
        found = [path for path in self.directory.glob("step-*.npz") if self.step_of(path) >= 0]
        return sorted(found, key=self.step_of, reverse=True)

    @staticmethod
    def step_of(path: Path) -> int:
        """The model's step at a checkpoint, as its name says; -1 if it is no checkpoint."""
        match = re.fullmatch(r"step-(\d+)\.npz", path.name)
        return int(match[1]) if match else -1

    def check_unused(self) -> None:
        """Raises FileExistsError where there are checkpoints that this object did not write."""
        if self.last is None and self.files():
            raise FileExistsError(
                f"{str(self.directory)!r} holds checkpoints of a training already: go on with it "
                "(resume=True), take another folder, or remove them (Checkpoints.clear)"
            )

    def restore(self, gan: keras.Model, at: int | None = None) -> int | None:
        """Puts the newest whole checkpoint into a compiled GAN, and into what is attached.

        A damaged file is warned of, and the one before it is taken.

        Args:
            gan: A compiled `gantut.GAN` (or `gantut.vae.VAE`) of the same networks and optimizers.
            at: The model's step at the checkpoint that is wanted; the newest if None.

        Returns:
            The steps of this training that were done then; None if there is no checkpoint.

        Raises:
            OtherTrainingError: the checkpoint belongs to other networks or settings.
            ValueError: no checkpoint can be read.
        """
        damaged: list[str] = []
        for path in self.files():
            if at is not None and self.step_of(path) != at:
                continue
            try:
                done = self._read(path, gan)
            except (DamagedError, OSError) as error:
                damaged.append(str(error))
                continue
            for what in damaged:
                warnings.warn(f"{what}; going on from {path.name} instead", stacklevel=2)
            return done
        if damaged:
            raise DamagedError(f"no checkpoint can be read: {'; '.join(damaged)}")
        return None

    def _read(self, path: Path, gan: keras.Model) -> int:
        meta = read_meta(path)
        here, there = _as_json(self.settings), meta["settings"]
        for name in {**here, **there} if here else ():
            found, wanted = (settings.get(name, "not there") for settings in (there, here))
            if found != wanted:
                raise OtherTrainingError(
                    f"{path} belongs to another training: its {name} is {found!r}, here it is "
                    f"{wanted!r}"
                )
        means = _means(gan)
        read_state(path, {**gan.state(), **means})
        self._taken_up = {name: variable.numpy() for name, variable in means.items()}
        for name, state in meta["callbacks"].items():
            if name in self._others:
                self._others[name].load_state_dict(state)
        if self._clock is not None:
            self._clock.total = meta["seconds"]
        self.last, self._last_step = path, steps_done(gan)
        self._first_step = self._last_step - meta["done"]
        return int(meta["done"])

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts the clock."""
        self.check_unused()
        self._since = time.monotonic()
        if not self._taken_up:
            self._first_step = self._last_step = steps_done(self.model)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Puts back the running means, which Keras resets when an epoch begins."""
        if self._taken_up:
            for name, variable in _means(self.model).items():
                variable.assign(self._taken_up[name])
            self._taken_up = {}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Writes a checkpoint if it is time."""
        if self.every is not None:
            due = steps_done(self.model) - self._last_step >= self.every
        else:
            due = time.monotonic() - self._since >= self.every_seconds
        if due and finite_losses(logs):
            self.write()

    def on_train_end(self, logs: Logs = None) -> None:
        """Writes the last one."""
        if steps_done(self.model) > self._last_step:
            self.write()

    def write(self) -> None:
        """Writes a checkpoint of the present state, if it is finite, and drops the oldest."""
        state = copy_state(self.model)
        if not is_finite(state):
            return
        step = steps_done(self.model)
        meta = {
            "done": step - self._first_step,
            "seconds": 0.0 if self._clock is None else self._clock.total,
            "settings": _as_json(self.settings),
            "callbacks": {name: other.state_dict() for name, other in self._others.items()},
        }
        path = self.directory / f"step-{step:06d}.npz"
        means = {name: variable.numpy() for name, variable in _means(self.model).items()}
        try:
            write_state(path, {**state, **means}, meta)
        except OSError as error:
            raise type(error)(
                error.errno,
                f"the checkpoint of step {step:,} failed: {error.strerror}; the last good "
                f"checkpoint is {self.last or 'not there yet'}",
            ) from error
        self.last, self._last_step, self._since = path, step, time.monotonic()
        # What lies ahead of this step is damaged, or it would have been taken up.
        files = self.files()
        here = files.index(path)
        for other in (*files[:here], *files[here + self.keep :]):
            other.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all checkpoints, what was left half written, and the folder if it is empty."""
        for path in (*self.files(), *self.directory.glob(".step-*.npz")):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()
        self.last = None


def _means(model: keras.Model) -> dict[str, keras.Variable]:
    """The variables of the running means that ``fit`` reports."""
    return numbered({"mean": [v for metric in model.metrics for v in metric.variables]})


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they come back from a file."""
    return json.loads(json.dumps(settings, default=float))
