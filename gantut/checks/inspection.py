"""All checks on two networks, a training step and data."""

import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from gantut import _check
from gantut._keras import keras, put_back, tf
from gantut.callbacks.parts import is_finite
from gantut.checks import pieces
from gantut.checks.parts import (
    Array,
    Inputs,
    Model,
    as_list,
    call,
    default_inputs,
    finding,
    last_weights,
    learnable,
    shapes_of,
)
from gantut.checks.process import everything_back
from gantut.checks.watch import Watch
from gantut.diagnosis import Finding

CHECKS = (
    "step", "shapes", "scale", "data_use", "learning", "separation", "opposition", "critic_steps",
    "noise_rows", "training_mode", "normalisation", "idle_layers", "linearity", "label_planes",
    "label_use", "mixing_weights", "flat_critic", "saturation", "modes",
)  # fmt: skip
"""The checks, in the order in which an `Inspection` names them.

All but two are functions of their own: does the training step run (``step``), and does D see the
data (``data_use``)?
"""
_UNMIXED = "D is shown no mixture of data and samples"


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
    generator: Model,
    discriminator: Model,
    train_step: Callable[..., Any] | Model | None = None,
    data: Inputs | tf.data.Dataset = None,
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
        train_step: A function ``train_step(images)``, ``train_step(images, labels)`` or
            ``train_step((images, labels))`` that trains both networks on the batch that it is
            given; or a compiled Keras model that does so in ``fit``, such as a `gantut.GAN`. None
            leaves out what needs it. Of a step that runs as a graph only, such as one that calls
            ``tf.gradients``, no calls and updates can be watched; the rest is checked.
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
    """
    batch_size = _check.integer(batch_size, "batch_size", 1)
    steps = _check.integer(steps, "steps", 1)
    if expected_modes is not None:
        expected_modes = _check.integer(expected_modes, "expected_modes", 2)
    if claimed_critic_steps is not None:
        claimed_critic_steps = _check.integer(claimed_critic_steps, "claimed_critic_steps", 1)
    networks = {"generator": generator, "discriminator": discriminator}
    for name, network in networks.items():
        if not isinstance(network, keras.Model):
            raise TypeError(f"the {name} must be a Keras model, got {type(network).__name__}")
    if train_step is not None and not callable(train_step):
        raise TypeError(
            "train_step must be a function of a batch, or a Keras model with fit, got "
            f"{type(train_step).__name__}"
        )
    batch = _first_batch(data, batch_size, seed)
    inspector = _Inspector(networks, train_step, batch, steps)
    # A model's own method takes tensors, as from fit; so does a loop over a dataset.
    inspector.as_tensors = isinstance(data, tf.data.Dataset) or isinstance(
        getattr(train_step, "__self__", None), keras.Model
    )
    with everything_back(generator, discriminator) as restore:
        inspector.note("shapes", pieces.shapes(generator, discriminator, batch[0]))
        if train_step is not None:
            inspector.check_step(restore, claimed_critic_steps)
        restore()
        inspector.check_networks()
    if expected_modes is None:
        inspector.note("modes", "expected_modes was not given")
    elif batch[0].ndim != 2:
        inspector.note("modes", "the data are no points")
    else:
        inspector.note("modes", pieces.modes(_all_rows(data), expected_modes))
    inspector.note("saturation", "it needs the loss: checks.saturation(loss)")
    found, skipped = {f.name for f in inspector.findings}, inspector.skipped
    result = Inspection(
        [f for name in CHECKS for f in inspector.findings if f.name == name],
        [name for name in CHECKS if name in inspector.passed],
        {
            name: skipped.get(name, "no training step was given")
            for name in CHECKS
            if name not in found and name not in inspector.passed
        },
    )
    if verbose:
        print(result)
    return result


class _StepError(Exception):
    """The reader's training step raised its ``__cause__``."""


