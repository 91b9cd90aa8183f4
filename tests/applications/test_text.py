"""gantut.applications.text: corpora, the writer's probabilities and draws, trainings, measures."""

import datetime
import itertools

import numpy as np
import pytest
from scipy import special, stats

from gantut import GAN, recipes
from gantut._keras import keras, tf
from gantut.applications import text

TINY = text.corpus(["a", "b", "ab", "ba", "aab", "bab"], train=3)


def tiny_writer(seed=0, **settings):
    """A writer of TINY's strings with weights far from uniform."""
    keras.utils.set_random_seed(seed)
    writer = text.Writer(TINY.length, TINY.symbols, units=5, **settings)
    writer.build(None)
    rng = np.random.default_rng(seed)
    writer.set_weights([rng.normal(scale=0.8, size=w.shape) for w in writer.get_weights()])
    return writer


def all_codes(length, symbols):
    """Every string as symbols, ends only behind ends."""
    return np.array(
        [
            code
            for code in itertools.product(range(symbols), repeat=length)
            if all(b == 0 for a, b in itertools.pairwise(code) if a == 0)
        ]
    )


def probabilities(writer, codes, temperature=1.0):
    rows = tf.one_hot(codes, writer.symbols)
    return np.exp(writer.log_probabilities(rows, temperature).numpy().sum(axis=1))


def normal(n, writer, seed=0):
    shape = (n, writer.length * writer.symbols)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def codes_of(rows, writer):
    return np.asarray(rows).reshape(len(rows), writer.length, -1).argmax(axis=2)


# --- Strings -----------------------------------------------------------------------------------


def test_dates_are_those_of_the_calendar():
    corpus = text.dates()
    day = datetime.date(1900, 1, 1)
    days = [(day + datetime.timedelta(i)).isoformat() for i in range(73_049)]
    assert days[-1] == "2099-12-31"
    assert sorted(corpus.valid) == days
    assert (len(corpus.train), corpus.length, corpus.alphabet) == (5_000, 10, "-0123456789")
    assert set(corpus.train).isdisjoint(corpus.holdout)
    assert text.dates(seed=1).train != corpus.train
    assert text.dates().train == corpus.train


def test_sums_are_right():
    corpus = text.sums(12)
    assert len(corpus.valid) == len(set(corpus.valid)) == 169
    assert len(corpus.train) == 84
    for string in corpus.valid:
        question, answer = string.split("=")
        assert sum(map(int, question.split("+"))) == int(answer)


def test_decoding_inverts_encoding():
    codes = TINY.encode(TINY.valid)
    assert TINY.decode(codes) == list(TINY.valid)
    np.testing.assert_array_equal(TINY.encode(["ba"]), [[2, 1, 0]])
    rows = TINY.rows(TINY.valid)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows.reshape(6, 3, 3).argmax(axis=2), codes)


def test_decoding_ends_at_the_first_end():
    assert TINY.decode([[1, 0, 2], [0, 1, 1]]) == ["a", ""]


