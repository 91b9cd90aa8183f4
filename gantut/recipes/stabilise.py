"""Recipes with parts of `gantut.stabilisers`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gantut import _check, stabilisers
from gantut._keras import keras
from gantut.callbacks import AnnealNoise
from gantut.recipes.catalogue import get
from gantut.recipes.recipe import GANRecipe, Recipe
from gantut.stabilisers import Builder


def stabilise(
    recipe: str | Recipe,
    *,
    packing: int = 1,
    spectral_norm: bool = False,
    instance_noise: float = 0.0,
    minibatch_stddev: int = 0,
    diff_augment: str = "",
) -> GANRecipe:
    """Adds parts of `gantut.stabilisers` to a recipe, and to its name and summary.

    Seen from the data, D is: `DiffAugment`, `InstanceNoise`, `Pack`, then the recipe's own
    network, spectrally normalised, with the deviation of its groups (of packs, where both are
    there) at its last layer.

    Args:
        recipe: A key of ``gantut.recipes.RECIPES``, or a recipe.
        packing: Samples that D judges together (`gantut.stabilisers.packed`); 1 for each alone.
        spectral_norm: Whether to normalise D's layers (`gantut.stabilisers.spectrally_normalised`).
        instance_noise: Standard deviation of `InstanceNoise` when training begins; it falls to 0
            along a line (`gantut.callbacks.AnnealNoise`).
        minibatch_stddev: Rows in a group of `MinibatchStdDev`; 0 for none.
        diff_augment: Policy of `DiffAugment`; "" for none. Images only.
    """
    plain = get(recipe)
    if not isinstance(plain, GANRecipe):
        raise TypeError(f"recipe {plain.name!r} is no recipe for a GAN")
    builder, added = plain.discriminator, []
    if minibatch_stddev:
        stabilisers.MinibatchStdDev(minibatch_stddev)  # which refuses a bad number
        builder = _then(builder, stabilisers.with_minibatch_stddev, minibatch_stddev)
        added.append(f"minibatch_stddev{minibatch_stddev}")
    if spectral_norm:
        builder = _then(builder, stabilisers.spectrally_normalised)
        added.append("spectral_norm")
    packing = _check.integer(packing, "packing", 1)
    if packing > 1:
        builder = stabilisers.packed(builder, packing)
        added.append(f"packing{packing}")
    if instance_noise:
        stabilisers.InstanceNoise(instance_noise)
        builder = _behind(builder, stabilisers.InstanceNoise, instance_noise)
        own = plain.callbacks
        plain = replace(plain, callbacks=lambda **length: (*own(**length), AnnealNoise(**length)))
        added.append(f"instance_noise{instance_noise:g}")
    if diff_augment:
        stabilisers.DiffAugment(diff_augment)
        builder = _behind(builder, stabilisers.DiffAugment, diff_augment)
        added.append("diff_augment")
    if not added:
        return plain
    return replace(
        plain,
        name="+".join([plain.name, *added]),
        summary=f"{plain.summary}; with {', '.join(added)}",
        discriminator=builder,
    )


def _then(builder: Builder, change: Callable[..., keras.Model], *more: Any) -> Builder:
    """A builder of what ``change`` makes of the other's networks."""
    return lambda **given: change(builder(**given), *more)


def _behind(builder: Builder, layer: Callable[[Any], Any], setting: Any) -> Builder:
    """A builder of the other's networks behind such a layer, a new one for each."""
    return lambda **given: stabilisers.at_input(builder(**given), layer(setting))
