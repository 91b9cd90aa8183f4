"""Lint, types, layers, spelling and unit tests, then the notebooks: what ``make test`` runs.

``make unit`` leaves the notebooks out, ``make slow`` runs the unit tests that take long.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from project import ROOT

# A file stays with one process, so that what its tests share is made once; four processes are
# four times a gigabyte.
PYTHON = sys.executable
UNIT_TESTS = [PYTHON, "-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
CHECKS = [
    [PYTHON, "-m", "ruff", "check", "."],
    [PYTHON, "-m", "ruff", "format", "--check", "."],
    [PYTHON, "-m", "mypy"],
    [str(Path(PYTHON).with_name("lint-imports"))],
    [str(Path(PYTHON).with_name("codespell"))],
]


def main() -> None:
    """Runs the steps; the first that fails ends it, with its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--unit", action="store_true", help="leave the notebooks out")
    which.add_argument("--slow", action="store_true", help="only the unit tests that take long")
    options = parser.parse_args()
    if options.slow:
        steps = [[*UNIT_TESTS, "-m", "slow"]]
    else:
        steps = [*CHECKS, UNIT_TESTS]
        if not options.unit:
            steps.append([PYTHON, str(ROOT / "tools/execute_notebooks.py")])
    for step in steps:
        print(f"==> {' '.join(step)}", flush=True)
        status = subprocess.run(step, cwd=ROOT, check=False).returncode
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
