"""Tables in CSV files: columns of numbers, and one column that is to be predicted."""

import csv
import difflib
import math
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """The content of a CSV file.

    Attributes
    ----------
    X : ndarray, shape (rows, columns), float64
    y : ndarray, shape (rows,), or None
        The target column: int64 or float64 if all its values are such numbers, else text; None if there is none.
    columns : tuple of str
        Names of the columns of X.
    """

    X: NDArray[np.float64]
    y: NDArray[Any] | None
    columns: tuple[str, ...]


def read_csv(path: str | os.PathLike[str], target: str | None = None) -> Table:
    """Read a CSV file: values separated by commas, names of the columns in the first line, UTF-8.

    Parameters
    ----------
    path : path
    target : str, default=None
        Name of the column that becomes y; every other column must hold finite numbers.

    Raises
    ------
    ValueError
        The file is no such table; the message names the line (the header is line 1) and the column.
    OSError
        The file cannot be read.
    """
    name = Path(path).name
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = _header(next(lines, []), name)
            place = None if target is None else _place(target, header, name)
            return _read(_rows(lines, header, name), header, place, name)
        except UnicodeDecodeError:
            raise ValueError(f"{name} is not text in UTF-8") from None
        except csv.Error as problem:
            raise ValueError(f"{name}, line {lines.line_num}: {problem}") from None


def _header(row: Sequence[str], name: str) -> list[str]:
    header = [column.strip() for column in row]
    if not header:
        raise ValueError(f"{name} is empty; its first line must name the columns")
    if all(_is_number(column) for column in header):
        raise ValueError(f"{name}, line 1: names of columns are expected, not numbers ({', '.join(header[:4])})")
    twice = {column for column in header if header.count(column) > 1}
    if twice:
        raise ValueError(f"{name}, line 1: column {min(twice)!r} is there more than once")
    return header


def _place(target: str, header: list[str], name: str) -> int:
    if target in header:
        return header.index(target)
    close = difflib.get_close_matches(target, header, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if len(header) == 1 and any(separator in header[0] for separator in ";\t|"):
        hint = "; values must be separated by commas"
    raise ValueError(f"{name} has no column {target!r}, only {', '.join(map(repr, header))}{hint}")


def _rows(lines: Any, header: list[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, values) of each row; blank lines are passed over."""
    for row in lines:
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"{name}, line {lines.line_num}: {len(row)} values where the header has {len(header)}")
        yield lines.line_num, row


def _read(rows: Iterator[tuple[int, list[str]]], header: list[str], place: int | None, name: str) -> Table:
    columns = tuple(column for i, column in enumerate(header) if i != place)
    if not columns:
        raise ValueError(f"{name} has the column {header[0]!r} only: nothing to predict it from")
    values, labels, lines = array("d"), [], []
    for line, row in rows:
        if place is not None:
            labels.append(row.pop(place).strip())
            lines.append(line)
            if not labels[-1]:
                raise ValueError(f"{name}, line {line}, column {header[place]!r}: the value is missing")
        values.extend(_numbers(row, columns, f"{name}, line {line}"))
    if not values:
        raise ValueError(f"{name} has a header but no rows")
    X = np.frombuffer(values).reshape(-1, len(columns))
    if place is None:
        return Table(X, None, columns)
    y = _labels(labels)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        bad = int(np.argmin(np.isfinite(y)))
        raise ValueError(f"{name}, line {lines[bad]}, column {header[place]!r}: {labels[bad]!r} is not a finite number")
    return Table(X, y, columns)


def _numbers(row: list[str], columns: Sequence[str], place: str) -> list[float]:
    try:
        numbers = [float(text) for text in row]
    except ValueError:
        numbers = []
    if numbers and all(map(math.isfinite, numbers)):
        return numbers
    column, text = next((c, t.strip()) for c, t in zip(columns, row, strict=True) if not _is_number(t))
    wrong = f"{text!r} is not a finite number" if text else "the value is missing"
    raise ValueError(f"{place}, column {column!r}: {wrong}")


def _is_number(text: str) -> bool:
    """Whether the text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _labels(texts: list[str]) -> NDArray[Any]:
    """As integers if all are, else as reals if all are, else as text."""
    try:
        return np.array([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return np.array(texts)
