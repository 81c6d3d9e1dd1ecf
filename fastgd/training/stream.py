"""Training rows that come block by block: their order, and the part of them that is in memory.

The blocks of an epoch are put in a random order, and cut into windows of consecutive ones: as few as possible of no
more than `buffer_rows` rows, unless one block has more, and the largest with as few rows as possible.  The rows of a
window, in the order of the source, are then shuffled.  (Windows are even because one is read while the one before is
trained on.)
With p the permutation of `random.permutation`, s the trainer's seed and B the words of `random.bits` for the purpose
BLOCK:

    blocks of epoch e:               p(B(s, 0), e, number of blocks), which are those that have rows;
                                     in their own order if the source is sequential
    rows of window w of epoch e:     p(s if w = 0 else B(s, w), e, rows of the window)

Without shuffling, blocks and rows come in their own order.  A step may lie in two windows: the rows that a window
leaves over are carried into the next one.  So the order is a function of seed, epoch, `block_rows` and `buffer_rows`
alone, and with a single window it is that of the same rows in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from .._common import random
from .._common.typing import Array, Ints
from ..data.read_ahead import ReadAhead
from ..data.sources import Source, numbered
from .chunks import EpochBlock


class Rows(NamedTuple):
    """Checked rows: X (n, n_in), Y (n, k) and weight (n,) or None, in the dtypes that the engine reads."""

    X: Array
    Y: Array
    weight: Array | None

    def take(self, rows: Any) -> Rows:
        """Copies of some rows."""
        return Rows(self.X[rows], self.Y[rows], None if self.weight is None else self.weight[rows])


class Segment(NamedTuple):
    """The rows of some steps of an epoch, in memory that serves the next segment but one.

    Attributes
    ----------
    rows : Rows
    order : (n,) int64
        Indices of the rows in the order of use.
    first, last : int
        The steps are first ... last - 1.
    """

    rows: Rows
    order: Ints
    first: int
    last: int


class Stream:
    """The segments of the epochs of a training, read ahead in a thread.

    Parameters
    ----------
    source : Source
    convert : callable (index, block) -> Rows
        Checks and converts a block of the source.
    like : Rows
        Some rows, whose dtypes and widths those of all blocks have.
    step_rows : int >= 1
        Rows of a step.
    seed : int
    shuffle : bool
    """

    def __init__(
        self, source: Source, convert: Callable[[int, Any], Rows], like: Rows, step_rows: int, seed: int, shuffle: bool
    ) -> None:
        self._source, self._convert, self._like = source, convert, like
        self.step_rows, self._seed, self._shuffle = step_rows, seed, shuffle
        self._counts = np.array(source.block_rows, np.int64)
        self.n_rows = int(self._counts.sum())
        self.n_steps = -(-self.n_rows // step_rows)
        self._last_epoch, self._reader = 0, None
        self._buffers: list[Rows] = [like.take(slice(0))] * 2

    _reader: ReadAhead[Segment] | None

    def plan(self, first: int, last: int) -> StreamedEpoch:
        """The steps of the epoch after `first` epochs of a training that ends after `last`."""
        self._last_epoch = last
        return StreamedEpoch(first, 1, range(self.n_rows), self.step_rows, stream=self)  # type: ignore[arg-type]

    def take(self, epoch: int, step: int, poll: Callable[[], None]) -> Segment:
        """The next segment; the first one of a training begins with this step of this epoch."""
        if self._reader is None:
            self._reader = ReadAhead(lambda is_closed: self._segments_from(epoch, step, is_closed))
        return self._reader.take(poll)

    @property
    def has_weight(self) -> bool:
        """Whether rows have weights."""
        return self._like.weight is not None

    def close(self) -> None:
        """End the thread."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _segments_from(self, epoch: int, step: int, is_closed: Callable[[], bool]) -> Iterator[Segment]:
        """The segments from a step on up to the end of the training."""
        for e in range(epoch, self._last_epoch):
            yield from self._segments(e, step if e == epoch else 0, is_closed)

    def _segments(self, epoch: int, step: int, is_closed: Callable[[], bool]) -> Iterator[Segment]:
        """The segments of an epoch from a step on; windows before it are not read."""
        first_row = step * self.step_rows
        windows = self.windows(epoch)
        ends = np.cumsum([self._counts[window].sum() for window in windows])
        skipped = int(np.searchsorted(ends, first_row, side="right"))
        indices: list[int] = np.concatenate(windows[skipped:]).tolist()
        blocks = numbered(iter(self._source.blocks(iter(indices))), indices)
        carried = self._like.take(slice(0))
        for w, window in enumerate(windows[skipped:], start=skipped):
            rows = self._read(window, blocks, carried, is_closed)
            if rows is None:
                return
            n_carried, n = len(carried.X), int(self._counts[window].sum())
            order = np.concatenate([np.arange(n_carried), self._order(epoch, w, n) + n_carried])
            order = order[max(0, first_row - int(ends[w]) + n) :] if w == skipped else order
            is_last = w == len(windows) - 1
            n_steps = -(-len(order) // self.step_rows) if is_last else len(order) // self.step_rows
            carried = rows.take(order[n_steps * self.step_rows :])
            if n_steps:
                self._buffers.reverse()  # while a segment is made, the one before may be in use, but none before that
                yield Segment(rows, order[: n_steps * self.step_rows], step, step + n_steps)
            del rows
            step += n_steps

    def windows(self, epoch: int) -> list[Ints]:
        """The blocks of each window of an epoch, in the order in which they are read."""
        blocks = np.flatnonzero(self._counts)
        if self._shuffle and not self._source.is_sequential:
            blocks = blocks[_permutation(_block_seed(self._seed, 0), epoch, len(blocks))]
        cuts = _even_cuts(np.cumsum(self._counts[blocks]), self._source.buffer_rows)
        return [np.sort(window) for window in np.split(blocks, cuts)]

    def _order(self, epoch: int, window: int, n: int) -> Ints:
        """The order of the rows of a window."""
        if not self._shuffle:
            return np.arange(n)
        return _permutation(self._seed if window == 0 else _block_seed(self._seed, window), epoch, n)

    def _read(
        self, window: Ints, blocks: Iterator[tuple[int, Any]], carried: Rows, is_closed: Callable[[], bool]
    ) -> Rows | None:
        """The carried rows and those of a window, in the buffer; None if the stream was closed meanwhile."""
        done = len(carried.X)
        whole = self._buffer(done + int(self._counts[window].sum()))
        _copy(carried, whole, 0)
        for _ in window:
            if is_closed():
                return None
            block = self._convert(*next(blocks))
            _copy(block, whole, done)
            done += len(block.X)
        return whole

    def _buffer(self, n: int) -> Rows:
        """n rows of the buffer, which is made anew where it is too small: new memory costs more than a copy."""
        if len(self._buffers[0].X) < n:
            self._buffers[0] = self._like.take(slice(0))  # the old one first
            X, Y, weight = self._like
            self._buffers[0] = Rows(_empty(n, X), _empty(n, Y), None if weight is None else _empty(n, weight))
        X, Y, weight = self._buffers[0]
        return Rows(X[:n], Y[:n], None if weight is None else weight[:n])


@dataclass(eq=False)
class StreamedEpoch(EpochBlock):
    """The steps of an epoch of a stream, of which those of one segment can be done; their order is that segment's.

    Attributes
    ----------
    stream : Stream
    segment : Segment or None
        The rows in memory.
    """

    stream: Stream = field(kw_only=True)
    segment: Segment | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stream.has_weight:
            self.totals = np.zeros(self.stream.n_steps)

    def load(self, poll: Callable[[], None]) -> Segment:
        """The segment of the next step; the one before is dropped first."""
        while self.segment is None or self.segment.last <= self.done:
            self._take(poll)
        return self.segment

    def next_steps(self, n_steps: int, last_epoch: float) -> slice:
        steps = super().next_steps(n_steps, last_epoch)
        return steps if self.segment is None else slice(steps.start, min(steps.stop, self.segment.last))

    def order_of(self, steps: slice) -> tuple[Ints, Ints]:
        assert self.segment is not None
        starts = self.starts[steps.start : steps.stop + 1]
        first = starts[0] - self.starts[self.segment.first]
        return self.segment.order[first : first + starts[-1] - starts[0]], starts - starts[0]

    def epoch_losses(self, first: int, last: int, weight: Array | None) -> list[float]:
        while self.totals is not None and (self.segment is None or self.segment.last < self.stream.n_steps):
            self._take(lambda: None)  # the epoch was resumed at its end
        if self.totals is not None and not self.totals.any():
            raise ValueError("the weight of every row of the source is zero: there is nothing to train on")
        return super().epoch_losses(first, last, weight)

    def _take(self, poll: Callable[[], None]) -> None:
        self.segment = None
        # The mean loss of the epoch needs the weights of all of its rows.
        segment = self.stream.take(self.first, 0 if self.totals is not None else self.done, poll)
        if self.totals is not None and segment.rows.weight is not None:
            starts = self.starts[segment.first : segment.last] - self.starts[segment.first]
            weights = segment.rows.weight[segment.order]
            self.totals[segment.first : segment.last] = np.add.reduceat(weights, starts, dtype=np.float64)
        self.segment = segment


def _cuts(ends: Ints, most: int) -> list[int]:
    """The first block of each window but the first one, where each window is as long as `most` rows permit.

    Parameters
    ----------
    ends : (n,) int64
        Number of rows up to the end of each block.
    most : int >= 1
        Maximum number of rows of a window of several blocks.
    """
    cuts, first = list[int](), 0
    while ends[-1] - (start := ends[first - 1] if first else 0) > most:
        first = max(int(np.searchsorted(ends, start + most, side="right")), first + 1)
        if first == len(ends):
            break
        cuts.append(first)
    return cuts


def _even_cuts(ends: Ints, most: int) -> list[int]:
    """As many cuts as `_cuts` makes, so that the largest window has as few rows as possible."""
    low, high, count = 1, most, len(_cuts(ends, most))
    while low < high:
        middle = (low + high) // 2
        if len(_cuts(ends, middle)) > count:
            low = middle + 1
        else:
            high = middle
    return _cuts(ends, high)


def _permutation(seed: int, epoch: int, n: int) -> Ints:
    order = np.empty((1, n), np.int64)
    backend.choose().fill_orders(order, seed, epoch, None)
    return order.ravel()


def _block_seed(seed: int, index: int) -> int:
    return int(random.bits(seed, random.BLOCK, index, 1)[0])


def _empty(n: int, like: Array) -> Array:
    return np.empty((n, *like.shape[1:]), like.dtype)


def _copy(rows: Rows, target: Rows, start: int) -> None:
    """target[start:] <- the rows."""
    for part, whole in zip(rows, target, strict=True):
        if part is not None and whole is not None:
            whole[start : start + len(part)] = part
