"""Measurements behind the chapter on sound and motion: the clips.

A seed fixes the clips, the training and the samples. Two GANs learn from 8,000 clips for 600 steps
each: one draws all frames at once, the other has a part of its latent vector for the motion. They
and three rivals make 1,000 clips: digits of the generator ``fast`` that ships with the package,
moved by the rule of the data; the same digits without motion; and a normal distribution of clips.
``critics`` trains the second GAN with another critic beside its own, for single frames. A step of
it has nine hundredths more multiply-adds, hence 550 steps. ``long`` trains both for about the
seconds in which ``fast``, whose digits a rival moves, was trained; its row "a tenth of fast" times
2,400 of those 24,000 steps beside them.
All seconds are of the CPU, and of what is trained or fitted here; what ``fast`` took before is in
benchmarks/results/quality.json, in seconds of the same kind.
"""

from collections.abc import Iterator
from typing import Any

from lib.recording import main, timed

from gantut import load_mnist, pretrained, recipes, sampling
from gantut.applications import motion

CLIPS, STEPS, STEPS_OF_TWO = 1_000, 600, 550
LONG = {"split": 5_000, "two critics": 4_580}


def learned_from(seed: int) -> motion.Clips:
    """The clips of a seed, which has its own digits."""
    return motion.clips(load_mnist().x_train[8_000 * seed : 8_000 * (seed + 1)], seed)


def row(name: str, frames: Any, cpu: float = 0.0) -> dict[str, Any]:
    """What clips measure."""
    return {"method": name, "cpu_seconds": cpu, **motion.measure(frames)._asdict()}


def trained(method: str, frames: Any, steps: int, seed: int) -> dict[str, Any]:
    """The row of a GAN."""
    run = motion.train(frames, method, steps=steps, seed=seed)
    return {**row(method, run.gan.sample(CLIPS, seed=seed), run.cpu_seconds), "steps": steps}


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Real clips, rivals and GANs."""
    digits, data = load_mnist(), learned_from(seed)
    drawn = sampling.sample(pretrained.load("fast"), 8 * CLIPS, seed=seed)
    yield row("real", motion.clips(digits.x_test[:CLIPS], 1_000 + seed).frames)
    yield row("digits of fast, moved", motion.clips(drawn[:CLIPS], 2_000 + seed).frames)
    yield row("digits of fast, no motion", motion.still_frames(drawn, seed))
    yield row("normal clips", *timed(motion.normal_clips, data.frames, CLIPS, seed))
    for method in ("split", "plain"):
        yield trained(method, data.frames, STEPS, seed)


def critics_rows(seed: int) -> Iterator[dict[str, Any]]:
    """The GAN with two critics."""
    yield trained("two critics", learned_from(seed).frames, STEPS_OF_TWO, seed)


def long_rows(seed: int) -> Iterator[dict[str, Any]]:
    """The same GANs, trained as long as the rival's generator."""
    _, seconds = timed(recipes.train, "fast", load_mnist().x_train, seed=seed, steps=2_400)
    yield {"method": "a tenth of fast", "cpu_seconds": seconds, "steps": 2_400}
    for method, steps in LONG.items():
        found = trained(method, learned_from(seed).frames, steps, seed)
        yield {**found, "method": f"{method}, longer"}


if __name__ == "__main__":
    experiments = {"motion": rows, "critics": critics_rows, "long": long_rows}
    main(__doc__, experiments, {"seed": (0, 1, 2)}, clips=CLIPS, steps=STEPS)
