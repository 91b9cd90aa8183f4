"""Callbacks for the training of a :class:`gantut.GAN`: pictures, history, schedules and stops.

Each works in any ``gan.fit(..., callbacks=[...])``; :func:`gantut.recipes.train` puts them
together. Keras calls them between executions of the compiled graph, that is once every
``steps_per_execution`` steps. Steps are counted by the GAN itself, so that they go on where a
restored training stopped.
"""

import contextlib
import csv
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut import _check
from gantut._files import atomic_write
from gantut._keras import full_precision, keras, tf
from gantut._origin import Origin, find_origin, is_finite, optimizers
from gantut._state import numbered, read_meta, read_state, write_state
from gantut.data import check_labels
from gantut.plotting import save_grid

Logs = dict[str, float] | None

COLUMNS = ("step", "seconds", "learning_rate", "d_loss", "g_loss", "d_real", "d_fake")
"""The columns of a history."""


def steps_done(model: Any) -> int:
    """The steps that a model has done, as it counts them."""
    return int(model.step_counter.numpy())


def _finite_losses(logs: Mapping[str, float]) -> bool:
    return all(math.isfinite(float(logs[name])) for name in logs if name.endswith("loss"))


class Resumable:
    """What a callback must remember besides the model, so that a training can go on elsewhere.

    `Checkpoints` asks each callback of this kind for ``kept()`` and writes it down. When the
    training is taken up again it hands it back, and the callback's ``on_train_begin`` calls
    ``take_up``.

    Attributes:
        KEPT: The names of the attributes to remember; JSON must be able to hold their values.
    """

    KEPT: tuple[str, ...] = ()
    _handed_back: Mapping[str, Any] | None = None

    def kept(self) -> dict[str, Any]:
        """What there is to remember now."""
        return {name: getattr(self, name) for name in self.KEPT}

    def take_up(self) -> bool:
        """Takes what was handed back, once; False if nothing was, so that training begins."""
        values, self._handed_back = self._handed_back, None
        if values is None:
            return False
        self.remember(values)
        return True

    def remember(self, values: Mapping[str, Any]) -> None:
        """Puts back what `kept` gave."""
        for name in self.KEPT:
            setattr(self, name, values[name])


