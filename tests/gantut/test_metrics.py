"""Every metric against an independent oracle or a closed form, and every refusal."""

import tracemalloc

import numpy as np
import pytest
from prdc import compute_prdc
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel

from gantut import data, metrics


def normal(n: int, features: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, features)) * scale + shift


def whitened(n: int, features: int, seed: int) -> np.ndarray:
    """Points whose sample mean is 0 and whose sample covariance is the identity, to rounding."""
    x = normal(n, features, seed)
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


@pytest.mark.parametrize(
    "measure", [metrics.frechet_distance, metrics.kernel_distance, metrics.manifold_metrics]
)
def test_memory_grows_with_the_samples_and_not_with_their_pairs(measure):
    def peak(n: int) -> int:
        real, fake = normal(n, 16, 0), normal(n, 16, 1)
        tracemalloc.start()
        measure(real, fake)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken

    assert peak(1_600) < 2.5 * peak(800)


def test_what_is_known_of_a_set_is_computed_once():
    a, b = normal(40, 4, 0), normal(30, 4, 1, 1.2)
    real, fake = metrics.Features(a), metrics.Features(b)
    for measure in PAIRS:
        assert measure(real, fake) == measure(a, b)
        assert measure(fake, b) == measure(b, fake)
    assert real.moments is real.moments
    assert real.kernel_sums is real.kernel_sums
    assert real.squared_radii(5) is real.squared_radii(5)
    assert (real.squared_radii(2) < real.squared_radii(5)).all()


# --- Frechet distance ----------------------------------------------------------------------------


def test_frechet_distance_of_known_normals():
    x = whitened(500, 4, 0)
    # N(0, I) against N(m, D^2): |m|^2 + sum (d - 1)^2.
    scales, shift = np.array([0.5, 1.0, 2.0, 3.0]), np.array([1.0, -2.0, 0.0, 0.5])
    expected = 5.25 + 0.25 + 0 + 1 + 4
    assert metrics.frechet_distance(x, x * scales + shift) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_covariances_that_do_not_commute():
    x = whitened(300, 2, 1)
    a, b = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.9], [0.9, 1.0]])
    # In two dimensions trace(sqrt(M)) = sqrt(trace(M) + 2 sqrt(det(M))).
    product = a @ b
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    found = metrics.frechet_distance(x @ np.linalg.cholesky(a).T, x @ np.linalg.cholesky(b).T)
    assert found == pytest.approx(expected, rel=1e-10)


def test_frechet_distance_against_sqrtm():
    mix = normal(20, 20, 2)
    a, b = normal(400, 20, 3), normal(300, 20, 4, 1.3, 0.2) @ mix
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    expected = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(
        covariance_a + covariance_b - 2 * sqrtm(covariance_a @ covariance_b).real
    )
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_is_exact_for_singular_covariances():
    # Ten samples in 50 dimensions; the second set is the first one moved by a known vector.
    a = normal(10, 50, 5)
    assert metrics.frechet_distance(a, a + 2) == pytest.approx(50 * 4, rel=1e-12)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-10)
    # Point against normal: |m|^2 + trace(C).
    point = np.ones((10, 50))
    expected = np.sum((a.mean(axis=0) - 1) ** 2) + np.trace(np.cov(a.T))
    assert metrics.frechet_distance(point, a) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_is_symmetric_never_negative_and_reads_float32():
    a, b = normal(200, 8, 6), normal(150, 8, 7)
    assert metrics.frechet_distance(a, b) == pytest.approx(metrics.frechet_distance(b, a), rel=1e-9)
    assert metrics.frechet_distance(a, a[::-1]) >= 0
    assert metrics.frechet_distance(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(
        metrics.frechet_distance(a, b), rel=1e-5
    )


def test_frechet_error_is_the_spread_over_fresh_samples():
    values, errors = [], []
    for seed in range(60):
        a, b = normal(300, 4, 2 * seed), normal(300, 4, 2 * seed + 1, 1.2, 0.5)
        values.append(metrics.frechet_distance(a, b))
        errors.append(metrics.frechet_distance_error(a, b, repeats=30))
    # 60 values give a spread to within 9 % (one standard deviation).
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.25)


