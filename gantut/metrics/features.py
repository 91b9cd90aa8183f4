"""Distances between two sets of features: Frechet and kernel distance, and nearest neighbours."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.data import Float64

# Blocks of the matrix of all pairs: small enough for a processor's cache, which is worth a factor
# of two or more over blocks of 1,000 rows.
_ROWS = 200  # rows of a block of distances
_TILE = 400  # side of a block of kernel values


class Features:
    """Features of one set of samples, with what the metrics need of that set alone.

    Each metric takes one wherever it takes an array. What it computes of the one set (moments, row
    sums of the kernel, radii) is kept for the next, which pays where a set is compared with many.

    Args:
        values: Features (N, F) of N samples, kept in float64.
        name: What to call them in an error message.
    """

    def __init__(self, values: npt.ArrayLike, name: str = "features") -> None:
        self.values = _check.rows(values, name)
        self._radii: dict[int, Float64] = {}

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def moments(self) -> tuple[Float64, Float64]:
        """Mean (F,) and unbiased covariance (F, F)."""
        return self.moments_of(np.ones(len(self), np.int64))

    def moments_of(self, counts: npt.NDArray[np.int64]) -> tuple[Float64, Float64]:
        """The moments with row i taken ``counts[i]`` times."""
        weights = counts.astype(np.float64)
        mean = weights @ self.values / weights.sum()
        centred = (self.values - mean) * np.sqrt(weights)[:, None]
        return mean, centred.T @ centred / (weights.sum() - 1)

    @cached_property
    def kernel_sums(self) -> Float64:
        """Row sums (N,) of the kernel matrix of the set with itself, without its diagonal."""
        x, sums = self.values, np.zeros(len(self))
        for i in range(0, len(x), _TILE):
            for j in range(i, len(x), _TILE):
                block = _cube(x[i : i + _TILE], x[j : j + _TILE])
                if i == j:
                    np.fill_diagonal(block, 0)
                else:
                    sums[j : j + _TILE] += block.sum(axis=0)
                sums[i : i + _TILE] += block.sum(axis=1)
        return sums

    def squared_radii(self, k: int) -> Float64:
        """Squared distance (N,) of each row to its k-th nearest other row."""
        if k not in self._radii:
            radii = np.empty(len(self))
            for rows, squares in _squared_distances(self.values, self.values):
                # Each row is its own nearest neighbour at distance 0, or a duplicate is.
                squares.partition(k, axis=1)
                radii[rows] = squares[:, k]
            self._radii[k] = radii
        return self._radii[k]


FeaturesLike: TypeAlias = npt.ArrayLike | Features


def checked_pair(
    a: FeaturesLike, b: FeaturesLike, names: tuple[str, str] = ("a", "b"), *, least: int
) -> tuple[Features, Features]:
    """Two sets of features of one width, each of ``least`` samples or more."""
    first, second = (
        x if isinstance(x, Features) else Features(x, name)
        for x, name in zip((a, b), names, strict=True)
    )
    for features, name in ((first, names[0]), (second, names[1])):
        if len(features) < least:
            raise ValueError(f"{name}: wanted at least {least} samples, got {len(features)}")
    if first.values.shape[1] != second.values.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same number of features, "
            f"got {first.values.shape[1]} and {second.values.shape[1]}"
        )
    return first, second


def frechet_distance(a: FeaturesLike, b: FeaturesLike) -> float:
    """Frechet distance between normal distributions fitted to two sets of features.

    Heusel et al. (2017), equation 6, which is the squared 2-Wasserstein distance::

        |m_a - m_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2))

    The trace of the square root is computed as the sum of the singular values of
    C_a^(1/2) C_b^(1/2), which is exact for singular covariances too (fewer samples than features,
    or a feature that never fires).

    Args:
        a: Features (N, F) with N >= 2.
        b: Features (M, F) with M >= 2.

    Returns:
        The distance, >= 0, in squared units of the features. It is biased upwards by about the
        same amount for equal sample counts: compare only values with the same N and M.
    """
    a, b = checked_pair(a, b, least=2)
    return _frechet(a.moments, b.moments)


def frechet_distance_error(
    a: FeaturesLike, b: FeaturesLike, *, repeats: int = 50, seed: int = 0
) -> float:
    """Bootstrap standard error of `frechet_distance`.

    Both sets are drawn again with replacement `repeats` times (Efron 1979); the result is the
    standard deviation of the distances found. Drawing with replacement shifts all distances
    upwards alike, so only their spread is used. Close to the floor the error comes out up to twice
    too large. Arguments as there; at least 2 ``repeats``, fixed by ``seed``.
    """
    a, b = checked_pair(a, b, least=2)
    repeats = _check.integer(repeats, "repeats", 2)
    random = _check.rng(seed)

    def resampled(x: Features) -> tuple[Float64, Float64]:
        return x.moments_of(random.multinomial(len(x), np.full(len(x), 1 / len(x))))

    return float(np.std([_frechet(resampled(a), resampled(b)) for _ in range(repeats)], ddof=1))


def _frechet(a: tuple[Float64, Float64], b: tuple[Float64, Float64]) -> float:
    difference = a[0] - b[0]
    cross = np.linalg.svd(_root(a[1]).T @ _root(b[1]), compute_uv=False).sum()
    value = difference @ difference + np.trace(a[1]) + np.trace(b[1]) - 2 * cross
    return max(0.0, float(value))


def _root(covariance: Float64) -> Float64:
    """A matrix R with R R^T = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.clip(values, 0, None))


