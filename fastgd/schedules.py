"""Schedules: values of a number, such as the learning rate, for an array of moments; made once per chunk of steps.

A schedule stands wherever an optimiser takes a number: `SGD(lr=Cosine(0.1), momentum=OneCycle(0.85, start=0.95))`.

Time runs in epochs: t = 2.5 is half through the third epoch, before a step is done. To add one: a frozen dataclass with
`rates`. Rates are part of the same-bits contract, so `rates` uses + - * / and the functions of `_math` only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ._definition import number
from ._math import cos_pi, exp, log, power
from ._schedule import Constant, Floats, Function, Rate, Scaled, Schedule, as_schedule, is_scheduled, scaled

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "Function",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "Rate",
    "Scaled",
    "Schedule",
    "Step",
    "Warmup",
    "as_schedule",
    "is_scheduled",
    "scaled",
]


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
        number("lr", self.lr, "[0, inf)")
        number("every", self.every, "(0, inf)")
        number("factor", self.factor, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * power(self.factor, (t // self.every).astype(np.int64))


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
        number("lr", self.lr, "[0, inf)")
        number("factor", self.factor, "[0, inf)")
        if isinstance(self.milestones, (str, float, int)) or not len(self.milestones):
            raise ValueError(f"milestones must be numbers of epochs, such as (30, 60), not {self.milestones!r}")
        milestones = tuple(number(f"milestones[{i}]", m, "(0, inf)") for i, m in enumerate(self.milestones))
        if any(later <= sooner for sooner, later in pairwise(milestones)):
            raise ValueError(f"milestones must rise, not {self.milestones}")
        object.__setattr__(self, "milestones", milestones)

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * power(self.factor, np.searchsorted(self.milestones, t, side="right"))


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
        number("lr", self.lr, "[0, inf)")
        number("factor", self.factor, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.lr * exp(t * log(np.array(self.factor)))


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
        number("lr", self.lr, "[0, inf)")
        number("final", self.final, "[0, inf)")
        if self.epochs is not None:
            number("epochs", self.epochs, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        return self.final + (self.lr - self.final) * _cosine(_progress(self, t, total))


@dataclass(eq=False, repr=False)
class CosineRestarts(Schedule):
    """Cosines one after the other: the first takes `epochs` epochs, each later one `factor` times the one before.

    Within a cycle of length T, u epochs after its start: lr(t) = final + (lr - final) (1 + cos(pi u / T)) / 2.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start of each cycle.
    epochs : float > 0
        Length of the first cycle.
    factor : float >= 1, default=1.0
        Growth of the cycles.
    final : float >= 0, default=0.0
        Rate before each restart.

    References
    ----------
    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    lr: float
    epochs: float
    factor: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        number("lr", self.lr, "[0, inf)")
        number("epochs", self.epochs, "(0, inf)")
        number("factor", self.factor, "[1, inf)")
        number("final", self.final, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        starts, length = [0.0], float(self.epochs)
        last = t.max(initial=0.0)
        while self.factor > 1 and starts[-1] + length <= last:
            starts.append(starts[-1] + length)
            length *= self.factor
        cycle = np.searchsorted(starts, t, side="right") - 1
        lengths = self.epochs * power(self.factor, cycle)
        place = (t - np.array(starts)[cycle]) / lengths
        return self.final + (self.lr - self.final) * _cosine(place - np.floor(place))


@dataclass(eq=False, repr=False)
class OneCycle(Schedule):
    """From `start` to `lr` within a share `peak` of the run, and on to `final`, both on half a cosine.

    For a momentum that falls while the rate rises, give a `start` above the value at the peak:
    `SGD(lr=OneCycle(0.1), momentum=OneCycle(0.85, start=0.95, final=0.95))`.

    Parameters
    ----------
    lr : float >= 0
        Rate at the peak.
    start : float >= 0 or None, default=None
        Rate at t = 0; None: lr / 25.
    final : float >= 0 or None, default=None
        Rate at the end; None: start / 10000.
    peak : float in (0, 1), default=0.3
        Share of the run before the peak.
    epochs : float > 0 or None, default=None
        Length of the cycle; None: the whole run.

    References
    ----------
    Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    """

    lr: float
    start: float | None = None
    final: float | None = None
    peak: float = 0.3
    epochs: float | None = None

    def __post_init__(self) -> None:
        number("lr", self.lr, "[0, inf)")
        number("peak", self.peak, "(0, 1)")
        for name, value, interval in (
            ("start", self.start, "[0, inf)"),
            ("final", self.final, "[0, inf)"),
            ("epochs", self.epochs, "(0, inf)"),
        ):
            if value is not None:
                number(name, value, interval)

    def rates(self, t: Floats, total: float) -> Floats | float:
        start = self.lr / 25 if self.start is None else self.start
        final = start / 1e4 if self.final is None else self.final
        place = _progress(self, t, total)
        up = self.lr + (start - self.lr) * _cosine(np.minimum(place / self.peak, 1.0))
        down = final + (self.lr - final) * _cosine(np.maximum(place - self.peak, 0.0) / (1 - self.peak))
        return np.where(place < self.peak, up, down)


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
        number("lr", self.lr, "[0, inf)")
        number("final", self.final, "[0, inf)")
        number("power", self.power, "(0, inf)")
        if self.epochs is not None:
            number("epochs", self.epochs, "(0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        left = 1 - _progress(self, t, total)
        if self.power != 1:
            left = np.where(left > 0, exp(self.power * log(np.where(left > 0, left, 1.0))), 0.0)
        return self.final + (self.lr - self.final) * left


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
        number("epochs", self.epochs, "(0, inf)")
        number("start", self.start, "[0, inf)")

    def rates(self, t: Floats, total: float) -> Floats | float:
        later = as_schedule(self.schedule)(np.maximum(t - self.epochs, 0), max(total - self.epochs, 0))
        return np.where(t < self.epochs, self.start + (later - self.start) * (t / self.epochs), later)


def _progress(schedule: Any, t: Floats, total: float) -> Floats:
    """The share, 0 to 1, of the schedule's `epochs`, or of the run, that is over."""
    length = total if schedule.epochs is None else schedule.epochs
    if math.isinf(length):
        name = type(schedule).__name__
        raise ValueError(f"the length of the run is not known here: write {name}({schedule.lr}, epochs=...)")
    if length <= 0:  # all of the run went into a warm-up
        return np.zeros_like(t)
    return np.asarray(np.minimum(t / length, 1.0))


def _cosine(place: Floats) -> Floats:
    """1 at 0, 0 at 1, along half a cosine; never below 0, where rounding would take a rate just before its end."""
    return np.asarray(np.maximum(0.5 * (1 + cos_pi(place)), 0.0))
