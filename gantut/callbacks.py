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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut import diagnosis
from gantut._backend import keras, tf
from gantut._io import atomic_write
from gantut.data import Mixture
from gantut.gan import GAN
from gantut.plotting import save_grid
from gantut.sampling import check_labels

Logs = dict[str, float] | None

COLUMNS = ("step", "seconds", "learning_rate", "d_loss", "g_loss", "d_real", "d_fake")
"""The columns of a history."""


def _step(model: Any) -> int:
    return int(model.step_counter.numpy())


def _finite_losses(logs: Mapping[str, float]) -> bool:
    return all(math.isfinite(float(logs[name])) for name in logs if name.endswith("loss"))


def _positive_integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def _positive_seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number of seconds > 0, got {value!r}")
    return float(value)


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


class _Timed(keras.callbacks.Callback):
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
        self.total_steps = None if steps is None else _positive_integer("steps", steps)
        self.total_seconds = None if seconds is None else _positive_seconds("seconds", seconds)
        self._first_step = 0
        self._rates: list[tuple[Any, float]] = []

    def progress(self) -> float:
        """The share of the training that is done, in [0, 1]."""
        if self.total_steps is not None:
            done = (_step(self.model) - self._first_step) / self.total_steps
        else:
            assert self.total_seconds is not None
            done = self.seconds() / self.total_seconds
        return min(1.0, done)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes the learning rates that the schedule multiplies."""
        super().on_train_begin(logs)
        self._first_step = _step(self.model)
        names = ("g_optimizer", "d_optimizer")  # a VAE has the first only
        optimizers = [getattr(self.model, name) for name in names if hasattr(self.model, name)]
        self._rates = [(o, float(o.learning_rate.numpy())) for o in optimizers]

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Sets the learning rates of the coming execution."""
        progress = self.progress()
        factor = float(self.schedule(progress))
        if not 0.0 <= factor < math.inf:
            raise ValueError(
                f"the schedule must return a finite number >= 0, got {factor} at {progress:.3f}"
            )
        for optimizer, rate in self._rates:
            optimizer.learning_rate = rate * factor

    def on_train_end(self, logs: Logs = None) -> None:
        """Puts the learning rates back."""
        for optimizer, rate in self._rates:
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
        self.limit = _positive_seconds("seconds", seconds)

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

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        every: int = 100,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(clock)
        self.path = None if path is None else Path(path)
        self.every = _positive_integer("every", every)
        self.history: dict[str, list[float]] = {column: [] for column in COLUMNS}
        self._last_step = 0
        self._logs: dict[str, float] = {}
        self._lost = False

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes where the training starts."""
        super().on_train_begin(logs)
        self._last_step = _step(self.model)
        columns = (*COLUMNS[:3], *(metric.name for metric in self.model.metrics))
        if tuple(self.history) != columns:
            self.history = {column: [] for column in columns}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Adds a row if it is time, or if a loss has just become something else than a number."""
        self._logs = dict(logs or {})
        lost = not _finite_losses(self._logs)
        if _step(self.model) - self._last_step >= self.every or (lost and not self._lost):
            self._add_row()
        self._lost = lost

    def on_train_end(self, logs: Logs = None) -> None:
        """Adds the steps since the last row."""
        if _step(self.model) > self._last_step:
            self._add_row()

    def _add_row(self) -> None:
        self._last_step = _step(self.model)
        row: dict[str, float] = {
            "step": self._last_step,
            "seconds": self.seconds(),
            "learning_rate": float(self.model.g_optimizer.learning_rate.numpy()),
            **{name: float(self._logs[name]) for name in list(self.history)[3:]},
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
        self.every = None if every is None else _positive_integer("every", every)
        self.times = sorted(_positive_seconds("times", time) for time in times)
        self.columns = _positive_integer("columns", columns)
        self.rows = _positive_integer("rows", rows)
        self.labels = None if labels is None else list(labels)
        self.seed = seed
        self.scale = _positive_integer("scale", scale)
        self.files: list[Path] = []
        self._last_step = -1
        self._inputs: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Draws the latent vectors, and the first picture."""
        super().on_train_begin(logs)
        self._inputs = self._fixed_inputs()
        self.draw()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Draws if it is time."""
        due = self.every is not None and _step(self.model) - self._last_step >= self.every
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
        step = _step(self.model)
        if step == self._last_step:
            return
        self._last_step = step
        images = self.model.ema_generator(self._inputs, training=False).numpy()
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


class StopOnDivergence(keras.callbacks.Callback):
    """Stops training when a loss is no longer a finite number, and goes back to good weights.

    Args:
        every: Steps between copies of the training state (weights, optimizers, random state),
            which is kept in memory. A copy is taken only if all of it is finite.
        directory: Where the good state is saved (by `gantut.GAN.save`) when training is stopped;
            None saves nothing.

    Attributes:
        diverged_at: The step at which a loss was not finite; None if that never happened. The
            GAN then holds the last good state, and its step counter that state's step.

    Raises:
        ValueError: ``every`` is not a positive integer.
        OSError: while training, if the directory cannot be written to.
    """

    def __init__(
        self, *, every: int = 500, directory: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        self.every = _positive_integer("every", every)
        self.directory = None if directory is None else Path(directory)
        self.diverged_at: int | None = None
        self._good: dict[str, np.ndarray] = {}
        self._good_step = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Keeps the state that training starts from."""
        self.diverged_at = None
        self._good = {}
        self._keep()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks at the losses."""
        step = _step(self.model)
        if not _finite_losses(logs or {}):
            self._go_back(step)
            self.model.reset_metrics()
            self.model.stop_training = True
        elif step - self._good_step >= self.every:
            self._keep()

    def on_train_end(self, logs: Logs = None) -> None:
        """Frees the copy, after a last look at the weights."""
        if self.diverged_at is None and not _finite(_copy(self.model)):
            self._go_back(_step(self.model))
        self._good = {}

    def _go_back(self, step: int) -> None:
        self.diverged_at = step
        for name, variable in self.model._state().items():
            variable.assign(self._good[name])
        if self.directory is not None and _finite(self._good):
            self.model.save(self.directory)

    def _keep(self) -> None:
        state = _copy(self.model)
        # Weights can be lost in the very step whose loss was still finite.
        if _finite(state) or not self._good:
            self._good = state
            self._good_step = _step(self.model)


def _copy(model: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy().copy() for name, variable in model._state().items()}


def _finite(state: dict[str, np.ndarray]) -> bool:
    return all(np.isfinite(value).all() for value in state.values())


class Diagnosis(StopOnDivergence):
    """Says in words what is going on in a training, and stops it as `StopOnDivergence` does.

    Every so many steps it reads D's answers, the gradient norms of both networks and the variety
    of the samples, always on the same data and latent vectors, and tells what it finds: that the
    discriminator has won, that few classes appear and so on, with the numbers and what to try
    (`gantut.diagnosis` says what is read and where a reading becomes a symptom). A finding is
    told when it begins, and once more when it has passed. Reading changes no bit of the training:
    the networks' variables are put back, and the random numbers are its own. ::

        diagnosis = Diagnosis(images, tell=print)
        recipes.train("dcgan", images, callbacks=[diagnosis])
        print(diagnosis.report())

    In `gantut.recipes.train` it takes the place of the `StopOnDivergence` that is otherwise
    added. Measured on a CPU, a reading with the defaults took 0.15 s of processor time with recipe
    "fast" and 0.33 s with "dcgan", as much as 8 and 6 training steps: 6 to 8 % more work at one
    reading in 100 steps. `gantut.recipes.train` does not count it as training time.

    Args:
        x: Training data, float32 (n, ...); a part of it is used.
        y: Integer labels (n,), for a conditional GAN.
        every: Steps from reading to reading, rounded up to whole executions.
        warm_up: Steps before which only gradients and losses that are not finite count: at first
            any D wins, and any G's samples look alike. The GAN's own counter counts, so that a
            training which is continued has warmed up already.
        patience: Readings in a row that must show a symptom, or must not show it, before it is
            told.
        thresholds: A `gantut.diagnosis.Thresholds`; the defaults if None.
        classes: What tells the classes of samples, as in `gantut.diagnosis.Probe`: a function, a
            `gantut.data.Mixture`, or None for the judge where it applies.
        batch_size: Rows that D and the gradients are read on; a multiple of the samples that a
            packed D judges together.
        samples: Samples that variety and classes are read on.
        seed: Chooses the data and the latent vectors.
        tell: Called with each finding as a line of text when it comes, such as ``print``.
        keep_every: Steps between copies of the training state, in memory, to go back to.
        directory: Where the last good state is saved if a loss is not finite.

    Attributes:
        history: The readings as lists, by the names in `gantut.diagnosis.READINGS`.
        findings: Each `gantut.diagnosis.Finding`, in the order in which they came.
        diverged_at: As in `StopOnDivergence`.

    Raises:
        ValueError: a number is not positive, or (while training) the data does not fit the GAN.
        TypeError: ``thresholds``, ``tell`` or ``classes`` is of a wrong kind, or (while training)
            the model is no `gantut.GAN`.
        OSError: while training, if the directory cannot be written to.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        every: int = 100,
        warm_up: int = 1000,
        patience: int = 3,
        thresholds: diagnosis.Thresholds | None = None,
        classes: diagnosis.Classifier | Mixture | None = None,
        batch_size: int = 120,
        samples: int = 240,
        seed: int = 0,
        tell: Callable[[str], Any] | None = None,
        keep_every: int = 500,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(every=_positive_integer("keep_every", keep_every), directory=directory)
        self.read_every = _positive_integer("every", every)
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 0:
            raise ValueError(f"warm_up must be an integer >= 0, got {warm_up!r}")
        self.warm_up = warm_up
        self.patience = _positive_integer("patience", patience)
        thresholds = diagnosis.Thresholds() if thresholds is None else thresholds
        if not isinstance(thresholds, diagnosis.Thresholds):
            raise TypeError(f"thresholds must be Thresholds, got {type(thresholds).__name__}")
        self.thresholds = thresholds
        if tell is not None and not callable(tell):
            raise TypeError(f"tell must be a function or None, got {type(tell).__name__}")
        self.tell = tell
        self._data = (x, y)
        self._options: dict[str, Any] = {
            "classes": classes,
            "batch_size": _positive_integer("batch_size", batch_size),
            "samples": _positive_integer("samples", samples),
            "seed": seed,
        }
        self._probe: Any = None
        self._start()

    def _start(self) -> None:
        self.history: dict[str, list[float]] = {name: [] for name in diagnosis.READINGS}
        self.findings: list[diagnosis.Finding] = []
        self._going_on: set[str] = set()
        # Readings in a row that disagree with what was told last.
        self._changed: dict[str, int] = dict.fromkeys(diagnosis.SYMPTOMS, 0)

    @property
    def going_on(self) -> list[str]:
        """The names of the findings that began and have not passed."""
        return [name for name in diagnosis.SYMPTOMS if name in self._going_on]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forgets an earlier training, and takes the first reading."""
        if not isinstance(self.model, GAN):
            raise TypeError(f"Diagnosis reads a gantut.GAN, got {type(self.model).__name__}")
        self._start()
        super().on_train_begin(logs)
        self._probe = diagnosis.Probe(self.model, *self._data, **self._options)
        self._read()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks at the losses, and takes a reading if it is time."""
        super().on_train_batch_end(batch, logs)
        if self.diverged_at is not None:
            self._add(self._not_finite(logs or {}))
        elif _step(self.model) - self.history["step"][-1] >= self.read_every:
            self._read()

    def on_train_end(self, logs: Logs = None) -> None:
        """Looks at the weights, and takes the last reading."""
        told = self.diverged_at is not None
        super().on_train_end(logs)
        if self.diverged_at is None:
            if _step(self.model) > self.history["step"][-1]:
                self._read()
        elif not told:
            self._add(self._not_finite({}))
        self._probe = None

    def report(self) -> str:
        """All findings as text, a line each, and what is still going on."""
        steps = self.history["step"]
        if not steps:
            return "No reading was taken yet."
        head = (
            f"{len(steps)} reading{'s' * (len(steps) != 1)} from step {steps[0]:,} to "
            f"step {steps[-1]:,}, {len(self.findings) or 'no'} "
            f"finding{'s' * (len(self.findings) != 1)}."
        )
        lines = [head]
        if steps[-1] < self.warm_up:
            lines.append(
                f"Before step {self.warm_up:,} only the gradients are judged (warm_up), not who "
                "wins or how varied the samples are."
            )
        lines += [f"- {finding}" for finding in self.findings]
        if self.findings:
            names = ", ".join(name.replace("_", " ") for name in self.going_on)
            lines.append(f"Going on at the end: {names or 'none of them'}.")
        return "\n".join(lines)

    def _read(self) -> None:
        for name, value in self._probe.read().items():
            self.history[name].append(value)
        facts = diagnosis.facts(self.model, self._probe)
        warm = _step(self.model) >= self.warm_up
        now = diagnosis.present(
            self.history, facts, self.thresholds, warm=warm, going_on=self._going_on
        )
        for name in diagnosis.SYMPTOMS:
            before = name in self._going_on
            self._changed[name] = self._changed[name] + 1 if (name in now) != before else 0
            if self._changed[name] < self.patience:
                continue
            self._changed[name] = 0
            self._going_on ^= {name}
            self._add(diagnosis.describe(name, self.history, facts, self.thresholds, passed=before))

    def _not_finite(self, logs: Mapping[str, float]) -> diagnosis.Finding:
        losses = {name: float(logs[name]) for name in ("d_loss", "g_loss") if name in logs}
        what = (
            f"A loss is not a finite number (D's {losses['d_loss']:.3g}, G's "
            f"{losses['g_loss']:.3g})"
            if losses
            else "A weight is not a finite number"
        )
        saved = "" if self.directory is None else f" and saved in {str(self.directory)!r}"
        gan = self.model
        assert self.diverged_at is not None
        return diagnosis.Finding(
            self.diverged_at,
            "not_finite",
            f"{what}; training stops, and the weights of step {_step(gan):,} are put back{saved}. "
            f"The gradient norms were last {self.history['g_gradient'][-1]:.2g} for G and "
            f"{self.history['d_gradient'][-1]:.2g} for D. Try lower learning rates (G's is "
            f"{float(gan.g_optimizer.learning_rate):.2g}, D's "
            f"{float(gan.d_optimizer.learning_rate):.2g}), and look for a loss that takes the "
            "logarithm of a probability instead of a logit.",
            losses,
        )

    def _add(self, finding: diagnosis.Finding) -> None:
        self.findings.append(finding)
        if self.tell is not None:
            self.tell(str(finding))


class ProgressBar(_Timed):
    """A bar on standard error, over steps or over seconds.

    Args:
        steps: Length of the training in steps; or
        seconds: its length in seconds.
        clock: A function that returns the seconds so far; time since training began if None.

    Raises:
        ValueError: not exactly one of ``steps`` and ``seconds`` is given.
    """

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
        self._first_step = _step(self.model)
        if self._steps is not None:
            self._bar = tqdm(total=self._steps, unit="step")
        else:
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}"
            self._bar = tqdm(total=self._seconds, bar_format=form)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar on."""
        if self._steps is not None:
            done: float = _step(self.model) - self._first_step
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
