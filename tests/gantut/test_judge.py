"""The judge reads MNIST as well as its record says, and loading it disturbs nothing."""

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


def test_accuracy_on_the_test_set_is_the_recorded_one(digits):
    record = json.loads((WEIGHTS / "judge.json").read_text())
    accuracy = judge.accuracy(digits.x_test, digits.y_test)
    assert accuracy >= 0.992
    # Another processor may round differently, which can turn an image or two that lie on the edge.
    assert accuracy == pytest.approx(record["test_accuracy"], abs=2e-4)


def test_record_describes_the_weights_that_ship():
    record = json.loads((WEIGHTS / "judge.json").read_text())
    content = (WEIGHTS / "judge.npz").read_bytes()
    assert len(content) <= 1_000_000
    assert record["bytes"] == len(content)
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["parameters"] == judge.load_judge().count_params()
    assert record["command"] == (
        "python tools/make_weights.py judge --out gantut/weights --seed 0 --epochs 10"
    )
    assert {"tensorflow", "keras", "numpy"} <= set(record["environment"]["versions"])


def test_outputs(digits):
    images = digits.x_test[:70]
    features, probabilities = judge.outputs(images)
    assert features.shape == (70, judge.NUM_FEATURES)
    assert probabilities.shape == (70, judge.NUM_CLASSES)
    assert features.dtype == probabilities.dtype == np.float32
    assert features.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(judge.features(images), features)
    np.testing.assert_array_equal(judge.probabilities(images), probabilities)


def test_outputs_are_those_of_the_plain_model(digits):
    images = digits.x_test[:20]
    model = judge.load_judge()
    hidden = keras.Model(model.input, model.get_layer("features").output)
    features, probabilities = judge.outputs(images)
    np.testing.assert_allclose(hidden.predict(images, verbose=0), features, atol=1e-5)
    np.testing.assert_allclose(
        keras.ops.softmax(model.predict(images, verbose=0)), probabilities, atol=1e-5
    )


def test_every_feature_fires_on_digits(digits):
    active = (judge.features(digits.x_test[:2000]) > 0).mean(axis=0)
    assert active.min() > 0.3
    assert active.max() < 0.7


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
    assert model.trainable_weights == []


def test_loading_leaves_random_states_and_names_alone():
    def draws() -> tuple[float, ...]:
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        legacy = np.random.random()  # noqa: NPY002 - the global state is what this is about
        return (random.random(), legacy, *np.ravel(layer.kernel))

    keras.utils.set_random_seed(5)
    expected = draws()
    keras.utils.set_random_seed(5)
    judge.load_judge.__wrapped__()
    assert draws() == expected
    first = int(keras.layers.Dense(2).name.removeprefix("dense_"))
    judge.load_judge.__wrapped__()
    assert keras.layers.Dense(2).name == f"dense_{first + 1}"


def test_half_precision_policy_does_not_reach_the_judge(digits):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        model = judge.load_judge.__wrapped__()
    finally:
        keras.config.set_dtype_policy(before)
    logits = model.predict(digits.x_test[:10], verbose=0)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(
        logits, judge.load_judge().predict(digits.x_test[:10], verbose=0), atol=1e-5
    )


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
