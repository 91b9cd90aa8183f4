"""Recipes: whole settings for training a GAN on small images, by name.

    from gantut import load_mnist, recipes

    run = recipes.train("fast", load_mnist().x_train)
    run.gan.sample(64)

A recipe's length is a number of steps, so that a seed fixes every bit of the result: the initial
weights, the order of the data, the latent vectors and dropout are drawn from it, and TensorFlow is
told to use deterministic operations. What that promises: the same seed, recipe, data, versions and
machine give identical weights. On a GPU the same holds for the same model of GPU with the same
drivers; an operation that has no deterministic version there raises an error. Another processor,
another number of cores or another version may round differently, and a GAN amplifies the
difference. A training that is limited by time stops at a step that depends on the machine's load,
so there a seed fixes the start only.

- ``recipe``: what a recipe is
- ``catalogue``: the recipes, as data
- ``training``: the training by a recipe
- ``batches``: the order of the data
- ``schedules``: learning rates over a training
- ``stabilise``: recipes with parts of `gantut.stabilisers`
"""

from gantut.recipes.batches import batches, take
from gantut.recipes.catalogue import RECIPES, get
from gantut.recipes.recipe import (
    GameSettings,
    GANRecipe,
    Recipe,
    VAERecipe,
    make_deterministic,
)
from gantut.recipes.schedules import Schedule, constant, cosine_decay, linear_decay
from gantut.recipes.stabilise import stabilise
from gantut.recipes.training import Run, count_steps, cpu_timed, has_gpu, run, train

__all__ = [
    "RECIPES",
    "GANRecipe",
    "GameSettings",
    "Recipe",
    "Run",
    "Schedule",
    "VAERecipe",
    "batches",
    "constant",
    "cosine_decay",
    "count_steps",
    "cpu_timed",
    "get",
    "has_gpu",
    "linear_decay",
    "make_deterministic",
    "run",
    "stabilise",
    "take",
    "train",
]
