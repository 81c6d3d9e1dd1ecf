"""User data that several trainings read: checked and converted once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from .._common.typing import Ints

T = TypeVar("T")


class Shared:
    """X or y, which `InputSpec.rows` and `read_targets` take like the values themselves.

    Parameters
    ----------
    values : array, nested list, data frame or Arrow table
        They must not change while the object is in use.

    Attributes
    ----------
    values : object
    rows : ndarray of int64, slice or None
        The rows that this object stands for; None: all.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.data.inputs import InputSpec
    >>> X = Shared([[1.0], [2.0], [3.0]])
    >>> InputSpec().rows(X.take(np.array([2, 0])), 1)
    array([[3.],
           [1.]])
    """

    rows: Ints | slice | None

    def __init__(self, values: Any) -> None:
        self.values, self.rows = values, None
        self._lock = Lock()
        self._results: dict[Hashable, Any] = {}

    def take(self, rows: Ints | slice | None) -> Shared:
        """Some rows of the values, read together with all of them; None: all."""
        part = object.__new__(Shared)
        part.values, part.rows, part._lock, part._results = self.values, rows, self._lock, self._results
        return part

    def read(self, key: Hashable, convert: Callable[[Any], T]) -> T:
        """`convert(values)`, of all rows, which the first call with this key computes."""
        with self._lock:
            if key not in self._results:
                self._results[key] = convert(self.values)
            result: T = self._results[key]
            return result
