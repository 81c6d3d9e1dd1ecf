"""The target column of a table that was read."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.typing import Array
from ..tables import Target
from .sampling import Sample
from .sources import Table

# Integers from here on are no longer exact as float64.
_MAX_EXACT = 2.0**53


def read_target(table: Table | Sample, frame: Any, name: str, task: str) -> tuple[Target, Array]:
    """The target of the rows that have one, and which do, (rows,).

    Parameters
    ----------
    table : Table or Sample
        Is read again for labels as they are in the file, where the frame has booleans or large integers.
    frame : polars.DataFrame
    name : str
        The column.
    task : {"auto", "classification", "regression"}

    Raises
    ------
    ValueError
        No row has a target.
    """
    column = frame[name]
    if str(column.dtype) == "Boolean" or _is_rounded(column):
        column = table.read([name])[name]
    has_target = column.is_not_null().to_numpy()
    present = column.drop_nulls()
    if not len(present):
        raise ValueError(f"column {name!r} of {table.name} has no values: nothing to learn from")
    if str(column.dtype) != "String":
        return Target(name, present.to_numpy(), present.n_unique()), has_target
    numbers = present.cast(_int64(), strict=False)
    if not numbers.null_count() and (numbers.cast(present.dtype) == present).all():  # "01" is not 1
        return Target(name, numbers.to_numpy(), numbers.n_unique()), has_target
    stray = _find_stray(present.cast(_float64(), strict=False), present, np.flatnonzero(has_target))
    stray = stray and f"{table.name}, {stray}"
    return Target(name, present.to_numpy().astype(object), present.n_unique(), stray), has_target


def target_values(column: Any, file: str, classes: Array | None, n_before: int = 0) -> tuple[Array, Array]:
    """The target as a trained model knows it, and which rows have one, (rows,).

    Parameters
    ----------
    column : polars.Series
        As text if the classes are: see `reads_as_text`.
    file : str
        Name of the table.
    classes : ndarray or None
    n_before : int
        Rows of the table before these.

    Raises
    ------
    ValueError
        A value is not a class of the model, or not a number; the message names the first row.
    """
    is_text = reads_as_text(classes)
    has_target = column.is_not_null().to_numpy()
    present = column.drop_nulls()
    values = present.to_numpy()
    if not is_text:
        if str(column.dtype) == "String" and len(present):
            raise ValueError(f"column {column.name!r} of {file} must hold numbers, but has {present[0]!r}")
        values = values.astype(np.float64 if classes is None else classes.dtype)
    if classes is not None:
        values = values.astype(str) if is_text else values
        unknown = ~np.isin(values, classes)
        if unknown.any():
            known = ", ".join(map(str, classes[:8].tolist())) + ", ..." * (len(classes) > 8)
            row = n_before + int(np.flatnonzero(has_target)[np.argmax(unknown)])
            value = str(values[np.argmax(unknown)])
            raise ValueError(
                f"{file}, row {row + 1}, column {column.name!r}: the model knows no class {value!r}, only {known}"
            )
    return values, has_target


def reads_as_text(classes: Array | None) -> bool:
    """Whether labels are text, so that the column of the target must be read as such, whatever it looks like."""
    return classes is not None and classes.dtype.kind not in "iufb"


def _is_rounded(column: Any) -> bool:
    """Whether a column of floats has integers that may have been rounded."""
    if str(column.dtype) != "Float64" or column.null_count() == len(column):
        return False
    values = column.drop_nulls()
    return bool((values.abs() >= _MAX_EXACT).any() and (values == values.floor()).all())


def _find_stray(numbers: Any, texts: Any, rows: Array) -> str:
    """The first text among numbers, and where it is; "" if there are none of either."""
    if not 0 < numbers.null_count() < len(numbers):
        return ""
    first = int(numbers.is_null().arg_max())
    return f"row {rows[first] + 1}, column {texts.name!r}: {texts[first]!r} is not a number"


def _int64() -> Any:
    import polars as pl

    return pl.Int64


def _float64() -> Any:
    import polars as pl

    return pl.Float64
