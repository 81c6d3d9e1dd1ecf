"""What watches a training: early stopping, the notes' own stop, budgets, functions of one's own, files.

To write one, subclass `Callback` and override what you need.  What a callback does not override costs nothing: without
`on_epoch_end` the trainer passes many epochs to the engine in one call.
"""

from .base import Callback, Run, Training
from .budgets import StepBudget, TimeBudget
from .files import Checkpoint, CSVLogger, TensorBoard
from .history import History
from .monitors import BestEpoch, EarlyStopping, EveryEpoch, EveryStep, Monitor, ParameterTolerance, ReduceLROnPlateau
from .progress import Progress

__all__ = [
    "BestEpoch",
    "CSVLogger",
    "Callback",
    "Checkpoint",
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
