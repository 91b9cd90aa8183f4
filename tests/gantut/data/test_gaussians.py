"""gantut.data.gaussians: the images against the formula, and the moments against the truth."""

import warnings

import numpy as np
import pytest

from gantut import data


def test_gaussian_images_are_the_densities_they_claim():
    images, parameters = data.gaussian_images(40, seed=1)
    assert images.shape == (40, 28, 28, 1)
    assert images.dtype == np.float32
    data.check_images(images, channels=1, size=28)
    rows, columns = np.mgrid[:28, :28]
    for k in range(40):  # The formula with the covariance matrix written out.
        c, s = np.cos(parameters.angle[k]), np.sin(parameters.angle[k])
        turn = np.array([[c, -s], [s, c]])
        covariance = turn @ np.diag(parameters.std[k] ** 2) @ turn.T
        d = np.stack([columns, rows], axis=-1) - parameters.mean[k]
        density = np.exp(-0.5 * np.einsum("ija,ab,ijb->ij", d, np.linalg.inv(covariance), d))
        np.testing.assert_allclose(images[k, ..., 0], 2 * density - 1, atol=2e-7)
    assert images[:, 0].max() < -0.999  # The frame is background.


def test_the_peak_is_one_and_the_background_minus_one():
    one = data.GaussianParameters(np.array([[12.0, 15.0]]), np.array([[2.0, 1.0]]), np.zeros(1))
    image = data.render_gaussians(one)[0, ..., 0]
    assert image[15, 12] == 1.0
    assert np.unravel_index(image.argmax(), image.shape) == (15, 12)
    assert image[0, 0] == -1.0
    # One standard deviation away: along x the long axis, along y (rows) the short one.
    assert image[15, 14] == pytest.approx(2 * np.exp(-0.5) - 1, abs=1e-6)
    assert image[16, 12] == pytest.approx(2 * np.exp(-0.5) - 1, abs=1e-6)


def test_parameters_cover_their_ranges():
    parameters = data.gaussian_images(5000, seed=0).parameters
    assert parameters.mean.shape == parameters.std.shape == (5000, 2)
    assert parameters.angle.shape == (5000,)
    for values, low, high in (
        (parameters.mean[:, 0], 10, 17),
        (parameters.mean[:, 1], 10, 17),
        (parameters.std.ravel(), 1, 2.5),
        (parameters.angle, 0, np.pi),
    ):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    assert (parameters.std[:, 0] >= parameters.std[:, 1]).all()
    # Two uniform draws: the larger has its mean at 2/3 of the range, the smaller at 1/3.
    deviation = 1.5 / np.sqrt(18)  # of either
    wanted = [1 + 1.5 * 2 / 3, 1 + 1.5 / 3]
    assert np.abs(parameters.std.mean(axis=0) - wanted).max() < 5 * deviation / np.sqrt(5000)


def turned_by(a, b):
    """The angle between two axes, in [0, pi / 2]."""
    return np.abs((a - b + np.pi / 2) % np.pi - np.pi / 2)


def test_moments_recover_the_parameters():
    images, truth = data.gaussian_images(2000, seed=0)
    found = data.estimate_gaussian_parameters(images)
    # The margins come from what the frame cuts off at four standard deviations; measured 1e-4,
    # 2e-4 and, for axes that differ by a tenth, 1e-4.
    assert np.abs(found.mean - truth.mean).max() < 2e-4
    assert np.abs(found.std - truth.std).max() < 4e-4
    long = truth.std[:, 0] > 1.1 * truth.std[:, 1]
    assert long.mean() > 0.8
    assert turned_by(found.angle, truth.angle)[long].max() < 2e-4
    assert ((found.angle >= 0) & (found.angle < np.pi)).all()
    again = data.render_gaussians(found)
    assert np.abs(again - images).max() < 1e-3


def test_moments_of_an_image_without_mass_are_nan_and_of_a_veil_wide():
    images = np.full((2, 28, 28, 1), -1, np.float32)
    images[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = data.estimate_gaussian_parameters(images)
    assert np.isnan(found.mean[0]).all()
    assert np.isnan(found.std[0]).all()
    assert np.isnan(found.angle[0])
    # A flat image: the uniform distribution on 0..27, variance (28^2 - 1) / 12.
    np.testing.assert_allclose(found.mean[1], 13.5, rtol=1e-12)
    np.testing.assert_allclose(found.std[1], np.sqrt((28**2 - 1) / 12), rtol=1e-12)


def test_gaussian_helpers_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="wanted 28 x 28 pixels"):
        data.estimate_gaussian_parameters(np.zeros((2, 27, 28, 1), np.float32))
    with pytest.raises(ValueError, match=r"wanted 1 channel\(s\)"):
        data.estimate_gaussian_parameters(np.zeros((2, 28, 28, 3), np.float32))
    mean, std, angle = np.zeros((3, 2)), np.ones((3, 2)), np.zeros(3)
    for wrong, message in (
        ((mean, std, angle[:2]), r"got \(3, 2\), \(3, 2\) and \(2,\)"),
        ((mean, std[:, 0], angle), r"got \(3, 2\), \(3,\) and \(3,\)"),
        ((mean, std, 0.0), r"and \(\)"),
        ((mean * np.nan, std, angle), "must be finite"),
        ((mean, std * 0, angle), r"std must be > 0, got 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            data.render_gaussians(data.GaussianParameters(*wrong))
