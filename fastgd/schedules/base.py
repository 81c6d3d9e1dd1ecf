"""What every schedule is: a number as a function of time. Time runs in epochs: t = 2.5 is half through the third."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from .._common.checks import check_scalar, in_interval
from .._common.config import configurable
from .._common.exact_math import cos_pi
from .._common.registry import Record
from .._common.typing import Floats


class Schedule(Record, ABC):
    """A number as a function of time; it is called `lr` here, as it mostly is the learning rate."""

    def __call__(self, t: Floats, total: float) -> Floats:
        """The rates at the moments t.

        Parameters
        ----------
        t : float64 array, any shape, >= 0
            Epochs done before the step; fractional.
        total : float > 0
            Epochs of the whole run; inf if nobody knows.

        Returns
        -------
        float64 array like t, finite, >= 0.

        Raises
        ------
        ValueError
            A rate is negative, inf or NaN.
        """
        t = np.asarray(t, np.float64)
        rates = np.broadcast_to(np.asarray(self.rates(t, total), np.float64), t.shape)
        bad = ~(np.isfinite(rates) & (rates >= 0))
        if bad.any():
            raise ValueError(f"{self} gave {rates[bad][0]} at epoch {t[bad][0]:g}; it must be in [0, inf)")
        return rates

    @abstractmethod
    def rates(self, t: Floats, total: float) -> Floats | float:
        """The rates at the moments t, unchecked; like t or one number for all."""


@configurable
@dataclass(eq=False, repr=False)
class Constant(Schedule):
    """lr(t) = lr.

    Parameters
    ----------
    lr : float >= 0
    """

    lr: float

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr


@dataclass(eq=False, repr=False)
class Function(Schedule):
    """lr(t) = function(t), called for one moment at a time.

    Parameters
    ----------
    function : callable, float -> float
        From epochs done (fractional) to a rate.
    """

    function: Callable[[float], float]

    def rates(self, t: Floats, total: float) -> Floats | float:
        return np.array([self.function(moment) for moment in t.ravel().tolist()], np.float64).reshape(t.shape)


Rate: TypeAlias = float | Schedule | Callable[[float], float]


def is_scheduled(value: object) -> bool:
    """Whether this is a schedule or a function of time, and not a number."""
    return isinstance(value, Schedule) or callable(value)


def as_schedule(lr: Rate) -> Schedule:
    """A schedule as it is; a number as `Constant`; any other callable, epoch -> rate, as `Function`.

    Raises
    ------
    TypeError
        None of these.
    ValueError
        A number that is negative, inf or NaN.
    """
    if isinstance(lr, Schedule):
        return lr
    if callable(lr):
        return Function(lr)
    return Constant(lr)


def values(name: str, setting: Rate, interval: str, epoch_times: Floats, total: float) -> Floats | float:
    """The values of a setting at these moments, as `rates`, or one number for all.

    Raises
    ------
    ValueError
        A schedule left the interval.
    """
    if not is_scheduled(setting):
        return float(cast(float, setting))
    found = as_schedule(setting)(epoch_times, total)
    bad = ~in_interval(found, interval)
    if bad.any():
        when = f"at epoch {epoch_times[bad][0]:g}"
        raise ValueError(f"{name}={setting} gave {found[bad][0]:g} {when}; it must be in {interval}")
    return found


@configurable
@dataclass(eq=False, repr=False)
class Scaled(Schedule):
    """lr(t) = max(factor schedule(t), least).

    Parameters
    ----------
    schedule : Schedule or callable
    factor : float >= 0
    least : float >= 0, default=0.0
    """

    schedule: Rate
    factor: float
    least: float = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.schedule)
        check_scalar("factor", self.factor, "[0, inf)")
        check_scalar("least", self.least, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return np.maximum(self.factor * as_schedule(self.schedule)(t, total), self.least)


def scaled(lr: Rate, factor: float, least: float = 0.0) -> Rate:
    """max(lr factor, least), be lr a number or a function of time."""
    if isinstance(lr, Scaled):
        return Scaled(lr.schedule, lr.factor * factor, max(lr.least, least))
    if is_scheduled(lr):
        return Scaled(lr, factor, least)
    return max(cast(float, lr) * factor, least)


def progress(schedule: Any, t: Floats, total: float) -> Floats:
    """The share, 0 to 1, of the schedule's `epochs`, or of the run, that is over."""
    length = total if schedule.epochs is None else schedule.epochs
    if math.isinf(length):
        name = type(schedule).__name__
        raise ValueError(f"the length of the run is not known here: write {name}({schedule.lr}, epochs=...)")
    if length <= 0:  # all of the run went into a warm-up
        return np.zeros_like(t)
    return np.asarray(np.minimum(t / length, 1.0))


def half_cosine(place: Floats) -> Floats:
    """1 at 0, 0 at 1, along half a cosine; never below 0, where rounding would take a rate just before its end."""
    return np.asarray(np.maximum(0.5 * (1 + cos_pi(place)), 0.0))
