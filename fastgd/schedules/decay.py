"""Schedules that decay, and the warm-up that may precede them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .._common.checks import NON_NEGATIVE, POSITIVE, check_bool, check_sequence, shown
from .._common.config import configurable
from .._common.exact_math import exp, log, power
from .._common.registry import set_fields
from .._common.typing import Floats
from .base import Rate, Schedule, as_schedule, half_cosine, progress


@configurable
@dataclass(eq=False, repr=False)
class Step(Schedule):
    """lr(t) = lr factor^floor(t / every): constant for `every` epochs at a time.

    Parameters
    ----------
    lr : float >= 0
        Rate of the first epochs.
    every : float > 0
        Epochs from one change to the next.
    factor : float >= 0, default=0.1
        Ratio of successive rates.
    final : float >= 0 or None, default=None
        Limit that the rate does not pass: the lowest one, or with factor > 1 the highest; None: no limit.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.Step(0.8, every=2, factor=0.5)(np.arange(5.0), total_epochs=5)
    array([0.8, 0.8, 0.4, 0.4, 0.2])
    """

    lr: float
    every: float
    factor: float = 0.1
    final: float | None = None

    intervals = {"lr": NON_NEGATIVE, "every": POSITIVE, "factor": NON_NEGATIVE, "final": NON_NEGATIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return _limited(self.lr * power(self.factor, (t // self.every).astype(np.int64)), self.factor, self.final)


@configurable
@dataclass(eq=False, repr=False)
class MultiStep(Schedule):
    """lr(t) = lr factor^k, where k is the number of milestones <= t.

    Parameters
    ----------
    lr : float >= 0
        Rate of the first epochs.
    milestones : sequence of float > 0, increasing
        Epochs after which the rate changes.
    factor : float >= 0, default=0.1
        Ratio of successive rates.
    """

    lr: float
    milestones: tuple[float, ...]
    factor: float = 0.1

    intervals = {"lr": NON_NEGATIVE, "factor": NON_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, milestones=_check_times("milestones", self.milestones))

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.lr * power(self.factor, np.searchsorted(self.milestones, t, side="right"))


@configurable
@dataclass(eq=False, repr=False)
class Piecewise(Schedule):
    """lr(t) = values[k], where k is the number of boundaries <= t.

    Parameters
    ----------
    boundaries : sequence of float > 0, increasing
        Epochs after which the rate changes.
    values : sequence of float >= 0
        The rates, one more than boundaries.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.Piecewise([2, 3], [0.1, 0.05, 0.2])(np.arange(5.0), total_epochs=5)
    array([0.1 , 0.1 , 0.05, 0.2 , 0.2 ])
    """

    boundaries: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        boundaries = _check_times("boundaries", self.boundaries)
        values = check_sequence("values", self.values, NON_NEGATIVE)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"values must be one more than boundaries, {len(boundaries) + 1}: one before, between and after them; "
                f"not {len(values)}"
            )
        set_fields(self, boundaries=boundaries, values=values)

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return np.array(self.values)[np.searchsorted(self.boundaries, t, side="right")]


@configurable
@dataclass(eq=False, repr=False)
class Exponential(Schedule):
    """lr(t) = lr factor^t; `Step` is the same in steps.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    factor : float > 0
        Ratio of the rates of successive epochs.
    final : float >= 0 or None, default=None
        Limit that the rate does not pass: the lowest one, or with factor > 1 the highest; None: no limit.
    """

    lr: float
    factor: float
    final: float | None = None

    intervals = {"lr": NON_NEGATIVE, "factor": POSITIVE, "final": NON_NEGATIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return _limited(self.lr * exp(t * log(np.array(self.factor))), self.factor, self.final)


@configurable
@dataclass(eq=False, repr=False)
class InverseTime(Schedule):
    """lr(t) = lr / (1 + rate t / every), the harmonic decay of stochastic approximation.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    rate : float >= 0, default=1.0
        How fast it decays: after `every` epochs it is lr / (1 + rate).
    every : float > 0, default=1.0
        Unit of time, in epochs.
    staircase : bool, default=False
        Whether the rate changes only every `every` epochs: t / every is rounded down.
    final : float >= 0, default=0.0
        Lowest rate.

    References
    ----------
    Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.InverseTime(0.6, rate=0.5)(np.arange(3.0), total_epochs=3)
    array([0.6, 0.4, 0.3])
    """

    lr: float
    rate: float = 1.0
    every: float = 1.0
    staircase: bool = False
    final: float = 0.0

    intervals = {"lr": NON_NEGATIVE, "rate": NON_NEGATIVE, "every": POSITIVE, "final": NON_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, staircase=check_bool("staircase", self.staircase))

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        elapsed = t / self.every
        elapsed = np.floor(elapsed) if self.staircase else elapsed
        return np.maximum(self.lr / (1 + self.rate * elapsed), self.final)


@configurable
@dataclass(eq=False, repr=False)
class Cosine(Schedule):
    """lr(t) = final + (lr - final) (1 + cos(pi t / epochs)) / 2, then `final`.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    final : float >= 0, default=0.0
        Rate at the end.
    epochs : float > 0 or None, default=None
        Length of the decay; None: that of the fit, see `fastgd.schedules`. A custom loop has no known length, so it
        must pass a number.

    References
    ----------
    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.Cosine(0.1)(np.array([0.0, 5.0, 10.0]), total_epochs=10)
    array([0.1 , 0.05, 0.  ])
    """

    lr: float
    final: float = 0.0
    epochs: float | None = None

    intervals = {"lr": NON_NEGATIVE, "final": NON_NEGATIVE, "epochs": POSITIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.final + (self.lr - self.final) * half_cosine(progress(self, t, total_epochs))


@configurable
@dataclass(eq=False, repr=False)
class Polynomial(Schedule):
    """lr(t) = final + (lr - final) (1 - t / epochs)^power, then `final`.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    final : float >= 0, default=0.0
        Rate at the end.
    power : float > 0, default=1.0
        1 is linear.
    epochs : float > 0 or None, default=None
        Length of the decay; None: that of the fit, see `fastgd.schedules`.
    """

    lr: float
    final: float = 0.0
    power: float = 1.0
    epochs: float | None = None

    intervals = {"lr": NON_NEGATIVE, "final": NON_NEGATIVE, "power": POSITIVE, "epochs": POSITIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        remaining = 1 - progress(self, t, total_epochs)
        if self.power != 1:
            logs = log(np.where(remaining > 0, remaining, 1.0))
            remaining = np.where(remaining > 0, exp(self.power * logs), 0.0)
        return self.final + (self.lr - self.final) * remaining


@configurable
@dataclass(eq=False, repr=False)
class Warmup(Schedule):
    """Linear from `start` to the first rate of another schedule, which then takes the rest of the fit.

    Parameters
    ----------
    schedule : float or Schedule or callable
        What follows; see `as_schedule`.
    epochs : float > 0
        Length of the warm-up.
    start : float >= 0, default=0.0
        Rate at t = 0.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.
    """

    schedule: Rate
    epochs: float
    start: float = 0.0

    intervals = {"epochs": POSITIVE, "start": NON_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        as_schedule(self.schedule)

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        later = as_schedule(self.schedule)(np.maximum(t - self.epochs, 0), max(total_epochs - self.epochs, 0))
        return np.where(t < self.epochs, self.start + (later - self.start) * (t / self.epochs), later)


def _check_times(name: str, value: Any) -> tuple[float, ...]:
    """Increasing times > 0."""
    times = check_sequence(name, value, POSITIVE)
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError(f"{name} must increase, not {shown(value)}")
    return times


def _limited(rates: Floats, factor: float, final: float | None) -> Floats:
    """The rates, which fall, or with factor > 1 rise, no further than to `final`."""
    if final is None:
        return rates
    return np.asarray(np.minimum(rates, final) if factor > 1 else np.maximum(rates, final))
