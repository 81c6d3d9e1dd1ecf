"""What kind of column the values are, and what is remarkable about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._common.typing import Floats
from .conversions import as_labels, numbers_in_text
from .encodings import ENCODINGS
from .values import Values

# Kinds that are encoded, and those that are left out.
KINDS = (*ENCODINGS, "identifier", "text")

_MIN_ROWS = 20  # in a table of fewer rows, values may all be different, or those of two columns equal, by chance
_UNIQUE = 0.95  # share of distinct values from which on a column identifies rows
_TEXT = 0.5  # share of distinct labels from which on they are no categories
_FORMS = {"numbers": "number", "truth": "boolean", "times": "date", "labels": "category"}


@dataclass(frozen=True)
class Finding:
    """What is remarkable about a column.

    Attributes
    ----------
    column : str
    kind : {"index", "identifier", "text", "constant", "duplicate", "unique", "leak"}
    message : str
        A predicate, such as "counts the rows".
    dropped : bool
        Whether the column is left out for this reason.
    """

    column: str
    kind: str
    message: str
    dropped: bool


def find_kind(values: Values) -> tuple[str, str]:
    """The kind of a column, and, if it is to be left out, why."""
    n_rows, n_distinct = len(values.data), values.n_distinct
    if n_rows >= _MIN_ROWS and values.form == "labels" and n_distinct > _TEXT * n_rows:
        numbers = numbers_in_text(values)
        if numbers is not None:
            return find_kind(numbers)
        is_identifier = n_distinct >= _UNIQUE * n_rows and not any(" " in label for label in values.labels)
        message = f"has {n_distinct:,} different strings in {n_rows:,} rows"
        return ("identifier" if is_identifier else "text"), message
    if n_rows >= _MIN_ROWS and values.is_integer and _counts(values):
        return "identifier", "counts the rows"
    return _FORMS[values.form], ""


def is_unique(values: Values) -> bool:
    """Whether a column of integers identifies rows, as almost all of them are different."""
    n_rows = len(values.data)
    return n_rows >= _MIN_ROWS and values.is_integer and values.n_distinct >= _UNIQUE * n_rows


def is_leak(values: Values, target: Values) -> bool:
    """Whether a column tells the target: the same numbers, on another scale perhaps, or other words for its classes."""
    is_known = ~(values.missing | target.missing)
    if is_known.sum() < max(_MIN_ROWS, 0.5 * len(is_known)):
        return False
    if values.form == target.form == "numbers" and target.n_distinct > 2:
        return _is_linear(values.data[is_known], target.data[is_known])
    column, classes = as_labels(values), as_labels(target)
    if not 1 < len(column.labels) == len(classes.labels) <= 0.5 * len(is_known):
        return False
    pairs = np.unique(np.stack([column.data[is_known], classes.data[is_known]]), axis=1)
    return bool(pairs.shape[1] == len(column.labels))


def duplicates(columns: dict[str, Values]) -> Iterator[tuple[str, str]]:
    """Pairs of a column and of an earlier one with the same values."""
    seen: dict[tuple[object, ...], str] = {}
    for name, values in columns.items():
        first = seen.setdefault((values.form, values.labels, values.data.tobytes()), name)
        if first != name:
            yield name, first


def _counts(values: Values) -> bool:
    """Whether each integer is the one before plus 1."""
    return not values.missing.any() and bool((np.diff(values.data) == 1).all())


def _is_linear(x: Floats, y: Floats) -> bool:
    """Whether y is a linear function of x, up to rounding."""
    x, y = x - x.mean(), y - y.mean()
    squares = float(x @ x)
    if not squares or not np.isfinite(squares):
        return False
    residual = y - x * (float(x @ y) / squares)
    return bool(np.abs(residual).max() <= 1e-6 * np.abs(y).max())
