"""Learning rates over a training: from its progress in [0, 1] to a multiplier of the rates."""

import math
from collections.abc import Callable

from gantut import _check

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The learning rate stays as it is: 1."""
    return 1.0


def linear_decay(hold: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along a line.

    Args:
        hold: Share of the training over which the rate first stays, in [0, 1).
    """
    hold = _check.number(hold, "hold", least=0, below=1)
    return lambda progress: min(1.0, (1.0 - progress) / (1.0 - hold))


def cosine_decay() -> Schedule:
    """A learning rate that falls to 0 along half a cosine (Loshchilov and Hutter 2017, eq. 5)."""
    return lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress))
