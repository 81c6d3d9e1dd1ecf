"""What the command line prints, and what happens where it cannot print.

Reports accompany work and are lost in silence if nobody can read them: a training does not end because of a closed
terminal or `| head`.  Results are the work: if they cannot be written, the command fails.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

_INDENT = 4
# The exit status after Ctrl-C: what shells report of a program that SIGINT has ended.
INTERRUPTED = 130


def report(text: str) -> None:
    """Print a paragraph to standard output, wrapped to the terminal."""
    width = max(40, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(text, width, subsequent_indent=" " * _INDENT, break_on_hyphens=False, break_long_words=False)
    text = "\n".join(lines)
    if text:
        _print(sys.stdout, text)


def report_lines(lines: Iterable[str]) -> None:
    """Print the lines of a table to standard output, as they are."""
    text = "\n".join(lines)
    if text:
        _print(sys.stdout, text)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    _print(sys.stderr, f"fastgd: warning: {' '.join(text.split())}")


def note(text: str) -> None:
    """Print to standard error what is not obvious, but as it should be."""
    _print(sys.stderr, f"fastgd: note: {' '.join(text.split())}")


def fail(text: str, status: int = 2) -> int:
    """Print an error in one line to standard error; returns the exit status."""
    _print(sys.stderr, f"fastgd: error: {' '.join(text.split())}")
    return status


def write(text: str) -> None:
    """Write a result to standard output; errors are those of `flush`."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed", "standard output")
    with output_errors():
        sys.stdout.write(text)
        sys.stdout.flush()


def flush() -> None:
    """Write what standard output still holds.

    Raises
    ------
    BrokenPipeError
        The reader closed the pipe, as `| head` does.
    OSError
        It cannot be written.
    """
    if sys.stdout is not None:
        with output_errors():
            sys.stdout.flush()


@contextmanager
def output_errors() -> Iterator[None]:
    """Name standard output in the errors of writing to it: those of `flush`."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        raise
    except OSError as error:
        _discard_output()
        raise OSError(error.errno, error.strerror, "standard output") from None


def quote(names: Sequence[str], limit: int = 8) -> str:
    """The first names in quotation marks, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more


def shorten(text: str, limit: int) -> str:
    """The beginning of a string, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _discard_output() -> None:
    """Send what standard output holds to nowhere, or the interpreter would report the failure again as it exits."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # it may have no file, or a closed one
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _print(stream: TextIO | None, text: str) -> None:
    if stream is None:  # print(file=None) would print elsewhere
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except (OSError, ValueError):  # closed, full, or a broken pipe
        if stream is sys.stdout:
            _discard_output()
