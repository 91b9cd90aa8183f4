"""Nonsense in any argument of any public function, and of the command, is an error that names it.

The functions and classes are looked up in the modules, and their parameters in their signatures,
so that a new one cannot be forgotten. Each is called with nonsense in some of its arguments, and in
the others with what `GOOD` has for a parameter of that name, or its default.
"""

import ast
import contextlib
import dataclasses
import importlib.util
import inspect
import io
import json
import math
import os
import pkgutil
import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gantut
from gantut import applications, cli, data

mpl.use("Agg")
EXAMPLES = int(os.environ.get("GANTUT_FUZZ_EXAMPLES", "3"))
ALLOWED = (ValueError, TypeError, OSError)

MODULES = [
    *(f"gantut.{name}" for name in sorted(gantut.MODULES)),
    *(f"gantut.applications.{m.name}" for m in pkgutil.iter_modules(applications.__path__)),
]


def nonsense():
    """Values of which hardly any argument means anything."""
    return st.one_of(
        st.sampled_from(
            [None, True, -1, 0, 1.5, math.nan, math.inf, -math.inf, 1j, "", "nonsense"]
        ),
        st.builds(object),
        st.sampled_from([b"\0", [], {}, {"nonsense": 1}, ["a", "b"], (1, 2, 3, 4, 5, 6, 7)]),
        st.integers(-(2**70), -1),
        st.text(max_size=5),
        st.sampled_from([(0,), (1,), (0, 3), (3, 3), (2, 0, 1, 1), (1, 2, 2, 1)]).flatmap(
            lambda shape: st.sampled_from(
                [
                    np.full(shape, math.nan),
                    np.zeros(shape, np.int8),
                    np.full(shape, math.inf, np.float32),
                    np.zeros(shape, "U3"),
                    np.full(shape, None, object),
                    np.ones(shape, complex),
                ]
            )
        ),
    )


def images(n=6, side=6, channels=1):
    return np.random.default_rng(n).uniform(-1, 1, (n, side, side, channels)).astype(np.float32)


# What a parameter of that name may be given where it is not the one that is spoiled. Small numbers:
# nothing here shall take long, whatever the rest is.
GOOD: dict[str, Any] = {
    "a": images(),
    "b": images(),
    "batch_size": 4,
    "critic": lambda x: x,
    "epochs": 1,
    "fake": np.ones((6, 2)),
    "frames": images(),
    "image_shape": (6, 6, 1),
    "images": images(),
    "kinds": ["number", "number"],
    "labels": np.arange(6) % 3,
    "latent_dim": 3,
    "logits": np.ones((4, 1), np.float32),
    "method": "gan",
    "n": 4,
    "name": "fast",
    "num_classes": 3,
    "real": np.ones((6, 2)),
    "recipe": "mlp",
    "rows": 2,
    "samples": np.ones((5, 2)),
    "seed": 0,
    "size": 6,
    "sources": images(),
    "steps": 1,
    "table": np.ones((6, 2)),
    "targets": images(),
    "train": images(8),
    "values": [1.0, 2.0],
    "waves": np.ones((2, 64)),
    "width": 3,
    "widths": (3,),
    "x": images(),
    "y": np.arange(6) % 3,
}
# These take minutes where all is well: what they are to work on is always nonsense.
LONG = re.compile(r"\.(train\w*|fit\w*|gan_samples|self_training|unpaired|rivals|pack|run|evaluate"
                  r"|quick_frechet|frechet_floor|painting\w*|classification\w*|main)$")  # fmt: skip


def calls(name, function):
    """Arguments for a call: a strategy."""
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    strategies = {}
    for i, parameter in enumerate(parameters):
        choices = [nonsense()]
        if parameter.name in GOOD and not (LONG.search(name) and i == 0):
            choices.append(st.just(GOOD[parameter.name]))
        strategies[parameter.name] = st.one_of(choices)
    required = [p.name for p in parameters if p.default is p.empty]
    return st.fixed_dictionaries(
        {key: strategies[key] for key in required},
        optional={key: value for key, value in strategies.items() if key not in required},
    )


