"""Runs the chapters with the package broken in one way at a time: some assertion must then fail.

    python tools/sabotage.py --pages book/welcome --only untrained

A chapter whose assertions all hold though its trainings do nothing proves nothing about them. Each
run is a process of its own and ends at the first assertion, or cell, that fails; the file
book/sabotage.json keeps which, for the page of that name. A run in which the broken code was never
called concerns nobody. `SPARED` says which other chapters may stay green, and why; any more is a
fault, and the command fails.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from project import ROOT, chapters, code_cells, read_chapter, write_text

RECORD = ROOT / "book/sabotage.json"
SECONDS = 900
SIDE_BY_SIDE = 2
COPIED = 2_000  # training images that a generator of copies knows

# Where the code that a sabotage breaks was called, in this process.
touched: list[None] = []

# The package is imported inside the functions: the parent process never needs it.


def touch() -> None:
    """Notes that the chapter uses what is broken."""
    touched.append(None)


def frozen(optimizer: Any) -> None:
    """Lets an optimizer count its steps and change nothing."""

    def apply(gradients: Any, variables: Any = None) -> None:
        touch()
        optimizer.iterations.assign_add(1)

    optimizer.apply = apply


def after(owner: Any, name: str, then: Callable[..., Any]) -> None:
    """Replaces a method by itself and ``then(self, its result, its arguments)``."""
    original = getattr(owner, name)

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        return then(self, original(self, *arguments, **options), *arguments, **options)

    patch(owner, name, method)


def patch(owner: Any, name: str, value: Any) -> None:
    """Replaces an attribute of a class or a module, for the rest of the process."""
    setattr(owner, name, value)


def untrained() -> None:
    """Training changes no weight."""
    from gantut.gan import GAN

    def freeze(gan: Any, *_: Any, **__: Any) -> None:
        frozen(gan.d_optimizer)
        frozen(gan.g_optimizer)

    after(GAN, "compile", freeze)


def blind() -> None:
    """The discriminator never learns."""
    from gantut.gan import GAN

    after(GAN, "compile", lambda gan, *_, **__: frozen(gan.d_optimizer))


def mislabelled() -> None:
    """The labels of a batch belong to other images of it."""
    from gantut._keras import tf
    from gantut.gan import GAN

    original = GAN.step

    def step(self: Any, real: Any, labels: Any) -> Any:
        if labels is not None:
            touch()
            labels = tf.reverse(labels, [0])
        return original(self, real, labels)

    patch(GAN, "step", step)


def unaveraged() -> None:
    """The average of the weights stays where it began."""
    from gantut.gan import GAN

    def update_average(self: Any) -> None:
        if self.ema is not None:
            touch()

    patch(GAN, "update_average", update_average)


def unpenalised() -> None:
    """Gradient penalties are zero."""
    from gantut.gan import GAN

    def nothing(gan: Any, total: Any, *_: Any) -> Any:
        touch()
        return 0.0 * total

    after(GAN, "penalty", nothing)


def collapsed() -> None:
    """The generator takes the first latent vector for all: its samples are copies of one."""
    import numpy as np

    from gantut import sampling, toys
    from gantut._keras import tf
    from gantut.gan import GAN

    def first(z: Any, axis: int = 0) -> Any:
        touch()
        if isinstance(z, np.ndarray):
            return np.repeat(z.take([0], axis), z.shape[axis], axis)
        return tf.repeat(tf.gather(z, [0], axis=axis), tf.shape(z)[axis], axis=axis)

    after(GAN, "latents", lambda gan, z, *_: first(z))
    after(sampling, "check_inputs", lambda given, z, *_: first(z))
    after(toys, "_sample_latents", lambda gan, z, *_: first(z, 1))


def copying() -> None:
    """Each sample is replaced by that of 2,000 training samples which is nearest to it."""
    import numpy as np

    from gantut import load_mnist, networks, sampling
    from gantut._keras import full_precision, tf
    from gantut.model import Model

    known: dict[tuple[int, ...], np.ndarray] = {}
    fit = Model.fit

    def noting(self: Any, x: Any = None, *arguments: Any, **options: Any) -> Any:
        seen = x
        if isinstance(x, tf.data.Dataset):
            parts = [batch[0] if isinstance(batch, tuple) else batch for batch in x.take(40)]
            seen = np.concatenate(parts)[:COPIED]
        if isinstance(seen, np.ndarray):
            known[seen.shape[1:]] = seen[:COPIED].astype(np.float32)
        return fit(self, x, *arguments, **options)

    def nearest(samples: Any) -> Any:
        samples = full_precision(samples)
        if samples.shape[1:] == networks.MNIST_SHAPE and not known:  # of weights that are shipped
            known[networks.MNIST_SHAPE] = load_mnist().x_train[:COPIED]
        if (data := known.get(tuple(samples.shape[1:]))) is None:
            return samples
        rows, flat = (tf.reshape(a, (len(a), -1)) for a in (data, samples))
        touch()
        distances = tf.reduce_sum(rows**2, 1) - 2 * tf.matmul(flat, rows, transpose_b=True)
        return tf.gather(data, tf.argmin(distances, 1))

    patch(Model, "fit", noting)
    patch(sampling, "full_precision", nearest)


SABOTAGES: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (untrained, blind, mislabelled, unaveraged, unpenalised, collapsed, copying)
}
# Why a chapter that uses what is broken need not notice.
WEAK = "what the chapter says holds without its weak penalties too"
UNSEEN = "`inspect`, which the chapter is about, does not see it, and the chapter says so"
FEW_NUMBERS = "a sample is one or two numbers: the nearest of 2,000 is as good as a new one"
SPARED: dict[tuple[str, str], str] = {
    ("book/minimax", "copying"): FEW_NUMBERS,
    ("book/flows", "copying"): FEW_NUMBERS,
    ("book/augmentation", "copying"): "copies of unlabelled images teach a classifier as much",
    **{
        (f"book/{page}", "unpenalised"): WEAK
        for page in (
            *("questions", "augmentation", "restoration", "translation", "faces", "tabular"),
            "flows",
        )
    },
    **{
        ("book/checks", sabotage): UNSEEN
        for sabotage in ("mislabelled", "unaveraged", "unpenalised", "collapsed")
    },
}


def assertions(cell: Any) -> str:
    """The hidden assertions of a cell."""
    return "\n".join(cell.metadata.get("nbmake", {}).get("post_cell_execute", []))


def cells_with(page: str, line: str) -> list[int]:
    """The numbers of a chapter's code cells, from 0, that have a line or assert it."""
    cells = enumerate(code_cells(read_chapter(ROOT / f"{page}.md")))
    return [i for i, cell in cells if line in f"{cell.source}\n{assertions(cell)}"]


