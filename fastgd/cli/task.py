"""What a target is: classes or quantities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common.typing import Array
from ..tables import Target

# Integers are classes if there are at most this many different ones ...
_MAX_CLASSES = 20
# ... and at least this many rows of each, on average; two are classes however few the rows are.
_MIN_ROWS_PER_CLASS = 5
# Texts are classes if there are at least this many rows of each, on average.
_MIN_ROWS_PER_TEXT = 2


@dataclass(frozen=True)
class Decision:
    """A target, and what it was taken for.

    Attributes
    ----------
    y : ndarray, shape (rows,)
    classes : ndarray or None
        None for a regression.
    reason : str, default=""
        Why, in words; "" if the user said so.
    """

    y: Array
    classes: Array | None
    reason: str = ""


def decide(target: Target, task: str) -> Decision:
    """Take the target for classes or quantities.

    Parameters
    ----------
    target : Target
    task : {"auto", "classification", "regression"}
        What the user says.

    Raises
    ------
    ValueError
        The values do not fit the task, or do not tell which it is, or are all the same.
    """
    name, values, n_rows = target.name, target.values, len(target.values)
    if target.n_distinct == 1:
        raise ValueError(f"column {name!r} has the value {_show(values[0])} in every row: there is nothing to learn")
    is_text = values.dtype == object
    if task == "regression":
        if is_text:
            raise ValueError(f"a regression needs numbers: {target.stray or f'column {name!r} has {_show(values[0])}'}")
        return Decision(values, None)
    if task == "classification":
        return _classification(target)
    n_distinct = target.n_distinct
    is_few = n_distinct <= min(_MAX_CLASSES, n_rows // _MIN_ROWS_PER_CLASS)
    if is_text:
        _check_texts(target, is_few)
        return _classification(
            target, "since the values are text" if not target.stray else "since some values are text"
        )
    if (values == np.floor(values)).all() and (n_distinct == 2 or is_few):
        reason = f"since there are only {n_distinct} different integers (quantities: --task regression)"
        return _classification(target, reason)
    _check_quantities(target)
    return Decision(values, None, f"since there are {n_distinct:,} different numbers (classes: --task classification)")


def _classification(target: Target, reason: str = "") -> Decision:
    y = target.values.astype(str) if target.values.dtype == object else target.values
    return Decision(y, np.unique(y), reason)


def _check_texts(target: Target, is_few: bool) -> None:
    """Raise ValueError for numbers with a few errors in them, and for names of rows."""
    if target.stray and not is_few:
        raise ValueError(f"{target.stray}; if the values are classes: --task classification")
    if target.n_distinct * _MIN_ROWS_PER_TEXT > len(target.values):
        raise ValueError(
            f"column {target.name!r} has {target.n_distinct:,} different strings in {len(target.values):,} rows, like "
            "an identifier; if they are classes anyway: --task classification"
        )


def _check_quantities(target: Target) -> None:
    """Raise ValueError for integers that only count the rows."""
    values = target.values
    if values.dtype.kind == "i" and target.n_distinct == len(values) == int(values.max()) - int(values.min()) + 1:
        raise ValueError(
            f"column {target.name!r} counts the rows from {values.min()} to {values.max()}, like an identifier; "
            "if they are quantities anyway: --task regression"
        )


def _show(value: object) -> str:
    """A value as it is in the file; text in quotation marks."""
    return repr(value) if isinstance(value, str) else str(value)
