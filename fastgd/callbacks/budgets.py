"""Callbacks that limit the time or the steps of a training."""

import time
from types import MappingProxyType

from .._common.checks import counted
from .base import Callback, Training, integer, number


class TimeBudget(Callback):
    """Stop after a given time, to within about 0.1 seconds.

    Parameters
    ----------
    seconds : float > 0
        Counted from the start of each `fit`.
    """

    setting_checks = MappingProxyType({"seconds": number("(0, inf)")})

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_fit_begin(self, trainer: Training) -> None:
        self._deadline = time.perf_counter() + self.seconds

    def on_chunk_end(self, trainer: Training) -> None:
        if time.perf_counter() >= self._deadline:
            trainer.stop(f"the time budget of {self.seconds:g} seconds is used up")


class StepBudget(Callback):
    """Stop after a given number of steps, even in the middle of an epoch.

    Parameters
    ----------
    steps : int >= 1
        Counted from the start of each `fit`.
    """

    setting_checks = MappingProxyType({"steps": integer()})

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_fit_begin(self, trainer: Training) -> None:
        self._last_step = trainer.step + self.steps

    def next_step(self, trainer: Training) -> float:
        return self._last_step

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.step >= self._last_step:
            trainer.stop(f"the budget of {counted(self.steps, 'step')} is used up")