def test_frechet_error_follows_its_seed():
    a, b = normal(100, 3, 0), normal(100, 3, 1, 1.5)
    first = metrics.frechet_distance_error(a, b, repeats=10, seed=4)
    assert metrics.frechet_distance_error(a, b, repeats=10, seed=4) == first
    assert metrics.frechet_distance_error(a, b, repeats=10, seed=5) != first


# --- Kernel distance -----------------------------------------------------------------------------


def kernel_distance_oracle(a: np.ndarray, b: np.ndarray) -> float:
    n, m = len(a), len(b)
    aa, bb, ab = (
        polynomial_kernel(x, y, degree=3, gamma=None, coef0=1) for x, y in ((a, a), (b, b), (a, b))
    )
    return (
        (aa.sum() - np.trace(aa)) / (n * (n - 1))
        + (bb.sum() - np.trace(bb)) / (m * (m - 1))
        - 2 * ab.mean()
    )


@pytest.mark.parametrize(("n", "m"), [(50, 70), (950, 410)])  # within a tile and across tiles
def test_kernel_distance_against_scikit_learn(n, m):
    a, b = normal(n, 12, 0), normal(m, 12, 1, 1.1, 0.1)
    expected = kernel_distance_oracle(a, b)
    assert metrics.kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_unbiased():
    values = [
        metrics.kernel_distance(normal(40, 3, 2 * s), normal(30, 3, 2 * s + 1)) for s in range(400)
    ]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_kernel_error_is_the_jackknife():
    a, b = normal(12, 5, 0), normal(9, 5, 1)
    without_a = [kernel_distance_oracle(np.delete(a, i, axis=0), b) for i in range(12)]
    without_b = [kernel_distance_oracle(a, np.delete(b, i, axis=0)) for i in range(9)]
    expected = np.sqrt(11 * np.var(without_a) + 8 * np.var(without_b))
    assert metrics.kernel_distance_and_error(a, b)[1] == pytest.approx(expected, rel=1e-9)


def test_kernel_error_is_the_spread_over_fresh_samples():
    pairs = [(normal(200, 4, 2 * s), normal(200, 4, 2 * s + 1, 1.2, 0.5)) for s in range(60)]
    errors = [metrics.kernel_distance_and_error(a, b)[1] for a, b in pairs]
    spread = np.std([metrics.kernel_distance(a, b) for a, b in pairs], ddof=1)
    assert np.mean(errors) == pytest.approx(spread, rel=0.25)


# --- Precision, recall, density, coverage --------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.7, 0.3), (1.4, 0.0)])
def test_manifold_metrics_against_prdc(k, scale, shift):
    real, fake = normal(450, 6, 0), normal(330, 6, 1, scale, shift)
    expected = compute_prdc(real_features=real, fake_features=fake, nearest_k=k)
    found = metrics.manifold_metrics(real, fake, k)._asdict()
    assert found == pytest.approx(expected, abs=1e-12)
    assert metrics.precision_recall(real, fake, k) == (found["precision"], found["recall"])


def test_density_is_1_and_coverage_follows_k_where_both_sets_agree():
    for k in (1, 2, 5):
        found = [
            metrics.manifold_metrics(normal(500, 3, 2 * s), normal(500, 3, 2 * s + 1), k)[2:]
            for s in range(10)
        ]
        density, coverage = np.mean(found, axis=0)
        assert density == pytest.approx(1, abs=0.03)
        assert coverage == pytest.approx(1 - 2.0**-k, abs=0.02)


def test_disjoint_supports_score_nothing():
    real = normal(60, 3, 0)
    assert metrics.manifold_metrics(real, real + 1000) == (0, 0, 0, 0)


