"""The training film of book/play.md: the same latent vectors all through one training.

Trains the recipe ``conditional_fast`` on MNIST with seed 0, on one core; the generator that ships
under that name was trained by the same command line, without the camera. Writes

- benchmarks/results/film.json, with rows of two kinds. "frame": step, CPU seconds of the training
  up to there, the Frechet distance of 10,000 samples of the averaged generator, as a multiple of
  the floor, and how many of the frame's 50 pictures the judge reads as the digit asked for.
  "loss": the means of both losses over the steps since the row before;
- book/_static/play/film-data.js: the rows again, and each frame's images in one PNG of 16 greys.
"""

import base64
import functools
import io
import json
from typing import Any

import numpy as np
from lib.marks import Marks
from lib.recording import RESULTS, main
from PIL import Image

from gantut import evaluation, judge, load_mnist, recipes, sampling
from gantut._files import atomic_write

RECIPE, SEED, STEPS = "conditional_fast", 0, 6_000
CLASSES, LATENTS, SIDE = 10, 5, 28
SAMPLES = 10_000
LOSS_EVERY = 48
GREYS = 16
DATA = RESULTS.parents[1] / "book/_static/play/film-data.js"


def frame_steps() -> list[int]:
    """When to take a picture: at first every 16 steps, in the end every 512."""
    steps, step = [0], 0
    for spacing, until in ((16, 128), (32, 256), (64, 512), (128, 1024), (256, 2048), (512, STEPS)):
        while step + spacing <= until:
            step += spacing
            steps.append(step)
    return [*steps, STEPS]


def film_inputs() -> tuple[np.ndarray, np.ndarray]:
    """The latent vectors and labels of a frame: a row has one vector, a column one class."""
    z = np.random.default_rng(SEED).standard_normal((LATENTS, 32), dtype=np.float32)
    return np.repeat(z, CLASSES, axis=0), np.tile(np.arange(CLASSES), LATENTS)


def to_greys(images: np.ndarray) -> np.ndarray:
    """Images (n, 28, 28, 1) in [-1, 1] as one picture of the frame's rows, in greys 0 to 15."""
    greys = np.rint((images[..., 0] + 1) / 2 * (GREYS - 1)).astype(np.uint8)
    rows = greys.reshape(LATENTS, CLASSES, SIDE, SIDE).transpose(0, 2, 1, 3)
    return rows.reshape(LATENTS * SIDE, CLASSES * SIDE)


def from_greys(greys: np.ndarray) -> np.ndarray:
    """The way back, but for the rounding."""
    rows = greys.reshape(LATENTS, SIDE, CLASSES, SIDE).transpose(0, 2, 1, 3)
    return (rows.reshape(-1, SIDE, SIDE, 1) / ((GREYS - 1) / 2) - 1).astype(np.float32)


def count_read(greys: np.ndarray) -> int:
    """How many of a frame's pictures the judge reads as what was asked for."""
    read = judge.probabilities(from_greys(greys)).argmax(axis=1)
    return int((read == film_inputs()[1]).sum())


def to_png(greys: np.ndarray) -> bytes:
    """Greys 0 to 15 as a PNG of four bits a pixel."""
    picture = Image.frombytes("P", greys.shape[::-1], greys.tobytes())
    picture.putpalette([level * 255 // (GREYS - 1) for level in range(GREYS) for _ in range(3)])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=4, optimize=True)
    return buffer.getvalue()


@functools.cache
def filmed() -> dict[str, list[dict[str, Any]]]:
    """Trains, writes the page's file, and returns the rows of each kind."""
    data, inputs, pictures = load_mnist(), film_inputs(), []
    floor = evaluation.frechet_floor(SAMPLES)

    def look(gan: Any) -> dict[str, Any]:
        pictures.append(to_greys(sampling.render(gan.ema_generator, *inputs)))
        distance = evaluation.quick_frechet(gan.ema_generator, n=SAMPLES)
        return {"frechet_ratio": round(distance / floor, 4), "read": count_read(pictures[-1])}

    camera = Marks(frame_steps(), look)
    run = recipes.train(
        RECIPE,
        data.x_train,
        data.y_train,
        steps=STEPS,
        seed=SEED,
        callbacks=[camera],
        history_every=LOSS_EVERY,
    )
    losses = [
        {"step": int(step), "d_loss": round(d, 5), "g_loss": round(g, 5)}
        for step, d, g in zip(
            run.history["step"], run.history["d_loss"], run.history["g_loss"], strict=True
        )
    ]
    png = to_png(np.concatenate(pictures))
    film = {
        "recipe": RECIPE,
        "seed": SEED,
        "classes": CLASSES,
        "latents": LATENTS,
        "side": SIDE,
        "frames": camera.rows,
        "losses": losses,
        "sprite": "data:image/png;base64," + base64.b64encode(png).decode(),
    }
    text = f"self.gantutPlay.filmData = {json.dumps(film, separators=(',', ':'))};\n"
    with atomic_write(DATA) as path:
        path.write_text(text, encoding="utf-8")
    return {"frame": camera.rows, "loss": losses}


if __name__ == "__main__":
    main(
        __doc__,
        {"frame": lambda: filmed()["frame"], "loss": lambda: filmed()["loss"]},
        {},
        group="kind",
        recipe=RECIPE,
        seeds=[SEED],
        steps=STEPS,
        samples=SAMPLES,
    )
