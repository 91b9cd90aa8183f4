"""Measurements behind the chapter on restoration.

- "restoration": for each of three seeds one network learns to mend four kinds of damage from 24,000
  pairs: 600 steps with the absolute error alone ("start"), and from there 500 more steps, with the
  absolute error alone (weight 0) or with an adversarial loss of several weights. The filters and
  the linear regression of `gantut.applications.restoration.rivals` see the same images.
- "squared": the same network with the squared error alone, for the 600 steps and the 500.
- "neighbours": the nearest of the same training images, and the mean of as many as are best for
  the damage on 400 digits that neither train nor test anything.

All are measured on 1,000 test images; the other 9,000 are the real digits of the Frechet distance.
Even seeds take the first 24,000 training images, odd ones the next.
"""

from collections.abc import Callable, Iterator
from typing import Any

from lib.recording import main, timed

from gantut import judge, load_mnist, metrics
from gantut.applications import image_to_image, restoration

PAIRS, TESTS, CHOOSING = 24_000, 1_000, 400
WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
START_STEPS, STEPS = 600, 500
NEIGHBOURS = (1, 2, 5, 10, 20, 40)

Row = dict[str, Any]


def task(seed: int) -> tuple[Any, Any, dict[str, Any], Callable[[str, str, Any], Row]]:
    """Images to learn from, those to be measured on, these damaged, and the measure."""
    data = load_mnist()
    targets, labels = data.x_test[:TESTS], data.y_test[:TESTS]
    reference = judge.features(data.x_test[TESTS:])
    sources = {name: damage(targets, seed) for name, damage in restoration.DAMAGES.items()}

    def measure(damage: str, method: str, restored: Any) -> Row:
        found = restoration.measure(restored, targets, labels, reference)
        return {"damage": damage, "method": method, **found._asdict()}

    images = data.x_train[PAIRS * (seed % 2) : PAIRS * (seed % 2 + 1)]
    return images, targets, sources, measure


def rows(seed: int) -> Iterator[Row]:
    """The damaged and the real images, the rivals, and the networks."""
    images, targets, sources, measure = task(seed)
    if seed == 0:
        # Their signal-to-noise ratio is infinite, which JSON cannot hold.
        yield measure("none", "real images", targets) | {"psnr": None}
    for name, source in sources.items():
        yield measure(name, "damaged", source)
        for method, restore in restoration.rivals(name, images, seed).items():
            restored, cpu = timed(restore, source)
            yield measure(name, method, restored) | {"cpu_seconds": cpu}
    yield from networks("network", seed, WEIGHTS)


def networks(method: str, seed: int, weights: tuple[float, ...], **settings: Any) -> Iterator[Row]:
    """The networks of several adversarial weights, all from one start."""
    images, _, sources, measure = task(seed)
    pairs = restoration.damaged_mixture(images, seed), images
    settings |= {"seed": seed}
    start = image_to_image.train(*pairs, adversarial_weight=0.0, steps=START_STEPS, **settings)
    for weight in weights:
        run = image_to_image.train(
            *pairs, adversarial_weight=weight, steps=STEPS, start=start.gan, **settings
        )
        for name, source in sources.items():
            yield measure(name, method, run.gan.translate(source)) | {
                "weight": weight,
                "cpu_seconds": run.cpu_seconds,
                "start_cpu_seconds": start.cpu_seconds,
            }


def squared(seed: int) -> Iterator[Row]:
    """The network with the squared error."""
    yield from networks("L2 alone", seed, (0.0,), error="squared")


def neighbours(seed: int) -> Iterator[Row]:
    """Training images in the place of restored ones."""
    images, _, sources, measure = task(seed)
    others = load_mnist().x_train[-CHOOSING:]
    for name, source in sources.items():
        damaged = restoration.DAMAGES[name](others, seed)
        recall = restoration.neighbours(name, images)
        k = max(NEIGHBOURS, key=lambda k: metrics.psnr(recall(damaged, k), others).mean())
        for method, count in (("nearest image", 1), ("mean of neighbours", k)):
            restored, cpu = timed(recall, source, count)
            yield measure(name, method, restored) | {"neighbours": count, "cpu_seconds": cpu}


if __name__ == "__main__":
    settings = {"pairs": PAIRS, "tests": TESTS, "start_steps": START_STEPS, "steps": STEPS}
    experiments = {"restoration": rows, "squared": squared, "neighbours": neighbours}
    main(__doc__, experiments, {"seed": (0, 1, 2)}, **settings)
