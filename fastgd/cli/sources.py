"""Tables that commands read: from a file or from standard input, whole or in parts.

A part has whole rows and the header, so that each is a table, which `tables.read_frame` reads like any other.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..tables import TableError, read_frame

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
        At once, whether or not there is a package to read it with.
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
    name = name_of(source)
    with _opened(source) as file:
        if file.peek(4)[:4] == b"PAR1":
            yield from _parquet_parts(source, file, missing, text)
            return
        if file.peek(2)[:2] == b"\x1f\x8b":
            file = io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=file)))
        for first_line, content in _text_parts(file, name):
            try:
                yield read_frame(_Named(content, name), missing=missing, text=text)
            except TableError as error:
                raise TableError(_shift_lines(str(error), first_line), error.columns) from None


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


def _parquet_parts(
    source: Path, file: io.BufferedReader, missing: Collection[str], text: Collection[str]
) -> Iterator[Any]:
    import polars as pl

    try:
        lazy = pl.scan_parquet(source if source != STDIN else io.BytesIO(file.read()))
        n_rows = lazy.select(pl.len()).collect().item()
        for start in range(0, n_rows, _PART_ROWS):
            part = _Named(b"", name_of(source))
            lazy.slice(start, _PART_ROWS).collect().write_parquet(part)
            part.seek(0)
            yield read_frame(part, missing=missing, text=text)
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


def _shift_lines(message: str, n: int) -> str:
    """The message about a part, with the lines of the file, of which it begins after line n."""
    return re.sub(r"\bline (\d+)", lambda match: f"line {int(match[1]) + n}", message) if n else message
