"""Notebooks are run once, and again when anything that their results depend on has changed."""

import json
import os
import shutil
import subprocess
import sys

import book_extension
import execute_notebooks
import nbformat
import project
import pytest
from project import ROOT
from sphinx.pycode import ModuleAnalyzer

CHAPTER = """
# One

```{code-cell} ipython3
---
nbmake:
  post_cell_execute:
  - print("hidden")
  - assert value == 6
---
from gantut import FACTOR

value = 2 * FACTOR
value
```
"""
IO = """
def environment():
    versions = {"gantut": "0", "numpy": "0", "keras": "0", "tensorflow": "0"}
    return {"versions": versions, "python": "3", "machine": "test", "device": "CPU"}
"""


@pytest.fixture(scope="module")
def small_book(tmp_path_factory, chapter_header):
    """A project with a tiny package and one chapter, and our tools."""
    root = tmp_path_factory.mktemp("small")
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/one\n")
    (root / "book").mkdir()
    (root / "book/one.md").write_text(chapter_header + CHAPTER)
    (root / "gantut").mkdir()
    (root / "gantut/__init__.py").write_text("FACTOR = 3\n")
    (root / "gantut/_files.py").write_text(IO)
    return root


def execute(root):
    """Runs the executor in ``root``; returns its status, output and the executed notebook."""
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "tools/execute_notebooks.py"]
    said = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    path = root / "build/executed/book/one.ipynb"
    notebook = nbformat.read(path, as_version=4) if path.exists() else None
    return said.returncode, said.stdout, notebook


def cached(root):
    """The notebooks in the build's cache."""
    return list((root / "_build/.jupyter_cache").rglob("*.ipynb"))


@pytest.mark.slow
def test_a_chapter_is_run_once_until_something_changes(small_book, chapter_header):
    status, said, notebook = execute(small_book)
    assert status == 0, said
    assert "1 to run" in said
    assert "1 passed" in said
    (cell,) = project.code_cells(notebook)
    assert [output["data"]["text/plain"] for output in cell.outputs] == ["6"]
    assert set(cell.metadata) == {"nbmake"}
    assert len(cached(small_book)) == 1
    record = json.loads((small_book / "build/executed/run.json").read_text())
    assert list(record) == ["book/one"]
    assert record["book/one"]["seconds"] > 0
    assert record["book/one"]["machine"] == "test"

    status, said, _ = execute(small_book)
    assert status == 0
    assert "0 to run, 1 already" in said
    assert "passed" not in said

    # A change of the text alone changes no result.
    (small_book / "book/one.md").write_text(
        chapter_header + "\n# Uno\n" + CHAPTER.split("# One\n")[1]
    )
    assert "0 to run" in execute(small_book)[1]

    # A change of the package, of whatever file, may.
    (small_book / "gantut/weights.bin").write_bytes(b"1")
    status, said, _ = execute(small_book)
    assert status == 0
    assert "1 to run" in said

    # A damaged result is not shown.
    (small_book / "build/executed/book/one.ipynb").write_text("{}")
    status, said, _ = execute(small_book)
    assert status == 0
    assert "1 to run" in said

    # A hidden assertion that fails, fails the run, and no result is left to show.
    (small_book / "gantut/__init__.py").write_text("FACTOR = 4\n")
    status, said, _ = execute(small_book)
    assert status != 0
    assert "1 failed" in said
    assert "value == 6" in said
    assert cached(small_book) == []
    assert json.loads((small_book / "build/executed/run.json").read_text()) == {}


