"""What readings say: when a symptom is present, and how it is put into words."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import numpy as np

from gantut import _check
from gantut.diagnosis.probe import Probe
from gantut.gan import GAN

History = Mapping[str, Sequence[float]]

FIRST = 5
"""Readings at the beginning whose largest gradient norm later ones are compared with."""


class Finding(NamedTuple):
    """Something that began, or has passed.

    Attributes:
        step: The training step at which it was noticed.
        name: One of ``SYMPTOMS``, or "not_finite".
        message: What is going on and what to try, with the numbers.
        values: The reading that it rests on (for "not_finite", the two losses).
        passed: Whether this is the end of an earlier finding of that name.
    """

    step: int
    name: str
    message: str
    values: dict[str, float]
    passed: bool = False

    def __str__(self) -> str:
        return f"step {self.step:,}: {self.message}"


@dataclass(frozen=True)
class Thresholds:
    """Where a reading becomes a symptom.

    Attributes:
        won: Least ``advantage`` of a D that has won.
        guessing: Largest ``told_apart``, above 1/2, of a D that cannot tell, or has lost.
        vanishing: G's gradient norm as a share of the largest among the first readings.
        flat: Root mean square of G's gradient, per weight. Adam divides by the gradient's
            size plus an epsilon of 1e-7, so below it the steps shrink with the gradient.
        exploding: A gradient norm as a multiple of the largest among the first readings.
        alike: Largest ``variety`` of samples that look alike.
        few: Largest share of the data's effective number of classes at which few appear.
        gap: Least ``mode_gap`` of a G whose two modes differ.
        swing: Least range of ``told_apart``, over a window of readings, that is a swing.
        window: Readings in that window.
        turns: Least number of passages from the upper third of that range to the lower third, or
            back, in the window. A value that rises or falls once has one.
    """

    won: float = 0.97
    guessing: float = 0.05
    vanishing: float = 1e-3
    flat: float = 1e-7
    exploding: float = 1e3
    alike: float = 0.2
    few: float = 0.4
    gap: float = 0.5
    swing: float = 0.5
    window: int = 12
    turns: int = 4

    def relaxed(self) -> "Thresholds":
        """The limits behind which a symptom that was found is still there.

        They lie a little further off, so that a reading that stays close to a limit does not
        make a finding come and go: by a factor of 3 for gradients, which vary by powers of ten,
        and of 1.2 for the rest (twice the distance from 1 for ``won``).
        """
        return replace(
            self,
            won=max(1.0 - 2.0 * (1.0 - self.won), 0.5 * self.won),
            guessing=1.2 * self.guessing,
            vanishing=3.0 * self.vanishing,
            flat=3.0 * self.flat,
            exploding=self.exploding / 3.0,
            alike=1.2 * self.alike,
            few=1.2 * self.few,
            gap=self.gap / 1.2,
            swing=self.swing / 1.2,
        )

    def __post_init__(self) -> None:
        for spec in fields(self):
            name, value = spec.name, getattr(self, spec.name)
            counted = name in ("window", "turns")
            checked = (
                _check.integer(value, name, 1) if counted else _check.number(value, name, above=0)
            )
            object.__setattr__(self, name, checked)


class Facts(NamedTuple):
    """What a sentence needs beside the readings.

    Attributes:
        loss: The name of the loss.
        penalties: The names of the penalties.
        d_steps: Steps of D for one of G.
        g_rate: G's learning rate; NaN if it follows a schedule of its own.
        d_rate: D's.
        weights: The number of G's trainable weights.
        data_classes: The data's effective number of classes; NaN where none are known.
        data_shares: The classes' shares in the data.
        shares: The classes' shares in the latest samples.
    """

    loss: str
    penalties: tuple[str, ...]
    d_steps: int
    g_rate: float
    d_rate: float
    weights: int
    data_classes: float = math.nan
    data_shares: Mapping[int, float] = {}
    shares: Mapping[int, float] = {}


def facts(gan: GAN, probe: Probe) -> Facts:
    """Collects the facts of a compiled GAN and its latest reading, which ``probe`` took."""
    return Facts(
        loss=gan.adversarial_loss.name,
        penalties=tuple(gan.penalties),
        d_steps=gan.d_steps,
        g_rate=float(gan.g_optimizer.learning_rate),
        d_rate=float(gan.d_optimizer.learning_rate),
        weights=sum(int(np.prod(w.shape)) for w in gan.generator.trainable_variables),
        data_classes=probe.data_classes,
        data_shares=probe.data_shares,
        shares=probe.shares,
    )


def percent(share: float) -> str:
    """A share in [0, 1] as a whole number of per cent."""
    return f"{100 * share:.0f} %"


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])}, or {items[-1]}"


class Case(NamedTuple):
    """What symptoms are judged by, as in `present`."""

    history: History
    facts: Facts
    limits: Thresholds

    @property
    def last(self) -> dict[str, float]:
        """The latest reading."""
        return {name: column[-1] for name, column in self.history.items()}

    @property
    def verdict(self) -> str:
        """What D says of data and samples."""
        last = self.last
        return (
            f"D(real) = {last['d_real']:.3f} and D(fake) = {last['d_fake']:.3f} on average, and D "
            f"puts the real one first in {percent(last['told_apart'])} of pairs"
        )

    def at_first(self, name: str) -> float:
        """The largest of the first readings of a gradient norm, finite ones only."""
        return max((v for v in self.history[name][:FIRST] if math.isfinite(v)), default=math.nan)


class Symptom(Protocol):
    """What can be read off the readings.

    Attributes:
        over: What is said when it has passed, with the reading's values to fill in.
        from_start: Whether it counts before the warm-up is over too.
    """

    over: str
    from_start: bool = False

    def present(self, case: Case) -> bool:
        """Whether the last reading (and those before) show it."""

    def words(self, case: Case) -> str:
        """What is going on and what to try."""


class _DiscriminatorWon(Symptom):
    over = "The discriminator no longer wins: {verdict}."

    def present(self, case: Case) -> bool:
        return case.last["advantage"] >= case.limits.won

    def words(self, case: Case) -> str:
        facts = case.facts
        advice = []
        if facts.loss == "minimax":
            advice.append(
                "the non-saturating loss, because the minimax loss gives G no gradient where D is "
                "sure"
            )
        if facts.d_steps > 1:
            advice.append(f"fewer steps of D for one of G than {facts.d_steps}")
        if not facts.penalties:
            advice.append("a gradient penalty on D (R1)")
        advice.append(f"a lower learning rate for D ({facts.d_rate:.2g} now)")
        advice.append("noise on D's inputs")
        return (
            f"The discriminator has won: {case.verdict}. The norm of G's gradient is "
            f"{case.last['g_gradient']:.2g} (at first {case.at_first('g_gradient'):.2g}). Try "
            f"{_list(advice)}."
        )


class _DiscriminatorLost(Symptom):
    over = "The discriminator can tell again: {verdict}."

    def present(self, case: Case) -> bool:
        # Where the players chase each other, each is fooled now and then.
        lost = case.last["told_apart"] <= 0.5 + case.limits.guessing
        return lost and not SYMPTOMS["swinging"].present(case)

    def words(self, case: Case) -> str:
        facts = case.facts
        if case.last["told_apart"] < 0.5 - case.limits.guessing:
            return (
                f"The discriminator has lost: {case.verdict}, so G fools it and runs ahead. Try a "
                f"higher learning rate for D ({facts.d_rate:.2g} now, G's is {facts.g_rate:.2g}), "
                "more steps of D for one of G, or a larger D."
            )
        return (
            f"The discriminator cannot tell: {case.verdict}, about as for a coin. If the samples "
            "are good and varied, this is the equilibrium that one hopes for. If not, D has given "
            f"up: try a larger D, a higher learning rate for it ({facts.d_rate:.2g} now), or less "
            "regularisation of it."
        )


class _VanishingGradient(Symptom):
    over = "G's gradient is back: its norm is {g_gradient:.2g}."
    from_start = True

    def present(self, case: Case) -> bool:
        flat = case.limits.flat * math.sqrt(case.facts.weights)
        small = case.limits.vanishing * case.at_first("g_gradient")
        return case.last["g_gradient"] <= max(flat, small)

    def words(self, case: Case) -> str:
        last, then = case.last, case.at_first("g_gradient")
        share = f"{last['g_gradient'] / then:.1g} of it" if then > 0.0 else "no more"
        advice = []
        if case.facts.loss == "minimax":
            advice.append("the non-saturating loss")
        if last["advantage"] >= case.limits.won:
            advice.append("a weaker D (lower learning rate, R1 penalty, noise on its inputs)")
        advice.append(
            "to look for units of G that no longer answer, such as an output at the ends of tanh"
        )
        return (
            f"G's gradient has vanished: its norm was {then:.2g} at first and is "
            f"{last['g_gradient']:.2g} now, {share}; D(fake) = {last['d_fake']:.2g}. G learns "
            f"nothing from D. Try {_list(advice)}."
        )


class _ExplodingGradient(Symptom):
    over = "The gradients are back: the norm of G's is {g_gradient:.2g}, of D's {d_gradient:.2g}."
    from_start = True

    def present(self, case: Case) -> bool:
        return any(
            not case.last[name] <= case.limits.exploding * case.at_first(name)
            for name in ("g_gradient", "d_gradient")
        )

    def words(self, case: Case) -> str:
        last, facts = case.last, case.facts
        return (
            f"A gradient has exploded: the norm of G's is {last['g_gradient']:.2g} (at first "
            f"{case.at_first('g_gradient'):.2g}), of D's {last['d_gradient']:.2g} (at first "
            f"{case.at_first('d_gradient'):.2g}). Try lower learning rates (G's is "
            f"{facts.g_rate:.2g}, D's {facts.d_rate:.2g}), a gradient penalty on D or spectral "
            "normalisation."
        )


class _LowDiversity(Symptom):
    over = (
        "The samples no longer look alike: two of them are {variety:.2f} times as far apart as "
        "two data points."
    )

    def present(self, case: Case) -> bool:
        return case.last["variety"] <= case.limits.alike

    def words(self, case: Case) -> str:
        return (
            "All samples look alike: two of them are on average "
            f"{percent(case.last['variety'])} as far apart as two data points. G has collapsed, "
            "or has not begun. Try the relativistic loss with R1 and R2, a D that judges several "
            "samples at once (packing, minibatch standard deviation), or a lower learning rate for "
            f"G ({case.facts.g_rate:.2g} now)."
        )


class _FewClasses(Symptom):
    over = "More classes appear: as many as {classes:.1f} equally frequent ones."

    def present(self, case: Case) -> bool:
        # That samples which look alike belong to few classes is no news.
        few = case.last["classes"] <= case.limits.few * case.facts.data_classes
        return few and not SYMPTOMS["low_diversity"].present(case)

    def words(self, case: Case) -> str:
        shares, real = case.facts.shares, case.facts.data_shares
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{k}: {percent(share)}" for k, share in ranked[:4])
        rare = sorted(k for k, share in real.items() if shares.get(k, 0.0) < 0.1 * share)
        missing = f"; hardly any of class {', '.join(map(str, rare))}" if rare else ""
        return (
            f"Few classes appear: as many as {case.last['classes']:.1f} equally frequent ones, the "
            f"data has {case.facts.data_classes:.1f} (most frequent: {shown}{missing}). G drops "
            "modes, or has not begun to make them. Try the relativistic loss with R1 and R2, a D "
            "that judges several samples at once (packing, minibatch standard deviation), unrolled "
            "steps of D, or labels."
        )


class _Swinging(Symptom):
    over = "The losses no longer swing: {verdict}."

    def present(self, case: Case) -> bool:
        values = case.history["told_apart"][-case.limits.window :]
        if len(values) < case.limits.window:
            return False
        low, high = min(values), max(values)
        third = (high - low) / 3.0
        sides = [v > high - third for v in values if not low + third <= v <= high - third]
        turns = sum(a != b for a, b in itertools.pairwise(sides))
        return high - low >= case.limits.swing and turns >= case.limits.turns

    def words(self, case: Case) -> str:
        facts, window = case.facts, case.limits.window
        apart, d_loss, g_loss = (
            (min(column[-window:]), max(column[-window:]))
            for column in (case.history[name] for name in ("told_apart", "d_loss", "g_loss"))
        )
        return (
            f"The players chase each other and the losses swing: over the last {window} readings "
            "the share of pairs in which D puts the real one first went to and fro between "
            f"{percent(apart[0])} and {percent(apart[1])}, D's loss between {d_loss[0]:.2g} and "
            f"{d_loss[1]:.2g}, G's between {g_loss[0]:.2g} and {g_loss[1]:.2g}. Try lower learning "
            f"rates (G's is {facts.g_rate:.2g}, D's {facts.d_rate:.2g}), Adam with beta_1 = 0, a "
            "gradient penalty on D (R1), or averaged weights for sampling."
        )


class _ModeGap(Symptom):
    over = (
        "Training and inference agree again: what G makes in the two modes is {mode_gap:.2f} "
        "times as far apart as two data points."
    )

    def present(self, case: Case) -> bool:
        return case.last["mode_gap"] >= case.limits.gap

    def words(self, case: Case) -> str:
        return (
            "Training and inference differ: what G makes of a latent vector in training mode and "
            f"in inference mode is {percent(case.last['mode_gap'])} as far apart as two data "
            "points. D judges the first, you see the second. With batch normalisation, its moving "
            "statistics lag: try a lower momentum (0.9), larger batches, or another normalisation."
        )


SYMPTOMS: dict[str, Symptom] = {
    "discriminator_won": _DiscriminatorWon(),
    "discriminator_lost": _DiscriminatorLost(),
    "vanishing_gradient": _VanishingGradient(),
    "exploding_gradient": _ExplodingGradient(),
    "low_diversity": _LowDiversity(),
    "few_classes": _FewClasses(),
    "swinging": _Swinging(),
    "mode_gap": _ModeGap(),
}
"""What a diagnosis looks for, in this order.

