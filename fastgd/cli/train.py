"""`fastgd train`: train a network on a table or on the digits, and save model and learning curves."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets, metrics, optimizers, plot, tables
from .._common.checks import counted
from .._common.typing import Array
from ..callbacks.history import History
from ..data.inputs import InputSpec
from ..data.scaling import Scaling
from ..data.splits import split_rows
from ..models import MLP, Sequential
from ..training.trainer import Trainer
from .console import INTERRUPTED, quote, report, warn
from .task import Decision, decide
from .train_options import LOSSES, add_options, task_name


def add_parser(commands: Any) -> None:
    """Add `train` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a table or on handwritten digits",
        usage="fastgd train [FILE --target COLUMN] [options]",
        description="Train a network to predict one column of a table from the others, which must be numbers. "
        "Writes the model, which `fastgd predict` reads, and a plot of the learning curves.",
    )
    parser.set_defaults(command=train)
    add_options(parser)


@dataclass(frozen=True)
class _Task:
    """Unscaled data, and what to predict."""

    name: str
    X: Array  # (rows, columns)
    target: str
    decision: Decision
    columns: tuple[str, ...] | None = None  # None: columns without names
    notes: tuple[str, ...] = ()  # how the file was read

    @property
    def inputs(self) -> InputSpec:
        """Names of the columns; pixels have none but one scale, so that those which hardly vary are not inflated."""
        if self.columns is not None:
            return InputSpec(names=np.array(self.columns, object))
        n = self.X.shape[1]
        return InputSpec(scaling=Scaling(mean=np.zeros(n), std=np.full(n, float(self.X.max()))))

    @property
    def y(self) -> Array:
        """The target, (rows,)."""
        return self.decision.y

    @property
    def classes(self) -> Array | None:
        """None for a regression."""
        return self.decision.classes


