"""What the latent explorer loads is what ships, exactly."""

import base64
import json
import zlib

import export_generator
import keras
import numpy as np
import pytest
import tensorflow as tf

import gantut
from gantut import judge, networks, sampling

DIGITS = export_generator.DIGITS


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The exported object, read back from the script."""
    path = tmp_path_factory.mktemp("export") / "new/explorer-data.js"
    made = export_generator.export(path)
    text = path.read_text("utf-8")
    start = "self.gantutPlay.explorerData = "
    assert text.startswith(start)
    assert text.endswith("};\n")
    read = json.loads(text[len(start) : -2])
    assert read == json.loads(json.dumps(made))
    # The page says that it loads 1.5 MB: this and 0.4 MB of TensorFlow.js.
    assert 1.1e6 < len(text) < 1.2e6
    return read


@pytest.mark.slow
def test_the_weights_are_those_of_the_generator_that_ships(exported):
    numbers = np.frombuffer(base64.b64decode(exported["weights"]), "<f2").astype(np.float32)
    generator = gantut.load(exported["name"])
    assert [weight.path for weight in generator.weights] == exported["paths"]
    assert sum(np.prod(shape) for shape in exported["shapes"]) == len(numbers)
    start = 0
    for weight, shape in zip(generator.weights, exported["shapes"], strict=True):
        size = int(np.prod(shape))
        found = numbers[start : start + size].reshape(shape)
        np.testing.assert_array_equal(found, weight.numpy())
        start += size
    assert (exported["latent"], exported["classes"], exported["side"]) == (32, 10, 28)
    assert "--steps 6000 --seed 0" in exported["training"]["command"]


@pytest.mark.slow
def test_the_digits_are_the_first_of_the_training_set(exported):
    data = gantut.load_mnist()
    pairs = np.frombuffer(zlib.decompress(base64.b64decode(exported["digits"])), np.uint8)
    greys = np.stack([pairs >> 4, pairs & 15], axis=-1).reshape(DIGITS, 28, 28, 1)
    wanted = data.x_train[:DIGITS]
    assert np.abs(greys / 7.5 - 1 - wanted).max() <= 1 / 15 + 1e-6
    assert exported["labels"] == "".join(map(str, data.y_train[:DIGITS]))


def test_the_classes_are_those_that_were_asked_for():
    labels = np.repeat(np.arange(10), 100)
    images = sampling.sample(gantut.load(export_generator.NAME), 1000, labels, seed=5)
    read = judge.probabilities(images).argmax(axis=1)
    shares = [(read[labels == label] == label).mean() for label in range(10)]
    assert min(shares) > 0.9
    assert np.mean(shares) > 0.96


@pytest.mark.slow
def test_directions_are_the_axes_of_the_mean_change(exported):
    directions = np.array(exported["directions"])
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-5)
    assert exported["shares"] == sorted(exported["shares"], reverse=True)
    assert 0 < sum(exported["shares"]) < 1


def test_finite_differences_find_what_automatic_ones_do():
    keras.utils.set_random_seed(0)
    generator = networks.mlp_generator(4, (6, 6, 1), widths=(16,), batch_norm=True, num_classes=3)
    found, shares = export_generator.find_directions(generator, samples=30)
    z = tf.constant(np.random.default_rng(0).standard_normal((30, 4)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        pixels = tf.reshape(generator([z, tf.range(30) % 3]), (30, 36))
    jacobian = tape.batch_jacobian(pixels, z).numpy()
    product = np.einsum("npi,npj->ij", jacobian, jacobian)
    # A direction is stretched by its share of the whole.
    stretched = np.einsum("ki,ij,kj->k", found, product, found) / np.trace(product)
    np.testing.assert_allclose(stretched, shares, atol=0.003)
    np.testing.assert_allclose(stretched, np.linalg.eigvalsh(product)[::-1] / np.trace(product),
                               atol=0.003)  # fmt: skip
    assert (found.max(axis=1) == np.abs(found).max(axis=1)).all()


def test_directions_need_labels():
    with pytest.raises(ValueError, match="mlp_generator"):
        export_generator.find_directions(networks.mlp_generator(4, (6, 6, 1), widths=(8,)))
