"""How samples spread over classes, over the modes of a mixture, and over triples of digits."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.data import Float64, Mixture, check_labels

_POINTS = 2000  # points whose distances to all centres are held at a time


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """Classifier score: the formula of the Inception score on any classifier.

    Salimans et al. (2016), section 4: exp(mean over samples of KL(p(y|x) || p(y))), p(y) the mean
    of p(y|x) over all samples given. High where each sample is classified with confidence and the
    classes are in balance. It never looks at real data: one perfect digit per class, repeated,
    reaches the maximum, C. The minimum is 1.

    Args:
        probabilities: Class probabilities (N, C), each row summing to 1.
    """
    p = _distributions(probabilities)
    marginal = p.mean(axis=0)
    # Where p(y) is 0 every p(y|x) is 0 too, and 0 log 0 counts as 0.
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=p > 0)
    return float(np.exp(np.sum(p * np.log(ratio), axis=1).mean()))


def class_histogram(classes: npt.ArrayLike, num_classes: int = 10) -> Float64:
    """The share (num_classes,) of samples in each class.

    Args:
        classes: Integer labels (N,) from 0 to `num_classes` - 1, or class probabilities
            (N, num_classes), of which the largest decides.
        num_classes: Number of classes.
    """
    labels = np.asarray(classes)
    num_classes = _check.integer(num_classes, "num_classes", 1)
    if labels.ndim == 2 and labels.shape[1] == num_classes:
        labels = _distributions(labels, "classes").argmax(axis=1)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            f"classes: wanted labels (N,) or probabilities (N, {num_classes}), "
            f"got shape {labels.shape}"
        )
    labels = check_labels(labels, len(labels), num_classes)
    return np.bincount(labels, minlength=num_classes) / len(labels)


def _distributions(probabilities: npt.ArrayLike, name: str = "probabilities") -> Float64:
    p = _check.rows(probabilities, name)
    sums = p.sum(axis=1)
    if p.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        raise ValueError(
            f"{name}: every row must be non-negative and sum to 1, got a minimum of {p.min():.4g} "
            f"and sums from {sums.min():.4g} to {sums.max():.4g} (logits need a softmax first)"
        )
    return p


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
    """
    if not isinstance(mixture, Mixture):
        raise TypeError(f"mixture: wanted a gantut.data.Mixture, got {type(mixture).__name__}")
    centres = _check.rows(mixture.centres, "mixture.centres")
    weights = _check.numbers(mixture.weights, "mixture.weights").astype(np.float64)
    if weights.shape != (len(centres),) or not weights.min() >= 0 or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            f"mixture.weights: wanted {len(centres)} shares >= 0 that sum to 1, one a centre, got "
            f"shape {weights.shape} and sum {weights.sum():.6g}"
        )
    sigma = _check.number(mixture.sigma, "mixture.sigma", above=0)
    reach = _check.number(radius, "radius", above=0) * sigma
    points = _check.rows(samples, "samples")
    if points.shape[1] != centres.shape[1]:
        raise ValueError(
            f"samples: wanted points (N, {centres.shape[1]}) as the mixture's centres are, "
            f"got shape {points.shape}"
        )
    # The difference itself, not |x|^2 + |c|^2 - 2 x.c: sigma is small beside the centres.
    counts = np.zeros(len(centres), dtype=np.int64)
    for start in range(0, len(points), _POINTS):
        difference = points[start : start + _POINTS, None] - centres
        squares = np.einsum("nkd,nkd->nk", difference, difference)
        counted = squares.argmin(axis=1)[squares.min(axis=1) < reach**2]
        counts += np.bincount(counted, minlength=len(centres))
    return ModeCoverage(
        modes=int(np.count_nonzero(counts)),
        num_modes=len(centres),
        high_quality=int(counts.sum()) / len(points),
        reverse_kl=_reverse_kl(counts, weights),
        counts=counts,
    )


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


def triples_of_digits(digits: npt.ArrayLike) -> StackedModes:
    """Counts the triples among the digits of images such as `gantut.data.stacked_mnist`'s.

    n triples spread evenly have a KL of about 999 / (2 n): 0.0192 for 26,000.

    Args:
        digits: Integers (N, 3) from 0 to 9, one a channel, such as labels or what a classifier
            reads; `gantut.evaluation.stacked_modes` reads images.
    """
    array = np.asarray(digits)
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise ValueError(f"digits: wanted triples (N, 3), got shape {array.shape}")
    array = check_labels(array.ravel(), array.size, 10).reshape(-1, 3)
    counts = np.bincount(array @ np.array([100, 10, 1]), minlength=1000)
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