class _Inspector:
    """One inspection: the pieces, what was seen of them, and what was concluded."""

    def __init__(
        self, networks: dict[str, Model], step: Any, batch: tuple[Array, ...], steps: int
    ) -> None:
        self.networks, self.step, self.batch, self.steps = networks, step, batch, steps
        self.findings: list[Finding] = []
        self.passed: list[str] = []
        self.skipped: dict[str, str] = {}
        self.seen = Watch(self.networks, batch)
        self.as_a_graph_only = False  # the step runs, but not eagerly
        self.as_tensors = False  # it gets these in the place of arrays
        self.taken = 0

    def note(self, name: str, outcome: str | Finding | Sequence[Finding | None] | None) -> bool:
        """Notes what a check found in each of its pieces, or why it was not run (a string)."""
        if isinstance(outcome, str):
            self.skipped[name] = outcome
            return False
        outcomes = [outcome] if isinstance(outcome, Finding) or outcome is None else outcome
        found = [f._replace(step=self.taken) for f in outcomes if f is not None]
        self.findings.extend(found)
        if not found:
            self.passed.append(name)
        return not found

    def take(self, batch: Sequence[Array], *, as_it_is: bool) -> Any:
        """Takes a training step; what it raises comes out as `_StepError`."""
        self.taken += 1
        step = self.step
        try:
            tensors = tuple(tf.convert_to_tensor(x) for x in batch)
            element = tensors if len(tensors) > 1 else tensors[0]
            if isinstance(step, keras.Model) and as_it_is:
                once = tf.data.Dataset.from_tensors(element)
                return step.fit(once, epochs=1, shuffle=False, verbose=0)
            if isinstance(step, keras.Model):
                return step.train_step(element)
            # Labels come beside the images or, as to a train_step, with them in one argument.
            if not _takes(step, *batch) and _takes(step, element):
                return step(element)
            return step(*(tensors if self.as_tensors else batch))
        except Exception as error:
            raise _StepError from error

    def values(self) -> dict[str, list[Array]]:
        """What both networks have learnt so far."""
        return {n: [np.asarray(w) for w in learnable(m)] for n, m in self.networks.items()}

    # The training step, watched and as it is.

    def check_step(self, restore: Callable[[], None], claimed: int | None) -> None:
        """Runs the checks that need a training step."""
        drawn: list[int] = []
        unwatched = raises = ""  # why there is nothing to judge
        error = None
        try:
            drawn = self.watch()
        except _StepError as failure:
            # As one with tf.gradients does, which is there in graphs only.
            unwatched, error = "the step runs as a graph only", failure.__cause__
        restore()
        before = after = self.values()
        try:
            after = self.learn(before)
        except _StepError as failure:
            raises, error = "the training step raises", error or failure.__cause__
            unwatched = unwatched and raises
        restore()
        self.as_a_graph_only = bool(unwatched and not raises)
        if not raises:
            self.note("step", None)
        elif "shapes" not in self.passed:
            self.note("step", "the shapes do not fit")
        else:
            said = f"{type(error).__name__}: {_words(error)}"
            self.note("step", finding("step", f"The training step raises {said}"))
        self.check_what_was_seen(unwatched, claimed)
        self.note("noise_rows", unwatched or self.noise_rows(drawn))
        restore()
        learnt = self.note(
            "learning", raises or [pieces.learning(before[n], after[n], n) for n in before]
        )
        self.note("data_use", raises or self.data_use(is_finite(after)))
        restore()
        unmixed = unwatched or ("" if self.seen.alphas else _UNMIXED)
        unlearnt = "" if learnt else "the networks do not learn"
        self.note("flat_critic", raises or unmixed or unlearnt or self.flat_critic())

    def watch(self) -> list[int]:
        """Takes some steps eagerly, and watches; returns the rows of noise in the first."""
        drawn: list[int] = []
        with self.seen.watching():
            for count in range(1, 4 * self.steps + 1):
                self.seen.begin()
                self.take(self.batch, as_it_is=False)
                drawn = drawn or list(self.seen.drawn)
                moved = any("generator" in owners for owners in self.seen.updates)
                if (moved and not self.seen.is_open()) or (count >= self.steps and not moved):
                    break
        return drawn

    def learn(self, before: Mapping[str, list[Array]]) -> dict[str, list[Array]]:
        """Takes steps as they are, until both networks have changed or one is lost."""
        for _ in range(self.steps):
            self.take(self.batch, as_it_is=True)
            after = self.values()
            if not is_finite(after) or not any(
                all(map(np.array_equal, before[name], after[name])) for name in before
            ):
                break
        return after

    def check_what_was_seen(self, unwatched: str, claimed: int | None) -> None:
        """Runs the checks on the calls and updates of the watched steps."""
        seen = self.seen
        still = unwatched or ("" if seen.updates else "no update by a Keras optimizer was seen")
        apart = self.note("separation", still or pieces.separation(seen.updates))
        if seen.d_changes and seen.g_changes:
            found = pieces.opposition(seen.distance, seen.d_changes, seen.g_changes)
            self.note("opposition", still or found)
        else:
            unseen = "D's answers on data and samples were not both seen"
            self.note("opposition", still or (unseen if apart else "the updates are not separate"))
        if claimed is None:
            self.note("critic_steps", still or "claimed_critic_steps was not given")
        else:
            self.note("critic_steps", still or pieces.critic_steps(seen.updates, claimed))
        asleep = [
            pieces.training_mode(self.networks[name], inputs, seen.modes[name], name)
            for name, inputs in seen.inputs.items()
        ]
        uncalled = "the step never calls these two networks"
        self.note("training_mode", unwatched or asleep or uncalled)
        mixed = pieces.mixing_weights(np.concatenate(seen.alphas)) if seen.alphas else _UNMIXED
        self.note("mixing_weights", unwatched or mixed)

    def noise_rows(self, drawn: Sequence[int]) -> str | Finding | None:
        """Takes three quarters of a batch: a number that packs of two, three and four divide."""
        rows = len(self.batch[0])
        short = 3 * rows // 4
        if not drawn:
            return "the step never calls G"
        if rows % 16:
            return "the batch is no multiple of 16"
        seen = Watch(self.networks, self.batch)
        try:
            with seen.watching():
                self.take([x[:short] for x in self.batch], as_it_is=False)
        except _StepError:
            return f"the step does not take a batch of {short}"
        pairs = zip(drawn, seen.drawn, strict=False)
        found = (pieces.noise_rows([(rows, n), (short, m)]) for n, m in pairs)
        return next((f for f in found if f is not None), None)

    def data_use(self, finite: bool) -> str | Finding | None:
        """A batch of NaN must leave traces, if D looks at it."""
        if self.seen.real:
            return None
        if not finite:
            return "weights are not finite"
        if self.batch[0].dtype.kind != "f":
            return "the data are whole numbers, which cannot be NaN"
        nothing = [np.full_like(self.batch[0], np.nan), *self.batch[1:]]
        try:
            returned = self.take(nothing, as_it_is=True)
        except _StepError:
            return None
        if not is_finite([self.values(), getattr(returned, "history", returned)]):
            return None
        return finding(
            "data_use",
            "D never sees the data: a batch of NaN in the place of the images leaves all weights "
            "and losses finite. In D's step, give it images and samples. (A step that fetches "
            "images by itself looks the same from outside; give it the batch.)",
        )

    def flat_critic(self) -> str | Finding | None:
        """A step must leave all weights finite where D is flat."""
        discriminator = self.networks["discriminator"]
        last = last_weights(discriminator)
        for weight in last:
            weight.assign(tf.zeros_like(weight))
        with put_back(discriminator.variables):
            fine = np.isfinite(call(discriminator, self.seen.real)).all()
        if not last or not fine:
            return "a D with a last layer of zeros gives no numbers"
        try:
            self.take(self.batch, as_it_is=True)
        except _StepError:
            return "the step raises where D is flat"
        return None if is_finite(self.values()) else pieces.NOT_FINITE_WHERE_FLAT

    # The networks by themselves.

    def check_networks(self) -> None:
        """Runs the checks on the networks by themselves, and what they make of labels."""
        generator, discriminator = self.networks.values()
        made, seen = shapes_of(generator)[1], self.seen
        ends = pieces.reach(generator, seen.inputs.get("generator"))
        shown = seen.real[0] if seen.real else self.batch[0]
        if len(made) == 3 and shown.ndim == 4:
            shown = shown[..., : made[-1]]
        if all(map(math.isinf, ends)):
            self.note("scale", "what G makes has no bounds")
        elif self.as_a_graph_only and not seen.real:
            self.note("scale", "the step may scale the data")
        else:
            self.note("scale", pieces.fits_the_range(ends, shown))
        self.note("normalisation", [pieces.normalisation(m, n) for n, m in self.networks.items()])
        given = {name: x for name in self.networks if (x := self.inputs(name)) is not None}
        idle = [pieces.idle_layers(self.networks[n], x, n) for n, x in given.items()]
        self.note("idle_layers", idle or "the data does not fit")
        if "discriminator" in given:
            self.note("linearity", pieces.linearity(discriminator, given["discriminator"]))
        else:
            self.note("linearity", "the data does not fit D")
        used = [pieces.label_use(self.networks[n], x, n) for n, x in given.items() if len(x) == 2]
        self.note("label_use", used or "no network takes labels as a second input")
        (shown, *_) = seen.inputs.get("discriminator", [np.zeros(())])
        if shown.ndim == 4 and len(made) == 3 and shown.shape[-1] > made[-1]:
            self.note("label_planes", pieces.label_planes(shown[..., made[-1] :]))
        else:
            self.note("label_planes", "D is shown no planes of labels")

    def inputs(self, name: str) -> list[Array] | None:
        """What to call a network with: what the step called it with, or what fits it."""
        if name == "discriminator" and self.seen.real:
            return self.seen.real
        if name in self.seen.inputs:
            return self.seen.inputs[name]
        network, images = self.networks[name], self.batch[0]
        if name == "generator":
            return default_inputs(network, self.batch[1:], len(images))
        if shapes_of(network)[0] != images.shape[1:] or len(network.inputs) > len(self.batch):
            return None
        return list(self.batch[: len(network.inputs)])


