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

For other images `train_judge` makes one of their labels, and `random_judge` one without labels.
"""

import functools
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, TypeAlias

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
    "the judge reads MNIST's digits only; evaluate other images with data=gantut.data.OwnImages, "
    "which gantut.data.read_images returns"
)
JUDGES = {"first": "judge", "second": "second_judge"}  # by name, the file of weights
_LAST = "channels_last"
_BATCH = 500  # images at a time, which bounds the memory
_PARTS = 64  # features of a judge without labels, at most

Judge: TypeAlias = Callable[[Float32], tuple[Float32, Float32 | None]]
"""From images to features (N, F) and to class probabilities (N, classes), if it knows classes."""

layers = keras.layers


def build_judge(
    name: str = "first",
    *,
    initializer: Any = "glorot_uniform",
    image_shape: Sequence[int] = IMAGE_SHAPE,
    num_classes: int = NUM_CLASSES,
) -> keras.Model:
    """Builds a classifier without trained weights.

    The first: four 3x3 convolutions and one dense layer of 64 units, each with batch normalisation
    and ReLU. The second: a 5x5 convolution and three residual blocks (He et al. 2016) of two 3x3
    convolutions, with batch normalisation and SiLU, then the means of 48 channels over each quarter
    of the image. The layer before the logits (10 units) is named ``features``.

    Args:
        name: One of `JUDGES`.
        initializer: Keras initialiser of the kernels. `load_judge` passes ``"zeros"``, which draws
            nothing, so that loading the judge leaves the random state of your program alone.
        image_shape: (height, width, channels).
        num_classes: Number of classes.

    Returns:
        A `keras.Model` from images (B, 28, 28, 1) in [-1, 1] to logits (B, 10), or as was asked.
    """
    body = _check.one_of(name, "judge", {"first": _plain, "second": _residual})
    # Names, dtype and format are explicit: neither Keras' name counters nor a policy or a format
    # set by the caller may reach the judge.
    matrix = {"kernel_initializer": initializer, "dtype": "float32"}
    inputs = keras.Input(tuple(image_shape), dtype="float32", name="images")
    x = body(inputs, matrix)
    x = layers.Dense(num_classes, name="logits", **matrix)(x)
    return keras.Model(inputs, x, name="judge")


def _plain(x: Tensor, matrix: dict[str, Any]) -> Tensor:
    """The features of the first judge."""
    for i, (filters, strides) in enumerate(((16, 1), (32, 2), (64, 2), (64, 2)), start=1):
        x = _convolve(x, str(i), filters, 3, strides, matrix)
        x = layers.ReLU(dtype="float32", name=f"relu{i}")(x)
    x = layers.Flatten(data_format=_LAST, dtype="float32", name="flatten")(x)
    # The normalisation keeps every feature alive: without it a quarter of the ReLUs died in
    # training and never fired again.
    x = _normalise(layers.Dense(64, use_bias=False, name="dense", **matrix)(x), "5")
    return layers.ReLU(dtype="float32", name="features")(x)


def _residual(x: Tensor, matrix: dict[str, Any]) -> Tensor:
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
    x: Tensor, number: str, filters: int, size: int, strides: int, matrix: dict[str, Any]
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
    return _reader(name)(check_digits(images))


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
def _reader(name: str) -> Any:
    return _as_judge(load_judge(name))


def _as_judge(model: keras.Model) -> Judge:
    heads = [model.get_layer("features").output, model.output]
    both = keras.Model(model.input, heads, name="judge_outputs")

    def read(images: Tensor) -> list[Tensor]:
        hidden, logits = both(images, training=False)
        return [hidden, tf.nn.softmax(logits)]

    return _in_blocks(read, model.input.shape[1:])


def _in_blocks(read: Callable[[Any], list[Any]], shape: Sequence[int]) -> Any:
    """A function of images of a shape that makes arrays of them, some at a time, on the CPU."""
    forward = tf.function(read, input_signature=[tf.TensorSpec((None, *shape), tf.float32)])

    def read_all(images: Float32) -> tuple[Float32, ...]:
        starts = range(0, len(images), _BATCH)
        with tf.device("CPU:0"):
            blocks = [forward(tf.convert_to_tensor(images[i : i + _BATCH])) for i in starts]
        return tuple(np.concatenate(part) for part in zip(*blocks, strict=True))

    return read_all


# --- Other images than digits --------------------------------------------------------------------


def train_judge(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    num_classes: int | None = None,
    steps: int = 300,
    seed: int = 0,
) -> Judge:
    """A judge of other images, trained on their labels: the first one's network.

    It learns from batches of 64, drawn with replacement, by Adam at a rate that falls from 2e-3 to
    0 along half a cosine. What it has learned from is no measure of it: keep images apart.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        labels: Their classes, integers (n,) from 0.
        num_classes: Number of classes; as the largest label says if None.
        steps: Batches that it learns from.
        seed: Fixes its weights and the batches.

    Returns:
        From images of that shape to 64 features and the probabilities of the classes.
    """
    x = check_images(images)
    y = check_labels(labels, len(x), num_classes)
    model = build_judge(
        initializer=keras.initializers.GlorotUniform(_check.seed(seed)),
        image_shape=x.shape[1:],
        num_classes=num_classes or int(y.max()) + 1,
    )
    rate = keras.optimizers.schedules.CosineDecay(2e-3, _check.integer(steps, "steps", 1))
    model.compile(
        keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    random = np.random.default_rng(seed)
    for rows in random.integers(len(x), size=(steps, 64)):
        model.train_on_batch(x[rows], y[rows])
    return _as_judge(model)


def random_judge(images: npt.ArrayLike, *, seed: int = 0) -> Judge:
    """A judge of images without labels: random convolutions, which learn nothing.

    Naeem et al. (2020) propose random networks as features of images unlike ImageNet's. This one
    has three layers of convolutions with ReLU, of 32, 64 and 64 channels, whose weights are drawn
    from N(0, 2 / inputs); each layer is halved by averaging. A channel gives its means over 3 x 3
    places and its root mean square over all. The features are the principal components of these
    1,600 numbers, scaled to variance 1: a tenth as many as there are images, from 2 to 64.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1], those that the components
            are of, and by which samples will be judged.
        seed: Fixes the convolutions.

    Returns:
        From images of that shape to the features, without classes (None).
    """
    from sklearn.decomposition import PCA

    x = check_images(images)
    random, depth = _check.rng(seed), x.shape[3]
    kernels = []
    for side, width in ((5, 32), (3, 64), (3, 64)):
        shape, deviation = (side, side, depth, width), (2 / (side**2 * depth)) ** 0.5
        kernels.append(random.normal(0, deviation, shape).astype(np.float32))
        depth = width

    def read(x: Tensor) -> list[Tensor]:
        found = []
        for kernel in kernels:
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
            places = tf.image.resize(x, (3, 3), method="area")
            found += [tf.reshape(places, (tf.shape(x)[0], 9 * kernel.shape[3]))]
            found += [tf.sqrt(tf.reduce_mean(tf.square(x), axis=(1, 2)))]
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
        return [tf.concat(found, axis=1)]

    responses = _in_blocks(read, x.shape[1:])
    some = x[order(len(x))[:5_000]]
    axes = PCA(
        min(_PARTS, max(2, len(some) // 10)),
        whiten=True,
        svd_solver="randomized",
        random_state=seed,
    )
    axes.fit(responses(some)[0])
    return lambda images: (axes.transform(responses(images)[0]), None)
