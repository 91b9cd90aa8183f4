"""What to check in a GAN's code before believing its pictures, in words.

Point :func:`inspect` at two networks, a training step and data, your own or a tutorial's::

    from gantut import checks

    checks.inspect(generator, discriminator, train_step, images)

It runs those checks that apply and prints what it found. Each is also a small function of its own,
for a piece that has no training step yet: it returns a :class:`gantut.diagnosis.Finding`, or None
where nothing is wrong. All of them decide by what the pieces do (weights before and after a step,
shapes, ranges, answers), never by reading their source. So they find a fault that shows in the
step that was run, and none that waits for the hundredth; for those see `gantut.diagnosis`.
"""

import contextlib
import gc
import math
import random
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gantut._keras import keras, tf
from gantut.diagnosis import Finding
from gantut.diagnosis.reading import _untouched

Array = npt.NDArray[Any]

QUESTIONS: dict[str, str] = {
    "step": "Does the training step run?",
    "shapes": "Does what G makes fit what D takes, and the data?",
    "scale": "Is the data scaled like what G makes?",
    "data_use": "Does D see the data?",
    "learning": "Do both networks learn, and stay finite?",
    "separation": "Does each update change one network only?",
    "opposition": "Does G's step work against D's?",
    "critic_steps": "Does D take as many steps for one of G as is claimed?",
    "noise_rows": "Do the noise rows follow the batch?",
    "training_mode": "Are the networks trained in training mode?",
    "normalisation": "Does batch normalisation normalise?",
    "idle_layers": "Does each activation do something?",
    "linearity": "Is D more than a linear function?",
    "label_planes": "Do labels make planes?",
    "label_use": "Do the labels make a difference?",
    "mixing_weights": "Is alpha in [0, 1]?",
    "flat_critic": "Is the penalty's gradient finite where D is flat?",
    "saturation": "Is G's loss steep where its samples are poor?",
    "modes": "Does the data have as many modes as it should?",
}
"""The checks by name, and the question that each answers."""


def _finding(name: str, message: str, **values: float) -> Finding:
    return Finding(0, name, message, {key: float(value) for key, value in values.items()})


def _shape(shape: Sequence[Any]) -> str:
    return " x ".join(str(n) for n in shape)


# --- Shapes and ranges --------------------------------------------------------------------------


def shapes(generator: Any, discriminator: Any, images: Any = None) -> Finding | None:
    """Does what G makes fit what D takes, and the data?

    Args:
        generator: A Keras model with known shapes.
        discriminator: Another. It may take more channels than G makes, for planes of labels.
        images: Data (n, ...), or None. Data of another shape with as many values passes, because
            a training step may reshape it.

    Returns:
        A finding, or None.

    Raises:
        TypeError: a network is no Keras model, or its shapes are not known.
    """
    made, taken = _output_shape(generator, "generator"), _input_shape(discriminator)
    side, channels = (made[:-1], made[-1]) if made else ((), 0)
    planes = len(made) == len(taken) == 3 and side == taken[:-1] and taken[-1] > channels
    if made != taken and not planes:
        return _finding(
            "shapes",
            f"The generator makes samples of {_shape(made)}, but the discriminator takes "
            f"{_shape(taken)}. Each transposed convolution multiplies the side by its stride: "
            "28 = 7 * 2 * 2. Print output_shape after each layer.",
        )
    if images is not None:
        real = tuple(np.shape(images)[1:])
        if math.prod(real) != math.prod(made):
            return _finding(
                "shapes",
                f"The generator makes samples of {_shape(made)}, but a data point is "
                f"{_shape(real)}. Check the number of channels, and whether images were resized.",
            )
    return None


def scale(generator: Any, images: Any, latents: Any = None) -> Finding | None:
    """Is the data scaled like what G makes?

    What G can make is found by trying: its latent vectors, and the weights of its last layer, are
    made a thousand and a million times as large (and put back). A tanh then ends at -1 and 1; an
    output that goes on growing has no bound, and nothing to compare with.

    Args:
        generator: A Keras model.
        images: Data (n, ...), as the discriminator sees it.
        latents: What to call the generator with; 8 standard normal vectors (and labels 0) if
            None.

    Returns:
        A finding if the data goes beyond what G can make, or fills less than 60 % of it.
    """
    return _scale(reach(generator, latents), np.asarray(images))


def _scale(ends: tuple[float, float], real: Array) -> Finding | None:
    low, high = ends
    bottom, top = float(real.min()), float(real.max())
    values = {"data_min": bottom, "data_max": top, "reach_min": low, "reach_max": high}
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
    return _finding("scale", message, **values)


def reach(generator: Any, latents: Any = None) -> tuple[float, float]:
    """The least and the greatest number that a generator can make, found by trying.

    Args:
        generator: A Keras model; it is left as it was.
        latents: As in `scale`.

    Returns:
        Two numbers, infinite where the output has no bound.
    """
    inputs = _as_list(_default_inputs(generator) if latents is None else latents)
    ends = []
    with _untouched(generator):
        last = _last_weights(generator)
        start = [tf.convert_to_tensor(w) for w in last]
        for factor in (1e3, 1e6):
            far = [factor * tf.cast(inputs[0], tf.float32), *inputs[1:]]
            outputs = [_call(generator, far)]
            for weight, value in zip(last, start, strict=True):
                weight.assign(factor * value)
            outputs.append(_call(generator, inputs))
            for weight, value in zip(last, start, strict=True):
                weight.assign(value)
            found = np.concatenate([np.ravel(o) for o in outputs])
            found = found[np.isfinite(found)]
            ends.append((float(found.min()), float(found.max())) if found.size else (0.0, 0.0))
    (low, high), (lower, higher) = ends
    return (
        -math.inf if lower < 10.0 * min(low, -1e-3) else lower,
        math.inf if higher > 10.0 * max(high, 1e-3) else higher,
    )


