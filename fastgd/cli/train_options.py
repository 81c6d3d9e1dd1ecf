"""The options of `fastgd train`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import optimizers
from .._common.checks import INT_MAX
from ..activations import ACTIVATIONS
from ..engine.precision import PRECISIONS
from .options import (
    MAX_SEED,
    add_aliases,
    add_missing,
    column_kind,
    hidden_widths,
    integer,
    metric,
    real,
    share_or_file,
)

# The losses of each task, the default first.  The quantile loss is not offered: it determines the number of outputs.
LOSSES = {
    "classification": ("cross_entropy", "focal"),
    "regression": ("mse", "mae", "huber", "log_cosh", "poisson", "gamma"),
}
EXAMPLES = """\
examples:
  fastgd train                                     on the 1,797 bundled digits
  fastgd train iris.csv --target species           text, so classes
  fastgd train houses.csv --target price --drop id --out houses.npz
  fastgd train orders.tsv.gz --target late --class-weight balanced
  fastgd train a.parquet --target y --valid b.parquet --hidden 256 128
  mpirun -n 4 fastgd train big.parquet --target y --shards 8 --batch-size 1024
  zcat *.csv.gz | fastgd train - --target y --metric f1_macro --json
"""
_HIDDEN_ACTIVATIONS = tuple(name for name, f in ACTIVATIONS.items() if not f.rowwise)
# The names of options in scikit-learn, LightGBM and other programs.
_ALIASES = {
    "--target": "--label --label-column",
    "--valid": "--validation --validation-fraction",
    "--kind": "--categorical-feature",
    "--stream": "--two-round",
    "--hidden": "--hidden-layer-sizes",
    "--lr": "--learning-rate --learning-rate-init",
    "--epochs": "--max-iter --num-iterations --num-epochs",
    "--patience": "--early-stopping-rounds --n-iter-no-change",
    "--optimizer": "--solver",
    "--loss": "--objective",
    "--weight-decay": "--lambda-l2",
    "--seed": "--random-state",
    "--threads": "--n-jobs --num-threads",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options to the parser of `train`."""
    _add_table_options(parser.add_argument_group("table"))
    _add_network_options(parser.add_argument_group("network"))
    _add_training_options(parser.add_argument_group("training"))
    _add_output_options(parser.add_argument_group("output"))
    add_aliases(parser, _ALIASES)


def task_name(options: argparse.Namespace) -> str:
    """The task given by --task or implied by --loss; "auto" if neither is given."""
    task: str = options.task
    for name, losses in LOSSES.items():
        if options.loss in losses and task == "auto":
            return name
        if options.loss in losses and task != name:
            raise ValueError(f"--loss {options.loss} is for a {name}, but --task says {task}")
    return task


def _add_table_options(group: Any) -> None:
    add = group.add_argument
    # fmt: off
    add("file", nargs="?", type=Path, metavar="FILE",
        help="CSV, TSV or the like whose first line names the columns, gzipped or not, or Parquet; - for standard "
        "input; default: the digits")
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--drop", metavar="COLUMN", action="append", default=[],
        help="a column to leave out; may be repeated")
    add("--kind", metavar="COLUMN=KIND", action="append", default=[], type=column_kind,
        help="number, category, boolean, date, or text or identifier, which are left out, where the kind that the "
        "values suggest is wrong; may be repeated")
    add_missing(group)
    add("--task", choices=("auto", "classification", "regression"), default="auto", metavar="TASK",
        help="classification, regression, or auto: classification if the target is text or a few different integers")
    add("--valid", type=share_or_file, default=0.2, metavar="SHARE|FILE",
        help="rows that choose the best epoch and are reported on: a share to hold out, 0 for none, or another "
        "file (default: %(default)s)")
    add("--stream", action=argparse.BooleanOptionalAction, default=None,
        help="read the table in parts, twice, and train on the encoded rows in a temporary file next to the model "
        "(default: if it would not fit in memory)")
    # fmt: on


