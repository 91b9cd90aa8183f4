"""Measures the playground of book/play.md in headless Chromium: how smooth, and what comes out.

    python benchmarks/playground.py [--only speed | modes | sides]

Writes benchmarks/results/playground.json, whose rows are of three experiments:

- "speed", for each loss: milliseconds of one step of 256 points with all of its drawing. "work" is
  the time that the page's script takes, with the picture read back so that it must have been drawn;
  "frame" is the time between two pictures while the page plays, which the screen's 60 Hz bound from
  below. Median, 10th percentile, mean and 95th percentile over 200 steps, after 60 that warm the
  compiler up. "cpu" is the processor time of all of the browser's processes during "work", for one
  step: where other programs run beside it (see "load", the machine's load average), the fairer
  number.
- "modes", for each loss and seed: modes covered, reverse KL (nats) and high quality after each 100
  steps, from 1,000 samples.
- "sides", for each data set and seed: the same three numbers after 1,000 steps of the GAN with
  RpGAN, R1 and R2, and of flow matching with 1, 4, 8 and 32 steps per sample.
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lib.recording import main
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "non-saturating": ("non_saturating", "none", 0.3, 0.001, 0.002),
    "saturating": ("minimax", "none", 0.3, 0.001, 0.002),
    "WGAN-GP": ("wasserstein", "wgan_gp", 0.1, 0.004, 0.001),
    "RpGAN": ("relativistic", "none", 0.3, 0.001, 0.002),
    "non-saturating + R1 + R2": ("non_saturating", "r1_r2", 0.3, 0.001, 0.002),
    "RpGAN + R1 + R2": ("relativistic", "r1_r2", 0.3, 0.001, 0.002),
}
SEEDS = range(5)
STEPS = 500
WARM, TIMED = 60, 200

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Playground</title>
<link rel="stylesheet" href="play.css"><body style="width: 46rem">
<div class="gp" id="playground"></div>
<script src="engine.js"></script><script src="ui.js"></script><script src="playground.js"></script>
<script src="flow.js"></script>
"""

WORK = """([warm, timed]) => {
  const widget = gantutPlay.playground;
  const context = widget.canvas.getContext("2d");
  const times = [];
  for (let i = 0; i < warm + timed; i++) {
    const start = performance.now();
    widget.stepAndDraw();
    context.getImageData(0, 0, 1, 1); // waits until the picture is there
    if (i >= warm) times.push(performance.now() - start);
  }
  return times;
}"""

FRAMES = """(timed) => new Promise((done) => {
  const times = [];
  let last = null;
  const frame = (now) => {
    if (last !== null) times.push(now - last);
    last = now;
    if (times.length < timed) requestAnimationFrame(frame);
    else {
      gantutPlay.playground.pause();
      done(times);
    }
  };
  gantutPlay.playground.play();
  requestAnimationFrame(frame);
})"""

MODES = """([rules, seed, steps]) => {
  const trainer = new gantutPlay.engine.Trainer({ data: "ring", seed, rules });
  const rows = [];
  for (let i = 1; i <= steps; i++) {
    trainer.step();
    if (i % 100 === 0) {
      const { modes, reverseKl, highQuality } = trainer.coverage();
      rows.push([modes, Number.isNaN(reverseKl) ? null : reverseKl, highQuality]);
    }
  }
  return rows;
}"""


SIDES = """([rules, data, seed, steps, passes]) => {
  const { engine, flow } = gantutPlay;
  const gan = new engine.Trainer({ data, seed, rules });
  const other = new flow.FlowTrainer({ data, seed });
  for (let i = 0; i < steps; i++) {
    gan.step();
    other.step();
  }
  const found = [gan.coverage(), ...passes.map((count) => other.coverage(count))];
  return found.map(({ modes, reverseKl, highQuality }) =>
    [modes, Number.isNaN(reverseKl) ? null : reverseKl, highQuality]);
}"""
SIDES_STEPS, PASSES = 1_000, (1, 4, 8, 32)


