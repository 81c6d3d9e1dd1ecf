"""`fastgd train`."""

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

# Integers in a target column are taken for classes if there are at most so many different ones...
_MOST_CLASSES = 20
# ... and so many rows of each, on average.
_ROWS_PER_CLASS = 5
# The losses of each task, its default first.  Quantiles are left to Python: their number is that of the outputs.
_LOSSES = {
    "classification": ("cross_entropy", "focal"),
    "regression": ("mse", "mae", "huber", "log_cosh", "poisson", "gamma"),
}
# A deviation below this share of the mean is rounding: the column is constant.
_ROUNDING = 1e-12
# Activations of hidden layers.
_HIDDEN = tuple(name for name, f in ACTIVATIONS.items() if not f.rowwise)


def add_parser(commands: Any) -> None:
    """Add `train` to the sub-commands of an argparse parser."""
    parser = commands.add_parser("train", help="train a network on a CSV file, or on handwritten digits")
    parser.set_defaults(command=train)
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE.csv", help="columns of numbers, named in the first line; "
        "default: 1,797 handwritten digits")  # fmt: skip
    add("--target", metavar="COLUMN", help="name of the column to predict")
    add("--task", choices=("auto", "classification", "regression"), default="auto",
        help="auto: classes if the target is text or a few different integers")  # fmt: skip
    add("--loss", choices=[name for names in _LOSSES.values() for name in names],
        help="default: cross_entropy for classes, mse for numbers")  # fmt: skip
    add("--epochs", type=_count, default=30, metavar="N", help="passes over the rows (default: %(default)s)")
    add("--batch-size", type=_count, default=32, metavar="N", help="rows per step (default: %(default)s)")
    add("--lr", type=float, metavar="RATE", help="learning rate (default: the optimiser's own)")
    add("--hidden", type=_widths, default=(64, 64), metavar="N,N,...",
        help="widths of the hidden layers; 0 for none, a linear model (default: 64,64)")  # fmt: skip
    add("--activation", choices=_HIDDEN, default="relu", help="of the hidden layers (default: %(default)s)")
    add("--optimizer", choices=tuple(optimizers.OPTIMIZERS), default="adam", help="(default: %(default)s)")
    add("--validation", type=float, default=0.2, metavar="SHARE",
        help="share of the rows to validate on; 0 for none (default: %(default)s)")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N", help="of weights, split and order (default: %(default)s)")
    add("--threads", type=_count, metavar="N", help="at most so many threads (default: the processors at hand)")
    add("--out", type=Path, default=Path("."), metavar="DIR", help="folder for model and picture (default: here)")
    add("--quiet", action="store_true", help="print errors only")


def _widths(text: str) -> tuple[int, ...]:
    try:
        return () if text == "0" else tuple(map(_count, text.split(",")))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"must be whole numbers like 64,64 (or 0 for none), not {text!r}") from None


@dataclass(frozen=True)
class _Task:
    """Rows to learn from, as they came."""

    name: str
    X: Array  # (rows, columns)
    y: Array  # (rows,)
    classes: Array | None  # None: a regression
    one_unit: bool = False  # whether all columns are of one kind, like pixels


class _Scaling(NamedTuple):
    """(x - mean) / scale of each column, (y - y_mean) / y_scale of the targets of a regression."""

    mean: Array  # (columns,)
    scale: Array  # (columns,)
    y_mean: float = 0.0
    y_scale: float = 1.0


def train(options: argparse.Namespace) -> None:
    say = (lambda *words: None) if options.quiet else print
    task = _task(options)
    trained = _rows(len(task.X), options)
    trainer = _trainer(task, min(options.batch_size, len(trained)), options)
    scaling = _scaling(task, trained, trainer.loss.link)
    options.out.mkdir(parents=True, exist_ok=True)
    kind = "a regression" if task.classes is None else f"{len(task.classes)} classes"
    say(
        f"{task.name}: {task.X.shape[0]:,} rows, {task.X.shape[1]:,} columns, {kind}; {len(trained):,} rows to train on"
    )

    model = _fit(trainer, task, scaling, options)
    held = np.setdiff1d(np.arange(len(task.X)), trained)
    say(_score(model, task, held if len(held) else trained, "validation" if len(held) else "training"))

    model.save(options.out / "fastgd-model.npz")
    say(f"wrote {options.out / 'fastgd-model.npz'}")
    say(_draw(trainer.history, options.out / "fastgd-curve.png", task.name))


def _task(options: argparse.Namespace) -> _Task:
    if options.file is None:
        if options.target is not None:
            raise ValueError("--target needs a file: fastgd train FILE.csv --target COLUMN")
        if _task_name(options) == "regression":
            raise ValueError("the digits are classes; a regression needs a file: fastgd train FILE.csv --target COLUMN")
        return _Task("digits", *datasets.digits(), np.arange(10), one_unit=True)
    if options.target is None:
        raise ValueError(f"which column is to be predicted? fastgd train {options.file} --target COLUMN")
    table = datasets.read_csv(options.file, options.target)
    assert table.y is not None
    classes = _classes(table.y, options)
    return _Task(options.file.name, table.X, table.y, classes)


