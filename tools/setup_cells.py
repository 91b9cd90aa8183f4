"""Writes what follows from the repository's address in _config.yml: run after changing it.

That is the address of the pages, the set-up cell of each chapter and the links in README.md,
CITATION.cff, pyproject.toml and the other files that name the address.
"""

import re
from pathlib import Path

from project import (
    BOOK,
    ROOT,
    colab_url,
    is_notebook,
    pages_url,
    repository_url,
    setup_cell_myst,
    write_text,
)
from sync_notebooks import sync

# The files outside the chapters that name the address, and no other GitHub repository's.
LINKED = [
    "README.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "pyproject.toml",
    ".github/ISSUE_TEMPLATE/config.yml",
]
ADDRESS = re.compile(r"https://github\.com/[\w-]+/[\w-]+(?:\.[\w-]+)*")
PAGES = re.compile(r"https://[\w-]+\.github\.io/[\w.-]+/")
COLAB = re.compile(r"https://colab\.research\.google\.com/github/\S+?/blob/main/(\S+?)\.ipynb")
CELL = re.compile(
    r"```\{code-cell\} ipython3\n:tags: \[remove-cell\]\n\n"
    r"import importlib\.util\n.*?%pip.*?\n```\n",
    re.DOTALL,
)
BASE_URL = re.compile(r"^  baseurl: .*$", re.MULTILINE)
TITLE = re.compile(r"^# .*\n", re.MULTILINE)


def with_setup_cell(text: str) -> str:
    """A chapter's text with the set-up cell as its first code cell."""
    cell = setup_cell_myst()
    if CELL.search(text):
        return CELL.sub(lambda _: cell, text, count=1)
    title = TITLE.search(text)
    if title is None:
        raise ValueError("a chapter needs a title, '# ...', for the set-up cell to stand below it")
    return f"{text[: title.end()]}\n{cell}{text[title.end() :]}"


def update(path: Path, text: str) -> None:
    """Writes ``text`` to ``path`` and says so, if that changes the file."""
    if path.read_text("utf-8") != text:
        write_text(path, text)
        print(f"{path.relative_to(ROOT)}: written")


def main() -> None:
    """Rewrites every file that follows from the address."""
    for name in LINKED:
        text = (ROOT / name).read_text("utf-8")
        text = COLAB.sub(lambda link: colab_url(link[1]), PAGES.sub(pages_url(), text))
        update(ROOT / name, ADDRESS.sub(repository_url(), text))
    config = (ROOT / "_config.yml").read_text("utf-8")
    update(ROOT / "_config.yml", BASE_URL.sub(f"  baseurl: {pages_url()}", config))
    for markdown in sorted(BOOK.glob("*.md")):
        if is_notebook(markdown):
            update(markdown, with_setup_cell(markdown.read_text("utf-8")))
            sync(markdown)


if __name__ == "__main__":
    main()
