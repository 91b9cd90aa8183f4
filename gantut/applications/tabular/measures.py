"""What a synthetic table is worth. All measures take tables, and treat all their makers alike."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.spatial import distance
from sklearn.base import BaseEstimator

from gantut import _check, metrics
from gantut.applications.tabular.encoding import TableEncoder, check_table
from gantut.data import Float32, Float64
from gantut.metrics.features import checked_pair


def marginal_distances(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, kinds: Sequence[str]
) -> Float64:
    """How far each column's distribution is from the real one.

    That is the Wasserstein-1 distance in units of the real column's standard deviation or, of a
    category, the total variation distance in [0, 1] of the shares.
    """
    real, synthetic = check_table(real, kinds, "real"), check_table(synthetic, kinds, "synthetic")
    distances = []
    for kind, a, b in zip(kinds, real.T, synthetic.T, strict=True):
        if kind == "category":
            values = np.union1d(a, b)
            distances.append(0.5 * sum(abs(np.mean(a == v) - np.mean(b == v)) for v in values))
        else:
            if a.std() == 0:
                raise ValueError("real: a column has one value only, so distances have no unit")
            distances.append(stats.wasserstein_distance(a, b) / a.std())
    return np.array(distances)


def correlations(table: npt.ArrayLike, kinds: Sequence[str], like: npt.ArrayLike) -> Float64:
    """Spearman's correlations of ranks between all columns; 0 where a column has a single value.

    A category stands as the 0/1 columns of its values, but for the smallest one.

    Args:
        table: The table to describe.
        kinds: Of its columns.
        like: The (real) table whose categories count, so that two matrices can be compared.
    """
    like, values = check_table(like, kinds, "like"), check_table(table, kinds)
    ranks = []
    for kind, column, known in zip(kinds, values.T, like.T, strict=True):
        if kind == "category":
            ranks += [(column == value).astype(float) for value in np.unique(known)[1:]]
        else:
            ranks.append(stats.rankdata(column))
    with np.errstate(invalid="ignore"):  # a single value has no correlation
        return np.nan_to_num(np.corrcoef(ranks).reshape(len(ranks), -1))


def correlation_difference(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, kinds: Sequence[str]
) -> float:
    """Mean absolute difference, in [0, 2], of two tables' `correlations`, over all pairs."""
    a, b = (correlations(table, kinds, like=real) for table in (real, synthetic))
    if len(a) < 2:
        raise ValueError("kinds: correlations need two columns at least")
    pairs = np.triu_indices(len(a), k=1)
    return float(np.abs(a[pairs] - b[pairs]).mean())


