"""`fastgd predict`: predict the rows of a table."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from .. import tables
from .._common.typing import Array
from ..models import Sequential
from .console import note, quote, write
from .options import add_missing

# Rows that are written at once, so that `| head` ends the command early.
_BLOCK = 10_000


def add_parser(commands: Any) -> None:
    """Add `predict` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "predict",
        help="predict the rows of a table with a trained network",
        description="Predict the rows of a table. The predictions are printed as CSV with one column.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file written by train")
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="table with the columns that the network was trained on, in any order; others are ignored",
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="name of the column of predictions (default: prediction); a column of this name in the file is ignored",
    )
    add_missing(parser)
    parser.set_defaults(command=predict)


def predict(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    model = Sequential.load(options.model)
    predictions = model.predict(_read_rows(model, options))
    names = [options.target or "prediction"]
    if predictions.ndim == 2 and predictions.shape[1] > 1:
        names = [f"{names[0]}_{i}" for i in range(predictions.shape[1])]
    if predictions.dtype.kind == "f":
        predictions = predictions.astype(str)  # as few digits as the dtype needs
    write(_to_csv([names]))
    for start in range(0, len(predictions), _BLOCK):
        write(_to_csv(np.atleast_2d(predictions[start : start + _BLOCK].T).T.tolist()))


def _read_rows(model: Sequential, options: argparse.Namespace) -> Array:
    """The columns of the file that the model takes, (rows, n_in)."""
    names = model.feature_names_in_
    if names is not None:
        table = tables.read_table(options.file, features=list(names), missing=options.missing)
        ignored = [name for name in table.unused if name not in (options.target, *table.indices)]
        if ignored:
            note(f"{options.file.name} has columns that {options.model.name} does not take: {quote(ignored)}")
        return table.X
    drop = () if options.target is None else (options.target,)
    table = tables.read_table(options.file, drop=drop, missing=options.missing)
    if len(table.columns) != model.n_in:
        hint = "" if options.target else "; exclude the target with --target COLUMN"
        raise ValueError(
            f"{options.model.name} takes {model.n_in} columns, but {options.file.name} has {len(table.columns)}{hint}"
        )
    note(f"{options.model.name} has no names of columns: those of {options.file.name} are taken in their order")
    return table.X


def _to_csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