AT_ONCE = """
# Waits for the other

```{code-cell} ipython3
import pathlib, time

pathlib.Path("../MINE").touch()
deadline = time.monotonic() + 60
while not pathlib.Path("../OTHER").exists():
    assert time.monotonic() < deadline, "the other chapter was not running"
    time.sleep(0.05)
```
"""


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_chapters_run_side_by_side(small_book, chapter_header, tmp_path):
    root = tmp_path / "book"
    shutil.copytree(small_book, root)
    (root / "gantut/__init__.py").write_text("FACTOR = 3\n")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/one\nchapters:\n- file: book/two\n- file: book/three\n"
    )
    for page, mine, other in (("two", "a", "b"), ("three", "b", "a")):
        text = AT_ONCE.replace("MINE", mine).replace("OTHER", other)
        (root / f"book/{page}.md").write_text(chapter_header + text)
    status, said, _ = execute(root)
    assert status == 0, said
    assert "3 of 3 ready" in said
    record = json.loads((root / "build/executed/run.json").read_text())
    assert all(record[f"book/{page}"]["seconds"] > 0 for page in ("one", "two", "three"))


def test_the_longest_chapters_are_known():
    """They are run first. The opening alone does not say how long it takes."""
    silent = [page for page in project.chapters() if not execute_notebooks.stated_seconds(page)]
    assert silent == project.toc_pages()[:1]


def test_keys_tell_apart_what_results_depend_on(monkeypatch):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell("x = 1")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    key = execute_notebooks.chapter_key(notebook, "here")
    assert execute_notebooks.chapter_key(notebook, "elsewhere") != key
    notebook.cells[0].source = "other text"
    assert execute_notebooks.chapter_key(notebook, "here") == key
    notebook.cells[1].metadata["nbmake"] = {"post_cell_execute": ["assert x"]}
    assert execute_notebooks.chapter_key(notebook, "here") != key

    before = execute_notebooks.surroundings_key()
    assert execute_notebooks.surroundings_key() == before
    monkeypatch.setattr(execute_notebooks, "installed_versions", lambda: ["keras==0"])
    assert execute_notebooks.surroundings_key() != before


@pytest.mark.parametrize("name", ["gantut/data.py", "benchmarks/results/fast.json"])
def test_a_change_of_the_package_or_of_a_recorded_result_makes_the_chapters_due(
    name, tmp_path, monkeypatch
):
    monkeypatch.setattr(execute_notebooks, "ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    keys = set()
    for text in ("1", "2"):
        path.write_text(text)
        keys.add(execute_notebooks.surroundings_key())
    path.rename(path.with_name("other"))
    keys.add(execute_notebooks.surroundings_key())
    assert len(keys) == 3


def test_installed_versions_are_all_but_ours():
    versions = execute_notebooks.installed_versions()
    assert any(version.startswith("keras==") for version in versions)
    assert not any(version.startswith("gantut==") for version in versions)


def test_what_was_not_run_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(execute_notebooks, "RECORD", tmp_path / "run.json")
    (problem,) = execute_notebooks.run_problems({"book/one": "key"})
    assert problem.startswith("book/one was not executed")
    (tmp_path / "run.json").write_text("[ half")
    assert len(execute_notebooks.run_problems({"book/one": "key", "book/two": "key"})) == 2


def test_the_table_of_runs_adds_up():
    entry = {
        "seconds": 1.5,
        "device": "CPU",
        "date": "2026-01-01",
        "machine": "here",
        "python": "3.11.0",
        "versions": {"keras": "3.6.0"},
    }
    record = {"book/one": entry, "book/two": entry | {"seconds": 2.6}}
    lines = book_extension.run_table(record, ["book/two", "book/one"])
    assert lines[2] == "| [](/book/two.md) | 3 | CPU | 2026-01-01 |"
    assert lines[4] == "| **Together** | **4** | | |"
    assert "| Python | 3.11.0 |" in lines
    assert "| keras | 3.6.0 |" in lines
    assert lines[-1] == "Machine: here."


def test_a_package_says_of_its_tables_what_its_files_say():
    book_extension.lend_docs_of_data(None)
    for package, name in (("checks", "CHECKS"), ("diagnosis", "READINGS")):
        text = ModuleAnalyzer.for_module(f"gantut.{package}").attr_docs["", name]
        assert text[0].endswith(".")