def train(options: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    tell: Callable[[str], None] = (lambda text: None) if options.quiet else report
    task = _load_task(options)
    train_rows = _train_rows(len(task.X), options)
    trainer = _make_trainer(task, min(options.batch_size, len(train_rows)), options)
    model_path, plot_path = options.out / "fastgd-model.npz", options.out / "fastgd-curve.png"
    _check_folder(options.out, model_path)
    for line in _describe(task, len(train_rows), trainer, options):
        tell(line)

    trainer.fit(
        task.X, task.y, options.epochs, validation=options.validation or None, verbose=0 if options.quiet else 1
    )
    is_interrupted = trainer.stop_reason == "interrupted"
    if is_interrupted and not trainer.step:
        tell("interrupted before the first step: no model was written")
        return INTERRUPTED
    held_out = np.setdiff1d(np.arange(len(task.X)), train_rows)
    rows, part = (held_out, "validation") if len(held_out) else (train_rows, "training")
    tell(_score(trainer.model, task, rows, part))
    trainer.model.save(model_path)
    tell(f"wrote {model_path}{', the model as it was when interrupted' if is_interrupted else ''}")
    tell(_save_curves(trainer.history, plot_path, task.name))
    return INTERRUPTED if is_interrupted else 0


def _load_task(options: argparse.Namespace) -> _Task:
    if options.file is None:
        if options.target is not None or options.drop:
            option = "--drop" if options.target is None else "--target"
            raise ValueError(f"{option} needs a file: fastgd train FILE --target COLUMN")
        if task_name(options) == "regression":
            raise ValueError("the digits are classes; a regression needs a file: fastgd train FILE --target COLUMN")
        X, y = datasets.digits()
        return _Task("digits", X, "the digit", Decision(y, np.arange(10)))
    if options.target is None:
        raise ValueError(f"which column should be predicted? fastgd train {options.file} --target COLUMN")
    task = task_name(options)
    table = _read_table(options)
    assert table.target is not None
    decision = decide(table.target, task)
    if not options.quiet:
        _warn(table, options)
    return _Task(options.file.name, table.X, options.target, decision, table.columns, table.notes)


def _read_table(options: argparse.Namespace) -> tables.Table:
    try:
        return tables.read_table(options.file, options.target, drop=options.drop, missing=options.missing)
    except tables.TableError as error:
        columns = [name for name in error.columns if name != options.target]
        if not columns:
            raise
        them = "this column" if len(columns) == 1 else "these columns"
        few = " ".join(f"--drop {shlex.quote(name)}" for name in columns[:4]) + (" ..." if len(columns) > 4 else "")
        raise ValueError(f"{error}; to leave out {them}: {few}") from None


def _warn(table: tables.Table, options: argparse.Namespace) -> None:
    """Say what is not obvious about the columns."""
    for name in table.indices:
        where = f"column {name!r}" if name in table.unused else name
        warn(f"{where} of {options.file.name} is taken for an index, as pandas writes it, and is not a feature")
    for name, reason in table.identifiers.items():
        advice = f"if it is an identifier: --drop {shlex.quote(name)}"
        warn(f"column {name!r} {reason}; {advice}")


def _describe(task: _Task, n_train: int, trainer: Trainer, options: argparse.Namespace) -> list[str]:
    """What was decided, in lines."""
    n_rows, n_columns = task.X.shape
    features = "" if task.columns is None else f": {quote(task.columns, limit=20)}"
    target = task.target if task.columns is None else repr(task.target)
    widths = "-".join(str(width) for width in (n_columns, *options.hidden, trainer.model.n_out))
    return [
        f"{task.name}: {n_rows:,} rows, {n_train:,} for training and {n_rows - n_train:,} for validation"
        + "".join(f"; {note}" for note in task.notes),
        f"target: {target}, {_describe_task(task)}",
        f"features: {counted(n_columns, 'column')}{features}",
        *([f"left out: {quote(options.drop, limit=20)}"] if options.drop else []),
        f"network: {widths}, {options.activation}, {trainer.model.size:,} parameters",
        f"training: {options.optimizer}, loss {trainer.loss.name}, {counted(options.epochs, 'epoch')}, "
        f"batch size {trainer.batch_size:,}",
    ]


def _describe_task(task: _Task) -> str:
    kind = "a regression" if task.classes is None else f"{len(task.classes):,} classes ({_list_classes(task.classes)})"
    return f"{kind}, {task.decision.reason}" if task.decision.reason else kind


def _list_classes(classes: Array) -> str:
    shown = ", ".join(map(str, classes[:8].tolist()))
    return shown + (", ..." if len(classes) > 8 else "")


def _train_rows(n: int, options: argparse.Namespace) -> Array:
    """Indices of the training rows."""
    share = options.validation
    if share and not 0 < round(share * n) < n:
        part = "validation" if round(share * n) == 0 else "training"
        raise ValueError(f"--validation {share:g} of {counted(n, 'row')} leaves no {part} rows")
    return split_rows(n, share, options.seed)[0] if share else np.arange(n)


def _make_trainer(task: _Task, batch_size: int, options: argparse.Namespace) -> Trainer:
    """A trainer that standardizes X, and y if the loss permits it, by the training rows."""
    _check_range(task)
    n_out = 1 if task.classes is None else len(task.classes)
    model = MLP(task.X.shape[1], *options.hidden, n_out, activation=options.activation, seed=options.seed)
    model.inputs = task.inputs
    settings = {} if options.lr is None else {"lr": options.lr}
    return Trainer(
        model,
        loss=options.loss or LOSSES["regression" if task.classes is None else "classification"][0],
        optimizer=optimizers.OPTIMIZERS[options.optimizer](**settings),
        batch_size=batch_size,
        n_threads=options.threads,
        standardize=True,
    )


def _check_range(task: _Task) -> None:
    columns = dict(zip(task.columns or (), task.X.T, strict=True)) if task.columns else {}
    if task.classes is None:
        columns[task.target] = task.y
    for name, values in columns.items():
        if np.abs(values).max() > 1e150:  # their squares overflow
            raise ValueError(f"column {name!r} has values beyond 1e150; use a larger unit")


def _check_folder(folder: Path, *files: Path) -> None:
    """Make the folder, and raise OSError now if a file cannot be written there later."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    for file in files:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))


def _score(model: Sequential, task: _Task, rows: Array, part: str) -> str:
    """A line with the accuracy, or R2 and RMSE, of the rows."""
    y, predicted = task.y[rows], model.predict(task.X[rows])
    if task.classes is None:
        return f"{part} R2 {metrics.r2(y, predicted):.4f}, typical error (RMSE) {metrics.rmse(y, predicted):.4g}"
    return f"{part} accuracy {metrics.accuracy(y, predicted):.2%} of {len(rows):,} rows"


def _save_curves(history: History, path: Path, name: str) -> str:
    """Save the learning curves if possible; return the line that reports it."""
    if not history["epoch"]:
        return "no plot of the learning curves: no epoch was completed"
    try:
        import matplotlib
    except ImportError:
        return 'no plot of the learning curves: pip install "fastgd[plot]"'
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = plot.curves(history, f"Learning curves: {name}")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return f"wrote {path}"
