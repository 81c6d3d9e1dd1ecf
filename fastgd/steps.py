"""Which rows each step reads, and how many steps the engine does in one call.

The order of an epoch is a function of (seed, epoch) alone, so a run that stopped goes on as if it never had; how the
steps are cut into calls changes no bit.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import random
from .arrays import Array
from .model import Sequential
from .optimizers import Optimizer
from .regime import WHOLE_STEP, Regime

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

# Rows whose order is made in one go: many small epochs at once, and little in vain if the training stops early.
_ROWS = 1 << 18
# One call of the engine: long enough that Python costs nothing, short enough for progress and Ctrl-C.
_SECONDS = 0.06
# Copying theta before each call, to have the last good state, may cost this share of the time.
_COPY_SHARE = 0.02
# Work of the first call, before anything was measured: a millisecond or so.
_FIRST_FLOPS = 1e7


@dataclass(frozen=True, eq=False)
class Begun:
    """An epoch that was begun but not finished.

    Attributes
    ----------
    rows, batch : int
        Training rows of the epoch, and rows of a step; with other data or batches there is no going on.
    losses : (steps,) float64
        Mean losses of the steps that were done.
    norms : (steps,) float64
        Norms of their gradients; NaN where they were not measured.
    """

    rows: int
    batch: int
    losses: Floats
    norms: Floats


@dataclass(eq=False)
class Span:
    """The steps of some whole epochs, from number `first` (0-based) on.

    Attributes
    ----------
    order : (epochs * rows,) int64
        Row numbers as the steps read them.
    starts : (steps + 1,) int64
        Step s reads order[starts[s]:starts[s + 1]].
    moments : (steps,) float64
        Epochs done before each step.
    ends : (steps,) float64
        Epochs done after it; a whole number, to the last bit, where an epoch ends.
    losses, norms, rates : (steps,) float64
        Mean loss, norm of the gradient and learning rate of each step, filled as the steps are done.
    done : int
        Steps done.
    """

    first: int
    epochs: int
    order: Rows
    batch: int
    done: int = 0
    starts: Rows = field(init=False)
    moments: Floats = field(init=False)
    ends: Floats = field(init=False)
    losses: Floats = field(init=False)
    norms: Floats = field(init=False)
    rates: Floats = field(init=False)

    def __post_init__(self) -> None:
        rows = len(self.order) // self.epochs
        epoch = np.arange(self.epochs)[:, np.newaxis]
        within = np.arange(0, rows, self.batch)
        self.starts = np.append(epoch * rows + within, len(self.order))
        self.moments = (self.first + epoch + np.arange(len(within)) / len(within)).ravel()
        self.ends = (self.first + epoch + np.arange(1, len(within) + 1) / len(within)).ravel()
        self.losses, self.rates = np.zeros((2, len(self.moments)))
        self.norms = np.full(len(self.moments), np.nan)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.moments) // self.epochs

    @property
    def epochs_done(self) -> int:
        """Whole epochs since the training began."""
        return self.first + self.done // self.steps_per_epoch

    @property
    def is_done(self) -> bool:
        return self.done == len(self.moments)

    @property
    def begun(self) -> Begun | None:
        """The epoch in which the steps done end; None if they end with an epoch."""
        within = self.done % self.steps_per_epoch
        rows = len(self.order) // self.epochs
        steps = slice(self.done - within, self.done)
        return Begun(rows, self.batch, self.losses[steps], self.norms[steps]) if within else None

    def take_up(self, begun: Begun | None) -> None:
        """Go on in the first epoch where `begun` ended, if its rows and batches are the same; else begin it again."""
        if begun is None or len(begun.losses) >= self.steps_per_epoch:
            return
        if (begun.rows, begun.batch) == (len(self.order) // self.epochs, self.batch):
            self.done = len(begun.losses)
            self.losses[: self.done] = begun.losses
            self.norms[: self.done] = begun.norms

    def next_chunk(self, steps: int, within_epoch: bool) -> slice:
        """The next `steps` steps, or fewer: up to the end of the span or of the epoch."""
        end = len(self.moments)
        if within_epoch:
            end = self.done - self.done % self.steps_per_epoch + self.steps_per_epoch
        return slice(self.done, min(self.done + steps, end))

    def read(self, chunk: slice) -> tuple[Rows, Rows]:
        """`order` and `starts` of these steps alone."""
        starts = self.starts[chunk.start : chunk.stop + 1]
        return self.order[starts[0] : starts[-1]], starts - starts[0]

    def epoch_losses(self, first: int, last: int, weight: Array | None) -> list[float]:
        """Mean loss over the rows of the epochs `first` to `last`, each row with its weight (rows of the data,)."""
        steps = self._steps(first, last)
        order, starts = self.read(steps)
        sums = np.diff(starts) if weight is None else np.add.reduceat(weight[order], starts[:-1], dtype=np.float64)
        sums = sums.reshape(last - first, -1)
        losses = self.losses[steps].reshape(sums.shape)
        means: list[float] = ((losses * sums).sum(axis=1) / sums.sum(axis=1)).tolist()
        return means

    def epoch_norms(self, first: int, last: int) -> list[float]:
        """Mean norm of the gradient over the steps of the epochs `first` to `last`."""
        means: list[float] = self.norms[self._steps(first, last)].reshape(last - first, -1).mean(axis=1).tolist()
        return means

    def epoch_rates(self, first: int, last: int) -> list[float]:
        """Learning rate of the last step of the epochs `first` to `last`."""
        rates = self.rates[self._steps(first, last)].reshape(last - first, -1)
        last_of_epoch: list[float] = rates[:, -1].tolist()
        return last_of_epoch

    def _steps(self, first: int, last: int) -> slice:
        return slice((first - self.first) * self.steps_per_epoch, (last - self.first) * self.steps_per_epoch)


def span_of(rows: Rows, first: int, last: int, batch: int, seed: int, shuffle: bool) -> Span:
    """The next epochs of a run that goes to epoch `last`, as many as make about `_ROWS` rows.

    Parameters
    ----------
    rows : (n,) int64
        Row numbers to train on, rising.
    first, last : int
        Epochs done; epochs to be done.
    batch : int in [1, n]
    seed : int
        Of the order.
    shuffle : bool
        False: the rows as they stand, in each epoch.
    """
    epochs = min(last - first, max(1, _ROWS // len(rows)))
    if not shuffle:
        return Span(first, epochs, np.tile(rows, epochs), batch)
    order = random.permutations(seed, first, epochs, len(rows)).ravel()
    all_of_them = rows[-1] == len(rows) - 1  # then a row's number in `rows` is its own: no second pass over an order
    return Span(first, epochs, order if all_of_them else rows[order], batch)


def numbers_of(
    span: Span, chunk: slice, optimizer: Optimizer, model: Sequential, total: float, at_once: int, norms: bool
) -> tuple[Floats, Regime | None]:
    """Coefficients and regime of these steps; their rates go into the span.

    Parameters
    ----------
    total : float
        Epochs of the whole run.
    at_once : int >= 1
        Rows that pass through the network at once.
    norms : bool
        Whether the norms of the gradients go into the span, too.
    """
    moments = span.moments[chunk]
    span.rates[chunk] = optimizer.schedule(moments, total)
    t = optimizer.steps + np.arange(1, len(moments) + 1)
    norm, batch = span.norms[chunk] if norms else None, at_once if at_once < span.batch else WHOLE_STEP
    regime = optimizer.regime(model, t, span.ends[chunk], moments, total, batch, norm)
    return optimizer.coefficients(span.rates[chunk], t, moments, total), regime


class Pace:
    """Steps per call of the engine, from the time that the calls take.

    Parameters
    ----------
    flops : float
        Of one step, roughly.
    """

    def __init__(self, flops: float) -> None:
        self.steps = max(1, int(_FIRST_FLOPS / flops))

    def learn(self, steps: int, copying: float, training: float) -> None:
        """Seconds that a call took for the copy of theta, and for `steps` steps of training."""
        aim = max(_SECONDS, copying / _COPY_SHARE)
        self.steps = max(1, min(int(steps * aim / training), 8 * self.steps))


class LastGood:
    """A copy of theta and of the optimiser's state, to go back to if the loss gets out of hand."""

    def __init__(self, theta: Array, state: Array) -> None:
        self.theta, self.state = theta, state
        self._theta, self._state = np.empty_like(theta), np.empty_like(state)

    def keep(self) -> None:
        np.copyto(self._theta, self.theta)
        np.copyto(self._state, self.state)

    def restore(self) -> None:
        np.copyto(self.theta, self._theta)
        np.copyto(self.state, self._state)
