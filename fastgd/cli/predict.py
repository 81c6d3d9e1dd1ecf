"""`fastgd predict`: predict the rows of a table."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .. import tables
from .._common.files import replacing
from .._common.typing import Array
from ..tables import MISSING
from .blocks import encode
from .console import note, quote, report, write
from .options import Help, add_table
from .sources import STDIN, check_column, name_of, read_parts
from .trained import TrainedModel, load

# Rows that are written at once, so that `| head` ends the command early.
_BLOCK = 10_000
_EXAMPLES = """\
examples:
  fastgd predict fastgd-model.npz new.csv > predicted.csv
  fastgd predict fastgd-model.npz new.csv --proba --id order_no -o predicted.csv
  zcat huge.csv.gz | fastgd predict fastgd-model.npz - | gzip > predicted.csv.gz
"""


def add_parser(commands: Any) -> None:
    """Add `predict` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "predict",
        help="predict the rows of a table with a trained network",
        description="Predict the rows of a table, one line for each after a header, as CSV. The columns that the "
        "network was trained on are found by their names, in any order; others are ignored. Text is read and predicted "
        "in parts, so a file may be larger than memory.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file written by train")
    add_table(parser, "table to predict: CSV, TSV or the like, gzipped or not, or Parquet")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="file to write or replace (default: standard output)"
    )
    parser.add_argument(
        "--proba", action="store_true", help="also write the probability of each class, in a column each"
    )
    parser.add_argument(
        "--id",
        metavar="COLUMN",
        action="append",
        default=[],
        help="a column of the table to copy in front of the prediction; may be repeated",
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="name of the column of predictions (default: prediction); a column of this name in the file is ignored",
    )
    parser.set_defaults(command=predict)


def predict(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    model = load(options.model)
    if options.proba and model.classes is None:
        raise ValueError(f"{options.model.name} predicts numbers, which have no probabilities: leave out --proba")
    parts = _encoded_parts(model, options) if model.table is not None else _plain_parts(model, options)
    of_inputs = model.of_inputs
    first = next(parts)  # before the output is opened: nothing is replaced if the table cannot be read
    n_rows = 0
    with _output(options.out) as put:
        for ids, X in chain([first], parts):
            predictions, p = of_inputs.predict(X), of_inputs.predict_proba(X) if options.proba else None
            if not n_rows:
                put(_to_csv([[*options.id, *_names(model, predictions, options)]]))
            _put_rows(put, ids, _formatted(predictions), p)
            n_rows += len(X)
    if options.out is not None:
        report(f"wrote {options.out}, {n_rows:,} predictions")


def _encoded_parts(model: TrainedModel, options: argparse.Namespace) -> Iterator[tuple[list[Any], Array]]:
    """The columns of --id, and the network's inputs, of some rows at a time."""
    assert model.table is not None
    name, n_before, encoder = name_of(options.file), 0, model.table.encoder
    missing = (model.missing or MISSING) if options.missing is None else options.missing
    for frame in read_parts(options.file, missing, [*model.categories, *options.id]):
        for column in options.id:
            check_column(column, frame.columns, name)
        X = encode(encoder, frame, name, n_before)
        known = {options.target, model.target, *options.id}
        ignored = [column for column in encoder.unknown_columns(frame) if column and column not in known]
        if ignored and not n_before:
            note(f"{name} has columns that {options.model.name} does not use: {quote(ignored)}")
        yield [frame[column].to_list() for column in options.id], X
        n_before += len(frame)


def _plain_parts(model: TrainedModel, options: argparse.Namespace) -> Iterator[tuple[list[Any], Array]]:
    """The same for a model without an encoder, which takes numbers."""
    if options.file == STDIN or options.id:
        given = "--id" if options.id else "standard input"
        raise ValueError(f"{given} needs a model that was trained on a table by this release")
    yield [], read_plain(model, options)[0]


def read_plain(model: TrainedModel, options: argparse.Namespace, target: str | None = None) -> tuple[Array, Any]:
    """The columns of the file that a model without an encoder takes, (rows, n_in), and the target."""
    names, missing = model.network.feature_names_in_, MISSING if options.missing is None else options.missing
    if names is not None:
        table = tables.read_table(options.file, target, features=list(names), missing=missing)
        ignored = [name for name in table.unused if name not in (options.target, *table.indices)]
        if ignored:
            note(f"{options.file.name} has columns that {options.model.name} does not use: {quote(ignored)}")
        return table.X, table.target
    drop = () if options.target is None or target else (options.target,)
    table = tables.read_table(options.file, target, drop=drop, missing=missing)
    if len(table.columns) != model.network.n_in:
        hint = "" if options.target else "; exclude the target with --target COLUMN"
        raise ValueError(
            f"{options.model.name} takes {model.network.n_in} columns, but {options.file.name} has "
            f"{len(table.columns)}{hint}"
        )
    note(f"{options.model.name} has no column names: the columns of {options.file.name} are taken in order")
    return table.X, table.target


def _names(model: TrainedModel, predictions: Array, options: argparse.Namespace) -> list[str]:
    """The header of the predictions."""
    name = options.target or "prediction"
    names = [name]
    if predictions.ndim == 2 and predictions.shape[1] > 1:
        names = [f"{name}_{i}" for i in range(predictions.shape[1])]
    if options.proba and model.classes is not None:
        names += [f"p({label})" for label in model.classes.tolist()]
    return names


def _formatted(predictions: Array) -> Array:
    """Numbers with as few digits as float32 needs, which the networks compute in."""
    return predictions.astype(np.float32).astype(str) if predictions.dtype.kind == "f" else predictions


@contextmanager
def _output(path: Path | None) -> Iterator[Callable[[str], None]]:
    """A function that writes text, to a file that is replaced at the end, or to standard output."""
    if path is None:
        yield write
        return
    with replacing(path) as file:

        def put(text: str) -> None:
            file.write(text.encode())

        yield put


def _put_rows(put: Callable[[str], None], ids: list[list[Any]], predictions: Array, p: Array | None) -> None:
    columns = np.atleast_2d(predictions.T).tolist() + ([] if p is None else _formatted(p).T.tolist())
    for start in range(0, len(predictions), _BLOCK):
        some = slice(start, start + _BLOCK)
        put(_to_csv(zip(*(column[some] for column in (*ids, *columns)), strict=True)))


def _to_csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