def failing_line(error: BaseException) -> str:
    """The line of a cell at which it failed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ipython" in f.filename]
    return str(frames[-1].line) if frames else ""


def first_failure(page: str, sabotage: str) -> dict[str, Any]:
    """Runs a chapter in this process; returns where it failed, or whether it was touched at all."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    from IPython.core.interactiveshell import InteractiveShell

    SABOTAGES[sabotage]()
    os.chdir(ROOT / "book")
    shell = InteractiveShell.instance()
    for cell in code_cells(read_chapter(ROOT / f"{page}.md")):
        for kind, source in (("cell", cell.source), ("assertion", assertions(cell))):
            with contextlib.redirect_stdout(io.StringIO()):
                done = shell.run_cell(source)
            if error := done.error_before_exec or done.error_in_exec:
                name = "" if isinstance(error, AssertionError) else type(error).__name__
                return {"in": kind, "line": failing_line(error), "error": name}
    return {"touched": bool(touched)}


def tried(page: str, sabotage: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", page, sabotage]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        sys.exit(f"{page}, {sabotage}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def read_record() -> dict[str, Any]:
    """What is recorded: by chapter, by sabotage, where it failed."""
    return json.loads(RECORD.read_text("utf-8"))["found"] if RECORD.is_file() else {}


def is_missed(page: str, sabotage: str, result: dict[str, Any]) -> bool:
    """Whether a chapter should have noticed a sabotage and did not."""
    return result.get("touched", False) and (page, sabotage) not in SPARED


def main() -> None:
    """Runs what is asked for and adds it to the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", nargs="*", default=chapters(), metavar="PAGE")
    parser.add_argument("--only", nargs="*", default=[*SABOTAGES], choices=SABOTAGES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(first_failure(*options.one)))
        return
    from gantut._files import environment

    missed = []
    lock = threading.Lock()

    def keep(pair: tuple[str, str]) -> None:
        page, sabotage = pair
        result = tried(page, sabotage)
        with lock:
            found = read_record()
            found.setdefault(page, {})[sabotage] = result
            record = {"command": "make sabotage", "environment": environment(), "found": found}
            write_text(RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n")
            print(f"{page}, {sabotage}: {result}", flush=True)
            missed.extend([f"{page}, {sabotage}"] if is_missed(page, sabotage, result) else [])

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(keep, product(options.pages, options.only)))
    if missed:
        sys.exit("No assertion fails: " + "; ".join(missed))


if __name__ == "__main__":
    main()
