"""The callbacks of scikit-learn 1.9, `estimator.set_callbacks(ProgressBar())`, as a callback of fastgd."""

from __future__ import annotations

import copy
from typing import Any

from ..callbacks import Callback
from ..callbacks.base import Training


class FitTasks:
    """The tasks of one `fit` as scikit-learn's callbacks see them: the fit, and in it one for each epoch.

    Parameters
    ----------
    estimator : BaseNetwork
    max_epochs : int
        Maximum number of epochs, or of steps of L-BFGS.
    data : dict
        X, y and metadata of the fit.

    Attributes
    ----------
    is_stopped : bool
        Whether a callback has asked to stop.
    """

    def __init__(self, estimator: Any, max_epochs: int, data: dict[str, Any]) -> None:
        self._estimator, self._data, self.is_stopped = estimator, data, False
        self._left = max_epochs
        self._fit = estimator._init_callback_context(max_subtasks=max_epochs)
        self._fit.call_on_fit_task_begin(estimator=estimator, **data)
        self._epoch: Any = None
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        if self._left:
            self._left -= 1
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def next_epoch(self, model: Any) -> bool:
        """End the task of an epoch and begin the next one; return whether a callback asks to stop."""
        self._end(self._epoch, model)
        self._epoch = None
        self._begin_epoch()
        return self.is_stopped

    def end(self, model: Any) -> None:
        """End the task of the fit, and that of an epoch that was not trained."""
        if self._epoch is not None:
            self._end(self._epoch, model)
        self._end(self._fit, model)

    def _end(self, task: Any, model: Any) -> None:
        state = {"reconstruction_attributes": lambda: {"network_": copy.copy(model)}}
        self.is_stopped |= task.call_on_fit_task_end(estimator=self._estimator, **state, **self._data)


def fit_tasks(estimator: Any, max_epochs: int, X: Any, y: Any, sample_weight: Any) -> FitTasks | None:
    """The tasks of a fit; None if the estimator has no callbacks of scikit-learn."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return FitTasks(estimator, max_epochs, {"X": X, "y": y, "metadata": metadata})


class TaskPerEpoch(Callback):
    """Let a task of scikit-learn end with each epoch, and stop if one of its callbacks says so."""

    def __init__(self, tasks: FitTasks) -> None:
        self._tasks = tasks

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._tasks.next_epoch(trainer.eval_model):  # type: ignore[attr-defined]
            trainer.stop("requested by a callback of scikit-learn")
