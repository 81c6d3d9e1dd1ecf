"""Reader of CSV files with numeric columns and a target column."""

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
        The target column: int64 or float64 if all values are integers or numbers, else text; None without a target.
    columns : tuple of str
        Names of the columns of X.
    """

    X: NDArray[np.float64]
    y: NDArray[Any] | None
    columns: tuple[str, ...]


def read_csv(path: str | os.PathLike[str], target: str | None = None) -> Table:
    r"""Read a UTF-8 CSV file with column names in the first line.

    Parameters
    ----------
    path : str or path
    target : str or None, default=None
        Name of the column that becomes y; all other columns must hold finite numbers.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        The file is not such a table; the message names the line (the header is line 1) and the column.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "plants.csv")
    ...     _ = path.write_text("height,kind\n1.5,tree\n0.25,herb\n")
    ...     table = read_csv(path, target="kind")
    >>> table.X.tolist(), table.y.tolist(), table.columns
    ([[1.5], [0.25]], ['tree', 'herb'], ('height',))
    """
    name = Path(path).name
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = _header(next(lines, []), name)
            target_index = None if target is None else _find_column(target, header, name)
            return _read_table(_rows(lines, header, name), header, target_index, name)
        except UnicodeDecodeError:
            raise ValueError(f"{name} is not UTF-8 text") from None
        except csv.Error as error:
            raise ValueError(f"{name}, line {lines.line_num}: {error}") from None


def _header(row: Sequence[str], name: str) -> list[str]:
    header = [column.strip() for column in row]
    if not header:
        raise ValueError(f"{name} is empty; its first line must name the columns")
    if all(_is_number(column) for column in header):
        raise ValueError(f"{name}, line 1: expected column names, not numbers ({', '.join(header[:4])})")
    duplicates = {column for column in header if header.count(column) > 1}
    if duplicates:
        raise ValueError(f"{name}, line 1: duplicate column {min(duplicates)!r}")
    return header


def _find_column(target: str, header: list[str], name: str) -> int:
    if target in header:
        return header.index(target)
    close = difflib.get_close_matches(target, header, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if len(header) == 1 and any(separator in header[0] for separator in ";\t|"):
        hint = "; values must be separated by commas"
    raise ValueError(f"{name} has no column {target!r}, only {', '.join(map(repr, header))}{hint}")


def _rows(lines: Any, header: list[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, values) of each row; blank lines are skipped."""
    for row in lines:
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"{name}, line {lines.line_num}: {len(row)} values where the header has {len(header)}")
        yield lines.line_num, row


def _read_table(rows: Iterator[tuple[int, list[str]]], header: list[str], target_index: int | None, name: str) -> Table:
    columns = tuple(column for i, column in enumerate(header) if i != target_index)
    if not columns:
        raise ValueError(f"{name} has only the column {header[0]!r}: there is nothing to predict it from")
    values, labels, lines = array("d"), [], []
    for line, row in rows:
        if target_index is not None:
            labels.append(row.pop(target_index).strip())
            lines.append(line)
            if not labels[-1]:
                raise ValueError(f"{name}, line {line}, column {header[target_index]!r}: the value is missing")
        values.extend(_parse_row(row, columns, f"{name}, line {line}"))
    if not values:
        raise ValueError(f"{name} has a header but no rows")
    X = np.frombuffer(values).reshape(-1, len(columns))
    if target_index is None:
        return Table(X, None, columns)
    y = _parse_target(labels)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        bad = int(np.argmin(np.isfinite(y)))
        raise ValueError(
            f"{name}, line {lines[bad]}, column {header[target_index]!r}: {labels[bad]!r} is not a finite number"
        )
    return Table(X, y, columns)


def _parse_row(row: list[str], columns: Sequence[str], where: str) -> list[float]:
    try:
        values = [float(text) for text in row]
    except ValueError:
        values = []
    if values and all(map(math.isfinite, values)):
        return values
    column, text = next((c, t.strip()) for c, t in zip(columns, row, strict=True) if not _is_number(t))
    problem = f"{text!r} is not a finite number" if text else "the value is missing"
    raise ValueError(f"{where}, column {column!r}: {problem}")


def _is_number(text: str) -> bool:
    """Whether the text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _parse_target(texts: list[str]) -> NDArray[Any]:
    """The values as integers if possible, else as floats if possible, else as text."""
    try:
        return np.array([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return np.array(texts)
