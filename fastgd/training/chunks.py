"""Which rows each step reads, and how many steps the engine executes in one call.

The order of an epoch is a function of (seed, epoch) alone, so a run that was stopped resumes as if it never had been;
how the steps are divided into calls does not change a bit of the result.
"""

import time
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .. import backend
from .._common.checks import NON_NEGATIVE
from .._common.typing import Array, Floats, Ints
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..optimizers.transforms import WHOLE_STEP, Transforms
from ..schedules.base import evaluate

# Rows whose order is made at once: it covers many small epochs, but stays in L2, and a fit touches little new memory.
EPOCH_ROWS = 1 << 17
# Seconds of one call of the engine: long enough to hide the cost of Python, short enough for progress and Ctrl-C.
_SECONDS = 0.06
# Maximum share of the time spent on copying theta before each call, for a snapshot to return to.
_COPY_SHARE = 0.02
# Work of the first call, before anything was measured: some milliseconds; and its steps, as one of NumPy takes tens of
# microseconds however small it is.
_FIRST_FLOPS, _FIRST_STEPS = 1e8, 2000


@dataclass(frozen=True, eq=False)
class PartialEpoch:
    """An epoch that was started but is not in the history yet.

    It may have all of its steps: then its end is still to be measured.

    Attributes
    ----------
    rows, step_rows : int
        Training rows of the epoch, and rows of a step; the epoch can be resumed only if both are the same.
    losses : (steps,) float64
        Mean losses of the steps that were done.
    norms : (steps,) float64
        Norms of their gradients; NaN where they were not recorded.
    """

    rows: int
    step_rows: int
    losses: Floats
    norms: Floats


