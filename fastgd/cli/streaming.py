"""`fastgd train` on a table that is larger than memory.

It is read twice.  The first time a random sample of its rows is kept, which tells what the columns are, and their
scales and categories; the second time the rows are encoded and written to a temporary file, which each epoch reads.
Reading and encoding text takes many times as long as training on it does, so it is not done in each epoch; and blocks
of the file can be read in random order, so a table that is sorted does no harm.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from .._common import random
from .._common.typing import Array, Ints
from ..data.inputs import InputSpec
from ..data.sources import BUFFER_ROWS
from ..tables import MISSING, Finding, TableEncoder, TableError
from .blocks import labelled_blocks
from .console import note
from .encoded_file import EncodedFile
from .memory import available_memory, memory_for
from .sampling import Sample, sample_rows
from .sources import STDIN, name_of
from .task import Decision
from .train_options import task_name
from .training_data import (
    TrainingData,
    advise,
    check_share,
    find_columns,
    fit_again,
    read_columns,
    read_decision,
    read_validation,
    tell,
)

# Most rows that are held out: as many as are shuffled together.  They are in memory, and as good as more to measure on.
_MAX_HELD_OUT = BUFFER_ROWS
_MIN_ROWS = 20  # integers of fewer rows may count them by chance


def streams(options: argparse.Namespace) -> bool:
    """Whether the table is read in parts: if the user says so, or else if it would not fit into the memory.

    Raises
    ------
    ValueError
        The user says so, but the table comes through a pipe, which cannot be read twice.
    """
    source = options.file
    if options.stream is not None:
        if options.stream and (source == STDIN or source.is_fifo()):
            given = "standard input" if source == STDIN else "a pipe"
            raise ValueError(f"--stream reads the table twice, so it needs a file, not {given}")
        return bool(options.stream)
    if source == STDIN or not source.is_file():
        return False
    needed, available = memory_for(source), available_memory()
    if available is None or needed <= available:
        return False
    note(
        f"{source.name} is read in parts, as training on all of it would take about {_gigabytes(needed)} of memory, "
        f"and {_gigabytes(available)} are available; --no-stream reads it as a whole"
    )
    return True


def load_stream(options: argparse.Namespace, folder: Path) -> TrainingData:
    """The table that the options name, encoded in a temporary file in this folder, with warnings about its columns."""
    task, missing = task_name(options), MISSING if options.missing is None else options.missing
    sample = sample_rows(options.file, missing, options.target, options.seed)
    frame = read_columns(sample, options, task)
    decision, _ = read_decision(sample, frame, options, task)
    options = _without_counters(sample, frame, options)
    found = find_columns(frame, options)
    held_out = _held_out_rows(sample.n_rows, options)
    is_training = ~np.isin(sample.rows, held_out)
    features = frame.drop(options.target)
    encoder = found if is_training.all() else fit_again(found, features.filter(is_training), options)
    file, valid = _encode(sample, encoder, decision, held_out, options, folder)
    if isinstance(options.valid, Path):
        valid = read_validation(options, encoder, decision)
    inputs = InputSpec(names=np.array(encoder.feature_names, object))
    about = decision, options.target, inputs, encoder, tuple(missing)
    return TrainingData(sample.name, file, None, valid, *about, n_sampled=int(is_training.sum()))


def _without_counters(sample: Sample, frame: Any, options: argparse.Namespace) -> argparse.Namespace:
    """The options with more to drop: columns that count the rows of the table, which the sample alone does not tell."""
    known = {"", options.target, *options.drop, *dict(options.kind)}  # a column without a name is an index
    integers = [name for name in frame.columns if name not in known and str(frame[name].dtype) == "Int64"]
    counters = [name for name in integers if _counts(frame[name], sample.rows)]
    if not options.quiet:
        tell([Finding(name, "identifier", "counts the rows", dropped=True) for name in counters])
    return argparse.Namespace(**{**vars(options), "drop": [*options.drop, *counters]})


def _counts(column: Any, rows: Ints) -> bool:
    """Whether the integers of a column are the numbers of the rows, but for their beginning."""
    return not column.null_count() and len(rows) >= _MIN_ROWS and bool(np.ptp(column.to_numpy() - rows) == 0)


def _held_out_rows(n: int, options: argparse.Namespace) -> Ints:
    """Which of n rows are held out: one at random of each of many stretches, so all parts of the table have some."""
    if isinstance(options.valid, Path) or not options.valid:
        return np.arange(0)
    check_share(options.valid, n)
    n_held_out = min(round(options.valid * n), _MAX_HELD_OUT)
    ends = np.arange(1, n_held_out + 1) * n // n_held_out
    starts = np.concatenate([[0], ends[:-1]])
    places = random.uniform(options.seed, random.Purpose.SPLIT, 1, n_held_out)  # `split_rows` uses 0
    rows: Ints = starts + (places * (ends - starts)).astype(np.int64)
    return rows


def _encode(
    sample: Sample,
    encoder: TableEncoder,
    decision: Decision,
    held_out: Ints,
    options: argparse.Namespace,
    folder: Path,
) -> tuple[EncodedFile, Any]:
    """The training rows in a file, and those that are held out."""
    n_features = len(encoder.feature_names)
    _check_space(folder, sample.n_rows * (4 * n_features + 8), sample.name)
    file = EncodedFile(folder, n_features, decision.classes)
    valid: list[tuple[Array, Array]] = []
    try:
        for X, y, rows in labelled_blocks(options.file, sample.missing, encoder, options.target, decision.classes):
            is_held_out = np.isin(rows, held_out)
            file.append(X[~is_held_out], y[~is_held_out])
            valid.append((X[is_held_out], y[is_held_out]))
    except TableError as error:
        raise advise(error, options) from None
    if not len(file):
        raise ValueError(f"no rows of {name_of(options.file)} are left to train on: lower --valid")
    X, y = map(np.concatenate, zip(*valid, strict=True))
    return file, (X, y) if len(y) else None


def _check_space(folder: Path, needed: int, name: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{folder} has {_gigabytes(free)} of space left, but the encoded rows of {name} take {_gigabytes(needed)}; "
            "--out names a folder on another disk"
        )


def _gigabytes(n_bytes: int) -> str:
    """A size of at least a megabyte in a unit that fits."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.0f} MB"
