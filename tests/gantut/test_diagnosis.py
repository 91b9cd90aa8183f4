"""A diagnosis reads what is there, changes nothing, and says the right thing at the right time."""

import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from states import assert_same_state, state

from gantut import callbacks, data, diagnosis, losses, networks, recipes
from gantut.diagnosis import Facts, Thresholds
from gantut.gan import GAN

RING = data.ring_mixture(sigma=0.05)


def ring(n=240, seed=0):
    """Points of the ring of eight, and which of the eight each belongs to."""
    rng = np.random.default_rng(seed)
    mode = np.arange(n) % 8
    points = RING.centres[mode] + RING.sigma * rng.standard_normal((n, 2))
    return points.astype(np.float32), mode


def linear(units, weights, *, bias=True, inputs=2):
    """A model of one dense layer with the given weights."""
    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, use_bias=bias)])
    model.set_weights([np.asarray(weight, np.float32) for weight in weights])
    return model


def small_discriminator(activation="tanh", width=32):
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(width, activation), keras.layers.Dense(1)]
    )


def compiled(gan, d_rate=1e-3, g_rate=1e-3, optimizer=keras.optimizers.SGD, eager=False):
    gan.compile(optimizer(d_rate), optimizer(g_rate), run_eagerly=eager)
    return gan


@pytest.fixture(scope="module")
def puppets():
    """Two linear networks, compiled once."""
    return compiled(GAN(linear(2, [np.eye(2), [0, 0]]), linear(1, [np.ones((2, 1)), [0]]), seed=0))


@pytest.fixture
def make_puppets(puppets):
    """The two with weights and learning rates as wanted, at step 0."""

    def make(
        generator=(((1, 0), (0, 1)), (0, 0)), discriminator=((1, 1), 0), d_rate=0.0, g_rate=0.0
    ):
        matrix, bias = discriminator
        weights = (*generator, np.reshape(matrix, (2, 1)), [bias])
        variables = puppets.generator.weights + puppets.discriminator.weights
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(np.asarray(weight, np.float32))
        puppets.step_counter.assign(0)
        puppets.seed_generator.state.assign([0, 7])
        puppets.d_optimizer.learning_rate = d_rate
        puppets.g_optimizer.learning_rate = g_rate
        return puppets

    return make


def fit(gan, x, *given, steps, y=None, batch_size=24):
    epochs = -(-steps * batch_size // len(x))
    gan.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=list(given))


def softplus(x):
    return np.logaddexp(0.0, x)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


# --- Readings ------------------------------------------------------------------------------------

ENTROPY = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))


@pytest.mark.parametrize(
    ("loss", "blind", "best"),
    [
        ("minimax", 2 * math.log(2), 0.0),
        ("non_saturating", 2 * math.log(2), 0.0),
        # D answers 0.45 everywhere, or 0.9 on data and 0 on samples.
        (losses.get_loss("minimax", real_label=0.9), -2 * (0.45 * math.log(0.45)
         + 0.55 * math.log(0.55)), ENTROPY),
        ("least_squares", 0.25, 0.0),
        ("hinge", 2.0, 0.0),
        ("relativistic", math.log(2), 0.0),
        ("wasserstein", 0.0, -math.inf),
    ],
)  # fmt: skip
def test_the_scale_of_a_loss(loss, blind, best):
    found = diagnosis.blind_and_best(losses.get_loss(loss))
    # The grid is coarse; only the smoothed loss has its optima between the points.
    assert found == pytest.approx((blind, best), abs=3e-3)


