"""Recipes build what they say, train for as long as they are told, and repeat themselves."""

import math
import warnings
from dataclasses import dataclass, replace
from functools import cache, partial
from types import SimpleNamespace
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from states import Stop, assert_same_state, state

import gantut
from gantut import callbacks, evaluation, load_mnist, networks, recipes, stabilisers

SHAPE = (4, 4, 1)
IMAGES = tiny.images(40, 4)
PLAIN = tiny.recipe(steps=8, gpu_steps=12, steps_per_execution=4)
TINY = replace(
    PLAIN,
    discriminator=partial(networks.mlp_discriminator, widths=(8,), dropout=0.2),
    penalties={"r1": 0.3, "r2": 0.3},
    penalty_every=2,
    loss="relativistic",
    g_learning_rate=1e-3,
    d_learning_rate=4e-3,
)
CONDITIONAL = replace(PLAIN, conditional=True)


class Rates(keras.callbacks.Callback):
    """Notes the learning rates of each execution."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        optimizers = self.model.g_optimizer, self.model.d_optimizer
        self.seen.append([float(optimizer.learning_rate.numpy()) for optimizer in optimizers])


@pytest.fixture(scope="module")
def rates():
    return Rates()


@pytest.fixture(scope="module")
def run(rates):
    """A training that many tests look at, and none continues."""
    return recipes.train(TINY, IMAGES, steps=12, seed=3, history_every=8, callbacks=[rates])


@pytest.fixture
def eager():
    """What is asked is the same without a graph, and none has to be traced."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# --- Schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (recipes.constant, [1, 1, 1, 1, 1]),
        (recipes.linear_decay(), [1, 0.75, 0.5, 0.25, 0]),
        (recipes.linear_decay(hold=0.5), [1, 1, 1, 0.5, 0]),
        (recipes.cosine_decay(), [1, (2 + math.sqrt(2)) / 4, 0.5, (2 - math.sqrt(2)) / 4, 0]),
    ],
)
def test_schedules(schedule, values):
    assert [schedule(p) for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_schedules_refuse_shares_out_of_range(share):
    with pytest.raises(ValueError, match="hold"):
        recipes.linear_decay(hold=share)


# --- The recipes ---------------------------------------------------------------------------------


GANS = [name for name in recipes.RECIPES if name != "vae"]


@pytest.fixture(scope="module")
def built():
    """The GAN of a recipe, built once for the tests that only look at it."""
    return cache(lambda name: recipes.get(name).build())


@pytest.mark.parametrize("name", GANS)
def test_each_recipe_builds_what_it_says(name, built):
    recipe = recipes.get(name)
    assert recipe.name == name
    gan = built(name)
    assert gan.generator.outputs[0].shape[1:] == (28, 28, recipe.stack)
    assert gan.conditional == (recipe.conditional or recipe.clusters > 0)
    assert gan.num_classes == (recipe.clusters or (10 if recipe.conditional else None))
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


def test_mlp_has_the_widths_and_the_label_of_its_source(built):
    gan = built("mlp")
    assert gan.latent_dim == 100
    assert units(gan.generator) == [256, 512, 1024, 784]
    assert units(gan.discriminator) == [1024, 512, 256, 1]
    # One-sided smoothing: the cross-entropy of a logit 0 is log 2 whatever the label, and real
    # logits t beside fake logits -inf cost softplus(t) - 0.9 t.
    logit = tf.constant([[3.0]])
    loss = gan.adversarial_loss.discriminator(logit, tf.constant([[-1e9]]))
    assert float(loss) == pytest.approx(math.log1p(math.exp(3)) - 0.9 * 3, rel=1e-6)


def test_stacked_dcgan_has_the_published_settings(built):
    recipe = recipes.get("stacked_dcgan")
    assert (recipe.d_learning_rate, recipe.g_learning_rate) == (2e-4, 1e-4)
    assert (recipe.beta_1, recipe.beta_2, recipe.batch_size) == (0.5, 0.99, 128)
    assert (recipe.loss, dict(recipe.penalties), recipe.ema) == ("non_saturating", {}, None)
    gan, cured = built("stacked_dcgan"), built("stacked_small")
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


@pytest.mark.parametrize("name", ["stacked_dcgan", "stacked_small", "stacked"])
def test_stacked_recipes_take_grey_images(name, built):
    assert built(name).sample(3, seed=0).shape == (3, 28, 28, 3)
    with pytest.raises(ValueError, match=r"\(28, 28, 3\)"):
        recipes.get(name).build((28, 28, 3))
    with pytest.raises(ValueError, match="grey"):
        replace(PLAIN, stack=3).build((784,))


@pytest.mark.slow
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
    with pytest.raises(ValueError, match="multiples of 4"):
        recipes.get("dcgan").build((30, 28, 1))
    with pytest.raises(ValueError, match=r"'tutorial_dcgan' is made for .* got \(32, 32, 1\)"):
        recipes.get("tutorial_dcgan").build((32, 32, 1))


ANY = ["fast", "mlp", "conditional_mlp", "conditional_fast", "clustered_fast", "vae"]
BY_FOUR = ["dcgan", "conditional_dcgan", "mini_biggan"]
DIGITS = ["tutorial_dcgan", "stacked_dcgan", "stacked_small"]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(16, 16, 1), (28, 28, 1), (45, 33, 1), (64, 48, 3)], ids=str)
def test_each_recipe_takes_a_step_on_images_of_this_size_or_says_what_it_can(shape, eager):
    x = np.random.default_rng(0).uniform(-1, 1, (16, *shape)).astype(np.float32)
    y = np.arange(16) % 3
    assert sorted([*ANY, *BY_FOUR, *DIGITS, "stacked"]) == sorted(recipes.RECIPES)
    for name, recipe in recipes.RECIPES.items():
        small = replace(recipe, batch_size=8, steps_per_execution=1)
        small = replace(small, clusters=4) if recipe.clusters else small
        why = None
        if name in DIGITS and shape != (28, 28, 1):
            why = r"made for images of shape \(28, 28, 1\)"
        elif name == "stacked" and shape[2] == 3:
            why = r"wanted the image_shape \(height, width, 1\)"
        elif name in BY_FOUR and (shape[0] % 4 or shape[1] % 4):
            why = "multiples of 4 .* got 45 x 33; resize the images to 48 x 36"
        if why is None:
            run = recipes.train(small, x, y, steps=1)
            assert run.gan.sample(2).shape[1:3] == shape[:2], name
            assert run.diverged_at is None, name
        else:
            with pytest.raises(ValueError, match=why):
                recipes.train(small, x, y, steps=1)


