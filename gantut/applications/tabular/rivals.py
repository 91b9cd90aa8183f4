"""What a practitioner would try before a GAN.

All take a table (records, columns), the kind of each column, how many records to draw and a seed
that fixes them, and return a table of n records.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gantut import _check, metrics
from gantut.applications.tabular.encoding import Float64, TableEncoder, check_kinds, check_table


def independent_columns(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0
) -> Float64:
    """Draws each column by itself from its real values: right marginals, no dependence."""
    values, n = check_table(table, kinds), _check.integer(n, "n", 1)
    chosen = _check.rng(seed).integers(len(values), size=(n, values.shape[1]))
    return np.take_along_axis(values, chosen, axis=0)


def gaussian_copula(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0, *, corrected: bool = True
) -> Float64:
    """Draws from a Gaussian copula: normal scores of all columns, joined by their correlations.

    The plain statistical model of a table (Patki et al. 2016): every column is encoded as by
    `TableEncoder` with quantiles, categories as ordered numbers, and the encoded rows are taken
    for normal. It has the marginals by construction.

    Where records share a value, their scores are drawn inside its jump, and what is drawn depends
    on no other column. That shrinks the correlations of a binary column to some 60 %, which
    ``corrected`` gives back to them.
    """
    n, kinds = _check.integer(n, "n", 1), check_kinds(kinds)
    values = check_table(table, kinds, minimum=2)
    numbers = values.copy()
    categories = {}
    for i, kind in enumerate(kinds):
        if kind == "category":
            categories[i], numbers[:, i] = np.unique(values[:, i], return_inverse=True)
    encoder = TableEncoder(["integer" if kind == "category" else kind for kind in kinds])
    scores = encoder.fit(numbers).transform(numbers, seed)
    correlations = np.corrcoef(scores, rowvar=False).reshape(len(kinds), -1)
    if corrected:
        correlations = _latent_correlations(correlations, numbers, scores)
    drawn = _check.rng(seed).multivariate_normal(np.zeros(len(kinds)), correlations, n)
    synthetic = encoder.inverse(drawn)
    for i, known in categories.items():
        synthetic[:, i] = known[synthetic[:, i].astype(int)]
    return synthetic


def _latent_correlations(
    correlations: Float64, values: Float64, scores: npt.NDArray[np.float32]
) -> Float64:
    """The correlations that normal columns had before they were cut into the values.

    Let m be the mean of the normal variable z where the column has its value. A score has the
    covariance of m with any other column, and that of m is Var(m) times that of z.
    """
    kept = []
    for column, score in zip(values.T, scores.T.astype(np.float64), strict=True):
        place = np.unique(column, return_inverse=True)[1]
        means = np.bincount(place, score) / np.bincount(place)
        kept.append(means[place].var() / score.var())
    share = np.outer(kept, kept)
    np.fill_diagonal(share, 1)
    # Several such quotients need not be a correlation matrix: what is negative in it goes.
    lengths, axes = np.linalg.eigh(np.clip(correlations / share, -1, 1))
    root = axes * np.sqrt(np.maximum(lengths, 0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return np.asarray(root @ root.T)


def interpolated_records(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0, *, k: int = 5
) -> Float64:
    """Draws points between a record and one of its nearest, as SMOTE does.

    Chawla et al. 2002 make new records of a rare class so. Here every record may be the first one,
    and its ``k`` nearest the second. Numbers lie on the line between both, categories come from
    one of them.
    """
    kinds, n, k = check_kinds(kinds), _check.integer(n, "n", 1), _check.integer(k, "k", 1)
    values = check_table(table, kinds, minimum=k + 1)
    rows = TableEncoder(kinds, scaling="standard").fit(values).transform(values)
    # The nearest is the record itself, or a copy of it.
    neighbours = metrics.nearest_training_images(rows, rows, k + 1).indices[:, 1:]
    rng = _check.rng(seed)
    first = rng.integers(len(values), size=n)
    second = neighbours[first, rng.integers(k, size=n)]
    share = rng.random((n, 1))
    synthetic = values[first] + share * (values[second] - values[first])
    for i, kind in enumerate(kinds):
        if kind == "category":
            synthetic[:, i] = np.where(share[:, 0] < 0.5, values[first, i], values[second, i])
        elif kind == "integer":
            synthetic[:, i] = np.rint(synthetic[:, i])
    return synthetic