def modes(points: Any, expected: int, *, seed: int = 0) -> Finding | None:
    """Does made-up data have as many modes as it should?

    Two modes are apart if the gap between them is much longer than any gap inside them: of the
    edges of the shortest tree that joins 600 of the points, those before the largest drop in
    length.

    Args:
        points: Samples of separate modes, (n, d).
        expected: The number of modes that the text speaks of, at least 2.
        seed: Chooses the 600 points.

    Returns:
        A finding if there are fewer or more, or if the points cannot be separated.

    Raises:
        ValueError: the points have another shape, are fewer than ten a mode or not finite, or
            ``expected`` is below 2.
    """
    x = np.asarray(points, float)
    if expected < 2 or x.ndim != 2 or len(x) < 10 * expected or not np.isfinite(x).all():
        raise ValueError(
            f"modes needs finite points (n, d), at least ten for each of 2 or more expected modes; "
            f"got shape {x.shape} and expected={expected!r}"
        )
    size = max(600, 20 * expected)
    x = np.random.default_rng(seed).permutation(x)[:size]
    edges = np.sort(_tree(x))[::-1]
    ratios = edges[: 3 * expected] / np.maximum(edges[1 : 3 * expected + 1], 1e-12)
    found = int(ratios.argmax()) + 1
    if ratios.max() < 3.0:
        return _finding(
            "modes",
            f"The data is said to have {expected} separate modes, but no gap between points "
            "stands out. The modes overlap, or there is one.",
            expected=expected,
            gap=ratios.max(),
        )
    count = found + 1
    if count == expected:
        return None
    return _finding(
        "modes",
        f"The data is said to have {expected} modes and has {count}. On a ring, "
        "linspace(0, 2 * pi, n) takes both ends, which are one point: the first mode counts "
        "twice. Use endpoint=False.",
        expected=expected,
        found=count,
    )


def _tree(x: Array) -> Array:
    """The lengths of the edges of the minimum spanning tree (Prim's algorithm)."""
    distance, lengths = np.full(len(x), np.inf), []
    left, current = np.ones(len(x), bool), 0
    for _ in range(len(x) - 1):
        left[current] = False
        np.minimum(distance, np.linalg.norm(x - x[current], axis=1), out=distance)
        current = int(np.where(left, distance, np.inf).argmin())
        lengths.append(distance[current])
    return np.array(lengths)


# --- Labels -------------------------------------------------------------------------------------


def label_planes(planes: Any, labels: Any = None) -> Finding | None:
    """Do labels make planes? Each channel of an image's label must be one constant.

    Args:
        planes: What stands beside the image, (n, height, width, classes).
        labels: The integer labels (n,); with them the plane of the label must be the largest.

    Returns:
        A finding if a channel varies over an image, or a wrong one is largest.

    Raises:
        ValueError: the planes have another shape.
    """
    x = np.asarray(planes)
    if x.ndim != 4 or not x.size:
        raise ValueError(f"planes must have shape (n, height, width, classes), got {x.shape}")
    varied = np.ptp(x, axis=(1, 2)) > 1e-6
    if varied.any():
        rows = (np.ptp(x, axis=2) <= 1e-6).all()
        where = "bands over the rows of the image" if rows else "no planes"
        return _finding(
            "label_planes",
            f"The labels make {where}: in {_percent(varied.any(axis=1).mean())} of images a "
            "channel of the label is not the same all over the image. Repeating a one-hot row "
            "without an axis repeats each number by itself. Reshape to (n, 1, 1, classes), then "
            "repeat along axes 1 and 2.",
            share=varied.any(axis=1).mean(),
        )
    if labels is not None:
        wrong = np.mean(x[:, 0, 0].argmax(axis=1) != np.asarray(labels))
        if wrong > 0.0:
            return _finding(
                "label_planes",
                f"The labels make planes, but in {_percent(wrong)} of images of another class.",
                share=wrong,
            )
    return None


def label_use(network: Any, inputs: Sequence[Any], name: str = "discriminator") -> Finding | None:
    """Do the labels make a difference?

    Args:
        network: A Keras model of two inputs, the second of them integer labels.
        inputs: Both, with at least two labels that differ.
        name: What to call it.

    Returns:
        A finding if the network answers alike when all labels are changed.
    """
    labels = np.asarray(inputs[1])
    others = np.roll(labels, 1, axis=0)
    if len(np.unique(labels, axis=0)) < 2:
        return None
    with _untouched(network):
        one, two = (_call(network, [inputs[0], y]) for y in (labels, others))
    if np.abs(one - two).max() > 0.0:
        return None
    return _finding(
        "label_use",
        f"The {name} takes labels and does not use them: its answers are the same with other "
        "labels.",
    )


# --- The networks -------------------------------------------------------------------------------


def normalisation(network: Any, name: str = "network") -> Finding | None:
    """Does batch normalisation normalise?

    Each such layer that is trained gets 256 standard normal numbers a channel. With the usual
    epsilon (at most 0.01) the deviation of what comes out, without scale and offset, is above
    0.99.

    Args:
        network: A built Keras model; it is left as it was.
        name: What to call it.

    Returns:
        A finding if a layer's output has a deviation below 0.9.
    """
    rng = np.random.default_rng(0)
    for layer in _flat_layers(network):
        if not isinstance(layer, keras.layers.BatchNormalization) or not layer.trainable:
            continue
        if not layer.built or layer.axis not in (-1, layer.input_spec.ndim - 1):
            continue
        channels = int(layer.moving_mean.shape[0])
        x = rng.standard_normal((256, *[1] * (layer.input_spec.ndim - 2), channels))
        with _untouched(layer):
            y = np.asarray(layer(tf.cast(x, layer.compute_dtype), training=True), float)
        if layer.center:
            y = y - np.asarray(layer.beta, float)
        deviation = y.reshape(-1, channels).std(axis=0)
        if layer.scale:
            gamma = np.abs(np.asarray(layer.gamma, float))
            deviation = np.where(gamma > 1e-6, deviation / np.maximum(gamma, 1e-6), 1.0)
        if deviation.mean() < 0.9:
            return _finding(
                "normalisation",
                f"Layer {layer.name!r} of the {name} makes numbers of deviation 1 into numbers of "
                f"deviation {deviation.mean():.2f}: its epsilon is too large. A momentum given in "
                "the place of epsilon does that; name the arguments.",
                deviation=deviation.mean(),
            )
    return None


def idle_layers(network: Any, inputs: Any, name: str = "network") -> Finding | None:
    """Does each activation do something?

    Args:
        network: A Keras model.
        inputs: What to call it with.
        name: What to call it.

    Returns:
        A finding if an activation gives out, to the bit, what it got. Such a layer changes
        nothing: a LeakyReLU behind a ReLU, for one.
    """
    kinds = keras.layers
    wanted = (kinds.ReLU, kinds.LeakyReLU, kinds.ELU, kinds.PReLU, kinds.Activation)
    same: dict[str, list[bool]] = {}

    def see(layer: Any, given: Any, kwargs: Any, output: Any) -> None:
        same.setdefault(layer.name, []).append(np.array_equal(given, output))

    layers = [layer for layer in _flat_layers(network) if isinstance(layer, wanted)]
    with _untouched(network), _watched(layers, see):
        _call(network, inputs, training=True)
    idle = [layer for layer, calls in same.items() if all(calls)]
    if not idle:
        return None
    return _finding(
        "idle_layers",
        f"Layer {idle[0]!r} of the {name} changes nothing: it gives out what it gets. Behind a "
        "ReLU there is nothing left for a LeakyReLU to do; take one of the two.",
        layers=len(idle),
    )


