"""Callbacks that watch a column of the history, and functions as callbacks."""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from .._common.checks import check_int, check_scalar
from .._common.typing import Array
from ..metrics import lower_is_better
from ..schedules import scaled
from .base import Callback, State, Training


class Monitor(Callback):
    """Keeps the best value of a column of the history, and how long it has not improved; what others build on.

    Parameters
    ----------
    monitor : str
        Column to watch.
    min_delta : float >= 0, default=0.0
        Only a change by more than this is an improvement.
    mode : {"min", "max"} or None, default=None
        Whether it should fall or rise; None: losses and errors should fall, anything else should rise.
    """

    def __init__(self, monitor: str, min_delta: float = 0.0, mode: str | None = None) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f'mode must be "min", "max" or None, not {mode!r}')
        self.monitor = monitor
        self.min_delta = check_scalar("min_delta", min_delta, "[0, inf)")
        self._sign = -1 if (lower_is_better(monitor) if mode is None else mode == "min") else 1
        self._forget()

    def _forget(self) -> None:
        self.best = -self._sign * math.inf
        self.best_epoch = 0
        self._waited = 0

    def on_fit_begin(self, trainer: Training) -> None:
        if self.monitor not in trainer.run.columns:
            name, columns = type(self).__name__, ", ".join(trainer.run.columns)
            meant = f"validation_{self.monitor.removeprefix('val_')}"
            advice = f": did you mean {meant!r}?" if meant in trainer.run.columns else ""
            if "val" in self.monitor and "validation_loss" not in trainer.run.columns:
                advice = "; pass validation=0.2 or validation=(X, y) to fit"
            raise ValueError(f"{name} watches {self.monitor!r}, but this fit records {columns}{advice}")
        self._forget()

    def _improves(self, epoch: int, value: float) -> bool:
        """Take note of the value of an epoch."""
        self._waited += 1
        if not self._sign * (value - self.best) > self.min_delta:
            return False
        self.best, self.best_epoch, self._waited = value, epoch, 0
        return True

    def state(self) -> State:
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self._waited}

    def restore(self, trainer: Training, state: State) -> None:
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self._waited = int(state["waited"])


