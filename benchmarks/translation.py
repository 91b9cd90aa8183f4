"""Measurements behind the chapter on image translation.

Four experiments, each for three seeds.

- "strokes", with pairs: 8,000 thin strokes and their digits. One network with the absolute error
  alone (weight 0) and with an adversarial loss; beside it a filter and a linear regression.
- "letters", without pairs: 8,000 upright digits and 8,000 others, bold and italic. A CycleGAN, the
  same without the cycle term, and with dense generators; beside them doing nothing, matching each
  pixel's mean and deviation, the linear transport, slant and weight measured in each set, and, as
  the upper bound, one network for each way trained on pairs. All are measured on
  1,000 test digits both ways; the other 9,000 are the reference of the Frechet distance.
- "pens": the same task, for slant and weight with another pen than the one that made the letters.
- "painting", without pairs: tiles of four photographs, and painted tiles of the same four that the
  first set does not have. A CycleGAN, and the same without the cycle term; beside them doing
  nothing, the linear transport of colours, and the network trained on pairs. All are measured on a
  fifth photograph.

Even seeds take the first 16,000 training digits, odd ones the next.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from lib.recording import main, timed

from gantut import judge, load_mnist, metrics
from gantut.applications import image_to_image, restoration, rivals, translation

IMAGES, TESTS = 8_000, 1_000
WEIGHTS = (0.0, 0.03, 0.1)
NOISE = 0.05

Row = dict[str, Any]


def digits(seed: int) -> tuple[Any, Any, Any]:
    """Training images of a seed, test images and their labels."""
    data = load_mnist()
    first = 2 * IMAGES * (seed % 2)
    return data.x_train[first : first + 2 * IMAGES], data.x_test, data.y_test


def strokes(seed: int) -> Iterator[Row]:
    """Thin strokes to digits, with pairs."""
    images, x_test, labels = digits(seed)
    images, targets, labels = images[:IMAGES], x_test[:TESTS], labels[:TESTS]
    reference = judge.features(x_test[TESTS:])
    sources, thin = translation.thin_strokes(images), translation.thin_strokes(targets)

    def measure(method: str, made: Any, cpu: float = 0.0, **more: Any) -> Row:
        found = restoration.measure(made, targets, labels, reference)
        return {"method": method, **found._asdict(), "cpu_seconds": cpu, **more}

    yield measure("thin strokes", thin)
    for method, fit in (
        ("filter", lambda: restoration.levelled(
            translation.thicken, translation.THICKNESSES, sources[:200], images[:200]
        )),
        ("linear regression", lambda: rivals.linear_regression(sources, images)),
    ):  # fmt: skip
        made, cpu = timed(fit)
        yield measure(method, made(thin), cpu)
    for weight in WEIGHTS:
        run = image_to_image.train(
            sources, images, "restyler", adversarial_weight=weight, seed=seed
        )
        yield measure("network", run.gan.translate(thin), run.cpu_seconds, weight=weight)


def letter_task(seed: int) -> tuple[Any, Any, Any, Any, Callable[..., Iterator[Row]]]:
    """The upright images, the two sets, the test digits of both ways, and the measure."""
    images, x_test, labels = digits(seed)
    images, x_test = translation.upright(images), translation.upright(x_test)
    a, b = images[:IMAGES], translation.bold_italic(images[IMAGES:])
    bold = translation.bold_italic(x_test)
    kinds = {"to bold": (x_test[:TESTS], bold[:TESTS]), "back": (bold[:TESTS], x_test[:TESTS])}
    reference = {
        "to bold": judge.features(bold[TESTS:]),
        "back": judge.features(x_test[TESTS:]),
    }

    def measure(method: str, ways: Any, cpu: float = 0.0, **more: Any) -> Iterator[Row]:
        for (way, (source, target)), translate in zip(kinds.items(), ways, strict=True):
            made = translate(source)
            found = restoration.measure(made, target, labels[:TESTS], reference[way])
            error = float(np.abs(made - target).mean())
            yield {
                "method": method,
                "way": way,
                **found._asdict(),
                "l1": error,
                "cpu_seconds": cpu,
                **more,
            }

    return images, a, b, kinds, measure


def letters(seed: int) -> Iterator[Row]:
    """Upright digits to bold italic ones and back, without pairs."""
    images, a, b, kinds, measure = letter_task(seed)
    yield from measure("nothing", [np.copy, np.copy])
    if seed == 0:
        truth = iter([kinds["to bold"][1], kinds["back"][1]])
        # Their signal-to-noise ratio is infinite, which JSON cannot hold.
        yield from ({**row, "psnr": None} for row in measure("truth", [lambda _: next(truth)] * 2))
    for method, fit in (
        ("each pixel", rivals.match_pixels),
        ("transport", rivals.gaussian_transport),
        ("slant and weight", partial(translation.slant_and_weight, pen="cross")),
    ):
        ways, cpu = timed(lambda fit=fit: [fit(a, b), fit(b, a)])
        yield from measure(method, ways, cpu)
    for method, settings in {
        "CycleGAN": {},
        "without the cycle": {"cycle_weight": 0.0},
        "dense": {"generator": partial(image_to_image.redrawer, widths=(256,))},
    }.items():
        run = translation.train(a, b, "letters", seed=seed, **settings)
        gan, (upright, bolded) = run.gan, kinds["to bold"]
        more = hidden(gan.translate_back, gan.translate(upright), bolded, upright, seed)
        more["steps"] = translation.recipe("letters", **settings).steps
        yield from measure(method, [gan.translate, gan.translate_back], run.cpu_seconds, **more)
    pairs = [(images[:IMAGES], translation.bold_italic(images[:IMAGES]))]
    pairs.append(pairs[0][::-1])
    runs = [
        image_to_image.train(*pair, "restyler", adversarial_weight=0.0, seed=seed) for pair in pairs
    ]
    cpu = sum(run.cpu_seconds for run in runs)
    yield from measure("with pairs", [run.gan.translate for run in runs], cpu)


def pens(seed: int) -> Iterator[Row]:
    """Slant and weight, without being told what made the letters bold."""
    _, a, b, _, measure = letter_task(seed)
    ways, cpu = timed(lambda: [translation.slant_and_weight(*x) for x in ((a, b), (b, a))])
    yield from measure("slant and weight, another pen", ways, cpu)


def hidden(back: Callable[[Any], Any], own: Any, true: Any, source: Any, seed: int) -> Row:
    """The way back's mean absolute error, from images as they are and with a little noise."""
    rng, found = np.random.default_rng(seed), {}
    for name, images in (("own", own), ("true", true)):
        noisy = np.clip(images + NOISE * rng.standard_normal(images.shape), -1, 1)
        for suffix, given in (("", images), ("_noisy", noisy.astype(np.float32))):
            found[f"back_from_{name}{suffix}"] = float(np.abs(back(given) - source).mean())
    return found


