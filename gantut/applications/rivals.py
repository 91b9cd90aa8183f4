"""What a practitioner would try before a GAN: rivals that serve more than one application.

    from gantut.applications import rivals

    scores = rivals.gradient_scores(normal_images, new_images)
    grams = rivals.NGrams(summaries, order=2)
    synthetic = rivals.gaussian_mixture(table, kinds, len(table))

None of them trains a network. A rival that knows how one application's data come about is in that
application's module. Seeds fix what is random.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin
from sklearn.mixture import GaussianMixture
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from gantut import _check, metrics
from gantut.applications.tabular.encoding import TableEncoder, check_table
from gantut.clustered import oriented_gradients
from gantut.data import Float32, Float64, check_alike, check_images

Floats = npt.NDArray[np.floating]
Restorer = Callable[[Float32], Float32]


# --- Neighbours and principal components -------------------------------------------------------


def _flat(*arrays: npt.ArrayLike) -> list[Float32]:
    """Images or rows as rows."""
    rows = (np.asarray(a, np.float32) for a in arrays)
    return [x.reshape(len(x), math.prod(x.shape[1:])) for x in rows]


def neighbour_scores(train: npt.ArrayLike, test: npt.ArrayLike, *, angle: bool = False) -> Float64:
    """Distance to the nearest training row (Ramaswamy et al. 2000, with k = 1).

    Both are images or rows (n, ...). With ``angle`` rows are brought to length 1 first, so that the
    distance is 2 sin(angle / 2).
    """
    a, b = _flat(train, test)
    if angle:
        a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    difference = b - a[pairwise_distances_argmin(b, a)]
    return np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64))


def gradient_scores(
    train: npt.ArrayLike, test: npt.ArrayLike, *, cell: int = 4, directions: int = 8
) -> Float64:
    """`neighbour_scores` of images by the angle between histograms of oriented gradients.

    Arguments as there and in `gantut.clustered.oriented_gradients`.
    """
    rows = (oriented_gradients(images, cell, directions) for images in (train, test))
    return neighbour_scores(*rows, angle=True)


def principal_components(
    train: npt.ArrayLike, test: npt.ArrayLike, components: int
) -> tuple[Float32, Float32]:
    """Coordinates (n, components) and (m, components) where the training images vary most.

    These are images or rows (n, ...), and others (m, ...) of the same shape.
    """
    a, b = _flat(train, test)
    fitted = PCA(components, svd_solver="covariance_eigh").fit(a)
    return fitted.transform(a), fitted.transform(b)


def pca_residuals(train: npt.ArrayLike, test: npt.ArrayLike, components: int = 8) -> Float64:
    """Mean squared difference between images (m, ...) and their projection on principal components.

    Arguments as in `principal_components`.
    """
    a, b = _flat(train, test)
    fitted = PCA(components, svd_solver="covariance_eigh").fit(a)
    rest = b - fitted.inverse_transform(fitted.transform(b))
    return np.mean(np.square(rest, dtype=np.float64), axis=1)


# --- Images from images ------------------------------------------------------------------------


def jittered_copies(images: npt.ArrayLike, n: int, seed: int = 0) -> Float32:
    """Copies of training images, mirrored or not, moved and lit a little differently.

    They are moved by up to 2 whole pixels along each axis; what comes in repeats the edge. Contrast
    is multiplied by 1 + U(-0.1, 0.1), and U(-0.1, 0.1) is added.
    """
    x = check_images(images)
    rng = _check.rng(seed)
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    made = np.empty((_check.integer(n, "n", 1), *x.shape[1:]), np.float32)
    for copy in made:
        top, left = rng.integers(0, 5, 2)
        image = padded[rng.integers(len(x)), top : top + height, left : left + width]
        image = image[:, ::-1] if rng.random() < 0.5 else image
        gain, offset = 1 + rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)
        copy[:] = np.clip(gain * image + offset, -1, 1)
    return made


def blends(images: npt.ArrayLike, n: int, seed: int = 0, *, kind: str = "halves") -> Float32:
    """Images made of two `jittered_copies`, drawn independently.

    The ``kind`` "halves" puts the upper half of one on the lower half of the other, and "mean"
    takes the mean of both.
    """
    kind = _check.one_of(kind, "kind", ("halves", "mean"))
    first, second = np.split(jittered_copies(images, 2 * n, seed), 2)
    if kind == "mean":
        return (first + second) / np.float32(2)
    half = first.shape[1] // 2
    return np.concatenate([first[:, :half], second[:, half:]], axis=1)


def linear_regression(sources: Float32, targets: Float32) -> Restorer:
    """The linear map from all pixels of a source to those of its target.

    By ridge regression on n pairs, with 0.01 n for scikit-learn's alpha.
    """
    pairs = check_alike(sources, targets, ("sources", "targets"), as_many=True)
    x, y = (images.reshape(len(images), -1) for images in pairs)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    square = centred.T @ centred
    square[np.diag_indices_from(square)] += 0.01 * len(x)
    return _affine(mean_x, np.linalg.solve(square, centred.T @ (y - mean_y)), mean_y)


def _affine(before: Floats, matrix: Floats, after: Floats) -> Restorer:
    """The function of images x that is ``(x - before) @ matrix + after``, on rows of pixels."""

    def restore(images: Float32) -> Float32:
        rows = (images.reshape(-1, len(before)) - before) @ matrix + after
        return np.clip(rows, -1, 1).astype(np.float32).reshape(images.shape)

    return restore


def match_pixels(a: npt.ArrayLike, b: npt.ArrayLike) -> Restorer:
    """A function that gives each pixel the mean and the deviation that it has in the other set."""
    x, y = check_alike(a, b, ("a", "b"))
    gain = (y.std(axis=0) + 0.01) / (x.std(axis=0) + 0.01)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    return lambda images: np.clip(gain * (images - mean_x) + mean_y, -1, 1).astype(np.float32)


def gaussian_transport(
    a: npt.ArrayLike, b: npt.ArrayLike, *, ridge: float = 0.01, by_pixel: bool = False
) -> Restorer:
    """The linear map that gives one set the mean and the covariance of the other with least effort.

    ``A = Sa^-1/2 (Sa^1/2 Sb Sa^1/2)^1/2 Sa^-1/2`` (Knott and Smith 1984); on colours it is the
    linear colour transfer of Pitie and Kokaram 2007.

    ``ridge`` is added to the variances of both, so that pixels which never change do no harm. With
    ``by_pixel`` it maps the colour of each pixel by itself, of images of any size.
    """
    x, y = check_alike(a, b, ("a", "b"))
    length = x.shape[-1] if by_pixel else int(np.prod(x.shape[1:]))
    rows_x, rows_y = (s.reshape(-1, length).astype(np.float64) for s in (x, y))
    extra = _check.number(ridge, "ridge", above=0) * np.eye(length)
    cov_x, cov_y = (
        np.cov(r, rowvar=False).reshape(length, length) + extra for r in (rows_x, rows_y)
    )
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse = (vectors / np.sqrt(values)) @ vectors.T
    values, vectors = np.linalg.eigh(root @ cov_y @ root)
    matrix = inverse @ (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T @ inverse
    return _affine(rows_x.mean(axis=0), matrix, rows_y.mean(axis=0))


# --- Sequences ---------------------------------------------------------------------------------


class NGrams:
    """Counts of what follows what (Shannon 1948): p(symbol | the ``order - 1`` before it).

    What was never counted has the probability 0.

    Of the ``order`` 1 it counts symbols in the sequences, of 2 pairs (bigrams), and so on.
    """

    def __init__(self, sequences: Sequence[Sequence[Hashable]], order: int = 2) -> None:
        if not sequences:
            raise ValueError("sequences: wanted at least one to count in, got none")
        self.order = _check.integer(order, "order", 1)
        self._counts: defaultdict[tuple[Hashable, ...], Counter[Hashable]] = defaultdict(Counter)
        for sequence in sequences:
            for before, symbol in self._steps(sequence):
                self._counts[before][symbol] += 1

    def _steps(self, sequence: Sequence[Hashable]) -> Iterator[tuple[tuple[Hashable, ...], Any]]:
        """What stands before each symbol, and the symbol; None before the first and as the end."""
        padded = (*[None] * (self.order - 1), *sequence, None)
        for end in range(self.order - 1, len(padded)):
            yield padded[end - self.order + 1 : end], padded[end]

    def log_probability(self, sequence: Sequence[Hashable]) -> float:
        """Natural logarithm of the probability of a whole sequence and its end."""
        total = 0.0
        for before, symbol in self._steps(sequence):
            count = self._counts[before][symbol] if before in self._counts else 0
            if not count:
                return -math.inf
            total += math.log(count / self._counts[before].total())
        return total

    def likeliest_part(self, sequence: Sequence[Hashable], length: int) -> tuple[Any, ...]:
        """The likeliest choice of so many symbols, in their order; the first one of equals."""
        parts = itertools.combinations(sequence, _check.integer(length, "length", 1))
        return max(parts, key=self.log_probability)


# --- Tables: n records from a table, its kinds and a seed --------------------------------------


def independent_columns(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0
) -> Float64:
    """Draws each column by itself from its real values: right marginals, no dependence."""
    values, n = check_table(table, kinds), _check.integer(n, "n", 1)
    chosen = _check.rng(seed).integers(len(values), size=(n, values.shape[1]))
    return np.take_along_axis(values, chosen, axis=0)


class _Scores:
    """Normal scores of a table, as of `TableEncoder`, with categories as ordered numbers."""

    def __init__(self, table: npt.ArrayLike, kinds: Sequence[str]) -> None:
        self.numbers = check_table(table, kinds, minimum=2)
        self.known = {}
        for i in (i for i, kind in enumerate(kinds) if kind == "category"):
            self.known[i], self.numbers[:, i] = np.unique(self.numbers[:, i], return_inverse=True)
        ordered = ["integer" if kind == "category" else kind for kind in kinds]
        self.encoder = TableEncoder(ordered).fit(self.numbers)

    def records(self, scores: Float64) -> Float64:
        """The records that have these scores."""
        table = self.encoder.inverse(scores)
        for i, known in self.known.items():
            table[:, i] = known[table[:, i].astype(int)]
        return table


def gaussian_copula(table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0) -> Float64:
    """Draws from a Gaussian copula: normal columns with correlations, cut into the table's values.

    The plain statistical model of a table (Patki et al. 2016): every column is encoded as by
    `TableEncoder` with quantiles, categories as ordered numbers. It has the marginals by
    construction; `latent_correlations` finds the correlations.
    """
    n, scores = _check.integer(n, "n", 1), _Scores(table, kinds)
    matrix = latent_correlations(scores.numbers)
    drawn = _check.rng(seed).multivariate_normal(np.zeros(len(matrix)), matrix, n)
    return scores.records(drawn)


def latent_correlations(numbers: npt.ArrayLike) -> Float64:
    """Correlations of normal variables that were cut into a table's numbers: (columns, columns).

    A value is the piece of a standard normal variable z between its quantiles, and its score m the
    mean of z in that piece. Of two columns with the latent correlation r the mean product of scores
    is the sum of a_k b_k r^k over k, with a_k and b_k the coefficients of their m in Hermite's
    normalised polynomials (Mehler 1866). That is solved for r: the polyserial correlation where one
    column has all values different, the polychoric one where neither has (Olsson 1979).

    ``numbers`` are (n, columns) with n >= 2, and no column has a single value.
    """
    scores, series, terms = [], [], 60
    for column in _check.rows(numbers, "numbers", 2).T:
        _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
        edges = special.ndtri(np.cumsum(counts)[:-1] / len(column))
        # The integral of polynomial k over a piece, weighted with the density f, is the difference
        # of polynomial k - 1 times f at its edges, over the root of k.
        at = np.zeros((terms, len(counts) + 1))
        at[0, 1:-1] = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
        for k in range(1, terms):
            at[k, 1:-1] = (edges * at[k - 1, 1:-1] - np.sqrt(k - 1) * at[k - 2, 1:-1]) / np.sqrt(k)
        pieces = -np.diff(at, axis=1) / np.sqrt(np.arange(1, terms + 1))[:, None]
        means = pieces[0] * len(column) / counts
        series.append(pieces @ means)
        scores.append(means[place])
    seen, r = np.cov(scores, ddof=0).reshape(len(scores), -1), np.linspace(-1, 1, 2_001)
    powers, found = r[:, None] ** np.arange(1, terms + 1), np.eye(len(scores))
    for i, j in itertools.combinations(range(len(scores)), 2):
        product = np.maximum.accumulate(powers @ (series[i] * series[j]))
        found[i, j] = found[j, i] = np.interp(seen[i, j], product, r)
    # Pair by pair that need not be a correlation matrix: what is negative in it goes.
    lengths, axes = np.linalg.eigh(found)
    root = axes * np.sqrt(np.maximum(lengths, 0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return np.asarray(root @ root.T)


def gaussian_mixture(table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0) -> Float64:
    """Draws from a mixture of normal distributions over normal scores.

    Columns are encoded as in `gaussian_copula`. Distributions, each with its own covariance, are
    added as long as the BIC (Schwarz 1978) falls.
    """
    n, scores = _check.integer(n, "n", 1), _Scores(table, kinds)
    rows = scores.encoder.transform(scores.numbers, seed).astype(np.float64)
    best = GaussianMixture(1, random_state=seed).fit(rows)
    for k in range(2, len(rows) + 1):
        larger = GaussianMixture(k, random_state=seed).fit(rows)
        if larger.bic(rows) >= best.bic(rows):
            break
        best = larger
    return scores.records(best.sample(n)[0])


def sequential_trees(table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0) -> Float64:
    """Draws column after column, each from a tree's leaf given the columns before (Reiter 2005).

    The first column is drawn from its real values. For each other one a decision tree (CART) with
    at least 5 records in a leaf is fitted to the real columns before it; a synthetic record takes
    one of the real values in its leaf.
    """
    values, n = check_table(table, kinds, minimum=2), _check.integer(n, "n", 1)
    rng = _check.rng(seed)
    made = np.empty((n, values.shape[1]))
    made[:, 0] = rng.choice(values[:, 0], n)
    for i, kind in enumerate(kinds[1:], start=1):
        maker = DecisionTreeClassifier if kind == "category" else DecisionTreeRegressor
        tree = maker(min_samples_leaf=5, random_state=seed).fit(values[:, :i], values[:, i])
        real, asked = (tree.apply(rows[:, :i]) for rows in (values, made))
        for each in np.unique(asked):
            here = asked == each
            made[here, i] = rng.choice(values[real == each, i], here.sum())
    return made


def interpolated_records(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0
) -> Float64:
    """Draws points between a record and one of its 5 nearest, as SMOTE does.

    Chawla et al. 2002 make a rare class's records so; here every record may be the first. Numbers
    are on the line between both, categories are one's.
    """
    values, n = check_table(table, kinds, minimum=6), _check.integer(n, "n", 1)
    rows = TableEncoder(kinds, scaling="standard").fit(values).transform(values)
    # The nearest is the record itself, or a copy of it.
    neighbours = metrics.nearest_training_images(rows, rows, 6).indices[:, 1:]
    rng = _check.rng(seed)
    first = rng.integers(len(values), size=n)
    second = neighbours[first, rng.integers(5, size=n)]
    share = rng.random((n, 1))
    synthetic = values[first] + share * (values[second] - values[first])
    for i, kind in enumerate(kinds):
        if kind == "category":
            synthetic[:, i] = np.where(share[:, 0] < 0.5, values[first, i], values[second, i])
        elif kind == "integer":
            synthetic[:, i] = np.rint(synthetic[:, i])
    return synthetic
