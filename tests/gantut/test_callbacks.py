"""Callbacks write, stop and go back when they should, and only then."""

import csv
import functools
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny
from PIL import Image
from states import Stop, assert_same_state, state

from gantut import callbacks, networks, stabilisers
from gantut.gan import GAN

SHAPE = (4, 4, 1)


def make_gan(**settings):
    """The GAN of some settings, as it was when it was made."""
    gan, start = built(**settings)
    for name, variable in gan.state().items():
        variable.assign(start[name])
    return gan


@functools.cache
def built(num_classes=None, ema=0.9, steps_per_execution=1, noise=None, d_steps=1):
    keras.utils.set_random_seed(0)
    labels = {} if num_classes is None else {"num_classes": num_classes}
    discriminator = networks.mlp_discriminator(SHAPE, widths=(8,), **labels)
    if noise is not None:
        discriminator = stabilisers.at_input(discriminator, stabilisers.InstanceNoise(noise))
    generator = networks.mlp_generator(4, SHAPE, widths=(8,), **labels)
    gan = GAN(generator, discriminator, ema=ema, d_steps=d_steps, seed=0)
    gan.compile(
        keras.optimizers.Adam(1e-3),
        keras.optimizers.Adam(1e-3),
        steps_per_execution=steps_per_execution,
        # Callbacks are called alike: a graph is traced only for what many tests share.
        run_eagerly=(num_classes, ema, d_steps) != (None, 0.9, 1),
    )
    return gan, state(gan)


def fit(gan, *given, epochs=1, **arguments):
    """8 batches of 4 an epoch, in their order."""
    labels = np.arange(32) % 3 if gan.conditional else None
    return gan.fit(
        tiny.images(32, 4),
        labels,
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(given),
        **arguments,
    )


class At(keras.callbacks.Callback):
    """Does something to the GAN after a step."""

    def __init__(self, step, action):
        super().__init__()
        self.step, self.action = step, action

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step_counter.numpy()) == self.step:
            self.action(self.model)


def spoil(gan):
    weight = gan.generator.weights[0]
    weight.assign(np.full(weight.shape, np.nan))


# --- History -------------------------------------------------------------------------------------


def test_history_rows_are_means_since_the_row_before(tmp_path):
    each, some = callbacks.HistoryWriter(every=1), callbacks.HistoryWriter(every=3)
    fit(make_gan(), each)
    fit(make_gan(), some)
    assert each.history["step"] == list(range(1, 9))
    assert some.history["step"] == [3, 6, 8]
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        fine = each.history[name]
        means = [np.mean(fine[:3]), np.mean(fine[3:6]), np.mean(fine[6:])]
        assert some.history[name] == pytest.approx(means, rel=1e-5)
        assert len(set(fine)) == 8
    assert some.history["learning_rate"] == pytest.approx([1e-3] * 3)
    assert some.history["seconds"] == sorted(some.history["seconds"])


def test_history_file_holds_the_history(tmp_path):
    writer = callbacks.HistoryWriter(tmp_path / "new" / "history.csv", every=4)
    seen = []
    fit(make_gan(), writer, At(5, lambda gan: seen.append(read(writer.path))))
    assert [row["step"] for row in seen[0]] == ["4"]
    rows = read(writer.path)
    assert list(rows[0]) == list(callbacks.COLUMNS)
    assert [row["step"] for row in rows] == ["4", "8"]
    for name in callbacks.COLUMNS:
        written = [float(row[name]) for row in rows]
        assert written == pytest.approx(writer.history[name], rel=1e-5)
    assert [path.name for path in writer.path.parent.iterdir()] == ["history.csv"]


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_history_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write 'history\.csv'"):
        fit(make_gan(), callbacks.HistoryWriter(tmp_path / "file" / "history.csv"))


def test_a_mean_of_nothing_is_no_number():
    """G moves in every third step only."""
    writer = callbacks.HistoryWriter(every=1)
    fit(make_gan(d_steps=3), writer)
    known = np.isfinite(writer.history["g_loss"])
    assert known.tolist() == [step % 3 == 0 for step in range(1, 9)]
    assert np.isfinite(writer.history["d_loss"]).all()


@pytest.mark.slow
def test_history_of_another_model_begins_anew():
    gan, writer = make_gan(), callbacks.HistoryWriter(every=4)
    fit(gan, writer)
    fit(gan, writer)
    assert writer.history["step"] == [4, 8, 12, 16]
    fit(make_gan(), writer)
    assert writer.history["step"] == [4, 8]
    assert len(writer.history["d_loss"]) == 2


