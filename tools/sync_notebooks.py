"""Writes each chapter's .ipynb from its .md, which is the source; cells keep their ids.

The notebooks of exercises follow (make_exercises.py).
"""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

import jupytext
import make_exercises
import nbformat
from plain import as_notebook
from project import (
    BOOK,
    CELL_METADATA,
    ROOT,
    cell_content,
    code_cells,
    is_notebook,
    read_chapter,
    write_text,
)


def keep_ids(new: Any, old: Any) -> None:
    """Gives the cells of ``new`` that are in ``old`` too the ids that they have there.

    A changed cell keeps the id of the cell in whose place it stands, so that a diff of the notebook
    shows what changed and no more.
    """
    a = [repr(cell_content(cell)) for cell in old.cells]
    b = [repr(cell_content(cell)) for cell in new.cells]
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind in ("equal", "replace"):
            for i, j in zip(range(a0, a1), range(b0, b1), strict=False):
                new.cells[j].id = old.cells[i].id


def sync(markdown: Path) -> bool:
    """Writes the notebook beside ``markdown``; returns whether that changed it."""
    notebook = as_notebook(read_chapter(markdown), markdown)
    path = markdown.with_suffix(".ipynb")
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata}
        )
    if path.exists():
        keep_ids(notebook, jupytext.read(path))
    header = notebook.metadata["jupytext"]
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": notebook.metadata["kernelspec"],
            "jupytext": {key: header[key] for key in ("formats", "text_representation")},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text("utf-8") == text:
        return False
    write_text(path, text)
    return True


def pair_problems(page: str, root: Path = ROOT) -> list[str]:
    """What is wrong with the two files of a chapter: out of step, or results left in the notebook.

    Args:
        page: The chapter without its ending, such as ``book/welcome``.
        root: The folder that ``page`` is under.

    Returns:
        One line for each problem; empty if there is none.
    """
    notebook_path = root / f"{page}.ipynb"
    if not notebook_path.exists():
        return [f"{page}.ipynb is missing: run make sync"]
    notebook = jupytext.read(notebook_path)
    markdown = root / f"{page}.md"
    source = as_notebook(read_chapter(markdown), markdown)
    problems = []
    for index, cell in enumerate(code_cells(notebook)):
        if cell.outputs:
            problems.append(f"{page}.ipynb: code cell {index} has outputs: run make sync")
        if cell.execution_count is not None:
            problems.append(f"{page}.ipynb: code cell {index} has a number: run make sync")
    for index, cell in enumerate(notebook.cells):
        extra = sorted(set(cell.metadata) - set(CELL_METADATA))
        if extra:
            problems.append(f"{page}.ipynb: cell {index} has metadata {extra}: run make sync")
    if notebook.metadata.get("kernelspec") != source.metadata.get("kernelspec"):
        problems.append(f"{page}: the kernels of .md and .ipynb differ: run make sync")
    ours = [cell_content(cell) for cell in source.cells]
    theirs = [cell_content(cell) for cell in notebook.cells]
    if ours != theirs:
        first = next(
            (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
            min(len(ours), len(theirs)),
        )
        problems.append(f"{page}: .md and .ipynb differ from cell {first} on: run make sync")
    return problems


def main() -> None:
    """Syncs the chapters named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapters", nargs="*", type=Path, help="book/x.md; all if none is named")
    chosen = parser.parse_args().chapters or sorted(BOOK.glob("*.md"))
    for markdown in chosen:
        if markdown.suffix != ".md" or not markdown.exists():
            sys.exit(f"{markdown} is not a chapter's .md file")
        if is_notebook(markdown):
            changed = sync(markdown.resolve())
            name = markdown.resolve().relative_to(ROOT).with_suffix(".ipynb")
            print(f"{name}: {'written' if changed else 'in step'}")
    make_exercises.write()


if __name__ == "__main__":
    main()
