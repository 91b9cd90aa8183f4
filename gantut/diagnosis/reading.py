"""What a GAN's readings say, in words: the reasoning behind :class:`gantut.diagnosis.Diagnosis`.

A reading is taken now and then during the training, always on the same data and latent vectors
(:class:`Probe`). Each symptom is a condition on the readings so far (:func:`present`), with the
limits in :class:`Thresholds`, and a sentence with the numbers in it that says what may help
(:func:`describe`). Losses alone tell little: a GAN's losses do not fall as the samples get better.

What a reading holds, by the names in ``READINGS``:

- ``d_real``, ``d_fake``: the mean of sigmoid(D) on data and on samples. For losses on unbounded
  scores (least squares, hinge, Wasserstein) these are no probabilities.
- ``told_apart``: the share of pairs of one data point and one sample (with labels: of the same
  class) in which D gives the data point the higher logit. 1/2 is guessing; it has a meaning for
  every loss.
- ``advantage``: how far D's loss has come from that of a D which answers alike everywhere (0)
  towards the smallest value that the loss can take (1). With the minimax loss this is the
  estimate of the Jensen-Shannon divergence that D's loss implies, in bits (Goodfellow et al.
  2014, section 4.1). It is below 0 for a D that is worse than a constant, and NaN for a loss
  without a smallest value, such as Wasserstein's.
- ``d_loss``, ``g_loss``: the losses, without penalties.
- ``d_gradient``, ``g_gradient``: the Euclidean norm of each loss' gradient with respect to all
  weights of its network, in training mode and without penalties.
- ``variety``: the mean distance of two samples, divided by that of two data points. With labels,
  of two of the same class.
- ``classes``: the effective number of classes among the samples, exp(entropy of their shares):
  k if k classes appear equally often. NaN where no classes are known.
- ``mode_gap``: the mean distance between what G makes of a latent vector in training mode and in
  inference mode, divided by the mean distance of two data points. 0 without layers that behave
  differently, such as batch normalisation.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gantut._keras import tf
from gantut.data import Mixture, check_labels
from gantut.losses import AdversarialLoss

History = Mapping[str, Sequence[float]]
Classifier = Callable[[npt.NDArray[np.float32]], npt.ArrayLike]

READINGS = (
    "step",
    "d_real",
    "d_fake",
    "told_apart",
    "advantage",
    "d_loss",
    "g_loss",
    "d_gradient",
    "g_gradient",
    "variety",
    "classes",
    "mode_gap",
)
"""The columns of a diagnosis' history."""

FIRST = 5
"""Readings at the beginning whose largest gradient norm later ones are compared with."""

SURE = 0.97
"""Mean probability of the judge's choice on the data, below which its classes are not used.

It is 0.99 on MNIST, and 0.92 on Fashion-MNIST, whose images are no digits.
"""


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
        """The step and the message, in a line."""
        return f"step {self.step:,}: {self.message}"