def test_numpys_integers_are_integers():
    assert text.sums(np.int64(2), np.int64(4)).symbols == 8
    assert len(text.dates(np.int64(5)).train) == 5
    size = np.array([2, 3, 4])
    assert text.generator(*size)(np.zeros((1, 6), np.float32)).shape == (1, 6)
    writer = text.Writer(*size)
    assert writer.get_config()["units"] == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: text.corpus(["a", "b"], 2), ValueError, "train"),
        (lambda: text.corpus(["", "b"], 1), ValueError, "empty"),
        (lambda: text.corpus(["a", "b"], 1.0), TypeError, "train"),
        (lambda: text.sums(0), ValueError, "largest"),
        (lambda: TINY.encode(["abba"]), ValueError, "at most 3 .* got 'abba'"),
        (lambda: TINY.encode(["c"]), ValueError, "got 'c'"),
        (lambda: text.Writer(3, 0), ValueError, "symbols"),
        (lambda: text.Writer(3, 3, temperature=0.0), ValueError, "temperature"),
        (lambda: text.Writer(3, 3, draws="firm"), ValueError, "draws"),
        (lambda: text.recipe("other", length=3, symbols=3), ValueError, "method"),
        (lambda: text.recipe(3, length=3, symbols=3), TypeError, "method must be one of lik"),
        (lambda: text.measure(np.zeros(5), TINY), ValueError, "log_p"),
        (lambda: text.measure(np.zeros(6), TINY), ValueError, "log_p"),
        (lambda: text.log_probabilities(tiny_writer(), text.sums(3)), ValueError, "the corpus has"),
        (lambda: text.log_probabilities(tiny_writer(), TINY, -1.0), ValueError, "temperature"),
        (lambda: text.train(TINY, pretraining=-1), ValueError, "pretraining"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- The writer --------------------------------------------------------------------------------


def test_the_unit_is_that_of_keras():
    writer = tiny_writer()
    kernel, recurrent, bias, out, out_bias = writer.get_weights()
    gru = keras.layers.GRU(5, return_sequences=True, reset_after=True)
    gru.build((None, 3, 3))
    gru.set_weights([kernel, recurrent, bias])
    codes = all_codes(3, 3)
    rows = np.eye(3, dtype=np.float32)[codes]
    before = np.concatenate([np.zeros((len(codes), 1, 3), np.float32), rows[:, :-1]], axis=1)
    logits = gru(before).numpy() @ out + out_bias
    wanted = np.take_along_axis(special.log_softmax(logits, axis=2), codes[..., None], axis=2)[
        ..., 0
    ]
    wanted[:, 1:][codes[:, :-1] == 0] = 0
    np.testing.assert_allclose(writer.log_probabilities(rows), wanted, atol=1e-5)


def test_strings_share_their_beginnings():
    corpus = text.sums(12)
    writer = text.Writer(corpus.length, corpus.symbols, units=7)
    writer.build(None)
    one_by_one = writer.log_probabilities(corpus.rows(corpus.valid), 0.7).numpy().sum(axis=1)
    np.testing.assert_allclose(
        text.log_probabilities(writer, corpus, 0.7), one_by_one, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_probabilities_of_all_strings_add_up_to_one_and_draws_follow_them(temperature):
    writer = tiny_writer()
    codes = all_codes(3, 3)
    p = probabilities(writer, codes, temperature)
    assert len(codes) == 15
    assert p.sum() == pytest.approx(1, abs=1e-5)
    n = 20_000
    drawn = codes_of(writer.write(normal(n, writer), "hard", temperature), writer)
    index = {tuple(code): i for i, code in enumerate(codes)}
    counts = np.bincount([index[tuple(code)] for code in drawn], minlength=15)
    often = n * p > 5
    # The draws are fixed by their seed: p values .25, .65 and .58.
    seen = np.array([*counts[often], counts[~often].sum() + 1e-9])
    expected = np.array([*n * p[often], n * p[~often].sum() + 1e-9])
    statistic = ((seen - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, len(seen) - 1) > 0.01


def test_soft_draws_have_a_gradient_and_straight_through_ones_look_hard():
    z = normal(50, tiny_writer())
    rows, slopes = {}, {}
    for draws in text.Writer.DRAWS:
        writer = tiny_writer(draws=draws)
        with tf.GradientTape() as tape:
            made = writer(z)
            # The first place only: behind it the inputs differ too.
            goal = tf.reduce_sum(made[:, 1])
        rows[draws], slopes[draws] = made.numpy(), tape.gradient(goal, writer.out_bias)
    np.testing.assert_allclose(rows["straight-through"], rows["hard"], atol=1e-6)
    assert set(np.unique(rows["hard"])) == {0.0, 1.0}
    soft = rows["soft"].reshape(50, 3, 3)
    np.testing.assert_allclose(soft.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_array_equal(soft[:, 0].argmax(axis=1), codes_of(rows["hard"], writer)[:, 0])
    assert slopes["hard"] is None
    np.testing.assert_allclose(slopes["straight-through"], slopes["soft"], rtol=1e-5)
    assert np.abs(slopes["soft"]).max() > 0.1
    # Colder soft draws are harder.
    cold = tiny_writer(temperature=0.05)(z).numpy().reshape(50, 3, 3)
    assert np.mean(cold[:, 0].max(axis=1)) > np.mean(soft[:, 0].max(axis=1)) + 0.1


def test_continuations_follow_the_probabilities():
    writer = tiny_writer()
    copies = 4_000
    rows = TINY.rows(["ab", "b"])
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal((place * 2 * copies, 3)).astype(np.float32) for place in (1, 2)]
    made = writer.continuations(rows, noise, copies).numpy()
    assert made.shape == (2, 2, copies, 9)
    codes = made.reshape(2, 2, copies, 3, 3).argmax(axis=4)
    assert np.all(codes[0, 0, :, 0] == 1)
    assert np.all(codes[0, 1, :, 0] == 2)
    assert np.all(codes[1, 0, :, :2] == [1, 2])
    # "b" is over after one more symbol.
    assert np.all(codes[1, 1] == [2, 0, 0])
    every = all_codes(3, 3)
    p = probabilities(writer, every)
    for prefix, drawn in (((1,), codes[0, 0]), ((2,), codes[0, 1]), ((1, 2), codes[1, 0])):
        fits = np.all(every[:, : len(prefix)] == prefix, axis=1)
        for code, share in zip(every[fits], p[fits] / p[fits].sum(), strict=True):
            found = np.mean(np.all(drawn == code, axis=1))
            # Four standard errors.
            assert found == pytest.approx(
                share, abs=float(4 * np.sqrt(share * (1 - share) / copies)) + 1e-4
            )


def test_the_generator_opens_again(tmp_path):
    model = text.generator(3, 3, units=4, temperature=0.7, draws="straight-through")
    model.save(tmp_path / "g.keras")
    again = keras.models.load_model(tmp_path / "g.keras")
    z = normal(6, again.get_layer("writer"))
    np.testing.assert_array_equal(again(z), model(z))
    assert again.get_layer("writer").get_config() == model.get_layer("writer").get_config()


# --- Trainings ---------------------------------------------------------------------------------


RISING = text.corpus(("".join(word) for word in itertools.combinations("abcdefghij", 3)), train=80)


def measured(run, **settings):
    return text.measure(text.log_probabilities(run.writer, RISING, **settings), RISING)


@pytest.fixture(scope="module")
def likelihood():
    return text.train(RISING, "likelihood", units=16, steps=200)


def test_maximum_likelihood_learns_the_grammar(likelihood):
    found = measured(likelihood)
    # Measured .86; of strings of three letters .12 are valid.
    assert found.valid > 0.75
    # Measured .87.
    assert found.effective > 0.8
    # The least is log 120 = 4.79, and 7.2 the start; measured 5.67.
    assert found.nats < 5.9
    # Two thirds of the strings were shown; measured .82.
    assert found.memorised < 0.9
    # Its loss is what the measures say of the training strings.
    p = text.log_probabilities(likelihood.writer, RISING)[:80]
    assert likelihood.history["g_loss"][-1] == pytest.approx(-p.mean(), abs=0.15)
    fresh = text.recipe("likelihood", length=3, symbols=11, units=16).build((33,), seed=0)
    for a, b in zip(
        fresh.discriminator.get_weights(), likelihood.gan.discriminator.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_samples_agree_with_the_probabilities(likelihood):
    n = 2_000
    valid = set(RISING.valid)
    for temperature in (0.8, 1.0):
        log_p = text.log_probabilities(likelihood.writer, RISING, temperature)
        exact = text.measure(log_p, RISING, draws=n)
        made = likelihood.sample(n, seed=1, temperature=temperature)
        share = np.mean([string in valid for string in made])
        # Four standard errors of a share are at most .045.
        assert share == pytest.approx(exact.valid, abs=0.045)
        assert len(set(made) & valid) / n == pytest.approx(exact.distinct, abs=0.005)
        assert len(set(made) & set(RISING.holdout)) / 40 == pytest.approx(exact.coverage, abs=0.1)
    assert likelihood.sample(3, seed=2) == likelihood.sample(3, seed=2)
    with pytest.raises(ValueError, match="n must"):
        likelihood.sample(0)
    with pytest.raises(ValueError, match="temperature"):
        likelihood.sample(1, temperature=0.0)


def test_temperature_trades_diversity_for_validity(likelihood):
    cold, plain, hot = (measured(likelihood, temperature=t) for t in (0.6, 1.0, 1.5))
    assert cold.valid > plain.valid > hot.valid
    assert cold.effective < plain.effective


def test_replies_are_the_likeliest_symbols(likelihood):
    (end,) = text.reply(likelihood.writer, RISING, ["a"])
    assert len(end) == 2
    options = [f"a{letter}" for letter in RISING.alphabet]
    logs = likelihood.writer.log_probabilities(RISING.rows(options)).numpy()[:, 1]
    assert end[0] == RISING.alphabet[logs.argmax()]
    both = text.reply(likelihood.writer, RISING, ["cd", "a"])
    assert len(both[0]) == 1
    assert both[1] == end
    with pytest.raises(ValueError, match="at most 3"):
        text.reply(likelihood.writer, RISING, ["abcd"])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gumbel", "policy"])
def test_adversarial_writers_learn_most_of_the_grammar(method):
    run = text.train(RISING, method, units=16, steps=200)
    found = measured(run)
    # Measured .82 to .87 over seeds 0 to 2; of strings of three letters .12 are valid.
    assert found.valid > 0.7
    # Measured .77 to .84.
    assert found.effective > 0.65
    assert run.history["step"] == [100, 200]


def test_rewards_are_what_the_discriminator_says():
    gan = text.recipe("rollouts", length=3, symbols=3, units=4).build((9,), seed=0)
    assert gan.rollouts == 4
    rows = tf.constant(TINY.rows(TINY.valid))
    said = tf.sigmoid(gan.discriminator(rows)).numpy()[:, 0]
    rewards = gan.rewards(rows).numpy()
    assert rewards.shape == (6, 3)
    np.testing.assert_allclose(rewards[:, -1], said, rtol=1e-5)
    # Where the string is over, so are its continuations.
    index = TINY.valid.index("a")
    np.testing.assert_allclose(rewards[index, 1:], said[index], rtol=1e-5)
    assert np.std(rewards[:, 0] - said) > 0
    gan.rollouts = 0
    np.testing.assert_allclose(gan.rewards(rows), np.repeat(said[:, None], 3, axis=1), rtol=1e-5)
    with pytest.raises(ValueError, match="rollouts must be an integer >= 0"):
        text.PolicyGAN(gan.generator, gan.discriminator, rollouts=-1)


def test_a_policy_step_makes_rewarded_strings_likelier():
    gan = text.recipe("policy", length=3, symbols=3, units=4).build((9,), seed=0)
    # A discriminator that likes an "a" in the first place, and nothing else.
    liking = keras.Sequential([keras.Input((9,)), keras.layers.Dense(1)])
    liking.set_weights([np.eye(9, dtype=np.float32)[:, 1:2] * 4 - 2, np.zeros(1)])
    gan.discriminator = liking
    writer = gan.generator.get_layer("writer")
    start = np.exp(writer.log_probabilities(TINY.rows(["a"])).numpy()[0, 0])
    weights = [w.copy() for w in liking.get_weights()]
    step = tf.function(lambda: gan.generator_step(tf.zeros((64, 9)), None))
    for _ in range(25):
        step()
    after = np.exp(writer.log_probabilities(TINY.rows(["a"])).numpy()[0, 0])
    assert start < 0.5
    assert after > start + 0.2
    for before, now in zip(weights, liking.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)


@pytest.mark.slow
def test_pretraining_hands_its_weights_on_and_a_seed_fixes_all(likelihood):
    after = text.train(RISING, "likelihood", units=16, pretraining=200, steps=1)
    # Apart by a step; from 7.2 at the start.
    assert measured(after).nats == pytest.approx(measured(likelihood).nats, abs=0.06)


def test_a_recipe_makes_its_own_kind_of_gan():
    assert type(recipes.get("mlp").build()) is GAN
    assert type(text.recipe("gumbel", length=3, symbols=3).build((9,))) is GAN
    assert type(text.recipe("policy", length=3, symbols=3).build((9,))) is text.PolicyGAN


# --- Measures ----------------------------------------------------------------------------------


def test_quality_of_known_distributions():
    corpus = text.sums(9)
    n = 100
    best = text.measure(np.full(n, -np.log(n)), corpus, draws=200)
    assert best.valid == pytest.approx(1)
    assert best.effective == pytest.approx(1)
    assert best.coverage == pytest.approx(1 - 0.99**200)
    assert best.distinct == pytest.approx(n * (1 - 0.99**200) / 200)
    assert best.memorised == pytest.approx(0.5)
    assert best.nats == pytest.approx(np.log(n))

    parrot = np.full(n, -np.inf)
    parrot[:50] = -np.log(50)
    found = text.measure(parrot, corpus, draws=1)
    assert found == pytest.approx(text.Measures(1, 0.5, 1, 0, 1, np.inf))

    one = np.full(n, -np.inf)
    one[70] = np.log(0.25)
    found = text.measure(one, corpus, draws=4)
    assert found[:5] == pytest.approx((0.25, 0.01, (1 - 0.75**4) / 4, (1 - 0.75**4) / 50, 0))
