"""Synthetic records: a small GAN for tables of mixed columns, its rivals, and what to measure.

    from gantut.applications import tabular

    kinds = ("continuous", "integer", "category")
    run = tabular.train(table, kinds, seed=0)
    synthetic = run.sample(len(table))

A table is an array (records, columns) of numbers; a category is a number as well, of which only the
identity counts. `TableEncoder` turns records into rows that a network can make, and rows back into
records: one number for a numeric column, and a one-hot vector for a category, as in CTGAN (Xu et
al. 2019). Points (n, 2) of a density in the plane are a table of two continuous columns.

Beside the GAN stand what a practitioner would try first, all with the arguments (table, kinds, n,
seed): `independent_columns`, `gaussian_copula` and `interpolated_records`. The measures take
tables, not networks, so that they treat all of them alike.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from gantut import _check, metrics, recipes, stabilisers
from gantut._keras import keras, tf
from gantut.gan import GAN
from gantut.networks import _widths
from gantut.sampling import gumbel_noise

Float64 = npt.NDArray[np.float64]
Model = Any
Tensor = Any

KINDS = ("continuous", "integer", "category")
"""What a column can hold, that is any numbers, whole numbers, or categories."""

SCALINGS = ("quantile", "standard")
"""How a numeric column is brought to mean 0 and variance 1."""


# --- Encoding ----------------------------------------------------------------------------------


class TableEncoder:
    """Turns records into rows for a network, and such rows back into records.

    A numeric column becomes one number. With the scaling "standard" it is (x - mean) / deviation.
    With "quantile" it is the normal score of x: the standard normal quantile of the column's
    distribution function at x, so that every column has nearly the same shape and a generator need
    only learn how columns depend on each other. Where many records share a value the distribution
    function jumps there, and the score is drawn from the jump (the distributional transform,
    Rueschendorf 2009). Values outside the range that was fitted are moved to its ends.

    A category becomes a one-hot vector, in the order of the sorted values.

    Args:
        kinds: For each column one of ``KINDS``.
        scaling: One of ``SCALINGS``, for all numeric columns.
        knots: Quantiles that are kept of a column, at most; the distribution function is linear
            between them. Fewer knots smooth more, and keep less of single records.

    Attributes:
        kinds: As given.
        sizes: Numbers that each column becomes: 1, or the number of categories. After `fit`.
        width: Length of an encoded row, the sum of the sizes. After `fit`.
    """

    def __init__(
        self, kinds: Sequence[str], *, scaling: str = "quantile", knots: int = 100
    ) -> None:
        self.kinds = _kinds(kinds)
        if scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}")
        self.scaling = scaling
        self.knots = _check.integer(knots, "knots", 2)
        self.sizes: tuple[int, ...] = ()
        # A column's categories, its quantiles and their levels, or its mean and deviation.
        self._columns: list[Any] = []

    @property
    def width(self) -> int:
        """Length of an encoded row."""
        return sum(self.sizes)

    def fit(self, table: npt.ArrayLike) -> "TableEncoder":
        """Reads scales, quantiles and categories from a table.

        Args:
            table: Numbers (n, columns), n >= 2.

        Returns:
            The encoder itself.
        """
        values = _table(table, self.kinds, minimum=2)
        columns: list[Any] = []
        for i, kind in enumerate(self.kinds):
            column = values[:, i]
            distinct = np.unique(column)
            if len(distinct) == 1:
                raise ValueError(f"column {i} has one value only ({distinct[0]:g}): leave it out")
            if kind == "category":
                columns.append(distinct)
            elif self.scaling == "standard":
                columns.append((column.mean(), column.std()))
            else:
                # Hazen's levels (i - 1/2) / n put as much mass below the smallest value as above
                # the largest.
                n = len(column)
                levels = np.linspace(0.5 / n, 1 - 0.5 / n, min(n, self.knots))
                columns.append((levels, np.quantile(column, levels, method="hazen")))
        self._columns = columns
        self.sizes = tuple(
            len(c) if kind == "category" else 1 for kind, c in zip(self.kinds, columns, strict=True)
        )
        return self

    def transform(self, table: npt.ArrayLike, seed: int = 0) -> npt.NDArray[np.float32]:
        """Encodes records.

        Args:
            table: Numbers (n, columns), n >= 1.
            seed: Fixes the scores of values that many records share.

        Returns:
            float32 of shape (n, width).
        """
        self._check_fitted()
        values = _table(table, self.kinds, minimum=1)
        rng = _check.rng(seed)
        parts = []
        for i, (kind, fitted) in enumerate(zip(self.kinds, self._columns, strict=True)):
            column = values[:, i]
            if kind == "category":
                parts.append(np.eye(len(fitted))[_categories(column, fitted, i)])
                continue
            if self.scaling == "standard":
                mean, deviation = fitted
                scores = (column - mean) / deviation
            else:
                levels, quantiles = fitted
                below = np.interp(-column, -quantiles[::-1], levels[::-1])
                above = np.interp(column, quantiles, levels)
                scores = special.ndtri(below + rng.random(len(column)) * (above - below))
            parts.append(scores[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def inverse(self, rows: npt.ArrayLike) -> Float64:
        """Decodes rows: the inverse of `transform`, but for what that clips.

        Args:
            rows: Numbers (n, width). Of a category's numbers the largest counts.

        Returns:
            Records (n, columns); integer columns hold whole numbers.
        """
        self._check_fitted()
        values = metrics._rows(rows, "rows", 1)
        if values.shape[1] != self.width:
            raise ValueError(f"rows must have the width {self.width}, got shape {values.shape}")
        starts = np.cumsum((0, *self.sizes))
        table = np.empty((len(values), len(self.kinds)))
        for i, (kind, fitted) in enumerate(zip(self.kinds, self._columns, strict=True)):
            part = values[:, starts[i] : starts[i + 1]]
            if kind == "category":
                table[:, i] = fitted[part.argmax(axis=1)]
                continue
            if self.scaling == "standard":
                mean, deviation = fitted
                column = mean + deviation * part[:, 0]
            else:
                levels, quantiles = fitted
                column = np.interp(special.ndtr(part[:, 0]), levels, quantiles)
            table[:, i] = np.rint(column) if kind == "integer" else column
        return table

    def _check_fitted(self) -> None:
        if not self._columns:
            raise ValueError("the encoder has seen no table yet: call fit first")


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    if isinstance(kinds, str) or not isinstance(kinds, Sequence):
        raise TypeError(f"kinds must be a sequence with one of {KINDS} a column, got {kinds!r}")
    for kind in kinds:
        if not isinstance(kind, str):
            raise TypeError(f"a column's kind must be a string, got {kind!r}")
        if kind not in KINDS:
            raise ValueError(f"unknown kind of column {kind!r}; known are {', '.join(KINDS)}")
    if not kinds:
        raise ValueError("kinds is empty: a table needs a column at least")
    return tuple(kinds)


def _table(
    table: npt.ArrayLike, kinds: Sequence[str], name: str = "table", *, minimum: int
) -> Float64:
    values = metrics._rows(table, name, minimum)
    if values.shape[1] != len(kinds):
        raise ValueError(f"{name} must have {len(kinds)} columns, one a kind, got {values.shape}")
    for i, kind in enumerate(kinds):
        if kind == "integer" and np.any(values[:, i] != np.rint(values[:, i])):
            raise ValueError(f"{name}: column {i} is to hold integers, but has fractions")
    return values


def _categories(column: Float64, known: Float64, i: int) -> npt.NDArray[np.int64]:
    index = np.minimum(np.searchsorted(known, column), len(known) - 1)
    strange = column[known[index] != column]
    if len(strange):
        raise ValueError(f"column {i} has the category {strange[0]:g}, which was never fitted")
    return index


# --- The GAN -----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="gantut")
class MixedOutput(keras.layers.Layer):
    """The end of a generator of rows: numbers as they are, and categories drawn softly.

    Called with [x, z], outputs of the layer before it and the latent vectors. What belongs to a
    column of size 1 passes unchanged. The logits l of a category become
    ``softmax((l + g) / temperature)`` with Gumbel noise g (Jang et al. 2017, eq. 2): nearly
    one-hot, its largest entry a draw from softmax(l), and still differentiable. The noise is made
    from the last entries of z, standard normal numbers, so that a latent vector fixes its sample.

    Args:
        sizes: Of the columns, as in `TableEncoder`.
        temperature: Above 0; the smaller, the harder. CTGAN (Xu et al. 2019) takes 0.2.
    """

    def __init__(self, sizes: Sequence[int], temperature: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = _widths(sizes)
        if not temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}")
        self.temperature = temperature

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Turns logits into soft draws."""
        x, z = inputs
        parts = tf.split(x, self.sizes, axis=1)
        noise = _noise_size(self.sizes)
        if noise:
            gumbel = gumbel_noise(z[:, -noise:])
            draws = iter(tf.split(gumbel, [size for size in self.sizes if size > 1], axis=1))
            parts = [
                part if size == 1 else tf.nn.softmax((part + next(draws)) / self.temperature)
                for part, size in zip(parts, self.sizes, strict=True)
            ]
        return tf.concat(parts, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, sum of the sizes)."""
        return (input_shape[0][0], sum(self.sizes))

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "sizes": self.sizes, "temperature": self.temperature}


def _noise_size(sizes: Sequence[int]) -> int:
    return sum(size for size in sizes if size > 1)


def generator(
    sizes: Sequence[int],
    latent_dim: int = 16,
    widths: Sequence[int] = (64, 64),
    *,
    temperature: float = 0.2,
) -> Model:
    """A multilayer perceptron from latent vectors to encoded rows.

    Args:
        sizes: Of the columns, as in `TableEncoder`.
        latent_dim: Length of the latent vector, without the entries that draw categories: one
            more for each category of each column.
        widths: Units of the hidden layers, first to last.
        temperature: As in `MixedOutput`.

    Returns:
        A model from (batch, latent_dim + number of categories) to (batch, sum of the sizes).
    """
    _check.sizes(latent_dim=latent_dim)
    sizes = _widths(sizes)
    z = keras.Input((latent_dim + _noise_size(sizes),), name="latent")
    x = z
    for i, units in enumerate(_widths(widths), start=1):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{i}")(x)
    x = keras.layers.Dense(sum(sizes), name="logits")(x)
    return keras.Model(z, MixedOutput(sizes, temperature, name="row")([x, z]), name="table_g")


def discriminator(width: int, widths: Sequence[int] = (64, 64)) -> Model:
    """A multilayer perceptron from encoded rows to logits.

    Args:
        width: Length of a row.
        widths: Units of the hidden layers, first to last.

    Returns:
        A model from (batch, width) to logits (batch, 1).
    """
    _check.sizes(width=width)
    row = keras.Input((width,), name="row")
    x = row
    for i, units in enumerate(_widths(widths), start=1):
        x = keras.layers.Dense(units, name=f"dense_{i}")(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2, name=f"leaky_{i}")(x)
    return keras.Model(row, keras.layers.Dense(1, name="logit")(x), name="table_d")


METHODS: dict[str, dict[str, Any]] = {
    "plain": {
        "summary": "the non-saturating loss and nothing else",
    },
    "steady": {
        "summary": "relativistic loss, R1 and R2, falling rates and averaged weights",
        "loss": "relativistic",
        "penalties": {"r1": 0.3, "r2": 0.3},
        "ema": 0.999,
        "schedule": recipes.cosine_decay(),
    },
}
"""Settings that share networks, batches, optimizer and first rates, by name."""


def recipe(
    method: str,
    sizes: Sequence[int],
    *,
    latent_dim: int = 16,
    widths: Sequence[int] = (64, 64),
    packing: int = 1,
) -> recipes.Recipe:
    """The settings of a training on encoded rows, for `gantut.recipes.train`.

    Args:
        method: A key of ``METHODS``.
        sizes: Of the columns, as in `TableEncoder`.
        latent_dim: As in `generator`.
        widths: Units of the hidden layers of both networks.
        packing: Rows that D judges together (`gantut.stabilisers.packed`).

    Returns:
        A recipe; ``dataclasses.replace`` makes another from it.
    """
    settings = _check.one_of(method, "method", METHODS)
    sizes = _widths(sizes)

    def build_generator(shape: Sequence[int], num_classes: int) -> Model:
        return generator(sizes, latent_dim, widths)

    def build_discriminator(shape: Sequence[int], num_classes: int) -> Model:
        return discriminator(shape[0], widths)

    return recipes.Recipe(
        name=f"table, {method}",
        generator=build_generator,
        discriminator=stabilisers.packed(build_discriminator, packing),
        **{
            "batch_size": 128,
            "steps": 2_000,
            "gpu_steps": 2_000,
            "g_learning_rate": 1e-3,
            "d_learning_rate": 1e-3,
            "beta_1": 0.0,
            "beta_2": 0.99,
            "steps_per_execution": 50,
            **settings,
        },
    )


@dataclass(frozen=True, kw_only=True)
class TableRun(recipes.Run[GAN]):
    """What a training on a table left; ``gan`` makes encoded rows.

    Attributes:
        encoder: The fitted encoder.

    The rest is as in `gantut.recipes.Run`.
    """

    encoder: TableEncoder

    def sample(self, n: int, seed: int = 0) -> Float64:
        """Makes records.

        Args:
            n: How many.
            seed: Fixes them.

        Returns:
            A table (n, columns).
        """
        return self.encoder.inverse(self.gan.sample(n, seed=seed, batch_size=4_000))


def train(
    table: npt.ArrayLike,
    kinds: Sequence[str],
    method: str = "steady",
    *,
    scaling: str = "quantile",
    latent_dim: int = 16,
    widths: Sequence[int] = (64, 64),
    packing: int = 1,
    steps: int | None = None,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
) -> TableRun:
    """Trains a GAN on a table.

    Args:
        table: Numbers (n, columns), n of a batch (128) at least.
        kinds: For each column one of ``KINDS``.
        method: A key of ``METHODS``.
        scaling: As in `TableEncoder`.
        latent_dim: As in `generator`.
        widths: Units of the hidden layers of both networks.
        packing: Rows that D judges together.
        steps: Length of the training; 2,000 if None.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: Keras callbacks, as in `gantut.recipes.train`.

    Returns:
        A `TableRun`.
    """
    encoder = TableEncoder(kinds, scaling=scaling).fit(table)
    settings = recipe(method, encoder.sizes, latent_dim=latent_dim, widths=widths, packing=packing)
    begin = time.process_time()
    run = recipes.train(
        settings, encoder.transform(table, seed), steps=steps, seed=seed, callbacks=callbacks
    )
    return TableRun.of(run, encoder=encoder, cpu_seconds=time.process_time() - begin)


# --- What else one could do --------------------------------------------------------------------


def independent_columns(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0
) -> Float64:
    """Draws each column by itself from its real values: right marginals, no dependence.

    Args:
        table: Numbers (records, columns).
        kinds: For each column one of ``KINDS``.
        n: Records to draw.
        seed: Fixes them.

    Returns:
        A table (n, columns).
    """
    values = _table(table, _kinds(kinds), minimum=1)
    chosen = _check.rng(seed).integers(
        len(values), size=(_check.integer(n, "n", 1), values.shape[1])
    )
    return np.take_along_axis(values, chosen, axis=0)


def gaussian_copula(table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0) -> Float64:
    """Draws from a Gaussian copula: normal scores of all columns, joined by their correlations.

    The plain statistical model of a table (Patki et al. 2016): every column is
    encoded as by `TableEncoder` with quantiles, categories as ordered numbers, and the encoded
    rows are taken for normal. It has the marginals by construction, and of the dependence all
    that a matrix of correlations can hold.

    Args:
        table: Numbers (records, columns), more records than columns.
        kinds: For each column one of ``KINDS``.
        n: Records to draw.
        seed: Fixes them.

    Returns:
        A table (n, columns).
    """
    n, kinds = _check.integer(n, "n", 1), _kinds(kinds)
    values = _table(table, kinds, minimum=2)
    numbers = values.copy()
    categories = {}
    for i, kind in enumerate(kinds):
        if kind == "category":
            categories[i], numbers[:, i] = np.unique(values[:, i], return_inverse=True)
    encoder = TableEncoder(["integer" if kind == "category" else kind for kind in kinds])
    scores = encoder.fit(numbers).transform(numbers, seed)
    drawn = _check.rng(seed).multivariate_normal(
        np.zeros(len(kinds)), np.corrcoef(scores, rowvar=False).reshape(len(kinds), -1), n
    )
    synthetic = encoder.inverse(drawn)
    for i, known in categories.items():
        synthetic[:, i] = known[synthetic[:, i].astype(int)]
    return synthetic


def interpolated_records(
    table: npt.ArrayLike, kinds: Sequence[str], n: int, seed: int = 0, *, k: int = 5
) -> Float64:
    """Draws points between a record and one of its nearest, as SMOTE does.

    Chawla et al. 2002 make new records of a rare class so. Here every record may be
    the first one. Numbers lie on the line between both, categories come from one of them.

    Args:
        table: Numbers (records, columns).
        kinds: For each column one of ``KINDS``.
        n: Records to draw.
        seed: Fixes them.
        k: Neighbours that may be the second one.

    Returns:
        A table (n, columns).
    """
    kinds = _kinds(kinds)
    values = _table(table, kinds, minimum=_check.integer(k, "k", 1) + 1)
    rows = TableEncoder(kinds, scaling="standard").fit(values).transform(values)
    # The nearest is the record itself, or a copy of it.
    neighbours = metrics.nearest_training_images(rows, rows, k + 1).indices[:, 1:]
    rng = _check.rng(seed)
    first = rng.integers(len(values), size=_check.integer(n, "n", 1))
    second = neighbours[first, rng.integers(k, size=n)]
    share = rng.random((n, 1))
    synthetic = values[first] + share * (values[second] - values[first])
    for i, kind in enumerate(kinds):
        if kind == "category":
            synthetic[:, i] = np.where(share[:, 0] < 0.5, values[first, i], values[second, i])
        elif kind == "integer":
            synthetic[:, i] = np.rint(synthetic[:, i])
    return synthetic


# --- Measures ----------------------------------------------------------------------------------


def marginal_distances(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, kinds: Sequence[str]
) -> Float64:
    """How far each column's distribution is from the real one.

    Args:
        real: A table of real records.
        synthetic: A table of synthetic ones.
        kinds: For each column one of ``KINDS``.

    Returns:
        For each column the Wasserstein-1 distance in units of the real column's standard
        deviation or, of a category, the total variation distance in [0, 1] of the shares.
    """
    real, synthetic, kinds = _two_tables(real, synthetic, kinds)
    distances = []
    for kind, a, b in zip(kinds, real.T, synthetic.T, strict=True):
        if kind == "category":
            values = np.union1d(a, b)
            distances.append(0.5 * sum(abs(np.mean(a == v) - np.mean(b == v)) for v in values))
        else:
            if a.std() == 0:
                raise ValueError("a real column has one value only, so its distances have no unit")
            distances.append(stats.wasserstein_distance(a, b) / a.std())
    return np.array(distances)


def correlations(table: npt.ArrayLike, kinds: Sequence[str], like: npt.ArrayLike) -> Float64:
    """Correlations of ranks between all columns.

    A category stands as the 0/1 columns of its values, but for the smallest one.

    Args:
        table: The table to describe.
        kinds: For each column one of ``KINDS``.
        like: The table (the real one) whose categories count, so that matrices of two tables can
            be compared.

    Returns:
        Spearman's correlations (m, m), m the number of columns with categories so spread out; 0
        where one of the two columns has a single value.
    """
    like, values, kinds = _two_tables(like, table, kinds)
    ranks = []
    for kind, column, known in zip(kinds, values.T, like.T, strict=True):
        if kind == "category":
            ranks += [(column == value).astype(float) for value in np.unique(known)[1:]]
        else:
            ranks.append(stats.rankdata(column))
    centred = np.stack(ranks) - np.mean(ranks, axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return unit @ unit.T


def correlation_difference(
    real: npt.ArrayLike, synthetic: npt.ArrayLike, kinds: Sequence[str]
) -> float:
    """Mean absolute difference of two tables' `correlations`, over all pairs of columns.

    Args:
        real: A table of real records.
        synthetic: A table of synthetic ones.
        kinds: For each column one of ``KINDS``, for two columns at least.

    Returns:
        A number in [0, 2].
    """
    a, b = (correlations(table, kinds, like=real) for table in (real, synthetic))
    if len(a) < 2:
        raise ValueError("correlations need two columns at least")
    pairs = np.triu_indices(len(a), k=1)
    return float(np.abs(a[pairs] - b[pairs]).mean())


def energy_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Energy distance of two samples, ``2 E|X - Y| - E|X - X'| - E|Y - Y'|``.

    Zero if and only if both come from one distribution (Szekely and Rizzo 2013). The
    estimate is unbiased (pairs of a point with itself are left out), so that it varies around 0
    for two samples of one distribution and may be negative.

    Args:
        a: Points (n, d), n >= 2, in units that make the axes comparable.
        b: Points (m, d), m >= 2.

    Returns:
        The estimate, in the unit of the points.
    """
    x, y = metrics._pair(a, b, minimum=2)
    n, m = len(x), len(y)
    return (
        2 * _distances(x, y) / (n * m)
        - _distances(x, x) / (n * (n - 1))
        - _distances(y, y) / (m * (m - 1))
    )


