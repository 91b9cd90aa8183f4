"""Recipes build what they say, train for as long as they are told, and repeat themselves."""

import math
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from states import Stop, assert_same_state, state

import gantut
from gantut import callbacks, evaluation, load_mnist, networks, recipes

SHAPE = (4, 4, 1)


def tiny_generator(shape, num_classes):
    return networks.mlp_generator(4, shape, widths=(8,), batch_norm=True)


def tiny_discriminator(shape, num_classes):
    return networks.mlp_discriminator(shape, widths=(8,), dropout=0.2)


TINY = recipes.Recipe(
    name="tiny",
    summary="for tests",
    generator=tiny_generator,
    discriminator=tiny_discriminator,
    batch_size=16,
    steps=8,
    gpu_steps=12,
    penalties={"r1": 0.3, "r2": 0.3},
    penalty_every=2,
    loss="relativistic",
    ema=0.9,
    steps_per_execution=4,
    schedule=recipes.linear_decay(),
)

CONDITIONAL = replace(
    TINY,
    conditional=True,
    generator=lambda shape, k: networks.mlp_generator(4, shape, (8,), num_classes=k),
    discriminator=lambda shape, k: networks.mlp_discriminator(shape, (8,), num_classes=k),
)


def images(n=40, shape=SHAPE):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype(np.float32)


