"""gantut.applications.rivals: each against a known answer."""

import numpy as np
import pytest
from scipy import linalg, special
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tiny import noise, records

from gantut import metrics
from gantut.applications import faces, rivals, tabular

KINDS = ("continuous", "integer", "category")


# --- Neighbours and principal components -------------------------------------------------------


def test_principal_components_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    train = rng.standard_normal((300, 6, 2)) * np.arange(1, 7)[:, None]
    test = rng.standard_normal((50, 6, 2)) * np.arange(1, 7)[:, None]
    oracle = PCA(4).fit(train.reshape(300, -1))
    a, b = rivals.principal_components(train, test, 4)
    for mine, rows in ((a, train), (b, test)):
        theirs = oracle.transform(rows.reshape(len(rows), -1))
        np.testing.assert_allclose(np.abs(mine), np.abs(theirs), atol=1e-3)
    rest = test.reshape(50, -1) - oracle.inverse_transform(oracle.transform(test.reshape(50, -1)))
    np.testing.assert_allclose(
        rivals.pca_residuals(train, test, 4), np.mean(rest**2, axis=1), rtol=1e-3
    )
    assert rivals.pca_residuals(train, test, 12).max() < 1e-8


@pytest.mark.parametrize("angle", [False, True])
def test_neighbours_are_those_of_scikit_learn(angle):
    rng = np.random.default_rng(0)
    train, test = rng.standard_normal((700, 5)) + 1, rng.standard_normal((1_100, 5)) + 1
    kind = "cosine" if angle else "euclidean"
    theirs, _ = NearestNeighbors(n_neighbors=1, metric=kind).fit(train).kneighbors(test)
    if angle:
        theirs = np.sqrt(2 * theirs)
    distance = rivals.neighbour_scores(train, test, angle=angle)
    np.testing.assert_allclose(distance, theirs[:, 0], atol=1e-5)
    if not angle:
        exact = metrics.nearest_training_images(test, train).distances[:, 0]
        np.testing.assert_allclose(distance, exact, rtol=1e-5)
    assert rivals.neighbour_scores(train, train, angle=angle).max() < 1e-6


def test_plain_detectors_refuse_bad_input():
    rows = np.zeros((5, 3))
    with pytest.raises(ValueError, match="dimension"):
        rivals.neighbour_scores(rows, np.zeros((2, 4)))
    with pytest.raises(ValueError, match="NaN"):
        rivals.neighbour_scores(rows, np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="components"):
        rivals.pca_residuals(rows, rows, 4)
    with pytest.raises(ValueError, match="0 sample"):
        rivals.pca_residuals(np.zeros((0, 3)), rows, 1)


def test_gradients_see_direction_and_place_and_not_contrast():
    upright, lying = -np.ones((2, 1, 12, 12, 1), np.float32)
    upright[:, :, 6:], lying[:, 6:] = 1, 1
    # Edges at a right angle share no direction, and rows of length 1 are then sqrt(2) apart.
    scores = rivals.gradient_scores(upright, np.concatenate([lying, upright, upright / 4 - 0.3]))
    np.testing.assert_allclose(scores, [np.sqrt(2), 0, 0], atol=1e-3)
    moved = np.roll(upright, -4, axis=2)
    assert rivals.gradient_scores(upright, moved, cell=4)[0] > 0.5


# --- Images from images ------------------------------------------------------------------------


def test_jittered_copies_are_training_faces_when_moved_back():
    x = noise(6)
    copies = rivals.jittered_copies(x, 50, seed=3)
    found = faces.nearest_faces(copies, x)
    # Inside the margin, clipping at black and white is all that differs. Measured 0.011.
    assert found.distances.max() < 0.03
    assert len(np.unique(copies, axis=0)) == 50


