"""Measurements behind the chapter "GANs, flows and one step", on MNIST.

All seconds are CPU seconds of one thread. Training counts in full, with tracing; judging does not.
Each method is judged by 5,000 samples under both judges, with floors of as many training images,
and by the time that a sample takes. The settings were chosen with seed 7, and those of the mean
flow after a training with seed 0 too.

- ``pixels``: flow matching in pixels after 30 and 60 s of training; the last one with 1 to 32 steps
  of Euler and 1 to 8 of Heun, by 2,000 samples each. It then teaches one-pass students: by
  regression on pairs, and by an adversarial loss after that.
- ``fast``: the GAN after as many seconds.
- ``mean``: a mean flow, of which one step makes a sample, after as many seconds.
- ``latent``: autoencoders of equal bits, with and without a patch critic, and a flow of each one's
  codes.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from lib.marks import Marks
from lib.recording import main, timed

from gantut import evaluate, judge, load_mnist, metrics, recipes
from gantut.applications import flows
from gantut.evaluation import frechet_floor, quick_frechet

MARKS = (30.0, 60.0)
STUDENT = 20.0
PAIRS = 5_000
HALF = 30.0  # an autoencoder, and as long the flow of its codes
STEPS = 16  # Euler steps where nothing else is said
EULER, HEUN = (1, 2, 4, 8, 16, 32), (1, 2, 4, 8)
N = 5_000
FEW = 2_000  # samples for each number of steps, and in the chapter's own run
FOREVER = 1e6  # seconds, before which the marks end a training

Rows = Iterator[dict[str, Any]]
Draw = Callable[[int], Any]


def judged(draw: Draw, n: int | None = None) -> dict[str, Any]:
    """What samples are worth, and what one costs."""
    n = n or N
    draw(500)  # is traced
    images, seconds = timed(draw, n)
    row = {"ms": 1e3 * seconds / n, "samples": n}
    for name, key in zip(judge.JUDGES, ("ratio", "second_ratio"), strict=True):
        distance = quick_frechet(images, judged_by=name)
        row[key] = distance / frechet_floor(n, judged_by=name)
    if n < N:
        return row
    found = evaluate(images).to_dict()
    row["few_ratio"] = quick_frechet(images[:FEW]) / frechet_floor(FEW)
    names = ("confident", "precision", "recall", "density", "coverage", "class_shares")
    return row | {name: found[name] for name in names}


def drawn(model: Any, **how: Any) -> Draw:
    """The samples of a model, from one seed."""
    return lambda n: model.sample(n, seed=1, **how)


def trained(
    marks: tuple[float, ...], judge_model: Callable[[Any], Any], train: Callable[..., Any]
) -> tuple[Any, list[dict[str, Any]]]:
    """A training that its last mark ends, and a row for each mark."""
    callback = Marks(marks, judge_model, of="cpu_seconds")
    run = train(seconds=FOREVER, callbacks=[callback])
    rows = [{"budget": m, **row} for m, row in zip(marks, callback.rows, strict=True)]
    return run.gan, rows


def pixels(seed: int) -> Rows:
    """The flow, its sampling, and its students."""
    x = load_mnist().x_train

    def look(flow: flows.Flow) -> dict[str, Any]:
        return {**judged(drawn(flow, steps=STEPS, method="euler")), "steps": STEPS}

    flow, rows = trained(MARKS, look, lambda **length: flows.train(x, seed=seed, **length))
    for row in rows:
        yield {"method": "flow", **row}
    for method, counts in (("euler", EULER), ("heun", HEUN)):
        for steps in counts:
            found = judged(drawn(flow, steps=steps, method=method), FEW)
            yield {"method": f"flow, {method}", "budget": MARKS[-1], "steps": steps, **found}
    yield from students(flow, x, seed)


def students(flow: flows.Flow, x: Any, seed: int) -> Rows:
    """One-pass students of the flow."""

    def look(model: Any) -> dict[str, Any]:
        return judged(drawn(model))

    pairs, seconds = timed(flows.make_pairs, flow, PAIRS, seed, steps=16, method="euler")
    spent = {"teacher_seconds": MARKS[-1], "pair_seconds": seconds}

    def distil(**length: Any) -> Any:
        return flows.distil(flow, pairs, seed=seed, **length)

    student, rows = trained((STUDENT,), look, distil)
    yield {"method": "regression", **spent, **rows[0]}
    recipe = flows.adversarial_recipe(student.generator)

    def train(**length: Any) -> Any:
        return recipes.train(recipe, x, seed=seed, **length)

    _, rows = trained((STUDENT,), look, train)
    yield {"method": "regression, then adversarial", **spent, "student_seconds": STUDENT, **rows[0]}


def fast(seed: int) -> Rows:
    """The GAN."""
    x = load_mnist().x_train
    _, rows = trained(
        MARKS,
        lambda gan: judged(drawn(gan)),
        lambda **length: recipes.train("fast", x, seed=seed, **length),
    )
    for row in rows:
        yield {"method": "fast", **row, "steps": 1}


def mean(seed: int) -> Rows:
    """A flow of one step without a teacher."""
    x = load_mnist().x_train
    _, rows = trained(
        MARKS, lambda flow: judged(drawn(flow)), partial(flows.train_mean, x, seed=seed)
    )
    for row in rows:
        yield {"method": "mean flow", **row, "steps": 1}


def reconstructed(model: flows.Autoencoder) -> dict[str, Any]:
    """How an autoencoder draws the images that the floor is of, and whether digits are read."""
    data = load_mnist()
    real = data.x_train[judge.order(len(data.x_train))[:N]]
    made = model.decode(model.encode(real))
    first, second = (evaluate(made, judged_by=name).to_dict() for name in judge.JUDGES)
    tested = model.decode(model.encode(data.x_test))
    right = judge.probabilities(tested).argmax(axis=1) == data.y_test
    return {
        "bits": model.bits,
        "ratio": first["frechet_distance"] / first["frechet_floor"],
        "second_ratio": second["frechet_distance"] / second["frechet_floor"],
        "psnr": float(np.mean(metrics.psnr(data.x_test, tested))),
        "sharpness": sharpness(tested) / sharpness(data.x_test),
        "legible": float(right.mean()),
    }


def sharpness(images: Any) -> float:
    """The mean absolute difference between neighbouring pixels."""
    return float(sum(np.mean(np.abs(np.diff(images, axis=axis))) for axis in (1, 2)))


def latent(seed: int) -> Rows:
    """Autoencoders, and flows of their codes."""
    x = load_mnist().x_train
    for name, weight in (("pixel loss", 0.0), ("pixel loss and critic", 0.3)):
        model, rows = trained(
            (HALF,),
            reconstructed,
            partial(flows.train_autoencoder, x, weight=weight, seed=seed),
        )
        yield {"method": f"autoencoder, {name}", **rows[0]}
        codes = model.encode(x)

        def look(flow: flows.Flow, model: Any = model) -> dict[str, Any]:
            draw = drawn(flow, steps=STEPS, method="euler")
            return {**judged(lambda n: model.decode(draw(n))), "steps": STEPS}

        _, rows = trained(
            (HALF,), look, lambda codes=codes, **length: flows.train(codes, seed=seed, **length)
        )
        yield {"method": f"latent flow, {name}", "autoencoder_seconds": HALF, **rows[0]}


if __name__ == "__main__":
    main(
        __doc__,
        {"pixels": pixels, "fast": fast, "mean": mean, "latent": latent},
        {"seed": (0, 1, 2)},
        samples=N,
    )