# --- Schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (recipes.constant, [1, 1, 1, 1, 1]),
        (recipes.linear_decay(), [1, 0.75, 0.5, 0.25, 0]),
        (recipes.linear_decay(hold=0.5), [1, 1, 1, 0.5, 0]),
        (recipes.linear_decay(warm_up=0.5), [0, 0.5, 1, 0.5, 0]),
        (recipes.cosine_decay(), [1, (2 + math.sqrt(2)) / 4, 0.5, (2 - math.sqrt(2)) / 4, 0]),
        (recipes.cosine_decay(warm_up=0.5), [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_schedules(schedule, values):
    assert [schedule(p) for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_schedules_refuse_shares_out_of_range(share):
    with pytest.raises(ValueError, match=r"warm_up must lie in \[0, 1\), got"):
        recipes.cosine_decay(warm_up=share)
    with pytest.raises(ValueError, match=r"hold must lie in \[0, 1\), got"):
        recipes.linear_decay(hold=share)


# --- The recipes ---------------------------------------------------------------------------------


GANS = [name for name, recipe in recipes.RECIPES.items() if isinstance(recipe, recipes.Recipe)]


@pytest.mark.parametrize("name", GANS)
def test_each_recipe_builds_what_it_says(name):
    recipe = recipes.get(name)
    assert recipe.name == name
    gan = recipe.build()
    assert gan.generator.outputs[0].shape[1:] == (28, 28, recipe.stack)
    assert gan.conditional == recipe.conditional
    assert gan.num_classes == (10 if recipe.conditional else None)
    assert gan.adversarial_loss.name == recipe.loss
    assert gan.penalties == recipe.penalties
    assert (gan.penalty_every, gan.ema, gan.d_steps) == (
        recipe.penalty_every,
        recipe.ema,
        recipe.d_steps,
    )
    assert gan.steps_per_execution == recipe.steps_per_execution
    for optimizer, rate in (
        (gan.g_optimizer, recipe.g_learning_rate),
        (gan.d_optimizer, recipe.d_learning_rate),
    ):
        assert float(optimizer.learning_rate.numpy()) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (recipe.beta_1, recipe.beta_2)


def units(model):
    return [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def test_mlp_has_the_widths_and_the_label_of_its_source():
    recipe = recipes.get("mlp")
    gan = recipe.build()
    assert gan.latent_dim == 100
    assert units(gan.generator) == [256, 512, 1024, 784]
    assert units(gan.discriminator) == [1024, 512, 256, 1]
    # One-sided smoothing: the cross-entropy of a logit 0 is log 2 whatever the label, and real
    # logits t beside fake logits -inf cost softplus(t) - 0.9 t.
    logit = tf.constant([[3.0]])
    loss = gan.adversarial_loss.discriminator(logit, tf.constant([[-1e9]]))
    assert float(loss) == pytest.approx(math.log1p(math.exp(3)) - 0.9 * 3, rel=1e-6)


def test_stacked_dcgan_has_the_published_settings():
    recipe = recipes.get("stacked_dcgan")
    assert (recipe.d_learning_rate, recipe.g_learning_rate) == (2e-4, 1e-4)
    assert (recipe.beta_1, recipe.beta_2, recipe.batch_size) == (0.5, 0.99, 128)
    assert (recipe.loss, dict(recipe.penalties), recipe.ema) == ("non_saturating", {}, None)
    gan, cured = recipe.build(), recipes.get("stacked_small").build()
    assert gan.latent_dim == cured.latent_dim == 256
    # The cure has the same G, and the same D but for its batch normalisation and its packs of 4.
    assert [w.shape for w in cured.generator.weights] == [w.shape for w in gan.generator.weights]
    convolutions = [
        [tuple(w.shape) for w in model.trainable_weights if w.path.endswith("kernel")]
        for model in (gan.discriminator, cured.discriminator)
    ]
    assert convolutions[0] == [(3, 3, 3, 2), (3, 3, 2, 4), (3, 3, 4, 8), (128, 1)]
    assert convolutions[1] == [(3, 3, 12, 2), *convolutions[0][1:]]
    assert cured.discriminator(np.zeros((8, 28, 28, 3), np.float32)).shape == (2, 1)
    for model, count in ((gan.discriminator, 3), (cured.discriminator, 0)):
        assert sum(w.path.endswith("gamma") for w in model.trainable_weights) == count


@pytest.mark.parametrize("name", ["stacked_dcgan", "stacked_small"])
def test_small_stacked_recipes_train_on_single_images_of_28_pixels(name):
    x = images(128, (28, 28, 1))
    run = recipes.train(name, x, steps=2, seed=1)
    made = run.gan.sample(3, seed=0)
    assert made.shape == (3, 28, 28, 3)
    assert all(np.isfinite(value).all() for value in state(run.gan).values())
    with pytest.raises(ValueError, match=rf"'{name}' is made for .* got \(28, 28, 3\)"):
        recipes.train(name, np.repeat(x, 3, axis=-1), steps=2)


def test_stacked_finds_hundreds_of_triples_in_a_hundred_steps():
    """Measured: 292 and 313 of 1,000 in 2,000 samples. At its start G draws one triple."""
    x = load_mnist().x_train
    start = recipes.get("stacked").build(mean_image=x.mean(axis=0))
    assert evaluation.stacked_modes(start.sample(200, seed=1)).modes <= 5
    run = recipes.train("stacked", x, steps=100, seed=0)
    assert evaluation.stacked_modes(run.gan.sample(2_000, seed=1)).modes >= 220


def test_tutorial_dcgan_has_the_tutorials_length_and_optimizer():
    recipe = recipes.get("tutorial_dcgan")
    assert recipe.steps == recipes.count_steps(recipe, 60_000, epochs=50)
    assert (recipe.batch_size, recipe.g_learning_rate, recipe.beta_1) == (256, 1e-4, 0.9)


def test_recipes_adapt_to_the_images_or_say_why_not():
    assert recipes.get("mlp").build((6, 5, 3)).generator.outputs[0].shape[1:] == (6, 5, 3)
    gan = recipes.get("conditional_dcgan").build((8, 12, 3), num_classes=4)
    assert gan.generator.outputs[0].shape[1:] == (8, 12, 3)
    assert gan.num_classes == 4
    with pytest.raises(ValueError, match="multiples of 4, got 30 x 28"):
        recipes.get("dcgan").build((30, 28, 1))
    with pytest.raises(ValueError, match=r"'tutorial_dcgan' is made for .* got \(32, 32, 1\)"):
        recipes.get("tutorial_dcgan").build((32, 32, 1))


def test_get():
    assert recipes.get(TINY) is TINY
    with pytest.raises(ValueError, match="unknown recipe 'nonsense'; known are fast, mlp, dcgan"):
        recipes.get("nonsense")
    with pytest.raises(TypeError, match="must be a name or a Recipe, got int"):
        recipes.get(3)


# --- The same seed -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first = recipes.train(TINY, images(), seed=3)
    tf.random.normal((7,))
    np.random.default_rng().normal()
    keras.random.normal((3,))
    again = recipes.train(TINY, images(), seed=3)
    other = recipes.train(TINY, images(), seed=4)
    expected = state(first.gan)
    assert_same_state(state(again.gan), expected)
    assert first.history["d_loss"] == again.history["d_loss"]
    kernel = "generator/000"
    assert not np.array_equal(state(other.gan)[kernel], expected[kernel])


def test_fast_repeats_itself():
    x = images(64, (8, 8, 1))
    first, again = (state(recipes.train("fast", x, steps=18, seed=1).gan) for _ in range(2))
    assert_same_state(first, again)


def test_callbacks_do_not_change_the_result(tmp_path):
    plain = recipes.train(TINY, images(), seed=5)
    watched = recipes.train(
        TINY,
        images(),
        seed=5,
        progress=True,
        callbacks=[callbacks.SampleGrid(tmp_path, every=4)],
    )
    assert_same_state(state(plain.gan), state(watched.gan))


# --- Length --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "steps"), [({"steps": 7}, 7), ({"steps": 1}, 1), ({"epochs": 3}, 6), ({}, 8)]
)
def test_length_in_steps_is_exact(length, steps, monkeypatch):
    monkeypatch.setattr(recipes, "has_gpu", lambda: False)
    run = recipes.train(TINY, images(), **length)
    assert run.steps == steps
    assert (
        int(run.gan.g_optimizer.iterations.numpy())
        == int(run.gan.d_optimizer.iterations.numpy())
        == steps
    )
    assert run.history["step"][-1] == steps
    assert run.diverged_at is None


def test_a_gpu_gets_the_length_for_gpus(monkeypatch):
    for gpu, steps in ((True, 12), (False, 8)):
        monkeypatch.setattr(recipes, "has_gpu", lambda gpu=gpu: gpu)
        assert recipes.count_steps(TINY, 40) == steps


class FakeTime:
    """Each look at the clock takes a tenth of a second."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 0.1
        return self.now


def test_seconds_count_training_and_no_callbacks(monkeypatch):
    fake = FakeTime()
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=fake.perf_counter))

    class Slow(keras.callbacks.Callback):
        rates = []  # noqa: RUF012

        def on_train_batch_begin(self, batch, logs=None):
            fake.now += 50

        def on_train_batch_end(self, batch, logs=None):
            fake.now += 1000
            self.rates.append(float(self.model.g_optimizer.learning_rate.numpy()))

    slow = Slow()
    run = recipes.train(TINY, images(), seconds=0.95, callbacks=[slow])
    # Nine executions of 0.1 s each; a tenth would end at 1.0 s.
    assert run.seconds == pytest.approx(0.9)
    assert run.steps == 9 * TINY.steps_per_execution
    expected = [TINY.g_learning_rate * (1 - 0.1 * i / 0.95) for i in range(9)]
    assert slow.rates == pytest.approx(expected, rel=1e-5)


def test_a_record_gets_the_cpu_seconds_of_the_whole_call(monkeypatch):
    class Score(NamedTuple):
        value: int
        cpu_seconds: float

    clock = iter([1.0, 3.5])
    monkeypatch.setattr(recipes, "time", SimpleNamespace(process_time=lambda: next(clock)))

    @recipes.cpu_timed
    def measure(value, *, factor):
        """What it says."""
        return Score(value * factor, 0.0)

    assert measure(3, factor=2) == (6, 2.5)
    assert measure.__doc__ == "What it says."


def test_cpu_seconds_count_the_networks_too_and_an_application_may_say_more(monkeypatch):
    # Read at the beginning of train and of run, and at the ends of both.
    clock = iter([1.0, 5.0, 7.5, 9.0])
    monkeypatch.setattr(recipes, "time", SimpleNamespace(process_time=lambda: next(clock)))
    run = recipes.train(TINY, images(), steps=4)
    assert run.cpu_seconds == 8.0

    @dataclass(frozen=True, kw_only=True)
    class Labelled(recipes.Run[gantut.GAN]):
        label: str

    more = Labelled.of(run, label="few", cpu_seconds=9.5)
    assert (more.label, more.cpu_seconds, more.steps) == ("few", 9.5, 4)
    assert more.gan is run.gan
    assert more.history is run.history
    with pytest.raises(TypeError, match="label"):
        Labelled.of(run)


def test_settings_make_a_game_of_any_players():
    settings = recipes.GameSettings(
        loss="hinge",
        penalties={"r1": 0.2},
        penalty_every=3,
        ema=0.7,
        batch_size=16,
        steps=8,
        g_learning_rate=1e-3,
        d_learning_rate=4e-3,
        beta_1=0.25,
        beta_2=0.75,
        steps_per_execution=5,
    )
    players = tiny_generator(SHAPE, 10), tiny_discriminator(SHAPE, 10)
    gan = settings.compiled(gantut.GAN, *players, seed=7, ema=0.6)
    assert (gan.generator, gan.discriminator) == players
    assert gan.adversarial_loss == gantut.losses.get_loss("hinge")
    assert (gan.penalties, gan.penalty_every) == ({"r1": 0.2}, 3)
    assert gan.ema == 0.6  # an option goes before a setting
    for optimizer, rate in ((gan.g_optimizer, 1e-3), (gan.d_optimizer, 4e-3)):
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.25, 0.75)
    assert gan.steps_per_execution == 5


def test_schedule_follows_the_steps_and_is_put_back():
    class Watch(keras.callbacks.Callback):
        rates = []  # noqa: RUF012

        def on_train_batch_end(self, batch, logs=None):
            self.rates.append(
                (
                    float(self.model.g_optimizer.learning_rate.numpy()),
                    float(self.model.d_optimizer.learning_rate.numpy()),
                )
            )

    watch = Watch()
    recipe = replace(TINY, g_learning_rate=1e-3, d_learning_rate=4e-3)
    run = recipes.train(recipe, images(), steps=12, callbacks=[watch])
    factors = (1, 2 / 3, 1 / 3)
    assert np.ravel(watch.rates) == pytest.approx(
        np.ravel([(1e-3 * f, 4e-3 * f) for f in factors]), rel=1e-6
    )
    assert float(run.gan.g_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    assert float(run.gan.d_optimizer.learning_rate.numpy()) == pytest.approx(4e-3)


def test_a_training_goes_on():
    first = recipes.train(TINY, images(), steps=4)
    before = state(first.gan)
    second = recipes.train(TINY, images(), steps=5, gan=first.gan)
    assert second.gan is first.gan
    assert (first.steps, second.steps) == (4, 5)
    assert int(second.gan.step_counter.numpy()) == 9
    assert second.history["step"] == [9]
    assert not np.array_equal(state(second.gan)["generator/000"], before["generator/000"])


def test_history_has_a_row_every_so_many_steps():
    run = recipes.train(TINY, images(), steps=22, history_every=8)
    assert run.history["step"] == [8, 16, 22]
    assert set(run.history) == set(callbacks.COLUMNS)
    assert all(len(column) == 3 for column in run.history.values())
    mine = callbacks.HistoryWriter(every=4)
    run = recipes.train(TINY, images(), steps=8, callbacks=[mine])
    assert run.history is mine.history
    assert run.history["step"] == [4, 8]


def test_divergence_is_told_and_the_last_good_weights_are_back():
    wild = replace(TINY, schedule=lambda progress: 1.0 if progress < 0.5 else 1e30)
    run = recipes.train(wild, images(), steps=16)
    assert run.diverged_at == 12
    assert run.steps == 0  # the guard keeps a state every 500 steps, and the first one
    assert all(np.isfinite(value).all() for value in state(run.gan).values())
    assert run.history["step"] == [12]
    assert not math.isfinite(run.history["d_loss"][0] + run.history["g_loss"][0])


def test_conditional_recipe_learns_as_many_classes_as_there_are():
    run = recipes.train(CONDITIONAL, images(), np.arange(40) % 3, steps=4)
    assert run.gan.num_classes == 3
    with pytest.raises(ValueError, match="'tiny' is conditional: it needs labels y"):
        recipes.train(CONDITIONAL, images())
    with pytest.raises(ValueError, match=r"labels must be integers of shape \(40,\), got int64"):
        recipes.train(CONDITIONAL, images(), np.zeros(39, int))
    with pytest.raises(ValueError, match=r"labels must be integers .* got float64"):
        recipes.train(CONDITIONAL, images(), np.zeros(40))
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, got 0\.\.3"):
        recipes.train(CONDITIONAL, images(), np.arange(40) % 4, gan=run.gan)


# --- Data ----------------------------------------------------------------------------------------


def test_batches_hold_each_image_once_a_pass_in_changing_order():
    x = np.arange(12, dtype=np.float32)[:, None]
    y = np.arange(12, dtype=np.int32) * 10

    def draw(seed):
        pairs = list(recipes.batches(x, y, batch_size=4, seed=seed).take(9))
        assert all(len(a) == len(b) == 4 for a, b in pairs)
        order = np.concatenate([a.numpy()[:, 0] for a, _ in pairs]).astype(int)
        np.testing.assert_array_equal(np.concatenate([b.numpy() for _, b in pairs]), order * 10)
        return order.reshape(3, 12)

    passes = draw(1)
    for one in passes:
        assert sorted(one) == list(range(12))
    assert not np.array_equal(passes[0], passes[1])
    np.testing.assert_array_equal(draw(1), passes)
    assert not np.array_equal(draw(2), passes)


@pytest.mark.parametrize("stack", [1, 3])
def test_the_end_of_a_dataset_waits_for_no_tuner(stack):
    """With one, a fit of 1.9 s on two cores took 2.6 s in every third try."""
    assert recipes.batches(images(), batch_size=8, stack=stack).options().autotune.enabled is False


@pytest.mark.parametrize(("n", "batch_size"), [(12, 4), (10, 4), (3, 8)])
def test_batches_can_begin_anywhere(n, batch_size):
    """Also within a pass, and where a batch is larger than the data."""
    x = np.arange(n, dtype=np.float32)[:, None]
    whole = list(recipes.batches(x, batch_size=batch_size, seed=1).take(9))
    for skip in range(1, 9):
        rest = recipes.batches(x, batch_size=batch_size, seed=1, skip=skip).take(9 - skip)
        np.testing.assert_array_equal(list(rest), whole[skip:])


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from Linux")
def test_batches_do_not_copy_the_data():
    def peak():
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(line) / 1024

    recipes.make_deterministic(0)  # under which tf.data makes a copy of what its functions hold
    x = np.ones((40_000, 28, 28, 1), np.float32)
    next(iter(recipes.batches(x[:100], batch_size=64)))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    for data in ({"x": x, "y": np.arange(len(x))}, {"x": x, "stack": 3}):
        for _ in recipes.batches(**data, batch_size=64).take(3):
            pass
    # The array has 120 MiB.
    assert peak() - before < 30


@pytest.mark.parametrize("kind", ["images", "labels", "stacked"])
def test_data_on_the_device_makes_the_same_training(kind, tmp_path):
    recipe, y = TINY, None
    if kind == "labels":
        recipe, y = CONDITIONAL, np.arange(40) % 3
    if kind == "stacked":
        recipe = replace(TINY, stack=3)
    sent = recipes.train(recipe, images(), y, seed=3, on_device=False)
    held = recipes.train(recipe, images(), y, seed=3, on_device=True)
    assert_same_state(state(held.gan), state(sent.gan))

    # One that was written down with the data on the device goes on with batches from the host.
    settings = {"seed": 3, "checkpoints": callbacks.Checkpoints(tmp_path, every=4)}
    with pytest.raises(KeyboardInterrupt):
        recipes.train(recipe, images(), y, **settings, on_device=True, callbacks=[Stop(8)])
    resumed = recipes.train(recipe, images(), y, seed=3, checkpoints=tmp_path, resume=True)
    assert_same_state(state(resumed.gan), state(sent.gan))


def test_data_on_the_device_is_that_of_the_call():
    """What was compiled for other data is not used again, nor after the training."""
    other = -images()
    expected = recipes.train(TINY, images(), on_device=False).gan
    expected = recipes.train(TINY, other, gan=expected, on_device=False).gan
    gan = recipes.train(TINY, images(), on_device=True).gan
    recipes.train(TINY, other, gan=gan, on_device=True)
    assert_same_state(state(gan), state(expected))
    for each in (gan, expected):
        each.fit(images(), batch_size=20, verbose=0, shuffle=False)
    # Compiled in another place, a sum is rounded in another order: 4e-9 at most over three seeds,
    # where one step changes a weight by 2e-4.
    for name, value in state(expected).items():
        np.testing.assert_allclose(state(gan)[name], value, rtol=0, atol=1e-6)


def test_a_gpu_holds_the_data_where_it_can(monkeypatch):
    held = []
    fit = gantut.GAN.fit

    def watched(*args, pick=None, **kwargs):
        held.extend([] if pick is None else [pick])
        return fit(*args, pick=pick, **kwargs)

    monkeypatch.setattr(gantut.GAN, "fit", watched)
    recipes.train(TINY, images(), steps=4)
    assert not held
    monkeypatch.setattr(recipes, "has_gpu", lambda: True)
    recipes.train(TINY, images(), steps=4)
    assert len(held) == 1
    recipes.train(TINY, images(), steps=4, on_device=False)
    monkeypatch.setattr(recipes, "_HELD_BYTES", images().nbytes - 1)
    recipes.train(TINY, images(), steps=4)
    assert len(held) == 1


def test_stacked_batches_draw_each_channel_alone():
    """Channel c of a stacked image is one whole image, drawn uniformly and independently."""
    n = 5
    x = np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3, 1)
    batches = list(recipes.batches(x, batch_size=500, seed=1, stack=3).take(2))
    assert all(batch.shape == (500, 2, 3, 3) for batch in batches)
    assert not np.array_equal(*batches)
    out = np.concatenate(batches)
    chosen = (out[:, 0, 0] / 6).astype(int)
    np.testing.assert_array_equal(out, np.moveaxis(x[chosen][..., 0], 1, -1))
    # 125 equally likely triples: chi-squared has mean 124 and deviation 15.7; 5 deviations.
    counts = np.bincount(chosen @ [25, 5, 1], minlength=125)
    assert np.sum((counts - 8) ** 2 / 8) < 124 + 5 * 15.7
    again = next(iter(recipes.batches(x, batch_size=500, seed=1, stack=3)))
    np.testing.assert_array_equal(again, batches[0])
    other = next(iter(recipes.batches(x, batch_size=500, seed=2, stack=3)))
    assert not np.array_equal(other, batches[0])
    colour = next(iter(recipes.batches(np.repeat(x, 2, -1), batch_size=4, stack=2)))
    assert colour.shape == (4, 2, 3, 4)
    with pytest.raises(ValueError, match="stacked images have 3 labels each"):
        recipes.batches(x, np.arange(n), batch_size=2, stack=3)


def test_a_recipe_stacks_the_images_and_their_mean():
    def generator(shape, num_classes, mean_image):
        return networks.mlp_generator(4, shape, widths=(8,), mean_image=mean_image)

    def discriminator(shape, num_classes, mean_image):
        return networks.mlp_discriminator(shape, widths=(8,), mean_image=mean_image)

    recipe = replace(TINY, stack=3, centred=True, generator=generator, discriminator=discriminator)
    x = images()
    fresh = recipe.build(x.shape[1:], mean_image=x.mean(axis=0))
    bias = fresh.generator.get_layer("pixels").bias.numpy().reshape(4, 4, 3)
    for channel in range(3):
        np.testing.assert_allclose(np.tanh(bias[..., channel]), x.mean(axis=0)[..., 0], atol=1e-6)
    run = recipes.train(recipe, x, steps=4, seed=1)
    assert run.gan.sample(2).shape == (2, 4, 4, 3)
    again = recipes.train(recipe, x, steps=4, seed=1)
    assert_same_state(state(run.gan), state(again.gan))
    with pytest.raises(ValueError, match=r"'tiny' is made for .*\(4, 4, 1\), got \(4, 4, 3\)"):
        replace(recipe, image_shape=(4, 4, 1)).build((4, 4, 3))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images(0), "at least one image"),
        (images(15), "batches of 16 samples, but there are only 15"),
        (images().astype(np.float64), "got dtype float64"),
        ((127.5 * (images() + 1)).astype(np.uint8), "got dtype uint8"),
        (images()[..., 0], "add the axis of the channels"),
        (images() * 2, r"wanted values in \[-1, 1\]"),
        (np.where(images() > 0.99, np.float32(np.nan), images()), "got NaN"),
        ([images(1)[0], images(1, (5, 4, 1))[0]], "images of different shapes"),
    ],
)
def test_bad_images_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        recipes.train(TINY, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a positive integer, got 0"),
        ({"steps": 1.5}, "steps must be a positive integer, got 1.5"),
        ({"steps": True}, "steps must be a positive integer, got True"),
        ({"epochs": -1}, "epochs must be a positive integer, got -1"),
        ({"seconds": 0}, "seconds must be a number of seconds > 0, got 0"),
        ({"seconds": math.nan}, "seconds must be a number of seconds > 0, got nan"),
        ({"seconds": "2"}, "seconds must be a number of seconds > 0, got '2'"),
        ({"seconds": 1, "steps": 2}, "wanted one length .*, got steps=2, seconds=1"),
        ({"seed": -1}, r"seed must be an integer in \[0, 2\*\*32\), got -1"),
        ({"seed": 2**32}, "seed must be an integer"),
        ({"seed": "a"}, "seed must be an integer .* got 'a'"),
        ({"history_every": 0}, "every must be a positive integer, got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        recipes.train(TINY, images(), **arguments)


def test_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="unknown recipe 'nonsense'"):
        recipes.train("nonsense", images())


# --- Parts of a recipe that training must pass on ------------------------------------------------


def test_unrolled_steps_and_callbacks_of_a_recipe_reach_the_training():
    lengths = []

    class Count(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            Count.batches += 1

    def own(**length):
        lengths.append(length)
        return [Count()]

    plain = replace(TINY, penalties={}, penalty_every=1)
    unrolled = replace(plain, unroll_steps=1, callbacks=own)
    runs = [recipes.train(recipe, images(), steps=8, seed=3) for recipe in (plain, unrolled)]
    assert [run.gan.unroll_steps for run in runs] == [0, 1]
    assert lengths == [{"steps": 8}]
    assert Count.batches == 2  # one an execution of four steps
    ends = [run.gan.generator.get_weights()[0] for run in runs]
    assert np.abs(ends[0] - ends[1]).max() > 1e-5
    assert recipes.no_callbacks(seconds=2.0) == ()
    assert replace(plain, simultaneous=True).build(images().shape[1:]).simultaneous
    assert not plain.build(images().shape[1:]).simultaneous