def summary(times: list[float]) -> dict[str, float]:
    """Median, 10th percentile, mean and 95th percentile, in milliseconds."""
    ordered = sorted(times)
    return {
        "median": round(ordered[len(ordered) // 2], 2),
        "p10": round(ordered[len(ordered) // 10], 2),
        "mean": round(sum(ordered) / len(ordered), 2),
        "p95": round(ordered[int(0.95 * len(ordered))], 2),
    }


def browser_seconds() -> float:
    """Processor time of this process's descendants so far, those that still run included."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(path.parent.name)
        parents[pid], used[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    total = 0
    for pid, ticks in used.items():
        above = parents[pid]
        while above not in (0, 1, os.getpid()):
            above = parents.get(above, 0)
        total += ticks if above == os.getpid() else 0
    return total / os.sysconf("SC_CLK_TCK")


def rules(name: str) -> dict[str, object]:
    """A method as the engine takes it."""
    keys = ("loss", "penalty", "weight", "rateD", "rateG")
    return {"train": "both", **dict(zip(keys, METHODS[name], strict=True))}


def speed_rows(page: Any) -> Iterator[dict[str, Any]]:
    """Milliseconds of a step with its drawing, for each loss."""
    for name in METHODS:
        page.evaluate("(rules) => gantutPlay.playground.restart(rules)", rules(name))
        page.evaluate(WORK, [0, WARM])
        before = browser_seconds()
        work = summary(page.evaluate(WORK, [0, TIMED]))
        cpu = round(1000 * (browser_seconds() - before) / TIMED, 2)
        frame = summary(page.evaluate(FRAMES, TIMED))
        load = round(os.getloadavg()[0], 1)
        yield {"method": name, "work_ms": work, "cpu_ms": cpu, "frame_ms": frame, "load": load}


def mode_rows(page: Any) -> Iterator[dict[str, Any]]:
    """What each loss and each seed comes to on the ring."""
    for name in METHODS:
        for seed in SEEDS:
            readings = page.evaluate(MODES, [rules(name), seed, STEPS])
            columns = (list(column) for column in zip(*readings, strict=True))
            found = dict(zip(("modes", "reverse_kl", "high_quality"), columns, strict=True))
            steps = list(range(100, STEPS + 1, 100))
            yield {"method": name, "seed": seed, "rules": rules(name), "at_steps": steps, **found}


def side_rows(page: Any) -> Iterator[dict[str, Any]]:
    """What the GAN and the flow come to on the same data, after the same number of steps."""
    game = rules("RpGAN + R1 + R2")
    for data in ("ring", "grid"):
        for seed in SEEDS:
            found = page.evaluate(SIDES, [game, data, seed, SIDES_STEPS, PASSES])
            for passes, (modes, reverse_kl, high_quality) in zip(
                (None, *PASSES), found, strict=True
            ):
                yield {
                    "data": data,
                    "seed": seed,
                    "method": "GAN" if passes is None else "flow",
                    "passes": passes or 1,
                    "modes": modes,
                    "reverse_kl": reverse_kl,
                    "high_quality": high_quality,
                }


def opened(stack: contextlib.ExitStack) -> Any:
    """The page in a browser, until the stack is closed."""
    site = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "play"
    shutil.copytree(ROOT / "book/_static/play", site)
    (site / "index.html").write_text(PAGE, encoding="utf-8")
    chromium = stack.enter_context(sync_playwright()).chromium
    browser = chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    stack.callback(browser.close)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "index.html").as_uri())
    return page


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        page = functools.cache(lambda: opened(stack))
        main(
            __doc__,
            {
                "speed": lambda: speed_rows(page()),
                "modes": lambda: mode_rows(page()),
                "sides": lambda: side_rows(page()),
            },
            {},
            chromium=lambda rows: page().context.browser.version,
        )
