"""What makes synthetic tables: a small GAN of encoded rows, and its rivals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from gantut import _check, recipes
from gantut._keras import keras, tf
from gantut.applications.tabular.encoding import TableEncoder
from gantut.data import Float64
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
) -> recipes.GANRecipe:
    """The settings of a training on encoded rows, for `gantut.recipes.train`.

    Args:
        method: A key of ``METHODS``.
        sizes: Of the columns, as in `TableEncoder`.
        latent_dim: As in `generator`.
        widths: Units of the hidden layers of both networks.
    """
    fast: recipes.GANRecipe = recipes.get("fast")
    return replace(
        fast,
        name=f"table, {method}",
        generator=lambda image_shape: generator(sizes, latent_dim, widths),
        discriminator=lambda image_shape: discriminator(image_shape[0], widths),
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
        seed: Fixes the result, as in `gantut.recipes`.
        **options: ``steps``, ``callbacks`` and others of `gantut.recipes.train`.
    """
    encoder = TableEncoder(kinds, scaling=scaling).fit(table)
    settings = recipe(method, sizes=encoder.sizes, latent_dim=latent_dim, widths=widths)
    rows = encoder.transform(table, seed)
    run = recipes.train(settings, rows, seed=seed, **options)
    return TableRun.of(run, encoder=encoder)
