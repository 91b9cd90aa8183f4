"""The project's own files agree with each other."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
import zipfile

import check_repository
import draw_layers
import make_dist
import make_venv
import project
import pytest
import run_as_colab
import setup_cells
import yaml
from project import ROOT, repository_url

import gantut

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_conda_gets_python_and_pip_and_the_rest_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    python = PYPROJECT["project"]["requires-python"]
    assert environment["dependencies"] == [
        f"python{python}",
        "pip",
        {"pip": ["-e .[book,test]"]},
    ]
    assert {"book", "test"} <= set(PYPROJECT["project"]["optional-dependencies"])


def test_supported_pythons_are_the_same_everywhere():
    project = PYPROJECT["project"]
    lowest, limit = make_venv.OLDEST, make_venv.TOO_NEW
    supported = [f"{lowest[0]}.{minor}" for minor in range(lowest[1], limit[1])]
    assert project["requires-python"] == f">={supported[0]},<{limit[0]}.{limit[1]}"
    classified = [
        name.rsplit(" ", 1)[1]
        for name in project["classifiers"]
        if name.startswith("Programming Language :: Python ::")
    ]
    assert classified == supported
    assert PYPROJECT["tool"]["mypy"]["python_version"] == supported[0]
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{supported[0].replace('.', '')}"
    for path in WORKFLOWS:
        named = re.findall(r'"(3\.\d+)"', path.read_text("utf-8"))
        assert named, path.name
        assert set(named) <= set(supported), path.name


def test_no_dependency_is_pinned_or_capped():
    # Colab's TensorFlow and NumPy must satisfy what the wheel asks for.
    for requirement in PYPROJECT["project"]["dependencies"]:
        assert re.fullmatch(r"[a-z-]+>=[\d.]+(,!=[\d.]+)*", requirement), requirement


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == gantut.__version__
    assert f"## {gantut.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("name", setup_cells.LINKED)
def test_links_name_the_repository_of_the_config(name):
    found = setup_cells.ADDRESS.findall((ROOT / name).read_text("utf-8"))
    assert found
    assert set(found) == {repository_url()}


def test_the_readme_leads_to_the_published_pages():
    text = (ROOT / "README.md").read_text("utf-8")
    assert set(setup_cells.PAGES.findall(text)) == {project.pages_url()}
    assert setup_cells.COLAB.findall(text) == ["book/welcome"]
    assert project.colab_url("book/welcome") in text


def test_citation_names_both_licences():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["license"] == [PYPROJECT["project"]["license"], "CC-BY-4.0"]
    assert PYPROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    text = (ROOT / "LICENSE-TEXT").read_text("utf-8")
    assert "Section 8" in text
    assert "Attribution 4.0 International" in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_make_and_nothing_else(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert commands
    for command in commands:
        if path.stem == "systems":  # Windows has no make
            tool = re.fullmatch(r"\S*python (tools[/\\]\w+\.py)( --unit)?", command)
            assert tool, command
            assert (ROOT / tool[1].replace("\\", "/")).is_file()
        else:
            assert re.fullmatch(r"make [a-z-]+", command), command
            assert command.split()[1] in targets, command


def test_ci_runs_the_same_targets_here_and_there():
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert lines[1:].count("set -euo pipefail") == 1
    here = [line for line in lines if line.startswith("make ")]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    assert here == [step["run"] for step in job["steps"] if "run" in step]
    # A page shows what the tests have run.
    assert here.index("make test") < here.index("make book")
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_versions_that_are_tried_are_those_that_are_allowed():
    script = (ROOT / ".ci/versions").read_text("utf-8")
    assert os.access(ROOT / ".ci/versions", os.X_OK)
    names = [
        c.rsplit(" ", 1)[1] for c in PYPROJECT["project"]["classifiers"] if "Python :: 3." in c
    ]
    assert f"3.1{{{','.join(name.removeprefix('3.1') for name in names)}}}:" in script
    wanted = set(re.search(r"\^\((.+?)\)==", script)[1].split("|"))
    assert wanted == {re.match(r"[\w-]+", d)[0] for d in PYPROJECT["project"]["dependencies"]}


def test_pages_are_published_from_the_named_repository_only():
    url = "https://github.com/gantut/gantut"
    assert check_repository.problem("gantut/gantut", url) is None
    assert "github.com/stranger/gantut" in str(check_repository.problem("stranger/gantut", url))
    assert "GITHUB_REPOSITORY" in str(check_repository.problem("", url))
    steps = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text("utf-8"))["jobs"][
        "publish"
    ]["steps"]
    commands = [step.get("run") or step["uses"].split("@")[0] for step in steps]
    assert commands.index("make check-repository") < commands.index("make book")
    assert commands.index("make book") < commands.index("actions/deploy-pages")


def test_a_release_needs_the_tag_of_the_version():
    assert make_dist.tag_problem("v0.1.0", "0.1.0") is None
    assert make_dist.tag_problem("", "0.1.0") is None
    assert "v0.2.0" in str(make_dist.tag_problem("v0.2.0", "0.1.0"))


def test_a_wheel_with_a_file_missing_or_a_stranger_in_it_is_noticed(tmp_path):
    package = tmp_path / "gantut"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "py.typed").write_text("")
    wheel = tmp_path / "gantut-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gantut/__init__.py", "")
        archive.writestr("gantut/results/fast.json", "{}")
        archive.writestr("book/welcome.md", "")
        archive.writestr("gantut-0.1.0.dist-info/METADATA", "")
    results = tmp_path / "results"
    results.mkdir()
    for name in ("fast", "toys"):
        (results / f"{name}.json").write_text("{}")
    assert make_dist.wheel_problems(wheel, package, results) == [
        f"{wheel.name} lacks gantut/py.typed",
        f"{wheel.name} lacks gantut/results/toys.json",
        f"{wheel.name} has book/welcome.md",
    ]


def test_the_book_is_packed_the_same_way_each_time(tmp_path):
    html = tmp_path / "html"
    (html / "book").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="run make book first"):
        make_dist.zip_book(html, tmp_path / "book-1.zip")
    for name in ("index.html", "book/welcome.html", ".buildinfo"):
        (html / name).write_text(name)
    packed = [tmp_path / "book-1.zip", tmp_path / "again/book-1.zip"]
    for path in packed:
        make_dist.zip_book(html, path)
        os.utime(html / "index.html", (0, 0))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with zipfile.ZipFile(packed[0]) as archive:
        assert archive.namelist() == ["book-1/book/welcome.html", "book-1/index.html"]
        assert archive.read("book-1/index.html") == b"index.html"


def test_the_address_of_the_pages_follows_from_the_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["html"]["baseurl"] == project.pages_url() == "https://gantut.github.io/gantut/"


def test_a_chapter_for_colab_installs_the_wheel(tmp_path):
    wheel = tmp_path / "gantut-0.1.0-py3-none-any.whl"
    notebook = project.read_chapter(ROOT / "book/welcome.md")
    before = project.code_cells(notebook)[0].source
    changed = project.code_cells(run_as_colab.with_wheel(notebook, wheel))
    assert changed[0].source == before.replace(f"git+{repository_url()}", wheel.as_uri())
    assert wheel.as_uri() in changed[0].source
    changed[0].source = "%pip install gantut"
    with pytest.raises(ValueError, match="does not install"):
        run_as_colab.with_wheel(notebook, wheel)


@pytest.mark.parametrize("version", [(3, 10, 12), (3, 14, 0), (2, 7, 18)])
def test_an_unsupported_python_is_refused_by_name(version):
    with pytest.raises(SystemExit, match=".".join(map(str, version))):
        make_venv.check_python(version)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_a_supported_python_is_taken(version):
    make_venv.check_python(version)


def test_the_environment_is_made_anew_when_the_dependencies_change(tmp_path, monkeypatch):
    monkeypatch.setattr(make_venv, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(make_venv, "starts", lambda: True)
    wanted = make_venv.wanted_stamp(["book", "test"])
    assert not make_venv.is_current(wanted)
    make_venv.STAMP.write_text("{ half")
    assert not make_venv.is_current(wanted)
    make_venv.STAMP.write_text(str(wanted).replace("'", '"'))
    assert make_venv.is_current(wanted)
    assert not make_venv.is_current(wanted | {"pyproject": "changed"})
    assert not make_venv.is_current(make_venv.wanted_stamp(["book", "test", "gpu"]))


def test_no_module_of_the_package_imports_a_private_name_of_another():
    for path in (ROOT / "gantut").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and "gantut" in node.module:
                private = {a.name for a in node.names if a.name.startswith("_")} - {"__version__"}
                # The modules of the ground are private to users, not to the package.
                assert all((ROOT / f"gantut/{name}.py").is_file() for name in private), path


def test_the_picture_of_the_layers_is_that_of_the_contract():
    assert draw_layers.PICTURE.read_text("utf-8") == draw_layers.picture()


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "gantut/py.typed").is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_make_alone_lists_every_target():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    # Under `make test` a second make would announce the folders that it enters and leaves.
    command = ["make", "--no-print-directory"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert sorted(line.split()[0] for line in said.splitlines()) == sorted(phony.split())
