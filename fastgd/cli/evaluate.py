"""`fastgd evaluate`: how good a trained network is on a table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .._common.typing import Array
from ..tables import MISSING
from .blocks import encode, labelled_blocks, predict_blocks
from .console import report, report_lines, write
from .options import Help, add_table, metric
from .predict import read_plain
from .report import class_tables, describe, measure, scores_of
from .sources import Table, check_column, name_of
from .targets import reads_as_text, target_values
from .trained import TrainedModel, load
from .training_data import with_target

_EXAMPLES = """\
examples:
  fastgd evaluate fastgd-model.npz test.csv
  fastgd evaluate fastgd-model.npz test.csv --metric roc_auc_score --json
"""


def add_parser(commands: Any) -> None:
    """Add `evaluate` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a trained network on a table",
        description="Compare predictions with the target of a table: RMSE, mean absolute error and R2 of numbers in "
        "their own units, or accuracy, log loss and confusion matrix of classes. Rows without a target are left out. "
        "The table is read in parts, so a file may be larger than memory.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    add_rows(parser)
    parser.add_argument(
        "--metric",
        type=metric,
        action="append",
        default=[],
        metavar="NAME",
        help="another metric of fastgd or scikit-learn; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(command=evaluate)


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, FILE and `--target`: rows whose target is known."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file written by train")
    add_table(parser, "table with the columns that the network was trained on, and the target")
    parser.add_argument("--target", metavar="COLUMN", help="the target (default: that of the training)")


def evaluate(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    model = load(options.model)
    y, predicted, p = predict_blocks(model, _blocks(model, options))
    scores = scores_of(y, predicted, p, model.classes)
    if options.metric:
        scores["metrics"] = {each.name: measure(each, y, predicted, p) for each in options.metric}
    if options.json:
        write(json.dumps({"model": str(options.model), "table": name_of(options.file)} | scores, indent=2) + "\n")
        return
    for paragraph in describe(scores, name_of(options.file)):
        report(paragraph)
    report_lines(class_tables(scores))


def _blocks(model: TrainedModel, options: argparse.Namespace) -> Iterable[tuple[Any, ...]]:
    """The rows of the table that have a target, as the network takes them, and the target."""
    target = _target(model, options)
    if model.table is None:
        return [_plain_rows(model, options, target)]
    return labelled_blocks(options.file, _missing(model, options), model.table.encoder, target, model.classes)


def read_rows(model: TrainedModel, options: argparse.Namespace) -> tuple[Any, Array, Array]:
    """The rows of the table that have a target: as a frame, as the network takes them, and the target."""
    target = _target(model, options)
    if model.table is None:
        return None, *_plain_rows(model, options, target)
    table = Table(options.file, _missing(model, options))
    frame = table.read([*model.categories, *([target] if reads_as_text(model.classes) else [])])
    check_column(target, frame.columns, table.name)
    y, has_target = target_values(frame[target], table.name, model.classes)
    if not len(y):
        raise ValueError(f"column {target!r} of {table.name} has no values: nothing to compare with")
    frame = with_target(frame, has_target, target, table.name)
    return frame, encode(model.table.encoder, frame, table.name), y


def _target(model: TrainedModel, options: argparse.Namespace) -> str:
    target = options.target or model.target
    if target is None:
        raise ValueError(f"{options.model.name} does not say which column is the target: --target COLUMN")
    return str(target)


def _missing(model: TrainedModel, options: argparse.Namespace) -> tuple[str, ...]:
    """The texts that stand for a missing value: those of the training unless others are given."""
    return (model.missing or MISSING) if options.missing is None else options.missing


def _plain_rows(model: TrainedModel, options: argparse.Namespace, target: str) -> tuple[Array, Array]:
    """The same for a model without an encoder, which takes numbers."""
    X, column = read_plain(model, options, target)
    y = column.values.astype(str) if column.values.dtype == object else column.values
    if model.classes is not None and not np.isin(y, model.classes).all():
        unknown = y[~np.isin(y, model.classes)][0]
        raise ValueError(f"column {target!r} has the value {str(unknown)!r}, which is not a class of the model")
    return X, y
