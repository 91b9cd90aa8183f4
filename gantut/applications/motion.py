"""Clips of one digit that moves, two GANs that generate them, and their rivals.

    from gantut import load_mnist
    from gantut.applications import motion

    data = motion.clips(load_mnist().x_train[:8_000])
    run = motion.train(data.frames, "split", seed=0)
    motion.measure(run.gan.sample(500))

A clip has eight frames of 20 x 20 pixels, which are the channels of one image, float32
(n, 20, 20, 8) in [-1, 1]. In it one digit, 14 x 14 pixels with its margin, goes along a straight
line at constant velocity. `tracks` follows the centre of the ink, and `measure` says whether what
it does is one motion of one digit.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check, judge, networks, recipes
from gantut._keras import Tensor, keras, tf
from gantut.data import Float32, Float64, check_images
from gantut.gan import GAN
from gantut.networks import parts
from gantut.sampling import draw_normal

layers = keras.layers

FRAMES = 8  # of a clip
SIDE = 20  # of a frame, in pixels
STRAIGHT = 0.25  # the residual of a `Motion`, in pixels, up to which clips count as one
_DIGIT, _MARGIN = 14, 2  # side of a digit in pixels, and the margin in it


# --- Clips -------------------------------------------------------------------------------------


class Clips(NamedTuple):
    """Clips and how they were made."""

    frames: Float32  # (n, 20, 20, 8) in [-1, 1]
    starts: Float64  # (n, 2), row and column of the digit's patch in the first frame, in pixels
    velocities: Float64  # (n, 2), in pixels a frame


def clips(digits: npt.ArrayLike, seed: int = 0) -> Clips:
    """Moves each digit once, from one place to another, both uniform, at constant velocity.

    Digits are images (n, 28, 28, 1) in [-1, 1]. Their ink stays inside, but for the few that reach
    beyond the middle 20 x 20 pixels.
    """
    ink, rng = _halved(digits), _check.rng(seed)
    starts, ends = rng.uniform(-_MARGIN, SIDE - _DIGIT + _MARGIN, (2, len(ink), 2))
    velocities = (ends - starts) / (FRAMES - 1)
    places = starts[:, None] + np.arange(FRAMES)[:, None] * velocities[:, None]
    return Clips(_placed(ink, places), starts, velocities)


def still_frames(digits: npt.ArrayLike, seed: int = 0) -> Float32:
    """Clips (n, 20, 20, 8) of unrelated frames: 8 n digits, as in `clips`, at as many places."""
    ink = _halved(digits)
    places = _check.rng(seed).uniform(-_MARGIN, SIDE - _DIGIT + _MARGIN, (len(ink), 1, 2))
    frames = _placed(ink, places)[..., 0]
    return frames.reshape(-1, FRAMES, SIDE, SIDE).transpose(0, 2, 3, 1)


def normal_clips(frames: npt.ArrayLike, n: int, seed: int = 0) -> Float32:
    """Draws from the normal distribution with the mean and covariance of two or more clips.

    What lies outside [-1, 1] is clipped.
    """
    return np.clip(draw_normal(_clips(frames), n, _check.rng(seed)), -1, 1)


def _clips(frames: npt.ArrayLike) -> Float32:
    return check_images(frames, name="frames", channels=FRAMES, size=SIDE)


def _halved(digits: npt.ArrayLike) -> Float32:
    """Ink in [0, 1] (n, 14, 14), the means of 2 x 2 pixels."""
    images = check_images(digits, name="digits", channels=1, size=28)
    pixels = images.reshape(-1, _DIGIT, 2, _DIGIT, 2).mean(axis=(2, 4))
    return np.asarray((pixels + 1) / 2)


def _placed(patches: Float32, places: Float64) -> Float32:
    """Patches of ink (n, 14, 14) at places (n, frames, 2) on dark ground."""
    down, across = (_shifts(places[..., k], _DIGIT, SIDE) for k in (0, 1))
    ink = down @ patches[:, None] @ across.swapaxes(-1, -2)
    return np.clip(2 * ink - 1, -1, 1).transpose(0, 2, 3, 1).astype(np.float32)


def _shifts(places: Float64, size: int, onto: int) -> Float32:
    """Matrices (..., onto, size) that put pixels at real places, by linear interpolation."""
    return _shares(np.arange(onto)[:, None] - np.arange(size) - places[..., None, None])


def _shares(distances: Float64) -> Float32:
    """What linear interpolation takes of a pixel at a distance, in pixels."""
    return np.maximum(0, 1 - np.abs(distances)).astype(np.float32)


# --- Measures ----------------------------------------------------------------------------------


def tracks(frames: npt.ArrayLike) -> Float64:
    """The centre of the ink in each frame: float64 (n, 8, 2), row and column in pixels.

    Ink fainter than a tenth does not count; an empty frame has NaN.
    """
    ink = (_clips(frames).astype(np.float64) + 1) / 2
    ink[ink < 0.1] = 0
    axis = np.arange(SIDE)
    sums = [np.einsum(f"nijt,{k}->nt", ink, axis) for k in "ij"]
    with np.errstate(invalid="ignore"):
        return np.stack(sums, axis=2) / ink.sum(axis=(1, 2))[..., None]


class Motion(NamedTuple):
    """The motion at constant velocity that fits a track best, by least squares."""

    velocities: Float64  # (n, 2), in pixels a frame
    residuals: Float64  # (n,), root mean square distance from it in pixels

    @property
    def speeds(self) -> Float64:
        """float64 (n,), in pixels a frame."""
        return np.linalg.norm(self.velocities, axis=1)


def straight_motion(track: npt.ArrayLike) -> Motion:
    """Fits a motion to each track (n, frames, 2) of `tracks`; NaN where that has NaN."""
    places = np.asarray(track, dtype=np.float64)
    t = np.arange(places.shape[1]) - (places.shape[1] - 1) / 2
    velocities = np.einsum("t,ntk->nk", t, places) / (t @ t)
    line = places.mean(axis=1, keepdims=True) + t[:, None] * velocities[:, None]
    residuals = np.sqrt(((places - line) ** 2).sum(axis=2).mean(axis=1))
    return Motion(velocities, residuals)


def read(frames: npt.ArrayLike) -> Float64:
    """The probabilities of the digits that the judge reads in each frame: float64 (n, 8, 10).

    Its ink, faint after halving and moving, is centred, enlarged and stretched: below 23 % of the
    frame's brightest becomes black, above 68 % white. Of the test digits the judge then reads 97 %
    rightly, and 99 % as the same in the first and last frame. An empty frame is a black image.
    """
    ink = (_clips(frames).transpose(0, 3, 1, 2) + 1) / 2
    # A patch's own centre is at 6.5; the shift puts the centre of the ink there.
    places = (_DIGIT - 1) / 2 - np.nan_to_num(tracks(frames), nan=(_DIGIT - 1) / 2)
    down, across = (_shifts(places[..., k], SIDE, _DIGIT) for k in (0, 1))
    # Pixel i of 28 lies at (i - 1/2) / 2 of the 14.
    enlarge = _shares((np.arange(28) - 0.5)[:, None] / 2 - np.arange(_DIGIT))
    images = enlarge @ (down @ ink @ across.swapaxes(-1, -2)) @ enlarge.T
    brightest = images.max(axis=(2, 3), keepdims=True)
    images = np.clip(2.2 * images / np.maximum(brightest, 1e-6) - 0.5, 0, 1)
    flat = (2 * images - 1).reshape(-1, 28, 28, 1).astype(np.float32)
    return judge.probabilities(flat).reshape(-1, FRAMES, 10).astype(np.float64)


class Measures(NamedTuple):
    """Whether clips show one motion of one digit; a clip with an empty frame shows neither."""

    residual: float  # median residual of `straight_motion`, in pixels
    one_motion: float  # the share of clips where it is at most `STRAIGHT`
    speed: float  # the mean speed, in pixels a frame
    speed_deviation: float  # its standard deviation
    same_digit: float  # share of clips in whose first and last frame the judge reads the same digit
    sure: float  # its mean probability for what it reads in all frames
    both: float  # the share with one motion and the same digit


def measure(frames: npt.ArrayLike) -> Measures:
    """Measures clips."""
    motion, seen = straight_motion(tracks(frames)), read(frames)
    digits = seen.argmax(axis=2)
    whole = np.isfinite(motion.residuals)
    one = motion.residuals <= STRAIGHT
    same = whole & (digits[:, 0] == digits[:, -1])
    kept = whole if whole.any() else ...  # Of none that is whole all is NaN.
    return Measures(
        residual=float(np.median(motion.residuals[kept])),
        one_motion=float(one.mean()),
        speed=float(motion.speeds[kept].mean()),
        speed_deviation=float(motion.speeds[kept].std()),
        same_digit=float(same.mean()),
        sure=float(seen.max(axis=2).mean()),
        both=float((one & same).mean()),
    )


# --- The GANs ----------------------------------------------------------------------------------


def split_generator(
    image_shape: Sequence[int] = (SIDE, SIDE, FRAMES), mean_image: npt.ArrayLike | None = None
) -> keras.Model:
    """Draws every frame with the same weights, from what moves and where it is by then.

    The first 48 latent numbers, the content, are the same for all frames. The other 16, the motion,
    make a code for each. Both meet in a perceptron that draws one frame. MoCoGAN has a recurrent
    network for the codes and convolutions for the frames (Tulyakov et al. 2018, section 3); for
    eight frames a linear layer does.

    Args:
        image_shape: (height, width, frames).
        mean_image: The mean clip; the last layer's bias starts where it draws its mean frame.
    """
    height, width, frames = shape = parts.checked_shape(image_shape)
    z = parts.latent_input(48 + 16)
    content = layers.Reshape((1, 48), name="content")(z[:, :48])
    content = layers.Dense(256, name="content_dense")(content)
    moved = parts.leaky(layers.Dense(64, name="motion_dense")(z[:, 48:]), "motion")
    codes = layers.Dense(frames * 32, name="code_dense")(moved)
    codes = layers.Reshape((frames, 32), name="codes")(codes)
    x = layers.Add(name="meet")([content, layers.Dense(256, name="place_dense")(codes)])
    x = parts.leaky(layers.BatchNormalization(momentum=0.9, name="batch_norm")(x), "leaky_relu")
    x = parts.dense_layers(x, (256,), batch_norm=True)
    x = layers.Dense(height * width, activation="tanh", name="pixels")(x)
    x = layers.Permute((2, 1), name="frames_last")(x)
    x = layers.Reshape(shape, name="clip")(x)
    model = keras.Model(z, x, name="split_generator")
    if mean_image is not None:
        parts.start_at(model, parts.checked_mean(mean_image, shape).mean(axis=-1))
    return model


@keras.saving.register_keras_serializable(package="gantut")
class OneFrame(keras.layers.Layer):
    """One frame of each clip, (batch, 20, 20, 1): of the clip in row i, frame i mod 8."""

    def call(self, clips: Tensor) -> Tensor:
        """Batches come shuffled, so all clips show each of their frames equally often."""
        times = tf.range(tf.shape(clips)[0]) % FRAMES
        return tf.gather(clips, times, axis=3, batch_dims=1)[..., None]


_critic = partial(networks.mlp_discriminator, widths=(256, 128))


def two_critics(
    image_shape: Sequence[int] = (SIDE, SIDE, FRAMES), mean_image: npt.ArrayLike | None = None
) -> keras.Model:
    """A perceptron that sees clips, and another one that sees single frames.

    MoCoGAN has both critics (Tulyakov et al. 2018, section 3). The logits, (2 * batch, 1), are
    those of the clips and then those of one frame of each, by `OneFrame`. So the mean loss over
    them is half the sum of the two critics' losses, and a gradient penalty on them is on the slope
    of the sum of a clip's two logits.

    ``mean_image`` is the mean clip, which the critics' first layers subtract.
    """
    still = None if mean_image is None else np.asarray(mean_image).mean(axis=-1, keepdims=True)
    clips = _critic(image_shape, mean_image=mean_image)
    frames = _critic((*image_shape[:2], 1), mean_image=still)
    of_frame = frames(OneFrame(name="frame")(clips.input))
    logits = layers.Concatenate(axis=0, name="logits")([clips.output, of_frame])
    return keras.Model(clips.input, logits, name="two_critics")


def recipe(method: str = "split") -> recipes.GANRecipe:
    """The settings of a training on clips, for `gantut.recipes.train`.

    Args:
        method: "split" has the `split_generator`, "two critics" the `two_critics` as well, and
            "plain" a perceptron for all frames at once.
    """
    method = _check.one_of(method, "method", ("split", "two critics", "plain"))
    fast: recipes.GANRecipe = recipes.get("fast")
    return replace(
        fast,
        name=f"motion, {method}",
        summary="clips of a moving digit",
        generator=fast.generator if method == "plain" else split_generator,
        discriminator=two_critics if method == "two critics" else _critic,
        penalties={"r1": 1.0, "r2": 1.0},
        ema=0.995,
        schedule=recipes.cosine_decay(),
        steps=600,
        gpu_steps=600,
        steps_per_execution=20,
    )


def train(frames: npt.ArrayLike, method: str = "split", **options: Any) -> recipes.Run[GAN]:
    """Trains the GAN of a `recipe` on clips, a batch (64) of them at least.

    Other arguments are ``steps``, ``seed`` and others of `gantut.recipes.train`.
    """
    return recipes.train(recipe(method), _clips(frames), **options)
