"""Callbacks that monitor a column of the history or theta, and callbacks that call user functions."""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from .._common.checks import INT_MAX, check_int, check_scalar
from .._common.typing import Array
from ..metrics import lower_is_better
from .base import Callback, State, Training


class Monitor(Callback):
    """Base class: track the best value of a column of the history and the number of epochs since then.

    Parameters
    ----------
    monitor : str
        Column of the history.
    min_delta : float >= 0, default=0.0
        Smallest change that counts as an improvement (exclusive).
    mode : {"min", "max"} or None, default=None
        Whether lower or higher values are better; None: lower for losses and errors, higher for anything else.

    Attributes
    ----------
    best : float
        The best value of this `fit`.
    best_epoch : int
        Its epoch, counted from 1; 0 before the first.
    """

    def __init__(self, monitor: str, min_delta: float = 0.0, mode: str | None = None) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f'mode must be "min", "max" or None, not {mode!r}')
        self.monitor = monitor
        self.min_delta = check_scalar("min_delta", min_delta, "[0, inf)")
        self._sign = -1 if (lower_is_better(monitor) if mode is None else mode == "min") else 1
        self._reset()

    def _reset(self) -> None:
        self.best = -self._sign * math.inf
        self.best_epoch = 0
        self._wait = 0

    def on_fit_begin(self, trainer: Training) -> None:
        if self.monitor not in trainer.run.columns:
            name, columns = type(self).__name__, ", ".join(trainer.run.columns)
            similar = f"validation_{self.monitor.removeprefix('val_')}"
            advice = f": did you mean {similar!r}?" if similar in trainer.run.columns else ""
            if "val" in self.monitor and "validation_loss" not in trainer.run.columns:
                advice = "; pass validation=0.2 or validation=(X, y) to fit"
            raise ValueError(f"{name} monitors {self.monitor!r}, but this fit records {columns}{advice}")
        self._reset()

    def _record(self, epoch: int, value: float) -> bool:
        """Record the value of an epoch; return whether it is an improvement."""
        self._wait += 1
        if not self._sign * (value - self.best) > self.min_delta:
            return False
        self.best, self.best_epoch, self._wait = value, epoch, 0
        return True

    def state(self) -> State:
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self._wait}

    def restore(self, trainer: Training, state: State) -> None:
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self._wait = int(state["waited"])


