"""Callbacks that end a training after so much time, or so many steps."""

import time

from .._common.checks import check_int, check_scalar
from .base import Callback, Training


class TimeBudget(Callback):
    """Stop once this `fit` has taken `seconds` > 0 of time, within 0.1 seconds or so."""

    def __init__(self, seconds: float) -> None:
        self.seconds = check_scalar("seconds", seconds, "(0, inf)")

    def on_fit_begin(self, trainer: Training) -> None:
        self._end = time.perf_counter() + self.seconds

    def on_chunk_end(self, trainer: Training) -> None:
        if time.perf_counter() >= self._end:
            trainer.stop(f"its budget of {self.seconds:g} seconds is spent")


class StepBudget(Callback):
    """Stop after exactly `steps` >= 1 steps of this `fit`, also in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        self.steps = check_int("steps", steps)

    def on_fit_begin(self, trainer: Training) -> None:
        self._last = trainer.step + self.steps

    def next_step(self, trainer: Training) -> float:
        return self._last

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.step >= self._last:
            trainer.stop(f"its budget of {self.steps} steps is spent")
