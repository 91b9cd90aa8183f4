"""What test_survival.py has done in processes of their own: trainings to kill and to count.

TensorFlow is imported once, and each training is a fork of this process.
"""

import contextlib
import csv
import json
import os
import random
import signal
import sys
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gantut import cli, networks, recipes
from gantut._state import read_meta

STEPS = 240


def recipe() -> Any:
    """Small networks, and all that a step can do: noise, packs, penalties, averages, schedules."""
    plain = recipes.GANRecipe(
        name="everything",
        summary="for tests",
        generator=partial(networks.mlp_generator, 4, widths=(8,), batch_norm=True),
        discriminator=partial(networks.mlp_discriminator, widths=(8,)),
        batch_size=16,
        steps=STEPS,
        gpu_steps=STEPS,
        penalties={"r1": 0.1},
        penalty_every=4,
        d_steps=2,
        ema=0.9,
        steps_per_execution=2,
        schedule=recipes.linear_decay(),
    )
    return recipes.stabilise(plain, packing=2, instance_noise=0.2)


def fork(work: Callable[[], int]) -> int:
    """Starts a process that does the work and ends with its status."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def cpu_seconds(child: int) -> float:
    """Processor time of a process and its threads so far."""
    try:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(folder: Path, archive: Path) -> int:
    # In the fork: a process whose TensorFlow has begun to compute cannot be forked.
    recipes.RECIPES["everything"] = recipe()
    arguments = ["train", "everything", "--out", str(folder), "--data", str(archive)]
    arguments += ["--samples", "0", "--resume", "--checkpoint-every", "4", "--seed", "3"]
    return cli.main(arguments)


def check_whole(folder: Path) -> None:
    """Asserts that each file with a final name can be read to its end."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix in (".npz", ".keras"):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
            if path.parent.name == "checkpoints":
                read_meta(path)
        elif path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                rows = list(csv.reader(file))
            assert len({len(row) for row in rows}) == 1, path
        elif path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
        else:
            raise AssertionError(f"what is {path}?")


def result(folder: Path) -> dict[str, Any]:
    """All that must not differ: the state, the pictures, the history without its seconds."""
    with np.load(folder / "state.npz") as archive:
        found: dict[str, Any] = {name: archive[name].tobytes() for name in archive.files}
    found |= {path.name: path.read_bytes() for path in (folder / "grids").glob("*.png")}
    with (folder / "history.csv").open(newline="") as file:
        found["history"] = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    found["files"] = sorted(path.name for path in folder.iterdir())
    return found


def kills(folder: Path, number: int, seed: int) -> dict[str, Any]:
    """Kills trainings at random moments, goes on with each, and compares what they end with."""
    archive = folder / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (50, 6, 6), dtype=np.uint8)
    np.savez(archive, images=pixels)
    child = fork(lambda: train(folder / "whole", archive))
    _, status, usage = os.wait4(child, 0)
    assert status == 0, "the uninterrupted training failed"
    whole, cost = result(folder / "whole"), usage.ru_utime + usage.ru_stime
    moments = random.Random(seed)
    killed, finished, steps = 0, 0, []
    while killed < number or finished == 0:
        run = folder / f"run-{finished}"
        child = fork(lambda run=run: train(run, archive))
        limit = moments.uniform(0.1, cost) if killed < number else float("inf")
        done = 0
        while not done:
            time.sleep(0.005)
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and cpu_seconds(child) >= limit:
                os.kill(child, signal.SIGKILL)
                done, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            check_whole(run)
            there = sorted((run / "checkpoints").glob("step-*.npz"))
            steps.append(int(there[-1].stem[5:]) if there else 0)
        else:
            assert status == 0, f"a training ended with {status}"
            assert result(run) == whole, "another end than that of the uninterrupted training"
            finished += 1
    return {"killed": killed, "finished": finished, "steps": steps, "cpu_seconds": cost}


def memory(folder: Path, number: int, seed: int) -> dict[str, Any]:
    """The memory after each of several trainings, one after another, in MiB."""
    import gc

    del folder
    x = np.random.default_rng(seed).uniform(-1, 1, (64, 6, 6, 1)).astype(np.float32)
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    found = []
    for _ in range(number):
        recipes.train(replace(recipe(), steps=16, gpu_steps=16), x)
        gc.collect()
        found.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
    return {"mebibytes": found}


def main() -> None:
    what, folder, number, seed = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        found = {"kills": kills, "memory": memory}[what](Path(folder), int(number), int(seed))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
