"""The one place that undoes what was begun and failed: steps, and their entry into the counters and the history."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from .._common.typing import Array
from .chunks import EpochBlock
from .interrupt import DeferredInterrupt
from .state import TrainState


class Savepoint(Protocol):
    """Something that can be set back to what it was when it was saved."""

    def restore(self) -> None: ...


@contextmanager
def all_or_nothing(*savepoints: Savepoint) -> Iterator[None]:
    """Restore the savepoints if the block raises any exception, a KeyboardInterrupt or MemoryError included."""
    try:
        yield
    except BaseException:
        with DeferredInterrupt():
            for savepoint in savepoints:
                savepoint.restore()
        raise


class Arrays:
    """A copy of the arrays that a step changes: theta, the optimizer's slots and the average."""

    def __init__(self) -> None:
        self._arrays: tuple[Array, ...] = ()
        self._copies: list[Array] = []

    def watch(self, *arrays: Array) -> None:
        """The arrays to copy; their copies are allocated if any of them is another one than before."""
        if len(arrays) != len(self._arrays) or any(a is not b for a, b in zip(arrays, self._arrays, strict=True)):
            self._arrays, self._copies = arrays, [np.empty_like(array) for array in arrays]

    def save(self) -> None:
        """Copy the arrays."""
        for array, saved in zip(self._arrays, self._copies, strict=True):
            np.copyto(saved, array)

    def restore(self) -> None:
        """Set the arrays to their values at the last `save`."""
        for array, saved in zip(self._arrays, self._copies, strict=True):
            np.copyto(array, saved)


class Counters:
    """What says how far a training has come, when this object is made."""

    def __init__(self, state: TrainState, block: EpochBlock) -> None:
        self._state, self._run, self._optimizer, self._block = state, state.run, state.optimizer, block
        self._of_state = state.epoch, state.step, state.partial_epoch
        self._of_run = state.run.loss, state.run.rows_done
        self._steps, self._done = state.optimizer.steps, block.done
        self._history, self._columns = state.history, tuple(state.history)
        self._rows = len(state.history["epoch"])

    def restore(self) -> None:
        """Set all of it back, and remove what the history has gained."""
        state, run = self._state, self._run
        state.epoch, state.step, state.partial_epoch = self._of_state
        run.loss, run.rows_done = self._of_run
        self._optimizer.steps, self._block.done = self._steps, self._done
        self._history.truncate(self._rows, self._columns)
