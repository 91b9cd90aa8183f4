"""Learning rates over a training: from its progress in [0, 1] to a multiplier of the rates."""

import math
from collections.abc import Callable

from gantut import _check

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The learning rate stays as it is.

    Args:
        progress: Share of the training that is done, in [0, 1].

    Returns:
        1.
    """
    return 1.0


def linear_decay(warm_up: float = 0.0, hold: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along a line.

    Args:
        warm_up: Share of the training over which the rate first rises from 0, in [0, 1).
        hold: Share of what follows over which it then stays, in [0, 1).

    Returns:
        A function from progress in [0, 1] to a multiplier in [0, 1].
    """
    warm_up = _check.number(warm_up, "warm_up", least=0, below=1)
    hold = _check.number(hold, "hold", least=0, below=1)

    def schedule(progress: float) -> float:
        factor, rest = _warm(progress, warm_up)
        return factor * min(1.0, (1.0 - rest) / (1.0 - hold))

    return schedule


def cosine_decay(warm_up: float = 0.0) -> Schedule:
    """A learning rate that falls to 0 along half a cosine (Loshchilov and Hutter 2017, eq. 5).

    Args:
        warm_up: Share of the training over which the rate first rises from 0, in [0, 1).

    Returns:
        A function from progress in [0, 1] to a multiplier in [0, 1].
    """
    warm_up = _check.number(warm_up, "warm_up", least=0, below=1)

    def schedule(progress: float) -> float:
        factor, rest = _warm(progress, warm_up)
        return factor * 0.5 * (1.0 + math.cos(math.pi * rest))

    return schedule


def _warm(progress: float, warm_up: float) -> tuple[float, float]:
    """The multiplier of the warm-up, and the progress of what follows it."""
    if progress < warm_up:
        return progress / warm_up, 0.0
    return 1.0, min(1.0, (progress - warm_up) / (1.0 - warm_up))