def test_effective_number_of_classes():
    assert diagnosis.effective_number({3: 1.0}) == 1.0
    assert diagnosis.effective_number(dict.fromkeys(range(7), 1 / 7)) == pytest.approx(7)
    assert diagnosis.effective_number({0: 0.5, 1: 0.25, 2: 0.25, 9: 0.0}) == pytest.approx(2**1.5)
    assert math.isnan(diagnosis.effective_number({}))


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "relativistic", "wasserstein"])
def test_a_reading_of_two_linear_networks(loss):
    """G(z) = z A + b and D(x) = x w + c, for which all of it can be written down."""
    a, b = np.array([[0.5, 0.1], [-0.2, 0.3]]), np.array([0.7, -0.4])
    w, c = np.array([[1.5], [-0.5]]), np.array([0.2])
    gan = compiled(GAN(linear(2, [a, b]), linear(1, [w, c]), loss))
    x, _ = ring()
    probe = diagnosis.Probe(gan, x, classes=RING, batch_size=240)
    reading = probe.read()
    z, real = probe.latents.numpy().astype(float), probe.real.numpy().astype(float)
    assert sorted(map(tuple, real.astype(np.float32))) == sorted(map(tuple, x))
    fake = z @ a + b
    on_real, on_fake = real @ w + c, fake @ w + c
    assert reading["d_real"] == pytest.approx(sigmoid(on_real).mean(), rel=1e-5)
    assert reading["d_fake"] == pytest.approx(sigmoid(on_fake).mean(), rel=1e-5)
    assert reading["told_apart"] == pytest.approx((on_real > on_fake.T).mean(), abs=2e-4)
    if loss in ("minimax", "non_saturating"):
        d_loss = softplus(-on_real).mean() + softplus(on_fake).mean()
        scale = 2 * math.log(2)
        to_real, to_fake = sigmoid(on_real) - 1, sigmoid(on_fake)
        to_g = -sigmoid(on_fake) if loss == "minimax" else sigmoid(on_fake) - 1
        g_loss = -softplus(on_fake).mean() if loss == "minimax" else softplus(-on_fake).mean()
    elif loss == "relativistic":
        d_loss, scale = softplus(on_fake - on_real).mean(), math.log(2)
        to_fake = sigmoid(on_fake - on_real)
        to_real, to_g = -to_fake, to_fake - 1
        g_loss = softplus(on_real - on_fake).mean()
    else:
        d_loss, g_loss, scale = on_fake.mean() - on_real.mean(), -on_fake.mean(), math.nan
        to_fake, to_real, to_g = np.ones((240, 1)), -np.ones((240, 1)), -np.ones((240, 1))
    assert reading["d_loss"] == pytest.approx(d_loss, rel=1e-5)
    assert reading["g_loss"] == pytest.approx(g_loss, rel=1e-5)
    assert reading["advantage"] == pytest.approx(1 - d_loss / scale, abs=1e-5, nan_ok=True)
    d_parts = (real.T @ to_real + fake.T @ to_fake) / 240, (to_real + to_fake).mean()
    g_parts = (z.T @ to_g @ w.T) / 240, to_g.mean() * w
    for name, parts in (("d_gradient", d_parts), ("g_gradient", g_parts)):
        assert reading[name] == pytest.approx(
            math.sqrt(sum(np.sum(np.square(part)) for part in parts)), rel=1e-5
        )

    def spread(points):
        return np.mean(
            [np.linalg.norm(points - np.roll(points, -k, 0), axis=1).mean() for k in (1, 2, 3, 4)]
        )

    assert reading["variety"] == pytest.approx(spread(fake) / spread(real), rel=1e-5)
    counts = np.bincount(
        np.linalg.norm(fake[:, None] - RING.centres, axis=-1).argmin(axis=1), minlength=8
    )
    shares = counts[counts > 0] / 240
    assert reading["classes"] == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))
    assert probe.shares == {k: count / 240 for k, count in enumerate(counts) if count}
    assert probe.data_classes == pytest.approx(8)
    assert reading["mode_gap"] == 0.0
    assert reading["step"] == 0
    assert tuple(reading) == diagnosis.READINGS


def test_equal_logits_count_half(make_puppets):
    gan = make_puppets(discriminator=((0, 0), 0))
    assert diagnosis.Probe(gan, ring()[0]).read()["told_apart"] == 0.5


def test_variety_of_a_conditional_pair_is_that_within_a_class():
    """G puts each class on one point: all variety is between the classes."""
    latents, label = keras.Input((2,)), keras.Input((), dtype="int32")
    point = keras.layers.Embedding(8, 2, embeddings_initializer=keras.initializers.Zeros())
    spread = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    made = keras.layers.Add()([point(label), spread(latents)])
    x, mode = ring()
    x_in, label_in = keras.Input((2,)), keras.Input((), dtype="int32")
    seen = keras.layers.Concatenate()([x_in, keras.layers.Embedding(8, 1)(label_in)])
    gan = GAN(
        keras.Model([latents, label], made),
        keras.Model([x_in, label_in], keras.layers.Dense(1)(seen)),
    )
    compiled(gan)
    point.set_weights([RING.centres])
    probe = diagnosis.Probe(gan, x, mode, classes=RING)
    for size in (0.0, 0.05, 0.2):
        spread.set_weights([np.eye(2) * size])
        # Data and samples have the same distribution within a class at size 0.05; the error of
        # the ratio with 30 points a class was below 3 %.
        assert probe.read()["variety"] == pytest.approx(size / 0.05, rel=0.08)