class TrainingClock:
    """Counts the seconds spent in training steps, and not those spent in callbacks.

    Tracing and compiling the step, which happen in its first execution, count as training.

    Put ``start`` last and ``stop`` first in the list of callbacks; calling the clock reads it.

    Attributes:
        start: The callback that starts the clock before each execution.
        stop: The callback that stops it after each execution.
        last: Seconds that the latest execution took, the first one left out.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.last = 0.0
        self.executions = 0
        self._since = 0.0
        clock = self

        class Start(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
                clock._since = time.perf_counter()

        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
                # Reading a loss waits for a device that works asynchronously.
                float(next(iter((logs or {}).values()), 0.0))
                clock._add(time.perf_counter() - clock._since)

        self.start: Any = Start()
        self.stop: Any = Stop()

    def _add(self, seconds: float) -> None:
        self.total += seconds
        self.executions += 1
        if self.executions > 1:
            self.last = seconds

    def __call__(self) -> float:
        """Seconds of training so far, up to the end of the latest execution."""
        return self.total


def _check_one_length(steps: int | None, seconds: float | None) -> None:
    if (steps is None) == (seconds is None):
        raise ValueError(
            f"wanted either steps or seconds, got steps={steps!r} and seconds={seconds!r}"
        )


class _Timed(keras.callbacks.Callback, Resumable):
    """A callback that knows the time: of the given clock, or since training began."""

    def __init__(self, clock: Callable[[], float] | None) -> None:
        super().__init__()
        self._clock = clock
        self._began = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return self._clock() if self._clock is not None else time.perf_counter() - self._began


@contextlib.contextmanager
def shared_clock(callbacks: Iterable[Any], clock: Callable[[], float]) -> Iterator[None]:
    """Lends a clock to those callbacks of this module that have none.

    Args:
        callbacks: Callbacks of any kind.
        clock: What they read inside the ``with`` block.
    """
    without = [c for c in callbacks if isinstance(c, _Timed) and c._clock is None]
    for callback in without:
        callback._clock = clock
    try:
        yield
    finally:
        for callback in without:
            callback._clock = None


class LearningRateSchedule(_Timed):
    """Sets all optimizers' learning rates by the progress of the training.

    The rate is the one that the optimizer had when training began, times ``schedule(progress)``;
    it is set before each execution and put back when training ends. Progress is the share of the
    steps that are done or, with ``seconds``, of the time that has passed. With ``steps`` it
    depends on nothing but the step, so a seed still fixes every bit.

    Args:
        schedule: From progress in [0, 1] to a multiplier >= 0.
        steps: Length of the training in steps; or
        seconds: its length in seconds.
        clock: A function that returns the seconds so far, such as a `TrainingClock`; time since
            training began if None.

    Raises:
        ValueError: not exactly one of ``steps`` and ``seconds`` is given, or it is not positive.
            While training: the schedule returned a number that is negative or not finite.
        TypeError: while training, if an optimizer was made with a Keras schedule of its own.
    """

    KEPT = ("_first_step", "_rates")

    def __init__(
        self,
        schedule: Callable[[float], float],
        *,
        steps: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        _check_one_length(steps, seconds)
        self.schedule = schedule
        self.total_steps = None if steps is None else _check.integer(steps, "steps", 1)
        self.total_seconds = None if seconds is None else _check.number(seconds, "seconds", above=0)
        self._first_step = 0
        self._optimizers: list[Any] = []
        self._rates: list[float] = []

    def progress(self) -> float:
        """The share of the training that is done, in [0, 1]."""
        if self.total_steps is not None:
            done = (steps_done(self.model) - self._first_step) / self.total_steps
        else:
            assert self.total_seconds is not None
            done = self.seconds() / self.total_seconds
        return min(1.0, done)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes the learning rates that the schedule multiplies."""
        super().on_train_begin(logs)
        self._first_step = steps_done(self.model)
        self._optimizers = optimizers(self.model)
        self._rates = [float(o.learning_rate.numpy()) for o in self._optimizers]
        self.take_up()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Sets the learning rates of the coming execution."""
        progress = self.progress()
        factor = float(self.schedule(progress))
        if not 0.0 <= factor < math.inf:
            raise ValueError(
                f"the schedule must return a finite number >= 0, got {factor} at {progress:.3f}"
            )
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.learning_rate = rate * factor

    def on_train_end(self, logs: Logs = None) -> None:
        """Puts the learning rates back."""
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.learning_rate = rate


class TimeLimit(_Timed):
    """Stops training when a time is over.

    It looks between executions, and stops where the next one would end later than the limit if it
    took as long as the last one; at least one execution runs.

    Args:
        seconds: The limit.
        clock: A `TrainingClock`, which leaves out the time in callbacks; the time since training
            began if None.

    Raises:
        ValueError: ``seconds`` is not a positive number.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        self.limit = _check.number(seconds, "seconds", above=0)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops if the time is over."""
        last = self._clock.last if isinstance(self._clock, TrainingClock) else 0.0
        if self.seconds() + last > self.limit:
            self.model.stop_training = True


class HistoryWriter(_Timed):
    """Keeps the losses over the training, and writes them to a CSV file as it goes.

    It resets the GAN's running means after each row, so that a row holds the mean over the steps
    since the row before. Use one of them in a training.

    Args:
        path: The CSV file, written anew (whole or not at all) after each row; None writes none.
        every: Steps from row to row, rounded up to whole executions. A loss that is no longer
            finite gets its row at once.
        clock: A function that returns the seconds so far; time since training began if None.

    Attributes:
        history: The rows so far, by column: ``step``, ``seconds``, the generator's
            ``learning_rate``, ``d_loss``, ``g_loss`` and the mean probabilities ``d_real`` and
            ``d_fake``. For another model than a GAN, the model's own means follow the first three.

    Raises:
        ValueError: ``every`` is not a positive integer.
        OSError: while training, if the file cannot be written.
    """

    KEPT = ("history", "_last_step", "_lost")

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
        self._last_step = steps_done(self.model)
        self._logs = {}
        columns = (*COLUMNS[:3], *(metric.name for metric in self.model.metrics))
        if tuple(self.history) != columns:
            self.history = {column: [] for column in columns}
        self.take_up()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Adds a row if it is time, or if a loss has just become something else than a number."""
        self._logs = dict(logs or {})
        lost = not _finite_losses(self._logs)
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
        row: dict[str, float] = {
            "step": self._last_step,
            "seconds": self.seconds(),
            "learning_rate": float(self.model.g_optimizer.learning_rate.numpy()),
            **{name: float(logs[name]) for name in list(self.history)[3:]},
        }
        for name, column in self.history.items():
            column.append(row[name])
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


