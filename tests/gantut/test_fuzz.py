"""Whatever is typed, the command answers in a line; no module of the package unpickles."""

import ast
import contextlib
import io
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gantut
from gantut import cli

QUIETLY = {"deadline": None, "derandomize": True, "database": None,
           "suppress_health_check": list(HealthCheck)}  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(
        ["0", "-1", "1.5", "nan", "1e400", "", " ", "--", "nonsense", "\0", "☃", "a,b"]
    ),
    st.text(max_size=6),
    st.integers().map(str),
)
OPTIONS = [
    "--out", "--steps", "--seconds", "--epochs", "--seed", "--data", "--size", "--samples", "-n",
    "--labels", "--checkpoint-every", "--overwrite", "--resume", "--diagnose",
]  # fmt: skip


def told(folder, arguments):
    """The status of a command in an empty folder, and what it says on standard error."""
    errors = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(errors),
    ):
        status = cli.main(arguments)
    return status, errors.getvalue()


@settings(max_examples=60, **QUIETLY)
@given(
    command=st.sampled_from(["train", "sample", "evaluate", "recipes", "", "nonsense"]),
    words=st.lists(st.one_of(WORDS, st.sampled_from(OPTIONS)), max_size=8),
)
def test_the_command_takes_nonsense_with_status_2(tmp_path_factory, command, words):
    # No recipe: a good one with good options would train.
    status, error = told(tmp_path_factory.mktemp("cli"), [command, "no-recipe", *words])
    if status == 0:
        assert any(word.startswith(("--h", "-h")) for word in words)
    else:
        assert status == 2
        assert error.startswith("gantut")
        assert error.count("\n") == 1


@settings(max_examples=15, **QUIETLY)
@given(
    option=st.sampled_from(["--steps", "--seconds", "--epochs", "--seed", "--data", "--size",
                            "--samples", "--checkpoint-every"]),
    word=WORDS.filter(lambda word: not re.fullmatch(r"\s*\+?\d[\d_]*\s*|.*nist.*", word)),
)  # fmt: skip
def test_each_option_names_itself_and_nothing_is_begun(tmp_path_factory, option, word):
    folder = tmp_path_factory.mktemp("cli")
    # A value that begins with a hyphen is told from an option by the "=".
    status, error = told(folder, ["train", "fast", "--out=run", f"{option}={word}"])
    assert status == 2
    assert error.startswith("gantut train: error: ")
    assert error.count("\n") == 1
    assert option in error
    assert not (folder / "run" / "run.json").exists()


def test_no_module_unpickles():
    for path in Path(gantut.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"} & {
                part for name in names for part in name.split(".")
            }, path
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"np.load", "numpy.load", "eval", "exec"}, path
                for keyword in node.keywords:
                    if keyword.arg == "allow_pickle":
                        assert ast.literal_eval(keyword.value) is False, path
