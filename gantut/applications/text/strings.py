"""Finite languages: all strings of a grammar, and which of them are shown in training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gantut import _check

END = 0  # the symbol that ends a string, and fills the places behind it


def encoded(
    texts: Sequence[Sequence[str]], known: Sequence[str], length: int
) -> npt.NDArray[np.int32]:
    """Texts as symbols (n, length): what is known counts from 1, and `END` fills up."""
    index = {symbol: i for i, symbol in enumerate(known, start=1)}
    codes = np.full((len(texts), length), END, np.int32)
    for row, text in zip(codes, texts, strict=True):
        if len(text) > length or set(text) - index.keys():
            raise ValueError(f"wanted at most {length} known characters or words, got {text!r}")
        row[: len(text)] = [index[symbol] for symbol in text]
    return codes


@dataclass(frozen=True)
class Corpus:
    """A finite language, made by `corpus`, `dates` or `sums`.

    Attributes:
        train: Those that a model may see.
        holdout: All others that are valid.
        alphabet: The characters, sorted; character i is the symbol i + 1, and 0 is the end.
        length: Of the longest string.
    """

    train: tuple[str, ...]
    holdout: tuple[str, ...]
    alphabet: str
    length: int

    @property
    def symbols(self) -> int:
        """Number of symbols, the end among them."""
        return len(self.alphabet) + 1

    @property
    def valid(self) -> tuple[str, ...]:
        """All valid strings, those of the training set first."""
        return self.train + self.holdout

    def encode(self, strings: Sequence[str]) -> npt.NDArray[np.int32]:
        """Strings as symbols (n, length), filled up with 0."""
        return encoded(strings, self.alphabet, self.length)

    def rows(self, strings: Sequence[str]) -> npt.NDArray[np.float32]:
        """Strings as one-hot vectors, one behind the other: float32 (n, length * symbols)."""
        one_hot = np.eye(self.symbols, dtype=np.float32)[self.encode(strings)]
        return one_hot.reshape(len(strings), self.length * self.symbols)

    def decode(self, codes: npt.ArrayLike) -> list[str]:
        """Symbols (n, length) as strings; what stands behind an end does not count."""
        array = np.asarray(codes)
        written = np.cumprod(array != END, axis=1) * array
        letters = np.array(["", *self.alphabet])
        return ["".join(row) for row in letters[written]]


def corpus(strings: Iterable[str], train: int, seed: int = 0) -> Corpus:
    """Makes a corpus from all strings of a language.

    Args:
        strings: All that are valid; each counts once.
        train: How many are drawn for training.
        seed: Fixes which.
    """
    valid, train = sorted(set(strings)), _check.integer(train, "train", 1)
    if train >= len(valid):
        raise ValueError(f"train must be below the number of strings, {len(valid)}, got {train}")
    if not valid[0]:
        raise ValueError("strings: one is empty")
    order = _check.rng(seed).permutation(len(valid))
    return Corpus(
        train=tuple(valid[i] for i in order[:train]),
        holdout=tuple(valid[i] for i in order[train:]),
        alphabet="".join(sorted(set("".join(valid)))),
        length=max(map(len, valid)),
    )


def dates(train: int = 5_000, seed: int = 0) -> Corpus:
    """The 73,049 days of 1900 to 2099, as "2026-11-21".

    A digit depends on those before it, February 29th on all four of the year. Arguments as in
    `corpus`.
    """
    days = np.arange("1900-01-01", "2100-01-01", dtype="datetime64[D]")
    return corpus(np.datetime_as_string(days).tolist(), train, seed)


def sums(largest: int = 49, train: int | None = None, seed: int = 0) -> Corpus:
    """Sums of two numbers from 0 to ``largest``, as "17+25=42": a question and its only answer.

    The other arguments are as in `corpus`; half of the sums are for training if ``train`` is None.
    """
    numbers = range(_check.integer(largest, "largest", 1) + 1)
    strings = [f"{a}+{b}={a + b}" for a in numbers for b in numbers]
    return corpus(strings, len(strings) // 2 if train is None else train, seed)
