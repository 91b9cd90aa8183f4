"""Each chapter is a pair in step, has the set-up cell, and is in the table of contents."""

import re
import subprocess
import sys

import cross_references
import nbformat
import project
import pytest
import setup_cells
import sync_notebooks
from project import BOOK, ROOT

import gantut

CHAPTERS = project.chapters()


def test_every_page_is_in_the_table_of_contents_once():
    pages = project.toc_pages()
    assert len(pages) == len(set(pages))
    assert sorted(pages) == sorted(f"book/{path.stem}" for path in BOOK.glob("*.md"))


def test_notebooks_and_chapters_are_the_same():
    assert CHAPTERS
    assert sorted(CHAPTERS) == sorted(f"book/{path.stem}" for path in BOOK.glob("*.ipynb"))


def test_nbmake_collects_every_chapter():
    command = [sys.executable, "-m", "pytest", "--nbmake", "--collect-only", "-q", "book/"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^(book/\S+)\.ipynb::", said, re.MULTILINE)
    assert sorted(found) == sorted(CHAPTERS)


def test_the_api_reference_has_every_public_module():
    text = (BOOK / "api.md").read_text("utf-8")
    documented = re.findall(r"automodule:: gantut\.(\w+)\n   :members:", text)
    assert sorted(documented) == sorted(gantut.MODULES)
    applied = re.findall(r"automodule:: gantut\.applications\.(\w+)\n   :members:", text)
    assert sorted(applied) == sorted(gantut.applications.MODULES)
    assert set(gantut.EXPORTS.values()) <= gantut.MODULES


def test_the_api_reference_names_a_chapter_for_every_module():
    text = (BOOK / "api.md").read_text("utf-8")
    modules = re.findall(r"automodule:: (gantut\.[\w.]+)", text)
    explained = re.findall(
        r"Explained in \[\]\((\w+)\.md\)\.\n\n```\{eval-rst\}\n\.\. automodule:: (\S+)", text
    )
    assert [module for _, module in explained] == modules
    for page, module in explained:
        assert f"book/{page}" in project.toc_pages(), module
    listed = re.findall(r"^   (gantut\.[\w.]+)$", text, re.MULTILINE)
    assert listed == modules


def test_a_public_name_is_that_of_the_module_that_defines_it():
    assert cross_references.public_name("gantut.GAN.fit") == "gantut.gan.GAN"
    assert cross_references.public_name("gantut.metrics.psnr") == "gantut.metrics.psnr"
    for name in ("gantut", "gantut.metrics", "gantut.metrics.np", "gantut.nothing.at.all",
                 "gantut._files.atomic_write", "numpy.mean"):  # fmt: skip
        assert cross_references.public_name(name) is None


def test_what_a_cell_uses_is_found_in_its_code():
    imported: dict[str, str] = {}
    names = cross_references.names_in_code
    assert (
        names("import numpy as np\nimport gantut\nfrom gantut import metrics as m", imported) == []
    )
    assert names("np.mean(m.psnr(x, y))\ngan = gantut.GAN(g, d)\nm.psnr", imported) == [
        "gantut.metrics.psnr",
        "gantut.gan.GAN",
    ]
    assert names("from gantut.toys import train\n\ndef f():\n    return train", imported) == [
        "gantut.toys.train"
    ]
    assert names("%pip install gantut", imported) == []
    assert names("make().psnr", imported) == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_pair_is_in_step_and_has_no_outputs(page):
    assert sync_notebooks.pair_problems(page) == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_chapter_keeps_the_rules(page):
    assert project.chapter_problems(page) == []


def test_each_solution_on_the_page_of_widgets_claims_what_the_browser_tests_check():
    text = (BOOK / "play.md").read_text("utf-8")
    exercises = re.findall(r"^:::\{exercise-start\} .*\n:label: (\S+)", text, re.MULTILINE)
    solutions = re.findall(
        r"^:::\{solution-start\} (\S+)\n(.*?)^:::\{solution-end\}", text, re.MULTILINE | re.DOTALL
    )
    assert len(exercises) >= 3
    assert [name for name, _ in solutions] == exercises
    for name, solution in solutions:
        assert 'data-assert="' in solution, name


@pytest.mark.parametrize("page", CHAPTERS)
def test_ids_of_cells_are_unique(page):
    notebook = nbformat.read(ROOT / f"{page}.ipynb", as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_the_set_up_cell_follows_from_the_config():
    cell = project.setup_cell()
    assert f'"gantut @ git+{project.repository_url()}"' in cell
    assert project.colab_url("book/welcome") == (
        "https://colab.research.google.com/github/gantut/gantut/blob/main/book/welcome.ipynb"
    )


# The checks themselves: each must notice what it is for.

BODY = f"""
# A chapter

{project.setup_cell_myst()}
Some text.

```{{code-cell}} ipython3
---
nbmake:
  post_cell_execute:
  - assert x == 1
---
x = 1
```

## Recap

## Exercises

:::{{exercise-start}}
:label: ex-one
:::

:::{{exercise-end}}
:::

:::{{solution-start}} ex-one
:::

:::{{solution-end}}
:::
"""


@pytest.fixture
def source(chapter_header):
    """A chapter as it should be."""
    return chapter_header + BODY


@pytest.fixture
def pair(tmp_path, monkeypatch, source):
    """A chapter in step in a folder of its own; returns its .md path."""
    monkeypatch.setattr(sync_notebooks, "ROOT", tmp_path)
    markdown = tmp_path / "book/x.md"
    markdown.parent.mkdir()
    markdown.write_text(source)
    assert sync_notebooks.sync(markdown)
    return markdown


def test_a_pair_in_step_is_left_alone(pair):
    assert not sync_notebooks.sync(pair)
    assert sync_notebooks.pair_problems("book/x", pair.parent.parent) == []
    assert project.chapter_problems("book/x", pair.parent.parent) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Some text.", "Other text."),
        ("x = 1\n", "x = 2\n"),
        ("assert x == 1", "assert x == 2"),
        ("## Recap", "## Recap\n\n+++\n\nOne more cell."),
        ("name: python3", "name: python4"),
    ],
)
def test_a_pair_out_of_step_is_noticed_and_mended(pair, before, after, source):
    assert before in source
    pair.write_text(source.replace(before, after))
    (problem,) = sync_notebooks.pair_problems("book/x", pair.parent.parent)
    assert "make sync" in problem
    assert sync_notebooks.sync(pair)
    assert sync_notebooks.pair_problems("book/x", pair.parent.parent) == []


