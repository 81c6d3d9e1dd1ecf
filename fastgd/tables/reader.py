"""From the text of a table file to features and target."""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import polars as pl

from .columns import Column, describe_stray, is_beyond_int64, read_column, to_integers
from .features import check_features, check_numbers, describe_missing, find_identifiers, shorten
from .files import TextTable, read_text
from .table import Table, TableError, Target

# The name that pandas gives to an index column without a name when it reads it again.
_PANDAS_INDEX = re.compile(r"Unnamed: \d+(\.\d+)?(_level_\d+)?")
# Share of texts among numbers up to which they are errors; if there are more, the column is one of text.
_STRAYS = 0.1
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read(
    path: str | os.PathLike[str],
    target: str | None,
    features: Sequence[str] | None,
    drop: Collection[str],
    missing: Collection[str],
) -> Table:
    """See `fastgd.tables.read_table`."""
    text = read_text(path)
    names = _read_names(text)
    for name in (*drop, *([] if target is None else [target])):
        _check_known(name, names, text.name)
    if features is None:
        features = [name for name in names.columns if name not in {target, *drop, *names.indices}]
    else:
        _check_present(features, names.columns, text.name)
    if not features:
        raise TableError(f"{text.name} has no columns besides the target and those left out: nothing to predict from")
    columns = [_column(text, names, name, missing) for name in features]
    check_features(text, columns)
    used = {*features, target}
    return Table(
        X=np.asarray(pl.DataFrame([column.numbers.alias(column.name) for column in columns]).to_numpy(), np.float64),
        columns=tuple(features),
        target=None if target is None else _read_target(text, _column(text, names, target, missing)),
        unused=tuple(name for name in names.columns if name not in used),
        indices=tuple(name for name in names.indices if name not in used),
        identifiers=find_identifiers(columns),
        notes=_describe_file(text, columns),
    )


def read_typed(
    path: str | os.PathLike[str] | BinaryIO, missing: Collection[str], text: Collection[str]
) -> pl.DataFrame:
    """See `fastgd.tables.read_frame`."""
    return typed_frame(read_text(path), missing, text)


def typed_frame(table: TextTable, missing: Collection[str], text: Collection[str]) -> pl.DataFrame:
    """The columns of a table of text as numbers, booleans or text; see `fastgd.tables.read_frame`."""
    names = _read_names(table)
    places = [i for i, name in enumerate(table.header) if name or i < len(names.indices)]
    columns = {table.header[i]: _read_column(table, table.header[i], str(i), missing) for i in places}
    return pl.DataFrame({name: _typed(table, column, name in text) for name, column in columns.items()})


def _typed(table: TextTable, column: Column, is_text: bool) -> pl.Series:
    """The numbers, booleans or texts of a column, null where one is missing."""
    n_strays, n_present = int(column.strays.sum()), len(column.texts) - int(column.missing.sum())
    if is_text or column.kind == "codes" or n_strays > _STRAYS * n_present:
        return column.stripped().set(column.missing, None)
    check_numbers(table, column)
    if column.kind == "booleans":
        return column.numbers.cast(pl.Boolean)
    integers = to_integers(column)
    return column.numbers if integers is None else integers


@dataclass(frozen=True)
class _Names:
    """The names of a file.

    Attributes
    ----------
    columns : dict
        {name: column of the frame}, without columns that have no name.
    indices : list of str
        Leading columns that number or name the rows: their names, or where they are if they have none.
    """

    columns: dict[str, str]
    indices: list[str]


def _read_names(text: TextTable) -> _Names:
    """Check the header; columns after the first that have neither name nor values are left out."""
    if text.separator and all(_NUMBER.fullmatch(name) for name in text.header):
        listed = ", ".join(text.header[:4])
        raise TableError(f"{text.name}, line 1: expected column names, not numbers ({listed})")
    repeated = [name for name, count in Counter(filter(None, text.header)).items() if count > 1]
    if repeated:
        raise TableError(f"{text.name}, line 1: duplicate column {repeated[0]!r}")
    names = _Names({name: str(i) for i, name in enumerate(text.header) if name}, [])
    for i, name in enumerate(text.header):
        is_leading = i == len(names.indices)
        if is_leading and (not name or _PANDAS_INDEX.fullmatch(name)):
            names.indices.append(name or f"column {i + 1}")
        elif not name and text.frame[str(i)].null_count() < text.frame.height:
            raise TableError(f"{text.name}, line 1: column {i + 1} has values but no name")
    return names


def _column(text: TextTable, names: _Names, name: str, missing: Collection[str]) -> Column:
    return _read_column(text, name, names.columns[name], missing)


def _read_column(text: TextTable, name: str, key: str, missing: Collection[str]) -> Column:
    return read_column(name, text.frame[key], missing, text.uses_decimal_commas)


def _check_known(name: str, names: _Names, file: str) -> None:
    if name in names.columns:
        return
    hint = _did_you_mean(name, names.columns)
    if any(_NUMBER.fullmatch(column) for column in names.columns):
        hint += "; the first line of the file must name the columns"
    raise TableError(f"{file} has no column {name!r}, only {_quote(names.columns)}{hint}")


def _check_present(features: Collection[str], named: Collection[str], file: str) -> None:
    absent = [name for name in features if name not in named]
    if absent:
        hint = _did_you_mean(absent[0], [name for name in named if name not in features])
        raise TableError(f"{file} lacks {_quote(absent)}, which the model was trained on{hint}")


def _did_you_mean(name: str, named: Collection[str]) -> str:
    folded = {column.casefold(): column for column in named}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def _quote(names: Collection[str], limit: int = 8) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:limit])
    return shown + (f" and {len(names) - limit:,} more" if len(names) > limit else "")


def _read_target(text: TextTable, column: Column) -> Target:
    if column.missing.any():
        places = describe_missing(text, column)
        raise TableError(f"{text.name} has missing values in the target {column.name!r}: {places}; remove these rows")
    if not column.strays.any() and column.kind == "numbers" and not is_beyond_int64(column):
        check_numbers(text, column)
        integers = to_integers(column)
        values = column.numbers if integers is None else integers
        return Target(column.name, values.to_numpy(), values.n_unique())
    texts, stray = column.stripped(), ""
    strays = column.strays.arg_true()
    if column.kind == "numbers" and 0 < len(strays) < len(texts):
        [place] = text.places([strays[0]])
        stray = f"{text.name}, {place}, column {column.name!r}: {describe_stray(shorten(texts[strays[0]]))}"
    return Target(column.name, texts.to_numpy(), texts.n_unique(), stray)


def _describe_file(text: TextTable, columns: Iterable[Column]) -> tuple[str, ...]:
    if not text.separators:
        return ()
    has_commas = any(column.texts.str.contains(",", literal=True).any() for column in columns)
    return (f"values separated by {text.separators}{', with decimal commas' if has_commas else ''}",)
