"""Callbacks that write files: checkpoints, CSV logs, TensorBoard logs."""

import os
import time
from typing import Any

from .._common.checks import check_int, check_scalar
from .base import Callback, Training


class Checkpoint(Callback):
    """Save the trainer at regular intervals, so that `Trainer.load(path)` can resume the training.

    Each file is replaced atomically: a crash while it is being written leaves the previous one intact.

    Parameters
    ----------
    path : str or path
        Ends in .npz or .safetensors.  "{epoch}" and "{step}" are replaced by the counters of the trainer; without them
        each checkpoint overwrites the previous one.
    epochs : int >= 1 or None, default=None
        Number of epochs between checkpoints; None: 1 if `minutes` is None too, else by time only.
    minutes : float > 0 or None, default=None
        Minutes between checkpoints, even in the middle of an epoch; None: by epochs only.

    Raises
    ------
    ValueError
        The path has another suffix or other fields in braces.
    FileNotFoundError, ImportError, TypeError
        At the start of `fit`: the folder does not exist, safetensors is not installed, or the trainer has parts that
        cannot be saved.
    """

    def __init__(self, path: str | os.PathLike[str], epochs: int | None = None, minutes: float | None = None) -> None:
        self.path = os.fspath(path)
        if not self.path.endswith((".npz", ".safetensors")):
            raise ValueError(f"path must end in .npz or .safetensors: {self.path}")
        _format_path(self.path, 0, 0)
        self.minutes = None if minutes is None else check_scalar("minutes", minutes, "(0, inf)")
        self.epochs = None if epochs is None else check_int("epochs", epochs)
        if epochs is None and minutes is None:
            self.epochs = 1

    def on_fit_begin(self, trainer: Training) -> None:
        trainer.check_save(_format_path(self.path, trainer.epoch, trainer.step))
        self._saved, self._is_due = time.perf_counter(), False

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._is_due = self.epochs is not None and trainer.epoch % self.epochs == 0

    def on_chunk_end(self, trainer: Training) -> None:
        """Save here and not in `on_epoch_end`: by now the `on_epoch_end` of every callback has run."""
        is_late = self.minutes is not None and time.perf_counter() - self._saved >= 60 * self.minutes
        if self._is_due or is_late:
            trainer.save(_format_path(self.path, trainer.epoch, trainer.step))
            self._saved, self._is_due = time.perf_counter(), False


def _format_path(pattern: str, epoch: int, step: int) -> str:
    try:
        return pattern.format(epoch=epoch, step=step)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(f'path may contain "{{epoch}}" and "{{step}}", but no other braces: {pattern}') from None


class CSVLogger(Callback):
    """Append each epoch of the history to a CSV file.

    Parameters
    ----------
    path : str or path
        An existing file with the same columns is continued.

    Raises
    ------
    ValueError
        At the start of `fit`: the file exists and has other columns.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def on_fit_begin(self, trainer: Training) -> None:
        import csv  # on use, to keep `import fastgd` fast

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
    """Log the history for TensorBoard; needs tensorboardX: `pip install "fastgd[tensorboard]"`.

    Parameters
    ----------
    folder : str or path, default="runs"
        The folder for `tensorboard --logdir folder`.  Training and validation values of a quantity share a chart.

    Raises
    ------
    ImportError
        At the start of `fit`: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str] = "runs") -> None:
        self.folder = os.fspath(folder)
        self._writers: dict[str, Any] = {}

    def on_fit_begin(self, trainer: Training) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard needs tensorboardX: pip install "fastgd[tensorboard]"') from None
        parts = {_part(name) for name in trainer.run.columns}
        self._writers = {part: SummaryWriter(os.path.join(self.folder, part)) for part in sorted(parts)}

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if name != "epoch":
                self._writers[_part(name)].add_scalar(name.removeprefix("validation_"), value, trainer.epoch)

    def on_fit_end(self, trainer: Training) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _part(name: str) -> str:
    """The rows that a column of the history is measured on."""
    return "validation" if name.startswith("validation_") else "training"
