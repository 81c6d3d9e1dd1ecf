"""Callbacks that write files: checkpoints, tables, TensorBoard."""

import os
import time
from typing import Any

from .._common.checks import check_int, check_scalar
from .base import Callback, Training


class Checkpoint(Callback):
    """Save the trainer every so many epochs or minutes, so that `Trainer.load(path)` goes on from there.

    Each file is written aside and moved into its place: a crash while it is written leaves the older one.

    Parameters
    ----------
    path : str or path
        Ends in .npz or .safetensors; "{epoch}" and "{step}" in it become numbers, else each file replaces the last.
    epochs : int >= 1 or None, default=None
        Save after every so many epochs; 1 if `minutes` is None too.
    minutes : float > 0 or None, default=None
        Save when so many minutes have passed since the last time, also in the middle of an epoch.

    Raises
    ------
    ValueError
        The path does not end so, or has other words in braces.
    FileNotFoundError, ImportError, TypeError
        At the beginning of `fit`: its folder or its package is not there, or the trainer has parts that no file keeps.
    """

    def __init__(self, path: str | os.PathLike[str], epochs: int | None = None, minutes: float | None = None) -> None:
        self.path = os.fspath(path)
        if not self.path.endswith((".npz", ".safetensors")):
            raise ValueError(f"path must end in .npz or .safetensors: {self.path}")
        _path(self.path, 0, 0)
        self.minutes = None if minutes is None else check_scalar("minutes", minutes, "(0, inf)")
        self.epochs = None if epochs is None else check_int("epochs", epochs)
        if epochs is None and minutes is None:
            self.epochs = 1

    def on_fit_begin(self, trainer: Training) -> None:
        trainer.check_save(_path(self.path, trainer.epoch, trainer.step))
        self._saved, self._is_due = time.perf_counter(), False

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._is_due = self.epochs is not None and trainer.epoch % self.epochs == 0

    def on_chunk_end(self, trainer: Training) -> None:
        """Here and not at the end of the epoch: by now every callback has seen the epoch and done its part."""
        late = self.minutes is not None and time.perf_counter() - self._saved >= 60 * self.minutes
        if self._is_due or late:
            trainer.save(_path(self.path, trainer.epoch, trainer.step))
            self._saved, self._is_due = time.perf_counter(), False


def _path(pattern: str, epoch: int, step: int) -> str:
    try:
        return pattern.format(epoch=epoch, step=step)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(f'path may have "{{epoch}}" and "{{step}}" in it and no other braces: {pattern}') from None


class CSVLogger(Callback):
    """Write the history, row by row as it grows, to a file of comma-separated values.

    Parameters
    ----------
    path : str or path
        A file that exists is continued if its first line has the same columns, else refused with a ValueError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def on_fit_begin(self, trainer: Training) -> None:
        import csv  # few need it, and `import fastgd` is to be quick

        columns, found = list(trainer.run.columns), []
        if os.path.exists(self.path):
            with open(self.path, newline="", encoding="utf-8") as file:
                found = next(csv.reader(file), [])
        if not found:
            self._write("w", columns)
        elif found != columns:
            names = f"{', '.join(found)}, but this fit records {', '.join(columns)}"
            raise ValueError(f"{self.path} has the columns {names}; give another path")

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._write("a", [logs[name] for name in trainer.run.columns])

    def _write(self, mode: str, row: list[Any]) -> None:
        import csv

        with open(self.path, mode, newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(row)


class TensorBoard(Callback):
    """Write the history for TensorBoard; needs tensorboardX: `pip install "fastgd[tensorboard]"`.

    Parameters
    ----------
    folder : str or path, default="runs"
        For `tensorboard --logdir folder`.  Columns that begin with "validation_" share a chart with the others.
    """

    def __init__(self, folder: str | os.PathLike[str] = "runs") -> None:
        self.folder = os.fspath(folder)
        self._writers: dict[str, Any] = {}

    def on_fit_begin(self, trainer: Training) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard needs tensorboardX: pip install "fastgd[tensorboard]"') from None
        kinds = {_kind(name) for name in trainer.run.columns}
        self._writers = {kind: SummaryWriter(os.path.join(self.folder, kind)) for kind in sorted(kinds)}

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if name != "epoch":
                kind = _kind(name)
                self._writers[kind].add_scalar(name.removeprefix("validation_"), value, trainer.epoch)

    def on_fit_end(self, trainer: Training) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _kind(name: str) -> str:
    return "validation" if name.startswith("validation_") else "training"