def test_copies_score_everything():
    real = normal(600, 3, 0)
    found = metrics.manifold_metrics(real, real.copy(), 5)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_dropped_mode_costs_recall_and_coverage_but_no_precision():
    real = np.concatenate([normal(200, 2, 0, 0.1), normal(200, 2, 1, 0.1, 5)])
    fake = normal(400, 2, 2, 0.1)
    found = metrics.manifold_metrics(real, fake)
    assert found.precision > 0.9
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_duplicates_are_at_distance_0_exactly(offset):
    # Eight copies of each point: the fifth neighbour is a copy, so balls have no extent.
    points = normal(50, 64, 0) + offset
    real = np.repeat(points, 8, axis=0)
    assert not metrics.Features(real).squared_radii(5).any()
    found = metrics.manifold_metrics(real, points[np.arange(400) % 50], 5)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert metrics.manifold_metrics(real, real + 1e-3, 5).precision == 0


def test_distances_keep_their_digits_far_from_the_origin():
    # Naive |x|^2 + |y|^2 - 2xy has an error of about 1 here; the moved one of about 1e-10.
    x = normal(300, 5, 0)
    expected = np.sort(np.sum((x[:, None] - x[None]) ** 2, axis=-1), axis=1)[:, 3]
    # 1e7 + x itself is rounded to 2e-9.
    np.testing.assert_allclose(metrics.Features(x + 1e7).squared_radii(3), expected, atol=1e-6)


# --- Classes -------------------------------------------------------------------------------------


def test_classifier_score_of_known_distributions():
    assert metrics.classifier_score(np.eye(10)) == pytest.approx(10, rel=1e-12)
    assert metrics.classifier_score(np.full((7, 10), 0.1)) == pytest.approx(1, rel=1e-12)
    assert metrics.classifier_score(np.eye(10)[[3, 3, 3]]) == pytest.approx(1, rel=1e-12)
    assert metrics.classifier_score(np.eye(4)[[0, 2]]) == pytest.approx(2, rel=1e-12)


def test_classifier_score_is_exp_of_the_mutual_information():
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=200)
    marginal = p.mean(axis=0)
    entropy_of_marginal = -np.sum(marginal * np.log(marginal))
    entropy_given_x = -np.sum(p * np.log(p), axis=1).mean()
    assert metrics.classifier_score(p) == pytest.approx(
        np.exp(entropy_of_marginal - entropy_given_x), rel=1e-12
    )


def test_class_histogram():
    np.testing.assert_allclose(metrics.class_histogram([0, 1, 1, 3], 4), [0.25, 0.5, 0, 0.25])
    p = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]])
    np.testing.assert_allclose(metrics.class_histogram(p, 2), [1 / 3, 2 / 3])
    assert metrics.class_histogram(np.arange(10)).tolist() == [0.1] * 10


# --- Modes ---------------------------------------------------------------------------------------


def evenly(mixture: data.Mixture, per_mode: int) -> np.ndarray:
    """`per_mode` copies of each centre."""
    return np.repeat(mixture.centres, per_mode, axis=0)


def test_modes_of_points_made_by_hand():
    ring = data.ring_mixture()  # sigma 0.01, so a sample counts within 0.03 of a centre
    samples = np.array(
        [
            ring.centres[0],
            ring.centres[0] + [0.0, 0.0299],
            ring.centres[0] + [0.0299, 0.0299],  # near along each axis, but not in the plane
            ring.centres[3] - [0.0301, 0.0],
            ring.centres[5],
            [0.0, 0.0],
            [40.0, -7.0],
        ]
    )
    found = metrics.mode_coverage(samples, ring)
    assert found.counts.tolist() == [2, 0, 0, 0, 0, 1, 0, 0]
    assert (found.modes, found.num_modes, found.high_quality) == (2, 8, 3 / 7)
    # Shares 2/3 and 1/3 against 1/8 each.
    expected = 2 / 3 * np.log(16 / 3) + 1 / 3 * np.log(8 / 3)
    assert found.reverse_kl == pytest.approx(expected, rel=1e-12)


def test_radius_of_mode_coverage_is_in_standard_deviations():
    grid = data.grid_mixture()

    def counted(distance: float, **options: float) -> int:
        sample = grid.centres[7:8] + np.array([distance, 0.0])
        return metrics.mode_coverage(sample, grid, **options).counts[7]

    assert counted(0.15 - 1e-9) == 1
    assert counted(0.15 + 1e-9) == 0
    assert counted(0.15 - 1e-9, radius=2.99) == 0
    assert counted(0.1999, radius=4.0) == 1


