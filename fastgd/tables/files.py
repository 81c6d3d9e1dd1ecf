"""Table files, read as text: CSV with any usual separator, compressed by gzip or not, and Parquet.

polars reads every value as text, so that `columns` decides by what the file says: a leading zero, `12_34`, and which of
its many spellings a missing value has.  A typed reader would have replaced them by numbers.  Lines are looked up with
the csv module, only when a message needs them.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from .._common.typing import Ints
from .table import TableError

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Records from which the separator is inferred.
_SAMPLE = 20
# The first bytes of formats that are no text, and what to say about them.
_MAGIC = {
    b"PK\x03\x04": "is a spreadsheet or a zip archive; export the table as CSV",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet; export the table as CSV",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes
    ----------
    name : str
        The name of the file, for messages.
    header : list of str
        The names of the columns, stripped; not yet checked.
    frame : polars.DataFrame
        The values as text, null where there is none; its columns are named "0", "1" ...
    separator : str
        What separates the values of a line; "" for Parquet.
    rows : ndarray of int64 or None
        Which rows of the file these are, counted from 0; None: all.
    """

    name: str
    header: list[str]
    frame: pl.DataFrame
    separator: str = ""
    rows: Ints | None = None
    _text: bytes = b""
    _header_line: int = 0
    _blank: frozenset[int] = frozenset()  # records that are blank lines and no rows of the frame

    @property
    def uses_decimal_commas(self) -> bool:
        """Whether a comma may be a decimal comma."""
        return self.separator not in ("", ",")

    @property
    def separators(self) -> str:
        """What separates values, in words; "" for commas and Parquet."""
        return _SEPARATORS.get(self.separator, "") if self.separator != "," else ""

    def places(self, rows: Iterable[int]) -> list[str]:
        """Where rows of the frame stand in the file: "line 7"; for Parquet, and of some rows, "row 6", counted from 1.

        Raises
        ------
        TableError
            One of the lines has fewer values than the header, so that its values cannot be attributed to columns.
        """
        if self.rows is not None:
            return [f"row {self.rows[row] + 1}" for row in rows]
        if not self.separator:
            return [f"row {row + 1}" for row in rows]
        wanted, lines, row = set(rows), {}, -1
        try:
            for record, (line, values) in enumerate(_records(self._text, self.separator, self._header_line)):
                row += record not in self._blank
                if row in wanted and row not in lines:
                    lines[row] = f"line {line}"
                    if len(values) != len(self.header):
                        raise TableError(f"{self.name}, {_wrong_width(line, values, self.header)}")
                if len(lines) == len(wanted):
                    break
        except csv.Error as error:
            raise TableError(f"{self.name}, {error}") from None
        return [lines[row] for row in rows]


def read_text(path: str | os.PathLike[str] | BinaryIO) -> TextTable:
    """Read a file, or an open binary one, as text.

    Raises
    ------
    TableError
        The file is not a table, or malformed; the message names the line if there is one.
    OSError
        The file cannot be read.
    """
    with _opened(path) as file:
        name = Path(file.name).name if isinstance(getattr(file, "name", None), str) else "the table"
        data = _read_bytes(file, name)
    if data.startswith(b"PAR1"):
        return _read_parquet(name, data)
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise TableError(f"{name} is empty; its first line must name the columns")
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    try:
        separator = "\t" if Path(name).suffix in (".tsv", ".tab") else _find_separator(data)
        return _read_csv(name, data, separator)
    except UnicodeDecodeError as error:
        raise TableError(_encoding_message(name, data, error.reason)) from None
    except csv.Error as error:
        raise TableError(f"{name}, {error}") from None


