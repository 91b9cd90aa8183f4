"""Writes book/exercises/x.ipynb, a chapter's exercises with blanks, and the answers to check.

A solution states its answer in a hidden assertion, with a comment that says what is asked for:

    assert 0.55 < won < 0.85  # answer: the share of pairs in which the real image wins

The assertion is one of ``low < value < high``, ``value == number`` and
``np.allclose(value, numbers, atol=margin)``, with literal bounds. The tests run it with the
chapter. The bounds go to gantut/exercises.json, by which `gantut.exercises.check` judges a reader's
answer.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import numpy as np
from plain import address, markdown
from project import (
    BOOK,
    ROOT,
    chapters,
    read_chapter,
    write_text,
)

ANSWERS = ROOT / "gantut/exercises.json"
FOLDER = BOOK / "exercises"
HEADING = "## Exercises"
EXERCISE = re.compile(
    r"^:::\{exercise-start\} ([^\n]+)\n:label: (\S+)\n:::\n(.*?)^:::\{exercise-end\}",
    re.MULTILINE | re.DOTALL,
)
SOLUTION = re.compile(r"^:::\{solution-(?:start\} (\S+)|end\})", re.MULTILINE)
NOTEBOOK = re.compile(r"\]\(([\w-]+)\.ipynb\)")  # another chapter's, from its folder
ANSWER = re.compile(r"  # answer: (.+)$")


class Exercise(NamedTuple):
    """An exercise; ``answer`` has what is asked for and its bounds, or is None."""

    label: str
    title: str
    text: str
    answer: dict[str, Any] | None


def bounds(assertion: str) -> tuple[Any, Any]:
    """The least and the largest value that an assertion allows.

    Raises:
        ValueError: If it has none of the forms above.
    """
    match ast.parse(assertion).body:
        case [ast.Assert(ast.Compare(left, [_, _] as signs, [_, right]))] if all(
            isinstance(sign, ast.Lt | ast.LtE) for sign in signs
        ):
            return ast.literal_eval(left), ast.literal_eval(right)
        case [ast.Assert(ast.Compare(_, [ast.Eq()], [right]))]:
            return (value := ast.literal_eval(right)), value
        case [ast.Assert(ast.Call(_, [_, right], [ast.keyword("atol", margin)]))]:
            value, off = np.array(ast.literal_eval(right)), ast.literal_eval(margin)
            return np.round(value - off, 9).tolist(), np.round(value + off, 9).tolist()
    raise ValueError(f"states no bounds: {assertion}")


def exercises(notebook: Any) -> list[Exercise]:
    """The exercises of a chapter, with the answers that its solutions state."""
    found: dict[str, tuple[str, str]] = {}
    answers: dict[str, dict[str, Any]] = {}
    solved = None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for title, label, text in EXERCISE.findall(cell.source):
                found[label] = (title, text)
            for label in SOLUTION.findall(cell.source):
                solved = label or None
            continue
        for line in cell.metadata.get("nbmake", {}).get("post_cell_execute", []):
            if asked := ANSWER.search(line):
                if solved is None or solved in answers:
                    raise ValueError(f"outside a solution, or its second answer: {line}")
                low, high = bounds(line)
                answers[solved] = {"asked": asked[1], "low": low, "high": high}
    return [Exercise(label, *texts, answers.get(label)) for label, texts in found.items()]


def with_blanks(page: str) -> tuple[str, list[Exercise]]:
    """The notebook with blanks for a chapter, as a file's text, and its exercises."""
    notebook = read_chapter(ROOT / f"{page}.md")
    at = next(i for i, cell in enumerate(notebook.cells) if HEADING in cell.source)
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    assert title is not None
    seconds = re.search(r"Runs in about (\d+) seconds", "".join(c.source for c in notebook.cells))
    takes = f", about {seconds[1]} seconds on two cores" if seconds else ""
    opening = (
        f"# Exercises: {title[1]}\n\n"
        f"These are the exercises of [the chapter]({address(Path(page).name)}), which has the "
        f"solutions. First run the chapter's code{takes}.\n\n## The chapter's code"
    )
    make = nbformat.v4
    cells = [make.new_markdown_cell(opening, id="opening")]
    for number, cell in enumerate(c for c in notebook.cells[:at] if c.cell_type == "code"):
        cells.append(make.new_code_cell(cell.source, id=f"chapter-{number}"))
    found = exercises(notebook)
    for one in found:
        text = f"## {one.title}\n\n{markdown(one.text, Path(page).name)}"
        text = NOTEBOOK.sub(lambda link: f"]({address(link[1])})", text)
        cells.append(make.new_markdown_cell(text, id=f"{one.label}-text"))
        cells.append(make.new_code_cell("# Your code\n", id=f"{one.label}-code"))
        if one.answer:
            check = (
                "from gantut import exercises\n\n"
                f"# {one.answer['asked']}\nanswer = ...\n"
                f'exercises.check("{one.label}", answer)'
            )
            cells.append(make.new_code_cell(check, id=f"{one.label}-check"))
    result = make.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": notebook.metadata["kernelspec"],
            "language_info": {"name": "python"},
        },
    )
    nbformat.validate(result)
    return nbformat.writes(result) + "\n", found


def contents() -> dict[Path, str]:
    """What belongs into each file that this tool writes."""
    files: dict[Path, str] = {}
    answers: dict[str, dict[str, Any]] = {}
    for page in chapters():
        files[FOLDER / f"{Path(page).name}.ipynb"], found = with_blanks(page)
        answers |= {one.label: one.answer for one in found if one.answer}
    lines = [f"{json.dumps(label)}: {json.dumps(answers[label])}" for label in sorted(answers)]
    files[ANSWERS] = "{\n" + ",\n".join(lines) + "\n}\n"
    return files


def write() -> None:
    """Writes the files that are not as they should be, and says which."""
    for path, text in contents().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            write_text(path, text)
            print(f"{path.relative_to(ROOT)}: written")


if __name__ == "__main__":
    write()
