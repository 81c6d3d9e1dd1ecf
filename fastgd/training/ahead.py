"""Chunks that are prepared for more steps than the next call of the engine does.

To prepare a chunk (learning rates, coefficients, groups of parameters, noise) takes longer than to train one small
epoch.  Where callbacks are called after each, a chunk therefore covers more and more epochs, which the engine executes
one by one, as long as nothing that the chunk was made from changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import is_
from typing import Any

from .._common.registry import Record
from .._common.typing import Array
from ..engine.chunk import Chunk
from .chunks import EpochBlock
from .fit_data import FitData
from .state import TrainSettings, TrainState
from .steps import make_chunk

# Maximum number of steps to prepare ahead: as many again cost less than one microsecond each.
_MAX = 1024


class StepsAhead:
    """The chunk that has the next steps of a `fit`.

    Parameters
    ----------
    settings : TrainSettings
    state : TrainState
    is_alone : bool
        Whether the rows are those of one shard: several do all steps of a chunk, on which their processes agree.
    """

    def __init__(self, settings: TrainSettings, state: TrainState, is_alone: bool) -> None:
        self._settings, self._state, self._is_alone = settings, state, is_alone
        self._made_from: tuple[object, ...] = ()
        self._counts: tuple[int, ...] = ()
        self._chunk: Chunk | None = None
        self._steps = slice(0, 0)

    def take(self, data: FitData, block: EpochBlock, steps: slice, rule_state: Array) -> tuple[Chunk, int]:
        """A chunk with these steps of a block, and the index of the first of them in it."""
        model, optimizer = self._state.model, self._state.optimizer
        made_from = data, block, optimizer, rule_state, model.frozen, model.mask
        counts = optimizer.changes, optimizer.steps - steps.start, self._state.step - steps.start
        is_same = self._is_alone and counts == self._counts and all(map(is_, made_from, self._made_from))
        if self._chunk is None or not is_same or steps.stop > self._steps.stop:
            held = self._steps.stop - self._steps.start if is_same and self._may_go_ahead(data) else 0
            self._chunk, self._steps = self._prepare(data, block, steps, rule_state, min(2 * held, _MAX))
            self._made_from, self._counts = made_from, counts
        self._chunk.n_threads = self._settings.threads
        return self._chunk, steps.start - self._steps.start

    def _prepare(
        self, data: FitData, block: EpochBlock, steps: slice, rule_state: Array, ahead: int
    ) -> tuple[Chunk, slice]:
        """A chunk with these steps, or with `ahead` steps if that is more, and which steps it has."""
        more = slice(steps.start, min(max(steps.stop, steps.start + ahead), len(block.epoch_times)))
        arguments = self._settings, self._state, data, block
        if more != steps:
            try:
                return make_chunk(*arguments, more, rule_state), more
            except Exception:
                pass  # what lies ahead of these steps need not be possible: a schedule may end there
        return make_chunk(*arguments, steps, rule_state), steps

    def _may_go_ahead(self, data: FitData) -> bool:
        """Whether steps depend on nothing but data in memory and settings: a function may return what it likes."""
        if data.calls_python or data.max_steps() < math.inf:
            return False
        return not _calls_functions((vars(self._state.optimizer), self._state.model.noises))


def _calls_functions(setting: Any) -> bool:
    """Whether a setting is, or has in it, a function that is not a schedule."""
    if isinstance(setting, Record):
        setting = vars(setting)
    if isinstance(setting, Mapping):
        setting = tuple(setting.values())
    return any(map(_calls_functions, setting)) if isinstance(setting, (tuple, list)) else callable(setting)