def normalised_gan(conditional=False):
    """Batch normalisation in G, dropout and spectral normalisation in D, averaged weights."""
    keras.utils.set_random_seed(1)
    if conditional:
        generator = networks.mlp_generator(4, (4, 4, 1), (8,), batch_norm=True, num_classes=3)
        inner = networks.mlp_discriminator((4, 4, 1), widths=(8,), dropout=0.3, num_classes=3)
        discriminator = inner
    else:
        generator = networks.mlp_generator(4, (4, 4, 1), (8,), batch_norm=True)
        inputs = keras.Input((4, 4, 1))
        hidden = keras.layers.Flatten()(inputs)
        hidden = keras.layers.SpectralNormalization(keras.layers.Dense(8, "relu"))(hidden)
        hidden = keras.layers.BatchNormalization()(hidden)
        hidden = keras.layers.Dropout(0.3)(hidden)
        discriminator = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    gan = GAN(generator, discriminator, ema=0.9, seed=1)
    return compiled(gan, optimizer=keras.optimizers.Adam)


def pictures(n=32):
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (n, 4, 4, 1)).astype(np.float32), np.arange(n) % 3


@pytest.mark.parametrize("conditional", [False, True])
def test_reading_changes_no_bit_of_the_training(conditional):
    x, y = pictures(16)
    gan = normalised_gan(conditional)
    gan.run_eagerly = conditional  # the other runs compiled, as trainings do
    start = state(gan)

    def trained(*given):
        for name, variable in gan.state().items():
            variable.assign(start[name])
        random.seed(5)
        tf.random.set_seed(5)
        gan.fit(x, y, batch_size=4, verbose=0, shuffle=False, callbacks=list(given))
        return state(gan), (random.random(), float(tf.random.uniform(())))

    plain, drawn = trained()
    found = diagnosis.Diagnosis(x, y, every=1)
    observed, drawn_too = trained(found)
    assert_same_state(plain, observed)
    assert drawn == drawn_too
    assert found.history["step"] == list(range(5))
    assert any(not np.array_equal(start[name], plain[name]) for name in plain)


def test_a_reading_that_fails_leaves_the_networks_as_they_were():
    """What is put back would change otherwise: statistics, random states, power iteration."""
    gan = normalised_gan()
    x, _ = pictures()
    probe = diagnosis.Probe(gan, x)
    before = state(gan)

    def fail(*logits):
        changed = [k for k, v in state(gan).items() if not np.array_equal(v, before[k])]
        # Two statistics of each batch normalisation, dropout's seed, and the kernel and the
        # vector of spectral normalisation.
        assert len(changed) == 7
        raise RuntimeError("stop here")

    gan.adversarial_loss = gan.adversarial_loss._replace(generator=fail)
    with pytest.raises(RuntimeError, match="stop here"):
        probe.read()
    assert_same_state(state(gan), before)