def test_blends_have_parts_of_two_images():
    black, white = -np.ones((1, 6, 4, 1), np.float32), np.ones((1, 6, 4, 1), np.float32)
    both = np.concatenate([black, white])
    # Light changes black and white by 0.2 at most.
    made = rivals.blends(both, 200).round()
    halves = np.stack([made[:, :3].mean(axis=(1, 2, 3)), made[:, 3:].mean(axis=(1, 2, 3))], axis=1)
    assert set(map(tuple, halves)) == {(-1, -1), (-1, 1), (1, -1), (1, 1)}
    mean = rivals.blends(both, 200, kind="mean").round()
    # Half of the means are of two different images; four standard errors are 0.14.
    assert abs(np.mean(mean == 0) - 0.5) < 0.14
    assert set(np.unique(mean)) == {-1, 0, 1}
    with pytest.raises(ValueError, match="unknown kind"):
        rivals.blends(both, 2, kind="thirds")


def test_linear_regression_is_ridge_regression():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (2, 50, 3, 3, 1)).astype(np.float32)
    restore = rivals.linear_regression(x, y)
    oracle = Ridge(alpha=0.01 * 50).fit(x.reshape(50, 9), y.reshape(50, 9))
    wanted = np.clip(oracle.predict(x.reshape(50, 9)), -1, 1)
    np.testing.assert_allclose(restore(x).reshape(50, 9), wanted, atol=1e-5)


def test_pixels_get_the_mean_and_deviation_of_the_other_set():
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-s, s, (500, 3, 2, 1)).astype(np.float32) for s in (0.3, 0.4))
    moved = rivals.match_pixels(a, b + 0.1)(a)
    np.testing.assert_allclose(moved.mean(axis=0), (b + 0.1).mean(axis=0), atol=1e-5)
    # The 0.01 in both deviations costs up to 2 %.
    np.testing.assert_allclose(moved.std(axis=0), b.std(axis=0), rtol=0.02)


@pytest.mark.parametrize("by_pixel", [False, True])
def test_transport_is_optimal_between_normal_distributions(by_pixel):
    rng = np.random.default_rng(0)
    shape = (2_000, 1, 1, 3) if by_pixel else (2_000, 3, 1, 1)
    mix = np.array([[0.2, 0.1, 0], [0, 0.1, 0.05], [0, 0, 0.15]])
    a = (rng.uniform(-1, 1, (2_000, 3)) * 0.3).astype(np.float32).reshape(shape)
    b = (rng.uniform(-1, 1, (2_000, 3)) @ mix + 0.1).astype(np.float32).reshape(shape)
    move = rivals.gaussian_transport(a, b, ridge=1e-6, by_pixel=by_pixel)
    moved = move(a).reshape(-1, 3)
    np.testing.assert_allclose(moved.mean(axis=0), b.reshape(-1, 3).mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(b.reshape(-1, 3).T), atol=1e-4)
    # What makes it the optimal one of these: its matrix is symmetric and positive.
    origin = move(np.zeros((1, *shape[1:]), np.float32)).reshape(3)
    units = np.eye(3, dtype=np.float32).reshape(3, *shape[1:]) / 10
    matrix = (move(units).reshape(3, 3) - origin) * 10
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
    assert np.linalg.eigvalsh(matrix).min() > 0
    cov_a, cov_b = (np.cov(x.reshape(-1, 3).T) for x in (a, b))
    root = np.real(linalg.sqrtm(cov_a))
    inverse = np.linalg.inv(root)
    wanted = inverse @ np.real(linalg.sqrtm(root @ cov_b @ root)) @ inverse
    np.testing.assert_allclose(matrix, wanted, atol=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rivals.match_pixels(x, x[:, :4]), "differ in shape"),
        (lambda x: rivals.gaussian_transport(x, x, ridge=0), "ridge"),
        (lambda x: rivals.linear_regression(x, x[:3]), "differ in shape"),
    ],
)
def test_maps_of_images_refuse_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(noise(5))


# --- Sequences ---------------------------------------------------------------------------------


def test_counts_give_probabilities():
    grams = rivals.NGrams(["ab", "ab", "ac", "b"], order=2)
    # First symbol a in 3 of 4; after a comes b in 2 of 3; after b always the end.
    found = {s: np.exp(grams.log_probability(s)) for s in ("ab", "ac", "b", "a", "cb", "")}
    assert found == pytest.approx({"ab": 0.5, "ac": 0.25, "b": 0.25, "a": 0, "cb": 0, "": 0})
    with pytest.raises(ValueError, match="at least one"):
        rivals.NGrams([])


