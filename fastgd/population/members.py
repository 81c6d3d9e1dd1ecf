"""The members of a population in one `fit`: which rows each trains on, and the part of its run that is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._common.typing import Array, Ints
from ..callbacks.base import Callback, Training
from ..data.shared import Shared
from ..parallel import Group
from ..training.fit_data import prepare
from ..training.stopping import AUTO_TOL, PATIENCE
from ..training.trainer import Trainer

# Stop reason of a member whose run is to continue; and of one that the population has stopped.
PAUSED, INTERRUPTED = "paused by its population", "interrupted"


@dataclass(eq=False)
class Goal:
    """What a member is to reach in the run that its population has begun.

    Attributes
    ----------
    first, last : int
        Number of epochs done before the run and at its end.
    is_auto : bool, default=False
        Whether the training loss may end it, as with epochs="auto".
    has_begun : bool, default=False
        Whether the member has got as far as its first step.
    """

    first: int
    last: int
    is_auto: bool = False
    has_begun: bool = False


@dataclass(eq=False)
class Member:
    """A member and its data.

    Attributes
    ----------
    index : int
        Its place in the population when the `fit` began.
    trainer : Trainer
    goal : Goal
    X, y : Shared
        All rows.
    rows : ndarray of int64 or None
        Indices of its training rows; None: all.
    n_rows : int
        Number of all rows.
    sample_weight : ndarray (all rows,) or None
    validation : object
        As `Trainer.fit` takes it.
    callbacks : list of Callback
    options : dict
        Other arguments of `Trainer.fit`.
    """

    index: int
    trainer: Trainer
    goal: Goal
    X: Shared
    y: Shared
    rows: Ints | None
    n_rows: int
    sample_weight: Array | None
    validation: Any
    callbacks: list[Callback]
    options: dict[str, Any]

    def check(self) -> None:
        """Raise now what `train` would raise for these arguments; nothing is changed, and no row copied."""
        trainer, others = self.trainer, {name: self.options[name] for name in ("class_weight", "augment", "classes")}
        trainer.optimizer.check_model(trainer.model)
        weight = self.sample_weight
        group = Group(None, trainer.shards)
        prepare(trainer._settings, trainer.model, self.X, self.y, self.validation, weight, **others, group=group)

    def train(self, epochs: int | None, is_stopped: Callable[[], bool]) -> None:
        """Train until this many epochs of the run are done, None: to the goal; or until `is_stopped` says so."""
        trainer, goal, weight, options = self.trainer, self.goal, self.sample_weight, self.options
        epoch = goal.last if epochs is None else min(goal.last, goal.first + epochs)
        if goal.is_auto and options["tol"] is None:
            options = {**options, "tol": AUTO_TOL, "n_iter_no_change": options["n_iter_no_change"] or PATIENCE}
        trainer.fit(
            self.X.take(self.rows),
            self.y.take(self.rows),
            epochs=None if goal.has_begun else goal.last - trainer.epoch,
            validation=self.validation,
            sample_weight=weight if weight is None or self.rows is None else weight[self.rows],
            callbacks=[*self.callbacks, _Part(goal, epoch, is_stopped)],
            verbose=0,
            **options,
        )

    @property
    def is_done(self) -> bool:
        """Whether the run is over: the goal is reached, or one of the callbacks has ended it."""
        trainer, goal = self.trainer, self.goal
        if not goal.has_begun:
            return False
        return trainer.epoch >= goal.last or trainer.stop_reason not in (None, PAUSED, INTERRUPTED, "error")

    def has_done(self, epochs: int | None) -> bool:
        """Whether this many epochs of the run are done."""
        return epochs is not None and self.trainer.epoch >= self.goal.first + epochs

    @property
    def work(self) -> float:
        """What is left to do, in some unit."""
        rows = self.n_rows if self.rows is None else len(self.rows)
        return float(self.trainer.model.size * rows * (self.goal.last - self.trainer.epoch))


class _Part(Callback):
    """End a part of a run, with or between two epochs."""

    def __init__(self, goal: Goal, epoch: int, is_stopped: Callable[[], bool]) -> None:
        self._goal, self._epoch, self._is_stopped = goal, epoch, is_stopped
        self._last_step = math.inf

    def on_fit_begin(self, trainer: Training) -> None:
        self._goal.has_begun = True
        if self._epoch < self._goal.last:
            self._last_step = trainer.step + _steps_until(trainer, self._epoch)

    def next_step(self, trainer: Training) -> float:
        return self._last_step

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.stop_reason is None and self._is_stopped():
            trainer.stop(INTERRUPTED)
        elif trainer.stop_reason is None and trainer.step >= self._last_step:
            trainer.stop(PAUSED)


def _steps_until(trainer: Any, epoch: int) -> float:
    """Number of steps from where the trainer is to the end of an epoch."""
    rows, partial = trainer.run.rows, trainer.partial_epoch
    step_rows = rows if trainer.batch_size is None else min(rows, trainer.batch_size * trainer.accumulate)
    done = len(partial.losses) if partial is not None and (partial.rows, partial.step_rows) == (rows, step_rows) else 0
    return float((epoch - trainer.epoch) * -(-rows // step_rows) - done)
