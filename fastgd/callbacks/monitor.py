"""The base class of callbacks that monitor a column of the history."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from .._common.checks import shown
from .._common.warn import warn_user
from ..metrics import lower_is_better
from .base import Callback, Check, State, Training, choice, number, optional


def check_column(name: str, value: Any) -> str:
    """The check of a setting that names a column of the history."""
    if not isinstance(value, str):
        raise TypeError(f'{name} must be the name of a column of the history, such as "loss", not {shown(value)}')
    return value


class Monitor(Callback):
    """Base class: track the best value of a column of the history and the number of epochs since then.

    Parameters
    ----------
    monitor : str
        Column of the history.
    min_delta : float >= 0, default=0.0
        Smallest change that counts as an improvement (exclusive).
    mode : {"min", "max"} or None, default=None
        Whether lower or higher values are better.  None: what the metric itself says (`Metric.lower_is_better`), or
        its name (`fastgd.metrics.lower_is_better`): losses and errors should decrease, scores should increase.

    Attributes
    ----------
    best : float
        The best value of this `fit`.
    best_epoch : int
        Its epoch, counted from 1; 0 before the first.

    Raises
    ------
    ValueError
        At the start of `fit`: there is no such column, or neither `mode` nor its name implies which values are better.

    Warns
    -----
    RuntimeWarning
        At the end of `fit`: the column never had a value, only NaN or the worst infinity.
    """

    setting_checks: ClassVar[Mapping[str, Check]] = MappingProxyType(
        {"monitor": check_column, "min_delta": number("[0, inf)"), "mode": optional(choice("min", "max"))}
    )

    def __init__(self, monitor: str, min_delta: float = 0.0, mode: str | None = None) -> None:
        self.monitor, self.min_delta, self.mode = monitor, min_delta, mode
        self.owner = type(self).__name__  # the callback that messages name
        self._begin(is_lower_better=True)

    def _begin(self, is_lower_better: bool) -> None:
        self._sign = -1 if is_lower_better else 1
        self.best = -self._sign * math.inf
        self.best_epoch = self._wait = self._n_epochs = 0

    def on_fit_begin(self, trainer: Training) -> None:
        self._begin(is_lower_better_in(self, trainer))

    def on_fit_end(self, trainer: Training) -> None:
        if self._n_epochs and not self.best_epoch and trainer.stop_reason != "error":
            message = f"{self.owner} found only NaN or infinity in {self.monitor!r}: there is no best epoch"
            warn_user(message, RuntimeWarning)

    def _is_better(self, value: float, other: float) -> bool:
        return self._sign * (value - other) > self.min_delta

    def record(self, epoch: int, value: float) -> bool:
        """Record the value of an epoch; return whether it is an improvement."""
        self._n_epochs += 1
        self._wait += 1
        if not self._is_better(value, self.best):
            return False
        self.best, self.best_epoch, self._wait = value, epoch, 0
        return True

    def state(self) -> State:
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self._wait}

    def restore(self, trainer: Training, state: State) -> None:
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self._wait = int(state["waited"])


def is_lower_better_in(callback: Monitor, trainer: Training) -> bool:
    """Whether the monitored column should decrease; ValueError if it does not exist or that is unknown."""
    column, columns = callback.monitor, trainer.run.columns
    if column not in columns:
        raise ValueError(f"{callback.owner} monitors {column!r}, but this fit records {_advice(column, columns)}")
    if callback.mode is not None:
        return callback.mode == "min"
    by_column = {f"validation_{metric.name}": metric for metric in getattr(trainer, "metrics", None) or ()}
    lower = by_column[column].lower_is_better if column in by_column else lower_is_better(column)
    if lower is None:
        raise ValueError(
            f"{callback.owner} monitors {column!r}, but it is unknown whether lower or higher values are better: pass "
            'mode="min" or mode="max" to it, or lower_is_better= to fastgd.metrics.Metric'
        )
    return lower


def _advice(column: str, columns: tuple[str, ...]) -> str:
    """The columns that there are, and what to do to monitor one like `column`."""
    by_lower = {name.lower(): name for name in columns}
    plain = column.lower().removeprefix("val_").removeprefix("validation_")
    similar = by_lower.get(f"validation_{plain}") or by_lower.get(column.lower())
    advice = f": did you mean {similar!r}?" if similar else ""
    if "val" in column and "validation_loss" not in columns:
        advice = "; pass validation=0.2 or validation=(X, y) to fit"
    return ", ".join(columns) + advice
