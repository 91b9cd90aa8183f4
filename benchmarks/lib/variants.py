"""Recipes of the package with something changed, which more than one benchmark needs."""

from dataclasses import replace
from functools import partial

from gantut import networks, recipes

STACKED_SAMPLES = 25_600
"""Samples by which Stacked MNIST is judged."""


def widened(times: float) -> recipes.GANRecipe:
    """The recipe ``fast`` with ``times`` the units in each hidden layer."""
    small, large = round(256 * times), round(512 * times)
    return replace(
        recipes.get("fast"),
        generator=partial(networks.mlp_generator, 64, widths=(small, large), batch_norm=True),
        discriminator=partial(networks.mlp_discriminator, widths=(large, small)),
    )


def plain_fast() -> recipes.GANRecipe:
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


def unpacked() -> recipes.GANRecipe:
    """Recipe "stacked_small" without its packs: D judges each sample alone."""
    return replace(
        recipes.get("stacked_small"),
        name="stacked_small, not packed",
        discriminator=partial(networks.stacked_discriminator, batch_norm=False),
    )
