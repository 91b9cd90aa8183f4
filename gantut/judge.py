"""The judge: a small MNIST classifier whose last hidden layer measures generated digits.

A Frechet distance needs features. The published ones come from an ImageNet network that knows
nothing of handwriting and weighs 90 MB; the judge has 127,194 parameters, was trained on MNIST's
60,000 training images, and ships with the package. Distances on its features are therefore a
quantity of their own: read them against their floor (see `gantut.evaluation`), never beside
published Inception distances.

``tools/make_weights.py judge`` makes the weights, and records the seed, the versions, the machine
and the accuracy in ``judge.json``. The training schedule is fixed in advance and the last epoch is
kept, so the test set, on which generators are later judged, selects nothing.
"""

import functools
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut._files import Npz
from gantut._keras import keras, tf
from gantut.data import Float32, check_images, check_labels

NUM_FEATURES = 64
NUM_CLASSES = 10
IMAGE_SHAPE = (28, 28, 1)
DIGITS_ONLY = (
    "the judge reads MNIST's digits only; for other images use gantut.metrics: sharpness, "
    "nearest_training_images, and its distances on features of your own"
)
_WEIGHTS = "weights/judge.npz"
_CONVOLUTIONS = ((16, 1), (32, 2), (64, 2), (64, 2))  # (filters, stride)
_BATCH = 500  # images at a time, which bounds the memory


def build_judge(*, initializer: str = "glorot_uniform") -> keras.Model:
    """Builds the classifier without trained weights.

    Four 3x3 convolutions and one dense layer of 64 units, each with batch normalisation and ReLU
    (the last ReLU is named ``features``), then a dense layer named ``logits`` (10 units).

    Args:
        initializer: Keras initialiser of the kernels. `load_judge` passes ``"zeros"``, which draws
            nothing, so that loading the judge leaves the random state of your program alone.

    Returns:
        A `keras.Model` from images (B, 28, 28, 1) in [-1, 1] to logits (B, 10).
    """
    # Names, dtype and format are explicit: neither Keras' name counters nor a policy or a format
    # set by the caller may reach the judge.
    layers, last = keras.layers, "channels_last"
    matrix = {"kernel_initializer": initializer, "dtype": "float32"}
    conv = {"padding": "same", "data_format": last, "use_bias": False, **matrix}
    norm = {"axis": -1, "momentum": 0.9, "dtype": "float32"}
    inputs = x = keras.Input(IMAGE_SHAPE, dtype="float32", name="images")
    for i, (filters, strides) in enumerate(_CONVOLUTIONS, start=1):
        x = layers.Conv2D(filters, 3, strides, name=f"conv{i}", **conv)(x)
        x = layers.BatchNormalization(name=f"norm{i}", **norm)(x)
        x = layers.ReLU(dtype="float32", name=f"relu{i}")(x)
    x = layers.Flatten(data_format=last, dtype="float32", name="flatten")(x)
    # The normalisation keeps every feature alive: without it a quarter of the ReLUs died in
    # training and never fired again.
    x = layers.Dense(NUM_FEATURES, use_bias=False, name="dense", **matrix)(x)
    x = layers.BatchNormalization(name=f"norm{len(_CONVOLUTIONS) + 1}", **norm)(x)
    x = layers.ReLU(dtype="float32", name="features")(x)
    x = layers.Dense(NUM_CLASSES, name="logits", **matrix)(x)
    return keras.Model(inputs, x, name="judge")


def named_weights(model: keras.Model) -> dict[str, Any]:
    """The variables of a judge by the names that they have in the file of weights."""
    return {v.path.removeprefix("judge/").replace("/", "."): v for v in model.weights}


@functools.cache
def load_judge() -> keras.Model:
    """Returns the trained judge that ships with the package, as `build_judge` makes it, frozen.

    The model is read once per process; every call returns the same object. It stays on the CPU
    (10,000 images take about a second), so that a distance does not depend on the device.
    """
    with tf.device("CPU:0"):
        model = build_judge(initializer="zeros")
        with (
            resources.files("gantut").joinpath(_WEIGHTS).open("rb") as file,
            Npz(file) as stored,
        ):
            for name, variable in named_weights(model).items():
                variable.assign(stored[name])
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


def features(images: npt.ArrayLike) -> Float32:
    """The judge's features (N, 64), >= 0, on which every distance of the book is taken."""
    return outputs(images)[0]


def probabilities(images: npt.ArrayLike) -> Float32:
    """The judge's class probabilities (N, 10)."""
    return outputs(images)[1]


def outputs(images: npt.ArrayLike) -> tuple[Float32, Float32]:
    """Features (N, 64) and class probabilities (N, 10) of images (N, 28, 28, 1) in [-1, 1]."""
    images = check_digits(images)
    forward = _forward()
    with tf.device("CPU:0"):
        blocks = [
            forward(tf.convert_to_tensor(images[start : start + _BATCH]))
            for start in range(0, len(images), _BATCH)
        ]
    hidden, probability = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return hidden, probability


def accuracy(images: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The share of images (N, 28, 28, 1) whose labels (N,), from 0 to 9, the judge guesses."""
    read = probabilities(images).argmax(axis=1)
    labels = check_labels(labels, len(read), NUM_CLASSES)
    return float(np.mean(read == labels))


@functools.cache
def _forward() -> Callable[..., Any]:
    model = load_judge()
    heads = [model.get_layer("features").output, model.output]
    both = keras.Model(model.input, heads, name="judge_outputs")

    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32)])
    def forward(images: Any) -> Any:
        hidden, logits = both(images, training=False)
        return hidden, tf.nn.softmax(logits)

    return forward