def _distances(x: Float64, y: Float64) -> float:
    return float(sum(np.sqrt(squares).sum() for _, squares in metrics._squared_distances(x, y)))


def two_sample_accuracy(
    classifier: Any, real: npt.ArrayLike, synthetic: npt.ArrayLike, *, folds: int = 5, seed: int = 0
) -> float:
    """How well a classifier tells real from synthetic records that it has not seen.

    The classifier two-sample test (Lopez-Paz and Oquab 2017), over folds. The larger
    table is cut to the size of the smaller, so that guessing gets 0.5.

    Args:
        classifier: With scikit-learn's methods ``fit`` and ``score``.
        real: A table (n, columns) of real records.
        synthetic: A table of synthetic ones.
        folds: Parts of the data; each is judged by a classifier trained on the others.
        seed: Fixes which records are in which part.

    Returns:
        The share of right answers, 0.5 if the two cannot be told apart and 1 if they always are. A
        little below 0.5 is chance.
    """
    if not (hasattr(classifier, "fit") and hasattr(classifier, "score")):
        raise TypeError(f"classifier must have fit and score, got {type(classifier).__name__}")
    pair = metrics._pair(
        real, synthetic, ("real", "synthetic"), minimum=_check.integer(folds, "folds", 2)
    )
    n = min(map(len, pair))
    rng = _check.rng(seed)
    x = np.concatenate([table[rng.permutation(len(table))[:n]] for table in pair])
    y = np.repeat([1, 0], n)
    part = np.tile(np.arange(n) % folds, 2)
    scores = []
    for fold in range(folds):
        classifier.fit(x[part != fold], y[part != fold])
        scores.append(classifier.score(x[part == fold], y[part == fold]))
    return float(np.average(scores, weights=np.bincount(part)))


