"""Callbacks that monitor a column of the history, or theta."""

import math
from types import MappingProxyType
from typing import cast

import numpy as np

from .._common.checks import check_bool, counted
from .._common.typing import Array
from .base import Callback, State, Training, integer, number, optional
from .monitor import Monitor


class EarlyStopping(Monitor):
    """Stop when a column of the history has stopped improving, and restore the best theta.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column of the history.
    patience : int >= 1, default=10
        Number of epochs without improvement after which the training stops.
    min_delta : float >= 0, default=0.0
        Smallest change that counts as an improvement (exclusive).
    restore_best : bool, default=True
        Restore theta, and the average of theta if the optimizer keeps one, of the best epoch of this `fit` when the
        `fit` ends for any reason but an error.  A later `fit(epochs=None)` still resumes from the last theta.
    mode : {"min", "max"} or None, default=None
        Whether lower or higher values are better, if the name of the column does not imply it.
    baseline : float or None, default=None
        A value to beat: epochs that are not better than it by more than `min_delta` are not improvements.  The
        best of them is restored nevertheless.
    start_from_epoch : int >= 0, default=0
        Number of epochs of this `fit` that are ignored, for a warm-up.

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

    Notes
    -----
    The rule is that of `keras.callbacks.EarlyStopping` with `restore_best_weights=True`, and NaN counts as an epoch
    without improvement.  It begins anew in each `fit` that does not resume a run.

    References
    ----------
    Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.
    """

    setting_checks = MappingProxyType(
        {
            **Monitor.setting_checks,
            "patience": integer(),
            "restore_best": check_bool,
            "baseline": optional(number("(-inf, inf)")),
            "start_from_epoch": integer(0),
        }
    )

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str | None = None,
        baseline: float | None = None,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.patience, self.restore_best = patience, restore_best
        self.baseline, self.start_from_epoch = baseline, start_from_epoch
        self._first_epoch = 0
        self._best_theta: Array | None = None
        self._best_average: Array | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        super().on_fit_begin(trainer)
        self._first_epoch = trainer.epoch
        self._best_theta = self._best_average = None

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if trainer.epoch <= self._first_epoch + self.start_from_epoch:
            return
        if not self.record(trainer.epoch, logs[self.monitor]):
            self._stop_if_exhausted(trainer)
        elif self.restore_best:
            self._best_theta = trainer.model.theta.copy()
            average = trainer.optimizer.averaged_theta
            self._best_average = None if average is None else average.copy()

    def record(self, epoch: int, value: float) -> bool:
        waited = self._wait + 1
        is_improvement = super().record(epoch, value)
        if is_improvement and self.baseline is not None and not self._is_better(value, self.baseline):
            self._wait = waited
        return is_improvement

    def on_fit_end(self, trainer: Training) -> None:
        super().on_fit_end(trainer)
        if self._best_theta is not None and trainer.stop_reason != "error":
            trainer.model.theta = self._best_theta
            average = trainer.optimizer.averaged_theta
            if self._best_average is not None and average is not None:
                np.copyto(average, self._best_average)
        self._best_theta = self._best_average = None

    def state(self) -> State:
        vectors = {"theta": self._best_theta, "average": self._best_average}
        numbers = super().state() | {"first_epoch": self._first_epoch}
        return numbers | {name: vector for name, vector in vectors.items() if vector is not None}

    def restore(self, trainer: Training, state: State) -> None:
        super().restore(trainer, state)
        self._first_epoch = int(state.get("first_epoch", trainer.epoch))
        self._best_theta, self._best_average = (cast("Array | None", state.get(name)) for name in ("theta", "average"))
        if self.best_epoch < trainer.epoch:
            self._stop_if_exhausted(trainer)  # a run that was saved when it stopped must not resume

    def _stop_if_exhausted(self, trainer: Training) -> None:
        if self._wait < self.patience:
            return
        waited = counted(self._wait, "epoch")
        if not self.best_epoch:
            trainer.stop(f"{self.monitor} has had no value for {waited}")
        elif self.baseline is not None and not self._is_better(self.best, self.baseline):
            trainer.stop(f"{self.monitor} was not better than the baseline {self.baseline:g} for {waited}")
        else:
            trainer.stop(f"{self.monitor} was best in epoch {self.best_epoch}, {waited} ago")


