"""Rows whose columns can be replaced: an array, or a table with columns of any kind.

Both give what a model predicts, with one change to the rows of the user, who never sees it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._common.checks import closest, shown
from .._common.typing import Array, Ints
from ..data.arrays import frame_columns, is_frame, to_array


class Rows(ABC):
    """Rows to predict.

    Attributes
    ----------
    names : list
        Name of each column.
    n : int
        Number of rows.
    unchanged : array or frame
        The rows as the model takes them.
    """

    names: list[Any]
    n: int
    unchanged: Any

    @abstractmethod
    def values(self, column: int) -> Array:
        """A column (n,), in the units of the user."""

    @abstractmethod
    def permuted(self, columns: Sequence[int], order: Ints) -> Any:
        """The rows with the values of some columns in another order, the same in each; valid until the next call."""

    @abstractmethod
    def filled(self, values: Mapping[int, Any]) -> Any:
        """The rows with a constant in each of some columns; valid until the next call."""

    def index(self, feature: Any) -> int:
        """The column of a feature, given by its name or its number.

        Raises
        ------
        TypeError, ValueError
            There is no such column.
        """
        if isinstance(feature, Hashable) and feature in self.names:
            return self.names.index(feature)
        is_number = isinstance(feature, (int, np.integer)) and not isinstance(feature, bool)
        if is_number and -len(self.names) <= feature < len(self.names):
            return int(feature) % len(self.names)
        known = f"0 to {len(self.names) - 1}" if is_number else ", ".join(map(repr, self.names[:8]))
        close = closest(feature, self.names) if isinstance(feature, str) else None
        hint = f": did you mean {close!r}?" if close else ""
        error = ValueError if is_number or isinstance(feature, str) else TypeError
        raise error(f"there is no feature {shown(feature)}, only {known}{', ...' * (len(self.names) > 8)}{hint}")


class ArrayRows(Rows):
    """Rows of an array.

    Parameters
    ----------
    X : ndarray, shape (n, columns)
    names : iterable of str or None
        None: "x0", "x1" ...
    scale : callable or None, default=None
        Makes rows what the model takes.
    """

    def __init__(self, X: Array, names: Iterable[Any] | None, scale: Callable[[Array], Array] | None = None) -> None:
        self.n, columns = X.shape
        self.names = [f"x{i}" for i in range(columns)] if names is None else list(names)
        self._X, self._scale = X, scale
        self.unchanged = X if scale is None else scale(X)
        self._changed: Array | None = None  # a copy in which `_columns` differ
        self._columns: list[int] = []

    def values(self, column: int) -> Array:
        return self._X[:, column]

    def permuted(self, columns: Sequence[int], order: Ints) -> Array:
        copy = self._copy(columns)
        for column in columns:
            np.take(self.unchanged[:, column], order, out=copy[:, column])
        return copy

    def filled(self, values: Mapping[int, Any]) -> Array:
        copy = self._copy(list(values))
        row = self._X[:1].astype(np.result_type(self._X.dtype, *(np.asarray(value) for value in values.values())))
        for column, value in values.items():
            row[0, column] = value
        scaled = row if self._scale is None else self._scale(row)
        if not np.can_cast(scaled.dtype, copy.dtype, "same_kind"):  # fractions in a column of integers
            copy = self._changed = copy.astype(scaled.dtype)
        for column in values:
            copy[:, column] = scaled[0, column]
        return copy

    def _copy(self, columns: Sequence[int]) -> Array:
        """The copy, with the columns restored that the last call changed."""
        if self._changed is None:
            self._changed = self.unchanged.copy()
        self._changed[:, self._columns] = self.unchanged[:, self._columns]
        self._columns = list(columns)
        return self._changed


class FrameRows(Rows):
    """Rows of a frame of pandas or polars, an Arrow table, or a dictionary of columns."""

    def __init__(self, X: Any) -> None:
        self.unchanged = X
        self.names = list(X) if isinstance(X, Mapping) else frame_columns(X)
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise ValueError(f"X has several columns {repeated.pop()!r}, so they cannot be told apart: rename them")
        self.n = len(X[self.names[0]]) if isinstance(X, Mapping) else len(X)

    def values(self, column: int) -> Array:
        return np.asarray(self._column(self.names[column]))

    def permuted(self, columns: Sequence[int], order: Ints) -> Any:
        frame = self.unchanged
        for column in columns:
            frame = self._replaced(frame, column, _taken(self._column(self.names[column]), order))
        return frame

    def filled(self, values: Mapping[int, Any]) -> Any:
        frame = self.unchanged
        for column, value in values.items():
            frame = self._replaced(frame, column, np.full(self.n, value))
        return frame

    def _column(self, name: Any) -> Any:
        X = self.unchanged
        return X.column(name) if hasattr(X, "column_names") else X[name]

    def _replaced(self, frame: Any, column: int, values: Any) -> Any:
        """The frame with other values in a column."""
        name = self.names[column]
        if isinstance(frame, Mapping):
            return {**frame, name: values}
        if hasattr(frame, "column_names"):
            array = values if hasattr(values, "chunks") else sys.modules["pyarrow"].array(values)
            return frame.set_column(column, name, array)
        if hasattr(frame, "with_columns"):  # polars; its class of series is not imported here
            series = values if not isinstance(values, np.ndarray) else type(frame[name])(name, values)
            return frame.with_columns(series.alias(name))
        copy = frame.copy(deep=False)
        copy[name] = values
        return copy


def rows_of(X: Any) -> Rows:
    """The rows of any X that an estimator takes; see `Rows`."""
    if isinstance(X, Mapping) or is_frame(X):
        return FrameRows(X)
    array = to_array(X, "X")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"X must have shape (rows, features), not {array.shape}")
    return ArrayRows(array, None)


def _taken(column: Any, order: Ints) -> Any:
    """The values of a column in another order."""
    if hasattr(column, "iloc"):
        return column.iloc[order].set_axis(column.index)
    if hasattr(column, "chunks") and hasattr(column, "take"):
        return column.take(order)
    return (column if hasattr(column, "alias") else np.asarray(column))[order]
