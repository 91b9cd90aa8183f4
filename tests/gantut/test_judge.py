"""The judges read MNIST as well as their records say, and loading them disturbs nothing."""

import hashlib
import json
import random
from pathlib import Path

import keras
import numpy as np
import pytest

import gantut
from gantut import judge
from gantut.data import load_mnist

WEIGHTS = Path(gantut.__file__).parent / "weights"


@pytest.fixture(scope="module")
def digits():
    return load_mnist()


@pytest.fixture(scope="module")
def read(digits):
    """Features and probabilities of the test images, by judge."""
    return {name: judge.outputs(digits.x_test, name) for name in judge.JUDGES}


@pytest.mark.parametrize(("name", "options"), [("first", "--epochs 10"), ("second", "--epochs 15")])
def test_record_describes_the_weights_that_ship(name, options, digits, read):
    record = json.loads((WEIGHTS / f"{judge.JUDGES[name]}.json").read_text())
    content = (WEIGHTS / f"{judge.JUDGES[name]}.npz").read_bytes()
    assert len(content) <= {"first": 1_000_000, "second": 250_000}[name]
    assert record["bytes"] == len(content)
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["parameters"] == judge.load_judge(name).count_params()
    named = "" if name == "first" else " second"
    assert record["command"] == (
        f"python tools/make_weights.py judge{named} --out gantut/weights --seed 0 {options}"
    )
    assert {"tensorflow", "keras", "numpy"} <= set(record["environment"]["versions"])
    accuracy = np.mean(read[name][1].argmax(axis=1) == digits.y_test)
    assert accuracy >= 0.992
    # Another processor may round differently, which can turn an image or two that lie on the edge.
    assert accuracy == pytest.approx(record["test_accuracy"], abs=2e-4)


def test_the_second_judge_is_another(digits, read):
    kinds = [{type(layer) for layer in judge.load_judge(name).layers} for name in judge.JUDGES]
    assert kinds[0] != kinds[1]
    assert [read[name][0].shape[1] for name in judge.JUDGES] == [64, 192]
    # They err on images of their own: two copies of one classifier would share their mistakes.
    wrong = [read[name][1].argmax(axis=1) != digits.y_test for name in judge.JUDGES]
    assert (wrong[0] & wrong[1]).sum() < 0.7 * min(map(np.sum, wrong))


@pytest.mark.slow
def test_the_second_judge_has_not_seen_the_images_of_its_floor(digits):
    order = judge.order(len(digits.x_train))
    unseen, seen = (
        judge.accuracy(digits.x_train[rows], digits.y_train[rows], "second")
        for rows in (order[:20_000], order[20_000:])
    )
    assert 0.99 < unseen < seen - 0.003


@pytest.mark.parametrize("name", judge.JUDGES)
def test_outputs(name, digits):
    images = digits.x_test[:70]
    features, probabilities = judge.outputs(images, name)
    assert features.shape == (70, judge.load_judge(name).get_layer("features").output.shape[1])
    assert probabilities.shape == (70, judge.NUM_CLASSES)
    assert features.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(judge.features(images, name), features)
    np.testing.assert_array_equal(judge.probabilities(images, name), probabilities)
    own = probabilities.argmax(axis=1)
    assert judge.accuracy(images, own, name) == 1


@pytest.mark.parametrize("name", judge.JUDGES)
def test_outputs_are_those_of_the_plain_model(name, digits):
    images = digits.x_test[:20]
    model = judge.load_judge(name)
    hidden = keras.Model(model.input, model.get_layer("features").output)
    features, probabilities = judge.outputs(images, name)
    np.testing.assert_allclose(hidden(images, training=False), features, atol=1e-5)
    logits = model(images, training=False)
    np.testing.assert_allclose(keras.ops.softmax(logits), probabilities, atol=1e-5)


def test_every_feature_fires_on_digits(read):
    active = (read["first"][0] > 0).mean(axis=0)
    assert active.min() > 0.3
    assert active.max() < 0.7
    assert read["second"][0].std(axis=0).min() > 0.05


def test_images_are_read_apart_and_in_order(digits):
    """Over the end of a batch too."""
    images = digits.x_test[:503]
    together = judge.features(images)
    for some in (slice(0, 3), slice(498, 503)):
        np.testing.assert_allclose(
            judge.features(images[some]), together[some], rtol=1e-4, atol=1e-5
        )


def test_judge_is_read_once_and_frozen():
    model = judge.load_judge()
    assert judge.load_judge() is model
    assert judge.load_judge("second") is not model
    assert model.trainable_weights == judge.load_judge("second").trainable_weights == []


def test_unknown_judges_are_refused():
    with pytest.raises(ValueError, match="unknown judge 'third'; known are first, second"):
        judge.load_judge("third")
    with pytest.raises(TypeError, match="judge must be one of first, second, got 2"):
        judge.features(np.zeros((3, 28, 28, 1), np.float32), 2)


@pytest.mark.parametrize("name", judge.JUDGES)
def test_loading_leaves_random_states_and_names_alone(name):
    def draws() -> tuple[float, ...]:
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        legacy = np.random.random()  # noqa: NPY002 - the global state is what this is about
        return (random.random(), legacy, *np.ravel(layer.kernel))

    keras.utils.set_random_seed(5)
    expected = draws()
    keras.utils.set_random_seed(5)
    judge.load_judge.__wrapped__(name)
    assert draws() == expected
    first = int(keras.layers.Dense(2).name.removeprefix("dense_"))
    judge.load_judge.__wrapped__(name)
    assert keras.layers.Dense(2).name == f"dense_{first + 1}"


@pytest.mark.parametrize("name", judge.JUDGES)
def test_half_precision_policy_does_not_reach_the_judge(name, digits):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        model = judge.load_judge.__wrapped__(name)
    finally:
        keras.config.set_dtype_policy(before)
    images = digits.x_test[:10]
    logits = model(images, training=False)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, judge.load_judge(name)(images, training=False), atol=1e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 28, 28), np.float32), "shape"),
        (np.zeros((3, 32, 32, 1), np.float32), judge.DIGITS_ONLY),
        (np.zeros((3, 28, 28, 3), np.float32), judge.DIGITS_ONLY),
        (np.zeros((3, 28, 28, 1), np.float64), "float64"),
        (np.zeros((3, 28, 28, 1), np.uint8), "uint8"),
        (np.full((3, 28, 28, 1), 255, np.float32), "255"),
        (np.full((3, 28, 28, 1), np.nan, np.float32), "NaN"),
        (np.zeros((0, 28, 28, 1), np.float32), "empty"),
    ],
)
def test_bad_images_are_named(images, message):
    for function in (judge.features, judge.probabilities, judge.outputs):
        with pytest.raises(ValueError, match=message):
            function(images)


def test_wrong_labels():
    images = np.zeros((3, 28, 28, 1), np.float32)
    for labels in ([1, 2], [1, 2, 10], [0.0, 1.0, 2.0]):
        with pytest.raises(ValueError, match="labels"):
            judge.accuracy(images, labels)
