"""The learning-rate range test: which rates a model can be trained with."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses, optimizers
from .._common import random
from .._common.checks import check_int, check_scalar
from .._common.exact_math import exp, log
from .._common.typing import Floats
from ..losses import Loss, LossNotFinite
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from .chunks import plan_epochs
from .fit_data import FitData, WithoutTrainer, prepare
from .stepwise import CustomLossError, train

# Share of the past in the smoothed loss; how many times its least value ends the test.
_SMOOTHING = 0.9
_BURST = 4.0


@dataclass(frozen=True, eq=False)
class RateTest:
    """What `lr_finder` measured.

    Attributes
    ----------
    rates : (steps,) float64
        Learning rates, each by the same factor above the one before.
    losses : (steps,) float64
        Mean loss of each step's rows, before the step.
    smooth : (steps,) float64
        Their running mean.
    suggestion : float
        The rate at which the smoothed loss falls fastest: a good first choice for a constant rate, or for the peak of
        `OneCycle`.
    """

    rates: Floats
    losses: Floats

    @property
    def smooth(self) -> Floats:
        mean, means = 0.0, []
        for t, loss in enumerate(self.losses, start=1):
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * float(loss)
            means.append(mean / (1 - _SMOOTHING**t))
        return np.array(means)

    @property
    def suggestion(self) -> float:
        until = max(2, int(self.smooth.argmin()) + 1)  # beyond its least value the loss only jumps
        slope = np.gradient(self.smooth[:until], np.log(self.rates[:until]))
        return float(self.rates[slope.argmin()])

    def __repr__(self) -> str:
        low, high = self.rates[0], self.rates[-1]
        return f"RateTest({len(self.rates)} rates from {low:.3g} to {high:.3g}, suggestion {self.suggestion:.2g})"

    def plot(self, ax: Any = None) -> Any:
        """The picture, smoothed; needs matplotlib. See `fastgd.plot.rate_test`."""
        from ..plot import rate_test

        return rate_test(self.rates, self.smooth, self.suggestion, ax)


def lr_finder(
    model: Sequential,
    X: Any,
    y: Any,
    *,
    loss: str | Loss | Callable[..., Any],
    optimizer: str | Optimizer = "sgd",
    batch_size: int | None = 32,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 200,
    sample_weight: Any = None,
    seed: int | None = None,
    n_threads: int | None = None,
) -> RateTest:
    """Train a copy with rates that rise from `start` to `end`, and look where the loss falls and where it bursts.

    Model and optimiser are left as they are.  The test ends early where the smoothed loss is more than 4 times its
    least value so far, or not finite.

    Parameters
    ----------
    model : Sequential
    X, y, sample_weight
        As in `Trainer.fit`.
    loss, optimizer, batch_size, seed, n_threads
        As in `Trainer`; the optimiser's own lr is not used.
    start, end : float > 0, default=1e-6, 10.0
        First and last rate.
    steps : int >= 2, default=200
        Rates, one for each step.

    Returns
    -------
    RateTest

    Raises
    ------
    TypeError, ValueError
        Something does not fit.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> X, y = gd.datasets.digits()
    >>> test = gd.lr_finder(gd.MLP(64, 32, 10, seed=0), X / 16, y, loss="cross_entropy")
    >>> 0.01 < test.suggestion < 1
    True
    """
    low, high = check_scalar("start", start, "(0, inf)"), check_scalar("end", end, "(0, inf)")
    if not low < high:
        raise ValueError(f"start must be below end, not {start} and {end}")
    if check_int("steps", steps) < 2:
        raise ValueError(f"steps must be 2 or more, not {steps}")
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
    request = WithoutTrainer(
        copy.deepcopy(model),
        losses.get(loss),
        None if n_threads is None else check_int("n_threads", n_threads),
        None if batch_size is None else check_int("batch_size", batch_size),
        model.seed if seed is None else random.check_seed(seed),
    )
    data = prepare(request, X, y, None, sample_weight)
    rates = exp(np.linspace(log(np.array(low)), log(np.array(high)), steps))
    rates[[0, -1]] = low, high
    return _test(request, data, copy.deepcopy(optimizers.get(optimizer)), rates)


def _test(request: WithoutTrainer, data: FitData, optimizer: Optimizer, rates: Floats) -> RateTest:
    """The test itself, an epoch in each call of the engine."""
    model, measured = request.model, np.empty(0)
    optimizer.state, optimizer.averaged_theta, optimizer.steps = None, None, 0
    state = optimizer.bind(model.size, model.dtype)
    for order, starts in _epochs(data, request.seed):
        done = len(measured)
        starts = starts[: len(rates) - done + 1]
        t = np.arange(done, done + len(starts) - 1)
        values = np.empty(len(t))
        epoch_times = np.append(t, t[-1] + 1) / (len(data.rows) / data.batch)
        coefficients = optimizer.coefficients(rates[t], t + 1, epoch_times[:-1], float(len(rates)))
        regime = optimizer.transforms(model, t + 1, epoch_times[1:], epoch_times[:-1], float(len(rates)))
        noise = model.noise(request.seed, done, epoch_times[:-1], float(len(rates)))
        arguments = (data.X, data.Y, data.weight, order[: starts[-1]], starts, data.loss, optimizer, coefficients)
        try:
            train(model, *arguments, state, values, request.n_threads or 0, regime, noise)
        except LossNotFinite as failure:
            values = values[: failure.step]
        except CustomLossError as stopped:
            raise stopped.__cause__ or stopped from None
        measured = np.append(measured, values)
        test = RateTest(rates[: len(measured)], measured)
        least = np.minimum.accumulate(test.smooth)
        burst = (least > 0) & (test.smooth > _BURST * least)
        if burst.any():
            measured = measured[: max(2, int(burst.argmax()))]
        if len(values) < len(t) or len(measured) == len(rates) or burst.any():
            break
    if len(measured) < 2:
        raise ValueError(f"the loss is not finite after {len(measured)} steps: start below {rates[0]:g}, or scale X")
    return RateTest(rates[: len(measured)], measured)


def _epochs(data: FitData, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Order and starts of one epoch after the other."""
    epoch = 0
    while True:
        span = plan_epochs(data.rows, epoch, epoch + 1, data.batch, seed, True)
        yield span.order, span.starts
        epoch += 1