def linearity(discriminator: Any, inputs: Any) -> Finding | None:
    """Is D more than a linear function of the image?

    For a linear logit the answer half-way between two images is the mean of the two answers.

    Args:
        discriminator: A Keras model from images, or [images, labels], to logits or probabilities.
        inputs: What to call it with, at least four rows. All get the first row's label.

    Returns:
        A finding if no answer half-way is off by more than a ten-thousandth of their deviation.
    """
    first, *rest = (np.asarray(x) for x in _as_list(inputs))
    rest = [np.repeat(x[:1], len(x), axis=0) for x in rest]
    other = np.roll(first, len(first) // 2, axis=0)
    with _untouched(discriminator):
        answers = [
            np.asarray(_call(discriminator, [x, *rest]), float).reshape(-1)
            for x in (first, other, (0.5 * (first + other)).astype(first.dtype))
        ]
    if all(((a > 0.0) & (a < 1.0)).all() for a in answers):  # probabilities: back to logits
        answers = [np.log(a) - np.log1p(-a) for a in answers]
    a, b, middle = answers
    off = np.abs(a + b - 2.0 * middle).max() / max(float(np.std(a)), 1e-12)
    if not np.std(a) > 0.0 or off > 1e-3:
        return None
    return _finding(
        "linearity",
        "D is a linear function of the image, a logistic regression. It can compare the means of "
        "two sets of images and nothing else: G has won as soon as its mean image is right. Give "
        "it a hidden layer.",
        off=off,
    )


def training_mode(
    network: Any, inputs: Any, modes: Sequence[bool | None], name: str = "discriminator"
) -> Finding | None:
    """Is a network trained in training mode?

    Args:
        network: A Keras model.
        inputs: What to call it with.
        modes: The argument ``training`` of each call in a training step.
        name: What to call it.

    Returns:
        A finding if the network answers otherwise in training mode (it has dropout or batch
        normalisation) and no call was in training mode.
    """
    if not len(modes) or any(modes):
        return None
    inputs = _as_list(inputs)
    with _untouched(network):
        asleep = _call(network, inputs, training=False)
        awake = _call(network, inputs, training=True)
    if np.allclose(asleep, awake, rtol=1e-5, atol=1e-6):
        return None
    return _finding(
        "training_mode",
        f"The {name} is never called with training=True in the step ({len(modes)} calls), so its "
        "dropout drops nothing and its batch normalisation does not look at the batch. Write "
        "model(x, training=True).",
        calls=len(modes),
    )


# --- The training step --------------------------------------------------------------------------


def learning(
    before: Sequence[Any], after: Sequence[Any], name: str = "discriminator"
) -> Finding | None:
    """Does a network learn, and stay finite?

    Args:
        before: Its weights before some training steps, as ``get_weights`` returns them.
        after: Its weights after them.
        name: What to call it.

    Returns:
        A finding if no weight has changed, or one is not a number any more.

    Raises:
        ValueError: the two lists do not belong together.
    """
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(before, after, strict=True)]
    if any(a.shape != b.shape for a, b in pairs):
        raise ValueError("the weights before and after have other shapes")
    lost = [not np.isfinite(b).all() for a, b in pairs if b.dtype.kind == "f"]
    if any(lost):
        return _finding(
            "learning",
            f"Weights of the {name} are not finite any more ({sum(lost)} of {len(pairs)} arrays). "
            "Look for the root or the logarithm of zero in the loss.",
            lost=sum(lost),
        )
    changed = sum(not np.array_equal(a, b) for a, b in pairs)
    if changed or not pairs:
        return None
    return _finding(
        "learning",
        f"The {name} does not learn: none of its {len(pairs)} weight arrays has changed. If it "
        "was set to trainable = False and compiled, Keras 3 trains it no more, and says so in a "
        "warning only. Train with two tapes, one for each network's trainable_variables, or set "
        "trainable anew around each step.",
        arrays=len(pairs),
    )


