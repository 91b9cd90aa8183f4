"""A small GAN of encoded rows."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, recipes, stabilisers
from gantut._keras import keras, tf
from gantut.applications.tabular.encoding import TableEncoder
from gantut.gan import GAN
from gantut.networks.parts import checked_widths
from gantut.sampling import gumbel_noise

Float64 = npt.NDArray[np.float64]
Model = Any
Tensor = Any


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
        self.sizes = checked_widths(sizes)
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
    sizes = checked_widths(sizes)
    z = keras.Input((latent_dim + _noise_size(sizes),), name="latent")
    x = z
    for i, units in enumerate(checked_widths(widths), start=1):
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
    for i, units in enumerate(checked_widths(widths), start=1):
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
    sizes = checked_widths(sizes)

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
