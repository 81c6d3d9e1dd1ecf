"""How rows of the user become inputs of a network: columns in the order of their names, standardized on request.

The trainer sets `model.inputs` to an `InputSpec`, as it sets `model.head` to an `OutputSpec`; every method that takes X
reads it through the specification, and model files store it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._common.typing import Array, Ints
from .arrays import check_codes, finite_rows, frame_columns, is_frame
from .scaling import Scaling
from .shared import Shared

# Names of columns listed in a message.
_LISTED = 5


@dataclass(frozen=True, eq=False)
class InputSpec:
    """The meaning of the columns of X (rows, n_in).

    Attributes
    ----------
    names : ndarray (n_in,) of str objects, or None, default=None
        Names of the columns on which the model was trained; None if they had none.
    scaling : Scaling or None, default=None
        Mean and standard deviation of each column, if the network takes standardized rows.
    fitted : bool, default=False
        Whether a training has set the specification, so that another scaling would change what theta means.
    codes : tuple of (int, int), default=()
        Columns that hold codes of categories, each with their number; they are never standardized.

    Examples
    --------
    >>> spec = InputSpec(scaling=Scaling(np.array([3.0]), np.array([2.0])))
    >>> spec.scale(spec.rows([[7.0]], 1), np.dtype("float32"))
    array([[2.]], dtype=float32)
    """

    names: Array | None = None
    scaling: Scaling | None = None
    fitted: bool = False
    codes: tuple[tuple[int, int], ...] = ()

    def rows(self, X: Any, n_in: int, name: str = "X", dtype: np.dtype[Any] | None = None) -> Array:
        """Finite rows of X as an engine reads them, not standardized.

        The columns of a frame are taken by name, in whatever order they come; an array without names, and a frame
        whose columns are numbered, are taken as they are.

        Parameters
        ----------
        X : array, nested list, data frame, Arrow table or Shared, shape (rows, n_in)
        n_in : int
        name : str, default="X"
            Name of X in error messages.
        dtype : numpy.dtype or None, default=None
            Dtype that must be able to hold the values; None: float64.

        Returns
        -------
        ndarray, shape (rows, n_in)

        Raises
        ------
        TypeError, ValueError
            A column is missing or unknown, X is not a table of finite numbers, or a code is out of range.
        """
        if isinstance(X, Shared):
            names = None if self.names is None else tuple(self.names)
            whole = X.read((n_in, dtype, names, self.codes), lambda values: self.rows(values, n_in, name, dtype))
            return whole if X.rows is None else whole[X.rows]
        given = column_names(X, name)
        order = None if given is None or self.names is None else _order(given, self.names, name)
        rows = finite_rows(X, n_in, name, dtype, given)
        labels = given
        if order is not None:
            rows, labels = np.ascontiguousarray(rows[:, order]), self.names
        for column, cardinality in self.codes:
            check_codes(rows[:, column], cardinality, name, column if labels is None else repr(labels[column]))
        return rows

    def read(self, X: Any, n_in: int, dtype: np.dtype[Any], name: str = "X") -> Array:
        """Rows of X as the network takes them, in `dtype` if they are standardized; see `rows`."""
        return self.scale(self.rows(X, n_in, name, self.dtype_of_rows(dtype)), dtype, name)

    def dtype_of_rows(self, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
        """Dtype that must hold the rows of the user, for a model of `dtype`: any if they are standardized first."""
        return None if self.scaling else dtype

    def with_scaling(self, scaling: Scaling) -> InputSpec:
        """The specification with this mean and std, which must be its own arrays; codes stay."""
        codes = [column for column, _ in self.codes]
        scaling.mean[codes], scaling.std[codes] = 0.0, 1.0
        return replace(self, scaling=scaling)

    def with_names_of(self, X: Any) -> InputSpec:
        """The specification of a training on X, whose column names it takes unless it has some."""
        names = column_names(X) if self.names is None else self.names
        return self if self.fitted and names is self.names else replace(self, names=names, fitted=True)

    def scale(self, rows: Array, dtype: np.dtype[Any], name: str = "X") -> Array:
        """Rows as the network takes them: standardized, or unchanged."""
        return rows if self.scaling is None else self.scaling.apply(rows, dtype, name)

    def to_config(self) -> dict[str, Any]:
        """The specification as a JSON object."""
        return {
            "names": None if self.names is None else self.names.tolist(),
            "scaling": None if self.scaling is None else self.scaling.to_config(),
            "fitted": self.fitted,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], n_in: int) -> InputSpec:
        """Create the specification of a network with `n_in` inputs; ValueError if it does not fit."""
        names, scaling, fitted = config["names"], config["scaling"], config["fitted"]
        if names is not None and not (len(names) == n_in and all(isinstance(name, str) for name in names)):
            raise ValueError(f"its column names do not fit {n_in} inputs")
        return cls(
            None if names is None else np.array(names, object),
            None if scaling is None else Scaling.from_config(scaling, n_in),
            bool(fitted),
        )


def column_names(X: Any, name: str = "X") -> Array | None:
    """Names of the columns of a frame, (columns,) objects; None if X has none or its columns are numbered.

    Raises
    ------
    TypeError
        Some labels are text, and others are not.
    """
    if isinstance(X, Shared):
        X = X.values
    if isinstance(X, np.ndarray) or not is_frame(X):
        return None
    labels = frame_columns(X)
    others = [label for label in labels if not isinstance(label, str)]
    if others and len(others) < len(labels):
        raise TypeError(
            f"the columns of {name} must all be named by text, or none, but {others[0]!r} is of type "
            f"{type(others[0]).__name__}: rename it, or pass {name}.to_numpy() to ignore the names"
        )
    return None if others else np.array([str(label) for label in labels], object)


def _order(given: Array, expected: Array, name: str) -> Ints | None:
    """Where each expected column is among the given ones; None if they have the same order.

    Raises
    ------
    ValueError
        A column is missing or unknown, or names are not distinct.
    """
    if np.array_equal(given, expected):
        return None
    index_of = {label: index for index, label in enumerate(given)}
    known = set(expected)
    missing = [label for label in expected if label not in index_of]
    unknown = [label for label in given if label not in known]
    if missing or unknown:
        problems = [f"lacks {_listed(missing)}"] * bool(missing) + [f"also has {_listed(unknown)}"] * bool(unknown)
        raise ValueError(
            f"{name} must have the columns that the model was trained on, in any order, but {' and '.join(problems)}"
        )
    if len(index_of) < len(given) or len(known) < len(expected):
        raise ValueError(f"{name} has several columns of the same name, so they cannot be matched: rename or drop them")
    return np.array([index_of[label] for label in expected], np.int64)


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return ", ".join(map(repr, labels[:_LISTED])) + more
