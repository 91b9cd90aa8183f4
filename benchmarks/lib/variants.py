"""Recipes of the package with something changed, which more than one benchmark needs."""

from dataclasses import replace
from typing import Any

from gantut import networks, recipes

STACKED_SAMPLES = 25_600
"""Samples by which Stacked MNIST is judged."""


def widened(times: float) -> recipes.Recipe:
    """The recipe ``fast`` with ``times`` the units in each hidden layer."""

    def generator(shape: Any, num_classes: int, mean_image: Any) -> Any:
        widths = (round(256 * times), round(512 * times))
        return networks.mlp_generator(64, shape, widths, batch_norm=True, mean_image=mean_image)

    def discriminator(shape: Any, num_classes: int, mean_image: Any) -> Any:
        widths = (round(512 * times), round(256 * times))
        return networks.mlp_discriminator(shape, widths, mean_image=mean_image)

    return replace(recipes.get("fast"), generator=generator, discriminator=discriminator)


def plain_fast() -> recipes.Recipe:
    """The networks of ``fast``, trained as Radford et al. 2016 do it: nothing else of it."""
    return replace(
        recipes.get("fast"),
        name="fast, plainly trained",
        loss="non_saturating",
        penalties={},
        ema=None,
        g_learning_rate=2e-4,
        d_learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.999,
    )


def bare_discriminator(shape: Any, num_classes: int) -> Any:
    """The published D without batch normalisation, which judges each sample alone."""
    return networks.stacked_discriminator(shape, batch_norm=False)


def unpacked() -> recipes.Recipe:
    """Recipe "stacked_small" without its packs."""
    return replace(recipes.get("stacked_small"), name="stacked_small, not packed",
                   discriminator=bare_discriminator)  # fmt: skip