@dataclass(frozen=True)
class Thresholds:
    """Where a reading becomes a symptom.

    The reasons quote what healthy trainings on MNIST read once they are under way.

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

        Returns:
            Other thresholds.
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
        """Refuses what is no threshold.

        Raises:
            ValueError: a value is not positive, or not finite, or not an integer where one is
                counted.
        """
        for spec in fields(self):
            value = getattr(self, spec.name)
            counted = spec.name in ("window", "turns")
            if (
                isinstance(value, bool)
                or not isinstance(value, int if counted else int | float)
                or not 0 < value < math.inf
            ):
                raise ValueError(
                    f"threshold {spec.name!r} must be a positive "
                    f"{'integer' if counted else 'number'}, got {value!r}"
                )


# --- Taking a reading ---------------------------------------------------------------------------


class Probe:
    """Takes readings of a GAN, and leaves it as it was.

    Args:
        gan: The `gantut.GAN`.
        x: Data, float32 of shape (n, ...), n >= 2.
        y: Integer labels (n,) for a conditional GAN.
        classes: What tells the classes of samples: a function from samples (n, ...) to integers
            (n,), or a `gantut.data.Mixture`, whose nearest centre counts. None takes the judge
            for images of shape (28, 28, 1) if it is sure of the data (``SURE``) and sees more
            than one class in it, and nothing otherwise.
        batch_size: Rows that D and the gradients are read on. It must be a multiple of whatever
            the networks take together; 120 is one of 2, 3, 4, 5, 6 and 8.
        samples: Samples, and data points, that variety and classes are read on.
        seed: Chooses the data and the latent vectors.

    Attributes:
        data_classes: The effective number of classes of the data; NaN where none are known.
        data_shares: The classes' shares in the data, by class.
        shares: The classes' shares in the latest samples, by class.

    Raises:
        ValueError: the data has another shape than G's samples, is too small, or not finite, all
            its rows are equal, or labels are missing or do not fit.
    """

    def __init__(
        self,
        gan: Any,
        x: Any,
        y: Any = None,
        *,
        classes: Classifier | Mixture | None = None,
        batch_size: int = 120,
        samples: int = 240,
        seed: int = 0,
    ) -> None:
        self._gan = gan
        x, wanted = np.asarray(x), tuple(gan.generator.outputs[0].shape[1:])
        if x.shape[1:] != wanted or len(x) < 2:
            raise ValueError(
                "Diagnosis needs data of the shape that the generator makes, "
                f"(n, {', '.join(map(str, wanted))}) with n >= 2, got {x.shape}"
            )
        if gan.conditional and y is None:
            raise ValueError("Diagnosis of a conditional GAN needs labels y beside the data x")
        labels = check_labels(y, len(x), gan.num_classes) if gan.conditional else None
        rng = np.random.default_rng(seed)
        # Small data serves more than once, so that a batch has its size.
        rows = rng.permutation(len(x))[np.arange(max(samples, batch_size)) % len(x)]
        real = np.asarray(x[rows], np.float32)
        if not np.isfinite(real).all():
            raise ValueError("Diagnosis got data with values that are not finite (NaN or infinity)")
        self._labels = None if labels is None else labels[rows]
        self._real = tf.constant(real)
        self._y = None if self._labels is None else tf.constant(self._labels)
        self._z = tf.constant(rng.standard_normal((len(rows), gan.latent_dim), dtype=np.float32))
        self._batch_size = batch_size
        self._pairs = _pairs(self._labels, len(rows))
        self._spread = _mean_distance(real, self._pairs)
        if not self._spread > 0.0:
            raise ValueError("Diagnosis needs data that varies, but all rows of x are equal")
        self._blind, self._best = blind_and_best(gan.adversarial_loss)
        self._classify = _classifier(real, classes)
        self.data_shares = self._read_shares(real)
        self.data_classes = effective_number(self.data_shares)
        self.shares: dict[int, float] = {}

    def read(self) -> dict[str, float]:
        """Takes a reading.

        Returns:
            The values by the names in ``READINGS``.
        """
        gan, n = self._gan, self._batch_size
        y = None if self._y is None else self._y[:n]
        loss = gan.adversarial_loss
        with _untouched(gan.generator, gan.discriminator):
            with tf.GradientTape(persistent=True) as tape:
                fake = self._generate(gan.generator, n, training=True)
                fake_logits = gan.discriminate(fake, y)
                real_logits = gan.discriminate(self._real[:n], y)
                d_loss = loss.discriminator(real_logits, fake_logits)
                g_loss = loss.generator(fake_logits, real_logits if loss.relativistic else None)
            d_gradient = _norm(tape.gradient(d_loss, gan.discriminator.trainable_variables))
            g_gradient = _norm(tape.gradient(g_loss, gan.generator.trainable_variables))
            del tape
        inferred = self._generate(gan.generator, n, training=False)
        samples = self._generate(gan.ema_generator, len(self._z), training=False).numpy()
        self.shares = self._read_shares(samples)
        on_real, on_fake = (t.numpy().ravel().astype(float) for t in (real_logits, fake_logits))
        gap = (inferred - fake).numpy().reshape(n, -1)
        return {
            "step": int(gan.step_counter.numpy()),
            "d_real": float(tf.reduce_mean(tf.sigmoid(real_logits))),
            "d_fake": float(tf.reduce_mean(tf.sigmoid(fake_logits))),
            "told_apart": _share_of_pairs(
                on_real, on_fake, None if self._labels is None else self._labels[:n]
            ),
            "advantage": (
                (self._blind - float(d_loss)) / (self._blind - self._best)
                if math.isfinite(self._best)
                else math.nan
            ),
            "d_loss": float(d_loss),
            "g_loss": float(g_loss),
            "d_gradient": d_gradient,
            "g_gradient": g_gradient,
            "variety": _mean_distance(samples, self._pairs) / self._spread,
            "classes": effective_number(self.shares),
            "mode_gap": float(np.linalg.norm(gap, axis=1).mean()) / self._spread,
        }

    def _generate(self, generator: Any, n: int, training: bool) -> Any:
        z = self._z[:n]
        return generator(z if self._y is None else [z, self._y[:n]], training=training)

    def _read_shares(self, samples: npt.NDArray[np.float32]) -> dict[int, float]:
        if self._classify is None or not np.isfinite(samples).all():
            return {}
        found, counts = np.unique(np.asarray(self._classify(samples)), return_counts=True)
        return {int(k): c / len(samples) for k, c in zip(found, counts, strict=True)}


@contextlib.contextmanager
def _untouched(*models: Any) -> Iterator[None]:
    """Puts back every variable of the models, to the bit.

    A pass in training mode moves the statistics of batch normalisation, the random states of
    dropout and the power iteration (and kernels) of spectral normalisation.
    """
    variables = [variable for model in models for variable in model.variables]
    before = [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _norm(gradients: Sequence[Any]) -> float:
    squares = (
        float(tf.reduce_sum(tf.square(tf.cast(tf.convert_to_tensor(g), tf.float64))))
        for g in gradients
        if g is not None
    )
    return math.sqrt(sum(squares))


def _share_of_pairs(
    real: npt.NDArray[np.float64],
    fake: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int32] | None,
) -> float:
    won = (real[:, None] > fake) + 0.5 * (real[:, None] == fake)
    # A relativistic D that is given labels compares within a class, and only there. (A packed D
    # has fewer answers than there are labels.)
    if labels is not None and len(real) == len(labels):
        won = won[labels[:, None] == labels]
    return float(won.mean())


def _pairs(labels: npt.NDArray[np.int32] | None, n: int) -> npt.NDArray[np.int64]:
    """Rows to compare, shape (2, m): each with the next four, of its own class if there is one."""
    groups = (
        [np.arange(n)]
        if labels is None
        else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    )
    found = [
        np.stack([rows, np.roll(rows, -step)])
        for rows in groups
        for step in range(1, min(5, len(rows)))
    ]
    return np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)


def _mean_distance(x: npt.NDArray[np.float32], pairs: npt.NDArray[np.int64]) -> float:
    flat = x.reshape(len(x), -1)
    if not pairs.size:
        return 0.0
    return float(np.linalg.norm(flat[pairs[0]] - flat[pairs[1]], axis=1).mean())


def _classifier(
    real: npt.NDArray[np.float32], classes: Classifier | Mixture | None
) -> Classifier | None:
    if isinstance(classes, Mixture):
        centres = classes.centres

        def nearest(x: npt.NDArray[np.float32]) -> npt.ArrayLike:
            distances = np.linalg.norm(x[:, None] - centres, axis=-1)
            return np.argmin(distances, axis=1)

        return nearest
    if classes is not None:
        if not callable(classes):
            raise TypeError(
                "classes must be a function from samples to integers, or a Mixture, "
                f"got {type(classes).__name__}"
            )
        return classes
    if real.shape[1:] != (28, 28, 1) or np.abs(real).max() > 1.0:
        return None
    from gantut import judge

    chances = judge.probabilities(real)
    if chances.max(axis=1).mean() < SURE or len(np.unique(chances.argmax(axis=1))) == 1:
        return None
    return lambda x: judge.probabilities(np.clip(x, -1.0, 1.0)).argmax(axis=1)


def effective_number(shares: Mapping[int, float]) -> float:
    """The number of equally frequent classes that have the same entropy.

    Args:
        shares: The classes' shares, which sum to 1.

    Returns:
        exp(entropy), from 1 to the number of classes with a share; NaN without classes.
    """
    if not shares:
        return math.nan
    return math.exp(-sum(share * math.log(share) for share in shares.values() if share > 0.0))


def blind_and_best(loss: AdversarialLoss) -> tuple[float, float]:
    """The ends of the scale on which D's loss is read.

    Args:
        loss: A pair of losses.

    Returns:
        D's smallest loss when it gives the same logit to all data and samples, and when it gives
        one logit to the data and another to the samples. The second is found on a grid of step
        1/2 up to 20 in size, and is minus infinity where the loss falls on beyond it.
    """

    def value(real: float, fake: float) -> float:
        logits = (tf.constant([[x]], tf.float32) for x in (real, fake))
        return float(loss.discriminator(*logits))

    blind = min(value(c, c) for c in np.arange(-4.0, 4.25, 0.25))
    grid = np.arange(-20.0, 20.5, 0.5)
    real, fake = 20.0, -20.0
    # One coordinate after the other: a discriminator's losses are convex in both logits.
    real = min(grid, key=lambda a: value(a, fake))
    fake = min(grid, key=lambda b: value(real, b))
    real = min(grid, key=lambda a: value(a, fake))
    best = value(real, fake)
    if value(2.0 * real, 2.0 * fake) < best - 0.5:
        return blind, -math.inf
    return blind, best


# --- From readings to symptoms ------------------------------------------------------------------


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


def facts(gan: Any, probe: Probe) -> Facts:
    """Collects the facts of a compiled GAN and its latest reading.

    Args:
        gan: The `gantut.GAN`.
        probe: What reads it.

    Returns:
        Them.
    """
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


def _last(history: History) -> dict[str, float]:
    return {name: column[-1] for name, column in history.items()}


def _scale(history: History, name: str) -> float:
    """The largest of the first readings of a gradient norm, finite ones only."""
    return max((v for v in history[name][:FIRST] if math.isfinite(v)), default=math.nan)


def _won(history: History, limits: Thresholds, facts: Facts) -> bool:
    return history["advantage"][-1] >= limits.won


def _lost(history: History, limits: Thresholds, facts: Facts) -> bool:
    # Where the players chase each other, each is fooled now and then.
    return history["told_apart"][-1] <= 0.5 + limits.guessing and not _swinging(
        history, limits, facts
    )


def _vanishing(history: History, limits: Thresholds, facts: Facts) -> bool:
    norm = history["g_gradient"][-1]
    flat = limits.flat * math.sqrt(facts.weights)
    return norm <= max(flat, limits.vanishing * _scale(history, "g_gradient"))


def _exploding(history: History, limits: Thresholds, facts: Facts) -> bool:
    return any(
        not history[name][-1] <= limits.exploding * _scale(history, name)
        for name in ("g_gradient", "d_gradient")
    )


def _alike(history: History, limits: Thresholds, facts: Facts) -> bool:
    return history["variety"][-1] <= limits.alike


def _few(history: History, limits: Thresholds, facts: Facts) -> bool:
    # That samples which look alike belong to few classes is no news.
    return history["classes"][-1] <= limits.few * facts.data_classes and not _alike(
        history, limits, facts
    )


def _gap(history: History, limits: Thresholds, facts: Facts) -> bool:
    return history["mode_gap"][-1] >= limits.gap


def _swinging(history: History, limits: Thresholds, facts: Facts) -> bool:
    values = history["told_apart"][-limits.window :]
    if len(values) < limits.window:
        return False
    low, high = min(values), max(values)
    third = (high - low) / 3.0
    sides = [v > high - third for v in values if not low + third <= v <= high - third]
    turns = sum(a != b for a, b in itertools.pairwise(sides))
    return high - low >= limits.swing and turns >= limits.turns


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _verdict(last: Mapping[str, float]) -> str:
    return (
        f"D(real) = {last['d_real']:.3f} and D(fake) = {last['d_fake']:.3f} on average, and D puts "
        f"the real one first in {_percent(last['told_apart'])} of pairs"
    )


def _won_words(history: History, limits: Thresholds, facts: Facts) -> str:
    last = _last(history)
    then = _scale(history, "g_gradient")
    advice = []
    if facts.loss == "minimax":
        advice.append(
            "the non-saturating loss, because the minimax loss gives G no gradient where D is sure"
        )
    if facts.d_steps > 1:
        advice.append(f"fewer steps of D for one of G than {facts.d_steps}")
    if not facts.penalties:
        advice.append("a gradient penalty on D (R1)")
    advice.append(f"a lower learning rate for D ({facts.d_rate:.2g} now)")
    advice.append("noise on D's inputs")
    return (
        f"The discriminator has won: {_verdict(last)}. The norm of G's gradient is "
        f"{last['g_gradient']:.2g} (at first {then:.2g}). Try {_list(advice)}."
    )


def _lost_words(history: History, limits: Thresholds, facts: Facts) -> str:
    last = _last(history)
    if last["told_apart"] < 0.5 - limits.guessing:
        return (
            f"The discriminator has lost: {_verdict(last)}, so G fools it and runs ahead. Try a "
            f"higher learning rate for D ({facts.d_rate:.2g} now, G's is {facts.g_rate:.2g}), more "
            "steps of D for one of G, or a larger D."
        )
    return (
        f"The discriminator cannot tell: {_verdict(last)}, about as for a coin. If the samples are "
        "good and varied, this is the equilibrium that one hopes for. If not, D has given up: try "
        f"a larger D, a higher learning rate for it ({facts.d_rate:.2g} now), or less "
        "regularisation of it."
    )


def _vanishing_words(history: History, limits: Thresholds, facts: Facts) -> str:
    last = _last(history)
    then = _scale(history, "g_gradient")
    share = f"{last['g_gradient'] / then:.1g} of it" if then > 0.0 else "no more"
    advice = []
    if facts.loss == "minimax":
        advice.append("the non-saturating loss")
    if last["advantage"] >= limits.won:
        advice.append("a weaker D (lower learning rate, R1 penalty, noise on its inputs)")
    advice.append(
        "to look for units of G that no longer answer, such as an output at the ends of tanh"
    )
    return (
        f"G's gradient has vanished: its norm was {then:.2g} at first and is "
        f"{last['g_gradient']:.2g} now, {share}; D(fake) = {last['d_fake']:.2g}. G learns nothing "
        f"from D. Try {_list(advice)}."
    )


def _exploding_words(history: History, limits: Thresholds, facts: Facts) -> str:
    last = _last(history)
    g, d = _scale(history, "g_gradient"), _scale(history, "d_gradient")
    return (
        f"A gradient has exploded: the norm of G's is {last['g_gradient']:.2g} (at first {g:.2g}), "
        f"of D's {last['d_gradient']:.2g} (at first {d:.2g}). Try lower learning rates (G's is "
        f"{facts.g_rate:.2g}, D's {facts.d_rate:.2g}), a gradient penalty on D or spectral "
        "normalisation."
    )


def _alike_words(history: History, limits: Thresholds, facts: Facts) -> str:
    return (
        f"All samples look alike: two of them are on average {_percent(history['variety'][-1])} as "
        "far apart as two data points. G has collapsed, or has not begun. Try the relativistic "
        "loss with R1 and R2, a D that judges several samples at once (packing, minibatch "
        f"standard deviation), or a lower learning rate for G ({facts.g_rate:.2g} now)."
    )


def _few_words(history: History, limits: Thresholds, facts: Facts) -> str:
    ranked = sorted(facts.shares.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{k}: {_percent(share)}" for k, share in ranked[:4])
    rare = sorted(
        k for k, share in facts.data_shares.items() if facts.shares.get(k, 0.0) < 0.1 * share
    )
    missing = f"; hardly any of class {', '.join(map(str, rare))}" if rare else ""
    return (
        f"Few classes appear: as many as {history['classes'][-1]:.1f} equally frequent ones, the "
        f"data has {facts.data_classes:.1f} (most frequent: {shown}{missing}). G drops modes. Try "
        "the relativistic loss with R1 and R2, a D that judges several samples at once (packing, "
        "minibatch standard deviation), unrolled steps of D, or labels."
    )


def _gap_words(history: History, limits: Thresholds, facts: Facts) -> str:
    return (
        "Training and inference differ: what G makes of a latent vector in training mode and in "
        f"inference mode is {_percent(history['mode_gap'][-1])} as far apart as two data points. "
        "D judges the first, you see the second. With batch normalisation, its moving statistics "
        "lag: try a lower momentum (0.9), larger batches, or another normalisation."
    )


def _swinging_words(history: History, limits: Thresholds, facts: Facts) -> str:
    window = slice(-limits.window, None)
    ends = [
        end
        for name in ("told_apart", "d_loss", "g_loss")
        for end in (min(history[name][window]), max(history[name][window]))
    ]
    return (
        f"The players chase each other and the losses swing: over the last {limits.window} "
        "readings the share of pairs in which D puts the real one first went to and fro between "
        f"{_percent(ends[0])} and {_percent(ends[1])}, D's loss between {ends[2]:.2g} and "
        f"{ends[3]:.2g}, G's between {ends[4]:.2g} and {ends[5]:.2g}. Try lower learning rates "
        f"(G's is {facts.g_rate:.2g}, D's {facts.d_rate:.2g}), Adam with beta_1 = 0, a gradient "
        "penalty on D (R1), or averaged weights for sampling."
    )


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])}, or {items[-1]}"


@dataclass(frozen=True)
class Symptom:
    """What can be read off the readings.

    Attributes:
        present: Whether the last reading (and those before) show it.
        words: What is going on and what to try.
        over: What is said when it has passed.
        from_start: Whether it counts before the warm-up is over too.
    """

    present: Callable[[History, Thresholds, Facts], bool]
    words: Callable[[History, Thresholds, Facts], str]
    over: str
    from_start: bool = False


SYMPTOMS: dict[str, Symptom] = {
    "discriminator_won": Symptom(_won, _won_words, "The discriminator no longer wins: {verdict}."),
    "discriminator_lost": Symptom(
        _lost, _lost_words, "The discriminator can tell again: {verdict}."
    ),
    "vanishing_gradient": Symptom(
        _vanishing,
        _vanishing_words,
        "G's gradient is back: its norm is {g_gradient:.2g}.",
        from_start=True,
    ),
    "exploding_gradient": Symptom(
        _exploding,
        _exploding_words,
        "The gradients are back: the norm of G's is {g_gradient:.2g}, of D's {d_gradient:.2g}.",
        from_start=True,
    ),
    "low_diversity": Symptom(
        _alike,
        _alike_words,
        "The samples no longer look alike: two of them are {variety:.2f} times as far apart as "
        "two data points.",
    ),
    "few_classes": Symptom(
        _few,
        _few_words,
        "More classes appear: as many as {classes:.1f} equally frequent ones.",
    ),
    "swinging": Symptom(_swinging, _swinging_words, "The losses no longer swing: {verdict}."),
    "mode_gap": Symptom(
        _gap,
        _gap_words,
        "Training and inference agree again: what G makes in the two modes is {mode_gap:.2f} "
        "times as far apart as two data points.",
    ),
}
"""What a diagnosis looks for, in this order."""


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
        and symptom.present(history, relaxed if name in going_on else limits, facts)
    ]


def describe(
    name: str,
    history: History,
    facts: Facts,
    limits: Thresholds | None = None,
    *,
    passed: bool = False,
) -> Finding:
    """Puts a symptom into words.

    Args:
        name: A key of ``SYMPTOMS``.
        history: As in `present`.
        facts: As in `present`.
        limits: As in `present`.
        passed: Whether it has passed.

    Returns:
        The finding, of the last reading.
    """
    last = _last(history)
    symptom = SYMPTOMS[name]
    if passed:
        message = symptom.over.format(verdict=_verdict(last), **last)
    else:
        message = symptom.words(history, limits or Thresholds(), facts)
    return Finding(int(last["step"]), name, message, last, passed)
