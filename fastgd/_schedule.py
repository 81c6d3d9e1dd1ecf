"""What every schedule is: a number as a function of time. Time runs in epochs: t = 2.5 is half through the third."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ._definition import Record, number, within

Floats: TypeAlias = NDArray[np.float64]


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


@dataclass(eq=False, repr=False)
class Constant(Schedule):
    """lr(t) = lr.

    Parameters
    ----------
    lr : float >= 0
    """

    lr: float

    def __post_init__(self) -> None:
        number("lr", self.lr, "[0, inf)")

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


def values(name: str, setting: Rate, interval: str, moments: Floats, total: float) -> Floats | float:
    """The values of a setting at these moments, as `rates`, or one number for all.

    Raises
    ------
    ValueError
        A schedule left the interval.
    """
    if not is_scheduled(setting):
        return float(cast(float, setting))
    found = as_schedule(setting)(moments, total)
    bad = ~within(found, interval)
    if bad.any():
        when = f"at epoch {moments[bad][0]:g}"
        raise ValueError(f"{name}={setting} gave {found[bad][0]:g} {when}; it must be in {interval}")
    return found


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
        number("factor", self.factor, "[0, inf)")
        number("least", self.least, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return np.maximum(self.factor * as_schedule(self.schedule)(t, total), self.least)


def scaled(lr: Rate, factor: float, least: float = 0.0) -> Rate:
    """max(lr factor, least), be lr a number or a function of time."""
    if isinstance(lr, Scaled):
        return Scaled(lr.schedule, lr.factor * factor, max(lr.least, least))
    if is_scheduled(lr):
        return Scaled(lr, factor, least)
    return max(cast(float, lr) * factor, least)
