"""Averages of theta: the mean of what training passes through is often better than where it ends.

One mechanism: after each step `average <- (1 - w) average + w theta`, with a weight w of that step made here, once per
chunk of steps, from numbers of the step alone; so an average goes on after a stop as if there had been none. The
average is one more vector of the optimiser's state. To add one: a dataclass with `weights`, and its name in
`AVERAGES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_int, check_scalar, in_interval
from .._common.config import configurable
from .._common.registry import Record
from .._common.typing import Floats
from ..schedules.base import Rate, as_schedule, is_scheduled


class Average(Record, ABC):
    """How much each new theta counts."""

    @abstractmethod
    def weights(self, t: NDArray[np.int64], epoch_times: Floats, ends: Floats, total: float) -> Floats:
        """The weight w of each step's theta, (k,) in [0, 1]; 0 leaves the average as it is.

        Parameters
        ----------
        t : (k,) int64
            Numbers of the steps, from 1.
        moments, ends : (k,) float64
            Epochs done before and after each step.
        total : float
            Epochs of the whole run; inf if nobody knows.
        """


@configurable
@dataclass(eq=False, repr=False)
class EMA(Average):
    """Exponential moving average: w_t = max(1 - decay, 1 / t) at step t.

    So it starts as the plain mean of all thetas so far, without a bias to the first one, and once t = 1 / (1 - decay)
    every step counts `decay` times as much as the next one.

    Parameters
    ----------
    decay : float in [0, 1), schedule or callable, default=0.999
        Share of the average that is kept; it looks back over about 1 / (1 - decay) steps.

    References
    ----------
    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on
    Control and Optimization 30, 1992.
    """

    decay: Rate = 0.999

    def __post_init__(self) -> None:
        if not is_scheduled(self.decay):
            check_scalar("decay", self.decay, "[0, 1)")

    def weights(self, t: NDArray[np.int64], epoch_times: Floats, ends: Floats, total: float) -> Floats:
        decay = as_schedule(self.decay)(epoch_times, total)
        bad = ~in_interval(decay, "[0, 1)")
        if bad.any():
            raise ValueError(f"{self} gave {decay[bad][0]:g} at epoch {epoch_times[bad][0]:g}; it must be in [0, 1)")
        return np.asarray(np.maximum(1 - decay, 1 / t))


@configurable
@dataclass(eq=False, repr=False)
class SWA(Average):
    """Stochastic weight averaging: the mean of theta at the end of epoch `start` and of every `every`-th after it.

    w = 1 / (n + 1) at the end of such an epoch, n of them before it; w = 1 at the ends of the epochs before `start`, so
    that the average is theta itself until then; else 0. Best with a constant or cyclic learning rate. In a loop of
    one's own each step counts as an epoch.

    Parameters
    ----------
    start : int >= 1, default=1
        The first epoch that counts, numbered from 1.
    every : int >= 1, default=1
        Epochs from one that counts to the next.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, algorithm 1.
    """

    start: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        check_int("start", self.start)
        check_int("every", self.every)

    def weights(self, t: NDArray[np.int64], epoch_times: Floats, ends: Floats, total: float) -> Floats:
        since = np.maximum(ends - self.start, 0.0)
        counts = (ends == np.floor(ends)) & (since % self.every == 0)
        return np.where(counts, 1 / (since // self.every + 1), 0.0)


AVERAGES: dict[str, type[Average]] = {"EMA": EMA, "SWA": SWA}
