"""Callbacks of `Trainer.fit`: early stopping, budgets, user functions, checkpoints, logs, progress.

To write a callback, subclass `Callback` and override the hooks that you need.  Hooks that are not overridden cost
nothing: without `on_epoch_end` the trainer passes many epochs to the engine in one call.
"""

import warnings
from typing import TYPE_CHECKING

from .base import Callback, Run, Training
from .budgets import StepBudget, TimeBudget
from .dashboard import Dashboard
from .files import Checkpoint, CSVLogger, TensorBoard
from .functions import EveryEpoch, EveryStep
from .history import History
from .monitor import Monitor
from .monitors import BestEpoch, EarlyStopping, ParameterTolerance, ReduceLROnPlateau
from .progress import Progress

__all__ = [
    "BestEpoch",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "Dashboard",
    "EarlyStopping",
    "EveryEpoch",
    "EveryStep",
    "History",
    "Monitor",
    "ParameterTolerance",
    "Progress",
    "ReduceLROnPlateau",
    "Run",
    "StepBudget",
    "TensorBoard",
    "TimeBudget",
    "Training",
]

if not TYPE_CHECKING:  # type checkers are to report unknown names

    def __getattr__(name):
        """Names of the previous release."""
        if name != "Movement":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        message = "fastgd.callbacks.Movement is deprecated: use fastgd.callbacks.ParameterTolerance"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return ParameterTolerance


def __dir__() -> list[str]:
    return __all__
