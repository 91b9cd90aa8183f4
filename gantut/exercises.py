"""Whether the number that a reader found in an exercise of the book is right, and if not, why not.

The bounds are those that the solutions assert. ``tools/make_exercises.py`` reads them from the
chapters and writes ``exercises.json``; the notebooks with blanks call `check`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gantut import _check

_ANSWERS = Path(__file__).with_name("exercises.json")


def labels() -> tuple[str, ...]:
    """The exercises that `check` knows, in alphabetical order."""
    return tuple(json.loads(_ANSWERS.read_text("utf-8")))


def check(label: str, answer: Any) -> str:
    """Says whether an answer is right, or what is off; it does not say what would be right.

    Args:
        label: The exercise's, one of `labels`.
        answer: The number or, if several are asked for, the list or array of them.

    Returns:
        "right", or what is off, such as "too large" or "the wrong sign".

    Raises:
        ValueError: If there is no such exercise.
    """
    answers = json.loads(_ANSWERS.read_text("utf-8"))
    _check.one_of(label, "label", answers)
    low, high = (np.asarray(answers[label][bound], float) for bound in ("low", "high"))
    if answer is ...:
        return "not answered yet: put your answer in place of the dots"
    try:
        given = np.asarray(answer, float)
    except (TypeError, ValueError):
        return f"not a number or an array of numbers: {type(answer).__name__}"
    if given.shape != low.shape:
        return f"the wrong shape, {given.shape}: asked for is {answers[label]['asked']}"
    for place, (value, least, most) in enumerate(
        zip(given.ravel(), low.ravel(), high.ravel(), strict=True)
    ):
        if hint := _fault(value, least, most):
            return f"number {place + 1} of {low.size}: {hint}" if low.ndim else hint
    return "right"


def _fault(value: float, low: float, high: float) -> str | None:
    """What is off with one number that should be from ``low`` to ``high``; None if it is right."""
    if not np.isfinite(value):
        return "not finite"
    if low <= value <= high:
        return None
    if value * low < 0 < low * high:
        return "the wrong sign"
    if low >= 0 and high <= 1 and low <= value / 100 <= high:
        return "too large: is it in per cent? A share is between 0 and 1"
    return "too small" if value < low else "too large"