@pytest.mark.parametrize(
    ("every", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_intervals_are_positive_integers(every, error, tmp_path):
    for make in (
        callbacks.HistoryWriter,
        callbacks.StopOnDivergence,
        lambda every: callbacks.SampleGrid(tmp_path, every=every),
        lambda every: callbacks.Checkpoints(tmp_path, every=every),
    ):
        assert make(every=np.int64(3)).every == 3
        with pytest.raises(error, match="every"):
            make(every=every)


# --- Pictures ------------------------------------------------------------------------------------


def names(grid):
    assert sorted(grid.folder.iterdir()) == grid.files
    return [path.name for path in grid.files]


def test_grids_are_drawn_on_the_way_from_fixed_latents(tmp_path):
    first = callbacks.SampleGrid(tmp_path / "a", every=3, rows=2, columns=5, scale=3)
    fit(make_gan(), first)
    steps = [0, 3, 6, 8]
    assert names(first) == [f"step-{step:06d}.png" for step in steps]
    with Image.open(first.files[0]) as picture:
        assert picture.size == ((5 * 5 - 1) * 3, (2 * 5 - 1) * 3)
    # The same weights give the same picture, whatever was drawn in between.
    again = callbacks.SampleGrid(tmp_path / "b", rows=2, columns=5, scale=3)
    other = callbacks.SampleGrid(tmp_path / "c", rows=2, columns=5, scale=3, seed=1)
    fit(make_gan(), again, other)
    assert names(again) == ["step-000000.png", "step-000008.png"]
    assert again.files[0].read_bytes() == first.files[0].read_bytes()
    assert again.files[1].read_bytes() == first.files[-1].read_bytes()
    assert again.files[0].read_bytes() != again.files[1].read_bytes()
    assert other.files[0].read_bytes() != again.files[0].read_bytes()


def test_grids_are_drawn_from_the_averaged_weights(tmp_path):
    grid = callbacks.SampleGrid(tmp_path, rows=1, columns=2, scale=1)
    gan = make_gan(ema=0.99)
    fit(gan, grid)
    with Image.open(grid.files[-1]) as picture:
        drawn = np.asarray(picture)[:, :4]
    z = np.random.default_rng(0).standard_normal((2, 4), dtype=np.float32)
    made = gan.ema_generator(z).numpy()[0, ..., 0]
    raw = gan.generator(z).numpy()[0, ..., 0]
    np.testing.assert_array_equal(drawn, np.rint((made + 1) * 127.5))
    assert not np.array_equal(drawn, np.rint((raw + 1) * 127.5))


def test_a_conditional_grid_has_a_row_a_class_and_a_latent_a_column(tmp_path):
    grid = callbacks.SampleGrid(tmp_path / "a", columns=2, scale=1)
    gan = make_gan(num_classes=3)
    fit(gan, grid)
    z = np.random.default_rng(0).standard_normal((2, 4), dtype=np.float32)
    with Image.open(grid.files[-1]) as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (3 * 5 - 1, 2 * 5 - 1)
    for label in range(3):
        made = gan.ema_generator([z, np.full(2, label)]).numpy()[..., 0]
        for column in range(2):
            tile = sheet[5 * label : 5 * label + 4, 5 * column : 5 * column + 4]
            np.testing.assert_allclose(tile, (made[column] + 1) * 127.5, atol=0.51)
    some = callbacks.SampleGrid(tmp_path / "b", columns=2, scale=1, labels=[2])
    fit(gan, some)
    with Image.open(some.files[0]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), sheet[10:])


def test_grids_at_times(tmp_path):
    now = iter(range(100))
    # Begin looks once at no clock; each step looks once: 0, 1, 2 ... seconds.
    grid = callbacks.SampleGrid(tmp_path, times=[5, 1.5, 5.5], clock=lambda: next(now))
    fit(make_gan(), grid)
    assert names(grid) == [f"step-{step:06d}.png" for step in (0, 3, 6, 7, 8)]


def test_grids_refuse_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match="takes no labels"):
        fit(make_gan(), callbacks.SampleGrid(tmp_path, labels=[1]))
    with pytest.raises(ValueError, match="labels"):
        fit(make_gan(num_classes=3), callbacks.SampleGrid(tmp_path, labels=[3]))
    with pytest.raises(ValueError, match="columns"):
        callbacks.SampleGrid(tmp_path, columns=0)
    with pytest.raises(ValueError, match="times"):
        callbacks.SampleGrid(tmp_path, times=[-1])
    assert list(tmp_path.iterdir()) == []


