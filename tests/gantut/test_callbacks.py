"""Callbacks write, stop and go back when they should, and only then."""

import csv
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from states import assert_same_state, state

from gantut import callbacks, networks
from gantut.gan import GAN

SHAPE = (4, 4, 1)


def images(n=32):
    return np.random.default_rng(0).uniform(-1, 1, (n, *SHAPE)).astype(np.float32)


def make_gan(conditional=False, ema=0.9, steps_per_execution=1, seed=0):
    keras.utils.set_random_seed(seed)
    if conditional:
        gan = GAN(
            networks.mlp_generator(4, SHAPE, widths=(8,), num_classes=3),
            networks.mlp_discriminator(SHAPE, widths=(8,), num_classes=3),
            ema=ema,
            seed=seed,
        )
    else:
        gan = GAN(
            networks.mlp_generator(4, SHAPE, widths=(8,)),
            networks.mlp_discriminator(SHAPE, widths=(8,)),
            ema=ema,
            seed=seed,
        )
    gan.compile(
        keras.optimizers.Adam(1e-3),
        keras.optimizers.Adam(1e-3),
        steps_per_execution=steps_per_execution,
    )
    return gan


def fit(gan, *given, epochs=1, **arguments):
    """8 batches of 4 an epoch, in their order."""
    labels = np.arange(32) % 3 if gan.conditional else None
    return gan.fit(
        images(),
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


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "a"])
def test_intervals_are_positive_integers(every, tmp_path):
    for make in (
        lambda: callbacks.HistoryWriter(every=every),
        lambda: callbacks.StopOnDivergence(every=every),
        lambda: callbacks.SampleGrid(tmp_path, every=every),
    ):
        with pytest.raises(ValueError, match=f"every must be a positive integer, got {every!r}"):
            make()


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
    gan = make_gan(conditional=True)
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
    with pytest.raises(ValueError, match="is not conditional: SampleGrid takes no labels"):
        fit(make_gan(), callbacks.SampleGrid(tmp_path, labels=[1]))
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, got 3\.\.3"):
        fit(make_gan(conditional=True), callbacks.SampleGrid(tmp_path, labels=[3]))
    with pytest.raises(ValueError, match="columns must be a positive integer, got 0"):
        callbacks.SampleGrid(tmp_path, columns=0)
    with pytest.raises(ValueError, match="times must be a number of seconds > 0, got -1"):
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
    plain, guarded = make_gan(), make_gan()
    fit(plain)
    guard = callbacks.StopOnDivergence(every=3)
    fit(guarded, guard)
    assert guard.diverged_at is None
    assert_same_state(state(plain), state(guarded))


# --- Time ----------------------------------------------------------------------------------------


def test_time_limit_stops_before_it_would_be_passed(monkeypatch):
    gan = make_gan()
    now = iter(np.arange(0.0, 100.0))
    fit(gan, callbacks.TimeLimit(3.5, clock=lambda: next(now)))
    assert (
        int(gan.step_counter.numpy()) == 5
    )  # which ends at 4 s; no clock told how long a step takes
    fake = iter(np.arange(0.0, 100.0))
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: next(fake)))
    gan = make_gan()
    clock = callbacks.TrainingClock()
    fit(gan, clock.stop, callbacks.TimeLimit(3.5, clock=clock), clock.start)
    assert (int(gan.step_counter.numpy()), clock()) == (3, 3.0)
    assert (clock.executions, clock.last) == (3, 1.0)


def test_time_limit_lets_one_execution_run():
    gan = make_gan(steps_per_execution=4)
    fit(gan, callbacks.TimeLimit(1e-9))
    assert int(gan.step_counter.numpy()) == 4


@pytest.mark.parametrize("seconds", [0, -1.0, math.inf, math.nan, True, "3"])
def test_time_limit_wants_positive_seconds(seconds):
    with pytest.raises(ValueError, match="seconds must be a number of seconds > 0, got"):
        callbacks.TimeLimit(seconds)


def test_shared_clock_is_lent_and_taken_back():
    own = callbacks.TimeLimit(1, clock=lambda: 7.0)
    borrower = callbacks.TimeLimit(1)
    with callbacks.shared_clock([own, borrower, keras.callbacks.Callback()], lambda: 3.0):
        assert (own.seconds(), borrower.seconds()) == (7.0, 3.0)
    assert borrower._clock is None
    assert own.seconds() == 7.0


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
    with pytest.raises(ValueError, match="must return a finite number >= 0, got"):
        fit(make_gan(), callbacks.LearningRateSchedule(lambda p: factor, steps=8))


def test_a_schedule_has_one_length():
    for given in ({}, {"steps": 1, "seconds": 1}):
        for make in (
            lambda given=given: callbacks.LearningRateSchedule(lambda p: 1, **given),
            lambda given=given: callbacks.ProgressBar(**given),
        ):
            with pytest.raises(ValueError, match="wanted either steps or seconds, got"):
                make()


def test_an_optimizer_with_a_schedule_of_its_own_is_refused():
    gan = make_gan()
    own = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    gan.compile(keras.optimizers.Adam(own), keras.optimizers.Adam(own))
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        fit(gan, callbacks.LearningRateSchedule(lambda p: 1, steps=8))


# --- Progress ------------------------------------------------------------------------------------


def test_progress_bars_reach_the_end(capsys):
    fit(make_gan(), callbacks.ProgressBar(steps=8))
    shown = capsys.readouterr().err
    assert "8/8" in shown
    assert "d_loss=" in shown
    now = iter([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4.2])
    fit(make_gan(), callbacks.ProgressBar(seconds=4, clock=lambda: next(now)))
    assert "4/4 s" in capsys.readouterr().err