def kernel_distance(a: FeaturesLike, b: FeaturesLike) -> float:
    """Kernel distance: unbiased squared maximum mean discrepancy with a cubic kernel.

    Binkowski et al. (2018): kernel (x.y / F + 1)^3, F the number of features. The estimator is
    the U-statistic over all pairs (Gretton et al. 2012, equation 3), not an average over random
    subsets: it needs no seed and has the smallest variance. Arguments as in `frechet_distance`.

    Returns:
        The squared discrepancy. Its expectation does not depend on the sample counts and is 0
        where both sets come from one distribution, so small negative values are to be expected.
    """
    return kernel_distance_and_error(a, b)[0]


def kernel_distance_and_error(a: FeaturesLike, b: FeaturesLike) -> tuple[float, float]:
    """`kernel_distance` and its jackknife standard error, in one pass.

    Each sample is left out in turn (Efron and Stein 1981), which for this estimator takes only
    the row sums of the kernel matrices. The jackknife errs on the large side, and is NaN below
    three samples. Arguments as there.
    """
    a, b = checked_pair(a, b, least=2)
    rows_ab, columns_ab = np.zeros(len(a)), np.zeros(len(b))
    for i in range(0, len(a), _TILE):
        for j in range(0, len(b), _TILE):
            block = _cube(a.values[i : i + _TILE], b.values[j : j + _TILE])
            rows_ab[i : i + _TILE] += block.sum(axis=1)
            columns_ab[j : j + _TILE] += block.sum(axis=0)
    n, m = len(a), len(b)
    sum_aa, sum_bb, sum_ab = a.kernel_sums.sum(), b.kernel_sums.sum(), rows_ab.sum()
    value = sum_aa / (n * (n - 1)) + sum_bb / (m * (m - 1)) - 2 * sum_ab / (n * m)
    if min(n, m) < 3:
        return float(value), float("nan")
    without_a = (sum_aa - 2 * a.kernel_sums) / ((n - 1) * (n - 2))
    without_a -= 2 * (sum_ab - rows_ab) / ((n - 1) * m)
    without_b = (sum_bb - 2 * b.kernel_sums) / ((m - 1) * (m - 2))
    without_b -= 2 * (sum_ab - columns_ab) / (n * (m - 1))
    variance = (n - 1) * without_a.var() + (m - 1) * without_b.var()
    return float(value), float(np.sqrt(variance))


def _cube(x: Float64, y: Float64) -> Float64:
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    cube = base * base
    cube *= base
    return cube


class ManifoldMetrics(NamedTuple):
    """How two sets lie in each other's balls, of `manifold_metrics`.

    Attributes:
        precision: Share of fake samples inside the real support, in [0, 1].
        recall: Share of real samples inside the fake support, in [0, 1].
        density: In how many real balls a fake sample lies, divided by k and averaged; >= 0. One
            far-off real sample with a huge ball weighs less than in precision.
        coverage: Share of real balls that hold at least one fake sample, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real: FeaturesLike, fake: FeaturesLike, k: int = 5) -> tuple[float, float]:
    """The first two of `manifold_metrics`."""
    return manifold_metrics(real, fake, k)[:2]


def manifold_metrics(real: FeaturesLike, fake: FeaturesLike, k: int = 5) -> ManifoldMetrics:
    """Precision, recall, density and coverage of samples by nearest neighbours.

    Kynkaanniemi et al. (2019), equations 1 to 3, and Naeem et al. (2020), equations 2 and 3: around
    each point of a set lies a ball that reaches to its k-th nearest neighbour in the same set;
    their union stands for the set's support.

    Args:
        real: Features (N, F) with N > k.
        fake: Features (M, F) with M > k.
        k: Neighbours that set the radius. Kynkaanniemi et al. take 3 with 50,000 samples; here it
            is 5, the value that Naeem et al. derive for density and coverage with 10,000, so
            that the four numbers describe the same balls.

    Returns:
        The four. Of two sets from one distribution precision and recall are below 1, the
        expectation of the density is 1 and, for equally many samples, that of the coverage about
        1 - 2^-k.
    """
    k = _check.integer(k, "k", 1)
    real, fake = checked_pair(real, fake, ("real", "fake"), least=k + 1)
    real_radii, fake_radii = real.squared_radii(k), fake.squared_radii(k)
    balls_around_fake = np.zeros(len(fake), dtype=np.int64)
    covered = np.zeros(len(real), dtype=bool)
    recalled = np.zeros(len(real), dtype=bool)
    for rows, squares in _squared_distances(real.values, fake.values):
        inside = squares <= real_radii[rows, None]
        balls_around_fake += np.count_nonzero(inside, axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squares <= fake_radii).any(axis=1)
    return ManifoldMetrics(
        precision=float(np.mean(balls_around_fake > 0)),
        recall=float(recalled.mean()),
        density=float(balls_around_fake.mean() / k),
        coverage=float(covered.mean()),
    )


def _squared_distances(x: Float64, y: Float64) -> Iterator[tuple[slice, Float64]]:
    """Yields blocks of rows of the matrix of squared distances of x to y.

    |x|^2 + |y|^2 - 2 x.y loses digits where the norms are large beside the distance. Both sets
    are therefore moved so that y's mean is the origin, and what is left of rounding, bounded by
    4 F eps (|x|^2 + |y|^2), is set to 0: duplicates are at distance 0 exactly.
    """
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    x_squares, y_squares = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    noise = 4 * x.shape[1] * np.finfo(np.float64).eps * (x_squares.max() + y_squares.max())
    for start in range(0, len(x), _ROWS):
        rows = slice(start, min(start + _ROWS, len(x)))
        squares = (-2 * x[rows]) @ y.T
        squares += x_squares[rows, None]
        squares += y_squares
        squares[squares <= noise] = 0
        yield rows, squares
