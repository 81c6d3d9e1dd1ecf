"""Conversion of user arrays to the arrays that the engines read.

An engine reads two-dimensional ndarrays of a dtype in `ENGINE_DTYPES` with contiguous rows and any stride between them,
zero and negative ones included.  Such arrays are passed on without a copy, even if they are read-only, views or memory
maps; anything else is converted once, here.  Neither pandas nor polars is imported: data frames convert themselves.
"""

import sys
from collections.abc import Iterator
from decimal import Decimal
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

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
_MAX = {np.dtype(dtype): float(np.finfo(dtype).max) for dtype in ("float32", "float64")}
_NUMBER_TYPES = (Real, Decimal, np.bool_)  # Real: bool, int, float, Fraction and NumPy's numbers

# Elements per block of `check_finite`: small enough for the cache, large enough to amortize the call.
_BLOCK = 1 << 16


def as_rows(X: Any, n_features: int, name: str = "X") -> Array:
    """Convert X to rows that an engine can read, without a copy if possible.

    Parameters
    ----------
    X : array, nested list, data frame or Arrow table; shape (rows, n_features)
        Booleans, integers or floats of any width, or objects that are such numbers, Decimal included.
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
        X is sparse or lazy, or has values that are not real numbers (text, dates, complex numbers).
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
    if rows.strides[1] == rows.itemsize:
        return rows
    return np.ascontiguousarray(rows) if rows.shape[1] > 1 else rows.copy()


def finite_rows(
    X: Any, n_features: int, name: str = "X", dtype: np.dtype[Any] | None = None, labels: Array | None = None
) -> Array:
    """Like `as_rows`, but raise ValueError if a value is not finite, or not in `dtype`, that of the model.

    Float arrays take a fast path: the sum of squares detects NaN and infinity in a fraction of a microsecond.  If it
    overflows, the values are checked one by one.
    """
    is_plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in MODEL_DTYPES and X.flags.carray
    if is_plain and X.shape[1] == n_features and len(X) and float(np.vdot(X, X)) <= _MAX[dtype or X.dtype]:
        return cast(Array, X)
    rows = as_rows(X, n_features, name)
    check_finite(rows, name, dtype, labels=labels)
    return rows


def as_numeric(values: Any, name: str) -> Array:
    """Convert values of any shape to a dtype in `ENGINE_DTYPES`, without a copy if possible.

    Raises
    ------
    TypeError
        The values are not real numbers.
    ValueError
        The values are a ragged list or have a mask, or a number is beyond float64.
    """
    array = to_array(values, name)
    if array.dtype in ENGINE_DTYPES:
        return array
    if array.dtype == object:
        return _object_numbers(array, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(_not_numeric_message(array, name))
    native = array.dtype.newbyteorder("=")
    wider: np.dtype[Any] = native if native in ENGINE_DTYPES else _WIDER.get(native, np.dtype("float64"))
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, which `check_finite` finds
        return array.astype(wider)


def to_array(values: Any, name: str) -> Array:
    """Convert an array, nested lists, or a data frame, series or Arrow table to an aligned ndarray of any dtype."""
    if _is_masked(values):
        raise ValueError(f"{name} has masked values; fill them first: {name}.filled(value)")
    array = np.asarray(values) if isinstance(values, np.ndarray) else _from_other(values, name)
    return array if array.flags.aligned else array.copy()


def _is_masked(values: Any) -> bool:
    """Whether a masked array has masked values; numpy.ma, which takes milliseconds to import, is if there is one."""
    ma = sys.modules.get("numpy.ma")
    return ma is not None and isinstance(values, ma.MaskedArray) and ma.is_masked(values)


def is_memory_mapped(array: Any) -> bool:
    """Whether the values lie in a file, as those of `numpy.memmap` and its views do."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def check_finite(
    values: Array, name: str, dtype: np.dtype[Any] | None = None, first_row: int = 0, labels: Array | None = None
) -> None:
    """Raise ValueError with the position of the first NaN or infinity, or value that `dtype` cannot hold.

    Parameters
    ----------
    values : ndarray, shape (rows,) or (rows, columns)
        Checked block by block, so that memory maps of any size need little memory.
    name : str
        Name of the values in the error message.
    dtype : numpy.dtype or None, default=None
        A float dtype to which the values will be converted.
    first_row : int, default=0
        Number of the first row in the error message.
    labels : ndarray (columns,) of str objects, or None, default=None
        Names of the columns for the error message, which has their numbers otherwise.
    """
    if values.dtype.kind != "f":
        return
    narrower = dtype if dtype is not None and dtype.itemsize < values.itemsize else None
    for start, block in _blocks(values):
        finite = np.isfinite(block if narrower is None else _narrowed(block, narrower))
        if finite.all():
            continue
        row, *column = np.argwhere(~finite)[0] + [start, 0][: values.ndim]
        where = f"row {first_row + row}" + "".join(
            f", column {i if labels is None else repr(labels[i])}" for i in column
        )
        value = values[(row, *column)]
        if np.isfinite(value):
            raise ValueError(
                f"{name} has {value:g} in {where} (counted from 0), which {narrower} cannot hold: scale {name}, or use "
                'a model with dtype="float64"'
            )
        raise ValueError(
            f"{name} must be finite, but has {value} in {where} (counted from 0); "
            "remove such rows or fill in the missing values"
        )


def check_codes(values: Array, cardinality: int, name: str, column: object) -> None:
    """Raise ValueError unless values (rows,) of a column are whole numbers in [0, cardinality)."""
    for start, block in _blocks(values):
        is_code = (block >= 0) & (block < cardinality) & (block == np.floor(block))
        if not is_code.all():
            row = int(np.argmin(is_code))
            raise ValueError(
                f"{name} must hold codes 0 to {cardinality - 1:,} in column {column}, which has {cardinality:,} "
                f"categories, but has {block[row]:g} in row {start + row} (counted from 0)"
            )