# --- Divergence ----------------------------------------------------------------------------------


def test_divergence_stops_and_goes_back_to_the_last_good_state():
    kept = {}
    gan = make_gan()
    guard = callbacks.StopOnDivergence(every=2)
    fit(gan, guard, At(2, lambda gan: kept.update(state(gan))), At(3, spoil))
    # The weights are lost after step 3, which step 4 shows.
    assert guard.diverged_at == 4
    assert int(gan.step_counter.numpy()) == 2
    assert_same_state(state(gan), kept)


def test_a_state_that_is_lost_already_is_not_kept():
    kept = {}
    gan = make_gan()
    guard = callbacks.StopOnDivergence(every=2)
    # Spoilt before the guard looks at step 4: the losses are finite, the weights are not.
    fit(gan, At(2, lambda gan: kept.update(state(gan))), At(4, spoil), guard)
    assert guard.diverged_at == 5
    assert_same_state(state(gan), kept)


def test_weights_lost_in_the_very_last_step_are_noticed():
    gan = make_gan()
    guard = callbacks.StopOnDivergence(every=100)
    before = state(gan)
    fit(gan, guard, At(8, spoil))
    assert guard.diverged_at == 8
    assert_same_state(state(gan), before)


def test_a_healthy_training_is_left_alone():
    gan = make_gan()
    fit(gan)
    alone = state(gan)
    guard = callbacks.StopOnDivergence(every=3)
    fit(make_gan(), guard)
    assert guard.diverged_at is None
    assert_same_state(state(gan), alone)


# --- Time ----------------------------------------------------------------------------------------


def test_time_limit_stops_before_it_would_be_passed(monkeypatch):
    gan = make_gan()
    now = iter(np.arange(0.0, 100.0))
    fit(gan, callbacks.TimeLimit(3.5, clock=lambda: next(now)))
    # Which ends at 4 s: no clock told how long a step takes.
    assert int(gan.step_counter.numpy()) == 5
    fake = iter(np.arange(0.0, 100.0))
    time = SimpleNamespace(perf_counter=lambda: next(fake))
    monkeypatch.setattr("gantut.callbacks.clock.time", time)
    gan, clock = make_gan(), callbacks.TrainingClock()
    limit = callbacks.TimeLimit(3.5, clock=clock)
    with monkeypatch.context() as patch:  # it does not look at the time by itself
        patch.setattr(limit, "on_train_begin", lambda logs=None: None)
        fit(gan, clock.stop, limit, clock.start)
    assert (int(gan.step_counter.numpy()), clock()) == (3, 3.0)
    assert (clock.executions, clock.last) == (3, 1.0)


@pytest.mark.slow
def test_time_limit_lets_one_execution_run():
    gan = make_gan(steps_per_execution=4)
    fit(gan, callbacks.TimeLimit(1e-9))
    assert int(gan.step_counter.numpy()) == 4


@pytest.mark.parametrize("seconds", [0, -1.0, math.inf, math.nan, True, "3"])
def test_time_limit_wants_positive_seconds(seconds):
    with pytest.raises((TypeError, ValueError), match="seconds"):
        callbacks.TimeLimit(seconds)
    assert callbacks.TimeLimit(np.float32(0.5)).limit == 0.5


# --- Learning rate -------------------------------------------------------------------------------


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.d_optimizer.learning_rate.numpy()))