def test_get():
    assert recipes.get(TINY) is TINY
    with pytest.raises(ValueError, match="known are fast, mlp, dcgan"):
        recipes.get("nonsense")
    with pytest.raises(TypeError, match="recipe"):
        recipes.get(3)


def test_recipes_share_no_setting_that_can_be_changed():
    mine = replace(recipes.get("fast"), name="mine")
    with pytest.raises(TypeError):
        mine.penalties["r1"] = 0.0
    weights = {"r1": 1.0}
    own = replace(TINY, penalties=weights)
    weights["r1"] = 2.0
    assert own.penalties == {"r1": 1.0}


def test_builders_are_given_what_the_recipe_says():
    def asked(**settings):
        seen = []

        def generator(**given):
            seen.append(given)
            return networks.mlp_generator(4, SHAPE, widths=(8,))

        replace(PLAIN, generator=generator, **settings).build(SHAPE, 3, mean_image=IMAGES[0])
        return seen[0]

    assert asked() == {"image_shape": SHAPE}
    with pytest.raises(ValueError, match="inputs"):  # G ignores the labels that D takes
        asked(conditional=True)
    given = asked(centred=True)
    np.testing.assert_array_equal(given.pop("mean_image"), IMAGES[0])
    assert given == {"image_shape": SHAPE}


