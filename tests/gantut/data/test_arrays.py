"""gantut.data.arrays: the doors say what came and what was wanted."""

import warnings

import numpy as np
import pytest

from gantut import data
from gantut.data import check_labels, check_samples, number_of_classes
from gantut.data.arrays import to_float


def test_bytes_become_floats_exactly():
    row = to_float(np.arange(256, dtype=np.uint8))
    assert row.dtype == np.float32
    assert (row[0], row[255]) == (-1.0, 1.0)
    assert np.array_equal(row, np.arange(256, dtype=np.float32) / np.float32(127.5) - 1)
    assert np.abs(row - (np.arange(256) / 127.5 - 1)).max() <= 2**-24
    assert np.array_equal(np.rint((row + 1) * 127.5), np.arange(256))


def test_check_images_lets_good_images_through():
    x = np.linspace(-1, 1, 2 * 3 * 4 * 3, dtype=np.float32).reshape(2, 3, 4, 3)
    assert data.check_images(x) is x
    assert data.check_images(x, channels=3, size=(3, 4)) is x
    assert data.check_images(x[:, :, :3], size=3).shape == (2, 3, 3, 3)
    assert data.check_images(list(x)).shape == x.shape


GOOD = np.zeros((2, 28, 28, 1), np.float32)


def put(value):
    x = GOOD.copy()
    x[1, 3, 4, 0] = value
    return x


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (GOOD.astype(np.float64), {}, r"got dtype float64; convert with x\.astype"),
        (GOOD.astype(np.uint8), {}, r"got dtype uint8; for bytes 0\.\.255: .* / 127\.5 - 1"),
        (GOOD.astype(np.int64), {}, r"got dtype int64$"),
        (GOOD.astype(bool), {}, r"got dtype bool$"),
        ("abc", {}, r"got dtype <U3$"),
        (None, {}, r"got dtype object$"),
        ([GOOD[0], GOOD[0, :5]], {}, "different shapes"),
        (GOOD[..., 0], {}, r"got shape \(2, 28, 28\); add the axis of the channels"),
        (GOOD[0, 0], {}, r"got shape \(28, 1\)$"),
        (np.float32(0), {}, r"got shape \(\)$"),
        (GOOD[:0], {}, r"at least one image, got the empty shape \(0, 28, 28, 1\)"),
        (GOOD[..., :0], {}, r"empty shape \(2, 28, 28, 0\)"),
        (
            GOOD,
            {"channels": 3},
            r"wanted 3 channel\(s\) .* \(2, 28, 28, 1\)",
        ),
        (GOOD, {"size": 32}, r"wanted 32 x 32 pixels, got shape \(2, 28, 28, 1\)"),
        (GOOD, {"size": (28, 29)}, "wanted 28 x 29 pixels"),
        (put(np.nan), {}, r"got NaN in 1 image\(s\), first in image 1"),
        (put(np.inf), {}, r"in \[-1, 1\], got \[0, inf\]"),
        (put(-np.inf), {}, r"got \[-inf, 0\]"),
        (put(np.nextafter(np.float32(1), np.float32(2))), {}, r"wanted values in \[-1, 1\]"),
        (put(-1.5), {}, r"got \[-1\.5, 0\]$"),
        (put(255), {}, r"got \[0, 255\]; for 0\.\.255: x / 127\.5 - 1"),
    ],
)
def test_check_images_says_what_came_and_what_was_wanted(x, options, message):
    with pytest.raises(ValueError, match=f"^faces: .*{message}"):
        data.check_images(x, name="faces", **options)


def test_check_images_refuses_a_size_that_is_none():
    with pytest.raises(TypeError, match=r"size must be an integer >= 1, got 28\.0"):
        data.check_images(GOOD, size=28.0)
    with pytest.raises(ValueError, match=r"size must be an integer or \(height, width\)"):
        data.check_images(GOOD, size=(28, 28, 1))


def test_two_batches_are_alike_in_the_shape_of_an_image_or_in_all():
    x, y = np.zeros((3, 4, 5, 1), np.float32), np.ones((2, 4, 5, 1), np.float32)
    a, b = data.check_alike(x, y, ("made", "known"))
    assert (a is x, b is y) == (True, True)
    for other, options in ((y, {"as_many": True}), (y[:, :3], {}), (y.repeat(3, axis=3), {})):
        with pytest.raises(ValueError, match="made and known differ"):
            data.check_alike(x, other, ("made", "known"), **options)
    with pytest.raises(ValueError, match="known: wanted float32"):
        data.check_alike(x, y.astype(int), ("made", "known"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels must be integers of shape \(3,\), got int64 of shape \(2,\)"),
        ([[0], [1], [2]], r"got int64 of shape \(3, 1\)"),
        ([0.0, 1.0, 2.0], r"got float64 of shape \(3,\)"),
        ([True, False, True], r"got bool of shape \(3,\)"),
        ("seven", r"got <U5 of shape \(3,\)"),
        ([0, 1, 5], r"labels must be in 0\.\.4, got 0\.\.5"),
        (-1, r"labels must be in 0\.\.4, got -1\.\.-1"),
    ],
)
def test_check_labels_refuses(labels, message):
    with pytest.raises(ValueError, match=message):
        check_labels(labels, 3, 5)


def test_check_labels_returns_int32():
    for dtype in (np.uint8, np.int64):
        got = check_labels(np.array([0, 3], dtype), 2, 4)
        assert got.dtype == np.int32
        assert got.tolist() == [0, 3]
    assert check_labels(3, 2, None).tolist() == [3, 3]


def test_check_samples_warns_of_images_from_0_to_1():
    x = np.linspace(0, 1, 2 * 64, dtype=np.float32).reshape(2, 8, 8, 1)
    with pytest.warns(UserWarning, match="from 0 to 1"):
        assert check_samples(x, (8, 8, 1), maker="generator") is x
    x = 2 * x - 1
    x[0, 0, 0, 0] = -1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_samples(x, (8, 8, 1), maker="generator")
        check_samples(np.ones((3, 2), np.float32), (2,), maker="generator")  # Points, no images.


@pytest.mark.parametrize(
    ("x", "shape", "message"),
    [
        (np.ones((3, 2), np.float32), (4,), "shape"),
        (np.float32(1), (), "shape"),
        (np.ones((0, 2), np.float32), (2,), "empty"),
        (np.ones((3, 2)), (2,), "float32"),
        (np.full((3, 2), np.inf, np.float32), (2,), "infinite"),
        (np.full((3, 2, 2, 1), 2, np.float32), (2, 2, 1), r"in \[-1, 1\]"),
    ],
)
def test_check_samples_refuses(x, shape, message):
    with pytest.raises(ValueError, match=message):
        check_samples(x, shape, maker="generator")


def test_classes_without_an_example_are_told():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert number_of_classes(np.array([2, 0, 1, 1])) == 3
    for labels, wanted in (([1, 2, 3], 4), ([0, 1, 7], 8), ([5, 5], 6), ([10**12], 10**12 + 1)):
        with pytest.warns(UserWarning, match=f"the labels are {min(labels)}"):
            assert number_of_classes(np.array(labels)) == wanted


def test_classes_that_hardly_come_in_a_batch_are_told():
    labels = np.repeat([0, 1, 2, 3], [40, 16, 15, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert number_of_classes(labels, 4) == 4
    with pytest.warns(UserWarning, match=r"2 of 4 classes .* \(64 / 4\) .*: 2, 3$"):
        assert number_of_classes(labels, 64) == 4
