"""The learning-rate range test: which learning rates suit a model."""

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses, optimizers
from .._common.checks import check_int, check_scalar
from .._common.exact_math import exp, log
from .._common.explain import explains_arguments
from .._common.typing import Floats, Ints
from ..engine.chunk import Chunk
from ..losses import Loss, LossNotFinite
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from .chunks import plan_epochs
from .fit_data import FitData, prepare
from .state import TrainSettings
from .stepwise import CustomLossError, train_chunk

# Share of the past in the smoothed loss; the multiple of its minimum that ends the test.
_SMOOTHING = 0.9
_DIVERGED = 4.0


@dataclass(frozen=True, eq=False)
class RateTest:
    """What `lr_finder` measured.

    Attributes
    ----------
    rates : (steps,) float64
        Learning rates, in a geometric progression.
    losses : (steps,) float64
        Mean loss of each step's rows, before the step.
    smooth : (steps,) float64
        Exponential moving average of the losses.
    suggestion : float
        The rate at which the smoothed loss decreases fastest: a good first choice for a constant rate, or for the peak
        of `OneCycle`.
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
        until = max(2, int(self.smooth.argmin()) + 1)  # beyond its minimum the loss only fluctuates
        derivative = np.gradient(self.smooth[:until], np.log(self.rates[:until]))
        return float(self.rates[derivative.argmin()])

    def __repr__(self) -> str:
        low, high = self.rates[0], self.rates[-1]
        return f"RateTest({len(self.rates)} rates from {low:.3g} to {high:.3g}, suggestion {self.suggestion:.2g})"

    def plot(self, ax: Any = None) -> Any:
        """Plot the smoothed losses; needs matplotlib.  See `fastgd.plot.rate_test`."""
        from ..plot import rate_test

        return rate_test(self.rates, self.smooth, self.suggestion, ax)


@explains_arguments
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
    precision: str = "f32",
) -> RateTest:
    """Train a copy with learning rates that grow from `start` to `end`, to see where the loss falls and diverges.

    Model and optimizer are not changed.  The test ends early where the smoothed loss exceeds 4 times its minimum so
    far, or is not finite.

    Parameters
    ----------
    model : Sequential
    X, y, sample_weight
        As in `Trainer.fit`.
    loss, optimizer, batch_size, seed, n_threads, precision
        As in `Trainer`; the lr of the optimizer is not used.  Its other settings are: with momentum, suitable
        rates are lower.
    start, end : float > 0, default=1e-6, 10.0
        First and last learning rate.
    steps : int >= 2, default=200
        Number of rates, one per step.

    Returns
    -------
    RateTest

    Raises
    ------
    TypeError, ValueError
        An argument is invalid.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> import fastgd as gd
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
    model = copy.deepcopy(model)
    settings = TrainSettings(
        losses.get(loss),
        n_threads=n_threads,
        batch_size=batch_size,
        seed=model.seed if seed is None else seed,
        precision=precision,
    )
    data = prepare(settings, model, X, y, sample_weight=sample_weight)
    rates = exp(np.linspace(log(np.array(low)), log(np.array(high)), steps))
    rates[[0, -1]] = low, high
    return _test(settings, model, data, optimizers.get(optimizer).copy(), rates)


def _test(settings: TrainSettings, model: Sequential, data: FitData, optimizer: Optimizer, rates: Floats) -> RateTest:
    """The test itself, one epoch in each call of the engine."""
    network, measured = model.network_for(data.loss.link, settings.precision), np.empty(0)
    steps_per_epoch = math.ceil(len(data.rows) / data.step_rows)
    total_epochs = len(rates) / steps_per_epoch
    state = optimizer.bind(model.size, model.dtype)
    for order, starts in _epochs(data, settings.seed):
        done = len(measured)
        starts = starts[: len(rates) - done + 1]
        t = np.arange(done, done + len(starts) - 1)
        losses = np.empty(len(t))
        epoch_times = np.append(t, t[-1] + 1) / steps_per_epoch
        coefficients = optimizer.coefficients(rates[t], t + 1, epoch_times[:-1], total_epochs, model)
        transforms = optimizer.transforms(model, t + 1, epoch_times[1:], epoch_times[:-1], total_epochs)
        noise = model.noise(settings.seed, done, epoch_times[:-1], total_epochs)
        updates = data.loss, optimizer, coefficients, state, losses
        X, Y, weight, rows = data.arrays_of(order[: starts[-1]], starts, done)
        options = weight, transforms, noise, settings.threads
        try:
            train_chunk(network, Chunk(X, Y, rows, starts, *updates, *options), model.n_out)
        except LossNotFinite as failure:
            losses = losses[: failure.step]
        except CustomLossError as failure:
            raise failure.__cause__ or failure from None
        measured = np.append(measured, losses)
        test = RateTest(rates[: len(measured)], measured)
        minimum = np.minimum.accumulate(test.smooth)
        diverged = (minimum > 0) & (test.smooth > _DIVERGED * minimum)
        if diverged.any():
            measured = measured[: max(2, int(diverged.argmax()))]
        if len(losses) < len(t) or len(measured) == len(rates) or diverged.any():
            break
    if len(measured) < 2:
        raise ValueError(f"the loss is not finite after {len(measured)} steps: start below {rates[0]:g}, or scale X")
    return RateTest(rates[: len(measured)], measured)


def _epochs(data: FitData, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield order and starts of one epoch after the other."""
    for epoch in itertools.count():
        block = plan_epochs(data.rows, epoch, epoch + 1, data.step_rows, seed, True)
        yield block.order, block.starts