def train_on_synthetic(
    model: Any, synthetic: npt.ArrayLike, test: npt.ArrayLike, target: int
) -> float:
    """Fits a model to one table and scores it on another: train on synthetic, test on real.

    The measure of Esteban et al. 2017. With real records in place of the synthetic
    ones it gives the score to compare with.

    Args:
        model: With scikit-learn's methods ``fit`` and ``score``.
        synthetic: The table to learn from.
        test: The table of real records, which neither the model nor the generator has seen.
        target: The column to predict from the others.

    Returns:
        What the model's ``score`` says, R^2 of scikit-learn's regressors and the accuracy of its
        classifiers.
    """
    if not (hasattr(model, "fit") and hasattr(model, "score")):
        raise TypeError(f"model must have fit and score, got {type(model).__name__}")
    learn, held_out = metrics._pair(synthetic, test, ("synthetic", "test"), minimum=2)
    columns = learn.shape[1]
    if not -columns <= _check.integer(target, "target", -columns) < columns:
        raise ValueError(f"target must name one of {columns} columns, got {target}")
    model.fit(np.delete(learn, target, axis=1), learn[:, target])
    return float(model.score(np.delete(held_out, target, axis=1), held_out[:, target]))


class ClosestRecords(NamedTuple):
    """Distances of synthetic records to the nearest real ones.

    Attributes:
        to_train: Distance of each synthetic record to the nearest training record.
        to_holdout: The same to the nearest held-out record.
        share_nearer_train: Share of the synthetic records that are nearer to a training record
            (ties count half): about 0.5 if nothing of single records was learnt, 1 for copies.
        comparison: What `gantut.metrics.memorisation` says of ``to_train`` beside the distances
            of held-out records to the training records.
    """

    to_train: Float64
    to_holdout: Float64
    share_nearer_train: float
    comparison: metrics.Memorisation


