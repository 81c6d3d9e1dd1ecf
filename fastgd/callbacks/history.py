"""What happened in each epoch: a mapping of lists."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

# Rows that the printed table shows at its top and at its end.
_SHOWN = 3


class History(Mapping[str, list[float]]):
    """Columns of numbers, one row per epoch; `history["loss"]` is a list.

    Columns are "epoch" (from 1), "loss" (mean over the training rows, each taken before the step it belongs to),
    "grad_norm" if it is measured (mean over the steps, before clipping), "validation_loss" and "validation_accuracy" or
    "validation_r2" if there are validation rows, "lr" (of the epoch's last step) and "seconds" (of the epoch,
    validation and callbacks included).  A row without a value has NaN there.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {"epoch": []}

    def extend(self, rows: Mapping[str, list[float]]) -> None:
        """Add epochs: for each column its new values, "epoch" among them; columns that are new or left out get NaN."""
        before, new = len(self["epoch"]), len(rows["epoch"])
        for name in rows:
            self._columns.setdefault(name, [math.nan] * before)
        for name, column in self._columns.items():
            column.extend(rows.get(name) or [math.nan] * new)

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
        """The table, its middle left out."""
        rows = len(self["epoch"])
        shown = [i for i in range(rows) if i < _SHOWN or i >= rows - _SHOWN]
        lines = [list(self), *([f"{column[i]:.5g}" for column in self.values()] for i in shown)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(map(str.rjust, line, widths)) for line in lines]
        if len(shown) < rows:
            table.insert(1 + _SHOWN, "...".rjust(widths[0]))
        return "\n".join(table)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with the same columns, indexed by epoch; needs pandas."""
        try:
            import pandas
        except ImportError:
            raise ImportError("History.to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame(self._columns).set_index("epoch")

    def plot(self) -> Any:
        """A matplotlib figure of the learning curves; see `fastgd.plot.curves`."""
        from ..plot import curves

        return curves(self)
