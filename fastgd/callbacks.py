"""What watches a training: early stopping, the notes' own stop, progress on the screen.

To write one, subclass `Callback` and override what you need.  What a callback does not override costs nothing: without
`on_epoch_end` the trainer passes many epochs to the engine in one call.
"""

import math
import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ._checks import whole
from ._definition import number
from .arrays import Array
from .history import History
from .model import Sequential


@dataclass(eq=False)
class Run:
    """The `fit` under way.

    Attributes
    ----------
    first_epoch, last_epoch : int
        Epochs done before it, and to be done at its end.
    rows : int
        Training rows of an epoch.
    columns : tuple of str
        What it records in the history.
    rows_done : int
        Training rows used so far in this `fit`, each as often as it was used.
    loss : float
        Mean training loss of the engine's last call.
    """

    first_epoch: int
    last_epoch: int
    rows: int
    columns: tuple[str, ...]
    rows_done: int = 0
    loss: float = math.nan


class Training(Protocol):
    """What a callback sees of the trainer (see `Trainer`)."""

    model: Sequential
    history: History
    epoch: int
    step: int
    stop_reason: str | None
    run: Run

    def stop(self, reason: str) -> None: ...


class Callback:
    """Hooks into `Trainer.fit`; each may call `trainer.stop("why")`, and read or change `trainer.model.theta`."""

    def on_fit_begin(self, trainer: Training) -> None:
        """After all checks, before the first step; an error raised here leaves model and optimiser untouched."""

    def on_chunk_end(self, trainer: Training) -> None:
        """After each call of the engine: every 50 ms or so, be it within an epoch or after several."""

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        """After each epoch; `logs` is its row of the history, by column."""

    def on_fit_end(self, trainer: Training) -> None:
        """At the end, however it came: `trainer.stop_reason` says how ("error" if an exception is on its way)."""


class EarlyStopping(Callback):
    """Stop when a column of the history has not improved for a while, and go back to the best theta.

    Parameters
    ----------
    monitor : str, default="validation_loss"
        Column to watch.  Losses should fall; anything else ("validation_accuracy", "validation_r2") should rise.
    patience : int >= 1, default=10
        Epochs without improvement before the training stops.
    min_delta : float >= 0, default=0.0
        Only a change by more than this is an improvement.
    restore_best : bool, default=True
        At the end of `fit`, whatever ended it but an error, theta is again that of the best epoch of this `fit`.

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
    ) -> None:
        self.monitor = monitor
        self.patience = whole("patience", patience)
        self.min_delta = number("min_delta", min_delta, "[0, inf)")
        self.restore_best = restore_best
        self._forget()

    def _forget(self) -> None:
        self._sign = -1 if self.monitor.endswith("loss") else 1
        self.best = -self._sign * math.inf
        self.best_epoch = 0
        self._waited = 0
        self._theta: Array | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        if self.monitor not in trainer.run.columns:
            advice = "; pass validation=0.2 or validation=(X, y) to fit" if "validation" in self.monitor else ""
            raise ValueError(
                f"EarlyStopping watches {self.monitor!r}, but this fit records {', '.join(trainer.run.columns)}{advice}"
            )
        self._forget()

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._waited += 1
        if self._sign * (logs[self.monitor] - self.best) > self.min_delta:
            self.best, self.best_epoch, self._waited = logs[self.monitor], trainer.epoch, 0
            if self.restore_best:
                self._theta = trainer.model.theta.copy()
        if self._waited >= self.patience:
            trainer.stop(f"{self.monitor} was best in epoch {self.best_epoch}, {self._waited} epochs ago")

    def on_fit_end(self, trainer: Training) -> None:
        if self._theta is not None and trainer.stop_reason != "error":
            trainer.model.theta = self._theta
        self._theta = None


class Movement(Callback):
    """Stop when theta stands still: no number of it changes by more than `tol` in an epoch; `Trainer.fit(tol=...)`."""

    def __init__(self, tol: float) -> None:
        self.tol = number("tol", tol, "[0, inf)")

    def on_fit_begin(self, trainer: Training) -> None:
        self._before = trainer.model.theta.copy()

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        movement = np.abs(trainer.model.theta - self._before).max()
        if movement <= self.tol:
            trainer.stop(f"no parameter moved by more than {self.tol:g} in epoch {trainer.epoch}")
        np.copyto(self._before, trainer.model.theta)


class Progress(Callback):
    """Epochs, losses and rows per second on standard error; `Trainer.fit(verbose=1)` adds it.

    On a terminal they are drawn in place, by tqdm if it is installed, else as a plain line; elsewhere (a file, a pipe)
    there is a new line after every tenth of the epochs.
    """

    _SECONDS = 0.1  # between two drawings

    def on_fit_begin(self, trainer: Training) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar = _bar(trainer.run) if self._terminal else None
        self._started = self._drawn = time.perf_counter()
        self._tenths = 0

    def on_chunk_end(self, trainer: Training) -> None:
        if self._is_due(trainer.run, trainer.epoch):
            self._draw(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._terminal:
            self._draw(trainer)
        if self._bar is not None:
            self._bar.close()
        elif self._terminal:
            print(file=sys.stderr)
        if trainer.stop_reason == "interrupted":
            _say(f"interrupted after epoch {trainer.epoch}; the model keeps what it has learnt")
        elif trainer.stop_reason not in (None, "error"):
            _say(f"stopped after epoch {trainer.epoch}: {trainer.stop_reason}")

    def _is_due(self, run: Run, epoch: int) -> bool:
        if self._terminal:
            return time.perf_counter() - self._drawn >= self._SECONDS
        before, self._tenths = self._tenths, 10 * (epoch - run.first_epoch) // (run.last_epoch - run.first_epoch)
        return self._tenths > before

    def _draw(self, trainer: Training) -> None:
        run = trainer.run
        self._drawn = time.perf_counter()
        logs = {"loss": run.loss}
        if trainer.epoch > run.first_epoch:
            logs = {name: trainer.history[name][-1] for name in run.columns if "loss" in name or "validation" in name}
        text = "  ".join([f"epoch {trainer.epoch}/{run.last_epoch}", *(f"{k} {v:.4g}" for k, v in logs.items())])
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(run.rows_done - self._bar.n)
            return
        text += f"  {run.rows_done / (self._drawn - self._started):,.0f} rows/s"
        _say(text, in_place=self._terminal)


def _bar(run: Run) -> Any:
    """A tqdm bar over the rows of the run; None without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        total=run.rows * (run.last_epoch - run.first_epoch),
        unit=" rows",
        unit_scale=True,
        dynamic_ncols=True,
        bar_format="{percentage:3.0f}%|{bar:12}| {remaining} left, {rate_fmt}{postfix}",
    )


def _say(text: str, in_place: bool = False) -> None:
    """One line on standard error; in place, it writes over the line before (and erases what is left of it)."""
    print(f"\r\x1b[K{text}" if in_place else text, end="" if in_place else "\n", file=sys.stderr, flush=True)