:meta hide-value:
"""


def present(
    history: History,
    facts: Facts,
    limits: Thresholds | None = None,
    *,
    warm: bool = True,
    going_on: Collection[str] = (),
) -> list[str]:
    """The symptoms that the readings show.

    Args:
        history: Lists by the names in ``READINGS``, one entry a reading, at least one.
        facts: About the GAN.
        limits: The limits; the defaults if None.
        warm: Whether the warm-up is over; before, only gradients count.
        going_on: What was found before and has not passed; for it `Thresholds.relaxed` holds.

    Returns:
        Names from ``SYMPTOMS``. A comparison with NaN holds for none, except that a gradient that
        is not finite has exploded.
    """
    limits = limits or Thresholds()
    relaxed = limits.relaxed()
    return [
        name
        for name, symptom in SYMPTOMS.items()
        if (warm or symptom.from_start)
        and symptom.present(Case(history, facts, relaxed if name in going_on else limits))
    ]


def describe(
    name: str,
    history: History,
    facts: Facts,
    limits: Thresholds | None = None,
    *,
    passed: bool = False,
) -> Finding:
    """Puts into words that the last reading shows a symptom of ``SYMPTOMS``, or that it has passed.

    The other arguments are those of `present`.
    """
    case, symptom = Case(history, facts, limits or Thresholds()), SYMPTOMS[name]
    last = case.last
    message = symptom.over.format(verdict=case.verdict, **last) if passed else symptom.words(case)
    return Finding(int(last["step"]), name, message, last, passed)