class BestEpoch(EarlyStopping):
    """Restore the theta of the best epoch at the end of `fit`, without stopping early.

    Parameters
    ----------
    monitor, min_delta, mode
        As in `EarlyStopping`.
    """

    def __init__(self, monitor: str = "validation_loss", min_delta: float = 0.0, mode: str | None = None) -> None:
        super().__init__(monitor, min_delta=min_delta, mode=mode)

    def _stop_if_exhausted(self, trainer: Training) -> None:
        """Never."""


class ReduceLROnPlateau(Monitor):
    """Reduce the learning rate when a column of the history has stopped improving.

    The lr of the optimizer, a number or a schedule, is multiplied by `factor`.  All epochs of the history in which
    the column has a value count, also those of earlier calls to `fit`, so that an interrupted and resumed run equals
    an uninterrupted one.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column of the history; see `EarlyStopping`.
    factor : float in (0, 1), default=0.1
    patience : int >= 1, default=10
        Number of epochs without improvement after which the rate is reduced.
    cooldown : int >= 0, default=0
        Number of epochs after a reduction before those without improvement count again; the last of them counts.
    min_lr : float >= 0, default=0.0
        Lower bound of the rate.
    min_delta, mode
        As in `EarlyStopping`.

    References
    ----------
    The rule is that of `keras.callbacks.ReduceLROnPlateau`, whose default of `min_delta` is 1e-4; that of PyTorch waits
    one epoch longer.
    """

    setting_checks = MappingProxyType(
        {
            **Monitor.setting_checks,
            "factor": number("(0, 1)"),
            "patience": integer(),
            "cooldown": integer(0),
            "min_lr": number("[0, inf)"),
        }
    )

    def __init__(
        self,
        monitor: str = "validation_loss",
        factor: float = 0.1,
        patience: int = 10,
        cooldown: int = 0,
        min_lr: float = 0.0,
        min_delta: float = 0.0,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.factor, self.patience, self.cooldown, self.min_lr = factor, patience, cooldown, min_lr
        self._cooldown_left = 0

    def on_fit_begin(self, trainer: Training) -> None:
        super().on_fit_begin(trainer)
        self._cooldown_left = 0
        history = trainer.history
        for epoch, value in zip(history["epoch"], history.get(self.monitor, ()), strict=False):
            self._is_plateau(int(epoch), value)
        self._n_epochs = 0  # of this fit

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._is_plateau(trainer.epoch, logs[self.monitor]):
            trainer.optimizer.reduce_lr(self.factor, self.min_lr)

    def state(self) -> State:
        return {}  # restored from the history

    def _is_plateau(self, epoch: int, value: float) -> bool:
        if math.isnan(value):  # not measured in this epoch, or not a number
            self._n_epochs += 1
            return False
        if self._cooldown_left > 0:
            self._cooldown_left -= 1
            self._wait = 0
        if self.record(epoch, value):
            return False
        if self._cooldown_left > 0 or self._wait < self.patience:
            return False
        self._wait, self._cooldown_left = 0, self.cooldown
        return True


class ParameterTolerance(Callback):
    """Stop when no parameter changes by more than a tolerance in an epoch; `Trainer.fit(tol=...)` adds it.

    Parameters
    ----------
    tol : float >= 0
        Largest absolute change of a parameter in an epoch at which the training stops.
    """

    setting_checks = MappingProxyType({"tol": number("[0, inf)")})

    def __init__(self, tol: float) -> None:
        self.tol = tol

    def on_fit_begin(self, trainer: Training) -> None:
        self._before = trainer.model.theta.copy()

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        change = np.abs(trainer.model.theta - self._before).max()
        if change <= self.tol:
            trainer.stop(f"no parameter changed by more than {self.tol:g} in epoch {trainer.epoch}")
        np.copyto(self._before, trainer.model.theta)

    def state(self) -> State:
        return {"before": self._before}

    def restore(self, trainer: Training, state: State) -> None:
        self._before = cast(Array, state["before"]).copy()
