"""The notebooks with blanks follow the chapters, hold no solution, and can check most answers."""

import json
import re

import make_exercises
import nbformat
import numpy as np
import project
import pytest
from project import ROOT

CHAPTERS = project.chapters()


@pytest.fixture(scope="module")
def contents():
    return make_exercises.contents()


def test_the_files_are_in_step(contents):
    for path, text in contents.items():
        assert path.read_text("utf-8") == text, f"{path.name}: run make sync"
    assert set(make_exercises.FOLDER.iterdir()) == set(contents) - {make_exercises.ANSWERS}


def test_most_exercises_can_be_checked():
    found = [
        one
        for page in CHAPTERS
        for one in make_exercises.exercises(project.read_chapter(ROOT / f"{page}.md"))
    ]
    assert len(found) > 70
    assert sum(one.answer is not None for one in found) > 0.6 * len(found)


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_notebook_has_the_exercises_and_no_solution(page, contents):
    source = (ROOT / f"{page}.md").read_text("utf-8")
    path = make_exercises.FOLDER / f"{page.removeprefix('book/')}.ipynb"
    notebook = nbformat.reads(contents[path], as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    before, _, after = source.partition(f"\n{make_exercises.HEADING}\n")
    labels = re.findall(r"exercise-start\}.*\n:label: (\S+)", after)
    assert labels == [c.id.removesuffix("-code") for c in notebook.cells if c.id.endswith("-code")]
    code = [cell.source for cell in project.code_cells(notebook)]
    assert code[0] == project.setup_cell()
    for cell in project.code_cells(project.read_chapter(ROOT / f"{page}.md")):
        assert (cell.source in code) == (cell.source in before)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"\{[\w:]+\}`|:::|\]\((?!https://)", prose)
    assert "assert " not in "".join(s for s in code if s not in before)
    answered = re.findall(r'^exercises\.check\("(\S+)", answer\)$', text, re.MULTILINE)
    assert set(answered) <= set(labels)
    assert after.count("  # answer: ") == len(answered)
    link = f"You can work on them in [a notebook with blanks](path:exercises/{path.name})"
    assert f"\n{link}{', which checks the numbers that you find' if answered else ''}.\n" in after


@pytest.mark.parametrize(
    ("assertion", "expected"),
    [
        ("assert 0.5 < x < 1", (0.5, 1)),
        ("assert -2e-3 <= x['a'] <= -1", (-2e-3, -1)),
        ("assert n == 140_131", (140131, 140131)),
        ("assert found == [3, 6]", ([3, 6], [3, 6])),
        ("assert np.allclose(x, [0.5, -1], atol=0.1)", ([0.4, -1.1], [0.6, -0.9])),
    ],
)
def test_the_bounds_are_those_of_the_assertion(assertion, expected):
    assert make_exercises.bounds(assertion) == expected


@pytest.mark.parametrize(
    "assertion",
    ["assert x < 1", "assert 1 > x > 0", "assert 0 < x < limit", "x = 1",
     "assert np.allclose(x, [1], rtol=0.1)"],
)  # fmt: skip
def test_an_assertion_without_literal_bounds_is_an_error(assertion):
    with pytest.raises(ValueError, match=r"states no bounds|malformed node"):
        make_exercises.bounds(assertion)


def test_an_answer_outside_a_solution_is_an_error(chapter_header, tmp_path):
    cell = (
        "```{code-cell} ipython3\n---\nnbmake:\n  post_cell_execute:\n"
        "  - 'assert 1 < x < 2  # answer: x'\n---\nx = 1.5\n```\n"
    )
    path = tmp_path / "x.md"
    path.write_text(f"{chapter_header}\n# X\n\n{cell}", "utf-8")
    with pytest.raises(ValueError, match="outside a solution"):
        make_exercises.exercises(project.read_chapter(path))


@pytest.mark.parametrize(
    "path", sorted(make_exercises.FOLDER.glob("*.ipynb")), ids=lambda p: p.stem
)
def test_a_notebook_takes_right_answers_and_no_wrong_ones(path):
    answers = json.loads(make_exercises.ANSWERS.read_text("utf-8"))
    for cell in nbformat.read(path, as_version=4).cells:
        if label := re.search(r'exercises\.check\("(.+)", answer\)', cell.source):
            low, high = (np.array(answers[label[1]][bound], float) for bound in ("low", "high"))
            for answer, is_right in (((low + high) / 2, True), (high + 1 + abs(high), False)):
                names = {}
                source = cell.source.replace("answer = ...", f"answer = {answer.tolist()}")
                exec(source.replace("exercises.check(", "said = exercises.check("), names)
                assert (names["said"] == "right") == is_right
