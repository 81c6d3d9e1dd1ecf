"""Tables that commands read: from a file or from standard input, whole or in parts.

A part has whole rows and the header, so that each is a table, which `tables.read_frame` reads like any other.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .._common.checks import closest
from ..tables import TableError, read_frame
from ..tables.reading import polars_required
from .console import quote

if TYPE_CHECKING:
    from ..tables.files import TextTable

STDIN = Path("-")
# Bytes of text, and rows of Parquet, that are read at once.
_PART_BYTES = 1 << 23
_PART_ROWS = 1 << 16


def name_of(source: Path) -> str:
    """The name of a source in messages."""
    return "standard input" if source == STDIN else source.name


class Table:
    """A table that is read as a whole, and again if a column turns out to be text.

    Parameters
    ----------
    source : Path
    missing : collection of str

    Raises
    ------
    FileNotFoundError
        Immediately, whether or not there is a package to read it with.
    """

    def __init__(self, source: Path, missing: Collection[str]) -> None:
        if source != STDIN:
            source.stat()
        self._source = source if source != STDIN else _standard_input().read()
        self._missing, self.name = missing, name_of(source)

    def read(self, text: Collection[str] = ()) -> Any:
        """The table as a frame; see `tables.read_frame`."""
        source = self._source if isinstance(self._source, Path) else _Named(self._source, self.name)
        return read_frame(source, missing=self._missing, text=text)


def read_parts(source: Path, missing: Collection[str], text: Collection[str] = ()) -> Iterator[Any]:
    """The rows of a table, some at a time, as frames.

    Raises
    ------
    TableError
        As `tables.read_frame`; lines are those of the file.
    """
    with polars_required():
        from ..tables.reader import typed_frame
    for first_line, table in text_parts(source):
        with _lines_of_file(first_line):
            frame = typed_frame(table, missing, text)
        yield frame


def text_parts(source: Path) -> Iterator[tuple[int, TextTable]]:
    """The rows of a table, some at a time, as text, and how many lines of the file precede those of each part.

    Raises
    ------
    TableError
        The file is malformed; lines are those of the file.
    """
    with polars_required():
        from ..tables.files import read_text
    name = name_of(source)
    with _opened(source) as file:
        if file.peek(4)[:4] == b"PAR1":
            yield from ((0, table) for table in _parquet_parts(source, file))
            return
        if file.peek(2)[:2] == b"\x1f\x8b":
            file = io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=file)))
        for first_line, content in _text_parts(file, name):
            with _lines_of_file(first_line):
                table = read_text(_Named(content, name))
            yield first_line, table


def check_column(name: str, columns: list[str], file: str) -> None:
    """Raise ValueError unless there is a column of this name."""
    if name not in columns:
        close = closest(name, columns)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ValueError(f"{file} has no column {name!r}, only {quote([known for known in columns if known])}{hint}")


class _Named(io.BytesIO):
    """The content of a file, with its name for messages."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("there is no table on standard input: pipe one into the command, or name a file")
    return sys.stdin.buffer


def _opened(source: Path) -> AbstractContextManager[io.BufferedReader]:
    if source != STDIN:
        return open(source, "rb")
    stream = cast(Any, _standard_input())
    return nullcontext(stream if hasattr(stream, "peek") else io.BufferedReader(stream))


def _parquet_parts(source: Path, file: io.BufferedReader) -> Iterator[TextTable]:
    import polars as pl

    from ..tables.files import parquet_text

    try:
        lazy = pl.scan_parquet(source if source != STDIN else io.BytesIO(file.read()))
        n_rows = lazy.select(pl.len()).collect().item()
        for start in range(0, max(n_rows, 1), _PART_ROWS):
            yield parquet_text(name_of(source), lazy.slice(start, _PART_ROWS).collect(), start)
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{name_of(source)} cannot be read: {str(error).splitlines()[0]}") from None


def _text_parts(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """The line before the first of each part, less that of its header, and its content."""
    header, rest, line = b"", b"", 0
    while True:
        try:
            block = file.read(_PART_BYTES)
        except (OSError, EOFError) as error:
            raise TableError(f"{name} is a damaged gzip file: {error}") from None
        content = rest + block
        end = len(content) if not block else _end_of_rows(content)
        part, rest = content[:end], content[end:]
        if part.strip() or not (block or header):
            yield line, header + part
        if part and not header:
            header = _header(part)
            line -= header.count(b"\n")
        line += part.count(b"\n")
        if not block:
            return


def _header(content: bytes) -> bytes:
    """The lines up to the one that names the columns."""
    end = 0
    while True:
        end = content.find(b"\n", end) + 1
        if not end:
            return content
        if content[:end].strip(b"\xef\xbb\xbf \r\n\t") and content.count(b'"', 0, end) % 2 == 0:
            return content[:end]


def _end_of_rows(content: bytes) -> int:
    """Where the last complete row ends: after a line break outside quotation marks."""
    end, quotes = len(content), content.count(b'"')
    while True:
        newline = content.rfind(b"\n", 0, end)
        if newline < 0:
            return 0
        quotes -= content.count(b'"', newline, end)
        end = newline
        if quotes % 2 == 0:
            return newline + 1


@contextmanager
def _lines_of_file(n: int) -> Iterator[None]:
    """In errors about a part, give the lines of the file, of which the part begins after line n."""
    try:
        yield
    except TableError as error:
        message = re.sub(r"\bline (\d+)", lambda match: f"line {int(match[1]) + n}", str(error))
        raise TableError(message, error.columns) from None
