"""What every callback is, and what it sees of a training."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from ..models.sequential import Sequential
from ..optimizers import Optimizer
from .history import History


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
    optimizer: Optimizer
    history: History
    epoch: int
    step: int
    stop_reason: str | None
    run: Run

    def stop(self, reason: str) -> None: ...

    def check_save(self, path: str | os.PathLike[str]) -> None: ...

    def save(self, path: str | os.PathLike[str]) -> None: ...


State: TypeAlias = "dict[str, float | int | NDArray[Any]]"


class Callback:
    """Hooks into `Trainer.fit`; each may call `trainer.stop("why")`, and read or change `trainer.model.theta`."""

    def on_fit_begin(self, trainer: Training) -> None:
        """After all checks, before the first step; an error raised here leaves model and optimiser untouched."""

    def next_step(self, trainer: Training) -> float:
        """The step after which `on_chunk_end` must be called at the latest: more than `trainer.step`; inf if none."""
        return math.inf

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        """After each epoch; `logs` is its row of the history, by column."""

    def on_chunk_end(self, trainer: Training) -> None:
        """After each call of the engine, be it within an epoch or after several, and after every `on_epoch_end`.

        That is every 50 ms or so, and after the step that `next_step` of a callback asked for.
        """

    def on_fit_end(self, trainer: Training) -> None:
        """At the end, however it came: `trainer.stop_reason` says how ("error" if an exception is on its way)."""

    def state(self) -> State:
        """What `Trainer.save` keeps of this callback: numbers and vectors of theta's dtype, by name."""
        return {}

    def restore(self, trainer: Training, state: State) -> None:
        """Take up that state, after `on_fit_begin` of a `fit(epochs=None)` that finishes a run; it may stop it too."""


# Classes as trainer files of the previous release name them.
_RENAMED = {"Movement": "ParameterTolerance"}


def states_of(callbacks: list[Callback]) -> list[tuple[str, State]]:
    """What callbacks remember, each with the name of its class."""
    return [(type(callback).__name__, state) for callback in callbacks if (state := callback.state())]


def restore(trainer: Training, callbacks: list[Callback], states: list[tuple[str, State]]) -> None:
    """Give each state to the first callback of its class that has none yet."""
    waiting = list(callbacks)
    for name, state in states:
        for callback in waiting:
            if type(callback).__name__ == _RENAMED.get(name, name):
                callback.restore(trainer, state)
                waiting.remove(callback)
                break


def looks_at_epochs(callback: Callback) -> bool:
    """Whether it has an `on_epoch_end` of its own."""
    return type(callback).on_epoch_end is not Callback.on_epoch_end


def check_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks as a list; TypeError for what is none."""
    if isinstance(callbacks, Callback):
        raise TypeError(f"callbacks must be a sequence: write callbacks=[{type(callbacks).__name__}(...)]")
    checked = list(callbacks)
    for callback in checked:
        if not isinstance(callback, Callback):
            advice = "; for a function, write callbacks.EveryEpoch(f)" if callable(callback) else ""
            if isinstance(callback, type):
                advice = f": write {callback.__name__}()"
            raise TypeError(f"a callback must be an object of a subclass of Callback, not {callback!r}{advice}")
    return checked
