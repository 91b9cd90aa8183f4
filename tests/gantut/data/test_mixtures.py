"""gantut.data.mixtures: draws against the mixture that they are from, and all draws' arguments."""

import numpy as np
import pytest

from gantut import data


def test_ring_mixture_has_eight_modes_not_seven():
    mixture = data.ring_mixture()
    half = np.sqrt(0.5)
    wanted = [
        (1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half), (0, -1), (half, -half)
    ]  # fmt: skip
    np.testing.assert_allclose(mixture.centres, wanted, atol=1e-15)
    assert mixture.sigma == 0.01
    np.testing.assert_array_equal(mixture.weights, np.full(8, 0.125))


def test_grid_mixture_is_pacgans():
    mixture = data.grid_mixture()
    wanted = [(a, b) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)]
    np.testing.assert_array_equal(mixture.centres, wanted)
    assert mixture.sigma == 0.05
    assert mixture.weights.shape == (25,)
    assert mixture.weights.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_array_equal(
        data.grid_mixture(side=2, spacing=1).centres,
        [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)],
    )


@pytest.mark.parametrize(
    ("points", "mixture"),
    [
        (data.ring(100_000, seed=1), data.ring_mixture()),
        (data.grid(100_000, seed=1), data.grid_mixture()),
        (
            data.ring(100_000, modes=5, radius=3, sigma=0.2, seed=2),
            data.ring_mixture(modes=5, radius=3, sigma=0.2),
        ),
        (
            data.grid(100_000, side=3, spacing=1, sigma=0.1, seed=2),
            data.grid_mixture(side=3, spacing=1, sigma=0.1),
        ),
    ],
)
def test_draws_follow_the_mixture(points, mixture):
    assert points.shape == (100_000, 2)
    assert points.dtype == np.float32
    modes = len(mixture.centres)
    distances = np.linalg.norm(points[:, None] - mixture.centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    counts = np.bincount(nearest, minlength=modes)
    # Five standard deviations of a binomial count.
    assert np.abs(counts - 1e5 / modes).max() < 5 * np.sqrt(1e5 / modes)
    residual = (points - mixture.centres[nearest]) / mixture.sigma
    assert np.abs(residual.mean(axis=0)).max() < 5 / np.sqrt(1e5)
    assert np.abs(residual.std(axis=0) - 1).max() < 5 / np.sqrt(2e5)
    assert abs((residual[:, 0] * residual[:, 1]).mean()) < 5 / np.sqrt(1e5)
    # Within three sigma of a mode in the plane: 1 - exp(-9/2) = 98.89 %, the perfect sampler's
    # share of high quality in PacGAN's protocol.
    share = (distances.min(axis=1) < 3 * mixture.sigma).mean()
    assert abs(share - (1 - np.exp(-4.5))) < 5 * np.sqrt(0.9889 * 0.0111 / 1e5)


def test_weights_of_a_mixture_are_followed():
    mixture = data.Mixture(np.array([[0.0, 0.0], [9.0, 9.0]]), 0.1, np.array([0.9, 0.1]))
    points = data.sample_mixture(mixture, 10_000, seed=0)
    assert abs((points[:, 0] > 4).mean() - 0.1) < 5 * np.sqrt(0.09 / 1e4)


@pytest.mark.parametrize(
    "draw",
    [
        lambda n, seed: data.ring(n, seed=seed),
        lambda n, seed: data.grid(n, seed=seed),
        lambda n, seed: data.gaussian_images(n, seed=seed).images,
    ],
    ids=["ring", "grid", "gaussian_images"],
)
def test_a_seed_fixes_the_bits(draw):
    first = draw(100, 5)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one, to be left alone
    assert np.array_equal(first, draw(100, 5))
    assert np.array_equal(first, draw(np.int64(100), np.int64(5)))
    assert not np.array_equal(first, draw(100, 6))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: data.ring(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.ring(-3), ValueError, "n must be an integer >= 1, got -3"),
        (lambda: data.ring(2.0), TypeError, r"n must be an integer >= 1, got 2\.0 \(float\)"),
        (lambda: data.ring("9"), TypeError, r"n must be an integer >= 1, got '9' \(str\)"),
        (lambda: data.ring(True), TypeError, r"got True \(bool\)"),
        (lambda: data.ring(5, modes=0), ValueError, "modes must be an integer >= 1, got 0"),
        (lambda: data.ring(5, radius=0), ValueError, "radius must be a finite number > 0, got 0"),
        (lambda: data.ring(5, sigma=0), ValueError, "sigma must be a finite number > 0, got 0"),
        (lambda: data.ring(5, sigma=-1), ValueError, "sigma must be a finite number > 0, got -1"),
        (lambda: data.ring(5, sigma=np.nan), ValueError, "sigma must be .* got nan"),
        (lambda: data.ring(5, sigma=np.inf), ValueError, "sigma must be .* got inf"),
        (lambda: data.ring(5, sigma="x"), TypeError, "sigma must be"),
        (lambda: data.ring(5, sigma=[1, 2]), TypeError, "sigma must be"),
        (lambda: data.ring(5, seed=-1), ValueError, "seed must be an integer >= 0, got -1"),
        (lambda: data.ring(5, seed=None), TypeError, "seed must be an integer >= 0, got None"),
        (lambda: data.ring(5, seed=0.5), TypeError, r"seed must be an integer >= 0, got 0\.5"),
        (lambda: data.grid(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.grid(5, side=0), ValueError, "side must be an integer >= 1, got 0"),
        (lambda: data.grid(5, spacing=-2), ValueError, "spacing must be a finite number > 0"),
        (lambda: data.grid(5, sigma=0), ValueError, "sigma must be a finite number > 0"),
        (lambda: data.stacked_mnist(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.stacked_mnist(1.5), TypeError, r"n must be an integer >= 1, got 1\.5"),
        (
            lambda: data.stacked_mnist(5, split="validation"),
            ValueError,
            "split",
        ),
        (lambda: data.stacked_mnist(5, seed="a"), TypeError, "seed must be an integer >= 0"),
        (lambda: data.gaussian_images(0), ValueError, "n must be an integer >= 1, got 0"),
        (lambda: data.gaussian_images(2, seed=-1), ValueError, "seed must be an integer >= 0"),
        (
            lambda: data.gaussian_images(2, std_range=(0.5, 1)),
            ValueError,
            r"std_range must begin at 0\.8 pixels or more, got 0\.5",
        ),
        (
            lambda: data.gaussian_images(2, std_range=(2, 1)),
            ValueError,
            r"std_range must be finite with low <= high, got \(2\.0, 1\.0\)",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=12),
            TypeError,
            r"mean_range must be a pair of numbers \(low, high\), got 12",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(10, np.inf)),
            ValueError,
            "mean_range must be finite",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(5, 17)),
            ValueError,
            r"wanted 4 standard deviations between mean and frame, got 2\.20",
        ),
        (
            lambda: data.gaussian_images(2, mean_range=(13, 24)),
            ValueError,
            r"wanted 4 standard deviations between mean and frame, got 1\.40",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