def test_sync_keeps_the_ids_of_cells(pair, source):
    path = pair.with_suffix(".ipynb")
    before = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    pair.write_text(
        source.replace("x = 1\n", "x = 1  # changed\n").replace("# A ch", "New.\n\n+++\n\n# A ch")
    )
    sync_notebooks.sync(pair)
    after = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    assert after[1:] == before


def test_results_left_in_a_notebook_are_noticed(pair):
    path = pair.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    cell = project.code_cells(notebook)[1]
    cell.outputs = [nbformat.v4.new_output("stream", text="1")]
    cell.execution_count = 1
    cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    nbformat.write(notebook, path)
    problems = sync_notebooks.pair_problems("book/x", pair.parent.parent)
    assert len(problems) == 3
    for problem, word in zip(problems, ["outputs", "number", "execution"], strict=True):
        assert word in problem


def test_a_missing_notebook_is_noticed(pair):
    pair.with_suffix(".ipynb").unlink()
    (problem,) = sync_notebooks.pair_problems("book/x", pair.parent.parent)
    assert "missing" in problem


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("gantut @ git+https://github.com/", "gantut @ git+https://elsewhere.org/", "set-up"),
        (":tags: [remove-cell]\n", "", "set-up"),
        ("Some text.", 'Some "%pip".', "once"),
        ("  - assert x == 1", "  - assert x ==", "invalid syntax"),
        ("  post_cell_execute:\n  - assert x == 1", "  post_cell_execute: assert x == 1", "list"),
        ("{solution-start} ex-one", "{solution-start} ex-two", "do not match"),
        ("## Recap", "## Summary", "Recap"),
        ("## Exercises", "## Questions", "Exercises"),
    ],
)
def test_a_chapter_that_breaks_a_rule_is_noticed(pair, before, after, complaint, source):
    assert before in source
    pair.write_text(source.replace(before, after))
    (problem,) = project.chapter_problems("book/x", pair.parent.parent)
    assert complaint in problem


def test_metadata_that_is_no_yaml_is_reported_with_the_files_name(pair, source):
    pair.write_text(source.replace("  - assert x == 1", "  - @assert"))
    with pytest.raises(ValueError, match=r"x\.md: Code cell \d+ at line"):
        project.read_chapter(pair)


def test_the_set_up_cell_is_written_where_it_is_missing_and_replaced_where_it_is_old(source):
    cell = project.setup_cell_myst()
    assert setup_cells.with_setup_cell(source) == source
    old = source.replace("git+https://github.com/gantut/gantut", "git+https://github.com/a/b")
    assert old != source
    assert setup_cells.with_setup_cell(old) == source
    without = source.replace(f"{cell}\n", "")
    assert setup_cells.with_setup_cell(without).count(cell) == 1
    with pytest.raises(ValueError, match="title"):
        setup_cells.with_setup_cell("No title.")
