"""Measurements behind the chapter on restoration.

For each of three seeds one network learns to mend four kinds of damage from 24,000 pairs: 600
steps with the absolute error alone ("start"), and from there 500 more steps, with the absolute
error alone (weight 0) or with an adversarial loss of several weights. The filters and the linear
regression of `gantut.applications.restoration.rivals` see the same images. All are measured on
1,000 test images; the other 9,000 are the real digits of the Frechet distance. Even seeds take the
first 24,000 training images, odd ones the next.
"""

from collections.abc import Iterator
from typing import Any

from lib.recording import main, timed

from gantut import judge, load_mnist
from gantut.applications import image_to_image, restoration

PAIRS, TESTS = 24_000, 1_000
WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
START_STEPS, STEPS = 600, 500


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """The damaged and the real images, the rivals, and the networks."""
    data = load_mnist()
    targets, labels = data.x_test[:TESTS], data.y_test[:TESTS]
    reference = judge.features(data.x_test[TESTS:])
    images = data.x_train[PAIRS * (seed % 2) : PAIRS * (seed % 2 + 1)]
    sources = {name: damage(targets, seed) for name, damage in restoration.DAMAGES.items()}

    def measure(name: str, method: str, restored: Any) -> dict[str, Any]:
        found = restoration.measure(restored, targets, labels, reference)
        return {"damage": name, "method": method, **found._asdict()}

    if seed == 0:
        # Their signal-to-noise ratio is infinite, which JSON cannot hold.
        yield measure("none", "real images", targets) | {"psnr": None}
    for name, source in sources.items():
        yield measure(name, "damaged", source)
        for method, restore in restoration.rivals(name, images, seed).items():
            restored, cpu = timed(restore, source)
            yield measure(name, method, restored) | {"cpu_seconds": cpu}
    pairs = restoration.damaged_mixture(images, seed), images
    start = image_to_image.train(*pairs, adversarial_weight=0.0, steps=START_STEPS, seed=seed)
    for weight in WEIGHTS:
        run = image_to_image.train(
            *pairs, adversarial_weight=weight, steps=STEPS, start=start.gan, seed=seed
        )
        for name, source in sources.items():
            yield measure(name, "network", run.gan.translate(source)) | {
                "weight": weight,
                "cpu_seconds": run.cpu_seconds,
                "start_cpu_seconds": start.cpu_seconds,
            }


if __name__ == "__main__":
    settings = {"pairs": PAIRS, "tests": TESTS, "start_steps": START_STEPS, "steps": STEPS}
    main(__doc__, {"restoration": rows}, {"seed": (0, 1, 2)}, **settings)
