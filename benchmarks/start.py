"""Seconds from a command to its end, and of each recipe to legible digits and to its own end.

- "command": one typed into a shell, in a process of its own each time; medians of five. The import
  of TensorFlow and Keras stands beside them: what is not ours.
- "recipe": a training of the recipe in a process of its own, on whatever cores there are, until
  its digits are legible, or a minute is over: half of 1,000 samples are read with more than
  .95 confidence, and the classifier score, which one digit alone would leave at 1, is 5 or more.
  Samples are looked at when the seconds have grown by a quarter; that is not in the seconds.
  With the pace between the first look and the last, hence the seconds that all its steps would
  take, and the peak of the memory.

Nothing else should run on the machine.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

TRAIN = ["-m", "gantut", "train", "fast", "--out", "run", "--samples", "0"]
COMMANDS = {
    "TensorFlow and Keras alone": ["-c", "import tensorflow, keras; keras.Model"],
    "import gantut": ["-c", "import gantut"],
    "gantut --help": ["-m", "gantut", "--help"],
    "gantut recipes": ["-m", "gantut", "recipes"],
    "gantut train fast --steps 16": [*TRAIN, "--steps", "16"],
    "gantut sample": ["-m", "gantut", "sample", "run", "--out", "digits.png"],
}
RECIPES = (
    "fast", "clustered_fast", "conditional_fast", "mlp", "conditional_mlp", "dcgan",
    "conditional_dcgan", "mini_biggan", "vae",
)  # fmt: skip
LONGEST, FACTOR, SAMPLES = 60.0, 1.25, 1_000


def python(folder: str, *arguments: str) -> None:
    """Runs Python in a folder."""
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)


def children_seconds() -> float:
    """Processor seconds of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(name: str) -> Iterator[dict[str, Any]]:
    """The row of one command."""
    walls, busy = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            if name == "gantut sample":
                python(folder, *TRAIN, "--steps", "16")
            before, begin = children_seconds(), time.perf_counter()
            python(folder, *COMMANDS[name])
            walls.append(time.perf_counter() - begin)
            busy.append(children_seconds() - before)
    yield {"seconds": statistics.median(walls), "cpu_seconds": statistics.median(busy)}


def trained(name: str) -> dict[str, Any]:
    """The row of one recipe, measured in this process."""
    from lib.marks import Marks

    from gantut import evaluation, judge, load_mnist, recipes

    def legible(model: Any) -> dict[str, bool]:
        read = evaluation.read_classes(judge.probabilities(model.sample(SAMPLES, seed=0)))
        model.stop_training = read["confident"] >= 0.5 and read["classifier_score"] >= 5
        return {"legible": model.stop_training}

    recipe, data = recipes.get(name), load_mnist()
    marks = [1.0]
    while marks[-1] < LONGEST:
        marks.append(min(LONGEST, FACTOR * marks[-1]))
    camera = Marks(marks, legible, of="seconds", clock="seconds")
    recipes.train(recipe, data.x_train, data.y_train, seconds=LONGEST, callbacks=[camera])
    first, last = camera.rows[0], camera.rows[-1]
    return {
        "start_seconds": first["seconds"],
        "legible": last["legible"],
        "step": last["step"],
        "seconds": last["seconds"],
        "step_seconds": (last["seconds"] - first["seconds"]) / (last["step"] - first["step"]),
        "steps": recipe.steps,
        "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def recipe(name: str) -> Iterator[dict[str, Any]]:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", name], stdout=subprocess.PIPE, text=True, check=True
    )
    yield json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(trained(sys.argv[2])))
    else:
        from lib.recording import main

        main(
            __doc__,
            {"command": command, "recipe": recipe},
            {"name": {"command": [*COMMANDS], "recipe": RECIPES}},
            group="kind",
            one_thread=False,
            samples=SAMPLES,
        )
