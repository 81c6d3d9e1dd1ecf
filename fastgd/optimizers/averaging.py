"""Averages of theta, which often generalize better than the last theta of a training.

After each step `average <- (1 - w) average + w theta`. The weight w depends on the number and the time of the step
alone, so a run that is stopped and resumed has the same average as one that is not. The average itself is
`Optimizer.averaged_theta`. To add one, write a `@configurable` dataclass with `weights` and list it in `AVERAGES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_bool, check_int, check_scalar, in_interval
from .._common.config import configurable
from .._common.registry import Record, set_fields
from .._common.typing import Floats
from ..schedules.base import Rate, as_schedule, is_scheduled


class Average(Record, ABC):
    """The weights with which successive thetas enter an average."""

    @abstractmethod
    def weights(self, t: NDArray[np.int64], epoch_times: Floats, epoch_ends: Floats, total_epochs: float) -> Floats:
        """The weight w of the theta after each step, (k,) in [0, 1]; 0 leaves the average unchanged.

        Parameters
        ----------
        t : (k,) int64
            Numbers of the steps, from 1.
        epoch_times, epoch_ends : (k,) float64
            Epochs done before and after each step.
        total_epochs : float
            Epochs of the whole run; inf if unknown.
        """


@configurable
@dataclass(eq=False, repr=False)
class EMA(Average):
    """Exponential moving average: w_t = max(1 - decay, 1 / t) at step t.

    It thus starts as the plain mean of all thetas so far, without a bias to the first one; from t = 1 / (1 - decay) on,
    each theta counts `decay` times as much as the next one. Without `warmup` it starts as the theta after the first
    step, and w_t = 1 - decay from then on: what PyTorch's `AveragedModel` with `get_ema_multi_avg_fn(decay)` computes.

    Parameters
    ----------
    decay : float in [0, 1), schedule or callable, default=0.999
        Share of the previous average that is kept: its memory is about 1 / (1 - decay) steps.
    warmup : bool, default=True
        Whether the average starts as the plain mean.

    References
    ----------
    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and Optimization
    30, 1992.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> optimizer = gd.SGD(lr=0.1, average=gd.EMA(0.99))
    >>> trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", optimizer=optimizer)
    >>> history = trainer.fit(X / 16, y, epochs=1, verbose=0)
    >>> trainer.averaged.predict(X[:3] / 16).shape
    (3,)
    """

    decay: Rate = 0.999
    warmup: bool = True

    def __post_init__(self) -> None:
        set_fields(self, warmup=check_bool("warmup", self.warmup))
        if not is_scheduled(self.decay):
            check_scalar("decay", self.decay, "[0, 1)")

    def weights(self, t: NDArray[np.int64], epoch_times: Floats, epoch_ends: Floats, total_epochs: float) -> Floats:
        decay = as_schedule(self.decay)(epoch_times, total_epochs)
        bad = ~in_interval(decay, "[0, 1)")
        if bad.any():
            raise ValueError(f"{self} gave {decay[bad][0]:g} at epoch {epoch_times[bad][0]:g}; it must be in [0, 1)")
        least = 1 / t if self.warmup else np.where(t == 1, 1.0, 0.0)
        return np.asarray(np.maximum(1 - decay, least))


@configurable
@dataclass(eq=False, repr=False)
class SWA(Average):
    """Stochastic weight averaging: the mean of theta at the end of epoch `start` and of every `every`-th after it.

    w = 1 / (n + 1) at the end of such an epoch, n being the number of them before; w = 1 at the ends of the epochs
    before `start`, so that until then the average is theta itself; otherwise 0. Best with a constant or cyclic learning
    rate. In a custom loop each step counts as an epoch.

    Parameters
    ----------
    start : int >= 1, default=1
        The first epoch that is averaged, numbered from 1.
    every : int >= 1, default=1
        Epochs from one that is averaged to the next.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, algorithm 1.
    """

    start: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        check_int("start", self.start)
        check_int("every", self.every)

    def weights(self, t: NDArray[np.int64], epoch_times: Floats, epoch_ends: Floats, total_epochs: float) -> Floats:
        since = np.maximum(epoch_ends - self.start, 0.0)
        counts = (epoch_ends == np.floor(epoch_ends)) & (since % self.every == 0)
        return np.where(counts, 1 / (since // self.every + 1), 0.0)


AVERAGES: dict[str, type[Average]] = {"EMA": EMA, "SWA": SWA}
