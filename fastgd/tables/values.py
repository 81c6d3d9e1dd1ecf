"""The values of a column, whatever library it comes from: numbers, booleans, times or labels.

Frames are read column by column, by their own methods; neither pandas nor polars is imported unless one is given.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from .._common.typing import Array, Floats, Ints
from ..data.arrays import is_missing_value, to_array

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?Z?")


@dataclass(frozen=True, eq=False)
class Values:
    """The values of a column.

    Attributes
    ----------
    form : {"numbers", "truth", "times", "labels"}
    data : ndarray (rows,)
        float64, NaN where a value is missing: numbers; 0 and 1; or seconds since 1970.  Of labels: int64, the index of
        each label, -1 where it is missing.
    labels : tuple of str
        Distinct and sorted.
    """

    form: str
    data: Array
    labels: tuple[str, ...] = ()

    @property
    def missing(self) -> Array:
        """Whether each value is missing, (rows,) bool."""
        return self.data < 0 if self.form == "labels" else np.isnan(self.data)

    @property
    def present(self) -> Array:
        """The data that are not missing."""
        return self.data[~self.missing]

    @property
    def n_distinct(self) -> int:
        """Number of different values, missing ones not counted."""
        return len(self.labels) if self.form == "labels" else len(np.unique(self.present))

    @property
    def is_integer(self) -> bool:
        """Whether all values are integers."""
        return self.form == "numbers" and bool((self.present == np.floor(self.present)).all())


def read_values(column: Any, name: str) -> Values:
    """Read a column.

    Parameters
    ----------
    column : polars.Series, pandas.Series, array or list; shape (rows,)
    name : str
        For messages.

    Raises
    ------
    TypeError
        The values are lists, complex numbers or others of which a column of a table does not consist.
    """
    if hasattr(column, "to_physical"):
        return _from_polars(column, name)
    if hasattr(column, "iloc"):
        return _from_pandas(column, name)
    array = to_array(column, f"column {name!r}")
    if array.dtype.kind in "US" and not isinstance(column, np.ndarray):  # NumPy has made text of all values of a list
        array = np.empty(len(column), object)
        array[:] = list(column)
    if array.ndim != 1:
        raise ValueError(f"column {name!r} must have one value per row, not the shape {array.shape}")
    return _from_array(array, name)


def _from_polars(series: Any, name: str) -> Values:
    import polars as pl

    dtype = series.dtype
    if dtype == pl.Boolean:
        return Values("truth", _floats(series.cast(pl.Float64)))
    if dtype.is_numeric() or dtype == pl.Null:
        return Values("numbers", _floats(series.cast(pl.Float64)))
    if dtype in (pl.Date, pl.Datetime):
        return Values("times", _floats(series.cast(pl.Datetime("us")).to_physical().cast(pl.Float64)) / 1e6)
    if dtype == pl.Duration:
        return Values("numbers", _floats(series.dt.total_microseconds().cast(pl.Float64)) / 1e6)
    if dtype == pl.Time:
        return Values("numbers", _floats(series.to_physical().cast(pl.Float64)) / 1e9)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        texts = series.cast(pl.String)
        distinct = texts.drop_nulls().unique().sort()
        codes = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).fill_null(-1)
        return _from_distinct(codes.to_numpy(), distinct.to_list())
    if dtype == pl.Object:
        return _from_array(np.array(series.to_list(), object), name)
    raise TypeError(_unusable(name, dtype))


def _from_pandas(series: Any, name: str) -> Values:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biuf":
        return Values("truth" if kind == "b" else "numbers", series.to_numpy("float64", na_value=np.nan))
    if kind in "mM":
        return _from_array(series.to_numpy("datetime64[us]" if kind == "M" else "timedelta64[us]"), name)
    codes, distinct = series.factorize()
    return _from_distinct(np.asarray(codes, np.int64), list(distinct))


def _from_array(array: Array, name: str) -> Values:
    kind = array.dtype.kind
    if kind in "biuf":
        return Values("truth" if kind == "b" else "numbers", array.astype(np.float64))
    if kind in "mM":
        micros = array.astype(f"{'datetime64' if kind == 'M' else 'timedelta64'}[us]")
        seconds = np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 1e6)
        return Values("times" if kind == "M" else "numbers", seconds)
    if kind in "US":
        texts, inverse = np.unique(array, return_inverse=True)
        return _from_distinct(inverse.astype(np.int64), texts.tolist())
    if kind != "O":
        raise TypeError(_unusable(name, array.dtype))
    indices: dict[Any, int] = {}
    codes = np.empty(len(array), np.int64)
    for row, value in enumerate(array.tolist()):
        try:
            codes[row] = -1 if is_missing_value(value) else indices.setdefault(value, len(indices))
        except TypeError:  # not hashable
            raise TypeError(_unusable(name, type(value).__name__)) from None
    return _from_distinct(codes, list(indices))


def _from_distinct(codes: Ints, distinct: list[Any]) -> Values:
    """Values that are `distinct[code]`, or missing where the code is -1."""
    if distinct and all(isinstance(value, str) for value in distinct):
        times = _parse_times(distinct)
        return _from_labels(codes, distinct) if times is None else _look_up("times", times, codes)
    if all(isinstance(value, (bool, np.bool_)) for value in distinct):  # or all are missing
        return _look_up("truth" if distinct else "numbers", np.array(distinct, np.float64), codes)
    if all(isinstance(value, (Real, Decimal)) for value in distinct):
        return _look_up("numbers", np.array([float(value) for value in distinct]), codes)
    if all(isinstance(value, (datetime.date, np.datetime64)) for value in distinct):
        return _look_up("times", _seconds(distinct), codes)
    return _from_labels(codes, [value.decode() if isinstance(value, bytes) else str(value) for value in distinct])


def _look_up(form: str, distinct: Floats, codes: Ints) -> Values:
    return Values(form, np.append(distinct, np.nan)[codes])  # index -1 is the last


def _from_labels(codes: Ints, labels: Sequence[str]) -> Values:
    distinct, inverse = np.unique(np.array(labels, object), return_inverse=True)
    return Values("labels", np.append(inverse, -1).astype(np.int64)[codes], tuple(distinct.tolist()))


def _parse_times(texts: list[str]) -> Floats | None:
    """Seconds since 1970 if all texts are dates or times of ISO 8601, else None."""
    if not all(_ISO_TIME.fullmatch(text) for text in texts):
        return None
    try:
        return _seconds([np.datetime64(text.removesuffix("Z"), "us") for text in texts])
    except ValueError:  # month 13
        return None


def _seconds(times: Sequence[Any]) -> Floats:
    """Seconds since 1970 of dates and times, in UTC if they have a time zone."""
    utc = datetime.UTC
    naive = [time.astimezone(utc).replace(tzinfo=None) if getattr(time, "tzinfo", None) else time for time in times]
    seconds: Floats = np.array(naive, "datetime64[us]").astype(np.int64) / 1e6
    return seconds


def _floats(series: Any) -> Floats:
    """A float series of polars, NaN where it is null; not a view of its memory."""
    values: Floats = np.array(series.fill_null(float("nan")).to_numpy(), np.float64)
    return values


def _unusable(name: str, dtype: object) -> str:
    return f"column {name!r} has values of type {dtype}; a column holds numbers, text, booleans or dates: drop it"
