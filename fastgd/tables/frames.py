"""Tables of any library as columns by name."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .._common.checks import shown
from ..data.arrays import frame_column, frame_columns, is_frame, to_array
from .reading import read_frame


def columns_of(table: Any, text: Collection[str] = ()) -> tuple[dict[str, Any], bool]:
    """The columns of a table, as they are, and whether they have names.

    Parameters
    ----------
    table : pandas, polars or Arrow table, mapping of str to column, array (rows, columns), or path of a file
        Columns without names are called "x0", "x1" ...
    text : collection of str, default=()
        Columns of a file that are text, whatever they hold.

    Raises
    ------
    TypeError, ValueError
        It is not a table: names are not distinct, columns have different lengths, or there are no rows.
    """
    if isinstance(table, (str, os.PathLike)):
        table = read_frame(table, text=text)
    if hasattr(table, "toarray"):
        raise TypeError("a table must be dense, not a sparse matrix: pass table.toarray()")
    if isinstance(table, Mapping):
        columns, is_named = {str(name): column for name, column in table.items()}, True
    elif is_frame(table) or hasattr(table, "__arrow_c_stream__"):
        columns, is_named = _frame_columns(table)
    else:
        columns, is_named = _array_columns(table)
    lengths = {name: _length(name, column) for name, column in columns.items()}
    if not lengths:
        raise ValueError("a table must have columns, but there are none")
    first, n_rows = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != n_rows:
            raise ValueError(
                f"the columns of a table must have the same length, but {first!r} has {n_rows} and {name!r} {length}"
            )
    if not n_rows:
        raise ValueError("a table must have rows, but there are 0")
    return columns, is_named


def _length(name: str, column: Any) -> int:
    if isinstance(column, str) or not hasattr(column, "__len__"):
        raise TypeError(f"column {name!r} must be an array, series or list of values, not {shown(column)}")
    return len(column)


def _frame_columns(frame: Any) -> tuple[dict[str, Any], bool]:
    frame = _without_arrow(frame)
    if hasattr(frame, "collect"):
        raise TypeError("a lazy frame has no values yet: pass frame.collect()")
    labels = frame_columns(frame)
    is_named = any(isinstance(label, str) for label in labels)
    names = [str(label) if is_named else f"x{i}" for i, label in enumerate(labels)]
    repeated = [name for i, name in enumerate(names) if name in names[:i]] if len(set(names)) < len(names) else []
    if repeated:
        raise ValueError(f"the columns of a table must have distinct names, but {repeated[0]!r} occurs more than once")
    return {name: frame_column(frame, i) for i, name in enumerate(names)}, is_named


def _without_arrow(frame: Any) -> Any:
    """A frame of pandas or polars; others, such as those of Arrow, become one of polars, or of pandas."""
    if hasattr(frame, "iloc") or hasattr(frame, "with_columns"):
        return frame
    try:
        import polars as pl
    except ImportError:
        if hasattr(frame, "to_pandas"):
            return frame.to_pandas()
        raise ImportError('reading an Arrow table needs the package polars: pip install "fastgd[table]"') from None
    return pl.DataFrame(frame)


def _array_columns(array: Any) -> tuple[dict[str, Any], bool]:
    array = to_array(array, "the table")
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}, True
    if array.ndim != 2:
        hint = ": reshape it by X.reshape(-1, 1)" if array.ndim == 1 else ""
        raise ValueError(f"a table must have the shape (rows, columns), not {array.shape}{hint}")
    return {f"x{i}": np.ascontiguousarray(column) for i, column in enumerate(array.T)}, False
