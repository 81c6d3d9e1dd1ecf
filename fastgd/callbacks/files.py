"""Callbacks that write files: checkpoints, CSV logs, TensorBoard logs."""

import io
import os
import time
from types import MappingProxyType
from typing import Any

from .._common.checks import check_bool, shown
from .._common.files import check_replaceable, expand, replacing
from .base import Callback, State, Training, choice, integer, number, optional
from .monitor import Monitor, check_column


def _check_path(name: str, value: Any) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a str or an os.PathLike, not {shown(value)}")
    return path


def _check_pattern(name: str, value: Any) -> str:
    pattern = _check_path(name, value)
    if not pattern.endswith((".npz", ".safetensors")):
        raise ValueError(f"{name} must end in .npz or .safetensors: {pattern}")
    _fill_in(pattern, 0, 0)
    return pattern


def _fill_in(pattern: str, epoch: int, step: int) -> str:
    try:
        return pattern.format(epoch=epoch, step=step)
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(f'path may contain "{{epoch}}" and "{{step}}", but no other braces: {pattern}') from None


class Checkpoint(Callback):
    """Save the trainer at regular intervals, or whenever it is better, so that `Trainer.load(path)` can resume.

    Each file is replaced atomically: a crash while it is being written leaves the previous one intact.

    Parameters
    ----------
    path : str or path
        Ends in .npz or .safetensors.  "{epoch}" and "{step}" are replaced by the counters of the trainer; without them
        each checkpoint overwrites the previous one.  Folders with such names are created, others have to exist.
    epochs : int >= 1 or None, default=None
        Number of epochs between checkpoints; None: 1 if `minutes` and `best` are None too.
    minutes : float > 0 or None, default=None
        Minutes between checkpoints, even in the middle of an epoch.
    best : str or None, default=None
        Column of the history, such as "validation_loss": save after each epoch that is the best of this `fit` so far.
        Not together with `epochs` or `minutes`, which are for a checkpoint of their own.
    mode : {"min", "max"} or None, default=None
        Whether lower or higher values of `best` are better, if its name does not imply it; see `EarlyStopping`.

    Raises
    ------
    ValueError
        The path has another suffix or other fields in braces; or at the start of `fit`: there is no column `best`, or
        it is unknown which of its values are better.
    OSError, ImportError, TypeError
        At the start of `fit`: the folder does not exist or the file cannot be written, safetensors is not installed, or
        the trainer has parts that cannot be saved.
    """

    on_rank_0_only = True
    setting_checks = MappingProxyType(
        {
            "path": _check_pattern,
            "epochs": optional(integer()),
            "minutes": optional(number("(0, inf)")),
            "best": optional(check_column),
            "mode": optional(choice("min", "max")),
        }
    )

    def __init__(
        self,
        path: str | os.PathLike[str],
        epochs: int | None = None,
        minutes: float | None = None,
        best: str | None = None,
        mode: str | None = None,
    ) -> None:
        self.path: str = _check_pattern("path", path)
        self.epochs, self.minutes, self.best, self.mode = epochs, minutes, best, mode
        if best is not None and (epochs, minutes) != (None, None):
            raise ValueError("give either best or epochs and minutes: use two checkpoints with a path each")
        if best is None and epochs is None and minutes is None:
            self.epochs = 1
        self._monitor: Monitor | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        self._monitor = None if self.best is None else Monitor(self.best, mode=self.mode)
        if self._monitor is not None:
            self._monitor.owner = type(self).__name__
            self._monitor.on_fit_begin(trainer)
        self._folder, run = os.getcwd(), trainer.run  # relative paths stay where they are checked
        existing = os.path.dirname(self.path)
        while "{" in existing:
            existing = os.path.dirname(existing)
        last_step = trainer.step + (run.last_epoch - run.first_epoch) * run.rows  # or less
        longest_name = os.path.basename(_fill_in(self.path, run.last_epoch, last_step))
        trainer.check_save(os.path.join(self._folder, expand(existing), longest_name))
        self._saved, self._is_due = time.perf_counter(), False

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if self._monitor is not None:
            self._is_due = self._monitor.record(trainer.epoch, logs[self._monitor.monitor])
        else:
            self._is_due = self.epochs is not None and trainer.epoch % self.epochs == 0

    def on_chunk_end(self, trainer: Training) -> None:
        """Save here and not in `on_epoch_end`: by now the `on_epoch_end` of every callback has run."""
        is_late = self.minutes is not None and time.perf_counter() - self._saved >= 60 * self.minutes
        if self._is_due or is_late:
            path = os.path.join(self._folder, expand(_fill_in(self.path, trainer.epoch, trainer.step)))
            if "{" in os.path.dirname(self.path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            trainer.save(path)
            self._saved, self._is_due = time.perf_counter(), False

    def on_fit_end(self, trainer: Training) -> None:
        if self._monitor is not None:
            self._monitor.on_fit_end(trainer)

    def state(self) -> State:
        return {} if self._monitor is None else self._monitor.state()

    def restore(self, trainer: Training, state: State) -> None:
        if self._monitor is not None:
            self._monitor.restore(trainer, state)


class CSVLogger(Callback):
    """Append each epoch of the history to a CSV file.

    Parameters
    ----------
    path : str or path
        A device or pipe is written to as it is.
    append : bool, default=True
        Whether an existing file with the same columns is continued.  Its rows of epochs that are trained again, because
        the run resumes from an earlier checkpoint or begins anew, are dropped, so that each epoch appears once.
        False: replace the file.

    Raises
    ------
    ValueError
        At the start of `fit`: the file exists and has other columns, or is not a log.
    OSError
        The file cannot be written.
    """

    on_rank_0_only = True
    setting_checks = MappingProxyType({"path": _check_path, "append": check_bool})

    def __init__(self, path: str | os.PathLike[str], append: bool = True) -> None:
        self.path: str = _check_path("path", path)
        self.append = append

    def on_fit_begin(self, trainer: Training) -> None:
        self._file = os.path.abspath(expand(self.path))
        columns = list(trainer.run.columns)
        if os.path.exists(self._file) and not os.path.isfile(self._file):
            self._append(columns)
            return
        kept, is_whole = self._read_rows(columns, trainer.epoch) if self.append else ([], False)
        if is_whole:
            check_replaceable(self._file)
            return
        with replacing(self._file) as file:
            file.write("".join(map(_csv_line, [columns, *kept])).encode())

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        self._append([logs[name] for name in trainer.run.columns])

    def _append(self, row: list[Any]) -> None:
        """Write a row and close the file, so that it is complete after every epoch, whatever happens next."""
        try:
            with open(self._file, "a", newline="", encoding="utf-8") as file:
                file.write(_csv_line(row))
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error

    def _read_rows(self, columns: list[str], epoch: int) -> tuple[list[list[str]], bool]:
        """The rows up to an epoch that the file has, and whether it holds nothing else."""
        import csv  # on use, to keep `import fastgd` fast

        if not os.path.exists(self._file):
            return [], False
        try:
            with open(self._file, newline="", encoding="utf-8") as file:
                text = file.read()
            rows = list(csv.reader(io.StringIO(text)))
            rows = rows if text.endswith("\n") else rows[:-1]  # killed while it wrote a row
            kept = [row for row in rows[1:] if float(row[0]) <= epoch]
        except (ValueError, IndexError, csv.Error) as error:  # bytes that are not text, words instead of an epoch
            raise ValueError(f"{self.path} is not a log of epochs: {error}; give another path") from None
        if rows and rows[0] != columns:
            names = f"{', '.join(rows[0])}, but this fit records {', '.join(columns)}"
            raise ValueError(f"{self.path} has the columns {names}; give another path")
        return kept, len(rows) == 1 + len(kept) and text.endswith("\n")


def _csv_line(row: list[Any]) -> str:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()


class TensorBoard(Callback):
    """Log the history for TensorBoard; needs tensorboardX: `pip install "fastgd[tensorboard]"`.

    Parameters
    ----------
    folder : str or path, default="runs"
        The folder for `tensorboard --logdir folder`.  Training and validation values of a quantity share a chart.
        Epochs that are trained again replace their earlier entries.

    Raises
    ------
    ImportError
        At the start of `fit`: tensorboardX is not installed.
    """

    on_rank_0_only = True
    setting_checks = MappingProxyType({"folder": _check_path})

    def __init__(self, folder: str | os.PathLike[str] = "runs") -> None:
        self.folder: str = _check_path("folder", folder)
        self._writers: dict[str, Any] = {}

    def on_fit_begin(self, trainer: Training) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard needs tensorboardX: pip install "fastgd[tensorboard]"') from None
        parts = {_part(name) for name in trainer.run.columns}
        folder, next_epoch = expand(self.folder), trainer.epoch + 1
        self._writers = {
            part: SummaryWriter(os.path.join(folder, part), purge_step=next_epoch) for part in sorted(parts)
        }

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
