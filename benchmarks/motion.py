"""Measurements behind the chapter on sound and motion: the clips.

A seed fixes the clips, the training and the samples. Two GANs learn from 8,000 clips for 600 steps
each: one draws all frames at once, the other has a part of its latent vector for the motion. They
and three rivals make 1,000 clips: digits of the generator ``fast`` that ships with the package,
moved by the rule of the data; the same digits without motion; and a normal distribution of clips.
All seconds are of the CPU, and of what is trained or fitted here; what ``fast`` took before is in
benchmarks/results/quality.json, in seconds of the same kind.
"""

from collections.abc import Iterator
from typing import Any

from lib.recording import main, timed

from gantut import load_mnist, pretrained, sampling
from gantut.applications import motion

CLIPS, STEPS = 1_000, 600


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Real clips, rivals and GANs."""
    digits = load_mnist()
    # Each seed has its own digits to learn from.
    shown = digits.x_train[8_000 * seed : 8_000 * (seed + 1)]
    data = motion.clips(shown, seed)
    drawn = sampling.sample(pretrained.load("fast"), 8 * CLIPS, seed=seed)

    def row(name: str, frames: Any, cpu: float = 0.0) -> dict[str, Any]:
        return {"method": name, "cpu_seconds": cpu, **motion.measure(frames)._asdict()}

    yield row("real", motion.clips(digits.x_test[:CLIPS], 1_000 + seed).frames)
    yield row("digits of fast, moved", motion.clips(drawn[:CLIPS], 2_000 + seed).frames)
    yield row("digits of fast, no motion", motion.still_frames(drawn, seed))
    yield row("normal clips", *timed(motion.normal_clips, data.frames, CLIPS, seed))
    for method in ("split", "plain"):
        run = motion.train(data.frames, method, steps=STEPS, seed=seed)
        yield row(method, run.gan.sample(CLIPS, seed=seed), run.cpu_seconds)


if __name__ == "__main__":
    main(__doc__, {"motion": rows}, {"seed": (0, 1, 2)}, clips=CLIPS, steps=STEPS)