@pytest.mark.parametrize(
    "changes",
    [
        {"penalties": {"r1": 0.3}},
        {"loss": "hinge"},
        {"beta_1": 0.1},
        {"ema": None},
        {"schedule": lambda progress: 1.0},
        {"d_steps": 2},
        {"simultaneous": True},
        {"generator": partial(networks.mlp_generator, 4, widths=(8,))},
        {"discriminator": stabilisers.packed(TINY.discriminator, 2)},
        {"callbacks": lambda **length: ()},
        {"model": partial(gantut.GAN, name="other")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_record_tells_recipes_apart_and_knows_one_again(changes):
    changed = replace(TINY, **changes).record()
    assert [name for name in changed if changed[name] != TINY.record()[name]] == list(changes)
    again = replace(TINY, penalties=dict(TINY.penalties), summary="another", steps=9)
    assert again.record() == TINY.record()
    packs = (recipes.stabilise(PLAIN, packing=2) for _ in range(2))
    assert next(packs).record() == next(packs).record()


# --- The same seed -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_whoever_watches(run, tmp_path):
    tf.random.normal((7,))
    np.random.default_rng().normal()
    keras.random.normal((3,))
    grid = callbacks.SampleGrid(tmp_path, every=4)
    again = recipes.train(
        TINY, IMAGES, steps=np.int64(12), seed=np.int64(3), progress=True, callbacks=[grid]
    )
    assert_same_state(state(again.gan), state(run.gan))
    assert len(grid.files) == 4


def test_another_seed_gives_other_weights():
    one, same, other = (
        state(TINY.build(SHAPE, seed=seed))["generator/000"] for seed in (3, np.uint8(3), 4)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


# --- Length --------------------------------------------------------------------------------------


def test_length_in_steps_is_exact(run):
    """Also where it is no multiple of the steps in an execution."""
    assert run.steps == 12
    gan = recipes.train(PLAIN, IMAGES, steps=7).gan
    for count in (gan.step_counter, gan.g_optimizer.iterations, gan.d_optimizer.iterations):
        assert int(count.numpy()) == 7


def test_lengths(monkeypatch):
    for gpu, steps in ((True, 12), (False, 8)):
        monkeypatch.setattr("gantut.recipes.training.has_gpu", lambda gpu=gpu: gpu)
        assert recipes.count_steps(TINY, 40) == steps
    assert recipes.count_steps(TINY, 40, steps=np.int32(7)) == 7
    assert recipes.count_steps(TINY, 40, epochs=3) == 6


class FakeTime:
    """Each look at the clock takes a tenth of a second."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 0.1
        return self.now


def test_seconds_count_training_and_no_callbacks(monkeypatch, eager):
    fake = FakeTime()
    time = SimpleNamespace(perf_counter=fake.perf_counter)
    monkeypatch.setattr("gantut.callbacks.clock.time", time)

    class Slow(Rates):
        def on_train_batch_begin(self, batch, logs=None):
            fake.now += 50

        def on_train_batch_end(self, batch, logs=None):
            fake.now += 1000
            super().on_train_batch_end(batch, logs)

    slow = Slow()
    recipe = replace(PLAIN, steps_per_execution=2)
    run = recipes.train(recipe, IMAGES, seconds=np.float64(0.95), callbacks=[slow])
    # Nine executions of 0.1 s each; a tenth would end at 1.0 s.
    assert run.seconds == pytest.approx(0.9)
    assert run.steps == 9 * 2
    expected = [PLAIN.g_learning_rate * (1 - 0.1 * i / 0.95) for i in range(9)]
    assert [g for g, _ in slow.seen] == pytest.approx(expected, rel=1e-5)


def test_a_record_gets_the_cpu_seconds_of_the_whole_call(monkeypatch):
    class Score(NamedTuple):
        value: int
        cpu_seconds: float

    clock = iter([1.0, 3.5])
    time = SimpleNamespace(process_time=lambda: next(clock))
    monkeypatch.setattr("gantut.recipes.training.time", time)

    @recipes.cpu_timed
    def measure(value, *, factor):
        """What it says."""
        return Score(value * factor, 0.0)

    assert measure(3, factor=2) == (6, 2.5)
    assert measure.__doc__ == "What it says."


def test_cpu_seconds_count_the_networks_too_and_an_application_may_say_more(monkeypatch, eager):
    # Read at the beginning of train and of run, and at the ends of both.
    clock = iter([1.0, 5.0, 7.5, 9.0])
    time = SimpleNamespace(process_time=lambda: next(clock))
    monkeypatch.setattr("gantut.recipes.training.time", time)
    run = recipes.train(PLAIN, IMAGES, steps=4)
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
    players = TINY.generator(image_shape=SHAPE), TINY.discriminator(image_shape=SHAPE)
    gan = settings.compiled(gantut.GAN, *players, seed=7, ema=0.6)
    assert (gan.generator, gan.discriminator) == players
    assert gan.adversarial_loss == gantut.losses.get_loss("hinge")
    assert (gan.penalties, gan.penalty_every) == ({"r1": 0.2}, 3)
    assert gan.ema == 0.6  # an option goes before a setting
    for optimizer, rate in ((gan.g_optimizer, 1e-3), (gan.d_optimizer, 4e-3)):
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.25, 0.75)
    assert gan.steps_per_execution == 5


def test_schedule_follows_the_steps_and_is_put_back(run, rates):
    factors = (1, 2 / 3, 1 / 3)
    expected = np.ravel([(1e-3 * f, 4e-3 * f) for f in factors])
    assert np.ravel(rates.seen) == pytest.approx(expected, rel=1e-6)
    assert float(run.gan.g_optimizer.learning_rate.numpy()) == pytest.approx(1e-3)
    assert float(run.gan.d_optimizer.learning_rate.numpy()) == pytest.approx(4e-3)


def test_a_training_goes_on(eager):
    writer, rates = callbacks.HistoryWriter(every=4), Rates()
    first = recipes.train(PLAIN, IMAGES, steps=4, callbacks=[writer])
    before = state(first.gan)
    faster = replace(PLAIN, g_learning_rate=7e-4)
    second = recipes.train(
        faster, IMAGES, steps=5, gan=first.gan, history_every=4, callbacks=[writer, rates]
    )
    assert second.gan is first.gan
    assert (first.steps, second.steps) == (4, 5)
    assert int(second.gan.step_counter.numpy()) == 9
    # The writer's history goes on, and what each run tells stays as it was.
    assert (first.history["step"], second.history["step"]) == ([4], [4, 8, 9])
    assert rates.seen[0] == pytest.approx([7e-4, 2e-4])
    assert not np.array_equal(state(second.gan)["generator/000"], before["generator/000"])


def test_history_has_a_row_every_so_many_steps(run):
    assert run.history["step"] == [8, 12]
    assert set(run.history) == set(callbacks.COLUMNS)
    assert all(len(column) == 2 for column in run.history.values())
    assert run.diverged_at is None


class Boom(keras.callbacks.Callback):
    """Raises something in a training."""

    def on_train_batch_end(self, batch, logs=None):
        raise KeyError("mine")


def test_an_exception_ends_a_training_as_it_is_and_leaves_the_model_in_order(eager):
    recipe = recipes.stabilise(replace(PLAIN, steps_per_execution=2), instance_noise=0.2)
    gan = recipe.build(SHAPE)

    def annealed():
        noises = [v for v in gan.discriminator.variables if v.path.endswith("stddev")]
        rates = [optimizer.learning_rate for optimizer in (gan.g_optimizer, gan.d_optimizer)]
        return [float(v.numpy()) for v in (*noises, *rates)]

    expected = pytest.approx([0.2, 2e-4, 2e-4])
    with pytest.raises(KeyboardInterrupt):
        recipes.train(recipe, IMAGES, gan=gan, callbacks=[Stop(4)])
    assert int(gan.step_counter.numpy()) == 4
    assert annealed() == expected
    with pytest.raises(KeyError, match="mine"):
        recipes.train(recipe, IMAGES, gan=gan, callbacks=[Boom()])
    assert annealed() == expected


def test_a_dataset_must_last():
    gan = PLAIN.build(SHAPE)
    few = tf.data.Dataset.from_tensor_slices(IMAGES).batch(10)
    for length in ({"steps": 5}, {"seconds": 5.0}):
        with pytest.raises(ValueError, match="repeat"):
            recipes.run(gan, few, **length)
    assert int(gan.step_counter.numpy()) == 0
    assert recipes.run(gan, few, steps=4).steps == 4
    unknown = few.filter(lambda x: True)
    with pytest.warns(UserWarning, match="dataset ended"):
        assert recipes.run(gan, unknown, seconds=3600).steps == 4


def test_divergence_is_told_and_the_last_good_weights_are_back(eager):
    schedule = lambda progress: 1.0 if progress < 0.5 else 1e30  # noqa: E731
    wild = replace(PLAIN, schedule=schedule, steps_per_execution=2)
    run = recipes.train(wild, IMAGES, steps=8)
    assert run.diverged_at == 6
    assert run.steps == 0  # a state is kept every 500 steps, and the first one
    assert all(np.isfinite(value).all() for value in state(run.gan).values())
    assert run.history["step"] == [6]
    assert not math.isfinite(run.history["d_loss"][0] + run.history["g_loss"][0])


def test_conditional_recipe_learns_as_many_classes_as_there_are(eager):
    run = recipes.train(CONDITIONAL, IMAGES, np.arange(40) % 3, steps=4)
    assert run.gan.num_classes == 3
    for labels in (None, np.zeros(39, int), np.zeros(40)):
        with pytest.raises((TypeError, ValueError), match="labels"):
            recipes.train(CONDITIONAL, IMAGES, labels)
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, got 0\.\.3"):
        recipes.train(CONDITIONAL, IMAGES, np.arange(40) % 4, gan=run.gan)


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
    assert recipes.batches(IMAGES, batch_size=8, stack=stack).options().autotune.enabled is False


@pytest.mark.parametrize(("n", "batch_size"), [(12, 4), (10, 4), (3, 8)])
def test_batches_can_begin_anywhere(n, batch_size):
    """Also within a pass, and where a batch is larger than the data."""
    x = np.arange(n, dtype=np.float32)[:, None]
    whole = list(recipes.batches(x, batch_size=batch_size, seed=1).take(9))
    for skip in (1, 3, 5, 8):
        rest = recipes.batches(x, batch_size=batch_size, seed=1, skip=skip).take(9 - skip)
        np.testing.assert_array_equal(list(rest), whole[skip:])


@pytest.mark.parametrize("stack", [1, 2])
def test_batches_do_not_copy_the_data(stack):
    recipes.make_deterministic(0)  # under which tf.data makes a copy of what its functions hold
    x = np.zeros((40, 2, 2, 1), np.float32)
    batches = iter(recipes.batches(x, batch_size=8, stack=stack))
    x[:] = 7.0
    for _ in range(5):  # some batches were made before
        batch = next(batches)
    assert np.all(batch == 7.0)


@pytest.mark.slow
def test_data_on_the_device_makes_the_same_training():
    y = np.arange(40) % 3
    sent, held = (
        recipes.train(CONDITIONAL, IMAGES, y, seed=3, on_device=where).gan
        for where in (False, True)
    )
    assert_same_state(state(held), state(sent))


@pytest.mark.slow
def test_a_training_with_its_data_on_the_device_goes_on_without(tmp_path):
    recipe = replace(PLAIN, stack=3)
    sent = recipes.train(recipe, IMAGES, seed=3, on_device=False)
    settings = {"seed": 3, "checkpoints": callbacks.Checkpoints(tmp_path, every=4)}
    with pytest.raises(KeyboardInterrupt):
        recipes.train(recipe, IMAGES, **settings, on_device=True, callbacks=[Stop(8)])
    resumed = recipes.train(recipe, IMAGES, seed=3, checkpoints=tmp_path, resume=True)
    assert_same_state(state(resumed.gan), state(sent.gan))


@pytest.mark.slow
def test_data_on_the_device_is_that_of_the_call():
    """What was compiled for other data is not used again, nor after the training."""
    other = -IMAGES
    expected = recipes.train(TINY, IMAGES, on_device=False).gan
    expected = recipes.train(TINY, other, gan=expected, on_device=False).gan
    gan = recipes.train(TINY, IMAGES, on_device=True).gan
    recipes.train(TINY, other, gan=gan, on_device=True)
    assert_same_state(state(gan), state(expected))
    for each in (gan, expected):
        each.fit(IMAGES, batch_size=20, verbose=0, shuffle=False)
    # Compiled in another place, a sum is rounded in another order: 4e-9 at most over three seeds,
    # where one step changes a weight by 2e-4.
    for name, value in state(expected).items():
        np.testing.assert_allclose(state(gan)[name], value, rtol=0, atol=1e-6)


def test_a_gpu_holds_the_data_where_it_can(monkeypatch):
    picks, gan = [], PLAIN.build(SHAPE)
    nothing = recipes.Run(gan=None, history={}, seconds=0.0, cpu_seconds=0.0, steps=0)
    monkeypatch.setattr(
        "gantut.recipes.training.run", lambda *args, pick, **_: picks.append(pick) or nothing
    )

    def holds(**options):
        recipes.train(PLAIN, IMAGES, gan=gan, **options)
        return picks.pop() is not None

    assert not holds()
    assert holds(on_device=True)
    monkeypatch.setattr("gantut.recipes.training.has_gpu", lambda: True)
    assert holds()
    assert not holds(on_device=False)
    monkeypatch.setattr("gantut.recipes.training._HELD_BYTES", IMAGES.nbytes - 1)
    assert not holds()


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


def test_a_recipe_stacks_the_images_and_their_mean(eager):
    recipe = replace(PLAIN, stack=3, centred=True)
    mean = IMAGES.mean(axis=0)
    fresh = recipe.build(SHAPE, mean_image=mean)
    bias = fresh.generator.get_layer("pixels").bias.numpy().reshape(4, 4, 3)
    for channel in range(3):
        np.testing.assert_allclose(np.tanh(bias[..., channel]), mean[..., 0], atol=1e-6)
    assert recipes.train(recipe, IMAGES, steps=4).gan.sample(2).shape == (2, 4, 4, 3)
    with pytest.raises(ValueError, match=r"'tiny' is made for .*\(4, 4, 1\), got \(4, 4, 3\)"):
        replace(recipe, image_shape=(4, 4, 1)).build((4, 4, 3))


def test_a_batch_that_the_data_does_not_fill_is_made_smaller_with_a_word():
    with pytest.warns(UserWarning, match=r"of 16 samples, .* only 7; it takes batches of 4"):
        run = recipes.train(TINY, IMAGES[:7], epochs=2)
    assert run.steps == 2  # a full batch of 4 in 7 images, twice
    smaller = recipes.train(replace(TINY, batch_size=4), IMAGES[:7], steps=2)
    for ours, theirs in zip(run.gan.weights, smaller.gan.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    packs = recipes.stabilise(TINY, packing=2)
    with pytest.warns(UserWarning, match="batches of 8"):
        assert recipes.train(packs, IMAGES[:15], steps=2).steps == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TINY.fitted(16) is TINY


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (IMAGES[:0], "at least one image"),
        (IMAGES.astype(np.float64), "got dtype float64"),
        ((127.5 * (IMAGES + 1)).astype(np.uint8), "got dtype uint8"),
        (IMAGES[..., 0], "add the axis of the channels"),
        (IMAGES * 2, r"wanted values in \[-1, 1\]"),
        (np.where(IMAGES > 0.9, np.float32(np.nan), IMAGES), "got NaN"),
        ([IMAGES[0], tiny.images(1, 5)[0]], "images of different shapes"),
    ],
)
def test_bad_images_are_refused(x, message):
    with pytest.raises((TypeError, ValueError), match=message):
        recipes.train(TINY, x)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"steps": True}, "steps"),
        ({"epochs": -1}, "epochs"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": math.nan}, "seconds"),
        ({"seconds": "2"}, "seconds"),
        ({"seconds": 1, "steps": 2}, "got steps=2, seconds=1"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"seed": "a"}, "seed"),
        ({"history_every": 0}, "every"),
        ({"resume": True}, "resume"),
        ({"checkpoints": 3}, "checkpoints"),
        ({"recipe": "nonsense"}, "recipe"),
        ({"gan": keras.Sequential()}, "GAN"),
    ],
)
def test_bad_arguments_are_refused(arguments, name):
    with pytest.raises((TypeError, ValueError), match=name):
        recipes.train(**{"recipe": TINY, "x": IMAGES, **arguments})


# --- Parts of a recipe that training must pass on ------------------------------------------------


def test_unrolled_steps_and_callbacks_of_a_recipe_reach_the_training(eager):
    lengths, batches = [], []

    def own(**length):
        lengths.append(length)
        count = lambda batch, logs: batches.append(batch)  # noqa: E731
        return [keras.callbacks.LambdaCallback(on_train_batch_end=count)]

    recipe = replace(PLAIN, unroll_steps=1, callbacks=own, steps_per_execution=2)
    run = recipes.train(recipe, IMAGES, steps=4)
    assert run.gan.unroll_steps == 1
    assert lengths == [{"steps": 4}]
    assert len(batches) == 2  # one an execution of two steps
    assert replace(PLAIN, simultaneous=True).build(SHAPE).simultaneous
    assert not PLAIN.build(SHAPE).simultaneous