def separation(updates: Sequence[Sequence[str]]) -> Finding | None:
    """Does each update change one network only?

    Args:
        updates: For each update by an optimizer the names of the networks whose weights it was
            given: ``[["discriminator"], ["generator"]]`` is as it should be.

    Returns:
        A finding if an update was for both.
    """
    both = sum(len(set(networks)) > 1 for networks in updates)
    if not both:
        return None
    return _finding(
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

    Args:
        gap: D's mean answer on data minus that on samples, after the steps.
        d_changes: How much each update of D changed that gap.
        g_changes: How much each update of G changed it.

    Returns:
        A finding if D's updates together and four in five of G's drive the gap the same way, and
        it has the sign to show for it. Which way that is does not matter: a D that calls data 0 is
        as good as one that calls it 1. One sign alone would not do: momentum carries D past its
        aim now and then, and D is fooled now and then.
    """
    if not len(d_changes) or not len(g_changes):
        return None
    agreed = np.sign(np.asarray(g_changes, float)).mean()
    d, g = float(np.sum(d_changes)), float(np.sum(g_changes))
    if not (d * g > 0.0 and gap * g > 0.0 and abs(agreed) >= 0.6):
        return None
    return _finding(
        "opposition",
        "G works for D: its updates move D's answer on samples further from that on data, as D's "
        "own updates do. In G's step samples must get the label of data.",
        gap=gap,
        d_change=d,
        g_change=g,
    )


def critic_steps(updates: Sequence[Sequence[str]], claimed: int) -> Finding | None:
    """Does D take as many steps for one of G as is claimed?

    Args:
        updates: As in `separation`, over whole rounds.
        claimed: Steps of D for one of G that the text speaks of.

    Returns:
        A finding if there are more or fewer.
    """
    d = sum("discriminator" in networks for networks in updates)
    g = sum("generator" in networks for networks in updates)
    if not g or d == claimed * g:
        return None
    return _finding(
        "critic_steps",
        f"D is said to take {claimed} steps for one of G and takes {d / g:.3g} ({d} and {g} "
        "updates were seen).",
        d_updates=d,
        g_updates=g,
    )


def noise_rows(rows: Sequence[tuple[int, int]]) -> Finding | None:
    """Do the noise rows follow the batch?

    Args:
        rows: For batches of at least two sizes, the number of images and the number of latent
            vectors that were drawn for it.

    Returns:
        A finding if the second is not proportional to the first.
    """
    (real, noise), *others = rows
    for fewer, drawn in others:
        if drawn * real != noise * fewer:
            return _finding(
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


def mixing_weights(alpha: Any) -> Finding | None:
    """Is alpha in [0, 1]?

    Gulrajani et al. 2017 (section 4) take the penalty on straight lines between data and samples:
    the weights are uniform on [0, 1].

    Args:
        alpha: Weights of any shape.

    Returns:
        A finding if one lies outside, by more than rounding.
    """
    a = np.asarray(alpha, float).ravel()
    outside = float(np.mean(~((a >= -1e-4) & (a <= 1.0 + 1e-4)))) if a.size else 0.0
    if not outside:
        return None
    return _finding(
        "mixing_weights",
        f"{_percent(outside)} of the mixing weights lie outside [0, 1], from {a.min():.2f} to "
        f"{a.max():.2f}: those points are not between data and samples. Draw alpha uniformly, not "
        "normally.",
        share=outside,
        least=a.min(),
        greatest=a.max(),
    )


def flat_critic(penalty: Callable[[Callable[[Any], Any], Any, Any], Any]) -> Finding | None:
    """Is a gradient penalty's gradient finite where D is flat?

    The norm's derivative at a gradient of zero is 0/0, and one such image turns all of D's weights
    into NaN.

    Args:
        penalty: From (critic, data, samples), the latter two float32 (8, 3), to a scalar.

    Returns:
        A finding if the gradient with respect to the weights of a critic that is 0 everywhere is
        not finite.
    """
    weight = tf.Variable([[0.0], [0.0], [0.0]])
    real, fake = (tf.random.stateless_normal((8, 3), seed=(0, i)) for i in range(2))
    with tf.GradientTape() as tape:
        value = penalty(lambda x: x @ weight, real, fake)
    gradient = tape.gradient(value, weight)
    if gradient is None:
        return _finding("flat_critic", "The penalty has no gradient: it does not depend on D.")
    return None if np.isfinite(np.asarray(gradient)).all() else _flat_finding()


def _flat_finding() -> Finding:
    return _finding(
        "flat_critic",
        "The penalty's gradient is not finite where D is flat: the derivative of the square root "
        "at 0 is infinite. Add 1e-12 under the root.",
    )


def saturation(loss: Callable[[Any], Any]) -> Finding | None:
    """Is G's loss steep where its samples are poor?

    Args:
        loss: From D's logits on samples, float32 (n, 1), to G's loss, a scalar.

    Returns:
        A finding if a logit of -6, D(G(z)) = 0.0025, pulls at G by less than a tenth of what a
        logit of 0 does.
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
    return _finding(
        "saturation",
        f"G's loss is flat where D is sure that a sample is generated: its slope is {poor:.2g} at "
        f"D(G(z)) = 0.0025 and {even:.2g} at 0.5. A poor generator gets the least help. Take "
        "-log D(G(z)).",
        poor=poor,
        even=even,
    )


# --- All of them --------------------------------------------------------------------------------


class Inspection(NamedTuple):
    """What :func:`inspect` found; its string says it in words.

    Attributes:
        findings: What is wrong. ``step`` is the number of training steps taken when it was seen.
        passed: The checks that were run and found nothing.
        skipped: Why each of the others was not run.
    """

    findings: list[Finding]
    passed: list[str]
    skipped: dict[str, str]

    def __str__(self) -> str:
        """The findings, the checks that found nothing, and those that were not run."""
        count = len(self.findings)
        lines = [f"{count or 'No'} finding{'' if count == 1 else 's'}."]
        lines += [f"- {finding.name}: {finding.message}" for finding in self.findings]
        lines.append(f"Nothing found by: {', '.join(self.passed) or 'none'}.")
        if self.skipped:
            why: dict[str, list[str]] = {}
            for name, reason in self.skipped.items():
                why.setdefault(reason, []).append(name)
            parts = [f"{', '.join(names)} ({reason})" for reason, names in why.items()]
            lines.append(f"Not run: {'; '.join(parts)}.")
        return "\n".join(textwrap.fill(line, 88, subsequent_indent="  ") for line in lines)


def inspect(
    generator: Any,
    discriminator: Any,
    train_step: Any = None,
    data: Any = None,
    *,
    batch_size: int = 32,
    steps: int = 8,
    expected_modes: int | None = None,
    claimed_critic_steps: int | None = None,
    seed: int = 0,
    verbose: bool = True,
) -> Inspection:
    """Runs the checks that apply to a GAN, and prints in words what they found.

    The step is run some times as it is, and some times eagerly, while calls of the two networks
    and updates by Keras optimizers are watched. Afterwards every TensorFlow variable of the
    process has the value that it had, the optimizers' and averages' among them, and so have
    NumPy's and Python's random states. Numbers that TensorFlow draws without a seed of its own,
    and what else the step keeps in Python, go on from where the steps left them.

    Args:
        generator: A built Keras model, from latent vectors (or [latents, labels]) to samples.
        discriminator: A built Keras model, from samples (or [samples, labels]) to one number each.
        train_step: A function ``train_step(images)``, or ``train_step(images, labels)``, that
            trains both networks on the batch that it is given; or a compiled Keras model that
            does so in ``fit``, such as a `gantut.GAN`. None leaves out what needs it.
        data: An array of images or points, a pair (images, labels), or a batched dataset of
            either, as the training step takes them.
        batch_size: Rows of an array that make a batch; a dataset has its own.
        steps: Steps within which each network must have learnt.
        expected_modes: How many separate modes the data has, if it is made of points.
        claimed_critic_steps: Steps of D for one of G that the text speaks of.
        seed: Chooses the rows of the batch.
        verbose: Whether to print.

    Returns:
        An `Inspection`. A step that raises is a finding, not an error.

    Raises:
        TypeError: a network is no Keras model, or the step can neither be called nor fitted.
        ValueError: there is no data, it has fewer than eight rows or is not finite, or a number
            is not a positive integer.
    """
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, keras.Model):
            raise TypeError(f"the {name} must be a Keras model, got {type(network).__name__}")
    if train_step is not None and not callable(train_step):
        raise TypeError(
            "train_step must be a function of a batch, or a Keras model with fit, got "
            f"{type(train_step).__name__}"
        )
    inspector = _Inspector(
        generator, discriminator, train_step, _first_batch(data, batch_size, seed), steps
    )
    with _everything_back(generator, discriminator) as restore:
        inspector.run(restore, data, expected_modes, claimed_critic_steps)
    order = list(QUESTIONS)
    result = Inspection(
        sorted(inspector.findings, key=lambda finding: order.index(finding.name)),
        [name for name in order if name in inspector.passed],
        {name: inspector.skipped[name] for name in order if name in inspector.skipped},
    )
    if verbose:
        print(result)
    return result


