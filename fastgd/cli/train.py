"""`fastgd train`: train a network on a CSV file or on the digits, and save model and learning curves."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import datasets, metrics, optimizers, plot
from .._common.typing import Array
from ..activations import ACTIVATIONS
from ..callbacks.history import History
from ..data.splits import split_rows
from ..models import MLP, Sequential
from ..training.trainer import Trainer

# An integer target is a class if it has at most this many distinct values ...
_MAX_CLASSES = 20
# ... and at least this many rows per value, on average.
_MIN_ROWS_PER_CLASS = 5
# The losses of each task, the default first.  The quantile loss is not offered: it determines the number of outputs.
_LOSSES = {
    "classification": ("cross_entropy", "focal"),
    "regression": ("mse", "mae", "huber", "log_cosh", "poisson", "gamma"),
}
# Standard deviations below this multiple of the mean are rounding errors of a constant column.
_ROUNDING = 1e-12
_HIDDEN_ACTIVATIONS = tuple(name for name, f in ACTIVATIONS.items() if not f.rowwise)


def add_parser(commands: Any) -> None:
    """Add `train` to the sub-commands of an argparse parser."""
    parser = commands.add_parser("train", help="train a network on a CSV file or on handwritten digits")
    parser.set_defaults(command=train)
    add = parser.add_argument
    # fmt: off
    add("file", nargs="?", type=Path, metavar="FILE.csv",
        help="table with a header line and numeric columns; default: 1,797 handwritten digits")
    add("--target", metavar="COLUMN", help="name of the column to predict")
    add("--task", choices=("auto", "classification", "regression"), default="auto",
        help="auto: classification if the target is text or has few distinct integers")
    add("--loss", choices=[name for names in _LOSSES.values() for name in names],
        help="default: cross_entropy for classification, mse for regression")
    add("--epochs", type=_positive_int, default=30, metavar="N", help="passes over the rows (default: %(default)s)")
    add("--batch-size", type=_positive_int, default=32, metavar="N", help="rows per step (default: %(default)s)")
    add("--lr", type=float, metavar="RATE", help="learning rate (default: that of the optimiser)")
    add("--hidden", type=_hidden_widths, default=(64, 64), metavar="N,N,...",
        help="widths of the hidden layers, or 0 for a linear model (default: 64,64)")
    add("--activation", choices=_HIDDEN_ACTIVATIONS, default="relu",
        help="activation of the hidden layers (default: %(default)s)")
    add("--optimizer", choices=tuple(optimizers.OPTIMIZERS), default="adam", help="default: %(default)s")
    add("--validation", type=float, default=0.2, metavar="SHARE",
        help="share of the rows held out for validation, 0 for none (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N",
        help="seed of weights, split and order of rows (default: %(default)s)")
    add("--threads", type=_positive_int, metavar="N",
        help="maximum number of threads (default: the available processors)")
    add("--out", type=Path, default=Path("."), metavar="DIR",
        help="folder for model and learning curves (default: the current folder)")
    add("--quiet", action="store_true", help="print errors only")
    # fmt: on


def _hidden_widths(text: str) -> tuple[int, ...]:
    try:
        return () if text == "0" else tuple(map(_positive_int, text.split(",")))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be integers like 64,64, or 0 for a linear model, not {text!r}"
        ) from None


@dataclass(frozen=True)
class _Task:
    """Unscaled data, and what to predict."""

    name: str
    X: Array  # (rows, columns)
    y: Array  # (rows,)
    classes: Array | None  # None for a regression
    same_unit: bool = False  # whether all columns share a unit, as pixels do


class _Scaling(NamedTuple):
    """Standardisation: (x - mean) / scale for each column, (y - y_mean) / y_scale for regression targets."""

    mean: Array  # (columns,)
    scale: Array  # (columns,)
    y_mean: float = 0.0
    y_scale: float = 1.0


def train(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    report = (lambda text: None) if options.quiet else print
    task = _load_task(options)
    train_rows = _train_rows(len(task.X), options)
    trainer = _make_trainer(task, min(options.batch_size, len(train_rows)), options)
    scaling = _fit_scaling(task, train_rows, trainer.loss.link)
    options.out.mkdir(parents=True, exist_ok=True)
    kind = "a regression" if task.classes is None else f"{len(task.classes)} classes"
    n_rows, n_columns = task.X.shape
    report(f"{task.name}: {n_rows:,} rows, {n_columns:,} columns, {kind}; {len(train_rows):,} rows to train on")

    model = _fit(trainer, task, scaling, options)
    held_out = np.setdiff1d(np.arange(n_rows), train_rows)
    rows, part = (held_out, "validation") if len(held_out) else (train_rows, "training")
    report(_score(model, task, rows, part))

    model.save(options.out / "fastgd-model.npz")
    report(f"wrote {options.out / 'fastgd-model.npz'}")
    report(_save_curves(trainer.history, options.out / "fastgd-curve.png", task.name))


def _load_task(options: argparse.Namespace) -> _Task:
    if options.file is None:
        if options.target is not None:
            raise ValueError("--target needs a file: fastgd train FILE.csv --target COLUMN")
        if _task_name(options) == "regression":
            raise ValueError("the digits are classes; a regression needs a file: fastgd train FILE.csv --target COLUMN")
        return _Task("digits", *datasets.digits(), np.arange(10), same_unit=True)
    if options.target is None:
        raise ValueError(f"which column should be predicted? fastgd train {options.file} --target COLUMN")
    table = datasets.read_csv(options.file, options.target)
    assert table.y is not None
    classes = _classes(table.y, options)
    return _Task(options.file.name, table.X, table.y, classes)


def _classes(y: Array, options: argparse.Namespace) -> Array | None:
    """The classes in the target column; None for a regression."""
    is_text, task = y.dtype.kind == "U", _task_name(options)
    if task == "regression":
        if is_text:
            raise ValueError(f"a regression needs numbers, but column {options.target!r} has {str(y[0])!r}")
        return None
    classes = np.unique(y)
    has_few = y.dtype.kind == "i" and len(classes) <= min(_MAX_CLASSES, len(y) // _MIN_ROWS_PER_CLASS)
    if task == "auto" and not is_text and not has_few:
        return None
    if len(classes) < 2:
        raise ValueError(
            f"column {options.target!r} has the value {str(y[0])!r} in every row: there is nothing to classify"
        )
    return classes


def _task_name(options: argparse.Namespace) -> str:
    """The task given by --task or implied by --loss; "auto" if neither is given."""
    task: str = options.task
    for name, losses in _LOSSES.items():
        if options.loss in losses and task == "auto":
            return name
        if options.loss in losses and task != name:
            raise ValueError(f"--loss {options.loss} is for a {name}, but --task says {task}")
    return task


def _train_rows(n: int, options: argparse.Namespace) -> Array:
    """Indices of the training rows."""
    return np.arange(n) if options.validation == 0 else split_rows(n, options.validation, options.seed)[0]


def _make_trainer(task: _Task, batch_size: int, options: argparse.Namespace) -> Trainer:
    n_out = 1 if task.classes is None else len(task.classes)
    settings = {} if options.lr is None else {"lr": options.lr}
    return Trainer(
        MLP(task.X.shape[1], *options.hidden, n_out, activation=options.activation, seed=options.seed),
        loss=options.loss or _LOSSES["regression" if task.classes is None else "classification"][0],
        optimizer=optimizers.OPTIMIZERS[options.optimizer](**settings),
        batch_size=batch_size,
        n_threads=options.threads,
    )


def _fit_scaling(task: _Task, train_rows: Array, link: str) -> _Scaling:
    """Standardise by the training rows only, since the others stand for unseen data.

    Positive targets, those of losses with a log link, are not scaled.
    """
    mean, scale = _mean_and_scale(task.X[train_rows])
    if task.same_unit:  # keep proportions, so that columns which hardly vary are not inflated
        scale[:] = scale.max()
    if task.classes is not None or link == "log":
        return _Scaling(mean, scale)
    y_mean, y_scale = _mean_and_scale(task.y[train_rows])
    return _Scaling(mean, scale, float(y_mean), float(y_scale))


def _mean_and_scale(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column; constant columns have the scale 1."""
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    if not np.isfinite(scale).all():
        raise ValueError("a column has values beyond 1e150, whose squares overflow; use a larger unit")
    return mean, np.where(scale > _ROUNDING * np.abs(mean), scale, 1)


