"""Schedules that decay, and the warm-up that may precede them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._common.checks import check_scalar
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

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("every", self.every, "(0, inf)")
        check_scalar("factor", self.factor, "[0, inf)")

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.lr * power(self.factor, (t // self.every).astype(np.int64))


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

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("factor", self.factor, "[0, inf)")
        if isinstance(self.milestones, (str, float, int)) or not len(self.milestones):
            raise ValueError(f"milestones must be a sequence of epochs, such as (30, 60), not {self.milestones!r}")
        milestones = tuple(check_scalar(f"milestones[{i}]", m, "(0, inf)") for i, m in enumerate(self.milestones))
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(f"milestones must increase, not {self.milestones}")
        set_fields(self, milestones=milestones)

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.lr * power(self.factor, np.searchsorted(self.milestones, t, side="right"))


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
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("factor", self.factor, "(0, inf)")

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        return self.lr * exp(t * log(np.array(self.factor)))


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
        Length of the decay; None: the run, that is one `fit` including its interruptions;
        the next `fit` starts the schedule again. A custom loop has no known length, so it must pass a number.

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

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("final", self.final, "[0, inf)")
        if self.epochs is not None:
            check_scalar("epochs", self.epochs, "(0, inf)")

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
        Length of the decay; None: the run; see `Cosine`.
    """

    lr: float
    final: float = 0.0
    power: float = 1.0
    epochs: float | None = None

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("final", self.final, "[0, inf)")
        check_scalar("power", self.power, "(0, inf)")
        if self.epochs is not None:
            check_scalar("epochs", self.epochs, "(0, inf)")

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        remaining = 1 - progress(self, t, total_epochs)
        if self.power != 1:
            logs = log(np.where(remaining > 0, remaining, 1.0))
            remaining = np.where(remaining > 0, exp(self.power * logs), 0.0)
        return self.final + (self.lr - self.final) * remaining


@configurable
@dataclass(eq=False, repr=False)
class Warmup(Schedule):
    """Linear from `start` to the first rate of another schedule, which then takes the rest of the run.

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

    def __post_init__(self) -> None:
        as_schedule(self.schedule)
        check_scalar("epochs", self.epochs, "(0, inf)")
        check_scalar("start", self.start, "[0, inf)")

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        later = as_schedule(self.schedule)(np.maximum(t - self.epochs, 0), max(total_epochs - self.epochs, 0))
        return np.where(t < self.epochs, self.start + (later - self.start) * (t / self.epochs), later)
