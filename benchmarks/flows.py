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
- ``long_flow``, ``long_fast``: both for two and for ten times the steps that a minute allowed on
  the average of the seeds; at last the flow with 4, 16 and 64 evaluations of its network.
- ``vae``: a variational autoencoder after as many CPU seconds as ``fast`` in a minute and in two,
  each a training of its own, since its rate depends on the length.
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
from gantut.vae import binarise

MARKS = (30.0, 60.0)
STUDENT = 20.0
PAIRS = 5_000
HALF = 30.0  # an autoencoder, and as long the flow of its codes
STEPS = 16  # Euler steps where nothing else is said
EULER, HEUN = (1, 2, 4, 8, 16, 32), (1, 2, 4, 8)
N = 5_000
FEW = 2_000  # samples for each number of steps, and in the chapter's own run
MINUTE = {"flow": 2_208, "fast": 8_768, "vae": 17_536}  # steps
LONG = (2, 10)  # minutes
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


def judged_flow(flow: flows.Flow) -> dict[str, Any]:
    """What the flow's samples of `STEPS` steps are worth."""
    return {**judged(drawn(flow, steps=STEPS, method="euler")), "steps": STEPS}


def trained(
    marks: tuple[float, ...],
    judge_model: Callable[[Any], Any],
    train: Callable[..., Any],
    of: str = "cpu_seconds",
) -> tuple[Any, list[dict[str, Any]]]:
    """A training that its last mark ends, and a row for each mark."""
    callback = Marks(marks, judge_model, of=of)
    run = train(seconds=FOREVER, callbacks=[callback])
    rows = [{"budget": m, **row} for m, row in zip(marks, callback.rows, strict=True)]
    return run.gan, rows


def pixels(seed: int) -> Rows:
    """The flow, its sampling, and its students."""
    x = load_mnist().x_train

    flow, rows = trained(MARKS, judged_flow, partial(flows.train, x, seed=seed))
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


def longer(method: str, judge_model: Callable[[Any], Any], train: Callable[..., Any]) -> Any:
    """A training of minutes, counted in steps, and a row for each mark."""
    marks = tuple(float(minutes * MINUTE[method]) for minutes in LONG)
    model, rows = trained(marks, judge_model, train, of="step")
    for row, minutes in zip(rows, LONG, strict=True):
        row |= {"method": method, "budget": 60.0 * minutes}
    return model, rows


def long_flow(seed: int) -> Rows:
    """The flow, for minutes."""
    x = load_mnist().x_train

    flow, rows = longer("flow", judged_flow, partial(flows.train, x, seed=seed))
    yield from rows
    for method, counts in (("euler", (4, 16, 64)), ("heun", (2, 8, 32))):
        for steps in counts:
            found = judged(drawn(flow, steps=steps, method=method), FEW)
            yield {"method": f"flow, {method}", "budget": 60.0 * LONG[-1], "steps": steps, **found}


def long_fast(seed: int) -> Rows:
    """The GAN, for minutes."""
    train = partial(recipes.train, "fast", load_mnist().x_train, seed=seed)
    _, rows = longer("fast", lambda gan: judged(drawn(gan)), train)
    yield from ({**row, "steps": 1} for row in rows)


def vae(seed: int) -> Rows:
    """The variational autoencoder, with its estimate of the likelihood."""
    data = load_mnist()
    test = binarise(data.x_test[judge.order(len(data.x_test))[:FEW]])
    for minutes in (1, 2):
        steps = minutes * MINUTE["vae"]
        run, spent = timed(recipes.train, "vae", data.x_train, steps=steps, seed=seed)
        yield {
            "method": "vae",
            "budget": 60.0 * minutes,
            "step": steps,
            "cpu_seconds": spent,
            **judged(drawn(run.gan)),
            "steps": 1,
            "likelihood": float(np.mean(run.gan.log_likelihood(test))),
        }


if __name__ == "__main__":
    main(
        __doc__,
        {
            "pixels": pixels,
            "fast": fast,
            "mean": mean,
            "latent": latent,
            "long_flow": long_flow,
            "long_fast": long_fast,
            "vae": vae,
        },
        {"seed": (0, 1, 2)},
        samples=N,
    )
