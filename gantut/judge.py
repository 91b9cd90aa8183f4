"""The judges: two small classifiers of MNIST whose features measure generated digits.

A Frechet distance needs features. The published ones come from an ImageNet network that knows
nothing of handwriting and weighs 90 MB; the judges have 127,194 and 58,522 parameters and ship with
the package. Distances on their features are therefore quantities of their own: read them against
their floor (see `gantut.evaluation`), never next to published Inception distances.

The first judge was trained on MNIST's 60,000 training images, and it chose the recipes of this
package. The second, of another architecture, took no part in any choice. It was trained on 40,000
images: those of its floor are as new to it as samples are.

``tools/make_weights.py judge`` makes the weights, and records the seed, the versions, the machine
and the accuracy in a JSON file next to them. The training schedule is fixed in advance and the last
epoch is kept, so the test set, on which generators are later judged, selects nothing.
"""

import functools
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._files import Npz
from gantut._keras import keras, tf
from gantut.data import Float32, check_images, check_labels
from gantut.networks.parts import Tensor

NUM_CLASSES = 10
IMAGE_SHAPE = (28, 28, 1)
DIGITS_ONLY = (
    "the judge reads MNIST's digits only; for other images use gantut.metrics: sharpness, "
    "nearest_training_images, and its distances on features of your own"
)
JUDGES = {"first": "judge", "second": "second_judge"}  # by name, the file of weights
_LAST = "channels_last"
_BATCH = 500  # images at a time, which bounds the memory

layers = keras.layers


def build_judge(name: str = "first", *, initializer: str = "glorot_uniform") -> keras.Model:
    """Builds a classifier without trained weights.

    The first: four 3x3 convolutions and one dense layer of 64 units, each with batch normalisation
    and ReLU. The second: a 5x5 convolution and three residual blocks (He et al. 2016) of two 3x3
    convolutions, with batch normalisation and SiLU, then the means of 48 channels over each quarter
    of the image. The layer before the logits (10 units) is named ``features``.

    Args:
        name: One of `JUDGES`.
        initializer: Keras initialiser of the kernels. `load_judge` passes ``"zeros"``, which draws
            nothing, so that loading the judge leaves the random state of your program alone.

    Returns:
        A `keras.Model` from images (B, 28, 28, 1) in [-1, 1] to logits (B, 10).
    """
    body = _check.one_of(name, "judge", {"first": _plain, "second": _residual})
    # Names, dtype and format are explicit: neither Keras' name counters nor a policy or a format
    # set by the caller may reach the judge.
    matrix = {"kernel_initializer": initializer, "dtype": "float32"}
    inputs = keras.Input(IMAGE_SHAPE, dtype="float32", name="images")
    x = body(inputs, matrix)
    x = layers.Dense(NUM_CLASSES, name="logits", **matrix)(x)
    return keras.Model(inputs, x, name="judge")


def _plain(x: Tensor, matrix: dict[str, str]) -> Tensor:
    """The features of the first judge."""
    for i, (filters, strides) in enumerate(((16, 1), (32, 2), (64, 2), (64, 2)), start=1):
        x = _convolve(x, str(i), filters, 3, strides, matrix)
        x = layers.ReLU(dtype="float32", name=f"relu{i}")(x)
    x = layers.Flatten(data_format=_LAST, dtype="float32", name="flatten")(x)
    # The normalisation keeps every feature alive: without it a quarter of the ReLUs died in
    # training and never fired again.
    x = _normalise(layers.Dense(64, use_bias=False, name="dense", **matrix)(x), "5")
    return layers.ReLU(dtype="float32", name="features")(x)


def _residual(x: Tensor, matrix: dict[str, str]) -> Tensor:
    """The features of the second judge."""
    x = _silu(_convolve(x, "1", 16, 5, 2, matrix), "1")
    for i, (filters, strides) in enumerate(((16, 1), (32, 2), (48, 2)), start=2):
        y = _silu(_convolve(x, f"{i}a", filters, 3, strides, matrix), f"{i}a")
        y = _convolve(y, f"{i}b", filters, 3, 1, matrix)
        if strides > 1:
            x = _convolve(x, f"{i}c", filters, 1, strides, matrix)
        x = _silu(layers.Add(dtype="float32", name=f"add{i}")([x, y]), str(i))
    x = layers.AveragePooling2D(2, data_format=_LAST, dtype="float32", name="means")(x)
    return layers.Flatten(data_format=_LAST, dtype="float32", name="features")(x)


