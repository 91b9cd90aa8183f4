"""Builds the book from the results of its notebooks, strictly, and checks the pages.

What ``make book`` runs: the notebooks that are not current, npm for the scripts of the pages where
they are not there yet, the export of the generator that runs in a page, then Jupyter Book with
warnings as errors and nothing kept from an earlier build, then the tests of the built pages.
"""

import os
import shutil
import subprocess
import sys

import vendor
from project import BUILD, ROOT
from run_tests import UNIT_TESTS

JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def build() -> int:
    """Runs Jupyter Book; a notebook that it had to run itself is an error."""
    for name in ("html", ".doctrees", "jupyter_execute"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", ".", "-W", "-n", "--keep-going"]
    ran = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if "Executing notebook" in line:
                ran.append(line.strip())
    if ran:
        print("The build ran notebooks that were to come from the cache:", *ran, sep="\n  ")
        return process.returncode or 1
    return process.returncode


def main() -> None:
    """Runs, builds, checks; the first step that fails ends it, with its status."""
    execute = [sys.executable, str(ROOT / "tools/execute_notebooks.py")]
    export = [sys.executable, str(ROOT / "tools/export_generator.py")]
    check = [*UNIT_TESTS, "-m", "built", "tests/book", "tests/browser"]
    status = subprocess.run(execute, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)
    vendor.install()
    vendor.copy()
    status = subprocess.run(export, cwd=ROOT, check=False).returncode or build()
    if status:
        sys.exit(status)
    sys.exit(subprocess.run(check, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