def test_the_gap_between_training_and_inference():
    gan = normalised_gan()
    x, _ = pictures()
    fresh = diagnosis.Probe(gan, x).read()["mode_gap"]
    norm = next(
        layer
        for layer in gan.generator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    for _ in range(40):
        gan.generator(np.random.default_rng(0).standard_normal((500, 4)), training=True)
    norm.momentum = 0.0
    gan.generator(diagnosis.Probe(gan, x).latents[:120], training=True)
    # With the very statistics of the batch the two modes agree, up to Bessel's correction.
    assert diagnosis.Probe(gan, x).read()["mode_gap"] < 1e-3 < 0.01 < fresh


def test_classes_come_from_the_judge_only_where_it_reads():
    digits = data.load_mnist()
    gan = compiled(
        GAN(
            networks.mlp_generator(2, widths=(4,)),
            networks.mlp_discriminator(widths=(4,)),
        )
    )
    probe = diagnosis.Probe(gan, digits.x_train)
    # 240 digits in shares near 1/10 each, of which the judge misreads few.
    assert 9.5 < probe.data_classes <= 10
    mixed = (digits.x_train[:400] + digits.x_train[400:800]) / 2  # no digits any more
    blind = diagnosis.Probe(gan, mixed)
    assert math.isnan(blind.data_classes)
    assert math.isnan(blind.read()["classes"])
    noise = np.random.default_rng(0).uniform(-1, 1, (100, 28, 28, 1)).astype(np.float32)
    # The judge takes all noise for one digit, and is sure of it.
    assert math.isnan(diagnosis.Probe(gan, noise).data_classes)
    own = diagnosis.Probe(gan, noise, classes=lambda x: (x.mean(axis=(1, 2, 3)) > 0).astype(int))
    assert 1.9 < own.data_classes <= 2


def test_data_that_does_not_fit_is_refused(make_puppets):
    gan = make_puppets()
    x, _ = ring()
    for wrong, words in (
        (x[:, :1], r"\(240, 1\)"),
        (x[:1], r"\(1, 2\)"),
        (np.full_like(x, np.nan), "not finite"),
        (np.ones_like(x), "all rows of x are equal"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(gan, x, diagnosis.Diagnosis(wrong), steps=1)
    with pytest.raises(TypeError, match="classes"):
        fit(gan, x, diagnosis.Diagnosis(x, classes=8), steps=1)
    with pytest.raises(ValueError, match="labels"):
        diagnosis.Probe(normalised_gan(conditional=True), pictures()[0])
    with pytest.raises(ValueError, match="labels"):
        diagnosis.Probe(normalised_gan(conditional=True), pictures()[0], np.arange(32) % 4)


# --- From readings to words ----------------------------------------------------------------------

FACTS = Facts(
    loss="minimax",
    penalties=(),
    d_steps=3,
    g_rate=0.02,
    d_rate=0.05,
    weights=100,
    data_classes=10.0,
    data_shares=dict.fromkeys(range(10), 0.1),
    shares={7: 0.9, 1: 0.1},
)
HEALTHY = {
    "d_real": 0.7,
    "d_fake": 0.3,
    "told_apart": 0.85,
    "advantage": 0.3,
    "d_loss": 0.9,
    "g_loss": 1.2,
    "d_gradient": 2.0,
    "g_gradient": 0.5,
    "variety": 0.9,
    "classes": 9.0,
    "mode_gap": 0.1,
}


def readings(n=12, **last):
    """n healthy readings, the last one changed."""
    rows = [{"step": 100.0 * i, **HEALTHY} for i in range(n)]
    rows[-1].update(last)
    return {name: [row[name] for row in rows] for name in diagnosis.READINGS}


def swinging(name, values):
    history = readings(len(values))
    history[name] = list(values)
    return history


@pytest.mark.parametrize(
    ("history", "name", "words"),
    [
        (
            readings(advantage=0.98, d_real=0.995, d_fake=0.004, told_apart=1.0, g_gradient=0.1),
            "discriminator_won",
            ["D(real) = 0.995 and D(fake) = 0.004", "100 % of pairs", "0.1 (at first 0.5)",
             "non-saturating", "than 3", "R1", "0.05 now"],
        ),
        (readings(advantage=0.01, told_apart=0.52), "discriminator_lost",
         ["cannot tell", "52 % of pairs", "equilibrium", "given up"]),
        (readings(told_apart=0.54, advantage=math.nan), "discriminator_lost",
         ["cannot tell", "54 %"]),
        (readings(advantage=-0.6, told_apart=0.1), "discriminator_lost",
         ["has lost", "10 % of pairs", "higher learning rate for D (0.05 now, G's is 0.02)"]),
        (readings(g_gradient=4e-4), "vanishing_gradient",
         ["vanished", "was 0.5 at first and is 0.0004 now, 0.0008 of it", "non-saturating"]),
        (swinging("g_gradient", [9e-7] * 12), "vanishing_gradient", ["vanished"]),
        (swinging("g_gradient", [0.0] * 12), "vanishing_gradient", ["is 0 now, no more"]),
        (readings(g_gradient=501.0), "exploding_gradient",
         ["norm of G's is 5e+02 (at first 0.5)", "0.02", "0.05"]),
        (readings(d_gradient=2001.0), "exploding_gradient", ["of D's 2e+03 (at first 2)"]),
        (readings(g_gradient=math.inf), "exploding_gradient", ["G's is inf"]),
        (readings(d_gradient=math.nan), "exploding_gradient", ["of D's nan"]),
        (readings(variety=0.19, classes=1.0), "low_diversity",
         ["look alike", "19 % as far apart as two data points"]),
        (readings(classes=1.4), "few_classes",
         ["as many as 1.4", "the data has 10.0", "7: 90 %, 1: 10 %",
          "hardly any of class 0, 2, 3, 4, 5, 6, 8, 9"]),
        (swinging("told_apart", [0.1, 0.8] * 6), "swinging",
         ["between 10 % and 80 %", "D's loss between 0.9 and 0.9", "0.02", "0.05"]),
        (swinging("told_apart", [0.2, 0.4, 0.6, 0.9] * 3), "swinging", ["between 20 % and 90 %"]),
        (swinging("told_apart", [0.9, 0.1, 0.1] * 4), "swinging", ["between 10 % and 90 %"]),
        (readings(mode_gap=0.62), "mode_gap", ["62 % as far apart", "momentum"]),
    ],
)  # fmt: skip
def test_a_symptom_is_seen_and_put_into_words(history, name, words):
    assert diagnosis.present(history, FACTS) == [name]
    finding = diagnosis.describe(name, history, FACTS)
    for word in words:
        assert word in finding.message
    assert (finding.step, finding.name, finding.passed) == (1100, name, False)
    assert finding.values["step"] == 1100
    assert str(finding) == f"step 1,100: {finding.message}"
    over = diagnosis.describe(name, readings(), FACTS, passed=True)
    assert over.passed
    assert over.message != finding.message
    assert "{" not in over.message


@pytest.mark.parametrize(
    "history",
    [
        readings(),
        readings(1),
        readings(advantage=0.96, told_apart=1.0),
        readings(advantage=-0.5),
        readings(advantage=math.nan, told_apart=1.0),
        readings(told_apart=0.56),
        readings(g_gradient=6e-4),
        readings(g_gradient=499.0, d_gradient=1999.0),
        readings(variety=0.21),
        readings(classes=4.1),
        readings(classes=math.nan),
        readings(mode_gap=0.49),
        # A rise, a fall, one wave, a short window, and a small range.
        swinging("told_apart", np.linspace(0.1, 0.9, 12)),
        swinging("told_apart", np.linspace(0.99, 0.6, 12)),
        swinging("told_apart", 0.5 - 0.4 * np.cos(np.linspace(-1, 8, 12))),
        swinging("told_apart", [0.1, 0.8] * 5),
        swinging("told_apart", [0.56, 1.0] * 6),
    ],
)
def test_what_is_no_symptom(history):
    assert diagnosis.present(history, FACTS) == []


def test_before_the_warm_up_only_gradients_count():
    history = readings(advantage=1.0, variety=0.0, mode_gap=1.0, g_gradient=0.0, d_gradient=1e9)
    assert diagnosis.present(history, FACTS, warm=False) == [
        "vanishing_gradient",
        "exploding_gradient",
    ]
    assert len(diagnosis.present(history, FACTS)) == 5


def test_advice_fits_the_settings():
    history = readings(advantage=0.99, g_gradient=0.0)
    gentle = FACTS._replace(loss="relativistic", penalties=("r1",), d_steps=1)
    for name in ("discriminator_won", "vanishing_gradient"):
        assert "non-saturating" in diagnosis.describe(name, history, FACTS).message
        assert "non-saturating" not in diagnosis.describe(name, history, gentle).message
    won = diagnosis.describe("discriminator_won", history, gentle).message
    assert "R1" not in won
    assert "steps of D" not in won


def test_what_was_found_passes_only_behind_a_margin():
    history = readings(variety=0.22, g_gradient=1e-3, mode_gap=0.45, advantage=0.95)
    assert diagnosis.present(history, FACTS) == []
    names = ["discriminator_won", "vanishing_gradient", "low_diversity", "mode_gap"]
    assert diagnosis.present(history, FACTS, going_on=names) == names
    history = readings(variety=0.25, g_gradient=2e-3, mode_gap=0.4, advantage=0.93)
    assert diagnosis.present(history, FACTS, going_on=names) == []


def test_thresholds_can_be_set():
    history = readings(variety=0.5, mode_gap=0.3)
    assert diagnosis.present(history, FACTS, Thresholds(alike=0.6, gap=0.3)) == [
        "low_diversity",
        "mode_gap",
    ]
    for wrong in ({"won": 0}, {"few": -1.0}, {"gap": math.nan}, {"window": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Thresholds(**wrong)
    for wrong in ({"window": 2.5}, {"alike": "1"}, {"turns": True}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            Thresholds(**wrong)
    assert Thresholds(window=np.int64(12), won=np.float32(0.5), alike=1) == Thresholds(
        won=0.5, alike=1.0
    )


# --- The callback --------------------------------------------------------------------------------


class Scripted:
    """A probe whose readings are given: what is changed from healthy ones, reading by reading."""

    data_classes, data_shares, shares = 10.0, FACTS.data_shares, FACTS.shares

    def __init__(self, gan, changes):
        self.gan, self.changes = gan, iter(changes)

    def read(self):
        return {"step": int(self.gan.step_counter.numpy()), **HEALTHY, **next(self.changes)}


@pytest.fixture
def scripted(monkeypatch, make_puppets):
    """A training of as many steps as there are readings after the first one."""
    gan = make_puppets()

    def run(changes, **arguments):
        monkeypatch.setattr(
            diagnosis.callback, "Probe", lambda *given, **more: Scripted(gan, changes)
        )
        told = []
        found = diagnosis.Diagnosis(ring()[0], every=1, tell=told.append, **arguments)
        found.set_model(gan)
        gan.step_counter.assign(0)
        found.on_train_begin()
        for step in range(1, len(changes)):
            gan.step_counter.assign(step)
            found.on_train_batch_end(0, {"d_loss": 1.0, "g_loss": 1.0})
        found.on_train_end()
        assert found.history["step"] == list(range(len(changes)))
        assert told == [str(finding) for finding in found.findings]
        return found

    return run


def log(found):
    return [(finding.step, finding.name, finding.passed) for finding in found.findings]


BAD, GOOD = {"variety": 0.0}, {}


def test_a_finding_is_told_when_it_begins_and_when_it_has_passed(scripted):
    found = scripted(
        [GOOD, BAD, BAD, GOOD, BAD, BAD, BAD, BAD, GOOD, BAD, *[GOOD] * 5, *[BAD] * 6],
        warm_up=0,
    )
    assert log(found) == [
        (6, "low_diversity", False),
        (12, "low_diversity", True),
        (17, "low_diversity", False),
    ]
    assert found.going_on == ["low_diversity"]
    lines = found.report().splitlines()
    assert lines[0] == "21 readings from step 0 to step 20, 3 findings."
    assert lines[1].startswith("- step 6: All samples look alike: two of them are on average 0 %")
    assert lines[2].startswith("- step 12: The samples no longer look alike")
    assert lines[-1] == "Going on at the end: low diversity."
    assert len(lines) == 5


def test_patience_and_warm_up(scripted):
    bad = [BAD] * 21
    assert log(scripted(bad, warm_up=0, patience=1)) == [(0, "low_diversity", False)]
    assert log(scripted(bad, warm_up=0, patience=5)) == [(4, "low_diversity", False)]
    # The three readings must all be after the warm-up.
    assert log(scripted(bad, warm_up=7)) == [(9, "low_diversity", False)]
    quiet = scripted(bad)
    assert log(quiet) == []
    assert "Before step 1,000 only the gradients are judged" in quiet.report()
    assert "Going on" not in quiet.report()


def test_two_findings_at_a_time(scripted):
    found = scripted([{"g_gradient": 0.0, "mode_gap": 0.9}] * 11, warm_up=2)
    assert log(found) == [(2, "vanishing_gradient", False), (4, "mode_gap", False)]
    assert found.going_on == ["vanishing_gradient", "mode_gap"]


@pytest.mark.slow
def test_a_second_training_starts_anew_and_reads_to_its_end(make_puppets):
    x, _ = ring()
    gan = make_puppets()
    found = diagnosis.Diagnosis(x, every=4)
    assert found.report() == "No reading was taken yet."
    fit(gan, x, found, steps=10)
    assert found.history["step"] == [0, 4, 8, 10]
    fit(gan, x, found, steps=10)
    assert found.history["step"] == [10, 14, 18, 20]
    assert {len(column) for column in found.history.values()} == {4}


def test_wrong_arguments():
    x, _ = ring()
    for wrong, error, words in (
        ({"every": 0}, ValueError, "every"),
        ({"patience": 0}, ValueError, "patience"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"samples": 1.5}, TypeError, "samples"),
        ({"warm_up": -1}, ValueError, "warm_up"),
        ({"seed": 0.5}, TypeError, "seed"),
        ({"thresholds": {"won": 1}}, TypeError, "thresholds"),
        ({"tell": "print"}, TypeError, "tell"),
    ):
        with pytest.raises(error, match=words):
            diagnosis.Diagnosis(x, **wrong)
    other = linear(1, [np.ones((2, 1)), [0]])
    other.compile("sgd", "mse")
    with pytest.raises(TypeError, match="Sequential"):
        other.fit(x, x[:, :1], verbose=0, callbacks=[diagnosis.Diagnosis(x)])


# --- Runs built to fail --------------------------------------------------------------------------


def diagnosed(gan, *, steps=40, x=None, batch_size=24, **arguments):
    x = ring()[0] if x is None else x
    arguments = {"every": 10, "warm_up": 0, "classes": None, **arguments}
    found = diagnosis.Diagnosis(x, **arguments)
    fit(gan, x, found, steps=steps, batch_size=batch_size)
    return found


def names(found):
    return [finding.name for finding in found.findings if not finding.passed]


def test_a_discriminator_that_is_far_too_strong_for_a_saturating_generator():
    keras.utils.set_random_seed(0)
    # G starts far from the data and hardly moves; D takes large steps.
    generator = linear(2, [np.eye(2) * 0.5, [12.0, 0.0]])
    strong = small_discriminator("leaky_relu", width=64)
    gan = GAN(generator, strong, "minimax", d_steps=2, seed=0)
    gan = compiled(gan, 0.05, 1e-5, keras.optimizers.Adam)
    found = diagnosed(gan, steps=120, every=20)
    assert names(found) == ["discriminator_won", "vanishing_gradient"]
    assert found.going_on == names(found)
    won = found.findings[0]
    assert won.values["told_apart"] == 1.0
    assert "try" in won.message.lower()
    assert "non-saturating" in won.message
    # Of three seeds the worst came to 3e-5 of the first.
    assert found.history["g_gradient"][-1] < 1e-4 * found.history["g_gradient"][0]


def test_a_generator_that_is_frozen_to_a_constant(make_puppets):
    gan = make_puppets(generator=(np.zeros((2, 2)), (1, 0)), d_rate=1e-3)
    found = diagnosed(gan, classes=RING)
    # It is one class too, which is not told beside.
    assert "low_diversity" in names(found)
    assert "few_classes" not in names(found)
    assert found.history["variety"][-1] == 0.0
    assert found.history["classes"][-1] == 1.0
    assert (
        "0 % as far apart" in next(f for f in found.findings if f.name == "low_diversity").message
    )


def test_a_learning_rate_so_high_that_nan_comes(make_puppets):
    gan = make_puppets(d_rate=1e25, g_rate=1e25)
    before = state(gan)
    told = []
    found = diagnosed(gan, tell=told.append)
    assert names(found)[-1] == "not_finite"
    last = found.findings[-1]
    assert last.step == found.diverged_at
    assert 0 < found.diverged_at < 40
    assert "weights of step 0 are put back." in last.message
    assert "G's is 1e+25, D's 1e+25" in last.message
    assert not all(math.isfinite(value) for value in last.values.values())
    assert told[-1] == str(last)
    assert_same_state(state(gan), before)
    assert str(last) in found.report()


def test_weights_lost_in_the_last_step_are_found(make_puppets):
    gan = make_puppets()

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step_counter.numpy()) == 10:
                self.model.generator.weights[0].assign(np.full((2, 2), np.nan))

    found = diagnosis.Diagnosis(ring()[0], every=100)
    fit(gan, ring()[0], found, Spoil(), steps=10)
    assert names(found) == ["not_finite"]
    assert "A weight is not a finite number" in found.findings[0].message
    np.testing.assert_array_equal(gan.generator.get_weights()[0], np.eye(2))


def test_training_stops_at_once_where_nothing_was_good(make_puppets):
    guard = callbacks.StopOnDivergence()
    fit(make_puppets(generator=(np.eye(2) * np.nan, (0, 0))), ring()[0], guard, steps=2)
    assert (guard.diverged_at, guard.origin) == (1, None)


def emitting(images):
    """A generator that shows one of the given images, which its first latent chooses."""
    count = len(images)
    z = keras.Input((2,))
    chosen = keras.layers.Lambda(
        lambda z: keras.ops.cast(keras.ops.abs(z[:, 0]) * 1e3, "int32") % count,
        output_shape=(),
    )(z)
    table = keras.layers.Embedding(count, 784, trainable=False)
    shown = keras.layers.Reshape((28, 28, 1))(table(chosen))
    model = keras.Model(z, shown)
    table.set_weights([images.reshape(count, 784)])
    return model


def test_a_generator_of_one_digit_on_data_of_ten():
    digits = data.load_mnist()
    sevens = digits.x_train[digits.y_train == 7][:200]
    gan = GAN(emitting(sevens), networks.mlp_discriminator(widths=(8,)), seed=0)
    compiled(gan, optimizer=keras.optimizers.SGD, eager=True)
    found = diagnosed(gan, x=digits.x_train[:240], every=1, steps=3, batch_size=80, samples=120)
    # Nothing in this G can be trained, which is seen too.
    assert names(found) == ["vanishing_gradient", "few_classes"]
    message = found.findings[1].message
    assert "most frequent: 7: 100 %" in message
    assert "hardly any of class 0, 1, 2, 3, 4, 5, 6, 8, 9" in message
    # All digits in their shares: no symptom.
    gan = GAN(emitting(digits.x_train[:400]), networks.mlp_discriminator(widths=(8,)))
    assert diagnosis.Probe(gan, digits.x_train[:960]).read()["classes"] > 9


def test_two_modes_of_a_mixture(make_puppets):
    generator = [[0.0, 1.0], [0.0, 0.0]], (0, 0)  # a vertical line: the modes above and below
    found = diagnosed(make_puppets(generator=generator, d_rate=1e-3), classes=RING)
    assert "few_classes" in names(found)
    assert "low_diversity" not in names(found)


def test_moving_statistics_that_lag_behind():
    keras.utils.set_random_seed(0)
    z = keras.Input((2,))
    hidden = keras.layers.Dense(16, bias_initializer=keras.initializers.Constant(3.0))(z)
    # After a few steps such a moving mean knows nearly nothing of them.
    hidden = keras.layers.BatchNormalization(momentum=0.9999)(hidden)
    generator = keras.Model(z, keras.layers.Dense(2)(hidden))
    gan = compiled(GAN(generator, small_discriminator(), seed=0), eager=True)
    found = diagnosed(gan, every=1, steps=3, batch_size=80)
    assert "mode_gap" in names(found)


def test_players_that_chase_each_other(make_puppets):
    """The Dirac-GAN (Mescheder et al. 2018) in a plane, and a little spread out."""
    x = (0.3 * np.random.default_rng(0).standard_normal((240, 2))).astype(np.float32)
    gan = make_puppets(
        generator=(0.3 * np.eye(2), (1, 0)), discriminator=((0, 0), 0), d_rate=0.5, g_rate=0.5
    )
    found = diagnosed(gan, x=x, steps=100, every=3)
    assert "swinging" in names(found)
    assert "discriminator_lost" not in names(found)[names(found).index("swinging") :]


def test_a_discriminator_that_stands_still(make_puppets):
    found = diagnosed(make_puppets(discriminator=((1, 0), 0), g_rate=0.5))
    assert names(found)[0] == "discriminator_lost"
    assert "has lost" in found.findings[0].message


# --- Healthy runs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_healthy_recipe_is_not_blamed():
    digits = data.load_mnist()
    found = diagnosis.Diagnosis(digits.x_train, every=16, warm_up=80)
    run = recipes.train("fast", digits.x_train, steps=128, callbacks=[found])
    assert run.diverged_at is None
    assert found.findings == []
    assert found.report().splitlines() == ["9 readings from step 0 to step 128, no findings."]
