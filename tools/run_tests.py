"""Lint, format, types, unit tests, then the notebooks: what ``make test`` runs, in that order."""

import subprocess
import sys

from project import ROOT

STEPS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    # A file stays with one process, so that what its tests share is made once; four processes are
    # four times a gigabyte.
    ["pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"],
]


def main() -> None:
    """Runs the steps; the first that fails ends it, with its status."""
    for step in STEPS:
        print(f"==> {' '.join(step)}", flush=True)
        status = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, check=False).returncode
        if status:
            sys.exit(status)
    print("==> notebooks", flush=True)
    notebooks = [sys.executable, str(ROOT / "tools/execute_notebooks.py")]
    sys.exit(subprocess.run(notebooks, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
