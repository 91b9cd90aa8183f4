"""Measurements behind the chapter "Your own images".

The recipes are unchanged, and none was chosen on these images. Each training runs on one thread and
is judged after 30 and 60 CPU seconds by `gantut.evaluate` on the training set's labels: the samples
are compared with a third of the images by a classifier that learned another third, and the last
gives the floor. ``second_ratio`` is the distance in floors by random convolutions, which learn
nothing. Neither took part in a choice.

- ``fashion``: Fashion-MNIST, by ``fast`` and ``clustered_fast``.
- ``shapes``: 6,000 coloured discs, squares and triangles of 32 x 32 pixels, as in the chapter, by
  ``fast`` and the convolutional ``dcgan``.
- ``long_fashion``, ``long_shapes``: twice the steps that a minute allowed on the average of the
  seeds.
- ``gamma``: the shapes at three resolutions, by ``conditional_fast`` with three strengths of both
  gradient penalties, as many steps each.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from lib.marks import Marks
from lib.recording import main
from PIL import Image, ImageDraw

from gantut import evaluate, load_fashion_mnist, recipes
from gantut.data import OwnImages
from gantut.evaluation import frechet_floor, quick_frechet

MARKS = (30.0, 60.0)
MINUTE = {  # steps
    ("fashion", "fast"): 8_752,
    ("fashion", "clustered_fast"): 14_560,
    ("shapes", "fast"): 2_992,
    ("shapes", "dcgan"): 1_824,
}
COUNT, SIDE = 6_000, 32
SIDES = (28, 44, 64)
GAMMAS = (0.01, 0.1, 1.0)
GAMMA_STEPS = 1_000
N = 2_000  # samples, as many as a third of the shapes
FOREVER = 1e6  # seconds, before which the marks end a training
KINDS = ("disc", "square", "triangle")

Rows = Iterator[dict[str, Any]]


def draw(kind: str, rng: np.random.Generator, side: int = 96) -> Image.Image:
    """A picture of one shape, of random size, place and colours, as the chapter draws it."""
    picture = Image.new("RGB", (side, side), tuple(rng.integers(0, 60, 3).tolist()))
    radius = rng.uniform(18, 30)
    x, y = rng.uniform(radius + 4, side - radius - 4, 2)
    color = tuple(rng.integers(120, 256, 3).tolist())
    left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
    pen = ImageDraw.Draw(picture)
    if kind == "disc":
        pen.ellipse((left, top, right, bottom), fill=color)
    elif kind == "square":
        pen.rectangle((left, top, right, bottom), fill=color)
    else:
        pen.polygon([(x, top), (right, bottom), (left, bottom)], fill=color)
    return picture


Data = tuple[OwnImages, OwnImages]  # with labels, and the same images without


@cache
def shapes(side: int = SIDE) -> Data:
    """The coloured shapes, scaled from 96 pixels as `gantut.data.read_images` does it."""
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % len(KINDS)
    size, how = (side, side), Image.Resampling.LANCZOS
    pictures = [np.asarray(draw(KINDS[k], rng).resize(size, how), np.float32) for k in labels]
    images = np.stack(pictures) / 127.5 - 1.0
    return OwnImages(images, labels, KINDS), OwnImages(images)


@cache
def clothes() -> Data:
    """The training images of Fashion-MNIST."""
    data = load_fashion_mnist()
    return OwnImages(data.x_train, data.y_train), OwnImages(data.x_train)


def judged(gan: Any, data: OwnImages, bare: OwnImages) -> dict[str, Any]:
    """What samples are worth, by features that took no part in a choice."""
    asked = {"labels": np.arange(N) % len(KINDS)} if gan.conditional else {}
    images = gan.sample(N, seed=1, **asked)
    found = evaluate(images, data=data)
    return {
        "ratio": found.frechet_ratio,
        "second_ratio": quick_frechet(images, data=bare) / frechet_floor(N, data=bare),
        **{
            name: getattr(found, name)
            for name in ("precision", "recall", "coverage", "confident", "judged_by")
        },
        "rarest_class": min(found.class_shares),
        "near": found.memorisation.share_close,
        "samples": found.samples,
    }


def trained(
    recipe: Any, data: Data, marks: tuple[float, ...], seed: int, of: str = "cpu_seconds"
) -> Rows:
    """A row for each mark of one training."""
    callback = Marks(marks, lambda gan: judged(gan, *data), of=of)
    recipes.train(recipe, data[0].images, seed=seed, seconds=FOREVER, callbacks=[callback])
    for mark, row in zip(marks, callback.rows, strict=True):
        yield {"budget": mark, **row}


def fashion(recipe: str, seed: int) -> Rows:
    """Fashion-MNIST."""
    return trained(recipe, clothes(), MARKS, seed)


def colours(recipe: str, seed: int) -> Rows:
    """Coloured shapes."""
    return trained(recipe, shapes(), MARKS, seed)


def longer(name: str, data: Data, recipe: str, seed: int) -> Rows:
    """A row after twice the steps of a minute."""
    steps = 2 * MINUTE[name, recipe]
    row = next(trained(recipe, data, (steps,), seed, of="step"))
    yield {**row, "budget": 120.0}


def long_fashion(recipe: str, seed: int) -> Rows:
    """Fashion-MNIST, longer."""
    return longer("fashion", clothes(), recipe, seed)


def long_shapes(recipe: str, seed: int) -> Rows:
    """Coloured shapes, longer."""
    return longer("shapes", shapes(), recipe, seed)


def gamma(recipe: str, seed: int) -> Rows:
    """The strength of the penalties by resolution."""
    for side in SIDES:
        data = shapes(side)
        for strength in GAMMAS:
            changed = replace(recipes.RECIPES[recipe], penalties={"r1": strength, "r2": strength})
            callback = Marks((GAMMA_STEPS,), lambda gan, data=data: judged(gan, *data))
            images, labels = data[0].images, data[0].labels
            train = {"steps": GAMMA_STEPS, "seed": seed, "callbacks": [callback]}
            recipes.train(changed, images, labels, **train)
            yield {"side": side, "gamma": strength, **callback.rows[0]}


if __name__ == "__main__":
    clothed, colored = ("fast", "clustered_fast"), ("fast", "dcgan")
    names = {"fashion": clothed, "shapes": colored, "gamma": ("conditional_fast",)}
    names |= {"long_fashion": clothed, "long_shapes": colored}
    main(
        __doc__,
        {
            "fashion": fashion,
            "shapes": colours,
            "long_fashion": long_fashion,
            "long_shapes": long_shapes,
            "gamma": gamma,
        },
        {"recipe": names, "seed": (0, 1, 2)},
        samples=N,
    )
