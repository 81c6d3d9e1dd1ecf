"""What `fastgd train` learns from: the digits, or a table whose columns are encoded."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from .._common.checks import closest, counted
from .._common.typing import Array
from ..data.inputs import InputSpec
from ..data.scaling import Scaling
from ..data.splits import split_rows
from ..tables import MISSING, TableEncoder, TableError
from .console import note, quote, warn
from .sources import Table, name_of
from .targets import read_target, target_values
from .task import Decision, decide
from .train_options import task_name

_LARGEST = 1e150  # of the values of a target: squares of larger ones overflow


@dataclass(frozen=True)
class TrainingData:
    """Rows to learn from and to measure on.

    Attributes
    ----------
    name : str
        Of the table.
    X, y : ndarray (rows, features), (rows,)
    valid : (X, y) or None
        The rows that are held out; None: none are.
    decision : Decision
        What the target is taken for.
    target : str or None
        Name of its column; None for the digits.
    inputs : InputSpec
        Names and scaling of the features.
    encoder : TableEncoder or None
        Has made X of the table.
    missing : tuple of str
    """

    name: str
    X: Array
    y: Array
    valid: tuple[Array, Array] | None
    decision: Decision
    target: str | None
    inputs: InputSpec
    encoder: TableEncoder | None = None
    missing: tuple[str, ...] = ()

    @property
    def classes(self) -> Array | None:
        """None for a regression."""
        return self.decision.classes


def load_digits(options: argparse.Namespace) -> TrainingData:
    """The bundled digits, whose pixels have one scale, so that those which hardly vary are not inflated."""
    if options.target is not None or options.drop or options.kind:
        given = "--target" if options.target is not None else "--drop" if options.drop else "--kind"
        raise ValueError(f"{given} needs a file: fastgd train FILE --target COLUMN")
    if task_name(options) == "regression":
        raise ValueError("the digits are classes; a regression needs a file: fastgd train FILE --target COLUMN")
    if isinstance(options.valid, Path):
        raise ValueError("--valid FILE needs a file to train on: fastgd train FILE --target COLUMN --valid FILE")
    X, y = datasets.digits()
    n = X.shape[1]
    inputs = InputSpec(scaling=Scaling(mean=np.zeros(n), std=np.full(n, float(X.max()))))
    train, held_out = _split(len(X), options)
    valid = None if held_out is None else (X[held_out], y[held_out])
    return TrainingData("digits", X[train], y[train], valid, Decision(y, np.arange(10)), None, inputs)


def load_table(options: argparse.Namespace) -> TrainingData:
    """The table that the options name, with warnings about its columns."""
    task, missing = task_name(options), MISSING if options.missing is None else options.missing
    table = Table(options.file, missing)
    frame = _read(table, options, task)
    target, has_target = read_target(table, frame, options.target, task)
    decision = decide(target, task)
    if decision.classes is None and np.abs(decision.y).max() > _LARGEST:
        raise ValueError(f"column {options.target!r} has values beyond {_LARGEST:g}; use a larger unit")
    found = _find_columns(frame, options)
    features = with_target(frame, has_target, options.target, table.name).drop(options.target)
    train, held_out = _split(len(features), options)
    encoder = found if len(train) == len(frame) else _fit_again(found, features[train], options)
    inputs = InputSpec(names=np.array(encoder.feature_names, object))
    X, y = _encode(encoder, features, table.name), decision.y
    valid = None if held_out is None else (X[held_out], y[held_out])
    if isinstance(options.valid, Path):
        valid = _read_validation(Table(options.valid, missing), encoder, decision, options.target)
    return TrainingData(
        table.name, X[train], y[train], valid, decision, options.target, inputs, encoder, tuple(missing)
    )


def _read(table: Table, options: argparse.Namespace, task: str) -> Any:
    """The frame; errors say which options leave out what cannot be read."""
    text = [name for name, kind in options.kind if kind not in ("number", "boolean")] + options.drop
    try:
        frame = table.read([*text, *([options.target] if task == "classification" else [])])
    except TableError as error:
        columns = [name for name in error.columns if name != options.target]
        if options.target in error.columns:
            raise ValueError(f"{error}; if the values are classes: --task classification") from None
        if not columns:
            raise
        few = " ".join(f"--drop {shlex.quote(name)}" for name in columns[:4]) + (" ..." if len(columns) > 4 else "")
        raise ValueError(f"{error}; to leave out this column: {few}") from None
    for name in (options.target, *options.drop, *dict(options.kind)):
        check_column(name, frame.columns, table.name)
    if len(frame.columns) < 2:
        raise TableError(f"{table.name} has no columns besides the target: nothing to predict from")
    return frame


def check_column(name: str, columns: list[str], file: str) -> None:
    """Raise ValueError unless there is a column of this name."""
    if name not in columns:
        close = closest(name, columns)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ValueError(f"{file} has no column {name!r}, only {quote([known for known in columns if known])}{hint}")


def _split(n: int, options: argparse.Namespace) -> tuple[Array, Array | None]:
    """Indices of the training rows, and of those that are held out."""
    share = options.valid
    if isinstance(share, Path) or not share:
        return np.arange(n), None
    if not 0 < round(share * n) < n:
        part = "validation" if round(share * n) == 0 else "training"
        raise ValueError(f"--valid {share:g} of {counted(n, 'row')} leaves no {part} rows")
    return split_rows(n, share, options.seed)


def with_target(frame: Any, has_target: Array, target: str, name: str) -> Any:
    """The rows that have a target, with a warning if some have none."""
    if has_target.all():
        return frame
    warn(f"{counted(int((~has_target).sum()), 'row')} of {name} without a value of {target!r} are left out")
    return frame.filter(has_target)


def _find_columns(frame: Any, options: argparse.Namespace) -> TableEncoder:
    """An encoder that has seen all rows, in their order, which tells whether a column counts them."""
    features = frame.drop(options.target)
    if not set(features.columns) - set(options.drop):
        raise ValueError("no columns are left to predict from: fewer --drop")
    try:
        encoder = TableEncoder(kinds=dict(options.kind), drop=options.drop, embed=True)
        encoder.fit(features, frame[options.target])
    except ValueError as error:
        raise ValueError(f"{name_of(options.file)}: {error}") from None
    if not options.quiet:
        _tell(encoder)
    return encoder


def _fit_again(found: TableEncoder, features: Any, options: argparse.Namespace) -> TableEncoder:
    """An encoder of the same columns whose scales and categories are those of the training rows."""
    left_out = [finding.column for finding in found.findings if finding.dropped]
    return TableEncoder(kinds=found.kinds, drop=[*options.drop, *left_out], embed=True).fit(features)


def _tell(encoder: TableEncoder) -> None:
    """Say what is remarkable about the columns."""
    for finding in encoder.findings:
        column, option = repr(finding.column), shlex.quote(finding.column)
        if finding.kind == "index":
            where = f"column {column}" if finding.column else "the first column, which has no name,"
            warn(f"{where} is taken for an index and is left out")
        elif finding.dropped and finding.kind in ("constant", "duplicate"):
            note(f"column {column} {finding.message} and is left out")
        elif finding.dropped:
            kind = "number" if "counts" in finding.message else "category"
            advice = f"to use it all the same: --kind {shlex.quote(f'{finding.column}={kind}')}"
            warn(f"column {column} {finding.message} and is left out as {_AS[finding.kind]}; {advice}")
        elif finding.kind == "leak":
            advice = f"if it is not known when you predict: --drop {option}"
            warn(f"column {column} {finding.message}, so the scores will be too good to be true; {advice}")
        else:
            warn(f"column {column} {finding.message}; if it is an identifier: --drop {option}")


_AS = {"identifier": "an identifier", "text": "free text"}


def _encode(encoder: TableEncoder, features: Any, name: str) -> Array:
    try:
        return encoder.transform(features)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _read_validation(table: Table, encoder: TableEncoder, decision: Decision, target: str) -> tuple[Array, Array]:
    """The rows of --valid FILE."""
    text = [column.name for column in encoder.columns if column.kind == "category"]
    frame = table.read(text)
    check_column(target, frame.columns, table.name)
    y, has_target = target_values(table, frame, target, decision.classes)
    return _encode(encoder, frame.filter(has_target), table.name), y