def test_learning_rate_follows_steps():
    gan, rates = make_gan(steps_per_execution=2), Rates()
    fit(gan, rates, callbacks.LearningRateSchedule(lambda p: 1 - p, steps=8))
    assert rates.seen == pytest.approx([1e-3, 0.75e-3, 0.5e-3, 0.25e-3])
    assert float(gan.d_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    assert float(gan.g_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    # A second training starts its schedule anew, and stays at its end when it is longer.
    rates.seen.clear()
    fit(gan, rates, callbacks.LearningRateSchedule(lambda p: 1 - p, steps=4))
    assert rates.seen == pytest.approx([1e-3, 0.5e-3, 0, 0])


def test_learning_rate_follows_time():
    now = iter([0.0, 1.0, 2.0, 5.0])
    rates = Rates()
    schedule = callbacks.LearningRateSchedule(lambda p: 1 - p, seconds=4, clock=lambda: next(now))
    fit(make_gan(steps_per_execution=2), rates, schedule)
    assert rates.seen == pytest.approx([1e-3, 0.75e-3, 0.5e-3, 0])


@pytest.mark.parametrize("factor", [-0.1, math.nan, math.inf])
def test_a_schedule_must_return_a_multiplier(factor):
    with pytest.raises(ValueError, match="schedule"):
        fit(make_gan(), callbacks.LearningRateSchedule(lambda p: factor, steps=8))


def test_a_schedule_has_one_length():
    for given in ({}, {"steps": 1, "seconds": 1}):
        for make in (
            lambda given=given: callbacks.LearningRateSchedule(lambda p: 1, **given),
            lambda given=given: callbacks.ProgressBar(**given),
            lambda given=given: callbacks.AnnealNoise(**given),
        ):
            with pytest.raises(ValueError, match="steps or seconds"):
                make()


def test_an_optimizer_with_a_schedule_of_its_own_is_refused():
    gan, _ = built.__wrapped__()
    own = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    gan.compile(keras.optimizers.Adam(own), keras.optimizers.Adam(own))
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        fit(gan, callbacks.LearningRateSchedule(lambda p: 1, steps=8))


def test_what_an_exception_left_is_put_back():
    """By hand, or where the same schedule begins again; see test_recipes for `recipes.train`."""
    gan = make_gan()
    schedule = callbacks.LearningRateSchedule(lambda p: 1 - p, steps=8)

    def interrupt():
        with pytest.raises(KeyboardInterrupt):
            fit(gan, schedule, Stop(int(gan.step_counter.numpy()) + 4))
        assert float(gan.g_optimizer.learning_rate.numpy()) < 0.9e-3

    interrupt()
    rates = Rates()
    fit(gan, rates, schedule)
    assert rates.seen[0] == pytest.approx(1e-3)
    interrupt()
    schedule.put_back()
    assert float(gan.g_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    assert float(gan.d_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)


# --- Noise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "factors"),
    [
        ({"steps": 8}, [1, 0.75, 0.5, 0.25]),
        ({"steps": 4}, [1, 0.5, 0, 0]),
        ({"steps": np.int64(8), "schedule": lambda p: (1 - p) ** 2}, [1, 0.5625, 0.25, 0.0625]),
        ({"seconds": 8.0, "clock": iter([0.0, 2.0, 6.0, 9.0]).__next__}, [1, 0.75, 0.25, 0]),
    ],
    ids=["line", "short", "schedule", "seconds"],
)
def test_annealing_the_noise(arguments, factors):
    gan = make_gan(steps_per_execution=2, noise=0.4)
    (stddev,) = [v for v in gan.discriminator.variables if v.path.endswith("stddev")]
    seen = []
    read = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(stddev))
    )
    fit(gan, callbacks.AnnealNoise(**arguments), read)
    assert seen == pytest.approx([0.4 * f for f in factors], abs=1e-7)
    assert float(stddev) == pytest.approx(0.4)


def test_there_must_be_noise_to_anneal():
    with pytest.raises(ValueError, match="InstanceNoise"):
        fit(make_gan(), callbacks.AnnealNoise(8))


# --- Checkpoints: more in test_survival.py -------------------------------------------------------


def test_checkpoints_of_another_training_stay(tmp_path):
    written = callbacks.Checkpoints(tmp_path, every=4)
    gan = make_gan()
    fit(gan, written)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert [path.name for path in written.files()] == ["step-000008.npz", "step-000004.npz"]
    with pytest.raises(FileExistsError, match="resume"):
        fit(gan, callbacks.Checkpoints(tmp_path, every=4))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    fit(gan, written)  # its own it goes on with
    assert [path.name for path in written.files()] == ["step-000016.npz", "step-000012.npz"]
    written.clear()
    assert not tmp_path.exists()


# --- Progress ------------------------------------------------------------------------------------


def test_progress_bars_reach_the_end(capsys):
    fit(make_gan(), callbacks.ProgressBar(steps=8))
    shown = capsys.readouterr().err
    assert "8/8" in shown
    assert "d_loss=" in shown
    now = iter([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4.2])
    fit(make_gan(), callbacks.ProgressBar(seconds=4, clock=lambda: next(now)))
    assert "4/4 s" in capsys.readouterr().err
