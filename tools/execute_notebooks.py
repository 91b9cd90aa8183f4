"""Runs the book's notebooks, each once, as tests; the book is then built from their results.

``pytest --nbmake`` runs a copy of each chapter under build/executed, side by side, the longest
first. A chapter whose code, package, recorded results, installed versions and kind of device are
those of its last run is not run again. What it computed goes into the cache that the book's build
reads, and the seconds, versions and device into run.json, which the page "What was run" shows.
"""

import argparse
import datetime
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from make_venv import has_gpu
from project import BUILD, ROOT, chapters, code_cells, read_chapter, write_text

EXECUTED = ROOT / "build/executed"  # not below _build: nbmake passes over notebooks there
RECORD = EXECUTED / "run.json"
CACHE = BUILD / ".jupyter_cache"
CELL_SECONDS = 600
ANSWERS = "exercises.json"  # made of the chapters, whose results do not depend on it
MOST_PROCESSES = 4  # each is a TensorFlow of one or two gigabytes


def files_hash(*folders: Path) -> str:
    """A hash of every file in the folders, names included, but for the answers to exercises."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name != ANSWERS:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def installed_versions() -> list[str]:
    """Name and version of every installed package but ours, as ``pip freeze`` would list them."""
    found = {
        f"{dist.metadata['Name']}=={dist.version}"
        for dist in metadata.distributions()
        if dist.metadata["Name"] != "gantut"
    }
    return sorted(found)


def surroundings_key() -> str:
    """A hash of what the chapters' results depend on besides their own code."""
    state = {
        "package": files_hash(ROOT / "gantut", ROOT / "benchmarks/results"),
        "versions": installed_versions(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "gpu": has_gpu(),
    }
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def chapter_key(notebook: Any, surroundings: str) -> str:
    """A hash of a chapter's cells, hidden assertions included, and of ``surroundings``."""
    cells = [[cell.source, cell.metadata] for cell in code_cells(notebook)]
    state = [surroundings, notebook.metadata["kernelspec"]["name"], cells]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def current_keys() -> dict[str, str]:
    """The key that each chapter's results must carry to be shown."""
    surroundings = surroundings_key()
    return {
        page: chapter_key(read_chapter(ROOT / f"{page}.md"), surroundings) for page in chapters()
    }


def read_record() -> dict[str, Any]:
    """What run.json says of each chapter's last run that passed; empty before the first."""
    try:
        record = json.loads(RECORD.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def executed_path(page: str) -> Path:
    """Where the executed copy of a chapter is."""
    return EXECUTED / f"{page}.ipynb"


def file_hash(path: Path) -> str:
    """The sha256 of a file, or "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def is_current(page: str, key: str, record: dict[str, Any]) -> bool:
    """Whether the executed copy of a chapter is there, whole, and carries ``key``."""
    entry = record.get(page, {})
    return entry.get("key") == key and entry.get("sha256") == file_hash(executed_path(page))


def run_problems(keys: dict[str, str] | None = None) -> list[str]:
    """Why the chapters' results may not be shown; empty if every chapter of _toc.yml is current."""
    record = read_record()
    wanted = current_keys() if keys is None else keys
    return [
        f"{page} was not executed with its present code, package and versions"
        for page, key in wanted.items()
        if not is_current(page, key, record)
    ]


def this_machine() -> dict[str, Any]:
    """Versions, device and machine, as the package tells them."""
    code = "import json; from gantut._files import environment; print(json.dumps(environment()))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    facts: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return facts


class Seconds:
    """A pytest plugin that notes how long each notebook that passed took, kernel start included."""

    def __init__(self) -> None:
        self.passed: dict[Path, float] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after each phase of each test."""
        if report.when == "call" and report.passed:
            self.passed[ROOT / report.nodeid.split("::")[0]] = report.duration


def prepare(page: str) -> Path:
    """Puts a copy of a chapter, without results, where it will be run."""
    path = executed_path(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = read_chapter(ROOT / f"{page}.md")
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    write_text(path, nbformat.writes(notebook))
    return path


def drop_timing(path: Path) -> None:
    """Removes the times of each cell that the run noted: the build's cache compares metadata."""
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
    write_text(path, nbformat.writes(notebook))


def fill_cache(keys: dict[str, str] | None = None) -> list[str]:
    """Makes the build's cache hold the results of the chapters that are current, and no others.

    Returns:
        The chapters whose results it holds.
    """
    keys = current_keys() if keys is None else keys
    record = read_record()
    shutil.rmtree(CACHE, ignore_errors=True)
    cache = get_cache(CACHE)
    current = [page for page, key in keys.items() if is_current(page, key, record)]
    for page in current:
        notebook = nbformat.read(executed_path(page), as_version=4)
        bundle = CacheBundleIn(
            notebook, f"{page}.md", data={"execution_seconds": record[page]["seconds"]}
        )
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return current


def stated_seconds(page: str) -> int:
    """How long a chapter says that it runs; 0 if it does not."""
    text = (ROOT / f"{page}.md").read_text("utf-8")
    said = re.search(r"^Runs in about (\d+) seconds", text, re.MULTILINE)
    return int(said[1]) if said else 0


def run_tests(paths: list[Path], processes: int, seconds: Seconds) -> int:
    """Runs notebooks as tests, ``processes`` at a time; returns pytest's exit status."""
    # One notebook at a time to each process, so that they keep to their order.
    side_by_side = ["-n", str(processes), "--maxschedchunk=1"] if processes > 1 else []
    arguments = [
        "--nbmake",
        "--overwrite",
        f"--nbmake-timeout={CELL_SECONDS}",
        f"--rootdir={ROOT}",
        f"--config-file={ROOT / 'pyproject.toml'}",
        "-p",
        "no:cacheprovider",
        "--durations=0",
        "-v",
        *side_by_side,
        *map(str, paths),
    ]
    return int(pytest.main(arguments, plugins=[seconds]))


def run(pages: list[str], keys: dict[str, str]) -> int:
    """Runs ``pages`` as tests and records those that passed; returns pytest's exit status."""
    longest_first = sorted(pages, key=stated_seconds, reverse=True)
    paths = {prepare(page): page for page in longest_first}
    os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "2", "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    os.environ.pop("MPLBACKEND", None)  # the kernels draw into the page
    seconds = Seconds()
    # Few of the book's networks are large enough to keep two cores busy.
    processes = 1 if has_gpu() else min(os.cpu_count() or 1, MOST_PROCESSES, len(paths))
    status = run_tests(list(paths), processes, seconds)
    if current_keys() != keys:
        print("The package or a chapter changed while the notebooks ran: run them again.")
        return status or 1
    facts = this_machine()
    facts["versions"] |= {name: metadata.version(name) for name in ("matplotlib", "scipy")}
    record = {page: entry for page, entry in read_record().items() if page in keys}
    for path, page in paths.items():
        record.pop(page, None)
        if path in seconds.passed:
            drop_timing(path)
            record[page] = {
                "key": keys[page],
                "sha256": file_hash(path),
                "seconds": round(seconds.passed[path], 1),
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                **facts,
            }
    write_text(RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n")
    if not status and len(seconds.passed) != len(paths):
        print(f"{len(paths)} notebooks were to be run, {len(seconds.passed)} were")
        return 1
    return status


def main() -> None:
    """Runs the chapters that are not current, or those named, and fills the build's cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="chapters, such as book/welcome; all if none")
    parser.add_argument("--force", action="store_true", help="run them even if they are current")
    options = parser.parse_args()
    found = importlib.util.find_spec("gantut")
    if found is None or Path(str(found.origin)).resolve().parent != ROOT / "gantut":
        sys.exit(f"gantut is not installed from {ROOT}: run make venv")
    keys = current_keys()
    chosen = [page.removesuffix(".md") for page in options.pages] or list(keys)
    if unknown := sorted(set(chosen) - set(keys)):
        sys.exit(f"not a chapter of _toc.yml that is a notebook: {', '.join(unknown)}")
    record = read_record()
    due = [page for page in chosen if options.force or not is_current(page, keys[page], record)]
    print(f"Notebooks: {len(due)} to run, {len(chosen) - len(due)} already run as they are")
    status = run(due, keys) if due else 0
    current = fill_cache(keys)
    record = read_record()
    seconds = sum(record[page]["seconds"] for page in current)
    print(
        f"Notebooks: {len(current)} of {len(keys)} ready, {seconds:.0f} seconds of running together"
    )
    sys.exit(status)


if __name__ == "__main__":
    main()