def _add_network_options(group: Any) -> None:
    add = group.add_argument
    # fmt: off
    add("--hidden", type=hidden_widths, nargs="+", metavar="N",
        help="widths of the hidden layers, such as 128 64; 0 for a linear model (default: 256 256 256, digits: 64 64)")
    add("--activation", choices=_HIDDEN_ACTIVATIONS, metavar="NAME",
        help=f"of the hidden layers: {', '.join(_HIDDEN_ACTIVATIONS)} (default: selu for classes, mish for numbers, "
        "digits: relu)")
    add("--dropout", type=real("[0, 1)"), metavar="P",
        help="share of the hidden units that are dropped in each step (default: 0.3, or 0.15 from 8,192 rows on, "
        "digits: 0)")
    add("--ensemble", type=integer(1, 1000), default=1, metavar="N",
        help="networks to train, whose predictions are averaged (default: %(default)s)")
    # fmt: on


def _add_training_options(group: Any) -> None:
    add = group.add_argument
    names = [name for names in LOSSES.values() for name in names]
    # fmt: off
    add("--loss", choices=names, metavar="NAME",
        help=f"{', '.join(names)} (default: cross_entropy with smoothed labels for classification, mse for regression)")
    add("--optimizer", choices=tuple(optimizers.OPTIMIZERS), metavar="NAME",
        help=f"{', '.join(optimizers.OPTIMIZERS)} (default: adamw with the learning rates of RealMLP, digits: adam)")
    add("--lr", type=real("(0, inf)"), metavar="RATE",
        help="learning rate, or its peak in the default training (default: that of the optimizer or RealMLP)")
    add("--weight-decay", type=real("[0, inf)"), metavar="X",
        help="decay of the weights, decoupled from the gradient as in AdamW (default: 0)")
    add("--class-weight", choices=("balanced", "none"), default="none", metavar="balanced",
        help="balanced: rare classes count as much as frequent ones")
    add("--epochs", type=integer(1, INT_MAX), metavar="N",
        help="passes over the rows (default: 64; 32 below 1,024 rows; fewer above 65,536 rows, but at least 16; "
        "digits: 30)")
    add("--patience", type=integer(1, INT_MAX), metavar="N",
        help="stop after this many epochs without improvement on the validation rows (default: never); the best epoch "
        "is kept in either case")
    add("--metric", type=metric, metavar="NAME",
        help="what to improve: accuracy, balanced_accuracy, rmse, mae, r2 ..., or with scikit-learn any of its metrics "
        "and scorers, such as f1_macro (default: the loss, digits: accuracy)")
    add("--batch-size", type=integer(1, INT_MAX), metavar="N",
        help="rows per step (default: 256; up to 1,024 above 65,536 rows; digits: 32)")
    add("--seed", type=integer(0, MAX_SEED), default=0, metavar="N",
        help="seed of weights, split and order of rows (default: %(default)s)")
    add("--threads", type=integer(1, INT_MAX), metavar="N",
        help="maximum number of threads (default: the available processors, shared by the ranks on this machine)")
    add("--shards", type=integer(1, 1 << 20), metavar="N",
        help="number of parts of the rows, a multiple of the number of ranks of mpirun; the model depends on it, but "
        "not on the ranks (default: one for each rank)")
    add("--precision", choices=PRECISIONS, default="f32", metavar="NAME",
        help="f32, or bf16: matrix products in bfloat16, faster for wide networks on CPUs that support it (AMX, "
        "AVX512-BF16) (default: %(default)s)")
    # fmt: on


def _add_output_options(group: Any) -> None:
    add = group.add_argument
    # fmt: off
    add("-o", "--out", type=Path, default=Path("."), metavar="PATH",
        help="the model file, which ends in .npz or .safetensors, or a folder for fastgd-model.npz (default: the "
        "current folder)")
    add("-f", "--force", action="store_true", help="replace an existing model file")
    add("--plot", type=Path, metavar="FILE",
        help="picture of the learning curves, as .png, .pdf or .svg (default: -curve.png next to the model)")
    add("--no-plot", action="store_true", help="draw no picture")
    add("--watch", action="store_true",
        help="show live curves in a browser on this computer; their address is printed")
    add("--json", action="store_true", help="print the report as JSON")
    add("--quiet", action="store_true", help="print errors only, and the JSON if requested")
    # fmt: on
