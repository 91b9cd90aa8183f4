"""Builds the book with plain Sphinx, without Jupyter Book and without running a notebook.

What ``make sphinx`` and ``make links`` run, so that the book outlives Jupyter Book 1: a virtual
environment of its own has the newest Sphinx, and Sphinx's conf.py follows from _config.yml. As
nothing is run, references to figures that code draws lead nowhere. Any other warning is an error.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from build_book import JUPYTER_BOOK
from make_venv import venv_python
from project import ROOT

BUILD = ROOT / "build/sphinx"
CONFIG = ROOT / "conf.py"  # beside _config.yml, as its paths begin there; removed after the build
JUPYTER_BOOK_ONLY = ["jupyter_book", "sphinx_comments", "sphinx_jupyterbook_latex"]
JUPYTER_BOOK_ONLY += ["sphinx_multitoc_numbering", "sphinx_thebe"]
PACKAGES = ["sphinx>=8.2", "myst-nb", "sphinx-book-theme", "sphinx-external-toc"]
PACKAGES += ["sphinxcontrib-bibtex", "sphinx-copybutton", "sphinx-design", "sphinx-exercise"]
PACKAGES += ["sphinx-proof", "sphinx-sitemap", "sphinx-togglebutton", "sphinxext-opengraph"]
PACKAGES += ["linkify-it-py", "beautifulsoup4", "jupytext", "pytest", "pyyaml", "-e", str(ROOT)]
CHANGES = f"""
extensions = [name for name in extensions if name not in {JUPYTER_BOOK_ONLY}]
nb_execution_mode = "off"
suppress_warnings += ["ref.numref", "ref.ref"]
linkcheck_anchors = False  # many sites make them by script
linkcheck_timeout = 30
"""
REFUSED = ("401", "403", "429")  # what sites answer that let no script in


def run(*command: object) -> int:
    """Runs a command in the repository; returns its status."""
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'tools'}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(list(map(str, command)), cwd=ROOT, env=env, check=False).returncode


def broken_links(report: Path) -> list[str]:
    """The links that lead nowhere, from what the linkcheck builder wrote."""
    links = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    links = [link for link in links if link["status"] != "unchecked"]
    print(f"{len(links)} external links")
    return [
        f"{link['filename']}:{link['lineno']}: {link['uri']} ({link['info'][:100]})"
        for link in links
        if link["status"] in ("broken", "timeout") and not link["info"].startswith(REFUSED)
    ]


def main() -> None:
    """Makes the environment, writes conf.py, builds; ends with Sphinx's status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builder", nargs="?", default="html", help="such as linkcheck or gettext")
    builder = parser.parse_args().builder
    python = venv_python(BUILD / "venv")
    if run(sys.executable, "-m", "venv", BUILD / "venv"):
        sys.exit(1)
    if run(python, "-m", "pip", "install", "-q", "--upgrade", *PACKAGES):
        sys.exit(1)
    try:
        if run(sys.executable, "-c", JUPYTER_BOOK, "config", "sphinx", "."):
            sys.exit(1)
        CONFIG.write_text(CONFIG.read_text("utf-8") + CHANGES, "utf-8")
        strict = ["-W", "--keep-going"] if builder != "linkcheck" else ["-q"]
        status = run(python, "-m", "sphinx", "-n", *strict, "-b", builder, ".", BUILD / builder)
    finally:
        CONFIG.unlink(missing_ok=True)
    if builder == "linkcheck":
        broken = broken_links(BUILD / builder / "output.json")
        print(f"{len(broken)} lead nowhere", *broken, sep="\n")
        status = int(bool(broken))
    sys.exit(status)


if __name__ == "__main__":
    main()
