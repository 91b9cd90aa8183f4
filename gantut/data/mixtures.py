"""Mixtures of normal distributions in the plane: the ring and the grid."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gantut import _check
from gantut.data.arrays import Float32


class Mixture(NamedTuple):
    """A mixture of round normal distributions in the plane.

    Attributes:
        centres: float64 of shape (K, 2), the means.
        sigma: The standard deviation of each, the same in every direction.
        weights: float64 of shape (K,), the shares, which sum to 1.
    """

    centres: NDArray[np.float64]
    sigma: float
    weights: NDArray[np.float64]


def ring_mixture(*, modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> Mixture:
    """The ring of normal distributions at the angles 2 pi k / modes, k = 0 .. modes - 1.

    The defaults are PacGAN's "2D-ring" (Lin et al. 2018). The end point 2 pi is not among the
    angles: with it, eight "modes" are seven, one of double weight.

    Args:
        modes: The number of modes, of equal weight.
        radius: The distance of the means from the origin, > 0.
        sigma: The standard deviation, > 0.
    """
    modes = _check.integer(modes, "modes", 1)
    radius, sigma = _check.number(radius, "radius", above=0), _check.number(sigma, "sigma", above=0)
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Mixture(centres, sigma, np.full(modes, 1 / modes))


def grid_mixture(*, side: int = 5, spacing: float = 2.0, sigma: float = 0.05) -> Mixture:
    """The square grid of side x side normal distributions around the origin.

    The defaults are PacGAN's "2D-grid" (Lin et al. 2018): 25 modes on {-4, -2, 0, 2, 4}^2.

    Args:
        side: The number of modes along each axis, of equal weight; the second coordinate runs
            fastest.
        spacing: The distance between neighbours, > 0.
        sigma: The standard deviation, > 0.
    """
    side = _check.integer(side, "side", 1)
    spacing = _check.number(spacing, "spacing", above=0)
    sigma = _check.number(sigma, "sigma", above=0)
    axis = spacing * (np.arange(side) - (side - 1) / 2)
    centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return Mixture(centres, sigma, np.full(side**2, 1 / side**2))


def sample_mixture(mixture: Mixture, n: int, *, seed: int = 0) -> Float32:
    """Draws ``n`` points from a mixture: float32 of shape (n, 2)."""
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    mode = random.choice(len(mixture.centres), size=n, p=mixture.weights)
    points = mixture.centres[mode] + mixture.sigma * random.standard_normal((n, 2))
    return points.astype(np.float32)


def ring(
    n: int, *, modes: int = 8, radius: float = 1.0, sigma: float = 0.01, seed: int = 0
) -> Float32:
    """Draws ``n`` points from :func:`ring_mixture`: float32 of shape (n, 2).

    PacGAN's protocol draws 100,000.
    """
    return sample_mixture(ring_mixture(modes=modes, radius=radius, sigma=sigma), n, seed=seed)


def grid(
    n: int, *, side: int = 5, spacing: float = 2.0, sigma: float = 0.05, seed: int = 0
) -> Float32:
    """Draws ``n`` points from :func:`grid_mixture`, as `ring` does from its own."""
    return sample_mixture(grid_mixture(side=side, spacing=spacing, sigma=sigma), n, seed=seed)