def test_even_samples_have_no_divergence_and_one_mode_has_log_k():
    grid = data.grid_mixture()
    every = metrics.mode_coverage(evenly(grid, 3), grid)
    assert (every.modes, every.high_quality) == (25, 1.0)
    assert 0 <= every.reverse_kl < 1e-15
    one = metrics.mode_coverage(np.tile(grid.centres[4], (9, 1)), grid)
    assert one.modes == 1
    assert one.reverse_kl == pytest.approx(np.log(25), rel=1e-12)


def test_reverse_kl_is_against_the_weights_of_the_mixture():
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    mixture = data.Mixture(centres, 0.01, np.array([0.75, 0.25, 0.0]))
    assert metrics.mode_coverage(centres[[0, 0, 0, 1]], mixture).reverse_kl == pytest.approx(0)
    half = metrics.mode_coverage(centres[[0, 1]], mixture).reverse_kl
    assert half == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25), rel=1e-12)
    assert metrics.mode_coverage(centres[[0, 2]], mixture).reverse_kl == np.inf


def test_no_counted_sample_leaves_no_divergence():
    found = metrics.mode_coverage(np.zeros((5, 2)), data.ring_mixture())
    assert (found.modes, found.high_quality, found.counts.sum()) == (0, 0.0, 0)
    assert np.isnan(found.reverse_kl)


@pytest.mark.parametrize("mixture", [data.ring_mixture(), data.grid_mixture()])
def test_floor_of_a_perfect_sampler(mixture):
    found = [
        metrics.mode_coverage(data.sample_mixture(mixture, 2500, seed=seed), mixture)
        for seed in range(100)
    ]
    modes = len(mixture.centres)
    assert {coverage.modes for coverage in found} == {modes}
    # The standard deviation of one share is sqrt(p (1 - p) / 2500) = 0.0021; four errors of the
    # mean of 100.
    share = 1 - np.exp(-4.5)
    assert np.mean([coverage.high_quality for coverage in found]) == pytest.approx(
        share, abs=4 * 0.00021
    )
    # 2 n KL is chi-squared with K - 1 degrees of freedom (Wilks): mean K - 1, variance 2 (K - 1).
    floor = (modes - 1) / (2 * 2500 * share)
    error = np.sqrt(2 * (modes - 1)) / (2 * 2500 * share) / 10
    assert np.mean([coverage.reverse_kl for coverage in found]) == pytest.approx(
        floor, abs=4 * error
    )


def test_modes_are_counted_across_blocks_and_in_float32():
    grid = data.grid_mixture()
    samples = evenly(grid, 401).astype(np.float32)
    assert metrics.mode_coverage(samples, grid).counts.tolist() == [401] * 25


def test_triples_of_digits_counted_by_hand():
    digits = np.array([[1, 2, 3], [1, 2, 3], [3, 2, 1], [0, 0, 0]])
    found = metrics.triples_of_digits(digits)
    assert (found.modes, len(found.counts)) == (3, 1000)
    assert found.counts[[123, 321, 0]].tolist() == [2, 1, 1]
    expected = 0.5 * np.log(500) + 0.5 * np.log(250)
    assert found.kl == pytest.approx(expected, rel=1e-12)
    every = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), axis=1)
    assert metrics.triples_of_digits(every).modes == 1000
    assert metrics.triples_of_digits(every).kl < 1e-13


def test_floor_of_real_stacked_digits():
    digits = data.load_mnist().y_test
    found = [
        metrics.triples_of_digits(
            digits[np.random.default_rng(seed).integers(len(digits), size=(26_000, 3))]
        )
        for seed in range(20)
    ]
    assert {modes.modes for modes in found} == {1000}
    # 999 / 52,000 for the finite number of images, and three times the divergence of one digit's
    # frequency from 1/10. Measured 0.0247 with a standard deviation of 0.0007 from seed to seed.
    shares = np.bincount(digits) / len(digits)
    floor = 999 / 52_000 + 3 * np.sum(shares * np.log(10 * shares))
    assert np.mean([modes.kl for modes in found]) == pytest.approx(floor, rel=0.03)


