"""Users' arrays, as the engines read them.

An engine reads rows: a two-dimensional ndarray of one of `ENGINE_DTYPES` whose rows are contiguous, with any stride
(also zero or negative) from row to row.  What is that already is passed on as it is, be it read-only, a view or a
memory map; the rest is converted once, here.  Neither pandas nor polars is imported: a frame knows how to become an
array.
"""

import math
from typing import Any, cast

import numpy as np

from .._common.typing import Array

ENGINE_DTYPES = frozenset(
    np.dtype(t) for t in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
)

# The narrowest engine dtype that holds every value; uint64 and long double are rounded to float64.
_WIDER: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype("uint16"): np.dtype("int32"),
    np.dtype("uint32"): np.dtype("int64"),
}

_REALS = frozenset((np.dtype("float32"), np.dtype("float64")))
_NUMBER = (bool, int, float, np.bool_, np.integer, np.floating)

# Elements looked at in one go by `check_finite`: small enough for the cache, large enough to hide the call.
_BLOCK = 1 << 16


def as_rows(X: Any, n_features: int, name: str = "X") -> Array:
    """The rows of X, as an engine reads them; no copy where none is needed.

    Parameters
    ----------
    X : array, nested list, pandas or polars frame; shape (rows, n_features)
        Numbers: bool, integers or reals of any width.
    n_features : int
        Columns that X must have.
    name : str, default="X"
        What error messages call it.

    Returns
    -------
    ndarray, shape (rows, n_features), dtype one of `ENGINE_DTYPES`, each row contiguous

    Raises
    ------
    TypeError
        X holds something other than real numbers (text, objects, complex numbers), or is sparse.
    ValueError
        X is empty, is ragged, has masked values, is not two-dimensional, or has another number of columns.
    """
    rows = as_numbers(X, name)
    _check_shape(rows, n_features, name)
    if rows.strides[1] == rows.itemsize and rows.flags.aligned:
        return rows
    return np.ascontiguousarray(rows) if rows.shape[1] > 1 else rows.copy()


def finite_rows(X: Any, n_features: int, name: str = "X") -> Array:
    """The same, and ValueError if a number is not finite.

    Plain arrays of reals come first: a sum of squares finds NaN and infinity in a fraction of a microsecond, and what
    overflows it only takes the long way.
    """
    plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in _REALS and X.flags.carray
    if plain and X.shape[1] == n_features and len(X) and math.isfinite(np.vdot(X, X)):
        return cast(Array, X)
    rows = as_rows(X, n_features, name)
    check_finite(rows, name)
    return rows


def as_numbers(values: Any, name: str) -> Array:
    """An array of any shape with a dtype of `ENGINE_DTYPES`; no copy where none is needed.

    Raises TypeError for what is not numeric, ValueError for ragged lists and masked values.
    """
    array = to_array(values, name)
    if array.dtype in ENGINE_DTYPES:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(_not_numeric(array, name))
    native = array.dtype.newbyteorder("=")
    wider: np.dtype[Any] = native if native in ENGINE_DTYPES else _WIDER.get(native, np.dtype("float64"))
    return array.astype(wider)


def to_array(values: Any, name: str) -> Array:
    """An ndarray of any dtype, from an array, nested lists, or a pandas or polars frame or series."""
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise ValueError(f"{name} has masked values; fill them first: {name}.filled(value)")
        return np.asarray(values)
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is sparse ({type(values).__name__}); pass dense rows: {name}.toarray()")
    if hasattr(values, "columns") and hasattr(values, "to_numpy"):
        return _from_frame(values, name)
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(_ragged(values, name)) from None


def check_finite(values: Array, name: str) -> None:
    """Raise ValueError naming the place of the first NaN or infinity.

    Parameters
    ----------
    values : ndarray, shape (rows,) or (rows, columns)
        Looked at block by block, so a memory map of any size needs little memory.
    name : str
        What the message calls it.
    """
    if values.dtype.kind != "f":
        return
    step = max(1, _BLOCK // max(1, values[:1].size))
    for start in range(0, len(values), step):
        finite = np.isfinite(values[start : start + step])
        if not finite.all():
            row, *column = np.argwhere(~finite)[0] + [start, 0][: values.ndim]
            where = f"row {row}" + (f", column {column[0]}" if column else "")
            raise ValueError(
                f"{name} must be finite, but has {values[(row, *column)]} in {where} (counted from 0); "
                "remove such rows or fill the gaps"
            )


def _check_shape(rows: Array, n_features: int, name: str) -> None:
    if not rows.size:
        raise ValueError(f"{name} is empty: it has shape {rows.shape}")
    expected = f"{name} must have shape (rows, {n_features}), not {rows.shape}"
    if rows.ndim == 1 and n_features == 1:
        raise ValueError(f"{expected}; one column is {name}.reshape(-1, 1)")
    if rows.ndim == 1:
        raise ValueError(f"{expected}; a single row is {name}.reshape(1, -1)")
    if rows.ndim > 2:
        raise ValueError(f"{expected}; flatten each row: {name}.reshape(len({name}), -1)")
    if rows.ndim == 0:
        raise ValueError(expected)
    if rows.shape[1] != n_features:
        raise ValueError(f"{expected}; it has {rows.shape[1]} columns where {n_features} are expected")


def _from_frame(frame: Any, name: str) -> Array:
    """The values of a pandas or polars frame; gaps in columns of numbers become NaN."""
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if not _is_numeric(dtype):
            raise TypeError(f"{name} must hold numbers, but column {column!r} has dtype {dtype}; encode or drop it")
    array = np.asarray(frame.to_numpy())
    if array.dtype != object:
        return array
    # Columns of unlike kinds (say, nullable integers beside bools) come as objects, gaps as None or pandas.NA.
    numbers = [float(value) if isinstance(value, _NUMBER) else np.nan for value in array.flat]
    return np.array(numbers).reshape(array.shape)


def _is_numeric(dtype: Any) -> bool:
    """Whether a pandas or polars column type holds real numbers."""
    if hasattr(dtype, "is_numeric"):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf"


def _not_numeric(array: Array, name: str) -> str:
    if array.dtype.kind == "c":
        return f"{name} must hold real numbers, not {array.dtype}; split it: {name}.real and {name}.imag"
    if array.dtype != object:
        return f"{name} must hold numbers, not dtype {array.dtype}; encode them as numbers first"
    for place, value in np.ndenumerate(array):
        if not isinstance(value, _NUMBER):
            where = f" in row {place[0]}" if place else ""
            where += f", column {place[1]}" if len(place) > 1 else ""
            return f"{name} must hold numbers, but has {value!r}{where}; encode it as a number or drop it"
    return f"{name} has dtype object; convert it to numbers first: {name}.astype(float)"


def _ragged(values: Any, name: str) -> str:
    lengths = [len(row) if hasattr(row, "__len__") else None for row in values]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            return f"the rows of {name} must have one length: row 0 has {lengths[0]} values, row {row} has {length}"
    return f"{name} must be a table of numbers, not lists nested in uneven ways"
