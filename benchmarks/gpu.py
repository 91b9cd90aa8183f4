"""What a GPU changes: the time of a step in several ways, and the quality that seconds buy.

Ten minutes on any GPU that TensorFlow sees; ends with status 2 where it sees none. Rows by "kind":

- ``xla``: a step without and with XLA, which Keras turns off where operations are deterministic, as
  they are in all that follows; both with batches that the host sends;
- ``pace``: a step as `gantut.recipes.train` runs it, with layers in 32 and in 16 bits, and with the
  data on the host instead of the GPU;
- ``quality``: two seeds of each recipe, for its GPU budget or its share of the minutes.

Where something fails, a row says so ("error"), and the rest goes on. The script itself can be tried
anywhere, with ``--allow-cpu --minutes 1 --out FILE``.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from lib.marks import Executions, Marks
from lib.recording import main
from lib.variants import STACKED_SAMPLES

from gantut import evaluation, load_mnist, recipes
from gantut._files import describe
from gantut._keras import keras, tf

RECIPES, SEEDS = ("fast", "clustered_fast", "conditional_fast", "stacked", "dcgan"), (0, 1)
PACED = ("fast", "dcgan")  # dense networks, and convolutions
STEPS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
JUDGING = 10  # seconds beside each training
BEGAN = time.monotonic()

Rows = Iterator[dict[str, Any]]


def paced(way: str, train: Callable[..., Any], minutes: float) -> dict[str, Any]:
    """The row of a short training."""
    executions, gpu = Executions(time.perf_counter), recipes.has_gpu()
    if gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    train(steps=16 * max(3, round(6 * minutes)), callbacks=[executions])
    steps, seconds = executions.taken()
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu else 0
    return {
        "way": way,
        "start_seconds": round(executions.at[1][1] - executions.at[0][1], 2),
        "step_milliseconds": round(1000 * float(np.median(seconds / steps)), 4),
        "peak_mebibytes": round(peak / 2**20, 1),
    }


def xla(name: str, minutes: float) -> Rows:
    """A step without and with XLA."""
    recipe, x = recipes.get(name), load_mnist().x_train
    given = {"image_shape": x.shape[1:]} | ({"mean_image": x.mean(0)} if recipe.centred else {})
    data = recipes.batches(x, batch_size=recipe.batch_size)
    for way, jit in (("without XLA", False), ("XLA", True)):
        gan = recipe.assemble(given, seed=0)  # `build` asks for deterministic operations
        options = {"steps_per_execution": recipe.steps_per_execution, "jit_compile": jit}
        gan.compile(gan.d_optimizer, gan.g_optimizer, **options)
        yield paced(way, partial(recipes.run, gan, data), minutes)


def pace(name: str, minutes: float) -> Rows:
    """A step as the recipes run it."""
    x = load_mnist().x_train
    for way, on_device in (("32 bits", True), ("32 bits, data on the host", False)):
        yield paced(way, partial(recipes.train, name, x, on_device=on_device), minutes)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield paced("16 bits", partial(recipes.train, name, x, on_device=True), minutes)
    finally:
        keras.config.set_dtype_policy("float32")


def judged(gan: Any) -> dict[str, float]:
    """The quality of a generator: of one digit in an image, or of three."""
    if gan.sample_shape[-1] == 3:
        found = evaluation.stacked_modes(gan.sample(STACKED_SAMPLES, seed=1))
        return {"modes": found.modes, "kl": found.kl}
    distance = evaluation.quick_frechet(gan.ema_generator)
    return {"frechet_distance": distance, "frechet_ratio": distance / evaluation.frechet_floor()}


def quality(name: str, minutes: float) -> Rows:
    """Trainings, judged on the way and at their end."""
    data, length = load_mnist(), recipes.get(name).gpu_steps
    order = [(recipe, seed) for recipe in RECIPES for seed in SEEDS]
    for seed in SEEDS:
        left = BEGAN + 60 * minutes - time.monotonic()
        seconds = max(5, left / (len(order) - order.index((name, seed))) - JUDGING)
        steps = [*(step for step in STEPS if step < length), length]
        marks = Marks(steps, judged, clock="seconds")
        recipes.train(
            name, data.x_train, data.y_train, seconds=seconds, seed=seed, callbacks=[marks]
        )
        yield from ({"seed": seed, **row} for row in marks.rows)


def on_gpu(rows: Callable[..., Rows], recipe: str, minutes: float, allow_cpu: bool) -> Rows:
    """The rows of an experiment, up to an error; without a GPU the end, unless a CPU is allowed."""
    if not (recipes.has_gpu() or allow_cpu):
        print("TensorFlow sees no GPU: pip install 'gantut[gpu]', or --allow-cpu", file=sys.stderr)
        sys.exit(2)
    try:
        yield from rows(recipe, minutes)
    except Exception as error:  # the GPU may be borrowed, and the next experiment work
        yield {"error": describe(error)}


if __name__ == "__main__":
    # What is not deterministic comes first: there is no way back from `recipes.train`.
    kinds = {"xla": (xla, PACED), "pace": (pace, PACED), "quality": (quality, RECIPES)}
    main(
        __doc__,
        {kind: partial(on_gpu, rows) for kind, (rows, _) in kinds.items()},
        {"recipe": {kind: names for kind, (_, names) in kinds.items()}},
        group="kind",
        options={
            "minutes": {"type": float, "default": 10.0, "help": "for all of it (default: 10)"},
            "allow_cpu": {"action": "store_true", "help": "go on without a GPU"},
        },
        one_thread=False,
    )