@pytest.mark.parametrize(
    "digits",
    [
        np.zeros((2, 3)),
        np.zeros((2, 2), int),
        np.zeros((0, 3), int),
        np.full((2, 3), 10),
        np.full((2, 3), -1),
    ],
)
def test_bad_digits(digits):
    with pytest.raises(ValueError, match=r"digits|labels"):
        metrics.triples_of_digits(digits)


@pytest.mark.parametrize(
    ("samples", "options", "error", "message"),
    [
        (np.zeros((3, 3)), {}, ValueError, "samples"),
        (np.zeros(4), {}, ValueError, "samples"),
        (np.zeros((0, 2)), {}, ValueError, "samples"),
        (np.full((3, 2), np.nan), {}, ValueError, "samples.*NaN"),
        (np.array([["a", "b"]]), {}, TypeError, "samples"),
        (np.zeros((3, 2)), {"radius": 0.0}, ValueError, "radius"),
        (np.zeros((3, 2)), {"radius": np.nan}, ValueError, "radius"),
    ],
)
def test_bad_points(samples, options, error, message):
    with pytest.raises(error, match=message):
        metrics.mode_coverage(samples, data.ring_mixture(), **options)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": np.full(7, 1 / 7)}, "mixture.weights"),
        ({"weights": np.ones(8)}, "mixture.weights"),
        ({"weights": np.array([2.0, -1.0, 0, 0, 0, 0, 0, 0])}, "mixture.weights"),
        ({"sigma": 0.0}, "mixture.sigma"),
        ({"centres": np.zeros(8)}, "mixture.centres"),
    ],
)
def test_bad_mixtures(changed, message):
    with pytest.raises(ValueError, match=message):
        metrics.mode_coverage(np.zeros((3, 2)), data.ring_mixture()._replace(**changed))
    with pytest.raises(TypeError, match="mixture"):
        metrics.mode_coverage(np.zeros((3, 2)), (np.zeros((1, 2)), 1.0, [1.0]))


# --- Sharpness -----------------------------------------------------------------------------------


def test_sharpness_of_known_images():
    flat = np.full((2, 5, 5, 1), 0.3, np.float32)
    rows, columns = np.meshgrid(np.arange(5), np.arange(5), indexing="ij")
    slope = ((rows + 2 * columns) / 12 - 1).astype(np.float32)[None, ..., None]
    assert metrics.sharpness(flat) == 0
    assert metrics.sharpness(slope) == pytest.approx(0, abs=1e-12)
    dot = np.zeros((1, 5, 5, 1), np.float32)
    dot[0, 2, 2] = 1
    # The Laplacian at the nine inner pixels: -4 in the middle, 1 four times, 0 four times.
    assert metrics.sharpness(dot) == pytest.approx(20 / 9, rel=1e-12)
    assert metrics.sharpness(dot / 2) == pytest.approx(20 / 36, rel=1e-12)
    # Over a set it is the mean; other channels of the same grey change nothing.
    assert metrics.sharpness(np.concatenate([dot, flat[:1]])) == pytest.approx(10 / 9, rel=1e-12)
    assert metrics.sharpness(np.repeat(dot, 3, axis=3)) == pytest.approx(20 / 9, rel=1e-12)
    red = dot * np.array([1, 0, 0], np.float32)
    assert metrics.sharpness(red) == pytest.approx(20 / 81, rel=1e-6)


def test_sharpness_of_noise_is_twenty_variances():
    noise = np.random.default_rng(0).uniform(-1, 1, (4001, 16, 16, 1)).astype(np.float32)
    # Uniform on [-1, 1]: variance 1/3. Measured 1.0003 times 20/3.
    assert metrics.sharpness(noise) == pytest.approx(20 / 3, rel=0.002)


