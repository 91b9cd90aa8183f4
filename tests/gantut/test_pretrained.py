"""Generators that ship are what their records say, and packing keeps what was trained."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import gantut
from gantut import networks, pretrained, recipes
from gantut.sampling import sample

ENVIRONMENT = {"versions": {}, "python": "3", "machine": "m", "device": "CPU"}


@pytest.fixture
def packed(tmp_path, monkeypatch, tiny):
    """A folder to pack into, which stands for the package's own."""
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "judge.json").write_text("{}")
    monkeypatch.setattr(pretrained, "_folder", lambda: folder)
    return folder


@pytest.fixture
def run(tmp_path, packed, tiny):
    """A run of the recipe tiny on images of 6 x 6 pixels."""
    return save_run(tmp_path / "run", tiny.generator((6, 6, 1), 10))


def save_run(folder, generator, **fields):
    folder.mkdir()
    rng = np.random.default_rng(0)
    # No run leaves all biases 0 and all variances 1.
    for weight in generator.weights:
        weight.assign(rng.uniform(0.1, 1.0, weight.shape))
    generator.save(folder / "generator.keras")
    record = {
        "recipe": "tiny",
        "command": "gantut train tiny --out run",
        "data": "/somewhere/images.npz",
        "seed": 7,
        "steps": 4,
        "seconds": 1.5,
        "environment": ENVIRONMENT,
    }
    (folder / "run.json").write_text(json.dumps(record | fields))
    return folder


# --- What ships ----------------------------------------------------------------------------------


def test_fast_ships():
    assert "fast" in pretrained.available()


@pytest.mark.parametrize("name", pretrained.available())
def test_generators_that_ship_are_what_their_records_say(name):
    folder = Path(gantut.__file__).parent / "weights"
    record = pretrained.record(name)
    content = (folder / f"{name}.npz").read_bytes()
    assert record["bytes"] == len(content)
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["training"]["command"].startswith(f"gantut train {record['recipe']} ")
    generator = gantut.load(name)
    assert generator.count_params() == record["parameters"]
    images = sample(generator, 16, seed=0)
    assert images.shape == (16, *record["image_shape"])
    assert {"tensorflow", "keras", "numpy"} <= set(record["training"]["environment"]["versions"])


def test_all_that_ships_weighs_two_megabytes_at_most():
    folder = Path(gantut.__file__).parent / "weights"
    assert sum((folder / f"{name}.npz").stat().st_size for name in pretrained.available()) <= 2e6


def test_unknown_names_are_refused(packed, run):
    with pytest.raises(ValueError, match="unknown trained generator 'x'; available are: none"):
        pretrained.load("x")
    pretrained.pack("tiny", run, packed)
    with pytest.raises(ValueError, match="unknown trained generator 'judge'; available are: tiny"):
        pretrained.load("judge")


# --- Packing -------------------------------------------------------------------------------------


def test_packed_weights_are_the_trained_ones_rounded(packed, run):
    record = pretrained.pack("tiny_6", run, packed)
    assert pretrained.available() == ("tiny_6",)
    assert pretrained.record("tiny_6") == json.loads(json.dumps(record))
    trained = keras.models.load_model(run / "generator.keras")
    loaded = pretrained.load("tiny_6")
    assert loaded.name == "mlp_generator"
    for mine, theirs in zip(loaded.weights, trained.weights, strict=True):
        expected = theirs.numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(mine.numpy(), expected)
        assert mine.dtype == "float32"
    assert record["recipe"] == "tiny"
    assert record["image_shape"] == [6, 6, 1]
    assert record["num_classes"] is None
    assert record["parameters"] == trained.count_params()
    assert record["command"] == f"python -m gantut.pretrained tiny_6 --run {run}"
    assert record["training"] == {
        "command": "gantut train tiny --out run",
        "data": "/somewhere/images.npz",
        "seed": 7,
        "steps": 4,
        "seconds": 1.5,
        "environment": ENVIRONMENT,
    }
    content = (packed / "tiny_6.npz").read_bytes()
    assert record["bytes"] == len(content)
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert "metrics" not in record


def test_a_conditional_generator_keeps_its_classes(packed, tmp_path, monkeypatch, tiny):
    def build(shape, num_classes):
        return networks.conditional_mlp_generator(num_classes, 4, shape, widths=(8,))

    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, generator=build, conditional=True))
    pretrained.pack("labelled", save_run(tmp_path / "run", build((6, 6, 1), 3)), packed)
    loaded = pretrained.load("labelled")
    assert sample(loaded, 3, np.arange(3), seed=0).shape == (3, 6, 6, 1)
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, got 3\.\.3"):
        sample(loaded, 1, 3)


def test_digits_are_measured_as_they_are_packed(packed, tmp_path, tiny):
    run = save_run(tmp_path / "run", tiny.generator((28, 28, 1), 10), data="mnist")
    metrics = pretrained.pack("tiny", run, packed, samples=50)["metrics"]
    assert metrics["samples"] == 50
    # An untrained network is far from MNIST.
    assert metrics["frechet_ratio"] > 20


def test_loading_leaves_random_states_alone(packed, run):
    pretrained.pack("tiny", run, packed)

    def draw():
        return random.random(), np.random.random(), float(tf.random.normal(()))  # noqa: NPY002

    keras.utils.set_random_seed(3)
    expected = draw()
    keras.utils.set_random_seed(3)
    pretrained.load("tiny")
    assert draw() == expected


@pytest.mark.parametrize("name", ["", "judge", "../x", "a b", "1x"])
def test_bad_names_are_refused(name, packed, run):
    with pytest.raises(ValueError, match="wanted a name of letters, digits and underscores, got"):
        pretrained.pack(name, run, packed)


def test_what_cannot_be_packed_is_refused_and_nothing_written(
    packed, run, tmp_path, monkeypatch, tiny
):
    before = sorted(packed.iterdir())
    other = save_run(tmp_path / "other", networks.mlp_generator(4, (6, 6, 1), widths=(9,)))
    with pytest.raises(ValueError, match="do not fit the generator of recipe 'tiny'"):
        pretrained.pack("other", other, packed)
    with pytest.raises(FileNotFoundError, match=r"run\.json"):
        pretrained.pack("none", tmp_path, packed)
    monkeypatch.setattr(pretrained, "MAXIMUM_BYTES", 100)
    with pytest.raises(ValueError, match="together they may weigh 100"):
        pretrained.pack("tiny", run, packed)
    monkeypatch.undo()
    large = tiny.generator((6, 6, 1), 10)
    folder = save_run(tmp_path / "large", large)
    large.weights[0].assign(np.full(large.weights[0].shape, 1e5))
    large.save(folder / "generator.keras")
    with pytest.raises(ValueError, match="does not fit half precision: 100000"):
        pretrained.pack("large", folder, packed)
    assert sorted(packed.iterdir()) == before


def test_the_limit_counts_the_others_and_not_what_is_replaced(packed, run, monkeypatch):
    size = pretrained.pack("tiny", run, packed)["bytes"]
    monkeypatch.setattr(pretrained, "MAXIMUM_BYTES", 2 * size - 1)
    pretrained.pack("tiny", run, packed)
    with pytest.raises(ValueError, match=f"weigh {size:,} already"):
        pretrained.pack("second", run, packed)


def test_the_command(packed, run, capsys):
    assert pretrained.main(["tiny", "--run", str(run)]) == 0
    assert "tiny: " in capsys.readouterr().out
    assert pretrained.available() == ("tiny",)
    assert pretrained.main(["tiny", "--run", str(run / "no")]) == 2
    assert "error:" in capsys.readouterr().err
