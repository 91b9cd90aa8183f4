"""Runs the chapters as Google Colab would: of ours, only what a set-up cell installs.

A new environment gets the newest TensorFlow and NumPy, no pin of ours, and a module
``google.colab`` that makes the set-up cells believe they are there. They install gantut from the
repository's address; with --local, git reads that address from this clone's last commit instead.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from make_venv import venv_python
from project import ROOT, chapters, read_chapter, repository_url, write_text

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
    subprocess.run([*install, *PREINSTALLED, *RUNNER], check=True)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    said = subprocess.run([str(python), "-c", where], check=True, capture_output=True, text=True)
    site = Path(said.stdout.strip())
    write_text(site / "google/colab/__init__.py", '"""Stands in for Colab\'s module."""\n')
    # A .pth file's import line is run when an interpreter starts.
    write_text(site / "pretend_colab.pth", "import google.colab\n")
    return python


def main() -> None:
    """Runs the chapters of _toc.yml, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="chapters, such as book/welcome; all if none")
    parser.add_argument("--local", action="store_true", help="install gantut from this clone")
    options = parser.parse_args()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MPLBACKEND")}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    if options.local:
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": repository_url(),
        }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_environment(folder / "venv")
        for page in options.pages or chapters():
            notebook = read_chapter(ROOT / f"{page}.md")
            write_text(folder / f"{page}.ipynb", nbformat.writes(notebook))
        command = [str(python), "-m", "pytest", "--nbmake", "--nbmake-timeout=1800", "-v"]
        command += [str(folder / f"{page}.ipynb") for page in options.pages or chapters()]
        sys.exit(subprocess.run(command, cwd=folder, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
