"""Stopping by the training loss: what `fit(epochs="auto")` and `fit(tol=...)` add to the callbacks."""

import math
from collections.abc import Sequence
from typing import Any

from .._common.checks import check_int, check_scalar, counted, shown
from .._common.warn import warn_user
from ..callbacks.base import Callback, State, Training
from ..callbacks.monitors import ParameterTolerance

# epochs="auto" is as many as scikit-learn's networks train at most, and stops at its tolerance.  The patience is twice
# scikit-learn's, as the losses of small batches fluctuate more: on its data sets, unscaled, 10 stops too early.
AUTO, AUTO_EPOCHS, AUTO_TOL, PATIENCE = "auto", 200, 1e-4, 20


class LossTolerance(Callback):
    """Stop when the training loss has stopped falling.

    Parameters
    ----------
    tol : float >= 0
        A loss counts as lower if it is so by more than this.
    n_iter_no_change : int >= 1
        Number of epochs without a lower loss after which the training stops.
    """

    def __init__(self, tol: float, n_iter_no_change: int = PATIENCE) -> None:
        self.tol = check_scalar("tol", tol, "[0, inf)")
        self.n_iter_no_change = check_int("n_iter_no_change", n_iter_no_change)
        self._best, self._waited = math.inf, 0

    def on_fit_begin(self, trainer: Training) -> None:
        self._best, self._waited = math.inf, 0

    def next_epoch(self, trainer: Training) -> float:
        return trainer.epoch + self.n_iter_no_change - self._waited

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._waited += 1
        if self._best - logs["loss"] > self.tol:
            self._best, self._waited = logs["loss"], 0
        self._stop_if_exhausted(trainer)

    def state(self) -> State:
        return {
            "best": self._best,
            "waited": self._waited,
            "tol": self.tol,
            "n_iter_no_change": self.n_iter_no_change,
        }

    def restore(self, trainer: Training, state: State) -> None:
        self._best, self._waited = float(state["best"]), int(state["waited"])
        self.tol, self.n_iter_no_change = float(state["tol"]), int(state["n_iter_no_change"])
        self._stop_if_exhausted(trainer)  # a run that was saved when it stopped must not resume

    def _stop_if_exhausted(self, trainer: Training) -> None:
        if self._waited >= self.n_iter_no_change:
            trainer.stop(f"the loss has not fallen by more than {self.tol:g} for {counted(self._waited, 'epoch')}")


def loss_tolerance(
    epochs: int | str | None, tol: float | None, n_iter_no_change: int | None, saved: Sequence[tuple[str, State]]
) -> list[Callback]:
    """The callback that the arguments of `fit` ask for, if any.

    Parameters
    ----------
    epochs, tol, n_iter_no_change
        As in `Trainer.fit`.
    saved : sequence of (str, dict)
        What the callbacks of a run that was stopped have left: `fit(epochs=None)` continues with its tolerance.
    """
    is_given = tol is not None
    if tol is None and (epochs == AUTO or (epochs is None and LossTolerance.__name__ in dict(saved))):
        tol = AUTO_TOL
    elif tol is None and n_iter_no_change is not None:
        raise ValueError(f"n_iter_no_change={shown(n_iter_no_change)} needs a tol, such as 1e-4, or epochs={AUTO!r}")
    stop: list[Callback] = (
        [] if tol is None else [LossTolerance(tol, PATIENCE if n_iter_no_change is None else n_iter_no_change)]
    )
    if is_given and n_iter_no_change is None:
        warn_user(
            "tol has another meaning than in fastgd 0.1: fit stops when the training loss has not fallen by more than "
            "tol for n_iter_no_change epochs, as in scikit-learn. Pass n_iter_no_change too, or for the largest change "
            f"of a parameter callbacks=[callbacks.{ParameterTolerance.__name__}({tol!r})]",
            DeprecationWarning,
        )
    return stop


def number_of_epochs(epochs: Any) -> int:
    """The number that the `epochs` of `fit` stand for, if not None.

    Raises
    ------
    TypeError, ValueError
        It is neither "auto" nor an integer >= 1.
    """
    if isinstance(epochs, str):
        if epochs != AUTO:
            raise ValueError(f"epochs must be an integer of 1 or more, {AUTO!r} or None, not {epochs!r}")
        return AUTO_EPOCHS
    return check_int("epochs", epochs)
