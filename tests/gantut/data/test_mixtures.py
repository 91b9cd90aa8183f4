"""gantut.data.mixtures: draws against the mixture that they are from, and all draws' arguments."""

import numpy as np
import pytest

from gantut import data

N = 20_000


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
        (data.ring(N, seed=1), data.ring_mixture()),
        (data.grid(N, seed=1), data.grid_mixture()),
        (
            data.ring(N, modes=5, radius=3, sigma=0.2, seed=2),
            data.ring_mixture(modes=5, radius=3, sigma=0.2),
        ),
        (
            data.grid(N, side=3, spacing=1, sigma=0.1, seed=2),
            data.grid_mixture(side=3, spacing=1, sigma=0.1),
        ),
    ],
)
def test_draws_follow_the_mixture(points, mixture):
    assert points.shape == (N, 2)
    assert points.dtype == np.float32
    modes = len(mixture.centres)
    distances = np.linalg.norm(points[:, None] - mixture.centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    counts = np.bincount(nearest, minlength=modes)
    # Five standard deviations of a binomial count.
    assert np.abs(counts - N / modes).max() < 5 * np.sqrt(N / modes)
    residual = (points - mixture.centres[nearest]) / mixture.sigma
    assert np.abs(residual.mean(axis=0)).max() < 5 / np.sqrt(N)
    assert np.abs(residual.std(axis=0) - 1).max() < 5 / np.sqrt(2 * N)
    assert abs((residual[:, 0] * residual[:, 1]).mean()) < 5 / np.sqrt(N)
    # Within three sigma of a mode in the plane: 1 - exp(-9/2) = 98.89 %, the perfect sampler's
    # share of high quality in PacGAN's protocol.
    share = (distances.min(axis=1) < 3 * mixture.sigma).mean()
    assert abs(share - (1 - np.exp(-4.5))) < 5 * np.sqrt(0.9889 * 0.0111 / N)


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
    ("function", "arguments", "error", "name"),
    [
        (data.ring, {"n": 0}, ValueError, "n"),
        (data.ring, {"n": 2.0}, TypeError, "n"),
        (data.ring, {"n": True}, TypeError, "n"),
        (data.ring, {"n": 5, "modes": 0}, ValueError, "modes"),
        (data.ring, {"n": 5, "radius": 0}, ValueError, "radius"),
        (data.ring, {"n": 5, "sigma": 0}, ValueError, "sigma"),
        (data.ring, {"n": 5, "sigma": np.nan}, ValueError, "sigma"),
        (data.ring, {"n": 5, "sigma": [1, 2]}, TypeError, "sigma"),
        (data.ring, {"n": 5, "seed": -1}, ValueError, "seed"),
        (data.ring, {"n": 5, "seed": None}, TypeError, "seed"),
        (data.grid, {"n": 0}, ValueError, "n"),
        (data.grid, {"n": 5, "side": 0}, ValueError, "side"),
        (data.grid, {"n": 5, "spacing": -2}, ValueError, "spacing"),
        (data.grid, {"n": 5, "sigma": 0}, ValueError, "sigma"),
        (data.stacked_mnist, {"n": 0}, ValueError, "n"),
        (data.stacked_mnist, {"n": 5, "split": "validation"}, ValueError, "split"),
        (data.stacked_mnist, {"n": 5, "seed": "a"}, TypeError, "seed"),
        (data.gaussian_images, {"n": 0}, ValueError, "n"),
        (data.gaussian_images, {"n": 2, "seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_arguments_are_named(function, arguments, error, name):
    with pytest.raises(error, match=rf"\b{name}\b"):
        function(**arguments)