@dataclass(eq=False)
class EpochBlock:
    """The steps of some whole epochs.

    Attributes
    ----------
    first : int
        Index of the first epoch.
    epochs : int
        Number of epochs.
    order : (epochs * rows,) int64
        Row indices in the order of use.
    step_rows : int
        Rows of a step; the last one of an epoch may have fewer.
    done : int
        Number of steps done.
    ranks : int, default=1
        Number of processes that each have as many rows in each step; see `sharded`.
    totals : (steps,) float64 or None, default=None
        Total weights of the rows of each step in all of them; None: those of the rows of this process.
    steps_per_epoch : int
    starts : (steps + 1,) int64
        Step s reads order[starts[s]:starts[s + 1]].
    sizes : (steps of an epoch,) float64
        Number of rows of each step.
    epoch_times : (steps,) float64
        Epochs done before each step.
    epoch_ends : (steps,) float64
        Epochs done after it; exactly an integer where an epoch ends.
    losses, norms, rates : (steps,) float64
        Mean loss, norm of the gradient and learning rate of each step, filled in as the steps are done.
    """

    first: int
    epochs: int
    order: Ints
    step_rows: int
    done: int = 0
    ranks: int = 1
    totals: Floats | None = None
    steps_per_epoch: int = field(init=False)
    starts: Ints = field(init=False)
    sizes: Floats = field(init=False)
    epoch_times: Floats = field(init=False)
    epoch_ends: Floats = field(init=False)
    losses: Floats = field(init=False)
    norms: Floats = field(init=False)
    rates: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.starts, self.sizes, shares = _divide(self.epochs, self.rows, self.step_rows)
        self.steps_per_epoch = n = len(shares)
        times = np.empty(self.epochs * n + 1)
        np.add(np.arange(self.first, self.last)[:, np.newaxis], shares, out=times[:-1].reshape(-1, n))
        times[-1] = self.last
        self.epoch_times, self.epoch_ends = times[:-1], times[1:]
        self.losses, self.norms, self.rates = np.empty((3, self.epochs * n))
        self.norms.fill(np.nan)

    @property
    def rows(self) -> int:
        """Number of rows of an epoch."""
        return len(self.order) // self.epochs

    @property
    def _size(self) -> tuple[int, int]:
        """Rows of an epoch, and of a step, in all processes."""
        return self.rows * self.ranks, self.step_rows * self.ranks

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs done since the training began."""
        return self.first + self.done // self.steps_per_epoch

    @property
    def last(self) -> int:
        """Number of whole epochs done at the end of the block."""
        return self.first + self.epochs

    def partial_epoch(self, recorded: int) -> PartialEpoch | None:
        """The steps done since the end of epoch `recorded`, the last one in the history; None if there are none."""
        steps = slice((recorded - self.first) * self.steps_per_epoch, self.done)
        if steps.start == steps.stop:
            return None
        return PartialEpoch(*self._size, self.losses[steps], self.norms[steps])

    def resume(self, partial: PartialEpoch | None) -> None:
        """Continue the first epoch where `partial` ended if its rows and steps are the same, else start it again."""
        if partial is None or len(partial.losses) > self.steps_per_epoch:
            return
        if (partial.rows, partial.step_rows) == self._size:
            self.done = len(partial.losses)
            self.losses[: self.done] = partial.losses
            self.norms[: self.done] = partial.norms

    def next_steps(self, n_steps: int, last_epoch: float) -> slice:
        """The next `n_steps` steps, or fewer: up to the end of the block, or of an epoch that is not done yet."""
        n_epochs = int(min(last_epoch - self.first, self.epochs))
        return slice(self.done, min(self.done + n_steps, n_epochs * self.steps_per_epoch))

    def ends_of_epochs(self, steps: slice) -> list[int]:
        """How many of these steps are done at the end of each epoch that ends among them."""
        first = self.steps_per_epoch - steps.start % self.steps_per_epoch
        return list(range(first, steps.stop - steps.start + 1, self.steps_per_epoch))

    def order_of(self, steps: slice) -> tuple[Ints, Ints]:
        """`order` and `starts` of these steps alone."""
        starts = self.starts[steps.start : steps.stop + 1]
        return self.order[starts[0] : starts[-1]], starts - starts[0]

    def epoch_losses(self, first: int, last: int, weight: Array | None) -> list[float]:
        """Mean loss over the rows of each of the epochs `first` to `last` - 1, with the weights (rows of X,)."""
        losses = self._by_epoch(self.losses, first, last)
        sums, total = self.sizes, float(self.rows)
        if self.totals is not None:
            sums = self._by_epoch(self.totals, first, last)
            total = sums.sum(axis=1)
        elif weight is not None:
            order, starts = self.order_of(self._steps(first, last))
            sums = np.add.reduceat(weight[order], starts[:-1], dtype=np.float64).reshape(losses.shape)
            total = sums.sum(axis=1)
        means: list[float] = ((losses * sums).sum(axis=1) / total).tolist()
        return means

    def epoch_norms(self, first: int, last: int) -> list[float]:
        """Mean norm of the gradient over the steps of each of these epochs."""
        means: list[float] = self._by_epoch(self.norms, first, last).mean(axis=1).tolist()
        return means

    def epoch_rates(self, first: int, last: int) -> list[float]:
        """Learning rate of the last step of each of these epochs."""
        rates: list[float] = self._by_epoch(self.rates, first, last)[:, -1].tolist()
        return rates

    def _by_epoch(self, values: Floats, first: int, last: int) -> Floats:
        """The values of the steps of these epochs, one row per epoch."""
        return values[self._steps(first, last)].reshape(last - first, -1)

    def _steps(self, first: int, last: int) -> slice:
        return slice((first - self.first) * self.steps_per_epoch, (last - self.first) * self.steps_per_epoch)


@lru_cache(maxsize=2)  # the blocks of a run, but for the last one, have the same steps
def _divide(epochs: int, rows: int, step_rows: int) -> tuple[Ints, Floats, Floats]:
    """`starts` and `sizes` of a block, and the share of its epoch that is done before each step; read-only."""
    n = -(-rows // step_rows)
    starts, sizes = np.empty(epochs * n + 1, np.int64), np.full(n, float(step_rows))
    first_rows = np.arange(0, epochs * rows, rows)[:, np.newaxis]
    np.add(first_rows, np.arange(0, rows, step_rows), out=starts[:-1].reshape(-1, n))
    starts[-1], sizes[-1] = epochs * rows, rows - (n - 1) * step_rows
    arrays = starts, sizes, np.arange(n) / n
    for array in arrays:
        array.setflags(write=False)
    return arrays


def plan_epochs(rows: Ints, first: int, last: int, step_rows: int, seed: int, shuffle: bool) -> EpochBlock:
    """The next epochs of a run, at least one and at most about `EPOCH_ROWS` rows.

    Parameters
    ----------
    rows : (n,) int64
        Indices of the training rows, increasing.
    first, last : int
        Number of epochs done, and to be done at the end of the run.
    step_rows : int in [1, n]
    seed : int
        Seed of the order.
    shuffle : bool
        False: the rows in the given order in each epoch.
    """
    epochs = min(last - first, max(1, EPOCH_ROWS // len(rows)))
    if not shuffle:
        return EpochBlock(first, epochs, np.tile(rows, epochs), step_rows)
    order = np.empty((epochs, len(rows)), np.int64)
    are_all_rows = rows[-1] == len(rows) - 1  # then rows[i] = i
    backend.choose().fill_orders(order, seed, first, None if are_all_rows else rows)
    return EpochBlock(first, epochs, order.ravel(), step_rows)


def step_coefficients(
    block: EpochBlock,
    steps: slice,
    optimizer: Optimizer,
    model: Sequential,
    total_epochs: float,
    micro_batch: int,
    record_norms: bool,
) -> tuple[Floats, Transforms | None]:
    """Coefficients of the update rule and transforms of these steps; their learning rates go into the block.

    Parameters
    ----------
    total_epochs : float
        The epoch at which the run is to end; a `Span` with the start of its schedules.
    micro_batch : int >= 1
        Rows that pass through the network at once.
    record_norms : bool
        Whether the norms of the gradients go into the block, too.
    """
    epoch_times = block.epoch_times[steps]
    block.rates[steps] = evaluate("lr", optimizer.lr, NON_NEGATIVE, epoch_times, total_epochs)
    t = np.arange(optimizer.steps + 1, optimizer.steps + 1 + len(epoch_times))
    rows = micro_batch if micro_batch < block.step_rows else WHOLE_STEP
    norms = block.norms[steps] if record_norms else None
    transforms = optimizer.transforms(model, t, block.epoch_ends[steps], epoch_times, total_epochs, rows, norms)
    return optimizer.coefficients(block.rates[steps], t, epoch_times, total_epochs, model), transforms


class ChunkSizer:
    """Number of steps in a call of the engine, from the time that the calls take.

    Parameters
    ----------
    flops : float
        Approximate work of one step; inf if it has functions of the user, whose time is not known: the first call is
        then one step.

    Attributes
    ----------
    steps : int >= 1
    """

    def __init__(self, flops: float) -> None:
        self.steps = max(1, min(int(_FIRST_FLOPS / flops), _FIRST_STEPS))

    def update(self, steps: int, copying: float, training: float) -> None:
        """Take account of a call: seconds of the copy of theta, and of `steps` steps of training."""
        target = max(_SECONDS, copying / _COPY_SHARE)
        self.steps = max(1, min(int(steps * target / training), 8 * self.steps))

    def is_time_up(self, began: float) -> bool:
        """Whether a call that began at this `time.perf_counter` has taken its time."""
        return time.perf_counter() - began > _SECONDS
