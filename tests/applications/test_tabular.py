"""gantut.applications.tabular: encoding there and back, the GAN, and the measures."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from scipy import special, stats
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from tiny import records

from gantut import applications, recipes
from gantut._keras import keras, tf
from gantut.applications import rivals, tabular

KINDS = ("continuous", "integer", "category")


class Constant:
    """A model that answers with one number, and scores by the share of right answers."""

    def __init__(self, answer):
        self.answer = answer
        self.seen = []

    def fit(self, x, y):
        self.seen.append((x, y))

    def score(self, x, y):
        self.seen.append((x, y))
        return float(np.mean(y == self.answer))


# --- The package -------------------------------------------------------------------------------


def test_applications_import_what_is_asked_for():
    assert applications.tabular is tabular
    assert "tabular" in dir(applications)
    with pytest.raises(AttributeError, match="no attribute 'chairs'"):
        applications.chairs  # noqa: B018
    code = "import sys, gantut; gantut.applications; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- Encoding ----------------------------------------------------------------------------------


def test_encoded_rows_have_normal_scores_and_one_hot_categories():
    table = records(2_000)
    encoder = tabular.TableEncoder(KINDS).fit(table)
    rows = encoder.transform(table)
    assert encoder.sizes == (1, 1, 3)
    assert rows.shape == (2_000, encoder.width)
    assert rows.dtype == np.float32
    for column in rows[:, :2].T:
        # 5 % of exactly normal samples have a distance above 1.36 / sqrt(2000) = 0.030. Measured
        # 0.004 and 0.018.
        assert stats.kstest(column, "norm").statistic < 0.03
    np.testing.assert_array_equal(rows[:, 2:], np.eye(3)[((table[:, 2] - 5) / 10).astype(int)])


def test_standard_rows_have_mean_zero_and_variance_one():
    table = records()
    rows = tabular.TableEncoder(KINDS, scaling="standard").fit(table).transform(table)
    np.testing.assert_allclose(rows[:, :2].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(rows[:, :2].std(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(rows[:, 0], stats.zscore(table[:, 0]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scaling", tabular.SCALINGS)
def test_decoding_inverts_encoding(scaling):
    table = records()
    encoder = tabular.TableEncoder(KINDS, scaling=scaling, knots=len(table)).fit(table)
    again = encoder.inverse(encoder.transform(table, seed=3))
    np.testing.assert_allclose(again[:, 0], table[:, 0], rtol=1e-4)
    np.testing.assert_array_equal(again[:, 1:], table[:, 1:])


def test_few_knots_keep_the_distribution_of_whole_numbers():
    table = records(2_000)
    encoder = tabular.TableEncoder(KINDS, knots=20).fit(table)
    again = encoder.inverse(encoder.transform(table))
    np.testing.assert_array_equal(again[:, 1], table[:, 1])
    rows = np.random.default_rng(0).standard_normal((20_000, encoder.width))
    drawn = encoder.inverse(rows)[:, 1]
    assert len(np.unique(drawn)) > 10
    # Measured 0.09; a column that was moved by one would have 1.
    assert stats.wasserstein_distance(drawn, table[:, 1]) < 0.2


def test_scores_follow_hazens_levels():
    column = np.arange(10.0)[:, None]
    encoder = tabular.TableEncoder(["continuous"]).fit(column)
    np.testing.assert_allclose(
        encoder.transform(column)[:, 0], special.ndtri((np.arange(10) + 0.5) / 10), rtol=1e-5
    )
    np.testing.assert_allclose(encoder.transform([[4.5]]), 0, atol=1e-7)


def test_values_outside_the_range_are_moved_to_its_ends():
    encoder = tabular.TableEncoder(["continuous"]).fit(np.arange(10.0)[:, None])
    inside = encoder.transform([[0.0], [9.0]])
    np.testing.assert_array_equal(encoder.transform([[-5.0], [50.0]]), inside)
    np.testing.assert_array_equal(encoder.inverse([[-40.0], [40.0]]), [[0.0], [9.0]])


def test_scores_of_a_shared_value_fill_its_jump():
    # Half of the column is 1: its scores are the lower half of a normal distribution.
    column = np.repeat([1.0, 2.0], 500)[:, None]
    encoder = tabular.TableEncoder(["integer"], knots=1_000).fit(column)
    scores = encoder.transform(column)[:500, 0]
    assert scores.max() <= 1e-6
    assert np.median(scores) == pytest.approx(special.ndtri(0.25), abs=0.15)
    assert np.any(scores != encoder.transform(column, seed=1)[:500, 0])
    np.testing.assert_array_equal(scores, encoder.transform(column)[:500, 0])


def test_the_largest_number_of_a_category_counts():
    encoder = tabular.TableEncoder(["category"]).fit([[7.0], [3.0], [5.0]])
    np.testing.assert_array_equal(
        encoder.inverse([[0.2, 0.5, 0.3], [0.9, 0.0, 0.1]]), [[5.0], [3.0]]
    )


@pytest.mark.parametrize(
    ("kinds", "error", "message"),
    [
        ("integer", TypeError, "kinds must be a sequence"),
        ([3], TypeError, "kind of column"),
        (["whole"], ValueError, "kind of column"),
    ],
)
def test_bad_kinds_are_refused(kinds, error, message):
    with pytest.raises(error, match=message):
        tabular.TableEncoder(kinds)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ([["a"], ["b"]], TypeError, "wanted real numbers"),
        ([[1.0], [np.nan]], ValueError, "NaN"),
        ([[1.0]], ValueError, "at least 2"),
        ([[1.0, 2.0], [2.0, 3.0]], ValueError, "must have 1 columns"),
        ([[1.5], [2.0]], ValueError, "column 0 is to hold integers"),
        ([[2.0], [2.0]], ValueError, "column 0 has one value only"),
    ],
)
def test_bad_tables_are_refused(table, error, message):
    with pytest.raises(error, match=message):
        tabular.TableEncoder(["integer"]).fit(table)


def test_other_bad_uses_of_the_encoder_are_refused():
    with pytest.raises(ValueError, match="scaling"):
        tabular.TableEncoder(KINDS, scaling="log")
    with pytest.raises(ValueError, match="knots must be an integer >= 2"):
        tabular.TableEncoder(KINDS, knots=1)
    for use in ("transform", "inverse"):
        with pytest.raises(ValueError, match="call fit first"):
            getattr(tabular.TableEncoder(KINDS), use)(records())
    encoder = tabular.TableEncoder(KINDS).fit(records())
    with pytest.raises(ValueError, match="width 5"):
        encoder.inverse(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="column 2 has the category 6"):
        encoder.transform([[1.0, 2.0, 6.0]])


# --- Networks ----------------------------------------------------------------------------------


def test_soft_draws_follow_the_softmax_of_the_logits():
    layer = tabular.MixedOutput((1, 3))
    n = 20_000
    z = np.random.default_rng(0).standard_normal((n, 5), dtype=np.float32)
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    x = np.concatenate([z[:, :1], np.tile(logits, (n, 1))], axis=1)
    rows = layer([x, z]).numpy()
    np.testing.assert_array_equal(rows[:, 0], x[:, 0])
    np.testing.assert_allclose(rows[:, 1:].sum(axis=1), 1, rtol=1e-5)
    shares = np.bincount(rows[:, 1:].argmax(axis=1), minlength=3) / n
    # Four standard errors of a share are at most 4 / sqrt(4 n) = 0.014.
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.014)


def test_gumbel_noise_in_closed_form_and_its_temperature():
    z = np.array([[0.3, -1.2, 2.0]], np.float32)
    logits = np.array([[0.1, 0.2, -0.4]], np.float32)
    gumbel = stats.gumbel_r.ppf(special.ndtr(z.astype(np.float64)))
    for temperature in (0.2, 1.0):
        rows = tabular.MixedOutput((3,), temperature)([logits, z]).numpy()
        np.testing.assert_allclose(
            rows, special.softmax((logits + gumbel) / temperature, axis=1), rtol=1e-4
        )
    extreme = np.array([[-30.0, 0.0, 30.0]], np.float32)
    assert np.isfinite(tabular.MixedOutput((3,))([logits, extreme])).all()


def test_categories_pass_a_gradient_to_their_logits():
    layer = tabular.MixedOutput((1, 2))
    z = tf.constant([[0.1, 0.2, -0.3]])
    x = tf.Variable([[0.0, 0.3, 0.1]])
    with tf.GradientTape() as tape:
        loss = layer([x, z])[0, 1]
    gradient = tape.gradient(loss, x).numpy()[0]
    assert gradient[0] == 0
    assert gradient[1] == pytest.approx(-gradient[2], rel=1e-5)
    assert gradient[1] > 0.01


def test_networks_open_again(tmp_path):
    g = tabular.generator((1, 3, 1), latent_dim=4, widths=(8,))
    d = tabular.discriminator(5, widths=(8,))
    z = np.random.default_rng(0).standard_normal((6, 7), dtype=np.float32)
    rows = g(z)
    assert rows.shape == (6, 5)
    assert d(rows).shape == (6, 1)
    for model, inputs in ((g, z), (d, rows)):
        path = tmp_path / f"{model.name}.keras"
        model.save(path)
        np.testing.assert_array_equal(keras.models.load_model(path)(inputs), model(inputs))


def test_numpys_integers_are_integers():
    one = np.int64(1)
    row = tabular.generator(np.array([1, 3]), np.int64(2), np.array([4]))(np.zeros((2, 5)))
    assert tabular.discriminator(np.int64(4), np.array([3]))(row).shape == (2, 1)
    assert tabular.TableEncoder(KINDS, knots=np.int64(20)).fit(records()).width == 5
    made = rivals.interpolated_records(records(), KINDS, np.int64(4), one)
    assert made.shape == (4, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tabular.MixedOutput((1, 0)), ValueError, "width"),
        (lambda: tabular.MixedOutput((2,), 0.0), ValueError, "temperature"),
        (lambda: tabular.generator((1,), latent_dim=0), ValueError, "latent_dim"),
        (lambda: tabular.discriminator(0), ValueError, "width"),
        (lambda: tabular.recipe("other", sizes=(1,)), ValueError, "method"),
        (lambda: tabular.recipe(3, sizes=(1,)), TypeError, "method must be one of plain, steady"),
    ],
)
def test_networks_and_recipes_refuse_bad_settings(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_methods_share_networks_and_rates():
    plain, steady = (tabular.recipe(method, sizes=(1, 2)) for method in ("plain", "steady"))
    for name in ("batch_size", "steps", "g_learning_rate", "d_learning_rate", "beta_1", "beta_2"):
        assert getattr(plain, name) == getattr(steady, name)
    assert steady.penalties
    assert not plain.penalties


# --- Training ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    return tabular.train(records(), KINDS, steps=600, latent_dim=4, widths=(32, 32))


def test_a_short_training_learns_marginals_and_dependence(run):
    table, new = records(), records(2_000, seed=1)
    synthetic = run.sample(2_000)
    assert synthetic.shape == (2_000, 3)
    assert set(synthetic[:, 2]) <= {5.0, 15.0, 25.0}
    np.testing.assert_array_equal(synthetic[:, 1], np.rint(synthetic[:, 1]))
    independent = rivals.independent_columns(table, KINDS, 2_000)
    # Measured 0.02 to 0.04 over seeds 0 to 2, against 0.41 of independent columns.
    assert tabular.correlation_difference(new, synthetic, KINDS) < 0.1
    assert tabular.correlation_difference(new, independent, KINDS) > 0.38
    # Measured 0.03 to 0.07; moving a column by its deviation makes 1.
    assert tabular.marginal_distances(new, synthetic, KINDS).max() < 0.15


def test_what_a_run_tells(run):
    assert int(run.gan.step_counter) == 600
    assert run.history["step"] == [100, 200, 300, 400, 500, 600]
    np.testing.assert_array_equal(run.sample(10, seed=1), run.sample(10, seed=1))
    assert np.any(run.sample(10, seed=1) != run.sample(10, seed=2))


def test_the_seed_reaches_the_training(monkeypatch):
    given = {}

    def train(recipe, rows, **options):
        given.update(recipe=recipe, rows=rows, **options)
        gan = recipe.build(rows.shape[1:], seed=options["seed"])
        return recipes.Run(gan=gan, history={}, seconds=0.0, cpu_seconds=0.0, steps=0)

    monkeypatch.setattr(recipes, "train", train)
    made = tabular.train(records(), KINDS, steps=7, seed=4, latent_dim=2, widths=(8,))
    rows = tabular.TableEncoder(KINDS).fit(records()).transform(records(), seed=4)
    np.testing.assert_array_equal(given["rows"], rows)
    assert (given["steps"], given["seed"]) == (7, 4)
    assert made.gan.discriminator(np.zeros((4, 5), np.float32)).shape == (4, 1)
    assert made.gan.latent_dim == 5


def test_recipes_train_on_rows_says_what_is_wrong():
    settings = tabular.recipe("plain", sizes=(1, 1), widths=(4,))
    rows = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    few = dataclasses.replace(settings, batch_size=16)
    assert recipes.train(few, rows, steps=2).steps == 2
    with pytest.warns(UserWarning, match="batches of 128 samples, .* only 100; .* batches of 64"):
        recipes.train(settings, rows[:100], steps=1)
    with pytest.raises(ValueError, match="x must be float32, got float64"):
        recipes.train(settings, rows.astype(np.float64))
    with pytest.raises(ValueError, match="infinite"):
        recipes.train(settings, np.full_like(rows, np.nan))
    with pytest.raises(ValueError, match="image_shape must be"):
        recipes.train("fast", rows)


# --- Measures ----------------------------------------------------------------------------------


def test_marginal_distances_in_closed_form():
    table = np.column_stack([np.arange(10.0), np.arange(10.0), np.repeat([0.0, 1.0], 5)])
    moved = np.column_stack([np.arange(10.0) + 3, np.arange(10.0), np.repeat([0.0, 2.0], 5)])
    np.testing.assert_allclose(
        tabular.marginal_distances(table, moved, KINDS),
        [3 / np.arange(10).std(), 0, 0.5],
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="one value only"):
        tabular.marginal_distances(np.ones((4, 1)), np.ones((4, 1)), ["integer"])


def test_correlations_are_spearmans():
    table = records()
    kinds = ("continuous", "integer")
    wanted = stats.spearmanr(table[:, 0], table[:, 1]).statistic
    got = tabular.correlations(table[:, :2], kinds, like=table[:, :2])
    np.testing.assert_allclose(got, [[1, wanted], [wanted, 1]], rtol=1e-9)
    whole = tabular.correlations(table, KINDS, like=table)
    assert whole.shape == (4, 4)
    second = (table[:, 2] == 25).astype(float)
    assert whole[0, 3] == pytest.approx(
        np.corrcoef(stats.rankdata(table[:, 0]), second)[0, 1], rel=1e-9
    )
    # A category that is missing has no correlation with anything.
    without = table[table[:, 2] != 25]
    np.testing.assert_array_equal(tabular.correlations(without, KINDS, like=table)[3], 0)


def test_correlation_difference_in_closed_form():
    up, down = (np.column_stack([np.arange(9.0), sign * np.arange(9.0)]) for sign in (1, -1))
    kinds = ("continuous", "continuous")
    assert tabular.correlation_difference(up, up, kinds) == 0
    assert tabular.correlation_difference(up, down, kinds) == pytest.approx(2)
    with pytest.raises(ValueError, match="two columns"):
        tabular.correlation_difference(up[:, :1], up[:, :1], kinds[:1])


def test_energy_distance_in_closed_form():
    assert tabular.energy_distance([[0.0], [2.0]], [[5.0], [6.0]]) == pytest.approx(2 * 4.5 - 2 - 1)
    # For N(0, 1) and N(1, 1): E|X - X'| = 2 / sqrt(pi), and X - Y is N(-1, 2).
    x = special.ndtri((np.arange(1_000)[:, None] + 0.5) / 1_000)
    between = 2 / np.sqrt(np.pi) * np.exp(-1 / 4) + 1 - 2 * special.ndtr(-1 / np.sqrt(2))
    wanted = 2 * between - 4 / np.sqrt(np.pi)
    # Leaving out the pairs of a point with itself makes E|X - X'| of a grid larger by 1 / 999.
    assert tabular.energy_distance(x, x + 1) == pytest.approx(wanted, abs=0.004)
    rng = np.random.default_rng(0)
    same = [
        tabular.energy_distance(rng.standard_normal((100, 2)), rng.standard_normal((100, 2)))
        for _ in range(60)
    ]
    assert min(same) < 0  # unbiased: around 0
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(60)
    with pytest.raises(ValueError, match="same number of features"):
        tabular.energy_distance(x, np.zeros((3, 2)))


def test_two_sample_accuracy_is_one_half_for_one_distribution_and_one_for_far_ones():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((400, 2)), rng.standard_normal((500, 2))
    near = tabular.two_sample_accuracy(KNeighborsClassifier(9), x, y)
    # The standard error of a share of 800 is 0.018.
    assert abs(near - 0.5) < 0.07
    assert tabular.two_sample_accuracy(KNeighborsClassifier(9), x, y + 10) == 1


def test_two_sample_accuracy_trains_and_judges_on_different_records():
    judge = Constant(1)
    real, fake = np.arange(10.0)[:, None], 100 + np.arange(30.0)[:, None]
    assert tabular.two_sample_accuracy(judge, real, fake) == pytest.approx(0.5)
    assert len(judge.seen) == 10
    for fit, score in zip(judge.seen[::2], judge.seen[1::2], strict=True):
        assert len(fit[0]) == 16
        assert len(score[0]) == 4
        assert not set(fit[0].ravel()) & set(score[0].ravel())
        assert sorted(score[1]) == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="at least 5"):
        tabular.two_sample_accuracy(judge, real, fake[:4])


def test_train_on_synthetic_predicts_the_column_from_the_others():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    x[:, 1] = x[:, 0] - 2 * x[:, 2]
    test = rng.standard_normal((20, 3))
    test[:, 1] = test[:, 0] - 2 * test[:, 2]
    assert tabular.train_on_synthetic(LinearRegression(), x, test, 1) == pytest.approx(1)
    assert tabular.train_on_synthetic(LinearRegression(), x, test, -2) == pytest.approx(1)
    model = Constant(0)
    tabular.train_on_synthetic(model, x, test, 1)
    np.testing.assert_array_equal(model.seen[0][0], x[:, [0, 2]])
    np.testing.assert_array_equal(model.seen[1][1], test[:, 1])
    with pytest.raises(IndexError):
        tabular.train_on_synthetic(model, x, test, 3)


def test_measure_tells_a_copy_from_new_records():
    train, holdout, new = records(200, 1), records(200, 2), records(200, 3)
    copy, fresh = (
        tabular.measure(made, train, holdout, KINDS, KNeighborsClassifier(9))
        for made in (train, new)
    )
    assert copy.nearer_train > 0.98
    assert fresh.nearer_train < 0.6
    assert fresh.close < 0.6 < copy.close
    assert max(fresh.marginals, fresh.correlations) < 0.2
    assert fresh.told_apart < 0.6 < copy.told_apart + 0.2


def test_closest_records_catch_a_copy_and_acquit_a_stranger():
    train, holdout, strangers = records(200, 1), records(200, 2), records(1_000, 3)
    copied = tabular.closest_records(train, train, holdout, KINDS)
    assert copied.share_nearer_train == pytest.approx(1, abs=0.02)  # some tie with a held-out one
    assert copied.comparison.median == 0
    new = tabular.closest_records(strangers, train, holdout, KINDS)
    # Measured 0.484; the standard error of a share of 1,000 is 0.016.
    assert abs(new.share_nearer_train - 0.5) < 0.07
    mixed = tabular.closest_records(np.concatenate([train, holdout]), train, holdout, KINDS)
    assert mixed.share_nearer_train == pytest.approx(0.5, abs=1e-9)
    assert mixed.comparison.reference_median == pytest.approx(np.median(new_distances(holdout)))
    with pytest.raises(ValueError, match="one size, got 200 and 100 records"):
        tabular.closest_records(train, train, holdout[:100], KINDS)


def new_distances(holdout):
    train = records(200, 1)
    both = np.concatenate([train, holdout])
    deviation = both[:, :2].std(axis=0)
    numbers = (holdout[:, None, :2] - train[None, :, :2]) / deviation
    categories = holdout[:, None, 2] != train[None, :, 2]
    return np.sqrt((numbers**2).sum(axis=2) + categories).min(axis=1)
