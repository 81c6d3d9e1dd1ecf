"""Schedules that decay, and the warm-up before them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._common.checks import check_scalar
from .._common.config import configurable
from .._common.exact_math import exp, log, power
from .._common.typing import Floats
from .base import Rate, Schedule, as_schedule, half_cosine, progress


@configurable
@dataclass(eq=False, repr=False)
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
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("every", self.every, "(0, inf)")
        check_scalar("factor", self.factor, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * power(self.factor, (t // self.every).astype(np.int64))


@configurable
@dataclass(eq=False, repr=False)
class MultiStep(Schedule):
    """lr(t) = lr factor^k, where k of the milestones lie at or before t.

    Parameters
    ----------
    lr : float >= 0
        Rate of the first epochs.
    milestones : sequence of float > 0, rising
        Epochs after which the rate steps down.
    factor : float >= 0, default=0.1
    """

    lr: float
    milestones: tuple[float, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("factor", self.factor, "[0, inf)")
        if isinstance(self.milestones, (str, float, int)) or not len(self.milestones):
            raise ValueError(f"milestones must be numbers of epochs, such as (30, 60), not {self.milestones!r}")
        milestones = tuple(check_scalar(f"milestones[{i}]", m, "(0, inf)") for i, m in enumerate(self.milestones))
        if any(later <= sooner for sooner, later in pairwise(milestones)):
            raise ValueError(f"milestones must rise, not {self.milestones}")
        object.__setattr__(self, "milestones", milestones)

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * power(self.factor, np.searchsorted(self.milestones, t, side="right"))


@configurable
@dataclass(eq=False, repr=False)
class Exponential(Schedule):
    """lr(t) = lr factor^t, smoothly; `Step` is the same in steps.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start.
    factor : float > 0
        Of each epoch.
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("factor", self.factor, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
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
        Length of the way down; None: the whole run. A loop of one's own has no known length, so it needs the number.

    References
    ----------
    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    lr: float
    final: float = 0.0
    epochs: float | None = None

    def __post_init__(self) -> None:
        check_scalar("lr", self.lr, "[0, inf)")
        check_scalar("final", self.final, "[0, inf)")
        if self.epochs is not None:
            check_scalar("epochs", self.epochs, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.final + (self.lr - self.final) * half_cosine(progress(self, t, total))


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
        1 is a straight line.
    epochs : float > 0 or None, default=None
        Length of the way down; None: the whole run.
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

    def rates(self, t: Floats, total: float) -> Floats | float:
        left = 1 - progress(self, t, total)
        if self.power != 1:
            left = np.where(left > 0, exp(self.power * log(np.where(left > 0, left, 1.0))), 0.0)
        return self.final + (self.lr - self.final) * left


@configurable
@dataclass(eq=False, repr=False)
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
        check_scalar("epochs", self.epochs, "(0, inf)")
        check_scalar("start", self.start, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        later = as_schedule(self.schedule)(np.maximum(t - self.epochs, 0), max(total - self.epochs, 0))
        return np.where(t < self.epochs, self.start + (later - self.start) * (t / self.epochs), later)