def _opened(path: str | os.PathLike[str] | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """The file, which is closed at the end if it was a path."""
    return open(path, "rb") if isinstance(path, (str, os.PathLike)) else nullcontext(path)


def _read_bytes(file: BinaryIO, name: str) -> bytes:
    """The content of a file, a pipe or another stream, uncompressed; formats other than tables are refused."""
    head = file.read(1 << 16)
    is_gzip, is_parquet = head.startswith(b"\x1f\x8b"), head.startswith(b"PAR1")
    problem = next((words for magic, words in _MAGIC.items() if head.startswith(magic)), "")
    if not problem and not is_gzip and not is_parquet and b"\0" in head:
        problem = "is not text but binary data; expected CSV or Parquet"
    if problem:
        raise TableError(f"{name} {problem}")
    data = head + file.read()
    if not is_gzip:
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{name} is a damaged gzip file: {error}") from None


def _read_parquet(name: str, data: bytes) -> TextTable:
    try:
        return parquet_text(name, pl.read_parquet(io.BytesIO(data)))
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{name} cannot be read: {_first_line(error)}") from None


def parquet_text(name: str, frame: pl.DataFrame, first_row: int = 0) -> TextTable:
    """Rows of a Parquet file, from this one on, as text; PolarsError if a column cannot be."""
    texts = _numbered(frame.select(pl.all().cast(pl.String)))
    rows = np.arange(first_row, first_row + frame.height) if first_row else None
    return TextTable(name, [column.strip() for column in frame.columns], texts, rows=rows)


def _read_csv(name: str, data: bytes, separator: str) -> TextTable:
    blank_lines, header_line, header = _read_header(data, separator)
    header = [column.strip() for column in header]
    try:
        frame = pl.read_csv(io.BytesIO(data), separator=separator, skip_lines=blank_lines, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{name}{_explain(error, data, separator, header_line, header)}") from None
    frame = _numbered(frame)
    is_empty = frame.select(pl.all_horizontal(pl.all().is_null()))["0"]
    blank = frozenset[int]()
    if is_empty.any():  # blank lines are skipped, but lines that are nothing but separators are rows
        records = enumerate(_records(data, separator, header_line))
        blank = frozenset(i for i, (_, values) in records if not values)
        frame = frame.filter(~pl.int_range(pl.len()).is_in(sorted(blank)))
    if not frame.height:
        raise TableError(f"{name} has a header but no rows")
    return TextTable(name, header, frame, separator, None, data, header_line, blank)


def _read_header(data: bytes, separator: str) -> tuple[int, int, list[str]]:
    """The number of blank lines before the first record, that of its last line, and its values."""
    lines = _csv_reader(data, separator)
    blank_lines = 0
    try:
        for values in lines:
            if values:
                break
            blank_lines = lines.line_num
    except csv.Error as error:
        raise csv.Error(f"line {blank_lines + 1}: {error}") from None
    return blank_lines, lines.line_num, values


def _records(data: bytes, separator: str, header_line: int = 0) -> Iterator[tuple[int, list[str]]]:
    """(line number, values) of each record after the header; blank lines have no values.

    Raises
    ------
    csv.Error
        A record is malformed; the message begins with the line in which it begins.
    """
    lines = _csv_reader(data, separator, header_line)
    line = header_line + 1
    try:
        for values in lines:
            yield line, values
            line = header_line + 1 + lines.line_num
    except csv.Error as error:
        # csv asks for another way to open the file, but lines do not end in carriage returns only here and there
        problem = "a carriage return within the line" if "new-line" in str(error) else error
        raise csv.Error(f"line {line}: {problem}") from None


def _csv_reader(data: bytes, separator: str, skipped_lines: int = 0) -> Any:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="\n")
    return csv.reader(islice(text, skipped_lines, None), delimiter=separator, strict=True)


def _find_separator(data: bytes) -> str:
    """The separator that gives the first records equal numbers of values, and most of them."""
    widths = {}
    for separator in _SEPARATORS:
        try:
            widths[separator] = [len(values) for values in islice(_csv_reader(data, separator), _SAMPLE) if values]
        except csv.Error:  # with the right separator, the reader of the whole file reports it
            widths[separator] = [1, 0]
    regular = {separator: found[0] for separator, found in widths.items() if len(set(found)) == 1}
    if max(regular.values(), default=1) > 1:
        return max(regular, key=lambda separator: regular[separator])
    return max(widths, key=lambda separator: widths[separator][0])


def _explain(error: Exception, data: bytes, separator: str, header_line: int, header: list[str]) -> str:
    """What polars refused, ", line 3: ..." if the csv module refuses it too."""
    lines = data.split(b"\n")
    try:
        for line, values in _records(data, separator, header_line):
            if len(values) > len(header):
                hint = "; if rows begin with their names, the header must name that column too"
                return f", {_wrong_width(line, values, header)}{hint if line == header_line + 1 else ''}"
            if any('"' in value for value in values) and _has_bare_quote(lines[line - 1].decode(), separator):
                advice = "enclose the value in quotation marks, and write those in it twice"
                return f", line {line}: a quotation mark inside a value; {advice}"
    except csv.Error as problem:
        return f", {problem}"
    return f" cannot be read: {_first_line(error)}"


def _has_bare_quote(line: str, separator: str) -> bool:
    """Whether a quotation mark remains once the quoted values are removed."""
    return '"' in re.sub(rf'(^|{re.escape(separator)})"([^"]|"")*"(?={re.escape(separator)}|\s*$)', r"\1", line)


def _wrong_width(line: int, values: list[str], header: list[str]) -> str:
    return f"line {line}: {len(values)} value{'s' if len(values) != 1 else ''} where the header has {len(header)}"


def _encoding_message(name: str, data: bytes, reason: str) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"{name}, line {line}: this is not UTF-8 text; convert it: iconv -f latin1 -t utf-8 {name}"
    return f"{name} is not UTF-8 text: {reason}"


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({column: str(i) for i, column in enumerate(frame.columns)})


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
