"""Successive halving: when members are compared, and which are kept."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from .._common.checks import check_scalar
from ..callbacks.monitor import Monitor, is_lower_better_in
from ..training.trainer import Trainer


def check_factor(factor: float) -> float:
    """The argument; TypeError or ValueError if it is not a number > 1."""
    return check_scalar("factor", factor, "(1, inf)")


def rungs(epochs: int, factor: float, min_epochs: int) -> list[int]:
    """Numbers of epochs after which members are compared, increasing.

    Examples
    --------
    >>> rungs(27, 3, 1), rungs(50, 3, 5)
    ([1, 3, 9], [6, 17])
    """
    found: list[int] = []
    rung = round(epochs / factor)
    while rung >= min_epochs and (not found or rung < found[-1]):
        found.append(rung)
        rung = round(epochs / factor ** (len(found) + 1))
    return found[::-1]


def survivors(
    trainers: Sequence[Trainer], failed: Container[Trainer], factor: float, monitor: str, mode: str | None
) -> list[Trainer]:
    """The best 1 / factor of the trainers, rounded up, in their order.

    Raises
    ------
    ValueError
        There is no such column in the history, or it is unknown which values are better.
    """
    values = [_value(trainer, trainer in failed, monitor, mode) for trainer in trainers]
    n = max(1, math.ceil(len(trainers) / factor))
    best = sorted(sorted(range(len(trainers)), key=values.__getitem__)[:n])
    return [trainers[i] for i in best]


def _value(trainer: Trainer, has_failed: bool, monitor: str, mode: str | None) -> float:
    """The last value of the column, negative if higher is better; inf if there is none."""
    if has_failed:
        return math.inf
    sign = 1.0 if is_lower_better_in(Monitor(monitor, mode=mode), trainer) else -1.0
    column = trainer.history.get(monitor, [])
    value = sign * column[-1] if column else math.inf
    return math.inf if math.isnan(value) else value