class EarlyStopping(Monitor):
    """Stop when a column of the history has stopped improving, and restore the best theta.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column of the history.  Losses and errors should decrease; anything else ("validation_accuracy",
        "validation_r2") should increase.
    patience : int >= 1, default=10
        Number of epochs without improvement after which the training stops.
    min_delta : float >= 0, default=0.0
        Smallest change that counts as an improvement (exclusive).
    restore_best : bool, default=True
        Restore theta, and the average of theta if the optimiser keeps one, of the best epoch of this `fit` when the
        `fit` ends for any reason but an error.  A later `fit(epochs=None)` still resumes from the last theta.
    mode : {"min", "max"} or None, default=None
        Whether lower or higher values are better, if the name of the column does not imply it.

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
        self._best_theta: Array | None = None
        self._best_average: Array | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        super().on_fit_begin(trainer)
        self._best_theta = self._best_average = None

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._record(trainer.epoch, logs[self.monitor]) and self.restore_best:
            self._best_theta = trainer.model.theta.copy()
            average = trainer.optimizer.averaged_theta
            self._best_average = None if average is None else average.copy()
        self._stop_if_exhausted(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._best_theta is not None and trainer.stop_reason != "error":
            trainer.model.theta = self._best_theta
            average = trainer.optimizer.averaged_theta
            if self._best_average is not None and average is not None:
                np.copyto(average, self._best_average)
        self._best_theta = self._best_average = None

    def state(self) -> State:
        vectors = {"theta": self._best_theta, "average": self._best_average}
        return super().state() | {name: vector for name, vector in vectors.items() if vector is not None}

    def restore(self, trainer: Training, state: State) -> None:
        super().restore(trainer, state)
        self._best_theta, self._best_average = (cast("Array | None", state.get(name)) for name in ("theta", "average"))
        self._stop_if_exhausted(trainer)  # a run that was saved when it stopped must not resume

    def _stop_if_exhausted(self, trainer: Training) -> None:
        if self._wait >= self.patience:
            trainer.stop(f"{self.monitor} was best in epoch {self.best_epoch}, {self._wait} epochs ago")


class BestEpoch(EarlyStopping):
    """Restore the theta of the best epoch at the end of `fit`, without stopping early.

    Parameters
    ----------
    monitor, min_delta, mode
        As in `EarlyStopping`.
    """

    def __init__(self, monitor: str = "validation_loss", min_delta: float = 0.0, mode: str | None = None) -> None:
        super().__init__(monitor, INT_MAX, min_delta, mode=mode)


class ReduceLROnPlateau(Monitor):
    """Reduce the learning rate when a column of the history has stopped improving.

    The lr of the optimiser, a number or a schedule, is multiplied by `factor`.  All epochs of the history count, also
    those of earlier calls of `fit`, so that an interrupted and resumed run equals an uninterrupted one.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column of the history; see `EarlyStopping`.
    factor : float in (0, 1), default=0.1
    patience : int >= 1, default=10
        Number of epochs without improvement after which the rate is reduced.
    cooldown : int >= 0, default=0
        Number of epochs after a reduction that do not count.
    min_lr : float >= 0, default=0.0
        Lower bound of the rate.
    min_delta, mode
        As in `EarlyStopping`.

    References
    ----------
    The rule is that of `keras.callbacks.ReduceLROnPlateau`; that of PyTorch waits one epoch longer.
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
        self._cooldown_left = 0
        history = trainer.history
        for epoch, value in zip(history["epoch"], history.get(self.monitor, ()), strict=False):
            self._is_plateau(int(epoch), value)

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._is_plateau(trainer.epoch, logs[self.monitor]):
            trainer.optimizer.reduce_lr(self.factor, self.min_lr)

    def state(self) -> State:
        return {}  # restored from the history

    def _is_plateau(self, epoch: int, value: float) -> bool:
        if math.isnan(value):  # not measured in this epoch, or not a number
            return False
        is_improvement = self._record(epoch, value)
        if self._cooldown_left > 0:
            self._cooldown_left -= 1
            self._wait = 0
        if is_improvement or self._wait < self.patience:
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

    def __init__(self, tol: float) -> None:
        self.tol = check_scalar("tol", tol, "[0, inf)")

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


class EveryEpoch(Callback):
    """Call a function with the trainer after every n-th epoch of the training.

    Parameters
    ----------
    f : callable
        f(trainer) may read, change and stop the trainer.
    n : int >= 1, default=1
        Epochs are counted over all calls of `fit`.

    Raises
    ------
    TypeError
        `f` is not callable.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> norms = []
    >>> record = EveryEpoch(lambda trainer: norms.append(float((trainer.model.theta**2).sum())))
    >>> trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy")
    >>> history = trainer.fit(X / 16, y, epochs=3, callbacks=[record], verbose=0)
    >>> len(norms)
    3
    """

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = _check_callable(f), check_int("n", n)

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
        Steps are counted over all calls of `fit`.  Each call interrupts the engine and costs microseconds; a few
        thousand per second cost no measurable time.
    """

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = _check_callable(f), check_int("n", n)

    def next_step(self, trainer: Training) -> float:
        return trainer.step - trainer.step % self.n + self.n

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.step % self.n == 0:
            self.f(trainer)


def _check_callable(f: Callable[[Any], object]) -> Callable[[Any], object]:
    if not callable(f):
        raise TypeError(f"f must be a function of the trainer, not {f!r}")
    return f