class _StepError(Exception):
    """The reader's training step raised; ``__cause__`` is what."""


class _Inspector:
    """One inspection: the pieces, what was seen of them, and what was concluded."""

    def __init__(
        self, generator: Any, discriminator: Any, step: Any, batch: tuple[Array, ...], steps: int
    ) -> None:
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.step, self.batch, self.steps = step, batch, steps
        self.findings: list[Finding] = []
        self.passed: list[str] = []
        self.skipped: dict[str, str] = {}
        self.taken = 0

    def run(
        self,
        restore: Callable[[], None],
        data: Any,
        expected_modes: int | None,
        claimed: int | None,
    ) -> None:
        generator, discriminator = self.networks.values()
        images = self.batch[0]
        fits = self.report("shapes", shapes(generator, discriminator, images))
        watch = self.watch(restore, fits)
        restore()
        if watch is not None:
            self.read_watch(watch, claimed)
            self.plain(restore, watch)
            restore()
        self.scale(watch)
        self.read_networks(watch)
        self.read_labels(watch)
        if expected_modes is None:
            self.skip("modes", "expected_modes was not given")
        elif images.ndim != 2:
            self.skip("modes", "the data are no points")
        else:
            points = _all_rows(data)
            self.report("modes", modes(points, expected_modes))
        self.skip("saturation", "it needs the loss: checks.saturation(loss)")

    def report(self, name: str, *findings: Finding | None) -> bool:
        """Notes what one check found in each of its pieces; True if nothing."""
        found = [f._replace(step=self.taken) for f in findings if f is not None]
        self.findings.extend(found)
        if not found:
            self.passed.append(name)
        return not found

    def skip(self, name: str, reason: str) -> None:
        self.skipped[name] = reason

    # The steps, watched and as they are.

    def take(self, batch: Sequence[Any], *, as_it_is: bool) -> Any:
        self.taken += 1
        try:
            return _take(self.step, batch, as_it_is)
        except Exception as error:
            raise _StepError from error

    def watch(self, restore: Callable[[], None], fits: bool) -> "_Watch | None":
        """Takes some steps eagerly, with an eye on the networks and the optimizers."""
        needs = (
            "step", "data_use", "learning", "separation", "opposition", "critic_steps",
            "noise_rows", "training_mode", "mixing_weights", "flat_critic",
        )  # fmt: skip
        if self.step is None:
            for name in needs:
                self.skip(name, "no training step was given")
            return None
        watch = _Watch(self.networks, self.batch)
        drawn: list[int] = []
        try:
            with watch.watching():
                for count in range(1, 4 * self.steps + 1):
                    watch.begin()
                    self.take(self.batch, as_it_is=False)
                    drawn = drawn or list(watch.drawn)
                    seen = sum("generator" in owners for owners in watch.updates)
                    if (seen and not watch.is_open()) or (count >= self.steps and not seen):
                        break
            self.report("step")
        except _StepError as failure:
            for name in needs[1:]:
                self.skip(name, "the training step raises")
            cause = failure.__cause__
            # Networks that do not fit have been reported, and make the step raise.
            if fits:
                self.report(
                    "step",
                    _finding(
                        "step", f"The training step raises {type(cause).__name__}: {_words(cause)}"
                    ),
                )
            else:
                self.skip("step", "the shapes do not fit")
            return None
        restore()
        self.short_batch(watch, drawn)
        return watch

    def short_batch(self, watch: "_Watch", drawn: Sequence[int]) -> None:
        """Three quarters of a batch: a number that packs of two, three and four divide."""
        rows = len(self.batch[0])
        short = 3 * rows // 4
        if rows % 16 or not drawn:
            self.skip(
                "noise_rows",
                "the batch is no multiple of 16" if drawn else "the step never calls G",
            )
            return
        try:
            with watch.watching(updates=False):
                watch.begin()
                self.take([x[:short] for x in self.batch], as_it_is=False)
        except _StepError:
            self.skip("noise_rows", f"the step does not take a batch of {short}")
            return
        found = (
            noise_rows([(rows, n), (short, m)]) for n, m in zip(drawn, watch.drawn, strict=False)
        )
        self.report("noise_rows", next((f for f in found if f is not None), None))

    def read_watch(self, watch: "_Watch", claimed: int | None) -> None:
        if not watch.updates:
            for name in ("separation", "opposition", "critic_steps"):
                self.skip(name, "no update by a Keras optimizer was seen")
        else:
            apart = self.report("separation", separation(watch.updates))
            if watch.d_changes and watch.g_changes:
                self.report(
                    "opposition", opposition(watch.distance, watch.d_changes, watch.g_changes)
                )
            elif not apart:
                self.skip("opposition", "the updates are not separate")
            else:
                self.skip("opposition", "D's answers on data and samples were not both seen")
            if claimed is None:
                self.skip("critic_steps", "claimed_critic_steps was not given")
            else:
                self.report("critic_steps", critic_steps(watch.updates, claimed))
        found = [
            training_mode(self.networks[name], watch.inputs[name], watch.modes[name], name)
            for name in self.networks
            if name in watch.inputs
        ]
        if found:
            self.report("training_mode", *found)
        else:
            self.skip("training_mode", "the step never calls these two networks")
        if watch.alphas:
            self.report("mixing_weights", mixing_weights(np.concatenate(watch.alphas)))
        else:
            self.skip("mixing_weights", "D is shown no mixture of data and samples")

    def plain(self, restore: Callable[[], None], watch: "_Watch") -> None:
        """Takes steps as they are: what they change, what they do with NaN and a flat D."""
        weights = {name: _learnable(network) for name, network in self.networks.items()}

        def values() -> dict[str, list[Array]]:
            return {name: [np.asarray(w) for w in ws] for name, ws in weights.items()}

        def finite(arrays: Mapping[str, list[Array]]) -> bool:
            return all(np.isfinite(a).all() for group in arrays.values() for a in group)

        before = values()
        try:
            for _ in range(self.steps):
                self.take(self.batch, as_it_is=True)
                after = values()
                if not finite(after) or all(
                    any(not np.array_equal(a, b) for a, b in zip(before[n], after[n], strict=True))
                    for n in before
                ):
                    break
        except _StepError as failure:
            self.report(
                "step", _finding("step", f"The training step raises {_words(failure.__cause__)}")
            )
            self.passed.remove("step")
            for name in ("learning", "data_use", "flat_critic"):
                self.skip(name, "the training step raises")
            return
        sound = self.report("learning", *(learning(before[n], after[n], n) for n in before))
        restore()
        if watch.real is not None:
            self.report("data_use")
        elif not finite(after):
            self.skip("data_use", "weights are not finite")
        elif self.batch[0].dtype.kind != "f":
            self.skip("data_use", "the data are whole numbers, which cannot be NaN")
        else:
            self.report("data_use", self.poison(values, finite))
            restore()
        if not watch.alphas:
            self.skip("flat_critic", "D is shown no mixture of data and samples")
        elif not sound:
            self.skip("flat_critic", "the networks do not learn")
        else:
            self.flatten(watch, values, finite)

    def poison(self, values: Callable[[], Any], finite: Callable[[Any], bool]) -> Finding | None:
        """A batch of NaN must leave traces, if D looks at it."""
        nothing = [np.full_like(self.batch[0], np.nan), *self.batch[1:]]
        try:
            returned = self.take(nothing, as_it_is=True)
        except _StepError:
            return None
        if not finite(values()) or not _all_finite(returned):
            return None
        return _finding(
            "data_use",
            "D never sees the data: a batch of NaN in the place of the images leaves all weights "
            "and losses finite. In D's step, give it images and samples. (A step that fetches "
            "images by itself looks the same from outside; give it the batch.)",
        )

    def flatten(
        self, watch: "_Watch", values: Callable[[], Any], finite: Callable[[Any], bool]
    ) -> None:
        discriminator = self.networks["discriminator"]
        last = _last_weights(discriminator)
        for weight in last:
            weight.assign(tf.zeros_like(weight))
        with _untouched(discriminator):
            fine = np.isfinite(_call(discriminator, watch.real)).all()
        if not last or not fine:
            self.skip("flat_critic", "a D with a last layer of zeros gives no numbers")
            return
        try:
            self.take(self.batch, as_it_is=True)
        except _StepError:
            self.skip("flat_critic", "the step raises where D is flat")
            return
        self.report("flat_critic", None if finite(values()) else _flat_finding())

    # The networks by themselves.

    def scale(self, watch: "_Watch | None") -> None:
        generator = self.networks["generator"]
        seen = self.batch[0] if watch is None or watch.real is None else watch.real[0]
        latents = None if watch is None else watch.inputs.get("generator")
        ends = reach(generator, latents)
        if all(map(math.isinf, ends)):
            self.skip("scale", "what G makes has no bounds")
        else:
            made = _output_shape(generator, "generator")
            if len(made) == 3 and seen.ndim == 4:
                seen = seen[..., : made[-1]]
            self.report("scale", _scale(ends, seen))

    def inputs(self, name: str, watch: "_Watch | None") -> list[Any] | None:
        """What to call a network with: what the step called it with, or what fits it."""
        if watch is not None and name == "discriminator" and watch.real is not None:
            return watch.real
        if watch is not None and name in watch.inputs:
            return watch.inputs[name]
        network = self.networks[name]
        if name == "generator":
            return _as_list(_default_inputs(network, self.batch[1:], len(self.batch[0])))
        if _input_shape(network) != self.batch[0].shape[1:]:
            return None
        if len(network.inputs) != len(self.batch):
            return None if len(network.inputs) > len(self.batch) else [self.batch[0]]
        return list(self.batch)

    def read_networks(self, watch: "_Watch | None") -> None:
        given = {name: self.inputs(name, watch) for name in self.networks}
        self.report("normalisation", *(normalisation(m, n) for n, m in self.networks.items()))
        if all(x is None for x in given.values()):
            self.skip("idle_layers", "the data does not fit")
        else:
            self.report(
                "idle_layers",
                *(idle_layers(self.networks[n], x, n) for n, x in given.items() if x is not None),
            )
        if given["discriminator"] is None:
            self.skip("linearity", "the data does not fit D")
        else:
            self.report(
                "linearity", linearity(self.networks["discriminator"], given["discriminator"])
            )

    def read_labels(self, watch: "_Watch | None") -> None:
        used, planes = [], None
        for name, network in self.networks.items():
            inputs = self.inputs(name, watch)
            if inputs is not None and len(inputs) == 2:
                used.append(label_use(network, inputs, name))
        if used:
            self.report("label_use", *used)
        else:
            self.skip("label_use", "no network takes labels as a second input")
        if watch is not None and "discriminator" in watch.inputs:
            seen = watch.inputs["discriminator"][0]
            made = _output_shape(self.networks["generator"], "generator")
            if seen.ndim == 4 and len(made) == 3 and seen.shape[-1] > made[-1]:
                planes = seen[..., made[-1] :]
        if planes is None:
            self.skip("label_planes", "D is shown no planes of labels")
        else:
            self.report("label_planes", label_planes(planes))