class SampleGrid(_Timed):
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
        clock: A function that returns the seconds so far; time since training began if None.

    Attributes:
        files: The files written so far.

    Raises:
        ValueError: a number is not positive, or (while training) labels do not fit the GAN.
        OSError: while training, if a file cannot be written.
    """

    KEPT = ("times", "_last_step")

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
        self._inputs: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Draws the latent vectors, and the first picture."""
        super().on_train_begin(logs)
        self._inputs = self._fixed_inputs()
        if not self.take_up():
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
        images = full_precision(self.model.ema_generator(self._inputs, training=False)).numpy()
        path = self.folder / f"step-{step:06d}.png"
        save_grid(images, path, columns=self.columns, scale=self.scale)
        self.files.append(path)

    def _fixed_inputs(self) -> Any:
        gan = self.model
        rng = np.random.default_rng(self.seed)
        if not gan.conditional:
            if self.labels is not None:
                raise ValueError("this GAN is not conditional: SampleGrid takes no labels for it")
            size = (self.rows * self.columns, gan.latent_dim)
            return tf.constant(rng.standard_normal(size, dtype=np.float32))
        if self.labels is None and gan.num_classes is None:
            raise ValueError("this GAN's classes are unknown; pass labels")
        labels = np.asarray(range(gan.num_classes) if self.labels is None else self.labels)
        labels = check_labels(labels, len(labels), gan.num_classes)
        z = rng.standard_normal((self.columns, gan.latent_dim), dtype=np.float32)
        return [
            tf.constant(np.tile(z, (len(labels), 1))),
            tf.constant(np.repeat(labels, self.columns)),
        ]


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
        ValueError: ``every`` is not a positive integer.
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
        self._note_rates(step)
        if not _finite_losses(logs or {}):
            self._go_back(step)
            self.model.reset_metrics()
            self.model.stop_training = True
        elif step - self._good_step >= self.every:
            self._keep()

    def on_train_end(self, logs: Logs = None) -> None:
        """Frees the copy, after a last look at the weights."""
        if self.diverged_at is None and not is_finite(_copy(self.model)):
            self._go_back(steps_done(self.model))
        self._good = {}

    def _go_back(self, step: int) -> None:
        self.diverged_at = step
        if self.batches is not None and self._rates_since and is_finite(self._good):
            self.origin = find_origin(self.model, self._good, self.batches, self._rates_since)
        for name, variable in self.model.state().items():
            variable.assign(self._good[name])
        if self.directory is not None and is_finite(self._good):
            self.model.save(self.directory)

    def _keep(self) -> None:
        state = _copy(self.model)
        # Weights can be lost in the very step whose loss was still finite.
        if is_finite(state) or not self._good:
            self._good = state
            self._good_step = steps_done(self.model)
            self._rates_since = []

    def _note_rates(self, step: int) -> None:
        rates = [float(o.learning_rate.numpy()) for o in optimizers(self.model)]
        self._rates_since.append((step, rates))


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

    Raises:
        TypeError: ``directory`` is no path.
        ValueError: a number is not positive.
        OSError: while training, if a checkpoint cannot be written; it names the last good one.
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
            raise TypeError(f"directory must be a path, got {type(directory).__name__}")
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
        self._trackers: dict[str, np.ndarray] = {}

    def attach(self, callbacks: Iterable[Any], clock: TrainingClock) -> None:
        """Tells which callbacks and which clock are to be remembered as well.

        Args:
            callbacks: Those of the training, in an order that is the same when it is taken up.
            clock: The training's clock.
        """
        self._clock = clock
        self._others = {}
        for callback in callbacks:
            if isinstance(callback, Resumable):
                kind = type(callback).__name__
                number = sum(name.startswith(f"{kind}/") for name in self._others)
                self._others[f"{kind}/{number}"] = callback

    def files(self) -> list[Path]:
        """The checkpoints that are there, the newest first: by their step, not by their date."""
        found = [path for path in self.directory.glob("step-*.npz") if self.step_of(path) >= 0]
        return sorted(found, key=self.step_of, reverse=True)

    @staticmethod
    def step_of(path: Path) -> int:
        """The model's step at a checkpoint, as its name says; -1 if it is no checkpoint."""
        match = re.fullmatch(r"step-(\d+)\.npz", path.name)
        return int(match[1]) if match else -1

    def restore(self, gan: Any, at: int | None = None) -> int | None:
        """Puts the newest whole checkpoint into a compiled GAN, and into what is attached.

        A damaged file is warned of, and the one before it taken.

        Args:
            gan: A compiled `gantut.GAN` (or `gantut.vae.VAE`) of the same networks and optimizers.
            at: The model's step at the checkpoint that is wanted; the newest if None.

        Returns:
            The steps of this training that were done then; None if there is no checkpoint.

        Raises:
            ValueError: all checkpoints are damaged, or belong to other networks or settings.
        """
        damaged = []
        for path in self.files():
            if at is not None and self.step_of(path) != at:
                continue
            try:
                meta = read_meta(path)
                kept, done = dict(meta["callbacks"]), int(meta["done"])
                self._check_settings(path, dict(meta["settings"]))
                means = {name: np.zeros(v.shape, v.dtype) for name, v in _means(gan).items()}
                slots = {name: _Slot(value) for name, value in means.items()}
                read_state(path, {**gan.state(), **slots}, kind=type(gan).__name__)
            except _OtherRunError as error:
                raise ValueError(str(error)) from None
            except (KeyError, TypeError, ValueError, OSError) as error:
                if "belongs to other networks" in str(error):
                    raise
                damaged.append(str(error))
                continue
            for what in damaged:
                warnings.warn(f"{what}; going on from {path.name} instead", stacklevel=2)
            self._trackers = {name: slot.value for name, slot in slots.items()}
            for name, callback in self._others.items():
                callback._handed_back = kept.get(name)
            if self._clock is not None:
                self._clock.total = float(meta["seconds"])
            self.last = path
            self._last_step = steps_done(gan)
            self._first_step = self._last_step - done
            return done
        if damaged:
            raise ValueError(f"no checkpoint can be read: {'; '.join(damaged)}")
        return None

    def _check_settings(self, path: Path, found: Mapping[str, Any]) -> None:
        for name, value in self.settings.items():
            if name in found and found[name] != value:
                raise _OtherRunError(
                    f"{path} belongs to another training: its {name} is {found[name]!r}, here it "
                    f"is {value!r}"
                )

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts the clock."""
        self._since = time.monotonic()
        if not self._trackers:
            self._first_step = steps_done(self.model)
            self._last_step = self._first_step

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Puts back the running means, which Keras resets when an epoch begins."""
        if self._trackers:
            for name, variable in _means(self.model).items():
                variable.assign(self._trackers[name])
            self._trackers = {}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Writes a checkpoint if it is time."""
        if self.every is not None:
            due = steps_done(self.model) - self._last_step >= self.every
        else:
            due = time.monotonic() - self._since >= self.every_seconds
        if due and _finite_losses(logs or {}):
            self.write()

    def on_train_end(self, logs: Logs = None) -> None:
        """Writes the last one."""
        if steps_done(self.model) > self._last_step:
            self.write()

    def write(self) -> None:
        """Writes a checkpoint of the present state, if it is finite, and drops the oldest."""
        state = _copy(self.model)
        if not is_finite(state):
            return
        step = steps_done(self.model)
        meta = {
            "done": step - self._first_step,
            "seconds": 0.0 if self._clock is None else self._clock.total,
            "settings": self.settings,
            "callbacks": {name: callback.kept() for name, callback in self._others.items()},
        }
        path = self.directory / f"step-{step:06d}.npz"
        means = {name: variable.numpy() for name, variable in _means(self.model).items()}
        try:
            write_state(path, {**state, **means}, meta)
        except OSError as error:
            there = (
                "no checkpoint was written yet"
                if self.last is None
                else f"the last good checkpoint is {str(self.last)!r}, and resuming goes on there"
            )
            raise type(error)(
                error.errno, f"the checkpoint of step {step:,} failed: {error.strerror}; {there}"
            ) from error
        self.last, self._last_step, self._since = path, step, time.monotonic()
        # What lies ahead of this step is damaged, or it would have been taken up.
        files = self.files()
        here = files.index(path)
        for other in (*files[:here], *files[here + self.keep :]):
            other.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all checkpoints, what was left half written, and the folder if it is empty."""
        for path in self.files():
            path.unlink(missing_ok=True)
        if self.directory.is_dir():
            for left in self.directory.glob(".step-*.npz"):
                left.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.directory.rmdir()
        self.last = None


