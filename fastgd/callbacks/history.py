"""The record of a training: a mapping of column names to lists, one value per epoch."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .._common.explain import ExplainsAttributes

# Rows at the top and at the bottom of the printed table.
_N_SHOWN = 3


class History(Mapping[str, list[float]], ExplainsAttributes):
    """Columns of values, one row per epoch; `history["loss"]` is a list.

    The columns are "epoch" (from 1), "loss" (mean over the training rows, each measured before the step that uses it),
    "grad_norm" if it is measured (mean over the steps, before clipping), "validation_loss" and "validation_accuracy" or
    "validation_r2" if there are validation rows, "lr" (at the last step of the epoch) and "seconds" (validation and
    callbacks included).  Missing values are NaN.

    Examples
    --------
    >>> history = History()
    >>> history.extend({"epoch": [1, 2], "loss": [0.5, 0.25]})
    >>> history["loss"]
    [0.5, 0.25]
    >>> history
    epoch  loss
        1   0.5
        2  0.25
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {"epoch": []}

    def extend(self, rows: Mapping[str, list[float]]) -> None:
        """Append epochs.

        Parameters
        ----------
        rows : mapping of str to list of float
            The new values of each column, "epoch" included.  Earlier rows of a new column and new rows of a missing
            column are NaN.
        """
        before, new = len(self["epoch"]), len(rows["epoch"])
        for name in rows:
            if name not in self._columns:
                self._columns[name] = [math.nan] * before
        for name, column in self._columns.items():
            column.extend(rows.get(name) or [math.nan] * new)

    def last_rows(self, n: int, names: Iterable[str]) -> list[dict[str, float]]:
        """The last n epochs, each as a mapping of these columns to their values."""
        return [{name: self._columns[name][row] for name in names} for row in range(-n, 0)]

    def truncate(self, rows: int, columns: Collection[str]) -> None:
        """Undo `extend`: keep only the first rows of these columns."""
        self._columns = {name: column for name, column in self._columns.items() if name in columns}
        for column in self._columns.values():
            del column[rows:]

    def __getitem__(self, name: str) -> list[float]:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(f"this history has no {name!r}; it has {', '.join(self)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        """The table, without its middle rows."""
        rows = len(self["epoch"])
        shown = [i for i in range(rows) if i < _N_SHOWN or i >= rows - _N_SHOWN]
        lines = [list(self), *([f"{column[i]:.5g}" for column in self.values()] for i in shown)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(map(str.rjust, line, widths)) for line in lines]
        if len(shown) < rows:
            table.insert(1 + _N_SHOWN, "...".rjust(widths[0]))
        return "\n".join(table)

    def to_pandas(self) -> Any:
        """Convert to a pandas.DataFrame with the same columns, indexed by epoch; needs pandas."""
        try:
            import pandas
        except ImportError:
            raise ImportError("History.to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame(self._columns).set_index("epoch")

    def plot(self) -> Any:
        """Draw the learning curves with `fastgd.plot.curves` and return the matplotlib figure."""
        from ..plot import curves

        return curves(self)
