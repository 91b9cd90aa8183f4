"""How seldom may a gradient penalty be added, where the data has many modes?

R1 and R2 on every k-th step, k times as strong (``penalty_every``); ``every`` 0 is no penalty at
all. Three kinds of data: the 25 modes of the grid in the plane (method ``steady`` of
`gantut.toys`), Stacked MNIST's 1,000 with the recipe ``stacked``, and with the networks of Metz et
al. 2017 ("small": ``stacked_small`` without its packs). 2,500 points and 25,600 images are judged,
as in benchmarks/toys.py and benchmarks/stacked.py. ``cpu_seconds`` are the training's up to there,
without the judging.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lib.marks import Marks, row
from lib.recording import main
from lib.variants import STACKED_SAMPLES, unpacked

from gantut import data, evaluation, recipes, toys

GRID_STEPS = 6_000
EVERY = (1, 4, 16, 64, 256, 0)


def thrifty(settings: Any, every: int) -> Any:
    """The recipe or method with its penalties on every k-th step; without them if k is 0."""
    return replace(settings, penalty_every=every) if every else replace(settings, penalties={})


def on_grid(every: int, seed: int) -> list[dict[str, Any]]:
    """The row of a training in the plane."""
    mixture = data.grid_mixture()
    run = toys.train(thrifty(toys.get("steady"), every), mixture, seed=seed, steps=GRID_STEPS)
    (found,) = run.coverage()
    return [row(GRID_STEPS, run.cpu_seconds, {"modes": found.modes, "kl": found.reverse_kl})]


def triples(gan: Any) -> dict[str, Any]:
    """How many of the 1,000 there are, and how evenly."""
    found = evaluation.stacked_modes(gan.sample(STACKED_SAMPLES, seed=1))
    return {"modes": found.modes, "kl": found.kl}


def on_stacked(
    recipe: recipes.GANRecipe, marks: Sequence[int], every: int, seed: int
) -> list[dict[str, Any]]:
    """The rows of a training on Stacked MNIST, one for each mark."""
    camera = Marks(marks, triples)
    images = data.load_mnist().x_train
    recipes.train(thrifty(recipe, every), images, steps=marks[-1], seed=seed, callbacks=[camera])
    return camera.rows


EXPERIMENTS = {
    "grid": on_grid,
    "stacked": partial(on_stacked, recipes.get("stacked"), (512, 1_504)),
    "small": partial(on_stacked, unpacked(), (512, 1_024, 2_048)),
}


if __name__ == "__main__":
    main(__doc__, EXPERIMENTS, {"every": EVERY, "seed": (0, 1, 2)})
