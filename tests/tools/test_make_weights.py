"""The script that makes the weights that ship: one seed gives the same bits, packing keeps them."""

import hashlib
import json
import random
from dataclasses import replace
from functools import partial

import keras
import make_weights
import numpy as np
import pytest
import tensorflow as tf

from gantut import judge, networks, pretrained, recipes
from gantut.data import ImageData
from gantut.runs import UsageError
from gantut.sampling import sample

ENVIRONMENT = {"versions": {}, "python": "3", "machine": "m", "device": "CPU"}


@pytest.fixture
def packed(tmp_path, monkeypatch, tiny):
    """A folder to pack into, which stands for the package's own."""
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "judge.json").write_text("{}")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny):
    """A run of the recipe tiny on images of 6 x 6 pixels."""
    return save_run(tmp_path_factory.mktemp("runs") / "run", tiny)


def save_run(folder, recipe, shape=(6, 6, 1), classes=10, data="/somewhere/images.npz", most=1.0):
    gan = recipe.build(shape, classes)
    rng = np.random.default_rng(0)
    # No run leaves all biases 0 and all variances 1.
    for weight in gan.ema_generator.weights:
        weight.assign(rng.uniform(0.1, most, weight.shape))
    gan.save(folder)
    record = {
        "recipe": "tiny",
        "image_shape": list(shape),
        "num_classes": gan.num_classes,
        "command": "gantut train tiny --out run",
        "data": data,
        "seed": 7,
        "steps": 4,
        "seconds": 1.5,
        "environment": ENVIRONMENT,
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


# --- The judge -----------------------------------------------------------------------------------


@pytest.fixture
def few_digits(monkeypatch):
    """Noise in the place of digits, and no change of this process's determinism."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (100, 28, 28, 1)).astype(np.float32)
    labels, asked = np.arange(100) % 10, []
    monkeypatch.setattr(make_weights, "load_mnist", lambda: ImageData(x, labels, x, labels))
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    return asked


@pytest.mark.slow
def test_one_seed_gives_the_same_judge(tmp_path, few_digits, monkeypatch):
    monkeypatch.setattr(make_weights, "MINIMUM_ACCURACY", 0.0)
    for name in ("a", "b"):
        out = tmp_path / name
        assert make_weights.main(["judge", "--out", str(out), "--epochs", "1"]) == 0
    assert few_digits == [True, True]
    written = [(tmp_path / name / "judge.npz").read_bytes() for name in ("a", "b")]
    assert written[0] == written[1]


@pytest.mark.usefixtures("few_digits")
def test_a_judge_is_written_if_it_is_accurate(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make_weights, "train_judge", lambda x, y, **_: judge.build_judge())
    out = tmp_path / "out"
    arguments = ["judge", "--out", str(out), "--seed", "3", "--epochs", "1"]
    assert make_weights.main(arguments) == 1
    assert "nothing written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(make_weights, "MINIMUM_ACCURACY", 0.0)
    assert make_weights.main(arguments) == 0
    record = json.loads((out / "judge.json").read_text())
    assert (record["seed"], record["epochs"]) == (3, 1)
    content = (out / "judge.npz").read_bytes()
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    shipped = judge.named_weights(judge.load_judge())
    with np.load(out / "judge.npz") as new:
        assert {k: new[k].shape for k in new} == {k: tuple(v.shape) for k, v in shipped.items()}


def test_the_second_judge_is_not_trained_on_the_images_of_its_floor(
    tmp_path, few_digits, monkeypatch
):
    data, trained = make_weights.load_mnist(), {}

    def train(images, labels, *, name, **_):
        trained[name] = {row.tobytes(): label for row, label in zip(images, labels, strict=True)}
        return judge.build_judge(name)

    monkeypatch.setattr(make_weights, "train_judge", train)
    monkeypatch.setattr(make_weights, "MINIMUM_ACCURACY", 0.0)
    monkeypatch.setattr(make_weights, "UNSEEN", {"first": 0, "second": 30})
    for name in judge.JUDGES:
        assert make_weights.main(["judge", name, "--out", str(tmp_path)]) == 0
        assert (tmp_path / f"{judge.JUDGES[name]}.npz").exists()
    labelled = {row.tobytes(): y for row, y in zip(data.x_train, data.y_train, strict=True)}
    kept = {data.x_train[row].tobytes() for row in judge.order(100)[:30]}
    assert trained["first"] == labelled
    assert trained["second"] == {row: y for row, y in labelled.items() if row not in kept}
    assert json.loads((tmp_path / "second_judge.json").read_text())["images"] == 70


# --- Packing -------------------------------------------------------------------------------------


def test_packed_weights_are_the_trained_ones_rounded(packed, run):
    record = make_weights.pack("tiny_6", run, packed)
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
    assert record["command"] == f"python tools/make_weights.py generator tiny_6 --run {run}"
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
    def build(image_shape, num_classes):
        return networks.mlp_generator(4, image_shape, (8,), num_classes=num_classes)

    def judge_of(image_shape, num_classes):
        return networks.mlp_discriminator(image_shape, (8,), num_classes=num_classes)

    labelled = replace(tiny, generator=build, discriminator=judge_of, conditional=True)
    monkeypatch.setitem(recipes.RECIPES, "tiny", labelled)
    make_weights.pack("labelled", save_run(tmp_path / "run", labelled, classes=3), packed)
    loaded = pretrained.load("labelled")
    assert sample(loaded, 3, np.arange(3), seed=0).shape == (3, 6, 6, 1)
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, got 3\.\.3"):
        sample(loaded, 1, 3)


def test_digits_are_measured_as_they_are_packed(packed, tmp_path, monkeypatch, tiny):
    class Found:
        def __init__(self, generator, n):
            self.found = {"samples": n, "first": float(generator.get_weights()[0].flat[0])}

        def to_dict(self):
            return self.found

    monkeypatch.setattr(make_weights, "evaluate", Found)
    run = save_run(tmp_path / "run", tiny, (28, 28, 1), data="mnist")
    metrics = make_weights.pack("tiny", run, packed, samples=50)["metrics"]
    assert metrics == {"samples": 50, "first": pretrained.load("tiny").get_weights()[0].flat[0]}


def test_loading_leaves_random_states_alone(packed, run):
    make_weights.pack("tiny", run, packed)

    def draw():
        return random.random(), np.random.random(), float(tf.random.normal(()))  # noqa: NPY002

    keras.utils.set_random_seed(3)
    expected = draw()
    keras.utils.set_random_seed(3)
    pretrained.load("tiny")
    assert draw() == expected


@pytest.mark.parametrize("name", ["", "judge", "second_judge", "../x", "a b", "1x"])
def test_bad_names_are_refused(name, packed, run):
    with pytest.raises(ValueError, match="wanted a name of letters, digits and underscores, got"):
        make_weights.pack(name, run, packed)


def test_what_cannot_be_packed_is_refused_and_nothing_written(
    packed, run, tmp_path, monkeypatch, tiny
):
    before = sorted(packed.iterdir())
    wider = replace(tiny, generator=partial(networks.mlp_generator, 4, widths=(9,)))
    with pytest.raises(UsageError, match="belongs to other networks"):
        make_weights.pack("other", save_run(tmp_path / "other", wider), packed)
    with pytest.raises(UsageError, match="holds no run"):
        make_weights.pack("none", tmp_path, packed)
    monkeypatch.setattr(make_weights, "MAXIMUM_BYTES", 100)
    with pytest.raises(ValueError, match="together they may weigh 100"):
        make_weights.pack("tiny", run, packed)
    monkeypatch.undo()
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)
    with pytest.raises(ValueError, match="does not fit half precision"):
        make_weights.pack("large", save_run(tmp_path / "large", tiny, most=1e6), packed)
    assert sorted(packed.iterdir()) == before


def test_the_limit_counts_the_others_and_not_what_is_replaced(packed, run, monkeypatch):
    size = make_weights.pack("tiny", run, packed)["bytes"]
    monkeypatch.setattr(make_weights, "MAXIMUM_BYTES", 2 * size - 1)
    make_weights.pack("tiny", run, packed)
    with pytest.raises(ValueError, match=f"weigh {size:,} already"):
        make_weights.pack("second", run, packed)


def test_the_command(packed, run, capsys):
    arguments = ["generator", "tiny", "--run", str(run), "--out", str(packed)]
    assert make_weights.main(arguments) == 0
    assert "tiny: " in capsys.readouterr().out
    assert pretrained.available() == ("tiny",)
