"""gantut.applications.motion: the clips, the measures, the networks and the rivals."""

import numpy as np
import pytest
from scipy import ndimage

from gantut import load_mnist
from gantut.applications import motion


@pytest.fixture(scope="module")
def digits():
    return load_mnist()


@pytest.fixture(scope="module")
def real(digits):
    return motion.clips(digits.x_test[:500], 1)


def test_a_clip_is_a_digit_that_scipy_moves_too(digits, real):
    for i in (0, 1):
        ink = digits.x_test[i, ..., 0].reshape(14, 2, 14, 2).mean(axis=(1, 3)) / 2 + 0.5
        for t in (0, 3, 7):
            place = real.starts[i] + t * real.velocities[i]
            # With room around it, scipy's linear interpolation is the oracle.
            wide = ndimage.shift(np.pad(ink, 15), place, order=1)[15:35, 15:35]
            np.testing.assert_allclose((real.frames[i, ..., t] + 1) / 2, wide, atol=1e-5)


def test_hardly_any_ink_leaves_the_field_and_a_seed_fixes_the_motions(digits, real):
    total = (real.frames + 1).sum(axis=(1, 2))
    left = total.min(axis=1) / total.max(axis=1)
    assert np.median(left) > 0.9999  # a few digits reach beyond the middle 20 pixels of MNIST
    assert left.min() > 0.85  # measured 0.9
    ends = real.starts + 7 * real.velocities
    for places in (real.starts, ends):
        assert places.min() > -2
        assert places.max() < 8
    # The mean distance of two uniform places on a line of 10 is 10 / 3; four errors are 0.43.
    assert abs(np.abs(ends - real.starts)[:, 0].mean() - 10 / 3) < 0.43
    again = motion.clips(digits.x_test[:500], 1)
    np.testing.assert_array_equal(again.frames, real.frames)
    assert np.any(motion.clips(digits.x_test[:2], 2).frames != real.frames[:2])


def test_tracks_follow_a_point_exactly():
    frames = np.full((2, 20, 20, 8), -1, np.float32)
    for t in range(8):
        frames[0, 3 + t, 15 - t, t] = 1
    track = motion.tracks(frames)
    np.testing.assert_allclose(track[0, :, 0], 3 + np.arange(8))
    np.testing.assert_allclose(track[0, :, 1], 15 - np.arange(8))
    assert np.isnan(track[1]).all()
    found = motion.straight_motion(track)
    np.testing.assert_allclose(found.velocities[0], [1, -1])
    np.testing.assert_allclose(found.residuals[0], 0, atol=1e-12)
    assert np.isnan(found.residuals[1])


def test_the_straight_motion_is_least_squares():
    track = np.random.default_rng(0).standard_normal((5, 8, 2))
    found = motion.straight_motion(track)
    for places, velocity, residual in zip(track, found.velocities, found.residuals, strict=True):
        slopes, squares, *_ = np.polyfit(np.arange(8), places, 1, full=True)
        np.testing.assert_allclose(velocity, slopes[0])
        np.testing.assert_allclose(residual, np.sqrt(squares.sum() / 8))
    np.testing.assert_allclose(found.speeds, np.linalg.norm(found.velocities, axis=1))


def test_real_clips_are_one_motion_of_one_digit(digits, real):
    found = motion.straight_motion(motion.tracks(real.frames))
    assert found.residuals.max() < motion.STRAIGHT  # measured 0.16
    assert np.abs(found.velocities - real.velocities).max() < 0.15  # measured 0.09
    said = motion.measure(real.frames)
    assert said.one_motion == 1
    assert said.both > 0.97  # measured 0.99
    right = motion.read(real.frames).argmax(axis=2) == digits.y_test[:500, None]
    assert right.mean() > 0.94  # measured 0.967


def test_what_is_not_one_motion_is_found_out(digits, real):
    still = motion.measure(motion.still_frames(digits.x_test[:1_600], 0))
    assert still.one_motion < 0.01
    assert still.same_digit < 0.25  # a tenth by chance, and classes differ in number
    # A turn after the fourth frame: the same digit, two motions.
    turned = np.concatenate([real.frames[..., :4], real.frames[..., 3::-1]], axis=3)
    fast = motion.straight_motion(motion.tracks(real.frames)).speeds > 0.5
    assert motion.measure(turned[fast]).one_motion < 0.05
    assert motion.measure(turned).same_digit == 1
    empty = motion.measure(np.full((2, 20, 20, 8), -1, np.float32))
    assert empty.both == 0
    assert np.isnan(empty.residual)


def test_normal_clips_have_the_moments_of_real_ones(real):
    drawn = motion.normal_clips(real.frames, 2_000, 0)
    assert drawn.shape == (2_000, 20, 20, 8)
    # Values are clipped where most real ones lie, at -1: what is compared is the middle.
    middle = (slice(None), slice(8, 12), slice(8, 12), 3)
    assert np.abs(drawn[middle].mean(axis=0) - real.frames[middle].mean(axis=0)).max() < 0.12
    assert abs(drawn[middle].std() / real.frames[middle].std() - 1) < 0.15


def test_the_split_generator_moves_one_content():
    mean = np.full((20, 20, 8), -0.5, np.float32)
    model = motion.split_generator(mean_image=mean)
    z = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    assert model(z).shape == (3, 20, 20, 8)
    # At first all frames are near the mean image, and motion without codes changes nothing.
    model.get_layer("pixels").kernel.assign(np.zeros((256, 400)))
    np.testing.assert_allclose(model(z), -0.5, atol=1e-5)
    assert motion.recipe("plain").generator is not motion.recipe("split").generator


def test_the_second_critic_sees_one_frame_of_each_clip(real):
    critics = motion.two_critics(mean_image=real.frames.mean(axis=0))
    clips = real.frames[:16]
    before = np.reshape(critics(clips), (2, 16))
    for t in (0, 3):
        without = clips.copy()
        without[..., t] = -1
        moved = np.reshape(critics(without), (2, 16)) != before
        assert moved[0].all()
        np.testing.assert_array_equal(moved[1], np.arange(16) % 8 == t)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["split", "two critics"])
def test_a_short_training_learns_to_move(digits, method):
    data = motion.clips(digits.x_train[:300], 0)
    run = motion.train(data.frames, method, steps=20)
    made = motion.measure(run.gan.sample(200, seed=0))
    start = motion.measure(motion.recipe().build((20, 20, 8)).sample(200, seed=0))
    assert made.speed > start.speed + 0.05, (start, made)
    assert made.residual < 2.0, made
    assert run.cpu_seconds > 0


def test_numpys_integers_are_integers(digits):
    real = motion.clips(digits.x_train[:3], np.int64(1)).frames
    assert motion.normal_clips(real, np.int64(2), np.int64(1)).shape == (2, 20, 20, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: motion.clips(x[:, :20]), "digits"),
        (lambda x: motion.tracks(x), "frames"),
        (lambda x: motion.recipe("slow"), "method"),
    ],
)
def test_bad_input_is_refused(digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(digits.x_test[:16])
