"""What makes synthetic tables: a small GAN of encoded rows, and its rivals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, metrics, recipes, stabilisers
from gantut._keras import keras, tf
from gantut.applications.tabular.encoding import TableEncoder, check_kinds, check_table
from gantut.data import Float32, Float64
from gantut.gan import GAN
from gantut.networks import parts


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
        self.sizes = parts.checked_widths(sizes)
        self.temperature = _check.number(temperature, "temperature", above=0)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Turns logits into soft draws."""
        x, z = inputs
        columns = tf.split(x, self.sizes, axis=1)
        categories = [size for size in self.sizes if size > 1]
        if categories:
            noise = parts.gumbel_noise(z[:, -sum(categories) :])
            draws = iter(tf.split(noise, categories, axis=1))
            columns = [
                column if size == 1 else tf.nn.softmax((column + next(draws)) / self.temperature)
                for column, size in zip(columns, self.sizes, strict=True)
            ]
        return tf.concat(columns, axis=1)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "sizes": self.sizes, "temperature": self.temperature}


def generator(
    sizes: Sequence[int], latent_dim: int = 16, widths: Sequence[int] = (64, 64)
) -> keras.Model:
    """A multilayer perceptron from latent vectors to encoded rows.

    Args:
        sizes: Of the columns, as in `TableEncoder`.
        latent_dim: Length of the latent vector; each category of a column draws by one more.
        widths: Units of the hidden layers.
    """
    sizes = parts.checked_widths(sizes)
    latent_dim = _check.integer(latent_dim, "latent_dim", 1)
    x = z = parts.latent_input(latent_dim + sum(size for size in sizes if size > 1))
    for i, units in enumerate(parts.checked_widths(widths), start=1):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{i}")(x)
    x = keras.layers.Dense(sum(sizes), name="logits")(x)
    return keras.Model(z, MixedOutput(sizes, name="row")([x, z]), name="table_g")


def discriminator(width: int, widths: Sequence[int] = (64, 64)) -> keras.Model:
    """A multilayer perceptron from rows (batch, width) to logits (batch, 1)."""
    row = keras.Input((_check.integer(width, "width", 1),), name="row")
    return keras.Model(row, parts.logit(parts.dense_layers(row, widths)), name="table_d")


METHODS: dict[str, dict[str, Any]] = {
    "plain": {
        "summary": "the non-saturating loss and nothing else",
        "loss": "non_saturating",
        "penalties": {},
        "ema": None,
    },
    "steady": {
        "summary": "relativistic loss, R1 and R2, falling rates and averaged weights",
        "penalties": {"r1": 0.3, "r2": 0.3},
        "ema": 0.999,
        "schedule": recipes.cosine_decay(),
    },
}
"""Settings that share networks, batches, optimizer and first rates, by name."""


def recipe(
    method: str = "steady",
    *,
    sizes: Sequence[int],
    latent_dim: int = 16,
    widths: Sequence[int] = (64, 64),
    packing: int = 1,
) -> recipes.GANRecipe:
    """The settings of a training on encoded rows, for `gantut.recipes.train`.

    Args:
        method: A key of ``METHODS``.
        sizes: Of the columns, as in `TableEncoder`.
        latent_dim: As in `generator`.
        widths: Units of the hidden layers of both networks.
        packing: Rows that D judges together (`gantut.stabilisers.packed`).
    """
    fast: recipes.GANRecipe = recipes.get("fast")
    return replace(
        fast,
        name=f"table, {method}",
        generator=lambda image_shape: generator(sizes, latent_dim, widths),
        discriminator=stabilisers.packed(
            lambda image_shape: discriminator(image_shape[0], widths), packing
        ),
        centred=False,
        penalty_every=1,
        batch_size=128,
        steps=2_000,
        gpu_steps=2_000,
        g_learning_rate=1e-3,
        d_learning_rate=1e-3,
        steps_per_execution=50,
        **_check.one_of(method, "method", METHODS),
    )


@dataclass(frozen=True, kw_only=True)
class TableRun(recipes.Run[GAN]):
    """What a training on a table left: a `gantut.recipes.Run`, and the fitted encoder."""

    encoder: TableEncoder

    def sample(self, n: int, seed: int = 0) -> Float64:
        """Makes ``n`` records, which the seed fixes."""
        return self.encoder.inverse(self.gan.sample(n, seed=seed, batch_size=4_000))


@recipes.cpu_timed
def train(
    table: npt.ArrayLike,
    kinds: Sequence[str],
    method: str = "steady",
    *,
    scaling: str = "quantile",
    latent_dim: int = 16,
    widths: Sequence[int] = (64, 64),
    packing: int = 1,
    seed: int = 0,
    **options: Any,
) -> TableRun:
    """Trains a GAN on a table.

    Args:
        table: Numbers (n, columns), n of a batch (128) at least.
        kinds: Of the columns.
        method: As in `recipe`.
        scaling: As in `TableEncoder`.
        latent_dim: As in `recipe`.
        widths: As in `recipe`.
        packing: As in `recipe`.
        seed: Fixes the result, as in `gantut.recipes`.
        **options: ``steps``, ``callbacks`` and others of `gantut.recipes.train`.
    """
    encoder = TableEncoder(kinds, scaling=scaling).fit(table)
    settings = recipe(
        method, sizes=encoder.sizes, latent_dim=latent_dim, widths=widths, packing=packing
    )
    rows = encoder.transform(table, seed)
    run = recipes.train(settings, rows, seed=seed, **options)
    return TableRun.of(run, encoder=encoder)


# What a practitioner would try before a GAN: n records from a table, its kinds and a seed.


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

    Where records share a value, their scores are drawn inside its jump, by no other column.
    That shrinks a binary column's correlations to some 60 %, which ``corrected`` gives back.
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


def _latent_correlations(correlations: Float64, values: Float64, scores: Float32) -> Float64:
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

    Chawla et al. 2002 make a rare class's records so. Here every record may be the first, one of
    its ``k`` nearest the second. Numbers lie on the line between both, categories are one's.
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
