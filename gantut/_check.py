"""Doors: what a number or a name must be, said in one sentence everywhere.

A function calls them where a user can stumble. They return the value as Python's own type, so that
NumPy's numbers are welcome wherever Python's are. A wrong type is a TypeError; what is unknown, out
of range, NaN or infinite, or has another shape, a ValueError.
"""

import math
import operator
from collections.abc import Collection, Mapping
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

_Entry = TypeVar("_Entry")


def integer(value: Any, name: str, least: int | None = None) -> int:
    """``value`` as an int; True and 2.0 are none."""
    wanted = f"{name} must be an integer" + ("" if least is None else f" >= {least}")
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_):
        raise TypeError(f"{wanted}, got {_show(value)}")
    if least is not None and number < least:
        raise ValueError(f"{wanted}, got {number}")
    return number


def sizes(**values: Any) -> tuple[int, ...]:
    """Several integers >= 1, by name, in their order."""
    return tuple(integer(value, name, 1) for name, value in values.items())


def number(
    value: Any,
    name: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """``value`` as a finite float in an open (above, below) or a closed range (least, most)."""
    limits = ((">", above), (">=", least), ("<", below), ("<=", most))
    words = " and ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)
    wanted = f"{name} must be a finite number {words}".rstrip()
    if isinstance(value, bool | np.bool_ | str | bytes) or np.ndim(value):
        raise TypeError(f"{wanted}, got {_show(value)}")
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{wanted}, got {_show(value)}") from None
    if not (
        math.isfinite(found)
        and (above is None or found > above)
        and (least is None or found >= least)
        and (below is None or found < below)
        and (most is None or found <= most)
    ):
        raise ValueError(f"{wanted}, got {value!r}")
    return found


@overload
def one_of(value: Any, name: str, known: Mapping[str, _Entry]) -> _Entry: ...
@overload
def one_of(value: Any, name: str, known: Collection[str]) -> str: ...
def one_of(value: Any, name: str, known: Any) -> Any:
    """The entry of a table by its key, or a word out of several."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(known)}, got {_show(value)}")
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; known are {', '.join(known)}")
    return known[value] if isinstance(known, Mapping) else value


def numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """Finite real numbers as an array of their own dtype."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: wanted real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        bad = np.count_nonzero(~np.isfinite(array))
        raise ValueError(f"{name}: {bad} value(s) are NaN or infinite")
    return array


def rows(values: Any, name: str, least: int = 1) -> npt.NDArray[np.float64]:
    """Finite real numbers as float64 of shape (number, width), ``least`` rows or more."""
    array = numbers(values, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: wanted a two-dimensional array of rows, got shape {array.shape}")
    if len(array) < least:
        raise ValueError(f"{name}: wanted at least {least} rows, got {len(array)}")
    return array.astype(np.float64)


def seed(value: Any) -> int:
    """An integer in [0, 2**32), what NumPy, Keras and TensorFlow all take."""
    found = integer(value, "seed", 0)
    if found >= 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32), got {found}")
    return found


def rng(value: Any) -> np.random.Generator:
    """NumPy's generator for a `seed`."""
    return np.random.default_rng(seed(value))


def _show(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype} of shape {value.shape}"
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