class EarlyStopping(Monitor):
    """Stop when a column of the history has not improved for a while, and go back to the best theta.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column to watch.  Losses and errors should fall; anything else ("validation_accuracy", "validation_r2") should
        rise.
    patience : int >= 1, default=10
        Epochs without improvement before the training stops.
    min_delta : float >= 0, default=0.0
        Only a change by more than this is an improvement.
    restore_best : bool, default=True
        At the end of `fit`, whatever ended it but an error, theta is again that of the best epoch of this `fit`, and so
        is the average that the optimiser may keep.  A later `fit(epochs=None)` goes on from where the training was, all
        the same.
    mode : {"min", "max"} or None, default=None
        Whether the column should fall or rise, if its name does not tell.

    Attributes
    ----------
    best : float
        The best value of this `fit`.
    best_epoch : int
        Its epoch, counted from 1; 0 before the first.

    References
    ----------
    Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.patience = check_int("patience", patience)
        self.restore_best = restore_best
        self._theta: Array | None = None
        self._average: Array | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        super().on_fit_begin(trainer)
        self._theta = self._average = None

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._improves(trainer.epoch, logs[self.monitor]) and self.restore_best:
            self._theta = trainer.model.theta.copy()
            average = trainer.optimizer.averaged_theta
            self._average = None if average is None else average.copy()
        self._stop_if_stuck(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._theta is not None and trainer.stop_reason != "error":
            trainer.model.theta = self._theta
            average = trainer.optimizer.averaged_theta
            if self._average is not None and average is not None:
                np.copyto(average, self._average)
        self._theta = self._average = None

    def state(self) -> State:
        kept = {"theta": self._theta, "average": self._average}
        return super().state() | {name: vector for name, vector in kept.items() if vector is not None}

    def restore(self, trainer: Training, state: State) -> None:
        super().restore(trainer, state)
        self._theta, self._average = (cast("Array | None", state.get(name)) for name in ("theta", "average"))
        self._stop_if_stuck(trainer)  # a run that was saved as it stopped is not to go on

    def _stop_if_stuck(self, trainer: Training) -> None:
        if self._waited >= self.patience:
            trainer.stop(f"{self.monitor} was best in epoch {self.best_epoch}, {self._waited} epochs ago")


class BestEpoch(EarlyStopping):
    """Never stop, but at the end of `fit` go back to the theta of the best epoch.

    Parameters
    ----------
    monitor, min_delta, mode
        As in `EarlyStopping`.
    """

    def __init__(self, monitor: str = "validation_loss", min_delta: float = 0.0, mode: str | None = None) -> None:
        super().__init__(monitor, 2**63 - 1, min_delta, mode=mode)


class ReduceLROnPlateau(Monitor):
    """Lower the learning rate when a column of the history has not improved for a while.

    The optimiser's lr becomes lr factor, or the schedule that is its lr is scaled by factor.  What counts are all
    epochs of the history, also those of earlier calls of `fit`, so a run that was stopped goes on as if it never had.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column to watch; see `EarlyStopping`.
    factor : float in (0, 1), default=0.1
    patience : int >= 1, default=10
        Epochs without improvement before the rate is lowered.
    cooldown : int >= 0, default=0
        Epochs after that which do not count.
    min_lr : float >= 0, default=0.0
        The rate is never made lower than this.
    min_delta, mode
        As in `EarlyStopping`.

    References
    ----------
    The rule is that of `keras.callbacks.ReduceLROnPlateau`; PyTorch's waits one epoch longer.
    """

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
        self.factor = check_scalar("factor", factor, "(0, 1)")
        self.patience = check_int("patience", patience)
        self.cooldown = 0 if cooldown == 0 else check_int("cooldown", cooldown)
        self.min_lr = check_scalar("min_lr", min_lr, "[0, inf)")

    def on_fit_begin(self, trainer: Training) -> None:
        super().on_fit_begin(trainer)
        self._cooling = 0
        history = trainer.history
        for epoch, value in zip(history["epoch"], history.get(self.monitor, ()), strict=False):
            self._is_stuck(int(epoch), value)

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._is_stuck(trainer.epoch, logs[self.monitor]):
            optimizer = trainer.optimizer
            optimizer.lr = scaled(optimizer.lr, self.factor, self.min_lr)

    def state(self) -> State:
        return {}  # the history has it all

    def _is_stuck(self, epoch: int, value: float) -> bool:
        if math.isnan(value):  # an epoch without this column, or no number to go by
            return False
        improves = self._improves(epoch, value)
        if self._cooling > 0:
            self._cooling -= 1
            self._waited = 0
        if improves or self._waited < self.patience:
            return False
        self._waited, self._cooling = 0, self.cooldown
        return True


class ParameterTolerance(Callback):
    """Stop when theta stands still: no number of it changes by more than `tol` in an epoch; `Trainer.fit(tol=...)`."""

    def __init__(self, tol: float) -> None:
        self.tol = check_scalar("tol", tol, "[0, inf)")

    def on_fit_begin(self, trainer: Training) -> None:
        self._before = trainer.model.theta.copy()

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        movement = np.abs(trainer.model.theta - self._before).max()
        if movement <= self.tol:
            trainer.stop(f"no parameter moved by more than {self.tol:g} in epoch {trainer.epoch}")
        np.copyto(self._before, trainer.model.theta)

    def state(self) -> State:
        return {"before": self._before}

    def restore(self, trainer: Training, state: State) -> None:
        self._before = cast(Array, state["before"]).copy()


class EveryEpoch(Callback):
    """Call a function with the trainer after every n-th epoch of the training.

    Parameters
    ----------
    f : callable
        f(trainer) may read and change the trainer, and stop it.
    n : int >= 1, default=1
        Epochs are counted over all calls of `fit`.
    """

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = _function(f), check_int("n", n)

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if trainer.epoch % self.n == 0:
            self.f(trainer)


class EveryStep(Callback):
    """Call a function with the trainer after every n-th step of the training.

    Parameters
    ----------
    f : callable
        As in `EveryEpoch`.
    n : int >= 1, default=1
        Steps are counted over all calls of `fit`.  A call costs microseconds and cuts the work of the engine: a few
        thousand a second are free.
    """

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = _function(f), check_int("n", n)

    def next_step(self, trainer: Training) -> float:
        return trainer.step - trainer.step % self.n + self.n

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.step % self.n == 0:
            self.f(trainer)


def _function(f: Callable[[Any], object]) -> Callable[[Any], object]:
    if not callable(f):
        raise TypeError(f"f must be a function that takes the trainer, not {f!r}")
    return f