def _blocks(values: Array) -> Iterator[tuple[int, Array]]:
    """Index of the first row, and rows, of each block."""
    step = max(1, _BLOCK // max(1, values[:1].size))
    return ((start, values[start : start + step]) for start in range(0, len(values), step))


def _narrowed(block: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        return block.astype(dtype)


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


def _from_other(values: Any, name: str) -> Array:
    """The values of anything but an ndarray."""
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is sparse ({type(values).__name__}); pass dense rows: {name}.toarray()")
    if hasattr(values, "collect") and not hasattr(values, "__array__"):
        raise TypeError(
            f"{name} is a {type(values).__name__}, whose values are not computed yet; pass {name}.collect()"
        )
    if is_frame(values):
        return _from_frame(values, name)
    try:
        return np.asarray(values)
    except ValueError:
        if not isinstance(values, (list, tuple)):
            raise
        raise ValueError(_ragged_message(values, name)) from None
    except (TypeError, RuntimeError) as error:  # a tensor of another device, or one that records its gradient
        raise TypeError(f"{name} ({type(values).__name__}) cannot be read as an array: {error}") from error


def is_frame(values: Any) -> bool:
    """Whether values are a table with labelled columns, of pandas, polars, narwhals or Arrow."""
    # In this order, because a lazy frame warns when it is asked for its columns.
    return (hasattr(values, "to_numpy") or hasattr(values, "column_names")) and hasattr(values, "columns")


def frame_columns(frame: Any) -> list[Any]:
    """The labels of the columns of a frame."""
    return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)


def frame_column(frame: Any, index: int) -> Any:
    """A column of a frame, as a series or Arrow array."""
    if hasattr(type(frame), "column_names"):  # not of the frame itself, which would make the list of names
        return frame.column(index)
    return frame.iloc[:, index] if hasattr(frame, "iloc") else frame[:, index]


def _from_frame(frame: Any, name: str) -> Array:
    """The values of a frame of numbers; missing ones become NaN."""
    if all(_is_numeric(dtype) for dtype in getattr(frame, "dtypes", [None])):
        array = np.asarray(frame.to_numpy())
        if array.dtype != object:
            return array
    columns = [_frame_numbers(frame, index, label, name) for index, label in enumerate(frame_columns(frame))]
    if not columns:
        return np.empty((len(frame), 0))
    return np.ascontiguousarray(np.stack(columns).T)


def _frame_numbers(frame: Any, index: int, label: Any, name: str) -> Array:
    """A column as numbers, (rows,), NaN where one is missing."""
    column = frame_column(frame, index)
    array = np.asarray(column)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype == object:
        is_missing = np.array([is_missing_value(value) for value in array], np.bool_)
        if all(isinstance(value, _NUMBER_TYPES) for value in array[~is_missing]):
            array = np.where(is_missing, np.nan, array)
            return _object_numbers(array, f"column {label!r} of {name}")
    kind = getattr(column, "dtype", None) or getattr(column, "type", array.dtype)
    raise TypeError(f"{name} must hold numbers, but column {label!r} has dtype {kind}; encode or drop it")


def _object_numbers(array: Array, name: str) -> Array:
    """An array of objects that are numbers, as float64."""
    if not all(issubclass(kind, _NUMBER_TYPES) for kind in set(map(type, array.flat))):
        raise TypeError(_not_numeric_message(array, name))
    try:
        return np.array([float(value) for value in array.flat], np.float64).reshape(array.shape)
    except OverflowError:
        raise ValueError(f"{name} has an integer beyond the range of float64: scale {name}") from None


def is_missing_value(value: Any) -> bool:
    """Whether value stands for a missing one: None, NaN, NaT or pandas.NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # comparisons with pandas.NA have no truth value
        return True


def _is_numeric(dtype: Any) -> bool:
    """Whether a pandas or polars column type holds real numbers."""
    if hasattr(dtype, "is_numeric"):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf"


def _not_numeric_message(array: Array, name: str) -> str:
    if array.dtype.kind == "c":
        return f"{name} must hold real numbers, not {array.dtype}; split it into {name}.real and {name}.imag"
    if array.dtype.names:
        return (
            f"{name} has the fields {', '.join(array.dtype.names)}; make them columns: "
            f"np.lib.recfunctions.structured_to_unstructured({name})"
        )
    for index, value in np.ndenumerate(array if array.dtype == object else ()):
        if not isinstance(value, _NUMBER_TYPES):
            where = f" in row {index[0]}" if index else ""
            where += f", column {index[1]}" if len(index) > 1 else ""
            return f"{name} must hold numbers, but has {value!r}{where}; encode it as a number or drop it"
    return f"{name} must hold numbers, not dtype {array.dtype}; encode them as numbers first"


def _ragged_message(values: Any, name: str) -> str:
    lengths = [len(row) if hasattr(row, "__len__") else None for row in values]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            return (
                f"the rows of {name} must have the same length, but row 0 has {lengths[0]} values and row {row} has "
                f"{length}"
            )
    return f"{name} must be a table of numbers, but its lists are nested to different depths"


def check_model_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype of a model; ValueError if it is neither float32 nor float64.

    NumPy takes None for float64, which is never meant here.
    """
    try:
        checked = None if dtype is None else np.dtype(dtype)
    except TypeError:
        checked = None
    if checked is None or checked not in MODEL_DTYPES:
        half = ': for products in bfloat16, pass precision="bf16" to the trainer' if "bfloat16" in str(dtype) else ""
        raise ValueError(f'dtype must be "float32" or "float64", not {dtype!r}{half}')
    return checked