def test_higher_orders_remember_more_and_the_first_order_nothing():
    texts = [("x", "p", "y"), ("z", "p", "w")]
    assert rivals.NGrams(texts, order=2).log_probability(("x", "p", "w")) == np.log(1 / 4)
    assert rivals.NGrams(texts, order=3).log_probability(("x", "p", "w")) == -np.inf
    assert rivals.NGrams(texts, order=3).log_probability(texts[0]) == np.log(1 / 2)
    # p and the end are 2 of 8 symbols each.
    assert np.exp(rivals.NGrams(texts, order=1).log_probability("p")) == pytest.approx(1 / 16)


def test_the_likeliest_part_has_the_form_of_what_was_counted():
    grams = rivals.NGrams([("anna", "sold", "ships"), ("boris", "wrote", "songs")])
    document = ("boris", "says", "anna", "quietly", "sold", "ships", "songs")
    assert grams.likeliest_part(document, 3) == ("anna", "sold", "ships")


# --- Tables ------------------------------------------------------------------------------------


RIVALS = (
    rivals.independent_columns,
    rivals.gaussian_copula,
    rivals.gaussian_mixture,
    rivals.sequential_trees,
    rivals.interpolated_records,
)


@pytest.mark.parametrize("rival", RIVALS)
def test_rivals_keep_kinds_and_seeds(rival):
    table = records()
    made = rival(table, KINDS, 500, seed=1)
    assert made.shape == (500, 3)
    assert set(made[:, 2]) == {5.0, 15.0, 25.0}
    np.testing.assert_array_equal(made[:, 1], np.rint(made[:, 1]))
    assert table.min(axis=0)[0] <= made[:, 0].min() < made[:, 0].max() <= table.max(axis=0)[0]
    np.testing.assert_array_equal(made, rival(table, KINDS, 500, seed=1))
    assert np.any(made != rival(table, KINDS, 500, seed=2))
    # Measured 0.03 to 0.05.
    assert tabular.marginal_distances(table, made, KINDS).mean() < 0.1
    with pytest.raises(ValueError, match="must have 3 columns"):
        rival(table[:, :2], KINDS, 5)
    with pytest.raises(ValueError, match="n must be an integer >= 1"):
        rival(table, KINDS, 0)


def test_independent_columns_have_no_correlation():
    table = records(1_000)
    made = rivals.independent_columns(table, KINDS, 4_000)
    off = ~np.eye(4, dtype=bool)
    # Two indicators of one category exclude each other, whatever the other columns do.
    off[2, 3] = off[3, 2] = False
    # Four standard errors are 4 / sqrt(4000) = 0.063.
    assert np.abs(tabular.correlations(made, KINDS, like=table)[off]).max() < 0.063
    assert np.abs(tabular.correlations(table, KINDS, like=table)[off]).max() > 0.5


def test_a_copula_has_the_correlations_of_a_normal_distribution():
    rng = np.random.default_rng(0)
    covariance = [[1.0, 0.8, 0.0], [0.8, 1.0, -0.5], [0.0, -0.5, 1.0]]
    normal = rng.multivariate_normal(np.zeros(3), covariance, 4_000)
    table = np.exp(normal)  # any increasing function leaves the copula as it is
    kinds = ("continuous",) * 3
    made = rivals.gaussian_copula(table, kinds, 4_000)
    # Measured 0.012; the standard error of a correlation is 1 / sqrt(4000) = 0.016.
    assert tabular.correlation_difference(table, made, kinds) < 0.03
    one = rivals.gaussian_copula(table[:, :1], kinds[:1], 1_000)
    assert tabular.marginal_distances(table[:, :1], one, kinds[:1])[0] < 0.15