def painting(seed: int) -> Iterator[Row]:
    """Tiles of photographs to painted ones, without pairs."""
    a, b, pairs = translation.painting_sets()
    photo, target = translation.last_photograph()

    def measure(method: str, made: Any, cpu: float = 0.0, **more: Any) -> Row:
        return {
            "method": method,
            "psnr": float(metrics.psnr(made, target).mean()),
            "ssim": float(metrics.ssim(made, target).mean()),
            "texture": translation.texture_distance(made, target),
            "sharpness": metrics.sharpness(made) / metrics.sharpness(target),
            "cpu_seconds": cpu,
            **more,
        }

    yield measure("nothing", photo)
    transport, cpu = timed(lambda: rivals.gaussian_transport(a, b, by_pixel=True))
    yield measure("transport", transport(photo), cpu)
    for method, settings in {
        "CycleGAN": {},
        "without the cycle": {"cycle_weight": 0.0},
    }.items():
        run = translation.train(a, b, "painting", seed=seed, **settings)
        to_b, to_a = run.gan.at_size(photo.shape[1:])
        made = image_to_image.translate(to_b, photo)
        back = partial(image_to_image.translate, to_a)
        more = hidden(back, made, target, photo, seed)
        more["steps"] = translation.recipe("painting", **settings).steps
        yield measure(method, made, run.cpu_seconds, **more)
    run = image_to_image.train(
        *pairs,
        "restyler",
        generator=translation.recipe("painting").generator,
        adversarial_weight=0.0,
        seed=seed,
    )
    network = image_to_image.resized(run.gan.ema_generator, photo.shape[1:])
    yield measure("with pairs", image_to_image.translate(network, photo), run.cpu_seconds)


if __name__ == "__main__":
    main(
        __doc__,
        {"strokes": strokes, "letters": letters, "pens": pens, "painting": painting},
        {"seed": (0, 1, 2)},
        images=IMAGES,
        tests=TESTS,
        noise=NOISE,
    )
