"""What is read from a table file, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .._common.typing import Array

# Texts that stand for a missing value, besides no text at all: those of pandas, and that of the UCI repository.
MISSING = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null", "?"),
)


class TableError(ValueError):
    """A file is not a table that a network can be trained on.

    Attributes
    ----------
    columns : tuple of str
        The features without which the error would not occur.
    """

    def __init__(self, message: str, columns: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Attributes
    ----------
    name : str
    values : ndarray, shape (rows,)
        int64 if all values are integers, float64 if all are numbers, else text (objects), leading zeros included.
    n_distinct : int
    stray : str
        If some values are numbers and others are not: the first of the latter and its line.
    """

    name: str
    values: Array
    n_distinct: int
    stray: str = ""


@dataclass(frozen=True)
class Table:
    """The content of a table file.

    Attributes
    ----------
    X : ndarray, shape (rows, columns), float64
    columns : tuple of str
        Names of the columns of X.
    target : Target or None
    unused : tuple of str
        Named columns of the file that are neither features nor the target.
    indices : tuple of str
        Leading columns that were taken for an index, as pandas writes it, and are not features: their names, or
        "column 1" ... if they have none.
    identifiers : mapping of str to str
        Features that seem to identify rows rather than describe them, and why.
    notes : tuple of str
        How the file was read, where this is not obvious.
    """

    X: Array
    columns: tuple[str, ...]
    target: Target | None = None
    unused: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()
    identifiers: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def y(self) -> Array | None:
        """The values of the target (rows,); None without a target."""
        return None if self.target is None else self.target.values
