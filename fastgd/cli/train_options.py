"""The options of `fastgd train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import optimizers
from .._common.checks import INT_MAX
from ..activations import ACTIVATIONS
from .options import MAX_SEED, add_missing, hidden_widths, integer, real

# The losses of each task, the default first.  The quantile loss is not offered: it determines the number of outputs.
LOSSES = {
    "classification": ("cross_entropy", "focal"),
    "regression": ("mse", "mae", "huber", "log_cosh", "poisson", "gamma"),
}
_HIDDEN_ACTIVATIONS = tuple(name for name, f in ACTIVATIONS.items() if not f.rowwise)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options to the parser of `train`."""
    _add_data_options(parser.add_argument_group("table"))
    _add_training_options(parser.add_argument_group("network and training"))
    _add_output_options(parser.add_argument_group("output"))


def task_name(options: argparse.Namespace) -> str:
    """The task given by --task or implied by --loss; "auto" if neither is given."""
    task: str = options.task
    for name, losses in LOSSES.items():
        if options.loss in losses and task == "auto":
            return name
        if options.loss in losses and task != name:
            raise ValueError(f"--loss {options.loss} is for a {name}, but --task says {task}")
    return task


def _add_data_options(group: Any) -> None:
    add = group.add_argument
    # fmt: off
    add("file", nargs="?", type=Path, metavar="FILE",
        help="CSV whose first line names the columns, gzipped or not, or Parquet; default: 1,797 handwritten digits")
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--drop", metavar="COLUMN", action="append", default=[],
        help="a column to leave out, such as an identifier; may be repeated")
    add_missing(group)
    add("--task", choices=("auto", "classification", "regression"), default="auto", metavar="TASK",
        help="classification, regression, or auto: classification if the target is text or a few different integers")
    add("--validation", type=real("[0, 1)"), default=0.2, metavar="SHARE",
        help="share of the rows held out for validation, 0 for none (default: %(default)s)")
    # fmt: on


def _add_training_options(group: Any) -> None:
    add = group.add_argument
    names = [name for names in LOSSES.values() for name in names]
    # fmt: off
    add("--hidden", type=hidden_widths, default=(64, 64), metavar="N,N,...",
        help="widths of the hidden layers, or 0 for a linear model (default: 64,64)")
    add("--activation", choices=_HIDDEN_ACTIVATIONS, default="relu", metavar="NAME",
        help=f"activation of the hidden layers: {', '.join(_HIDDEN_ACTIVATIONS)} (default: %(default)s)")
    add("--loss", choices=names, metavar="NAME",
        help=f"{', '.join(names)} (default: cross_entropy for classification, mse for regression)")
    add("--optimizer", choices=tuple(optimizers.OPTIMIZERS), default="adam", metavar="NAME",
        help=f"{', '.join(optimizers.OPTIMIZERS)} (default: %(default)s)")
    add("--lr", type=real("(0, inf)"), metavar="RATE", help="learning rate (default: that of the optimizer)")
    add("--epochs", type=integer(1, INT_MAX), default=30, metavar="N",
        help="passes over the rows (default: %(default)s)")
    add("--batch-size", type=integer(1, INT_MAX), default=32, metavar="N", help="rows per step (default: %(default)s)")
    add("--seed", type=integer(0, MAX_SEED), default=0, metavar="N",
        help="seed of weights, split and order of rows (default: %(default)s)")
    add("--threads", type=integer(1, INT_MAX), metavar="N",
        help="maximum number of threads (default: the available processors)")
    # fmt: on


def _add_output_options(group: Any) -> None:
    add = group.add_argument
    # fmt: off
    add("--out", type=Path, default=Path("."), metavar="DIR",
        help="folder for model and learning curves (default: the current folder)")
    add("--quiet", action="store_true", help="print errors only")
    # fmt: on
