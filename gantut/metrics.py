"""Distances between generated and real data, on feature arrays: NumPy in, numbers out.

Every function takes arrays of features, one row a sample. For digits the features are those of
`gantut.judge`; two-dimensional points are their own features. None of these numbers says anything
alone: each is finite even between two halves of the real data, and that floor, at the same number
of samples, is what to read it against (`gantut.evaluation` computes both).

All sums are in float64. Work that needs all pairs of samples goes through blocks, so memory grows
with the number of samples, not with its square.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.data import Mixture, check_alike, check_images

Float64 = npt.NDArray[np.float64]

# Blocks of the matrix of all pairs: small enough for a processor's cache, which is worth a factor
# of two or more over blocks of 1,000 rows.
_ROWS = 200  # rows of a block of distances
_TILE = 400  # side of a block of kernel values
_IMAGES = 2000  # training images at a time


class ManifoldMetrics(NamedTuple):
    """Precision, recall, density and coverage of one set of samples."""

    precision: float
    recall: float
    density: float
    coverage: float


class Neighbours(NamedTuple):
    """The k nearest training images of each sample, nearest first.

    Attributes:
        distances: float64 of shape (N, k), Euclidean distances over all pixels.
        indices: int64 of shape (N, k), rows of the training images.
    """

    distances: Float64
    indices: npt.NDArray[np.int64]


class Memorisation(NamedTuple):
    """How near samples lie to the training set, beside real images that were never trained on.

    Attributes:
        median: Median distance of a sample to its nearest training image.
        reference_median: The same median for held-out real images.
        threshold: Distance below which only `quantile` of the held-out images lie.
        share_close: Share of samples below the threshold; about `quantile` if the generator
            copies as little as chance does, 1 if it only copies.
        quantile: The quantile that sets the threshold.
    """

    median: float
    reference_median: float
    threshold: float
    share_close: float
    quantile: float


class ModeCoverage(NamedTuple):
    """How samples spread over the modes of a mixture whose truth is known.

    Attributes:
        modes: Modes that hold at least one counted sample.
        num_modes: Modes that there are, K.
        high_quality: Share of the samples that count, in [0, 1].
        reverse_kl: KL(shares of the counted samples || the mixture's weights) in nats. NaN where
            no sample counts, infinite where samples lie at a mode of weight 0.
        counts: int64 of shape (K,), the counted samples of each mode, in the mixture's order.
    """

    modes: int
    num_modes: int
    high_quality: float
    reverse_kl: float
    counts: npt.NDArray[np.int64]


class StackedModes(NamedTuple):
    """How images of three stacked digits spread over the 1,000 triples of digits.

    Attributes:
        modes: Triples that occur at least once, at most 1,000.
        kl: KL(shares of the triples || 1/1000 each) in nats, from 0 to log(1000) = 6.908.
        counts: int64 of shape (1000,): how often each triple occurs, the triple (a, b, c) of the
            three channels at 100 a + 10 b + c.
    """

    modes: int
    kl: float
    counts: npt.NDArray[np.int64]


# --- Frechet distance ----------------------------------------------------------------------------


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
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

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If an array is not two-dimensional, has too few rows, a width other than the
            other's, or a value that is not finite.
    """
    a, b = _pair(a, b, minimum=2)
    return _frechet(_moments(a), _moments(b))


def frechet_distance_error(
    a: npt.ArrayLike, b: npt.ArrayLike, *, repeats: int = 50, seed: int = 0
) -> float:
    """Bootstrap standard error of `frechet_distance`.

    Both sets are drawn again with replacement `repeats` times (Efron 1979); the result is the
    standard deviation of the distances found. Drawing with replacement shifts all distances
    upwards alike, so only their spread is used. Close to the floor the error comes out up to twice
    too large.

    Args:
        a: Features (N, F) with N >= 2.
        b: Features (M, F) with M >= 2.
        repeats: Number of draws, at least 2.
        seed: Seed of the draws.

    Returns:
        The standard error, in squared units of the features.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If the features are not valid (see `frechet_distance`) or `repeats` < 2.
    """
    a, b = _pair(a, b, minimum=2)
    _check.integer(repeats, "repeats", 2)
    random = np.random.default_rng(seed)

    def resampled(x: Float64) -> tuple[Float64, Float64]:
        return _moments(x, random.multinomial(len(x), np.full(len(x), 1 / len(x))))

    return float(np.std([_frechet(resampled(a), resampled(b)) for _ in range(repeats)], ddof=1))


def _moments(x: Float64, counts: npt.NDArray[np.int64] | None = None) -> tuple[Float64, Float64]:
    """Mean and unbiased covariance of x with row i taken counts[i] times."""
    weights = np.ones(len(x)) if counts is None else counts.astype(np.float64)
    mean = weights @ x / weights.sum()
    centred = (x - mean) * np.sqrt(weights)[:, None]
    return mean, centred.T @ centred / (weights.sum() - 1)


def _frechet(a: tuple[Float64, Float64], b: tuple[Float64, Float64]) -> float:
    difference = a[0] - b[0]
    cross = np.linalg.svd(_root(a[1]).T @ _root(b[1]), compute_uv=False).sum()
    value = difference @ difference + np.trace(a[1]) + np.trace(b[1]) - 2 * cross
    return max(0.0, float(value))


def _root(covariance: Float64) -> Float64:
    """A matrix R with R R^T = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.clip(values, 0, None))


# --- Kernel distance -----------------------------------------------------------------------------


def kernel_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Kernel distance: unbiased squared maximum mean discrepancy with a cubic kernel.

    Binkowski et al. (2018): kernel (x.y / F + 1)^3, F the number of features. The estimator is
    the U-statistic over all pairs (Gretton et al. 2012, equation 3), not an average over random
    subsets: it needs no seed and has the smallest variance.

    Args:
        a: Features (N, F) with N >= 2.
        b: Features (M, F) with M >= 2.

    Returns:
        The squared discrepancy. Its expectation does not depend on the sample counts and is 0
        where both sets come from one distribution, so small negative values are to be expected.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If the features are not valid (see `frechet_distance`).
    """
    a, b = _pair(a, b, minimum=2)
    return _kernel(a, b)[0]


def kernel_distance_error(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Jackknife standard error of `kernel_distance`.

    Each sample is left out in turn (Efron and Stein 1981), which for this estimator takes only
    the row sums of the kernel matrices. The jackknife errs on the large side.

    Args:
        a: Features (N, F) with N >= 3.
        b: Features (M, F) with M >= 3.

    Returns:
        The standard error.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If the features are not valid (see `frechet_distance`).
    """
    a, b = _pair(a, b, minimum=3)
    return _kernel(a, b)[1]


def _kernel(
    a: Float64,
    b: Float64,
    rows_aa: Float64 | None = None,
    rows_bb: Float64 | None = None,
) -> tuple[float, float]:
    """Kernel distance and jackknife error (NaN below three rows)."""
    rows_aa = _kernel_rows(a) if rows_aa is None else rows_aa
    rows_bb = _kernel_rows(b) if rows_bb is None else rows_bb
    rows_ab, columns_ab = _kernel_cross(a, b)
    n, m = len(a), len(b)
    sum_aa, sum_bb, sum_ab = rows_aa.sum(), rows_bb.sum(), rows_ab.sum()
    value = sum_aa / (n * (n - 1)) + sum_bb / (m * (m - 1)) - 2 * sum_ab / (n * m)
    if min(n, m) < 3:
        return float(value), float("nan")
    without_a = (sum_aa - 2 * rows_aa) / ((n - 1) * (n - 2)) - 2 * (sum_ab - rows_ab) / (
        (n - 1) * m
    )
    without_b = (sum_bb - 2 * rows_bb) / ((m - 1) * (m - 2)) - 2 * (sum_ab - columns_ab) / (
        n * (m - 1)
    )
    variance = (n - 1) * without_a.var() + (m - 1) * without_b.var()
    return float(value), float(np.sqrt(variance))


def _cube(x: Float64, y: Float64) -> Float64:
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    cube = base * base
    cube *= base
    return cube


def _kernel_rows(x: Float64) -> Float64:
    """Row sums of the kernel matrix of x with itself, without its diagonal."""
    sums = np.zeros(len(x))
    for i in range(0, len(x), _TILE):
        for j in range(i, len(x), _TILE):
            block = _cube(x[i : i + _TILE], x[j : j + _TILE])
            if i == j:
                np.fill_diagonal(block, 0)
            else:
                sums[j : j + _TILE] += block.sum(axis=0)
            sums[i : i + _TILE] += block.sum(axis=1)
    return sums


def _kernel_cross(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """Row and column sums of the kernel matrix of a with b."""
    rows, columns = np.zeros(len(a)), np.zeros(len(b))
    for i in range(0, len(a), _TILE):
        for j in range(0, len(b), _TILE):
            block = _cube(a[i : i + _TILE], b[j : j + _TILE])
            rows[i : i + _TILE] += block.sum(axis=1)
            columns[j : j + _TILE] += block.sum(axis=0)
    return rows, columns


# --- Nearest neighbours in feature space ---------------------------------------------------------


def precision_recall(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> tuple[float, float]:
    """Precision and recall of samples by nearest neighbours.

    Kynkaanniemi et al. (2019), equations 1 to 3: around each point of a set lies a ball that
    reaches to its k-th nearest neighbour in the same set; their union stands for the set's
    support. Precision is the share of fake samples inside the real support, recall the share of
    real samples inside the fake support.

    Args:
        real: Features (N, F) with N > k.
        fake: Features (M, F) with M > k.
        k: Neighbours that set the radius. The paper takes 3 with 50,000 samples; here it is 5,
            the value that Naeem et al. (2020) derive for density and coverage with 10,000, so
            that the four numbers describe the same balls.

    Returns:
        Precision and recall in [0, 1]. Two sets from one distribution score below 1.

    Raises:
        TypeError: If an array does not hold real numbers or k is not an integer.
        ValueError: If the features are not valid (see `frechet_distance`), k < 1, or a set has
            fewer than k + 1 rows.
    """
    metrics = manifold_metrics(real, fake, k)
    return metrics.precision, metrics.recall


def density_coverage(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> tuple[float, float]:
    """Density and coverage of samples by nearest neighbours.

    Naeem et al. (2020), equations 2 and 3. Density counts in how many real balls (see
    `precision_recall`) a fake sample lies, divided by k and averaged; one far-off real image with
    a huge ball weighs less than in precision. Coverage is the share of real balls that hold at
    least one fake sample.

    Args:
        real: Features (N, F) with N > k.
        fake: Features (M, F) with M > k.
        k: Neighbours that set the radius.

    Returns:
        Density (>= 0, may exceed 1) and coverage (in [0, 1]). For two sets from one distribution
        their expectations are 1 and, for equally many samples, about 1 - 2^-k.

    Raises:
        TypeError: As in `precision_recall`.
        ValueError: As in `precision_recall`.
    """
    metrics = manifold_metrics(real, fake, k)
    return metrics.density, metrics.coverage


def manifold_metrics(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> ManifoldMetrics:
    """Computes `precision_recall` and `density_coverage` in one pass.

    Args:
        real: Features (N, F) with N > k.
        fake: Features (M, F) with M > k.
        k: Neighbours that set the radius.

    Returns:
        Precision, recall, density and coverage.

    Raises:
        TypeError: As in `precision_recall`.
        ValueError: As in `precision_recall`.
    """
    _check.integer(k, "k", 1)
    real, fake = _pair(real, fake, ("real", "fake"), minimum=k + 1)
    return _manifold(real, fake, k, _radii(real, k), _radii(fake, k))


def _manifold(
    real: Float64, fake: Float64, k: int, real_radii: Float64, fake_radii: Float64
) -> ManifoldMetrics:
    """`manifold_metrics` with the squared radii given."""
    balls_around_fake = np.zeros(len(fake), dtype=np.int64)
    covered = np.zeros(len(real), dtype=bool)
    recalled = np.zeros(len(real), dtype=bool)
    for rows, squares in _squared_distances(real, fake):
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


def _radii(x: Float64, k: int) -> Float64:
    """Squared distance of each row to its k-th nearest other row."""
    radii = np.empty(len(x))
    for rows, squares in _squared_distances(x, x):
        # Each row is its own nearest neighbour at distance 0; a duplicate only swaps with it.
        squares.partition(k, axis=1)
        radii[rows] = squares[:, k]
    return radii


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


# --- Classes -------------------------------------------------------------------------------------


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """Classifier score: the formula of the Inception score on any classifier.

    Salimans et al. (2016), section 4: exp(mean over samples of KL(p(y|x) || p(y))), p(y) the mean
    of p(y|x) over all samples given. High where each sample is classified with confidence and the
    classes are in balance. It never looks at real data: one perfect digit per class, repeated,
    reaches the maximum.

    Args:
        probabilities: Class probabilities (N, C), each row summing to 1.

    Returns:
        The score, from 1 to C.

    Raises:
        TypeError: If the array does not hold real numbers.
        ValueError: If it is not two-dimensional, is empty, or holds a row that is not a
            probability distribution.
    """
    p = _distributions(probabilities)
    marginal = p.mean(axis=0)
    positive = p > 0
    # Where p(y) is 0 every p(y|x) is 0 too, and 0 log 0 counts as 0.
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=positive)
    return float(np.exp(np.sum(p * np.log(ratio), axis=1).mean()))


def class_histogram(classes: npt.ArrayLike, num_classes: int = 10) -> Float64:
    """Share of samples in each class.

    Args:
        classes: Integer labels (N,) from 0 to `num_classes` - 1, or class probabilities
            (N, num_classes), of which the largest decides.
        num_classes: Number of classes.

    Returns:
        float64 shares (num_classes,) that sum to 1.

    Raises:
        TypeError: If labels are not integers, or probabilities not real numbers.
        ValueError: If the array is empty, has another shape, or a label is out of range.
    """
    array = np.asarray(classes)
    _check.integer(num_classes, "num_classes", 1)
    if array.ndim == 2:
        array = _distributions(array)
        if array.shape[1] != num_classes:
            raise ValueError(
                f"classes: wanted probabilities of shape (N, {num_classes}), got {array.shape}"
            )
        labels = array.argmax(axis=1)
    elif array.ndim == 1:
        if array.size == 0:
            raise ValueError("classes: wanted at least one label, got none")
        if array.dtype.kind not in "iu":
            raise TypeError(f"classes: labels must be integers, got dtype {array.dtype}")
        labels = array
        if labels.min() < 0 or labels.max() >= num_classes:
            raise ValueError(
                f"classes: labels must lie in 0..{num_classes - 1}, "
                f"got {labels.min()}..{labels.max()}"
            )
    else:
        raise ValueError(
            f"classes: wanted labels (N,) or probabilities (N, {num_classes}), "
            f"got shape {array.shape}"
        )
    return np.bincount(labels, minlength=num_classes) / len(labels)


def _distributions(probabilities: npt.ArrayLike) -> Float64:
    p = _rows(probabilities, "probabilities", minimum=1)
    if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(
            "probabilities: every row must be non-negative and sum to 1, got a minimum of "
            f"{p.min():.4g} and sums from {p.sum(axis=1).min():.4g} to "
            f"{p.sum(axis=1).max():.4g} (logits need a softmax first)"
        )
    return p


# --- Modes ---------------------------------------------------------------------------------------


def mode_coverage(samples: npt.ArrayLike, mixture: Mixture, *, radius: float = 3.0) -> ModeCoverage:
    """Counts the modes of a mixture that samples reach, and the share of samples that hit one.

    The protocol of VEEGAN (Srivastava et al. 2017, section 4.1) and PacGAN (Lin et al. 2018,
    section 4.1), who draw 2,500 samples: each belongs to the mode whose centre is nearest, and
    counts (has "high quality") if it lies nearer to it than three standard deviations; a mode is
    covered by a single such sample. The reverse KL divergence compares the shares of the counted
    samples with the mixture's weights.

    A perfect sampler scores 1 - exp(-radius^2 / 2), 98.89 % at three deviations in the plane, and
    a reverse KL of about (K - 1) / (2 n) with n counted samples: 0.0014 for 8 modes and 0.0049 for
    25 with 2,500 draws. Both floors depend on the number of draws, so compare equal numbers only.

    Args:
        samples: Points (N, 2) with N >= 1, in the units of the centres.
        mixture: From `gantut.data.ring_mixture`, `gantut.data.grid_mixture` or made by hand.
        radius: Standard deviations within which a sample counts, > 0.

    Returns:
        The counts and what follows from them; see `ModeCoverage`.

    Raises:
        TypeError: If the samples are not real numbers or ``mixture`` is no `gantut.data.Mixture`.
        ValueError: If the samples are not an array (N, 2), are empty or not finite, the mixture's
            arrays do not fit together, or ``radius`` is not a positive number.
    """
    if not isinstance(mixture, Mixture):
        raise TypeError(f"mixture: wanted a gantut.data.Mixture, got {type(mixture).__name__}")
    centres = _rows(mixture.centres, "mixture.centres", minimum=1)
    weights = _numbers(mixture.weights, "mixture.weights").astype(np.float64)
    if weights.shape != (len(centres),) or not weights.min() >= 0 or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            f"mixture.weights: wanted {len(centres)} shares >= 0 that sum to 1, one a centre, got "
            f"shape {weights.shape} and sum {weights.sum():.6g}"
        )
    for name, value in (("mixture.sigma", mixture.sigma), ("radius", radius)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    points = _rows(samples, "samples", minimum=1)
    if points.shape[1] != centres.shape[1]:
        raise ValueError(
            f"samples: wanted points (N, {centres.shape[1]}) as the mixture's centres are, "
            f"got shape {points.shape}"
        )
    # The difference itself, not |x|^2 + |c|^2 - 2 x.c: sigma is small beside the centres.
    nearest = np.empty(len(points), dtype=np.int64)
    squares = np.empty(len(points))
    for start in range(0, len(points), _IMAGES):
        rows = slice(start, start + _IMAGES)
        difference = points[rows, None] - centres
        block = np.einsum("nkd,nkd->nk", difference, difference)
        nearest[rows] = block.argmin(axis=1)
        squares[rows] = block.min(axis=1)
    counted = nearest[squares < (radius * mixture.sigma) ** 2]
    counts = np.bincount(counted, minlength=len(centres))
    return ModeCoverage(
        modes=int(np.count_nonzero(counts)),
        num_modes=len(centres),
        high_quality=len(counted) / len(points),
        reverse_kl=_reverse_kl(counts, weights),
        counts=counts,
    )


def stacked_modes(images: npt.ArrayLike) -> StackedModes:
    """Counts the triples of digits in images of three stacked digits.

    Stacked MNIST (`gantut.data.stacked_mnist`), the protocol of Metz et al. (2017) and PacGAN (Lin
    et al. 2018, section 4.2): a classifier of digits, here `gantut.judge`, reads each channel
    alone, its likeliest class counts, and the triple of classes is the image's mode. Usual numbers
    of images are 25,600 and 26,000.

    Perfect samples do not score 0: n of them spread evenly have a KL of about 999 / (2 n), 0.0197
    at 26,000, and MNIST's digits are not equally frequent. `gantut.data.stacked_mnist` itself,
    read by this judge, scores about 0.024 at 26,000 (0.0227 to 0.0250 over two seeds of each
    split). Every image is given some triple, however little it looks like digits: the numbers say
    nothing about the quality of the images.

    Args:
        images: float32 images (N, 28, 28, 3) in [-1, 1].

    Returns:
        The counts and what follows from them; see `StackedModes`.

    Raises:
        ValueError: If the images have another shape, dtype or range, or contain NaN.
    """
    from gantut import judge  # TensorFlow, which the other metrics do without

    array = check_images(images, size=judge.IMAGE_SHAPE[:2], channels=3)
    digits = np.empty((len(array), 3), dtype=np.int64)
    for start in range(0, len(array), _IMAGES):
        rows = slice(start, start + _IMAGES)
        for channel in range(3):
            single = np.ascontiguousarray(array[rows, ..., channel : channel + 1])
            digits[rows, channel] = judge.probabilities(single).argmax(axis=1)
    return _stacked_modes(digits)


def _stacked_modes(digits: npt.NDArray[np.int64]) -> StackedModes:
    """`stacked_modes` of the classes (N, 3) of the channels."""
    counts = np.bincount(digits @ np.array([100, 10, 1]), minlength=1000)
    return StackedModes(
        modes=int(np.count_nonzero(counts)),
        kl=_reverse_kl(counts, np.full(1000, 1 / 1000)),
        counts=counts,
    )


def _reverse_kl(counts: npt.NDArray[np.int64], weights: Float64) -> float:
    """KL(counts as shares || weights) in nats; 0 log 0 is 0."""
    total = int(counts.sum())
    if total == 0:
        return float("nan")
    seen = counts > 0
    shares = counts[seen] / total
    with np.errstate(divide="ignore"):  # A mode of weight 0 makes the divergence infinite.
        divergence = float(np.sum(shares * np.log(shares / weights[seen])))
    return max(0.0, divergence)  # Rounding can leave it just below 0.


# --- Sharpness -----------------------------------------------------------------------------------


def sharpness(images: npt.ArrayLike) -> float:
    """Sharpness of images: the variance of their Laplacian, averaged over the images.

    The test of blurriness of Tolstikhin et al. (2018, Wasserstein autoencoders): images are made
    grey (here by the mean of their channels) and convolved with::

        0  1  0
        1 -4  1
        0  1  0

    at the inner pixels, where all four neighbours exist. Edges give large values and soft
    transitions small ones. Noise gives the largest of all, so the number is neither good high nor
    good low: read it beside that of real images of the same size (`frechet_distance` judges
    whether the images are any good).

    Args:
        images: float32 images (N, height, width, channels) in [-1, 1], at least 3 x 3 pixels.

    Returns:
        The mean variance, in squared units of the pixels. It is 0 for flat images and for even
        slopes, and 20 times the pixels' variance where pixels are independent.

    Raises:
        ValueError: If the images have another shape, dtype or range, contain NaN, or are smaller
            than 3 x 3 pixels.
    """
    array = check_images(images)
    if min(array.shape[1:3]) < 3:
        raise ValueError(f"images: wanted at least 3 x 3 pixels, got shape {array.shape}")
    total = 0.0
    for start in range(0, len(array), _IMAGES):
        grey = array[start : start + _IMAGES].mean(axis=3, dtype=np.float64)
        laplacian = (
            grey[:, :-2, 1:-1]
            + grey[:, 2:, 1:-1]
            + grey[:, 1:-1, :-2]
            + grey[:, 1:-1, 2:]
            - 4 * grey[:, 1:-1, 1:-1]
        )
        total += float(laplacian.var(axis=(1, 2)).sum())
    return total / len(array)


# --- Likeness to a given image -------------------------------------------------------------------


def psnr(images: npt.ArrayLike, targets: npt.ArrayLike) -> Float64:
    """Peak signal-to-noise ratio of each image: ``10 log10(4 / mean squared error)``.

    4 is the square of the range of pixels in [-1, 1].

    Args:
        images: float32 images (N, height, width, channels) in [-1, 1].
        targets: What they should be, of the same shape.

    Returns:
        (N,), in decibels; infinite for an image that is its target.

    Raises:
        ValueError: If the images are not valid or have different shapes.
    """
    a, b = check_alike(images, targets, ("images", "targets"), as_many=True)
    error = np.mean((a - b) ** 2, axis=(1, 2, 3), dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(4 / error))


def ssim(images: npt.ArrayLike, targets: npt.ArrayLike) -> Float64:
    """Structural similarity of each image (Wang et al. 2004, eq. 13), by scikit-image.

    Means, variances and the covariance are taken in windows of 7 x 7 pixels, for each channel,
    with the constants K1 = 0.01 and K2 = 0.03.

    Args:
        images: float32 images (N, height, width, channels) in [-1, 1], at least 7 x 7 pixels.
        targets: What they should be, of the same shape.

    Returns:
        (N,), at most 1, which only an image that is its target has.

    Raises:
        ValueError: If the images are not valid, have different shapes, or are smaller than a
            window.
        ImportError: If scikit-image is not installed.
    """
    from skimage.metrics import structural_similarity

    a, b = check_alike(images, targets, ("images", "targets"), as_many=True)
    return np.array(
        [
            structural_similarity(x, y, data_range=2.0, channel_axis=-1)
            for x, y in zip(a, b, strict=True)
        ]
    )


# --- Memorisation --------------------------------------------------------------------------------


def nearest_training_images(samples: npt.ArrayLike, train: npt.ArrayLike, k: int = 1) -> Neighbours:
    """Finds the k training images nearest to each sample, by Euclidean distance of pixels.

    Candidates are found in float32 (k + 8 of them, block by block), their distances computed
    again from differences in float64: an exact copy is at distance 0.

    Args:
        samples: Images (N, H, W, C), or any array (N, ...), in the units of `train`.
        train: Training images (M, H, W, C) with M >= k.
        k: Neighbours per sample, at least 1.

    Returns:
        Distances (N, k) and indices (N, k), nearest first.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If the shapes do not fit, a value is not finite, or k is out of range.
    """
    samples, train = _numbers(samples, "samples"), _numbers(train, "train")
    if samples.ndim < 2 or samples.shape[1:] != train.shape[1:]:
        raise ValueError(
            "samples and train must be arrays (N, ...) and (M, ...) of images of one shape, "
            f"got {samples.shape} and {train.shape}"
        )
    if len(samples) == 0:
        raise ValueError("samples: wanted at least one, got none")
    _check.integer(k, "k", 1)
    if k > len(train):
        raise ValueError(f"k must be at most {len(train)}, the training images, got {k}")
    samples = samples.reshape(len(samples), -1)
    train = train.reshape(len(train), -1)
    _check_finite(samples, "samples")

    points = samples.astype(np.float32)
    keep = min(k + 8, len(train))
    best = np.full((len(samples), 0), np.inf, dtype=np.float32)
    indices = np.zeros((len(samples), 0), dtype=np.int64)
    for start in range(0, len(train), _IMAGES):
        block = train[start : start + _IMAGES].astype(np.float32)
        _check_finite(block, "train")
        # The term |sample|^2 is the same for all candidates of a sample and is left out.
        squares = np.einsum("ij,ij->i", block, block) - (2 * points) @ block.T
        chosen = np.argpartition(squares, min(keep, len(block)) - 1, axis=1)[:, :keep]
        best = np.concatenate([best, np.take_along_axis(squares, chosen, axis=1)], axis=1)
        indices = np.concatenate([indices, chosen + start], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :keep]
        best = np.take_along_axis(best, order, axis=1)
        indices = np.take_along_axis(indices, order, axis=1)

    distances = np.empty(indices.shape)
    for rows in np.array_split(np.arange(len(samples)), -(-len(samples) // _ROWS)):
        difference = train[indices[rows]].astype(np.float64) - samples[rows, None]
        distances[rows] = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Neighbours(
        np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)
    )


def memorisation(
    distances: npt.ArrayLike, reference_distances: npt.ArrayLike, quantile: float = 0.01
) -> Memorisation:
    """Compares samples' nearest training distances with those of held-out real images.

    A generator that copies its training images produces samples that lie nearer to them than new
    handwriting does. The comparison is one-sided: pixels that a shift by one moves far apart hide
    copies, so a small share is no proof of originality.

    Args:
        distances: Distance of each sample to its nearest training image (N,), as in
            ``nearest_training_images(samples, train).distances[:, 0]``.
        reference_distances: The same for held-out real images (M,).
        quantile: Share of the held-out images that sets the threshold for "close", in (0, 1).

    Returns:
        The summary; see `Memorisation`.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If an array is empty, not one-dimensional, negative or not finite, or
            `quantile` is not in (0, 1).
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must lie between 0 and 1, got {quantile}")
    checked = []
    for name, values in (("distances", distances), ("reference_distances", reference_distances)):
        array = _numbers(values, name).astype(np.float64)
        if array.ndim != 1 or array.size == 0:
            raise ValueError(f"{name}: wanted a non-empty array (N,), got shape {array.shape}")
        _check_finite(array, name)
        if array.min() < 0:
            raise ValueError(f"{name}: distances cannot be negative, got {array.min():.4g}")
        checked.append(array)
    own, reference = checked
    threshold = float(np.quantile(reference, quantile))
    return Memorisation(
        median=float(np.median(own)),
        reference_median=float(np.median(reference)),
        threshold=threshold,
        share_close=float(np.mean(own < threshold)),
        quantile=quantile,
    )


# --- Checks at the door --------------------------------------------------------------------------


def _numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: wanted real numbers, got dtype {array.dtype}")
    return array


def _check_finite(array: npt.NDArray[Any], name: str) -> None:
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name}: {np.count_nonzero(~np.isfinite(array))} value(s) are NaN or infinite"
        )


def _rows(values: npt.ArrayLike, name: str, minimum: int) -> Float64:
    array = _numbers(values, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{name}: wanted a two-dimensional array (samples, features), got shape {array.shape}"
        )
    if len(array) < minimum:
        raise ValueError(f"{name}: wanted at least {minimum} samples, got {len(array)}")
    _check_finite(array, name)
    return array.astype(np.float64)


def _pair(
    a: npt.ArrayLike, b: npt.ArrayLike, names: tuple[str, str] = ("a", "b"), *, minimum: int
) -> tuple[Float64, Float64]:
    first, second = _rows(a, names[0], minimum), _rows(b, names[1], minimum)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same number of features, "
            f"got {first.shape[1]} and {second.shape[1]}"
        )
    return first, second
