"""Schedules that go up and down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common.checks import NON_NEGATIVE, POSITIVE, check_choice, check_int
from .._common.config import configurable
from .._common.exact_math import exp, log, power
from .._common.typing import Floats
from .base import Schedule, half_cosine, progress


@configurable
@dataclass(eq=False, repr=False)
class CosineRestarts(Schedule):
    """Repeated cosines: the first takes `epochs` epochs, each later one `factor` times as long as the one before.

    Within a cycle of length T, u epochs after its start: lr(t) = final + (lr - final) (1 + cos(pi u / T)) / 2.

    Parameters
    ----------
    lr : float >= 0
        Rate at the start of each cycle.
    epochs : float > 0
        Length of the first cycle.
    factor : float >= 1, default=1.0
        Ratio of the lengths of successive cycles.
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

    intervals = {"lr": NON_NEGATIVE, "epochs": POSITIVE, "factor": "[1, inf)", "final": NON_NEGATIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        starts, length = [0.0], float(self.epochs)
        last = t.max(initial=0.0)
        while self.factor > 1 and starts[-1] + length <= last:
            starts.append(starts[-1] + length)
            length *= self.factor
        cycle = np.searchsorted(starts, t, side="right") - 1
        lengths = self.epochs * power(self.factor, cycle)
        position = (t - np.array(starts)[cycle]) / lengths
        return self.final + (self.lr - self.final) * half_cosine(position - np.floor(position))


@configurable
@dataclass(eq=False, repr=False)
class CosineLog(Schedule):
    """From 0 up to `lr` and down again, over and over, each cycle about twice as long as the one before.

    lr(p) = lr (1 - cos(2 pi log2(1 + (2^cycles - 1) p))) / 2 at the share p of the run; RealMLP's "coslog4" has 4
    cycles.

    Parameters
    ----------
    lr : float >= 0
        Rate at the peaks.
    cycles : int >= 1, default=4
        Number of cycles.
    epochs : float > 0 or None, default=None
        Length of all cycles; None: that of the fit, see `fastgd.schedules`.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.CosineLog(0.1, cycles=2)(np.array([0.0, 1.0, 3.0]), total_epochs=3)
    array([0., 0., 0.])
    """

    lr: float
    cycles: int = 4
    epochs: float | None = None

    intervals = {"lr": NON_NEGATIVE, "epochs": POSITIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("cycles", self.cycles, maximum=50)

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        u = log(1 + (2.0**self.cycles - 1) * progress(self, t, total_epochs)) / log(np.array(2.0))
        return self.lr * half_cosine(np.abs(1 - 2 * (u - np.floor(u))))


@configurable
@dataclass(eq=False, repr=False)
class Cyclic(Schedule):
    """From `start` up to `lr` and down again, along straight lines, over and over.

    For a momentum that falls while the rate rises, choose `start` above `lr`.

    Parameters
    ----------
    lr : float >= 0
        Rate at the peak of the first cycle.
    start : float >= 0
        Rate at the start and end of each cycle.
    up : float > 0
        Epochs from start to peak.
    down : float > 0 or None, default=None
        Epochs from peak to end; None: as many as `up`.
    mode : {"triangular", "triangular2", "exp_range"}, default="triangular"
        Height of the peaks above `start`: always the same; halved in each cycle; or times factor^t.
    factor : float > 0, default=1.0
        For "exp_range": what the height is multiplied by in an epoch.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.Cyclic(0.5, start=0.1, up=2, mode="triangular2")(np.arange(8.0), total_epochs=8)
    array([0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2])
    """

    lr: float
    start: float
    up: float
    down: float | None = None
    mode: str = "triangular"
    factor: float = 1.0

    intervals = {
        **{"lr": NON_NEGATIVE, "start": NON_NEGATIVE},
        **{"up": POSITIVE, "down": POSITIVE, "factor": POSITIVE},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("mode", self.mode, ("triangular", "triangular2", "exp_range"))

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        down = self.up if self.down is None else self.down
        cycle = np.floor(t / (self.up + down))
        elapsed = t - cycle * (self.up + down)
        height = np.where(elapsed < self.up, elapsed / self.up, np.maximum(self.up + down - elapsed, 0.0) / down)
        if self.mode == "triangular2":
            height = height * power(0.5, cycle.astype(np.int64))
        elif self.mode == "exp_range":
            height = height * exp(t * log(np.array(self.factor)))
        return self.start + (self.lr - self.start) * height


@configurable
@dataclass(eq=False, repr=False)
class OneCycle(Schedule):
    """From `start` up to `lr` during the share `peak` of the fit, then down to `final`, each along half a cosine.

    For a momentum that falls while the rate rises, choose `start` above the value at the peak:
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
        Share of the cycle before the peak.
    epochs : float > 0 or None, default=None
        Length of the cycle; None: that of the fit, see `fastgd.schedules`.

    References
    ----------
    Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    """

    lr: float
    start: float | None = None
    final: float | None = None
    peak: float = 0.3
    epochs: float | None = None

    intervals = {
        **{"lr": NON_NEGATIVE, "start": NON_NEGATIVE, "final": NON_NEGATIVE},
        **{"peak": "(0, 1)", "epochs": POSITIVE},
    }

    def rates(self, t: Floats, total_epochs: float) -> Floats | float:
        start = self.lr / 25 if self.start is None else self.start
        final = start / 1e4 if self.final is None else self.final
        position = progress(self, t, total_epochs)
        up = self.lr + (start - self.lr) * half_cosine(np.minimum(position / self.peak, 1.0))
        down = final + (self.lr - final) * half_cosine(np.maximum(position - self.peak, 0.0) / (1 - self.peak))
        return np.where(position < self.peak, up, down)
