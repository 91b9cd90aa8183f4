"""The recipes, as data: each network with its sizes, each setting with its number."""

from functools import partial
from typing import Any

from gantut import _check, networks
from gantut.clustered import ClusteredGAN
from gantut.recipes.recipe import GANRecipe, Recipe, VAERecipe
from gantut.recipes.schedules import constant, linear_decay
from gantut.stabilisers import packed

# The relativistic loss with both zero-centred penalties (Huang et al. 2024, R3GAN), applied
# lazily, and averaged weights: what made the difference on a small budget.
_STEADY: dict[str, Any] = {
    "loss": "relativistic",
    "penalties": {"r1": 0.3, "r2": 0.3},
    "penalty_every": 16,
    "ema": 0.998,
    "batch_size": 64,
    "beta_1": 0.0,
    "beta_2": 0.99,
    "schedule": linear_decay(),
}

# The same at constant rates on centred images, with stronger penalties.
_FAST: dict[str, Any] = {
    **_STEADY,
    "penalties": {"r1": 1.0, "r2": 1.0},
    "g_learning_rate": 2e-3,
    "d_learning_rate": 1e-3,
    "schedule": constant,
    "centred": True,
}

# On a CPU each but tutorial_dcgan takes about two minutes of two quiet cores.
_ALL = (
    GANRecipe(
        name="fast",
        summary="good digits after two minutes on two cores: small MLPs on centred images, "
        "relativistic loss, R1 and R2, averaged weights",
        generator=partial(networks.mlp_generator, 64, widths=(256, 512), batch_norm=True),
        discriminator=partial(networks.mlp_discriminator, widths=(512, 256)),
        steps=12_000,
        gpu_steps=40_000,
        **_FAST,
    ),
    GANRecipe(
        name="mlp",
        summary="the plain GAN of 2014's kind: MLPs, non-saturating loss, labels smoothed to 0.9",
        generator=networks.mlp_generator,
        discriminator=networks.mlp_discriminator,
        real_label=0.9,
        batch_size=128,
        steps=3_600,
        gpu_steps=30_000,
    ),
    GANRecipe(
        name="dcgan",
        summary="a small convolutional GAN with the settings of Radford et al. 2016",
        generator=networks.dcgan_generator,
        discriminator=networks.dcgan_discriminator,
        batch_size=64,
        steps=3_000,
        gpu_steps=20_000,
    ),
    GANRecipe(
        name="tutorial_dcgan",
        summary="TensorFlow's DCGAN tutorial, 50 epochs: the reference; four hours on two cores",
        generator=networks.tutorial_dcgan_generator,
        discriminator=networks.tutorial_dcgan_discriminator,
        batch_size=256,
        g_learning_rate=1e-4,
        d_learning_rate=1e-4,
        beta_1=0.9,
        # 234 full batches of MNIST an epoch; the tutorial's ragged 235th is left out.
        steps=11_700,
        gpu_steps=11_700,
        image_shape=networks.MNIST_SHAPE,
    ),
    GANRecipe(
        name="conditional_mlp",
        summary="MLPs with batch normalisation in G, the digit's label given to both networks",
        generator=partial(networks.mlp_generator, batch_norm=True),
        discriminator=networks.mlp_discriminator,
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        steps=4_000,
        gpu_steps=30_000,
        conditional=True,
        **_STEADY,
    ),
    GANRecipe(
        name="conditional_dcgan",
        summary="a small convolutional GAN with labels, relativistic loss and averaged weights",
        generator=networks.dcgan_generator,
        discriminator=networks.dcgan_discriminator,
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        steps=2_400,
        gpu_steps=20_000,
        conditional=True,
        **_STEADY,
    ),
    GANRecipe(
        name="conditional_fast",
        summary="digits on demand in a minute of one core: `fast` at half the width, the label a "
        "projection in D, weaker penalties",
        generator=partial(networks.mlp_generator, 32, widths=(128, 256), batch_norm=True),
        discriminator=partial(networks.projection_mlp_discriminator, widths=(256, 128)),
        steps=6_000,
        gpu_steps=40_000,
        conditional=True,
        **{**_FAST, "penalties": {"r1": 0.1, "r2": 0.1}},
    ),
    GANRecipe(
        name="clustered_fast",
        summary="the clearest digits after two minutes, without labels: D is told which of 256 "
        "groups of images that look alike an image belongs to",
        generator=partial(
            networks.mlp_generator, 32, widths=(128, 256), batch_norm=True, draws_label=True
        ),
        discriminator=partial(networks.projection_mlp_discriminator, widths=(256, 128)),
        model=ClusteredGAN,
        clusters=256,
        steps=24_000,
        gpu_steps=40_000,
        **{**_FAST, "penalties": {"r1": 0.1, "r2": 0.1}, "ema": 0.9995},
    ),
    GANRecipe(
        name="mini_biggan",
        summary="BigGAN's parts in small: residual blocks, conditional and spectral normalisation, "
        "projection, hinge loss; slow on a CPU",
        generator=networks.residual_generator,
        discriminator=networks.residual_discriminator,
        loss="hinge",
        ema=0.998,
        batch_size=64,
        g_learning_rate=1e-3,
        d_learning_rate=2e-3,
        beta_1=0.0,
        beta_2=0.99,
        steps=3_000,
        gpu_steps=30_000,
        conditional=True,
    ),
    GANRecipe(
        name="stacked",
        summary="Stacked MNIST, all 1,000 triples in a minute: `fast` with weights shared over "
        "the three channels",
        generator=networks.channelwise_mlp_generator,
        discriminator=networks.channelwise_mlp_discriminator,
        steps=8_000,
        gpu_steps=40_000,
        stack=3,
        **_FAST,
    ),
    GANRecipe(
        name="stacked_dcgan",
        summary="Stacked MNIST with the small networks and settings of Metz et al. 2017, D a "
        "quarter of G: the plain GAN, which collapses",
        generator=networks.stacked_generator,
        discriminator=networks.stacked_discriminator,
        g_learning_rate=1e-4,
        d_learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.99,
        batch_size=128,
        steps=4_000,
        gpu_steps=100_000,
        image_shape=networks.MNIST_SHAPE,
        stack=3,
    ),
    GANRecipe(
        name="stacked_small",
        summary="the same networks, D without batch normalisation and with packs of 4: "
        "relativistic loss, R1 and R2, averaged weights",
        generator=networks.stacked_generator,
        discriminator=packed(partial(networks.stacked_discriminator, batch_norm=False), 4),
        loss="relativistic",
        penalties={"r1": 0.1, "r2": 0.1},
        penalty_every=16,
        ema=0.999,
        batch_size=64,
        g_learning_rate=1e-3,
        d_learning_rate=4e-3,
        beta_1=0.0,
        beta_2=0.99,
        steps=4_000,
        gpu_steps=100_000,
        image_shape=networks.MNIST_SHAPE,
        stack=3,
    ),
    VAERecipe(
        name="vae",
        summary="no GAN: a variational autoencoder of the size of fast, to compare with",
        encoder=partial(networks.mlp_encoder, 16, variational=True),
        generator=partial(networks.mlp_generator, 16, widths=(256, 512)),
        batch_size=64,
        steps=30_000,
        gpu_steps=100_000,
        learning_rate=2e-3,
        schedule=linear_decay(),
        centred=True,
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""The recipes by name."""


def get(recipe: str | Recipe) -> Any:
    """The recipe of a name, a key of ``RECIPES``; a recipe of your own is returned as it is."""
    if isinstance(recipe, Recipe):
        return recipe
    return _check.one_of(recipe, "recipe", RECIPES)
