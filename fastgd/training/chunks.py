"""Which rows each step reads, and how many steps the engine does in one call.

The order of an epoch is a function of (seed, epoch) alone, so a run that stopped goes on as if it never had; how the
steps are cut into calls changes no bit.
"""

from dataclasses import dataclass, field

import numpy as np

from .._common import random
from .._common.typing import Array, Floats, Ints
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..optimizers.transforms import WHOLE_STEP, Transforms

# Ints whose order is made in one go: many small epochs at once, and little in vain if the training stops early.
_ROWS = 1 << 18
# One call of the engine: long enough that Python costs nothing, short enough for progress and Ctrl-C.
_SECONDS = 0.06
# Copying theta before each call, to have the last good state, may cost this share of the time.
_COPY_SHARE = 0.02
# Work of the first call, before anything was measured: a millisecond or so.
_FIRST_FLOPS = 1e7


@dataclass(frozen=True, eq=False)
class PartialEpoch:
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
class EpochBlock:
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
        Ints done.
    """

    first: int
    epochs: int
    order: Ints
    batch: int
    done: int = 0
    starts: Ints = field(init=False)
    epoch_times: Floats = field(init=False)
    ends: Floats = field(init=False)
    losses: Floats = field(init=False)
    norms: Floats = field(init=False)
    rates: Floats = field(init=False)

    def __post_init__(self) -> None:
        rows = len(self.order) // self.epochs
        epoch = np.arange(self.epochs)[:, np.newaxis]
        in_interval = np.arange(0, rows, self.batch)
        self.starts = np.append(epoch * rows + in_interval, len(self.order))
        self.epoch_times = (self.first + epoch + np.arange(len(in_interval)) / len(in_interval)).ravel()
        self.ends = (self.first + epoch + np.arange(1, len(in_interval) + 1) / len(in_interval)).ravel()
        self.losses, self.rates = np.zeros((2, len(self.epoch_times)))
        self.norms = np.full(len(self.epoch_times), np.nan)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.epoch_times) // self.epochs

    @property
    def epochs_done(self) -> int:
        """Whole epochs since the training began."""
        return self.first + self.done // self.steps_per_epoch

    @property
    def is_done(self) -> bool:
        return self.done == len(self.epoch_times)

    @property
    def begun(self) -> PartialEpoch | None:
        """The epoch in which the steps done end; None if they end with an epoch."""
        in_interval = self.done % self.steps_per_epoch
        rows = len(self.order) // self.epochs
        steps = slice(self.done - in_interval, self.done)
        return PartialEpoch(rows, self.batch, self.losses[steps], self.norms[steps]) if in_interval else None

    def resume(self, begun: PartialEpoch | None) -> None:
        """Go on in the first epoch where `begun` ended, if its rows and batches are the same; else begin it again."""
        if begun is None or len(begun.losses) >= self.steps_per_epoch:
            return
        if (begun.rows, begun.batch) == (len(self.order) // self.epochs, self.batch):
            self.done = len(begun.losses)
            self.losses[: self.done] = begun.losses
            self.norms[: self.done] = begun.norms

    def next_chunk(self, steps: int, within_epoch: bool) -> slice:
        """The next `steps` steps, or fewer: up to the end of the span or of the epoch."""
        end = len(self.epoch_times)
        if within_epoch:
            end = self.done - self.done % self.steps_per_epoch + self.steps_per_epoch
        return slice(self.done, min(self.done + steps, end))

    def read(self, chunk: slice) -> tuple[Ints, Ints]:
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


def plan_epochs(rows: Ints, first: int, last: int, batch: int, seed: int, shuffle: bool) -> EpochBlock:
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
        return EpochBlock(first, epochs, np.tile(rows, epochs), batch)
    order = random.permutations(seed, first, epochs, len(rows)).ravel()
    all_of_them = rows[-1] == len(rows) - 1  # then a row's number in `rows` is its own: no second pass over an order
    return EpochBlock(first, epochs, order if all_of_them else rows[order], batch)


def step_coefficients(
    span: EpochBlock, chunk: slice, optimizer: Optimizer, model: Sequential, total: float, micro_batch: int, norms: bool
) -> tuple[Floats, Transforms | None]:
    """Coefficients and regime of these steps; their rates go into the span.

    Parameters
    ----------
    total : float
        Epochs of the whole run.
    at_once : int >= 1
        Ints that pass through the network at once.
    norms : bool
        Whether the norms of the gradients go into the span, too.
    """
    epoch_times = span.epoch_times[chunk]
    span.rates[chunk] = optimizer.schedule(epoch_times, total)
    t = optimizer.steps + np.arange(1, len(epoch_times) + 1)
    norm, batch = span.norms[chunk] if norms else None, micro_batch if micro_batch < span.batch else WHOLE_STEP
    regime = optimizer.transforms(model, t, span.ends[chunk], epoch_times, total, batch, norm)
    return optimizer.coefficients(span.rates[chunk], t, epoch_times, total), regime


class ChunkSizer:
    """Ints per call of the engine, from the time that the calls take.

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


class Snapshot:
    """A copy of the arrays that a step changes, to restore them if the loss becomes inf or NaN."""

    def __init__(self, *arrays: Array) -> None:
        self.arrays, self._copies = arrays, [np.empty_like(array) for array in arrays]

    def save(self) -> None:
        for array, saved in zip(self.arrays, self._copies, strict=True):
            np.copyto(saved, array)

    def restore(self) -> None:
        for array, saved in zip(self.arrays, self._copies, strict=True):
            np.copyto(array, saved)