def test_correlations_of_what_was_cut_are_the_known_ones():
    # Of normal variables cut at 0, with correlation 1/2, both are positive in a third of the cases.
    halves = np.array([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
    found = rivals.latent_correlations(np.tile(halves, (50, 1)))
    np.testing.assert_allclose(found, [[1, 0.5], [0.5, 1]], atol=1e-3)
    np.testing.assert_allclose(
        rivals.latent_correlations(halves * [1, -1]), [[1, -0.5], [-0.5, 1]], atol=1e-3
    )
    r = np.array([[1, 0.8, 0.6], [0.8, 1, 0.4], [0.6, 0.4, 1]])
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), r, 20_000)
    cut = np.column_stack([np.exp(z[:, 0]), z[:, 1] > 0.3, np.digitize(z[:, 2], [-1, 0])])
    # Measured 0.007; the standard error between two such columns is some 0.01.
    np.testing.assert_allclose(rivals.latent_correlations(cut), r, atol=0.03)
    np.testing.assert_allclose(rivals.latent_correlations(np.exp(z)), r, atol=0.015)


def test_a_copula_keeps_the_correlation_with_a_class():
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, -0.8], [-0.8, 1]], 4_000)
    table = np.column_stack([z[:, 0], z[:, 1] > 0.5])
    made = rivals.gaussian_copula(table, ("continuous", "category"), 8_000)
    # Of a normal variable and the indicator of another above t it is r f(t) / sqrt(p (1 - p)).
    p = special.ndtr(-0.5)
    wanted = -0.8 * np.exp(-(0.5**2) / 2) / np.sqrt(2 * np.pi * p * (1 - p))
    # Measured -0.608 for -0.610; scores drawn inside a class would have left -0.37.
    assert np.corrcoef(made.T)[0, 1] == pytest.approx(wanted, abs=0.03)
    # Two columns that say the same: what is left of their matrix is one of correlations.
    same = rivals.gaussian_copula(table[:, [1, 1]], ("category",) * 2, 2_000)
    assert np.mean(same[:, 0] == same[:, 1]) > 0.97


def test_a_mixture_finds_clouds_that_nobody_names():
    rng = np.random.default_rng(0)
    which = rng.random(600) < 0.3
    # Within each cloud the columns fall together, over both they rise.
    x = rng.standard_normal(600)
    table = np.column_stack([x, -x + 0.3 * rng.standard_normal(600)]) + 6 * which[:, None]
    kinds = ("continuous", "continuous")
    made = rivals.gaussian_mixture(table, kinds, 2_000)
    upper = made.sum(axis=1) > 6
    assert abs(upper.mean() - 0.3) < 0.08
    for cloud in (made[upper], made[~upper]):
        assert np.corrcoef(cloud.T)[0, 1] < -0.8
    # A single normal distribution of scores has the cloud rounder: -0.57.
    one = rivals.gaussian_copula(table, kinds, 2_000)
    assert np.corrcoef(one[one.sum(axis=1) > 6].T)[0, 1] > -0.7


def test_trees_keep_what_follows_from_the_columns_before():
    x = np.random.default_rng(0).uniform(-1, 1, 500)
    table = np.column_stack([x, np.abs(x) > 0.5, np.where(np.abs(x) > 0.5, 7, 3)])
    made = rivals.sequential_trees(table, ("continuous", "category", "integer"), 1_000, seed=1)
    assert np.mean((np.abs(made[:, 0]) > 0.5) == made[:, 1]) > 0.98
    np.testing.assert_array_equal(made[:, 2], np.where(made[:, 1], 7, 3))
    assert set(made[:, 0]) <= set(x)


def test_interpolated_records_lie_between_neighbours():
    # Two far clusters on a line: nothing may lie between them.
    x = np.concatenate([np.linspace(0, 1, 20), np.linspace(100, 101, 20)])
    table = np.column_stack([x, np.repeat([1.0, 2.0], 20)])
    made = rivals.interpolated_records(table, ("continuous", "category"), 1_000)
    assert not np.any((made[:, 0] > 1) & (made[:, 0] < 100))
    np.testing.assert_array_equal(made[:, 1], np.where(made[:, 0] < 50, 1.0, 2.0))
    assert len(np.setdiff1d(made[:, 0], x)) > 900
    with pytest.raises(ValueError, match="at least 6"):
        rivals.interpolated_records(table[:5], ("continuous", "category"), 5)
