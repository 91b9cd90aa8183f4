"""Runs the chapters as Google Colab would: of ours, only what a set-up cell installs.

A new environment gets the newest TensorFlow and NumPy and no pin of ours. The set-up cells install
gantut from the repository's address; with --local, from a wheel that is built of this clone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from make_venv import venv_python
from project import ROOT, chapters, code_cells, read_chapter, repository_url, write_text

# What Colab has of what a chapter imports by itself, and what runs a notebook.
PREINSTALLED = [
    "tensorflow",
    "numpy",
    "matplotlib",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "ipykernel",
    "pip",
]
RUNNER = ["pytest", "nbmake"]


def make_environment(folder: Path) -> Path:
    """Makes the bare environment in ``folder``; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = venv_python(folder)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--no-compile"]  # most modules of TensorFlow are never imported
    subprocess.run([*install, *PREINSTALLED, *RUNNER], check=True)
    return python


def build_wheel(folder: Path) -> Path:
    """Builds gantut's wheel of this clone into ``folder``; returns its path."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def with_wheel(notebook: Any, wheel: Path) -> Any:
    """The notebook with ``wheel`` in place of the repository's address in its set-up cell."""
    setup = code_cells(notebook)[0]
    address = f"git+{repository_url()}"
    if setup.source.count(address) != 1:
        raise ValueError(f"the set-up cell does not install {address}: {setup.source!r}")
    setup.source = setup.source.replace(address, wheel.as_uri())
    return notebook


def main() -> None:
    """Runs the chapters of _toc.yml, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="chapters, such as book/welcome; all if none")
    parser.add_argument("--local", action="store_true", help="install gantut from this clone")
    options = parser.parse_args()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MPLBACKEND")}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_environment(folder / "venv")
        wheel = build_wheel(folder / "wheel") if options.local else None
        for page in options.pages or chapters():
            notebook = read_chapter(ROOT / f"{page}.md")
            if wheel is not None:
                notebook = with_wheel(notebook, wheel)
            write_text(folder / f"{page}.ipynb", nbformat.writes(notebook))
        command = [str(python), "-m", "pytest", "--nbmake", "--nbmake-timeout=1800", "-v"]
        command += ["--durations=0", "-p", "no:cacheprovider"]
        command += [str(folder / f"{page}.ipynb") for page in options.pages or chapters()]
        sys.exit(subprocess.run(command, cwd=folder, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