def _fit(trainer: Trainer, task: _Task, scaling: _Scaling, options: argparse.Namespace) -> Sequential:
    """Train on scaled data and return an equivalent model of the unscaled data."""
    X = ((task.X - scaling.mean) / scaling.scale).astype(np.float32)
    y = (task.y - scaling.y_mean) / scaling.y_scale if task.classes is None else task.y
    trainer.fit(X, y, options.epochs, validation=options.validation or None, verbose=0 if options.quiet else 1)
    return _absorb_scaling(trainer.model, scaling)


def _absorb_scaling(model: Sequential, scaling: _Scaling) -> Sequential:
    """The equivalent network from x instead of (x - mean) / scale to y instead of (y - y_mean) / y_scale.

    The first and last layers absorb the scaling, so that the model file need not store it.  The result is float64:
    differences of large unscaled values would lose digits in float32.
    """
    unscaled = Sequential(*model.stack, seed=model.seed, dtype="float64")
    unscaled.theta, unscaled.head = model.theta, model.head
    parameters, last = unscaled.parameters(), len(unscaled.layers) - 1
    parameters["0.weight"] /= scaling.scale[:, None]
    parameters["0.bias"] -= scaling.mean @ parameters["0.weight"]
    parameters[f"{last}.weight"] *= scaling.y_scale
    parameters[f"{last}.bias"] *= scaling.y_scale
    parameters[f"{last}.bias"] += scaling.y_mean
    return unscaled


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
    plot.curves(history, f"Learning curves: {name}").savefig(path, dpi=150)
    return f"wrote {path}"


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer >= 1, not {text!r}")
    return int(text)