class _OtherRunError(Exception):
    """A checkpoint is whole, but of a training with other settings."""


class _Slot:
    """Takes what a file holds as a variable does; assigned nothing where the file does not fit."""

    def __init__(self, value: np.ndarray) -> None:
        self.value, self.shape, self.dtype = value, value.shape, value.dtype

    def assign(self, value: np.ndarray) -> None:
        self.value = value


def _means(model: Any) -> dict[str, Any]:
    """The variables of the running means that ``fit`` reports."""
    return numbered({"mean": [v for metric in model.metrics for v in metric.variables]})


def _copy(model: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy().copy() for name, variable in model.state().items()}


class ProgressBar(_Timed):
    """A bar on standard error, over steps or over seconds.

    Args:
        steps: Length of the training in steps; or
        seconds: its length in seconds.
        clock: A function that returns the seconds so far; time since training began if None.

    Raises:
        ValueError: not exactly one of ``steps`` and ``seconds`` is given.
    """

    KEPT = ("_first_step",)

    def __init__(
        self,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        _check_one_length(steps, seconds)
        self._steps, self._seconds = steps, seconds
        self._first_step = 0
        self._bar: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Opens the bar."""
        from tqdm import tqdm

        super().on_train_begin(logs)
        self._first_step = steps_done(self.model)
        self.take_up()
        if self._steps is not None:
            done = steps_done(self.model) - self._first_step
            self._bar = tqdm(total=self._steps, initial=done, unit="step")
        else:
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
            self._bar = tqdm(total=self._seconds, bar_format=form)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar on."""
        if self._steps is not None:
            done: float = steps_done(self.model) - self._first_step
        else:
            done = min(self.seconds(), self._bar.total)
        losses = {name: f"{float(value):.3f}" for name, value in (logs or {}).items()}
        self._bar.set_postfix(
            {name: losses[name] for name in losses if name.endswith("loss")}, refresh=False
        )
        self._bar.update(max(0.0, done - self._bar.n))

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Ends the bar's line; for trainings that an exception ends, too."""
        if self._bar is not None:
            self._bar.close()