def _classes(y: Array, options: argparse.Namespace) -> Array | None:
    """The classes in the target column; None if it holds numbers to be met."""
    text, task = y.dtype.kind == "U", _task_name(options)
    if task == "regression":
        if text:
            raise ValueError(
                f"a regression needs numbers, but column {options.target!r} has {str(y[0])!r} and the like"
            )
        return None
    classes = np.unique(y)
    few = y.dtype.kind == "i" and len(classes) <= min(_MOST_CLASSES, len(y) // _ROWS_PER_CLASS)
    if task == "auto" and not text and not few:
        return None
    if len(classes) < 2:
        raise ValueError(f"column {options.target!r} has the value {str(y[0])!r} in every row: nothing to tell apart")
    return classes


def _task_name(options: argparse.Namespace) -> str:
    """What is asked for by --task, or by a loss that only one task has."""
    found: str = options.task
    for name, losses in _LOSSES.items():
        if options.loss in losses and found == "auto":
            return name
        if options.loss in losses and found != name:
            raise ValueError(f"--loss {options.loss} is for a {name}, but --task says {found}")
    return found


def _rows(n: int, options: argparse.Namespace) -> Array:
    """Numbers of the rows to train on."""
    return np.arange(n) if options.validation == 0 else split_rows(n, options.validation, options.seed)[0]


def _trainer(task: _Task, batch_size: int, options: argparse.Namespace) -> Trainer:
    n_out = 1 if task.classes is None else len(task.classes)
    rate = {} if options.lr is None else {"lr": options.lr}
    return Trainer(
        MLP(task.X.shape[1], *options.hidden, n_out, activation=options.activation, seed=options.seed),
        loss=options.loss or _LOSSES["regression" if task.classes is None else "classification"][0],
        optimizer=optimizers.OPTIMIZERS[options.optimizer](**rate),
        batch_size=batch_size,
        n_threads=options.threads,
    )


def _scaling(task: _Task, trained: Array, link: str) -> _Scaling:
    """From the training rows alone, as the others stand for data to come; counts and amounts stay as they are."""
    mean, scale = _moments(task.X[trained])
    if task.one_unit:  # keep proportions: a pixel that is hardly ever inked should not weigh as much as others
        scale[:] = scale.max()
    if task.classes is not None or link == "log":
        return _Scaling(mean, scale)
    y_mean, y_scale = _moments(task.y[trained])
    return _Scaling(mean, scale, float(y_mean), float(y_scale))


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column; 1 for the deviation of a column that is constant."""
    mean, scale = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    if not np.isfinite(scale).all():
        raise ValueError("a column has numbers beyond 1e150, whose squares overflow; give it a larger unit")
    return mean, np.where(scale > _ROUNDING * np.abs(mean), scale, 1)


def _fit(trainer: Trainer, task: _Task, scaling: _Scaling, options: argparse.Namespace) -> Sequential:
    """Train on scaled columns, and give back a model of the columns as they came."""
    X = ((task.X - scaling.mean) / scaling.scale).astype(np.float32)
    y = (task.y - scaling.y_mean) / scaling.y_scale if task.classes is None else task.y
    trainer.fit(X, y, options.epochs, validation=options.validation or None, verbose=0 if options.quiet else 1)
    return _of_raw_columns(trainer.model, scaling)


def _of_raw_columns(model: Sequential, scaling: _Scaling) -> Sequential:
    """The same network on x instead of (x - mean) / scale, giving y instead of (y - y_mean) / y_scale.

    Its first and last layers take the scaling in, so that the file needs no word about it.  In float64, as differences
    of large raw numbers would lose digits in float32.
    """
    raw = Sequential(*model.stack, seed=model.seed, dtype="float64")
    raw.theta, raw.head = model.theta, model.head
    parameters, last = raw.parameters(), len(raw.layers) - 1
    parameters["0.weight"] /= scaling.scale[:, None]
    parameters["0.bias"] -= scaling.mean @ parameters["0.weight"]
    parameters[f"{last}.weight"] *= scaling.y_scale
    parameters[f"{last}.bias"] *= scaling.y_scale
    parameters[f"{last}.bias"] += scaling.y_mean
    return raw


def _score(model: Sequential, task: _Task, rows: Array, part: str) -> str:
    y, predicted = task.y[rows], model.predict(task.X[rows])
    if task.classes is None:
        return f"{part} R2 {metrics.r2(y, predicted):.4f}, typical error (RMSE) {metrics.rmse(y, predicted):.4g}"
    return f"{part} accuracy {metrics.accuracy(y, predicted):.2%} of {len(rows):,} rows"


def _draw(history: History, path: Path, name: str) -> str:
    if not history["epoch"]:
        return "no picture of the learning curve: no epoch was finished"
    try:
        import matplotlib
    except ImportError:
        return 'no picture of the learning curve: pip install "fastgd[plot]"'
    matplotlib.use("Agg")
    plot.curves(history, f"Learning curves: {name}").savefig(path, dpi=150)
    return f"wrote {path}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text!r}")
    return int(text)