def _convolve(
    x: Tensor, number: str, filters: int, size: int, strides: int, matrix: dict[str, str]
) -> Tensor:
    place = {"padding": "same", "data_format": _LAST, "use_bias": False}
    x = layers.Conv2D(filters, size, strides, name=f"conv{number}", **place, **matrix)(x)
    return _normalise(x, number)


def _normalise(x: Tensor, number: str) -> Tensor:
    name = f"norm{number}"
    return layers.BatchNormalization(axis=-1, momentum=0.9, dtype="float32", name=name)(x)


def _silu(x: Tensor, number: str) -> Tensor:
    return layers.Activation("silu", dtype="float32", name=f"silu{number}")(x)


def named_weights(model: keras.Model) -> dict[str, Any]:
    """The variables of a judge by the names that they have in the file of weights."""
    return {v.path.removeprefix("judge/").replace("/", "."): v for v in model.weights}


@functools.cache
def load_judge(name: str = "first") -> keras.Model:
    """Returns one of `JUDGES`, trained and frozen, as it ships with the package.

    The model is read once per process; the same call returns the same object. It stays on the CPU
    (10,000 images take about a second), so that a distance does not depend on the device.
    """
    with tf.device("CPU:0"):
        model = build_judge(name, initializer="zeros")
        path = resources.files("gantut").joinpath(f"weights/{JUDGES[name]}.npz")
        with path.open("rb") as file, Npz(file) as stored:
            for key, variable in named_weights(model).items():
                variable.assign(stored[key])
    model.trainable = False
    return model


def check_digits(images: npt.ArrayLike, name: str = "images") -> Float32:
    """Images (N, 28, 28, 1), float32 in [-1, 1], which is all that the judge reads."""
    array = check_images(images, name=name)
    if array.shape[1:] != IMAGE_SHAPE:
        raise ValueError(
            f"{name}: wanted digits of shape {IMAGE_SHAPE}, got images of shape "
            f"{array.shape[1:]}; {DIGITS_ONLY}"
        )
    return array


def features(images: npt.ArrayLike, name: str = "first") -> Float32:
    """A judge's features (N, F), of which distances are taken: F is 64 or, of the second, 192."""
    return outputs(images, name)[0]


def probabilities(images: npt.ArrayLike, name: str = "first") -> Float32:
    """A judge's class probabilities (N, 10)."""
    return outputs(images, name)[1]


def outputs(images: npt.ArrayLike, name: str = "first") -> tuple[Float32, Float32]:
    """Features and probabilities, by one of `JUDGES`, of images (N, 28, 28, 1) in [-1, 1]."""
    images = check_digits(images)
    forward = _forward(name)
    with tf.device("CPU:0"):
        blocks = [
            forward(tf.convert_to_tensor(images[start : start + _BATCH]))
            for start in range(0, len(images), _BATCH)
        ]
    hidden, probability = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return hidden, probability


def accuracy(images: npt.ArrayLike, labels: npt.ArrayLike, name: str = "first") -> float:
    """The share of images (N, 28, 28, 1) whose labels (N,), from 0 to 9, the judge guesses."""
    read = probabilities(images, name).argmax(axis=1)
    labels = check_labels(labels, len(read), NUM_CLASSES)
    return float(np.mean(read == labels))


def order(n: int) -> npt.NDArray[np.int64]:
    """The order (n,) in which n images stand in for a perfect generator's, the same each time.

    The first 20,000 of MNIST's 60,000 training images are those that the second judge never saw.
    """
    return np.random.default_rng(0).permutation(n)


@functools.cache
def _forward(name: str) -> Callable[..., Any]:
    model = load_judge(name)
    heads = [model.get_layer("features").output, model.output]
    both = keras.Model(model.input, heads, name="judge_outputs")

    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32)])
    def forward(images: Any) -> Any:
        hidden, logits = both(images, training=False)
        return hidden, tf.nn.softmax(logits)

    return forward