def energy_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Energy distance of two samples, ``2 E|X - Y| - E|X - X'| - E|Y - Y'|``.

    Zero if and only if both come from one distribution (Szekely and Rizzo 2013). The estimate is
    unbiased (pairs of a point with itself are left out), so that it may be negative.

    Args:
        a: Points (n, d), n >= 2, in units that make the axes comparable.
        b: Points (m, d), m >= 2.
    """
    x, y = (points.values for points in checked_pair(a, b, least=2))
    between, within_x, within_y = distance.cdist(x, y), distance.pdist(x), distance.pdist(y)
    return float(2 * between.mean() - within_x.mean() - within_y.mean())


def two_sample_accuracy(
    classifier: BaseEstimator, real: npt.ArrayLike, synthetic: npt.ArrayLike, seed: int = 0
) -> float:
    """The share of records, unseen before, that a classifier tells rightly real from synthetic.

    The classifier two-sample test (Lopez-Paz and Oquab 2017), over five folds. The larger table is
    cut to the size of the smaller: 0.5 if they cannot be told apart, or a little less by chance.
    The classifier has scikit-learn's methods ``fit`` and ``score``; the seed fixes the folds.
    """
    folds = 5
    pair = checked_pair(real, synthetic, ("real", "synthetic"), least=folds)
    n = min(map(len, pair))
    rng = _check.rng(seed)
    x = np.concatenate([table.values[rng.permutation(len(table))[:n]] for table in pair])
    y = np.repeat([1, 0], n)
    part = np.tile(np.arange(n) % folds, 2)
    scores = []
    for fold in range(folds):
        classifier.fit(x[part != fold], y[part != fold])
        scores.append(classifier.score(x[part == fold], y[part == fold]))
    return float(np.average(scores, weights=np.bincount(part)))


def train_on_synthetic(
    model: BaseEstimator, synthetic: npt.ArrayLike, test: npt.ArrayLike, target: int
) -> float:
    """Fits a model to one table and scores it on another: R^2, accuracy, or what its ``score`` is.

    Train on synthetic, test on real (Esteban et al. 2017). With real records in place of the
    synthetic ones it gives the score to compare with.

    Args:
        model: With scikit-learn's methods ``fit`` and ``score``.
        synthetic: The table to learn from.
        test: The table of real records, which neither the model nor the generator has seen.
        target: The column to predict from the others.
    """
    names = ("synthetic", "test")
    learn, held_out = (table.values for table in checked_pair(synthetic, test, names, least=2))
    model.fit(np.delete(learn, target, axis=1), learn[:, target])
    return float(model.score(np.delete(held_out, target, axis=1), held_out[:, target]))


class ClosestRecords(NamedTuple):
    """Distances of synthetic records to the nearest real ones.

    Attributes:
        to_train: Distance of each synthetic record to the nearest training record.
        share_nearer_train: The share nearer to a training record, ties half: about 0.5 if nothing
            of single records was learnt, 1 for copies.
        comparison: `gantut.metrics.memorisation` of ``to_train`` beside the held-out records'.
    """

    to_train: Float64
    share_nearer_train: float
    comparison: metrics.Memorisation


def closest_records(
    synthetic: npt.ArrayLike, train: npt.ArrayLike, holdout: npt.ArrayLike, kinds: Sequence[str]
) -> ClosestRecords:
    """Compares synthetic records' distances to training records with those to held-out ones.

    The check of Platzer and Reutterer 2021. Distances are Euclidean, with numeric columns in units
    of their deviation over the real records; two different categories are one such unit apart. A
    generator that copies is caught. A share of one half is no proof of privacy: it is a mean, which
    a few copied records do not move, and it says nothing of what else an attacker can infer.

    Args:
        synthetic: A table of synthetic records.
        train: The real records that the generator saw.
        holdout: As many real records that it did not see.
        kinds: Of the columns.
    """
    train, holdout = check_table(train, kinds, "train"), check_table(holdout, kinds, "holdout")
    made = check_table(synthetic, kinds, "synthetic")
    if len(train) != len(holdout):
        sizes = f"{len(train)} and {len(holdout)} records"
        raise ValueError(f"train and holdout must be of one size, got {sizes}")
    encoder = TableEncoder(kinds, scaling="standard").fit(np.concatenate([train, holdout]))
    unit = np.repeat([2**-0.5 if size > 1 else 1.0 for size in encoder.sizes], encoder.sizes)
    ours, seen, unseen = (unit * encoder.transform(table) for table in (made, train, holdout))

    def nearest(rows: Float32, among: Float32) -> Float64:
        return metrics.nearest_training_images(rows, among).distances[:, 0]

    to_train, to_holdout = nearest(ours, seen), nearest(ours, unseen)
    share = np.mean(to_train < to_holdout) + 0.5 * np.mean(to_train == to_holdout)
    return ClosestRecords(
        to_train=to_train,
        share_nearer_train=float(share),
        comparison=metrics.memorisation(to_train, nearest(unseen, seen)),
    )


class Measures(NamedTuple):
    """What a synthetic table is worth beside real records that its maker did not see.

    Attributes:
        marginals: Mean of the `marginal_distances`.
        correlations: `correlation_difference`.
        told_apart: `two_sample_accuracy`.
        nearer_train: The share of `closest_records` that is nearer to a training record.
        close: The share that is nearer to one than most held-out records are.
    """

    marginals: float
    correlations: float
    told_apart: float
    nearer_train: float
    close: float


def measure(
    synthetic: npt.ArrayLike,
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    kinds: Sequence[str],
    judge: BaseEstimator,
) -> Measures:
    """Measures a synthetic table; how useful it is says `train_on_synthetic`.

    Arguments as in `closest_records`, and a classifier as in `two_sample_accuracy`.
    """
    closest = closest_records(synthetic, train, holdout, kinds)
    return Measures(
        marginals=float(marginal_distances(holdout, synthetic, kinds).mean()),
        correlations=correlation_difference(holdout, synthetic, kinds),
        told_apart=two_sample_accuracy(judge, holdout, synthetic),
        nearer_train=closest.share_nearer_train,
        close=closest.comparison.share_close,
    )