def test_blur_costs_sharpness():
    digits = data.load_mnist().x_test[:500]
    blurred = (digits[:, 1:] + digits[:, :-1]) / 2
    real = metrics.sharpness(digits)
    # Measured: 0.590, for each two rows averaged into one.
    assert metrics.sharpness(blurred) / real == pytest.approx(0.59, abs=0.02)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 2, 5, 1), np.float32), r"at least 3 x 3 pixels, got shape \(2, 2, 5, 1\)"),
        (np.zeros((2, 5, 5), np.float32), "add the axis of the channels"),
        (np.full((2, 5, 5, 1), np.nan, np.float32), "got NaN"),
        (np.full((2, 5, 5, 1), 2, np.float32), r"wanted values in \[-1, 1\]"),
    ],
)
def test_bad_images_have_no_sharpness(bad, message):
    with pytest.raises(ValueError, match=message):
        metrics.sharpness(bad)


# --- Memorisation --------------------------------------------------------------------------------


def images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 6, 5, 1)).astype(np.float32)


def test_nearest_training_images_against_brute_force():
    samples, train = images(30, 0), images(5000, 1)
    # Neighbours are merged across blocks of 2,000.
    expected = np.linalg.norm(
        samples.reshape(30, 1, -1).astype(np.float64) - train.reshape(1, 5000, -1), axis=-1
    )
    order = expected.argsort(axis=1)[:, :4]
    found = metrics.nearest_training_images(samples, train, k=4)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(expected, order, axis=1), rtol=1e-12
    )


def test_copies_are_found_at_distance_0_exactly():
    train = images(3000, 2)
    chosen = np.array([2999, 0, 17])
    distances, indices = metrics.nearest_training_images(train[chosen], train)
    np.testing.assert_array_equal(indices[:, 0], chosen)
    assert not distances.any()


def test_all_training_images_as_neighbours():
    samples, train = images(3, 3), images(7, 4)
    found = metrics.nearest_training_images(samples, train, k=7)
    assert sorted(found.indices[0]) == list(range(7))
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_memorisation_tells_copies_from_new_images():
    train, held_out, new = images(800, 5), images(400, 6), images(400, 7)

    def nearest(samples):
        return metrics.nearest_training_images(samples, train).distances[:, 0]

    copied = metrics.memorisation(nearest(train[:100]), nearest(held_out))
    assert (copied.share_close, copied.median) == (1, 0)
    fresh = metrics.memorisation(nearest(new), nearest(held_out), quantile=0.1)
    assert fresh.share_close == pytest.approx(0.1, abs=0.06)  # 4 standard deviations
    assert fresh.median == pytest.approx(fresh.reference_median, rel=0.02)
    assert fresh.quantile == 0.1
    assert metrics.memorisation(nearest(held_out), nearest(held_out)).share_close == 0.01


# --- Refusals ------------------------------------------------------------------------------------

GOOD = np.zeros((8, 3))
PAIRS = [
    metrics.frechet_distance,
    metrics.frechet_distance_error,
    metrics.kernel_distance,
    metrics.kernel_distance_and_error,
    metrics.precision_recall,
    metrics.manifold_metrics,
]


@pytest.mark.parametrize("function", PAIRS)
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.zeros(8), ValueError, "shape"),
        (np.zeros((8, 3, 1)), ValueError, "shape"),
        (np.zeros((8, 0)), ValueError, "shape"),
        (np.zeros((8, 4)), ValueError, "same number of features"),
        (np.zeros((1, 3)), ValueError, "at least"),
        (np.zeros((0, 3)), ValueError, "at least"),
        (np.array([[np.nan, 0, 0]] * 8), ValueError, "NaN"),
        (np.array([[np.inf, 0, 0]] * 8), ValueError, "infinite"),
        (np.zeros((8, 3), complex), TypeError, "complex128"),
        (np.zeros((8, 3), bool), TypeError, "bool"),
        (np.full((8, 3), "x"), TypeError, "<U1"),
        (None, TypeError, "object"),
    ],
)
def test_bad_features_are_named_on_either_side(function, bad, error, message):
    with pytest.raises(error, match=message):
        function(bad, GOOD)
    with pytest.raises(error, match=message):
        function(GOOD, bad)