class _Watch:
    """What the networks are called with and what the optimizers change, during eager steps.

    Attributes:
        inputs: What each network was called with first.
        modes: The argument ``training`` of all its calls.
        updates: The networks that each update was for.
        real: D's inputs that hold the batch, scaled or not; None if there were none.
        alphas: The weights of mixtures of data and samples that D was shown.
        d_changes, g_changes: What each update did to D's gap between data and samples.
        distance: That gap after D's latest update.
        drawn: The number of latent vectors in each call of G in the present step.
    """

    def __init__(self, networks: Mapping[str, Any], batch: tuple[Array, ...]) -> None:
        self.networks = networks
        self.batch = batch
        self.owners = {
            id(handle): name
            for name, network in self.networks.items()
            for v in network.variables
            for handle in (v, getattr(v, "value", v))
        }
        self.inputs: dict[str, list[Any]] = {}
        self.modes: dict[str, list[bool | None]] = {name: [] for name in self.networks}
        self.updates: list[list[str]] = []
        self.real: list[Any] | None = None
        self.alphas: list[Array] = []
        self.d_changes: list[float] = []
        self.g_changes: list[float] = []
        self.distance = 0.0
        self.busy = False
        self.begin()

    def begin(self) -> None:
        """A new step."""
        self.made: tuple[list[Any], Array] | None = None
        self.fake: list[Any] | None = None
        self.fakes: list[Array] = []
        self.drawn: list[int] = []

    def is_open(self) -> bool:
        """Whether G seems to work for D, and D's answers are too young to tell."""
        together = float(np.sum(self.d_changes)) * float(np.sum(self.g_changes)) > 0.0
        return together and opposition(self.distance, self.d_changes, self.g_changes) is None

    @contextlib.contextmanager
    def watching(self, updates: bool = True) -> Iterator[None]:
        """Runs functions eagerly, and sees calls and (if asked to) updates."""
        eager = tf.config.functions_run_eagerly()
        optimizer = keras.optimizers.Optimizer
        before, own = optimizer.apply, vars(optimizer).get("apply")
        watch = self

        def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
            if watch.busy:
                return before(self, grads, trainable_variables)
            variables = trainable_variables
            if variables is None:
                variables = self._trainable_variables
            grads, variables = list(grads), list(variables)
            return watch.update(lambda: before(self, grads, variables), grads, variables)

        def see(network: Any, inputs: Any, kwargs: Mapping[str, Any], output: Any) -> None:
            if not self.busy:
                name = next(n for n, m in self.networks.items() if m is network)
                self.see(name, inputs, kwargs, output)

        tf.config.run_functions_eagerly(True)
        if updates:
            optimizer.apply = apply
        try:
            with _watched(self.networks.values(), see):
                yield
        finally:
            if updates and own is None:
                del optimizer.apply
            elif updates:
                optimizer.apply = own
            tf.config.run_functions_eagerly(eager)

    def see(self, name: str, inputs: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        given = [np.asarray(x) for x in _as_list(inputs)]
        self.inputs.setdefault(name, given)
        self.modes[name].append(kwargs.get("training"))
        if name == "generator":
            self.made = (given, np.asarray(output))
            self.fakes.append(self.made[1])
            self.drawn.append(len(given[0]))
            return
        image = given[0]
        if self.made is not None:
            sample = self.made[1]
            image = image[..., : sample.shape[-1]]
            if image.shape == sample.shape and np.array_equal(image, sample):
                self.fake = given
                return
            same = np.zeros(len(image), bool)
            if image.shape[1:] == sample.shape[1:] and len(image) > len(sample):
                # Data and samples in one batch.
                for start in (0, len(image) - len(sample)):
                    part = slice(start, start + len(sample))
                    if np.array_equal(image[part], sample):
                        same[part] = True
                        break
            if same.any():
                self.fake = [x[same] for x in given]
                given, image = [x[~same] for x in given], image[~same]
        if self.real is None and _is_scaled(self.batch[0], image):
            self.real = given
        elif self.real is not None:
            self.mixture(image)

    def mixture(self, image: Array) -> None:
        assert self.real is not None
        real = self.real[0][..., : image.shape[-1]]
        for fake in self.fakes:
            if real.shape == fake.shape == image.shape:
                alpha = _mixing_weights_of(image, real, fake)
                if alpha is not None:
                    self.alphas.append(alpha)
                    return

    def update(self, apply: Callable[[], Any], grads: Sequence[Any], variables: Any) -> Any:
        owners = sorted(
            {
                self.owners[key]
                for g, v in zip(grads, variables, strict=False)
                if g is not None
                for key in (id(v), id(getattr(v, "value", v)))
                if key in self.owners
            }
        )
        if not owners:
            return apply()
        self.updates.append(owners)
        before = self.gap(owners)
        result = apply()
        after = self.gap(owners)
        if before is not None and after is not None:
            if owners == ["discriminator"]:
                self.distance = after
                self.d_changes.append(after - before)
            else:
                self.g_changes.append(after - before)
        return result

    def gap(self, owners: Sequence[str]) -> float | None:
        """D's mean answer on data less that on samples, as far as the update can move it."""
        if len(owners) != 1 or self.fake is None or self.made is None:
            return None
        generator, discriminator = self.networks.values()
        self.busy = True
        try:
            with _untouched(generator, discriminator):
                if owners == ["discriminator"]:
                    if self.real is None:
                        return None
                    real, fake = (
                        float(_call(discriminator, x, training=True).mean())
                        for x in (self.real, self.fake)
                    )
                    return real - fake
                latents, old = self.made
                new = _call(generator, latents, training=True)
                if len(new) != len(self.fake[0]):
                    return None
                image = np.concatenate([new, self.fake[0][..., old.shape[-1] :]], axis=-1)
                answer = _call(discriminator, [image, *self.fake[1:]], training=True)
                return -float(answer.mean())
        finally:
            self.busy = False


# --- Helpers ------------------------------------------------------------------------------------


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _words(error: BaseException | None) -> str:
    """What an error says, without terminal colours and the names of graph nodes."""
    text = re.sub(r"\x1b\[[0-9;]*m|\{\{.*?\}\}", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = next((x for x in lines if re.search(r"must|expect|incompatible|cannot", x, re.I)), "")
    said = telling or (lines[0] if lines else "")
    return textwrap.shorten(said, 240) or type(error).__name__


def _as_list(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def _as_call(inputs: list[Any]) -> Any:
    inputs = [tf.convert_to_tensor(x) for x in inputs]
    return inputs[0] if len(inputs) == 1 else inputs


def _call(network: Any, inputs: Any, training: bool = False) -> Array:
    output = network(_as_call(_as_list(inputs)), training=training)
    return np.asarray(output)


@contextlib.contextmanager
def _watched(layers: Iterable[Any], see: Callable[[Any, Any, Any, Any], None]) -> Iterator[None]:
    """Tells ``see`` the layer, its input, arguments and output at each call of one of them."""

    def spy(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            see(layer, args[0] if args else kwargs.get("inputs"), kwargs, output)
            return output

        return watched

    held = [(layer, vars(layer).get("call")) for layer in layers]
    try:
        for layer, _ in held:
            layer.call = spy(layer, layer.call)
        yield
    finally:
        for layer, own in held:
            if "call" in vars(layer):
                del layer.call
            if own is not None:
                layer.call = own


def _output_shape(network: Any, name: str) -> tuple[int, ...]:
    try:
        return tuple(network.outputs[0].shape[1:])
    except (AttributeError, TypeError, IndexError) as error:
        raise TypeError(
            f"the shape of what the {name} makes is not known: wanted a functional or sequential "
            f"Keras model with an Input, got {type(network).__name__}"
        ) from error


def _input_shape(network: Any) -> tuple[int, ...]:
    try:
        return tuple(network.inputs[0].shape[1:])
    except (AttributeError, TypeError, IndexError) as error:
        raise TypeError(
            "the shape of what a network takes is not known: wanted a functional or sequential "
            f"Keras model with an Input, got {type(network).__name__}"
        ) from error


def _default_inputs(generator: Any, labels: Sequence[Array] = (), n: int = 8) -> Any:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, *_input_shape(generator)), dtype=np.float32)
    if len(generator.inputs) == 1:
        return z
    given = labels[0] if labels else np.zeros((n, *generator.inputs[1].shape[1:]), np.int32)
    return [z, given]


def _flat_layers(network: Any) -> list[Any]:
    return list(network._flatten_layers())


def _learnable(network: Any) -> list[Any]:
    """The variables that training is for, whether or not they are frozen now."""
    found = {id(v): v for layer in _flat_layers(network) for v in layer._trainable_variables}
    return list(found.values())


def _last_weights(network: Any) -> list[Any]:
    """The learnable variables of the last layer that has any."""
    layers = [x for x in _flat_layers(network) if x._trainable_variables]
    return list(layers[-1]._trainable_variables) if layers else []


def _is_scaled(batch: Array, image: Array) -> bool:
    """Whether these are the images of the batch, multiplied and moved by one number each."""
    if image.size != batch.size or len(image) != len(batch):
        return False
    x, y = (np.asarray(a, float).ravel() for a in (batch, image))
    x, y = x - x.mean(), y - y.mean()
    if not x.any() or not y.any():
        return False
    return float((x @ y) ** 2 / ((x @ x) * (y @ y))) > 1.0 - 1e-6


def _mixing_weights_of(image: Array, real: Array, fake: Array) -> Array | None:
    """The alpha of each row, if the images lie on the lines between data and samples."""
    m, r, f = (np.asarray(a, float).reshape(len(a), -1) for a in (image, real, fake))
    span = r - f
    length = (span * span).sum(axis=1)
    if not length.all():
        return None
    alpha = ((m - f) * span).sum(axis=1) / length
    off = np.linalg.norm(m - f - alpha[:, None] * span, axis=1) / np.sqrt(length)
    ends = np.minimum(abs(alpha), abs(alpha - 1.0)) < 1e-6
    return None if off.max() > 1e-3 or ends.all() else alpha


def _all_finite(returned: Any) -> bool:
    values = tf.nest.flatten(getattr(returned, "history", returned))
    return all(
        np.isfinite(np.asarray(v, float)).all()
        for v in values
        if isinstance(v, int | float | np.number | np.ndarray | tf.Tensor)
    )


def _all_rows(data: Any) -> Array:
    if isinstance(data, tf.data.Dataset):
        return np.concatenate([np.asarray(_as_list(x)[0]) for x in data.take(100)])
    return np.asarray(data[0] if isinstance(data, tuple | list) else data)


def _first_batch(data: Any, batch_size: int, seed: int) -> tuple[Array, ...]:
    if data is None:
        raise ValueError("inspect needs data: an array, (images, labels), or a batched dataset")
    if isinstance(data, tf.data.Dataset):
        first = next(iter(data.take(1)), None)
        if first is None:
            raise ValueError("the dataset is empty")
        batch = tuple(np.asarray(x) for x in _as_list(first))
    else:
        arrays = [np.asarray(x) for x in (data if isinstance(data, tuple | list) else [data])]
        if len({len(x) if x.ndim else 0 for x in arrays}) != 1:
            raise ValueError(
                f"images and labels must be as many, got shapes {[x.shape for x in arrays]}"
            )
        rows = np.random.default_rng(seed).permutation(len(arrays[0]))[:batch_size]
        batch = tuple(x[rows] for x in arrays)
    if not batch or batch[0].ndim < 2 or len(batch[0]) < 8:
        raise ValueError(
            "a batch must have at least eight rows of data, got shape "
            f"{batch[0].shape if batch else ()}"
        )
    if batch[0].dtype.kind not in "iuf" or not np.isfinite(batch[0]).all():
        raise ValueError(f"the data must be finite numbers, got {batch[0].dtype}")
    return batch


def _take(step: Any, batch: Sequence[Any], as_it_is: bool) -> Any:
    if not isinstance(step, keras.Model):
        return step(*batch)
    tensors = tuple(tf.convert_to_tensor(x) for x in batch)
    given = tensors[0] if len(tensors) == 1 else tensors
    if not as_it_is:
        return step.train_step(given)
    return step.fit(tf.data.Dataset.from_tensors(given), epochs=1, shuffle=False, verbose=0)


@contextlib.contextmanager
def _everything_back(*networks: Any) -> Iterator[Callable[[], None]]:
    """Lends a function that puts back every variable of the process; it is called at the end.

    Reading a variable shares its memory until it is written to, so what a step leaves alone costs
    nothing here.
    """
    variables, optimizers = [], []
    kinds: dict[type, type | None] = {}
    for thing in gc.get_objects():
        # By type, not by isinstance: that would wake lazy modules and dead proxies. And by the
        # list of bases: issubclass asks abstract classes, which takes seconds for thousands.
        kind = type(thing)
        if kind not in kinds:
            bases = (tf.Variable, keras.optimizers.Optimizer)
            kinds[kind] = next((base for base in bases if base in kind.__mro__), None)
        if kinds[kind] is tf.Variable:
            with contextlib.suppress(Exception):  # made in a graph, or not initialised
                variables.append((thing, tf.identity(tf.convert_to_tensor(thing))))
        elif kinds[kind] is not None and not thing.built:
            optimizers.append(thing)
    flags = [(x, x.trainable) for network in networks for x in _flat_layers(network)]
    states = np.random.get_state(), random.getstate()  # noqa: NPY002 - it is the reader's

    def restore() -> None:
        for optimizer in [x for x in optimizers if x.built]:
            # It was made during the steps, and a new one is as it was.
            new = type(optimizer).from_config(optimizer.get_config())
            new.build(optimizer._trainable_variables)
            fresh = zip(optimizer.variables, new.variables, strict=True)
            variables.extend((v.value, tf.convert_to_tensor(value)) for v, value in fresh)
            optimizers.remove(optimizer)
        for variable, value in variables:
            variable.assign(value)
        if any(layer.trainable != flag for layer, flag in flags):
            for layer, flag in flags:  # outer layers first: they set those inside them
                layer.trainable = flag

    try:
        yield restore
    finally:
        restore()
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