@contextlib.contextmanager
def quiet(folder):
    """In an empty folder, and without a word."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.chdir(before)
        plt.close("all")


@pytest.mark.parametrize("module", MODULES)
def test_nonsense_is_refused_by_name(module, tmp_path):
    found = importlib.import_module(module)
    checked = 0
    for name, function in vars(found).items():
        if name.startswith("_") or getattr(function, "__module__", None) != module:
            continue
        if not callable(function) or (inspect.isclass(function) and holds(function)):
            continue
        fuzz(f"{module}.{name}", function, tmp_path)
        checked += 1
    assert checked or module in ("gantut.applications", "gantut.cli")


def holds(kind):
    """Whether objects of this kind hold what they are given, as it is, or are given nothing."""
    # A constructor that is Keras' own names its arguments as Keras does.
    ours = getattr(kind.__init__, "__module__", "").startswith("gantut")
    return not ours or dataclasses.is_dataclass(kind) or issubclass(kind, tuple)


def fuzz(name, function, folder):
    names = [p for p in inspect.signature(function).parameters if p != "kwargs"]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments=calls(name, function))
    def call(arguments):
        with quiet(folder):
            try:
                function(**arguments)
            except ALLOWED as error:
                # An OSError is about a file, which it names; Python names what is missing.
                known = isinstance(error, OSError) or " missing " in str(error)
                texts = [v for v in arguments.values() if isinstance(v, str) and len(v) > 2]
                known |= any(text in str(error) for text in texts)
                named = known or any(
                    re.search(rf"(?i)\b{re.escape(n)}\b", str(error)) for n in names
                )
                if not named:
                    raise AssertionError(f"{name}({arguments}): {error!r}") from error
            except (ImportError, SystemExit):
                pass  # a package of the book that is not installed; a main's way to refuse
            except Exception as error:
                raise AssertionError(f"{name}({arguments}): {error!r}") from error

    call()


# --- The command ---------------------------------------------------------------------------------

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


@settings(max_examples=30 * EXAMPLES, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(
    command=st.sampled_from(["train", "sample", "evaluate", "recipes", "", "nonsense"]),
    given_words=st.lists(st.one_of(WORDS, st.sampled_from(OPTIONS)), max_size=8),
)
def test_the_command_takes_nonsense_with_status_2(tmp_path_factory, command, given_words):
    folder = tmp_path_factory.mktemp("cli")
    # No recipe: a good one with good options would train.
    errors = io.StringIO()
    with quiet(folder), contextlib.redirect_stderr(errors):
        status = cli.main([command, "no-recipe", *given_words])
    told = errors.getvalue()
    if status == 0:
        assert any(word.startswith(("--h", "-h")) for word in given_words)
    else:
        assert status == 2
        assert told.startswith("gantut")
        assert "Traceback" not in told


@settings(max_examples=5 * EXAMPLES, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(
    option=st.sampled_from(
        [
            "--steps",
            "--seconds",
            "--epochs",
            "--seed",
            "--data",
            "--size",
            "--samples",
            "--checkpoint-every",
        ]
    ),
    word=WORDS.filter(lambda word: not re.fullmatch(r"\s*\+?\d[\d_]*\s*|.*nist.*", word)),
)
def test_each_option_names_itself(tmp_path_factory, option, word):
    folder = tmp_path_factory.mktemp("cli")
    errors = io.StringIO()
    with quiet(folder), contextlib.redirect_stderr(errors):
        # A value that begins with a hyphen is told from an option by the "=".
        status = cli.main(["train", "fast", f"--out={folder / 'run'}", f"{option}={word}"])
    told = errors.getvalue()
    assert status == 2
    assert told.startswith("gantut train: error: ")
    assert option in told
    assert not (folder / "run" / "run.json").exists()


# --- Readers -------------------------------------------------------------------------------------


def test_readers_survive_mutated_files(tmp_path):
    path = Path(__file__).parents[2] / "benchmarks" / "fuzz_readers.py"
    spec = importlib.util.spec_from_file_location("fuzz_readers", path)
    readers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readers)
    found = readers.fuzz(3_000, seed=1, folder=tmp_path)
    assert sum(row["read"] + row["refused"] for row in found["rows"]) == 3_000
    # The mutations are of both kinds: some still read, most do not.
    for row in found["rows"]:
        assert 50 < row["read"] < row["refused"]


def test_the_readers_hundred_thousand_files_are_recorded():
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "fuzz_readers.json"
    record = json.loads(path.read_text("utf-8"))
    assert record["files"] == 100_000
    assert sum(row["read"] + row["refused"] for row in record["rows"]) == 100_000
    assert [row["kind"] for row in record["rows"]] == ["idx", "npz"]


def test_no_module_unpickles():
    for path in Path(gantut.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"} & {
                part for name in names for part in name.split(".")
            }, path
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"np.load", "numpy.load", "eval", "exec"}, path
                for keyword in node.keywords:
                    if keyword.arg == "allow_pickle":
                        assert ast.literal_eval(keyword.value) is False, path


def test_an_array_of_objects_is_refused_in_any_member(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, images=np.zeros((2, 4, 4), np.uint8) + 7, other=np.array([{}], dtype=object))
    assert data.load_images(path).shape == (2, 4, 4, 1)  # the other one is not read
    np.savez(path, images=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        data.load_images(path)
