"""Whether columns can be features: numbers without gaps, and no identifiers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .columns import Column, describe_stray, has_separators
from .files import TextTable
from .table import TableError

# Columns and values that a message shows.
_MAX_COLUMNS = 4
_MAX_VALUES = 3
_MAX_CHARACTERS = 40
# In a table of fewer rows, integers may all be different by chance.
_MIN_ROWS = 20


def check_features(table: TextTable, columns: Sequence[Column]) -> None:
    """Raise TableError unless all values are finite numbers; names all columns with gaps or text."""
    incomplete = [column for column in columns if column.missing.any()]
    complete = [column for column in columns if not column.missing.any()]
    texts = [column for column in complete if column.is_text and not _is_misspelt(column)]
    problems, cures = [], []
    if incomplete:
        problems.append(f"missing values in {_list(table, incomplete, describe_missing)}")
        cures.append("fill in the missing values or remove these rows")
    if texts:
        problems.append(f"text in {_list(table, texts, _describe_text)}")
        cures.append("encode the text as numbers")
    if problems:
        message = f"{table.name} has {', and '.join(problems)}; {', and '.join(cures)}"
        raise TableError(message, [column.name for column in (*incomplete, *texts)])
    for column in complete:
        check_numbers(table, column)


def check_numbers(table: TextTable, column: Column) -> None:
    """Raise TableError for the first value that is not a finite number."""
    bad = (column.strays | ~column.numbers.is_finite().fill_null(True)).arg_true()
    if not len(bad):
        return
    row, more = bad[0], len(bad) - 1
    problem = describe_stray(shorten(column.texts[row]))
    if column.numbers[row] is not None:
        problem = f"{shorten(column.texts[row])!r} is not a finite number"
    others = f" ({more:,} more such value{'s' if more > 1 else ''} in this column)" if more else ""
    [place] = table.places([row])
    raise TableError(f"{table.name}, {place}, column {column.name!r}: {problem}{others}", [column.name])


def describe_missing(table: TextTable, column: Column) -> str:
    """Which texts stand for missing values, and where: "'NA' in line 3, 7, and 12 more"."""
    rows = column.missing.arg_true().to_list()
    described, last = list[str](), None
    for row, place in zip(rows[:_MAX_VALUES], table.places(rows[:_MAX_VALUES]), strict=True):
        text = (column.texts[row] or "").strip()
        described.append(place.split()[-1] if text == last else f"{repr(text) if text else 'empty'} in {place}")
        last = text
    more = len(rows) - len(described)
    return ", ".join(described) + (f", and {more:,} more" if more else "")


def find_identifiers(columns: Sequence[Column]) -> dict[str, str]:
    """Columns that seem to identify rows rather than describe them, and why."""
    found = {}
    for column in columns:
        n = len(column.numbers)
        if n < _MIN_ROWS or not column.is_integer or column.numbers.n_unique() < n:
            continue
        is_counter = bool((column.numbers.diff().drop_nulls() == 1).all())
        found[column.name] = "counts the rows" if is_counter else "has a different integer in every row"
    return found


def shorten(text: str) -> str:
    """The beginning of a string, for a message."""
    text = text.strip()
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 3] + "..."


def _describe_text(table: TextTable, column: Column) -> str:
    row = column.strays.arg_true()[0]
    [place] = table.places([row])
    words = f"{shorten(column.texts[row])!r} in {place}"
    if column.kind == "codes":
        zeros = column.texts.str.contains(r"^\s*[+-]?0\d").arg_true()[0]
        [place] = table.places([zeros])
        return f"codes with leading zeros, such as {column.texts[zeros].strip()!r} in {place}"
    is_identifier = column.texts.n_unique() == len(column.texts) >= _MIN_ROWS
    return f"{words}, and a different string in every row" if is_identifier else words


def _is_misspelt(column: Column) -> bool:
    """Whether the first text is a number with thousands separators or a decimal comma."""
    return column.kind == "numbers" and has_separators(column.texts[column.strays.arg_true()[0]].strip())


def _list(table: TextTable, columns: Sequence[Column], describe: Callable[[TextTable, Column], str]) -> str:
    """The number of columns, and the first of them with their descriptions."""
    shown = [f"{column.name!r} ({describe(table, column)})" for column in columns[:_MAX_COLUMNS]]
    more = len(columns) - len(shown)
    count = "column" if len(columns) == 1 else f"{len(columns):,} columns:"
    return f"{count} {', '.join(shown)}" + (f" and {more:,} more" if more else "")
