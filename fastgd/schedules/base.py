"""The base class of schedules, and how settings that may be schedules are evaluated."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from .._common.checks import NON_NEGATIVE, in_interval
from .._common.config import configurable
from .._common.exact_math import cos_pi
from .._common.registry import Record
from .._common.typing import Floats


class Span(float):
    """The epoch at which a run is to end, as a number, together with the epoch at which its schedules began.

    Attributes
    ----------
    start : float
    """

    start: float

    def __new__(cls, end: float, start: float = 0.0) -> Span:
        span = super().__new__(cls, end)
        span.start = start
        return span


class Schedule(Record, ABC):
    """A number as a function of time; it is called `lr` here because most often it is the learning rate."""

    @property
    def covers_run(self) -> bool:
        """Whether the length of the run is its length: it, or a schedule that it contains, is given no `epochs`."""
        settings = vars(self)
        if "epochs" in settings and settings["epochs"] is None:
            return True
        return any([value.covers_run for value in settings.values() if isinstance(value, Schedule)])

    def __call__(self, t: Floats, total_epochs: float) -> Floats:
        """The rates at the times t.

        Parameters
        ----------
        t : float64 array, any shape, >= 0
            Epochs done before the step, including fractions.
        total_epochs : float > 0
            Epochs of the whole run; inf if unknown.  With a `Span`, a schedule that covers the run begins at its start.

        Returns
        -------
        float64 array with the shape of t, finite, >= 0

        Raises
        ------
        ValueError
            A rate is negative, inf or NaN.
        """
        t = np.asarray(t, np.float64)
        if (start := getattr(total_epochs, "start", 0.0)) and self.covers_run:
            t, total_epochs = t - start, total_epochs - start
        rates = np.broadcast_to(np.asarray(self.rates(t, total_epochs), np.float64), t.shape)
        bad = ~(np.isfinite(rates) & (rates >= 0))
        if bad.any():
            raise ValueError(f"{self} gave {rates[bad][0]} at epoch {t[bad][0]:g}; it must be in [0, inf)")
        return rates

    @abstractmethod
    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        """The unchecked rates at the times t: an array with the shape of t, or one number for all."""


@configurable
@dataclass(eq=False, repr=False)
class Constant(Schedule):
    """lr(t) = lr.

    Parameters
    ----------
    lr : float >= 0
    """

    lr: float

    intervals = {"lr": NON_NEGATIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.lr


@dataclass(eq=False, repr=False)
class Function(Schedule):
    """lr(t) = function(t), called for one time after another.

    Parameters
    ----------
    function : callable, float -> float
        Maps epochs done, including fractions, to a rate.
    """

    function: Callable[[float], float]

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return np.array([self.function(time) for time in t.ravel().tolist()], np.float64).reshape(t.shape)


Rate: TypeAlias = float | Schedule | Callable[[float], float]


def is_scheduled(value: object) -> bool:
    """Whether `value` is a schedule or a function of time rather than a number."""
    return isinstance(value, Schedule) or callable(value)


def as_schedule(lr: Rate) -> Schedule:
    """Return a schedule as it is, a number as `Constant`, and any other callable, epoch -> rate, as `Function`.

    Raises
    ------
    TypeError
        `lr` is none of these.
    ValueError
        `lr` is a number that is negative, inf or NaN.

    Examples
    --------
    >>> from fastgd.schedules import as_schedule
    >>> as_schedule(0.1)
    Constant(lr=0.1)
    """
    if isinstance(lr, Schedule):
        return lr
    if callable(lr):
        return Function(lr)
    return Constant(lr)


def evaluate(name: str, setting: Any, interval: str, epoch_times: Floats, total_epochs: float) -> Any:
    """The values of a setting at these times: an array if it is scheduled, else one number; for a pair, a list of them.

    Raises
    ------
    ValueError
        A value of the schedule is outside the interval.
    """
    if type(setting) is float:
        return setting
    if isinstance(setting, (tuple, list)):
        return [evaluate(f"{name}[{i}]", part, interval, epoch_times, total_epochs) for i, part in enumerate(setting)]
    if not is_scheduled(setting):
        return float(setting)
    values = as_schedule(setting)(epoch_times, total_epochs)
    bad = ~in_interval(values, interval)
    if bad.any():
        when = f"at epoch {epoch_times[bad][0]:g}"
        raise ValueError(f"{name}={setting} gave {values[bad][0]:g} {when}; it must be in {interval}")
    return values


@configurable
@dataclass(eq=False, repr=False)
class Scaled(Schedule):
    """lr(t) = max(factor schedule(t), least); what `ReduceLROnPlateau` makes of a schedule.

    Parameters
    ----------
    schedule : Schedule or callable
    factor : float >= 0
    least : float >= 0, default=0.0
    """

    schedule: Rate
    factor: float
    least: float = 0.0

    intervals = {"factor": NON_NEGATIVE, "least": NON_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        as_schedule(self.schedule)

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return np.maximum(self.factor * as_schedule(self.schedule)(t, total_epochs), self.least)


def scaled(lr: Rate, factor: float, least: float = 0.0) -> Rate:
    """max(lr factor, least), where lr is a number, a schedule or a function of time."""
    if isinstance(lr, Scaled):
        return Scaled(lr.schedule, lr.factor * factor, max(lr.least, least))
    if is_scheduled(lr):
        return Scaled(lr, factor, least)
    return max(cast(float, lr) * factor, least)


def progress(schedule: Any, t: Floats, total_epochs: float) -> Floats:
    """The elapsed share, 0 to 1, of the schedule's `epochs`, or of the run if that is None."""
    length = total_epochs if schedule.epochs is None else schedule.epochs
    if math.isinf(length):
        name = type(schedule).__name__
        raise ValueError(f"the length of the run is not known here: write {name}({schedule.lr}, epochs=...)")
    if length <= 0:  # a warm-up takes the whole run
        return np.zeros_like(t)
    return np.asarray(np.minimum(t / length, 1.0))


def half_cosine(x: Floats) -> Floats:
    """(1 + cos(pi x)) / 2: 1 at 0, 0 at 1; clipped at 0, as rounding would make it negative just before its end."""
    return np.asarray(np.maximum(0.5 * (1 + cos_pi(x)), 0.0))
