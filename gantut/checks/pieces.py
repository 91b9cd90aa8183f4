"""The checks, one function each, for a piece that may have no training step yet."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import distance

from gantut import _check
from gantut._keras import keras, put_back, tf, watched
from gantut.checks.parts import (
    Array,
    Inputs,
    Model,
    all_layers,
    as_list,
    call,
    default_inputs,
    finding,
    last_weights,
    shapes_of,
)
from gantut.diagnosis import Finding
from gantut.diagnosis.symptoms import percent

Tensor: TypeAlias = tf.Tensor
Critic = Callable[[Tensor], Tensor]


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


# --- Shapes and ranges --------------------------------------------------------------------------


def shapes(
    generator: Model, discriminator: Model, images: npt.ArrayLike | None = None
) -> Finding | None:
    """Does what G makes fit what D takes, and the data (n, ...), if it is given?

    D may take more channels than G makes, for planes of labels. Data of another shape with as many
    values passes, because a training step may reshape it.
    """
    made, taken = shapes_of(generator)[1], shapes_of(discriminator)[0]
    planes = len(made) == len(taken) == 3 and made[:-1] == taken[:-1] and made[-1] < taken[-1]
    if made != taken and not planes:
        return finding(
            "shapes",
            f"The generator makes samples of {_by(made)}, but the discriminator takes "
            f"{_by(taken)}. Each transposed convolution multiplies the side by its stride: "
            "28 = 7 * 2 * 2. Print output_shape after each layer.",
        )
    if images is not None:
        real = tuple(np.shape(images)[1:])
        if math.prod(real) != math.prod(made):
            return finding(
                "shapes",
                f"The generator makes samples of {_by(made)}, but a data point is "
                f"{_by(real)}. Check the number of channels, and whether images were resized.",
            )
    return None


def scale(generator: Model, images: npt.ArrayLike, latents: Inputs | None = None) -> Finding | None:
    """Is the data (n, ...), as D sees it, scaled like what G makes?

    It must not go beyond what G can make (`reach`, from the same latents), and fill 60 % of it.
    """
    return fits_the_range(reach(generator, latents), np.asarray(images))


def fits_the_range(ends: tuple[float, float], real: Array) -> Finding | None:
    """`scale`, for what `reach` found."""
    low, high = ends
    bottom, top = float(real.min()), float(real.max())
    slack = 0.01 * (high - low) if math.isfinite(high - low) else 0.01
    if bottom < low - slack or top > high + slack:
        message = (
            f"The data lies in [{bottom:.4g}, {top:.4g}], but all that the generator can make "
            f"lies in [{low:.3g}, {high:.3g}]. One number an image tells D which is which, and G "
            "can do nothing about it."
        )
    elif top - bottom < 0.6 * (high - low) < math.inf:
        message = (
            f"The data lies in [{bottom:.4g}, {top:.4g}], the generator's samples in "
            f"[{low:.3g}, {high:.3g}]. A part of what G can make never occurs, and D needs to "
            "look no further than that."
        )
    else:
        return None
    tanh = abs(low + 1.0) < 0.05 and abs(high - 1.0) < 0.05
    if tanh and bottom >= 0.0 and top > 2.0:
        message += " For bytes 0..255: x / 127.5 - 1."
    elif tanh and bottom >= 0.0 and top <= 1.0:
        message += " For data in [0, 1]: 2 * x - 1, or a sigmoid at the end of G."
    return finding("scale", message, data_min=bottom, data_max=top, reach_min=low, reach_max=high)


def reach(generator: Model, latents: Inputs | None = None) -> tuple[float, float]:
    """The least and the greatest number that a generator can make, found by trying.

    Its latent vectors (8 standard normal ones, with labels 0, if None), and the weights of its last
    layer, are made a thousand and a million times as large (and put back). A tanh then ends at -1
    and 1; an output that goes on growing has no bound, and is infinite.
    """
    inputs = default_inputs(generator) if latents is None else as_list(latents)
    last = last_weights(generator)
    ends = []
    with put_back(generator.variables):
        for factor in (1e3, 1e6):
            far = call(generator, [factor * tf.cast(inputs[0], tf.float32), *inputs[1:]])
            with put_back(last):
                for weight in last:
                    weight.assign(factor * tf.convert_to_tensor(weight))
                large = call(generator, inputs)
            found = np.concatenate([far.ravel(), large.ravel()])
            found = found[np.isfinite(found)]
            ends.append((float(found.min()), float(found.max())) if found.size else (0.0, 0.0))
    (low, high), (lower, higher) = ends
    return (
        -math.inf if lower < 10.0 * min(low, -1e-3) else lower,
        math.inf if higher > 10.0 * max(high, 1e-3) else higher,
    )


def modes(points: npt.ArrayLike, expected: int, *, seed: int = 0) -> Finding | None:
    """Does made-up data have as many modes as it should, no fewer and no more?

    Two modes are apart if the gap between them is much longer than any gap inside them: of the
    edges of the shortest tree that joins 600 of the points (20 for each mode, if that is more),
    those before the largest drop in length. The points are (n, d), ten or more for each of two
    modes or more, and the seed chooses among them.
    """
    expected = _check.integer(expected, "expected", 2)
    x = np.asarray(points, float)
    if x.ndim != 2 or len(x) < 10 * expected or not np.isfinite(x).all():
        raise ValueError(
            "points must be finite, of shape (n, d), at least ten for each of the expected modes; "
            f"got shape {x.shape} for expected={expected}"
        )
    x = _check.rng(seed).permutation(x)[: max(600, 20 * expected)]
    lengths = minimum_spanning_tree(distance.squareform(distance.pdist(x))).data
    # A length of zero, between equal points, is no edge there.
    edges = np.zeros(len(x) - 1)
    edges[: len(lengths)] = np.sort(lengths)[::-1]
    ratios = edges[: 3 * expected] / np.maximum(edges[1 : 3 * expected + 1], 1e-12)
    if ratios.max() < 3.0:
        return finding(
            "modes",
            f"The data is said to have {expected} separate modes, but no gap between points "
            "stands out. The modes overlap, or there is one.",
            expected=expected,
            gap=ratios.max(),
        )
    count = int(ratios.argmax()) + 2
    if count == expected:
        return None
    return finding(
        "modes",
        f"The data is said to have {expected} modes and has {count}. On a ring, "
        "linspace(0, 2 * pi, n) takes both ends, which are one point: the first mode counts "
        "twice. Use endpoint=False.",
        expected=expected,
        found=count,
    )


# --- Labels -------------------------------------------------------------------------------------


def label_planes(planes: npt.ArrayLike, labels: npt.ArrayLike | None = None) -> Finding | None:
    """Do labels make planes? Each channel of an image's label must be one constant.

    Args:
        planes: What stands beside the image, (n, height, width, classes).
        labels: The integer labels (n,); with them the plane of the label must be the largest.
    """
    x = np.asarray(planes)
    if x.ndim != 4 or not x.size:
        raise ValueError(f"planes must have shape (n, height, width, classes), got {x.shape}")
    varied = (np.ptp(x, axis=(1, 2)) > 1e-6).any(axis=1)
    if varied.any():
        rows = (np.ptp(x, axis=2) <= 1e-6).all()
        where = "bands over the rows of the image" if rows else "no planes"
        return finding(
            "label_planes",
            f"The labels make {where}: in {percent(varied.mean())} of images a "
            "channel of the label is not the same all over the image. Repeating a one-hot row "
            "without an axis repeats each number by itself. Reshape to (n, 1, 1, classes), then "
            "repeat along axes 1 and 2.",
            share=varied.mean(),
        )
    if labels is not None:
        wrong = np.mean(x[:, 0, 0].argmax(axis=1) != np.asarray(labels))
        if wrong > 0.0:
            return finding(
                "label_planes",
                f"The labels make planes, but in {percent(wrong)} of images of another class.",
                share=wrong,
            )
    return None


def label_use(
    network: Model, inputs: Sequence[npt.ArrayLike], name: str = "discriminator"
) -> Finding | None:
    """Do the labels, of which two or more differ, make a difference to what it answers?"""
    images, labels = inputs
    if len(np.unique(labels, axis=0)) < 2:
        return None
    with put_back(network.variables):
        one, two = (call(network, [images, y]) for y in (labels, np.roll(labels, 1, axis=0)))
    if np.abs(one - two).max() > 0.0:
        return None
    return finding(
        "label_use",
        f"The {name} takes labels and does not use them: its answers are the same with other "
        "labels.",
    )


# --- The networks -------------------------------------------------------------------------------


def normalisation(network: Model, name: str = "network") -> Finding | None:
    """Does batch normalisation normalise?

    Each such layer that is trained gets 256 standard normal numbers a channel. With the usual
    epsilon (at most 0.01) the deviation of what comes out, without scale and offset, is above
    0.99; a finding is one below 0.9.
    """
    rng = np.random.default_rng(0)
    for layer in all_layers(network):
        if not isinstance(layer, keras.layers.BatchNormalization) or not layer.trainable:
            continue
        if not layer.built or layer.axis not in (-1, layer.input_spec.ndim - 1):
            continue
        channels = int(layer.moving_mean.shape[0])
        x = rng.standard_normal((256, *[1] * (layer.input_spec.ndim - 2), channels))
        with put_back(layer.variables):
            y = np.asarray(layer(tf.cast(x, layer.compute_dtype), training=True), float)
        if layer.center:
            y = y - np.asarray(layer.beta, float)
        deviation = y.reshape(-1, channels).std(axis=0)
        if layer.scale:
            gamma = np.abs(np.asarray(layer.gamma, float))
            deviation = np.where(gamma > 1e-6, deviation / np.maximum(gamma, 1e-6), 1.0)
        if deviation.mean() < 0.9:
            return finding(
                "normalisation",
                f"Layer {layer.name!r} of the {name} makes numbers of deviation 1 into numbers of "
                f"deviation {deviation.mean():.2f}: its epsilon is too large. A momentum given in "
                "the place of epsilon does that; name the arguments.",
                deviation=deviation.mean(),
            )
    return None


def idle_layers(network: Model, inputs: Inputs, name: str = "network") -> Finding | None:
    """Does each activation do something?

    One that gives out, to the bit, what it got changes nothing: a LeakyReLU behind a ReLU, say.
    """
    kinds = keras.layers
    wanted = (kinds.ReLU, kinds.LeakyReLU, kinds.ELU, kinds.PReLU, kinds.Activation)
    same: dict[str, list[bool]] = {}

    def see(layer: keras.Layer, given: Any, kwargs: Any, output: Any) -> None:
        same.setdefault(layer.name, []).append(np.array_equal(given, output))

    layers = [layer for layer in all_layers(network) if isinstance(layer, wanted)]
    with put_back(network.variables), watched(layers, see):
        call(network, inputs, training=True)
    idle = [layer for layer, calls in same.items() if all(calls)]
    if not idle:
        return None
    return finding(
        "idle_layers",
        f"Layer {idle[0]!r} of the {name} changes nothing: it gives out what it gets. Behind a "
        "ReLU there is nothing left for a LeakyReLU to do; take one of the two.",
        layers=len(idle),
    )


def linearity(discriminator: Model, inputs: Inputs) -> Finding | None:
    """Is D more than a linear function of the image?

    For a linear logit the answer half-way between two images is the mean of the two answers, here
    to 1/2000 of their deviation. There must be four images or more, of which all get the
    first one's label; D may answer in logits or in probabilities.
    """
    first, *rest = (np.asarray(x) for x in as_list(inputs))
    rest = [np.repeat(x[:1], len(x), axis=0) for x in rest]
    other = np.roll(first, len(first) // 2, axis=0)
    with put_back(discriminator.variables):
        answers = [
            np.asarray(call(discriminator, [x, *rest]), float).reshape(-1)
            for x in (first, other, (0.5 * (first + other)).astype(first.dtype))
        ]
    if all(((a > 0.0) & (a < 1.0)).all() for a in answers):  # probabilities: back to logits
        answers = [np.log(a) - np.log1p(-a) for a in answers]
    a, b, middle = answers
    off = np.abs(a + b - 2.0 * middle).max() / max(float(np.std(a)), 1e-12)
    if not np.std(a) > 0.0 or off > 1e-3:
        return None
    return finding(
        "linearity",
        "D is a linear function of the image, a logistic regression. It can compare the means of "
        "two sets of images and nothing else: G has won as soon as its mean image is right. Give "
        "it a hidden layer.",
        off=off,
    )


def training_mode(
    network: Model, inputs: Inputs, modes: Sequence[bool | None], name: str = "discriminator"
) -> Finding | None:
    """Is a network trained in training mode, if that makes a difference to its answers?

    It does with dropout or batch normalisation. ``modes`` is the argument ``training`` of each
    call in a training step, of which one must be true.
    """
    if not len(modes) or any(modes):
        return None
    with put_back(network.variables):
        asleep, awake = (call(network, inputs, training=mode) for mode in (False, True))
    if np.allclose(asleep, awake, rtol=1e-5, atol=1e-6):
        return None
    return finding(
        "training_mode",
        f"The {name} is never called with training=True in the step ({len(modes)} calls), so its "
        "dropout drops nothing and its batch normalisation does not look at the batch. Write "
        "model(x, training=True).",
        calls=len(modes),
    )


# --- The training step --------------------------------------------------------------------------


def learning(
    before: Sequence[npt.ArrayLike], after: Sequence[npt.ArrayLike], name: str = "discriminator"
) -> Finding | None:
    """Does a network learn, and stay finite?

    Its weights, as ``get_weights`` returns them, come from before and after some training steps.
    """
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(before, after, strict=True)]
    if any(a.shape != b.shape for a, b in pairs):
        raise ValueError("the weights before and after have other shapes")
    lost = [not np.isfinite(b).all() for a, b in pairs if b.dtype.kind == "f"]
    if any(lost):
        return finding(
            "learning",
            f"Weights of the {name} are not finite any more ({sum(lost)} of {len(pairs)} arrays). "
            "Look for the root or the logarithm of zero in the loss.",
            lost=sum(lost),
        )
    changed = sum(not np.array_equal(a, b) for a, b in pairs)
    if changed or not pairs:
        return None
    return finding(
        "learning",
        f"The {name} does not learn: none of its {len(pairs)} weight arrays has changed. If it "
        "was set to trainable = False and compiled, Keras 3 trains it no more, and says so in a "
        "warning only. Train with two tapes, one for each network's trainable_variables, or set "
        "trainable anew around each step.",
        arrays=len(pairs),
    )


def separation(updates: Sequence[Sequence[str]]) -> Finding | None:
    """Does each update change one network only?"""
    both = sum(len(set(networks)) > 1 for networks in updates)
    if not both:
        return None
    return finding(
        "separation",
        f"{both} of {len(updates)} updates change both networks at once. The step that should make "
        "G better also makes D worse: it learns to call samples real. Freeze D in G's step, or "
        "give each optimizer the variables of one network.",
        both=both,
    )


def opposition(
    gap: float, d_changes: Sequence[float], g_changes: Sequence[float]
) -> Finding | None:
    """Does G's step work against D's?

    It does not if D's updates together and four in five of G's drive the gap the same way, and it
    has the sign to show for it. Which way that is does not matter: a D that calls data 0 is as good
    as one that calls it 1. One sign alone would not do: momentum carries D past its aim now and
    then, and D is fooled now and then.

    The gap is D's mean answer on data minus that on samples, after the steps; the changes are what
    each update of D, or of G, did to it.
    """
    if not len(d_changes) or not len(g_changes):
        return None
    agreed = np.sign(np.asarray(g_changes, float)).mean()
    d, g = float(np.sum(d_changes)), float(np.sum(g_changes))
    if not (d * g > 0.0 and gap * g > 0.0 and abs(agreed) >= 0.6):
        return None
    return finding(
        "opposition",
        "G works for D: its updates move D's answer on samples further from that on data, as D's "
        "own updates do. In G's step samples must get the label of data.",
        gap=gap,
        d_change=d,
        g_change=g,
    )


def critic_steps(updates: Sequence[Sequence[str]], claimed: int) -> Finding | None:
    """Does D take as many steps for one of G, over whole rounds, as is claimed?"""
    d = sum("discriminator" in networks for networks in updates)
    g = sum("generator" in networks for networks in updates)
    if not g or d == claimed * g:
        return None
    return finding(
        "critic_steps",
        f"D is said to take {claimed} steps for one of G and takes {d / g:.3g} ({d} and {g} "
        "updates were seen).",
        d_updates=d,
        g_updates=g,
    )


def noise_rows(rows: Sequence[tuple[int, int]]) -> Finding | None:
    """Do the noise rows follow the batch?

    ``rows`` holds, for batches of at least two sizes, the number of images and the number of
    latent vectors that were drawn for it.
    """
    (real, noise), *others = rows
    for fewer, drawn in others:
        if drawn * real != noise * fewer:
            return finding(
                "noise_rows",
                f"The noise does not follow the batch: {real} images are met by {noise} latent "
                f"vectors, {fewer} images by {drawn}. At the end of an epoch the two halves of D's "
                "batch have other weights, and a loss on pairs fails. Draw tf.shape(images)[0] "
                "rows, or drop the remainder.",
                images=fewer,
                latents=drawn,
            )
    return None


# --- Losses and penalties -----------------------------------------------------------------------


def mixing_weights(alpha: npt.ArrayLike) -> Finding | None:
    """Are weights ``alpha`` of any shape in [0, 1], up to rounding?

    Gulrajani et al. 2017 (section 4) take the penalty on straight lines between data and samples:
    the weights are uniform on [0, 1].
    """
    a = np.asarray(alpha, float).ravel()
    outside = float(np.mean(~((a >= -1e-4) & (a <= 1.0 + 1e-4)))) if a.size else 0.0
    if not outside:
        return None
    return finding(
        "mixing_weights",
        f"{percent(outside)} of the mixing weights lie outside [0, 1], from {a.min():.2f} to "
        f"{a.max():.2f}: those points are not between data and samples. Draw alpha uniformly, not "
        "normally.",
        share=outside,
        least=a.min(),
        greatest=a.max(),
    )


NOT_FINITE_WHERE_FLAT = finding(
    "flat_critic",
    "The penalty's gradient is not finite where D is flat: the derivative of the square root at 0 "
    "is infinite. Add 1e-12 under the root.",
)


def flat_critic(penalty: Callable[[Critic, Tensor, Tensor], Tensor]) -> Finding | None:
    """Is a gradient penalty's gradient finite where D is flat?

    The norm's derivative at a gradient of zero is 0/0, and one such image turns all of D's weights
    into NaN. The penalty is a function of (critic, data, samples), the latter two float32 (8, 3),
    to a scalar.
    """
    weight = tf.Variable([[0.0], [0.0], [0.0]])
    real, fake = (tf.random.stateless_normal((8, 3), seed=(0, i)) for i in range(2))
    with tf.GradientTape() as tape:
        value = penalty(lambda x: x @ weight, real, fake)
    gradient = tape.gradient(value, weight)
    if gradient is None:
        return finding("flat_critic", "The penalty has no gradient: it does not depend on D.")
    return None if np.isfinite(np.asarray(gradient)).all() else NOT_FINITE_WHERE_FLAT


def saturation(loss: Callable[[Tensor], Tensor]) -> Finding | None:
    """Is G's loss steep where its samples are poor?

    It goes from D's logits on samples, float32 (n, 1), to a scalar. A logit of -6, D(G(z)) =
    0.0025, must pull at G by a tenth of what a logit of 0 does, or more.
    """
    slopes = []
    for value in (-6.0, 0.0):
        logits = tf.Variable([[value]])
        with tf.GradientTape() as tape:
            total = loss(logits)
        gradient = tape.gradient(total, logits)
        slopes.append(0.0 if gradient is None else abs(float(np.asarray(gradient)[0, 0])))
    poor, even = slopes
    if poor >= 0.1 * even and poor > 0.0:
        return None
    return finding(
        "saturation",
        f"G's loss is flat where D is sure that a sample is generated: its slope is {poor:.2g} at "
        f"D(G(z)) = 0.0025 and {even:.2g} at 0.5. A poor generator gets the least help. Take "
        "-log D(G(z)).",
        poor=poor,
        even=even,
    )
