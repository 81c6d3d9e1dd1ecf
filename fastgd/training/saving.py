"""Saving and loading of a trainer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import IO, Any, TypeVar

from ..losses import Loss
from ..metrics import Metric
from .state import TrainSettings, TrainState

T = TypeVar("T", bound="Saving")  # Trainer


class Saving:
    """Base class of `Trainer`."""

    _settings: TrainSettings
    _state: TrainState

    def save(self, path: str | os.PathLike[str] | IO[bytes], format: str | None = None) -> None:
        """Write all that the next step depends on, except the data, to `path`, which ends in .npz or .safetensors.

        That is theta, the optimizer's state, the counters, the position within the epoch, seeds, schedules, settings
        and history, and for a run that is in progress or was stopped the states of its callbacks.  An older file is
        replaced only once the new one is complete.  A binary file object is written in `format`, "npz" (default) or
        "safetensors".  TypeError if a schedule or optimizer is custom code.
        """
        from . import checkpoint

        checkpoint.save(path, self._settings, self._state, format)

    def check_save(self, path: str | os.PathLike[str]) -> None:
        """Raise what `save(path)` would raise now; no file is changed."""
        from . import checkpoint

        checkpoint.check(path, self._settings, self._state)

    @classmethod
    def load(
        cls: type[T],
        path: str | os.PathLike[str] | IO[bytes],
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        metrics: Iterable[str | Callable[..., float] | Metric] | None = None,
        comm: Any = None,
    ) -> T:
        """Load a trainer that `save` wrote; `fit(X, y, epochs=None)` with the same data finishes its run.

        Parameters
        ----------
        path : path or binary file object
        loss, metrics, comm
            As in `Trainer`; None takes loss and metrics of the file.  Custom losses and metrics are code, which no file
            holds: pass them again.

        Raises
        ------
        ValueError
            The file is damaged or of another kind, or a custom loss or metric is missing.
        """
        from ..models import files
        from . import checkpoint

        with files.open_arrays(path) as file:
            trainer: T
            trainer, missing = checkpoint.restored(cls, checkpoint.load(file), loss=loss, metrics=metrics, comm=comm)
        checkpoint.check_custom(path, missing, "Trainer.load")
        return trainer
