"""What a distribution over strings is worth, exactly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from gantut import _check
from gantut._keras import tf
from gantut.applications.text.strings import END, Corpus
from gantut.applications.text.writer import Writer
from gantut.data import Float64


class Measures(NamedTuple):
    """What a distribution over strings is worth. All numbers are exact.

    Attributes:
        valid: The probability that a string is valid.
        effective: The exponential of the valid strings' entropy, as a share of their number: 1 if
            all are equally likely, 1/N if only one is ever written.
        distinct: Expected number of different valid strings in ``draws`` draws, over ``draws``.
        coverage: Expected share of the held-out strings that are among ``draws`` draws.
        memorised: The share of training strings among the valid ones that are written.
        nats: Mean of -log p over the held-out strings.
    """

    valid: float
    effective: float
    distinct: float
    coverage: float
    memorised: float
    nats: float


def log_probabilities(writer: Writer, corpus: Corpus, temperature: float = 1.0) -> Float64:
    """A writer's log probability of each valid string: (n,), in nats, as in ``corpus.valid``.

    The temperature, above 0, is that of `Writer.write`.
    """
    temperature = _check.number(temperature, "temperature", above=0)
    written, wanted = (writer.length, writer.symbols), (corpus.length, corpus.symbols)
    if written != wanted:
        raise ValueError(f"the corpus has {wanted} places and symbols, the writer {written}")
    codes = corpus.encode(corpus.valid)
    total, alive = np.zeros(len(codes)), np.ones(len(codes), bool)
    # Strings with the same beginning share their states: one row for each different beginning.
    beginning = np.zeros(len(codes), np.int64)
    state, projected = writer.start(1)
    for symbol in codes.T:
        state, logits = writer.step(state, projected)
        log_p = special.log_softmax(logits.numpy().astype(np.float64) / temperature, axis=1)
        total += alive * log_p[beginning, symbol]
        alive &= symbol != END
        _, first, longer = np.unique(
            beginning * corpus.symbols + symbol, return_index=True, return_inverse=True
        )
        state = tf.gather(state, beginning[first])
        projected = writer.project(tf.one_hot(symbol[first], corpus.symbols))
        beginning = longer
    return total


def measure(log_p: npt.ArrayLike, corpus: Corpus, *, draws: int = 10_000) -> Measures:
    """Measures a distribution over strings.

    Args:
        log_p: As of `log_probabilities`; at best ``np.full(n, -np.log(n))``, -inf means never.
        corpus: The strings.
        draws: Strings in a sample, for ``distinct`` and ``coverage``.
    """
    logs = np.asarray(log_p, np.float64)
    n = len(corpus.valid)
    if logs.shape != (n,):
        raise ValueError(f"log_p must have the shape ({n},), one a valid string, got {logs.shape}")
    p = np.exp(logs)
    valid = p.sum()
    if not 0.0 < valid < 1.0 + 1e-3:
        raise ValueError(f"log_p: probabilities must have a sum in (0, 1], got {valid}")
    share = p[p > 0] / valid
    # (1 - p)^n without loss of small p.
    with np.errstate(divide="ignore"):
        seen = -np.expm1(_check.integer(draws, "draws", 1) * np.log1p(-np.minimum(p, 1.0)))
    known = len(corpus.train)
    return Measures(
        valid=float(valid),
        effective=float(np.exp(-np.sum(share * np.log(share))) / n),
        distinct=float(seen.sum() / draws),
        coverage=float(seen[known:].mean()),
        memorised=float(p[:known].sum() / valid),
        nats=float(-logs[known:].mean()),
    )


def reply(writer: Writer, corpus: Corpus, beginnings: Sequence[str]) -> list[str]:
    """What a writer puts behind beginnings, such as "17+25=": each time the likeliest symbol.

    Of the corpus only the alphabet and the length count.
    """
    codes = corpus.encode(beginnings)
    lengths = np.array([len(beginning) for beginning in beginnings])
    state, projected = writer.start(len(codes))
    alive = np.ones(len(codes), bool)
    for place in range(corpus.length):
        state, logits = writer.step(state, projected)
        free = place >= lengths
        likely = np.where(alive, logits.numpy().argmax(axis=1), END)
        codes[free, place] = likely[free]
        alive &= codes[:, place] != END
        projected = writer.project(tf.one_hot(codes[:, place], corpus.symbols))
    return [string[length:] for string, length in zip(corpus.decode(codes), lengths, strict=True)]
