"""Conversion of user arrays to the arrays that the engines read.

An engine reads two-dimensional ndarrays of a dtype in `ENGINE_DTYPES` with contiguous rows and any stride between them,
zero and negative ones included.  Such arrays are passed on without a copy, even if they are read-only, views or memory
maps; anything else is converted once, here.  Neither pandas nor polars is imported: data frames convert themselves.
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

MODEL_DTYPES = frozenset((np.dtype("float32"), np.dtype("float64")))
_NUMBER_TYPES = (bool, int, float, np.bool_, np.integer, np.floating)

# Elements per block of `check_finite`: small enough for the cache, large enough to amortise the call.
_BLOCK = 1 << 16


def as_rows(X: Any, n_features: int, name: str = "X") -> Array:
    """Convert X to rows that an engine can read, without a copy if possible.

    Parameters
    ----------
    X : array, nested list, pandas or polars frame; shape (rows, n_features)
        Booleans, integers or floats of any width.
    n_features : int
        Number of columns that X must have.
    name : str, default="X"
        Name of X in error messages.

    Returns
    -------
    ndarray, shape (rows, n_features), dtype in `ENGINE_DTYPES`, each row contiguous

    Raises
    ------
    TypeError
        X is sparse or has values that are not real numbers (text, objects, complex numbers).
    ValueError
        X is empty or ragged, has masked values, is not two-dimensional or has the wrong number of columns.

    Examples
    --------
    >>> as_rows([[1, 2], [3, 4]], 2)
    array([[1, 2],
           [3, 4]])
    """
    rows = as_numeric(X, name)
    _check_shape(rows, n_features, name)
    if rows.strides[1] == rows.itemsize and rows.flags.aligned:
        return rows
    return np.ascontiguousarray(rows) if rows.shape[1] > 1 else rows.copy()


def finite_rows(X: Any, n_features: int, name: str = "X") -> Array:
    """Like `as_rows`, but raise ValueError if a value is not finite.

    Float arrays take a fast path: the sum of squares detects NaN and infinity in a fraction of a microsecond.  If it
    overflows, the values are checked one by one.
    """
    is_plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in MODEL_DTYPES and X.flags.carray
    if is_plain and X.shape[1] == n_features and len(X) and math.isfinite(np.vdot(X, X)):
        return cast(Array, X)
    rows = as_rows(X, n_features, name)
    check_finite(rows, name)
    return rows


def as_numeric(values: Any, name: str) -> Array:
    """Convert values of any shape to a dtype in `ENGINE_DTYPES`, without a copy if possible.

    Raises
    ------
    TypeError
        The values are not real numbers.
    ValueError
        The values are a ragged list or have a mask.
    """
    array = to_array(values, name)
    if array.dtype in ENGINE_DTYPES:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(_not_numeric_message(array, name))
    native = array.dtype.newbyteorder("=")
    wider: np.dtype[Any] = native if native in ENGINE_DTYPES else _WIDER.get(native, np.dtype("float64"))
    return array.astype(wider)


def to_array(values: Any, name: str) -> Array:
    """Convert an array, nested lists, or a pandas or polars frame or series to an ndarray of any dtype."""
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
        raise ValueError(_ragged_message(values, name)) from None


def check_finite(values: Array, name: str) -> None:
    """Raise ValueError with the position of the first NaN or infinity.

    Parameters
    ----------
    values : ndarray, shape (rows,) or (rows, columns)
        Checked block by block, so that memory maps of any size need little memory.
    name : str
        Name of the values in the error message.
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
                "remove such rows or fill in the missing values"
            )


def _check_shape(rows: Array, n_features: int, name: str) -> None:
    if not rows.size:
        raise ValueError(f"{name} is empty: it has shape {rows.shape}")
    expected = f"{name} must have shape (rows, {n_features}), not {rows.shape}"
    if rows.ndim == 1 and n_features == 1:
        raise ValueError(f"{expected}; for one column pass {name}.reshape(-1, 1)")
    if rows.ndim == 1:
        raise ValueError(f"{expected}; for one row pass {name}.reshape(1, -1)")
    if rows.ndim > 2:
        raise ValueError(f"{expected}; flatten each row: {name}.reshape(len({name}), -1)")
    if rows.ndim == 0:
        raise ValueError(expected)
    if rows.shape[1] != n_features:
        raise ValueError(f"{expected}; it has {rows.shape[1]} columns where {n_features} are expected")


def _from_frame(frame: Any, name: str) -> Array:
    """The values of a pandas or polars frame; missing values in numeric columns become NaN."""
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if not _is_numeric(dtype):
            raise TypeError(f"{name} must hold numbers, but column {column!r} has dtype {dtype}; encode or drop it")
    array = np.asarray(frame.to_numpy())
    if array.dtype != object:
        return array
    # Mixed column types (e.g. nullable integers and booleans) become objects, missing values None or pandas.NA.
    values = [float(value) if isinstance(value, _NUMBER_TYPES) else np.nan for value in array.flat]
    return np.array(values).reshape(array.shape)


def _is_numeric(dtype: Any) -> bool:
    """Whether a pandas or polars column type holds real numbers."""
    if hasattr(dtype, "is_numeric"):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf"


def _not_numeric_message(array: Array, name: str) -> str:
    if array.dtype.kind == "c":
        return f"{name} must hold real numbers, not {array.dtype}; split it into {name}.real and {name}.imag"
    if array.dtype != object:
        return f"{name} must hold numbers, not dtype {array.dtype}; encode them as numbers first"
    for index, value in np.ndenumerate(array):
        if not isinstance(value, _NUMBER_TYPES):
            where = f" in row {index[0]}" if index else ""
            where += f", column {index[1]}" if len(index) > 1 else ""
            return f"{name} must hold numbers, but has {value!r}{where}; encode it as a number or drop it"
    return f"{name} has dtype object; convert it to numbers first: {name}.astype(float)"


def _ragged_message(values: Any, name: str) -> str:
    lengths = [len(row) if hasattr(row, "__len__") else None for row in values]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            return (
                f"the rows of {name} must have the same length, but row 0 has {lengths[0]} values and row {row} has "
                f"{length}"
            )
    return f"{name} must be a table of numbers, but its lists are nested to different depths"
