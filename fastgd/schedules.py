"""Learning-rate schedules: rates for an array of moments, made in Python once per chunk of steps.

Time runs in epochs: t = 2.5 is half through the third epoch, before a step is done. To add one: a frozen dataclass with
`rates`. Rates are part of the same-bits contract, so `rates` uses + - * / and the functions of `_math` only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._definition import number
from ._math import cos_pi, power

Floats: TypeAlias = NDArray[np.float64]


class Schedule(ABC):
    """A learning rate as a function of time."""

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
            raise ValueError(f"{self} gave lr={rates[bad][0]} at epoch {t[bad][0]:g}; it must be in [0, inf)")
        return rates

    @abstractmethod
    def rates(self, t: Floats, total: float) -> Floats | float:
        """The rates at the moments t, unchecked; like t or one number for all."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Step(Schedule):
    """lr(t) = lr factor^floor(t / every): a step down after each `every` epochs.

    Parameters
    ----------
    lr : float >= 0
        Rate of the first epochs.
    every : float > 0
        Epochs between two steps.
    factor : float >= 0, default=0.1
    """

    lr: float
    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        number("lr", self.lr, "[0, inf)")
        number("every", self.every, "(0, inf)")
        number("factor", self.factor, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * power(self.factor, (t // self.every).astype(np.int64))


@dataclass(frozen=True)
class Cosine(Schedule):
    """lr(t) = final + (lr - final) (1 + cos(pi t / epochs)) / 2, then `final`.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    final : float >= 0, default=0.0
        Rate at the end.
    epochs : float > 0 or None, default=None
        Length of the way down; None: the whole run. A loop of one's own has no known length, so it needs the number.

    References
    ----------
    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    lr: float
    final: float = 0.0
    epochs: float | None = None

    def __post_init__(self) -> None:
        number("lr", self.lr, "[0, inf)")
        number("final", self.final, "[0, inf)")
        if self.epochs is not None:
            number("epochs", self.epochs, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        length = total if self.epochs is None else self.epochs
        if math.isinf(length):
            raise ValueError(f"the length of the run is not known here: write Cosine({self.lr}, epochs=...)")
        if length <= 0:  # all of the run went into a warm-up
            return self.lr
        return self.final + (self.lr - self.final) * (0.5 * (1 + cos_pi(np.minimum(t / length, 1.0))))


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight line from `start` to the first rate of another schedule, which then runs over what is left.

    Parameters
    ----------
    schedule : float or Schedule or callable
        What comes after; see `as_schedule`.
    epochs : float > 0
        Length of the line.
    start : float >= 0, default=0.0
        Rate at t = 0.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.
    """

    schedule: Rate
    epochs: float
    start: float = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.schedule)
        number("epochs", self.epochs, "(0, inf)")
        number("start", self.start, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        later = as_schedule(self.schedule)(np.maximum(t - self.epochs, 0), max(total - self.epochs, 0))
        return np.where(t < self.epochs, self.start + (later - self.start) * (t / self.epochs), later)


@dataclass(frozen=True)
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
