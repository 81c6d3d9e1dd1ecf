"""What `fastgd train` learns from: the digits, or a table whose columns are encoded."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets
from .._common.checks import counted
from .._common.typing import Array
from ..data.inputs import InputSpec
from ..data.scaling import Scaling
from ..data.splits import split_rows
from ..tables import MISSING, Finding, TableEncoder, TableError
from .blocks import encode, labelled_blocks, warn_of_gaps
from .console import note, warn
from .encoded_file import EncodedFile
from .sampling import Sample
from .sources import Table, check_column, name_of
from .targets import read_target
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
        Of a table that is read in parts: an `EncodedFile`, and None.
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
    n_sampled : int
        Rows from which the encoder was fitted, if not from all of the training.
    """

    name: str
    X: Any
    y: Any
    valid: tuple[Array, Array] | None
    decision: Decision
    target: str | None
    inputs: InputSpec
    encoder: TableEncoder | None = None
    missing: tuple[str, ...] = ()
    n_sampled: int = 0

    @property
    def classes(self) -> Array | None:
        """None for a regression."""
        return self.decision.classes

    @property
    def stream(self) -> EncodedFile | None:
        """The rows, if they are in a file."""
        return self.X if isinstance(self.X, EncodedFile) else None

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.X.n_features if isinstance(self.X, EncodedFile) else self.X.shape[1])

    @property
    def target_range(self) -> tuple[Any, Any]:
        """Smallest and largest target of a regression."""
        return self.X.target_range if isinstance(self.X, EncodedFile) else (self.y.min(axis=0), self.y.max(axis=0))

    def measured(self) -> Iterator[tuple[Array, Array]]:
        """The rows to measure on, in blocks: those that are held out, or those of the training if none are."""
        stream = self.stream
        if self.valid is not None or stream is None:
            return iter([(self.X, self.y) if self.valid is None else self.valid])
        return ((X, y) for X, y in stream.blocks(range(len(stream.block_rows))))


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
    frame = read_columns(table, options, task)
    decision, has_target = read_decision(table, frame, options, task)
    found = find_columns(frame, options)
    features = with_target(frame, has_target, options.target, table.name).drop(options.target)
    train, held_out = _split(len(features), options)
    encoder = found if len(train) == len(frame) else fit_again(found, features[train], options)
    inputs = InputSpec(names=np.array(encoder.feature_names, object))
    X, y = encode(encoder, features, table.name), decision.y
    valid = None if held_out is None else (X[held_out], y[held_out])
    if isinstance(options.valid, Path):
        valid = read_validation(options, encoder, decision)
    return TrainingData(
        table.name, X[train], y[train], valid, decision, options.target, inputs, encoder, tuple(missing)
    )


def read_decision(table: Table | Sample, frame: Any, options: argparse.Namespace, task: str) -> tuple[Decision, Array]:
    """The target and what it is taken for, and which rows have one."""
    target, has_target = read_target(table, frame, options.target, task)
    decision = decide(target, task)
    if decision.classes is None and np.abs(decision.y).max() > _LARGEST:
        raise ValueError(f"column {options.target!r} has values beyond {_LARGEST:g}; use a larger unit")
    return decision, has_target


def read_columns(table: Table | Sample, options: argparse.Namespace, task: str) -> Any:
    """The frame; errors say which options leave out what cannot be read."""
    text = [name for name, kind in options.kind if kind not in ("number", "boolean")] + options.drop
    try:
        frame = table.read([*text, *([options.target] if task == "classification" else [])])
    except TableError as error:
        raise advise(error, options) from None
    for name in (options.target, *options.drop, *dict(options.kind)):
        check_column(name, frame.columns, table.name)
    if len(frame.columns) < 2:
        raise TableError(f"{table.name} has no columns besides the target: nothing to predict from")
    return frame


def advise(error: TableError, options: argparse.Namespace) -> ValueError:
    """The error, with the options that leave out what cannot be read."""
    if options.target in error.columns:
        return ValueError(f"{error}; if the values are classes: --task classification")
    if not error.columns:
        return error
    few = " ".join(f"--drop {shlex.quote(name)}" for name in error.columns[:4])
    return ValueError(f"{error}; to leave out this column: {few}{' ...' if len(error.columns) > 4 else ''}")


def _split(n: int, options: argparse.Namespace) -> tuple[Array, Array | None]:
    """Indices of the training rows, and of those that are held out."""
    share = options.valid
    if isinstance(share, Path) or not share:
        return np.arange(n), None
    check_share(share, n)
    return split_rows(n, share, options.seed)


def check_share(share: float, n: int) -> None:
    """Raise ValueError unless a share of n rows leaves rows to train on, and to validate on."""
    if not 0 < round(share * n) < n:
        part = "validation" if round(share * n) == 0 else "training"
        raise ValueError(f"--valid {share:g} of {counted(n, 'row')} leaves no {part} rows")


def with_target(frame: Any, has_target: Array, target: str, name: str) -> Any:
    """The rows that have a target, with a warning if some have none."""
    if has_target.all():
        return frame
    warn_of_gaps(int((~has_target).sum()), target, name)
    return frame.filter(has_target)


def find_columns(frame: Any, options: argparse.Namespace) -> TableEncoder:
    """An encoder that has seen all rows, in their order, which tells whether a column counts them."""
    features = frame.drop(options.target)
    if not set(features.columns) - set(options.drop):
        raise ValueError("no columns are left to predict from: drop fewer")
    try:
        encoder = TableEncoder(kinds=dict(options.kind), drop=options.drop, embed=True)
        encoder.fit(features, frame[options.target])
    except ValueError as error:
        raise ValueError(f"{name_of(options.file)}: {error}") from None
    if not options.quiet:
        tell(encoder.findings)
    return encoder


def fit_again(found: TableEncoder, features: Any, options: argparse.Namespace) -> TableEncoder:
    """An encoder of the same columns whose scales and categories are those of the training rows."""
    left_out = [finding.column for finding in found.findings if finding.dropped]
    return TableEncoder(kinds=found.kinds, drop=[*options.drop, *left_out], embed=True).fit(features)


def tell(findings: Iterable[Finding]) -> None:
    """Say what is remarkable about the columns."""
    for finding in findings:
        column, option = repr(finding.column), shlex.quote(finding.column)
        if finding.kind == "index":
            where = f"column {column}" if finding.column else "the first column, which has no name,"
            warn(f"{where} is taken for an index and is left out")
        elif finding.dropped and finding.kind in ("constant", "duplicate"):
            note(f"column {column} {finding.message} and is left out")
        elif finding.dropped:
            kind = "number" if "counts" in finding.message else "category"
            advice = f"to use it anyway: --kind {shlex.quote(f'{finding.column}={kind}')}"
            warn(f"column {column} {finding.message} and is left out as {_AS[finding.kind]}; {advice}")
        elif finding.kind == "leak":
            advice = f"if it is not known when you predict: --drop {option}"
            warn(f"column {column} {finding.message}, so the scores will be too good to be true; {advice}")
        else:
            warn(f"column {column} {finding.message}; if it is an identifier: --drop {option}")


_AS = {"identifier": "an identifier", "text": "free text"}


def read_validation(options: argparse.Namespace, encoder: TableEncoder, decision: Decision) -> tuple[Array, Array]:
    """The rows of --valid FILE."""
    missing = MISSING if options.missing is None else options.missing
    blocks = list(labelled_blocks(options.valid, missing, encoder, options.target, decision.classes))
    return np.concatenate([block.X for block in blocks]), np.concatenate([block.y for block in blocks])