def _words(error: BaseException | None) -> str:
    """What an error says, without terminal colours and the names of graph nodes."""
    text = re.sub(r"\x1b\[[0-9;]*m|\{\{.*?\}\}", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = next((x for x in lines if re.search(r"must|expect|incompatible|cannot", x, re.I)), "")
    said = telling or (lines[0] if lines else "")
    return textwrap.shorten(said, 240) or type(error).__name__


def _all_rows(data: Inputs | tf.data.Dataset) -> Array:
    if isinstance(data, tf.data.Dataset):
        return np.concatenate([np.asarray(as_list(x)[0]) for x in data.take(100)])
    return np.asarray(as_list(data)[0])


def _first_batch(data: Inputs | tf.data.Dataset, batch_size: int, seed: int) -> tuple[Array, ...]:
    if isinstance(data, tf.data.Dataset):
        batch = tuple(np.asarray(x) for x in as_list(next(iter(data.take(1)), ())))
    else:
        arrays = [np.atleast_1d(x) for x in as_list(data)]
        if len({len(x) for x in arrays}) != 1:
            raise ValueError(
                f"images and labels must be as many, got shapes {[x.shape for x in arrays]}"
            )
        rows = _check.rng(seed).permutation(len(arrays[0]))[:batch_size]
        batch = tuple(x[rows] for x in arrays)
    if not batch or batch[0].ndim < 2 or len(batch[0]) < 8:
        raise ValueError(
            "data must be an array, (images, labels), or a batched dataset, with at least eight "
            f"rows in a batch; got shape {batch[0].shape if batch else ()}"
        )
    if batch[0].dtype.kind not in "iuf" or not np.isfinite(batch[0]).all():
        raise ValueError(f"the data must be finite numbers, got {batch[0].dtype}")
    return batch


def _takes(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a function written in C does not say
        return True
    return True