@pytest.mark.parametrize("function", [metrics.precision_recall, metrics.manifold_metrics])
def test_bad_k(function):
    for k in (0, -1):
        with pytest.raises(ValueError, match="k"):
            function(GOOD, GOOD, k)
    for k in (2.0, True, None):
        with pytest.raises(TypeError, match="k"):
            function(GOOD, GOOD, k)
    with pytest.raises(ValueError, match="fake"):
        function(GOOD, GOOD[:7], 7)
    with pytest.raises(ValueError, match="real"):
        function(GOOD, GOOD, 8)


def test_integers_of_numpy_are_integers():
    a, b = normal(30, 3, 0), normal(20, 3, 1)
    assert metrics.manifold_metrics(a, b, np.int64(2)) == metrics.manifold_metrics(a, b, 2)
    assert metrics.frechet_distance_error(
        a, b, repeats=np.int32(4), seed=np.int64(1)
    ) == metrics.frechet_distance_error(a, b, repeats=4, seed=1)
    assert metrics.class_histogram([0, 1], np.int64(2)).tolist() == [0.5, 0.5]
    assert metrics.nearest_training_images(images(2, 0), images(5, 1), np.uint8(3)).indices.shape
    assert metrics.memorisation([1.0], [1.0], np.float32(0.5)).quantile == 0.5


def test_bad_repeats():
    with pytest.raises(ValueError, match="repeats"):
        metrics.frechet_distance_error(GOOD, GOOD, repeats=1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((0, 10)), "probabilities"),
        (np.full(10, 0.1), "probabilities"),
        (np.array([[3.0, -1.0]]), "probabilities"),
        (np.array([[3.0, 1.0]]), "softmax"),
        (np.array([[np.nan, 1.0]]), "NaN"),
    ],
)
def test_bad_probabilities(bad, message):
    with pytest.raises(ValueError, match=message):
        metrics.classifier_score(bad)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([], ValueError, "classes"),
        ([0.5, 1.0], ValueError, "labels"),
        ([0, 10], ValueError, "0..9"),
        ([-1, 3], ValueError, "0..9"),
        (np.full((4, 5), 0.2), ValueError, "classes"),
        (np.zeros((2, 2, 2), int), ValueError, "classes"),
        (3, ValueError, "classes"),
    ],
)
def test_bad_classes(bad, error, message):
    with pytest.raises(error, match=message):
        metrics.class_histogram(bad)


def test_bad_number_of_classes():
    with pytest.raises(ValueError, match="num_classes"):
        metrics.class_histogram([0], num_classes=0)


@pytest.mark.parametrize(
    ("samples", "train", "k", "error", "message"),
    [
        (images(2, 0), images(5, 0)[:, :5], 1, ValueError, "images of one shape"),
        (np.zeros(3), np.zeros(3), 1, ValueError, "images of one shape"),
        (images(0, 0), images(5, 0), 1, ValueError, "samples"),
        (images(2, 0), images(5, 0), 0, ValueError, "k must"),
        (images(2, 0), images(5, 0), 6, ValueError, "k must"),
        (images(2, 0), images(5, 0), 1.0, TypeError, "k must"),
        (images(2, 0) * np.nan, images(5, 0), 1, ValueError, "samples"),
        (images(2, 0), images(5, 0) * np.nan, 1, ValueError, "train"),
        (images(2, 0).astype(str), images(5, 0), 1, TypeError, "samples"),
    ],
)
def test_bad_images(samples, train, k, error, message):
    with pytest.raises(error, match=message):
        metrics.nearest_training_images(samples, train, k)


@pytest.mark.parametrize(
    ("distances", "reference", "quantile", "error", "message"),
    [
        ([], [1.0], 0.01, ValueError, "distances"),
        ([1.0], [[1.0]], 0.01, ValueError, "reference_distances"),
        ([-1.0], [1.0], 0.01, ValueError, "negative"),
        ([np.nan], [1.0], 0.01, ValueError, "NaN"),
        ([1.0], [1.0], 0.0, ValueError, "quantile"),
        ([1.0], [1.0], 1.5, ValueError, "quantile"),
        (["a"], [1.0], 0.01, TypeError, "distances"),
    ],
)
def test_bad_distances(distances, reference, quantile, error, message):
    with pytest.raises(error, match=message):
        metrics.memorisation(distances, reference, quantile)
