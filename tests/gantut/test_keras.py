"""What an import brings in, and which backends are refused. Each test is a fresh Python."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

import gantut


def python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


LIGHT = """
import importlib, sys

from gantut import cli
print(cli.main(["--help"]), "numpy" in sys.modules)

import numpy as np

def heavy():
    many = {"tensorflow", "keras", "jax", "torch", "scipy", "sklearn", "matplotlib"}
    print(sorted(many & sys.modules.keys()))

heavy()
for name in ("", ".applications", ".data", ".dynamics", ".metrics", ".plotting"):
    module = importlib.import_module("gantut" + name)
    heavy()
module.save_grid(np.zeros((4, 28, 28, 1), "float32"), sys.argv[1])
heavy()
importlib.import_module("gantut.results")
heavy()
"""


def test_light_modules_import_nothing_heavy(tmp_path):
    """The last import, which takes SciPy, shows that the others could have been found out."""
    done = python(LIGHT, str(tmp_path / "grid.png"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grid.png").exists()
    *told, status = done.stdout.splitlines()[:-9]
    assert any("evaluate" in line for line in told)  # the help of the command
    assert status == "0 False"
    assert done.stdout.splitlines()[-9:] == ["[]"] * 8 + ["['scipy']"]


def test_an_unknown_backend_in_the_environment():
    done = python("import gantut; gantut.GAN", KERAS_BACKEND="theano")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: Keras cannot be imported (")
    assert "theano" in last
    assert "set KERAS_BACKEND=tensorflow" in last


def test_another_backend_in_keras_settings(tmp_path):
    settings = {"backend": "jax", "floatx": "float32", "epsilon": 1e-7}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    code = "import os; os.environ.pop('KERAS_BACKEND', None); import gantut; gantut.GAN"
    done = python(code, KERAS_HOME=str(tmp_path))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    if importlib.util.find_spec("jax"):
        assert last.startswith("ImportError: Keras runs on the backend 'jax'. gantut trains")
    else:
        assert last.startswith("ImportError: Keras cannot be imported (No module named 'jax'). ")
    assert "set KERAS_BACKEND=tensorflow" in last


def test_a_keras_that_runs_on_another_backend():
    """Whatever made it so: Keras' own word counts."""
    done = python(
        "import os, sys, types; os.environ.pop('KERAS_BACKEND', None)\n"
        "config = types.SimpleNamespace(backend=lambda: 'torch')\n"
        "sys.modules['keras'] = types.SimpleNamespace(config=config)\n"
        "import gantut; gantut.GAN"
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: Keras runs on the backend 'torch'. gantut trains with")


def test_data_works_on_another_backend():
    done = python("import gantut; print(gantut.data.ring(3).shape)", KERAS_BACKEND="jax")
    assert done.stdout.strip() == "(3, 2)", done.stderr


def test_public_names():
    assert set(gantut.__all__) <= set(dir(gantut))
    assert gantut.GAN is gantut.gan.GAN
    assert gantut.load_mnist is gantut.data.load_mnist
    assert gantut.evaluate is gantut.evaluation.evaluate
    with pytest.raises(AttributeError, match="module 'gantut' has no attribute 'gann'"):
        _ = gantut.gann