def closest_records(
    synthetic: npt.ArrayLike,
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    kinds: Sequence[str],
) -> ClosestRecords:
    """Compares synthetic records' distances to training records with those to held-out ones.

    The check of Platzer and Reutterer 2021. Distances are Euclidean, with numeric
    columns in units of their deviation over the real records; two different categories are one
    such unit apart. A generator that copies is caught. A share of one half is no proof of privacy:
    it is a mean, which a few copied records do not move, and it says nothing of what else an
    attacker can infer.

    Args:
        synthetic: A table of synthetic records.
        train: The real records that the generator saw.
        holdout: As many real records that it did not see.
        kinds: For each column one of ``KINDS``.

    Returns:
        The distances and their summary.
    """
    train, holdout, kinds = _two_tables(train, holdout, kinds, ("train", "holdout"))
    made = _table(synthetic, kinds, "synthetic", minimum=1)
    if len(train) != len(holdout):
        raise ValueError(
            f"train and holdout must be of one size, got {len(train)} and {len(holdout)} records"
        )
    encoder = TableEncoder(kinds, scaling="standard").fit(np.concatenate([train, holdout]))
    unit = np.repeat([2**-0.5 if size > 1 else 1.0 for size in encoder.sizes], encoder.sizes)
    rows = {
        name: unit * encoder.transform(table)
        for name, table in (("made", made), ("train", train), ("holdout", holdout))
    }

    def nearest(which: str, among: str) -> Float64:
        return metrics.nearest_training_images(rows[which], rows[among]).distances[:, 0]

    to_train, to_holdout = nearest("made", "train"), nearest("made", "holdout")
    share = np.mean(to_train < to_holdout) + 0.5 * np.mean(to_train == to_holdout)
    return ClosestRecords(
        to_train=to_train,
        to_holdout=to_holdout,
        share_nearer_train=float(share),
        comparison=metrics.memorisation(to_train, nearest("holdout", "train")),
    )


def _two_tables(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    kinds: Sequence[str],
    names: tuple[str, str] = ("real", "synthetic"),
) -> tuple[Float64, Float64, tuple[str, ...]]:
    kinds = _kinds(kinds)
    first, second = (
        _table(table, kinds, name, minimum=1) for table, name in zip((a, b), names, strict=True)
    )
    return first, second, kinds
