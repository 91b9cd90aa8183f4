"""What the tools and the book's tests share: where things are, what a chapter must look like."""

import ast
import json
import math
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import yaml
from jupytext.myst import MystMetadataParsingError

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
BUILD = ROOT / "_build"

WORDS_PER_MINUTE = 200
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

# The metadata that both files of a pair keep; the rest is an editor's.
CELL_METADATA = ("tags", "nbmake", "mystnb")


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` to ``path``, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    os.close(handle)
    try:
        Path(name).write_text(text, encoding="utf-8", newline="\n")
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def find_browser() -> str | None:
    """The path of the system's Chromium or Chrome, if it has one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def repository_url() -> str:
    """The repository's address: the one in _config.yml."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    return str(config["repository"]["url"])


def pages_url() -> str:
    """Where GitHub publishes the pages of that repository."""
    owner, name = repository_url().removeprefix("https://github.com/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def toc_pages() -> list[str]:
    """The documents of _toc.yml in reading order, such as ``book/welcome``."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    pages = [toc["root"]]

    def collect(entry: Any) -> None:
        if isinstance(entry, dict):
            if "file" in entry:
                pages.append(entry["file"])
            for value in entry.values():
                collect(value)
        elif isinstance(entry, list):
            for item in entry:
                collect(item)

    collect(toc.get("parts", []))
    collect(toc.get("chapters", []))
    return pages


def toc_parts() -> list[tuple[str, list[str]]]:
    """The parts of _toc.yml in reading order: each with its caption and its pages."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return [
        (part["caption"], [chapter["file"] for chapter in part["chapters"]])
        for part in toc["parts"]
    ]


def chapter_facts() -> dict[str, Any]:
    """What _chapters.yml says: ``chapters``, by page, and the pages of the ``shortest`` path."""
    facts = yaml.safe_load((ROOT / "_chapters.yml").read_text("utf-8"))
    chapters = {
        f"book/{name}": {**fact, "needs": [f"book/{need}" for need in fact["needs"]]}
        for name, fact in facts["chapters"].items()
    }
    return {"chapters": chapters, "shortest": [f"book/{name}" for name in facts["shortest"]]}


def reading_minutes(text: str) -> int:
    """How long a page's text takes at 200 words a minute, without code and exercises."""
    prose = re.split(r"^## Exercises$", text, maxsplit=1, flags=re.MULTILINE)[0]
    prose = re.sub(r"\A---\n.*?^---$", "", prose, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^(`{3,}).*?^\1$", "", prose, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"<[^>]+>|\(\S*\)|\{\S+?\}", " ", prose)
    return math.ceil(len(re.findall(r"\w[\w'-]*", prose)) / WORDS_PER_MINUTE)


def is_notebook(markdown: Path) -> bool:
    """Whether a page has jupytext's header, so that the book runs its cells."""
    return markdown.is_file() and markdown.read_text("utf-8").startswith("---\njupytext:\n")


def chapters() -> list[str]:
    """The pages of _toc.yml that are notebooks, in reading order."""
    return [page for page in toc_pages() if is_notebook(ROOT / f"{page}.md")]


def read_chapter(markdown: Path) -> Any:
    """A chapter's MyST file as a notebook."""
    try:
        return jupytext.read(markdown, fmt="md:myst")
    except MystMetadataParsingError as error:
        raise ValueError(f"{markdown.name}: {error}") from error


def code_cells(notebook: Any) -> list[Any]:
    """The cells of a notebook that are run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cell_content(cell: Any) -> tuple[str, str, dict[str, Any]]:
    """What of a cell must be alike in both files of a pair."""
    metadata = {key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata}
    # Through JSON, so that types of the two readers (tuples, node classes) do not matter.
    return cell.cell_type, cell.source, json.loads(json.dumps(metadata))


def setup_cell() -> str:
    """The first code cell of each chapter: it installs the package where it is missing."""
    return (
        "import importlib.util\n"
        "\n"
        'if importlib.util.find_spec("gantut") is None:\n'
        f'    %pip install -q "gantut @ git+{repository_url()}"'
    )


def setup_cell_myst() -> str:
    """`setup_cell` as it stands in a chapter's MyST file."""
    return f"```{{code-cell}} ipython3\n:tags: [remove-cell]\n\n{setup_cell()}\n```\n"


def colab_url(page: str) -> str:
    """The address under which Colab opens a chapter."""
    path = repository_url().removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{path}/blob/main/{page}.ipynb"


def kaggle_url(page: str) -> str:
    """The address under which Kaggle opens a chapter."""
    return f"https://kaggle.com/kernels/welcome?src={repository_url()}/blob/main/{page}.ipynb"


def syntax_error(lines: list[str]) -> str | None:
    """Why a hidden assertion is not Python, or None."""
    try:
        ast.parse("\n".join(lines))
    except SyntaxError as error:
        return str(error)
    return None


def chapter_problems(page: str, root: Path = ROOT) -> list[str]:
    """What a chapter's source breaks of the rules that CONTRIBUTING.md states.

    Args:
        page: The chapter without its ending, such as ``book/welcome``.
        root: The folder that ``page`` is under.

    Returns:
        One line for each problem; empty if there is none.
    """
    text = (root / f"{page}.md").read_text("utf-8")
    notebook = read_chapter(root / f"{page}.md")
    cells = code_cells(notebook)
    problems = []
    if (
        not cells
        or cells[0].source != setup_cell()
        or cells[0].metadata.get("tags") != ["remove-cell"]
    ):
        problems.append(f"{page}: the first code cell is not the set-up: run make setup-cells")
    if text.count("%pip") != 1:
        problems.append(f"{page}: the set-up must stand there once")
    for index, cell in enumerate(cells):
        hidden = cell.metadata.get("nbmake", {}).get("post_cell_execute", [])
        if not isinstance(hidden, list) or not all(isinstance(line, str) for line in hidden):
            problems.append(f"{page}: code cell {index}: post_cell_execute is a list of strings")
        elif error := syntax_error(hidden):
            problems.append(f"{page}: code cell {index}: post_cell_execute: {error}")
    exercises = re.findall(r"^:::+\{exercise(?:-start)?\}.*\n:label: (\S+)", text, re.MULTILINE)
    solutions = re.findall(r"^:::+\{solution(?:-start)?\} (\S+)", text, re.MULTILINE)
    opening = page == toc_pages()[0]  # tells what is to come: nothing to recapitulate yet
    if not exercises:
        problems.append(f"{page}: no exercise")
    if sorted(exercises) != sorted(solutions):
        problems.append(f"{page}: exercises {exercises} and solutions {solutions} do not match")
    return problems + [
        f"{page}: no section '## {heading}'"
        for heading in (["Exercises"] if opening else ["Recap", "Exercises"])
        if not re.search(rf"^## {heading}$", text, re.MULTILINE)
    ]
