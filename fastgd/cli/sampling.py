"""A random sample of the rows of a table that is read in parts, which tells `fastgd train` what the columns are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common import random
from .._common.typing import Array, Ints
from ..tables.reading import polars_required
from .sources import check_column, name_of, text_parts

if TYPE_CHECKING:
    import polars as pl

    from ..tables.files import TextTable

# Most rows of the sample, and bytes of their text.
_ROWS, _BYTES = 1 << 17, 1 << 27
# Targets of which there are no more different ones all have a row in the sample, so that it has all classes.
_MAX_CLASSES = 4096


@dataclass(frozen=True)
class Sample:
    """Rows of a table, which are read as `sources.Table` reads all of them.

    Attributes
    ----------
    text : TextTable
        The sample.
    rows : ndarray of int64
        Which rows of the table these are, in their order.
    n_rows : int
        Number of rows of the table.
    missing : collection of str
    """

    text: TextTable
    rows: Ints
    n_rows: int
    missing: Collection[str]

    @property
    def name(self) -> str:
        """Of the table."""
        return self.text.name

    def read(self, text: Collection[str] = ()) -> Any:
        """The sample as a frame; see `tables.read_frame`."""
        from ..tables.reader import typed_frame

        return typed_frame(self.text, self.missing, text)


def sample_rows(source: Path, missing: Collection[str], target: str, seed: int) -> Sample:
    """Read a table once, and keep a random sample of its rows, with all different values of the target if they are few.

    Raises
    ------
    ValueError
        There is no column `target`.
    TableError
        The file is malformed.
    """
    with polars_required():
        import polars as pl

    kept, classes, n_rows, table = _RandomRows(), _FirstOfEach(), 0, None
    for i, (_, table) in enumerate(text_parts(source)):
        check_column(target, table.header, name_of(source))
        frame = table.frame.with_columns((pl.int_range(pl.len(), dtype=pl.Int64) + n_rows).alias("row"))
        kept.add(frame, random.bits(seed, random.Purpose.SPLIT, 2 + i, len(frame)))  # `split_rows` uses 0
        classes.add(frame, str(table.header.index(target)))
        n_rows += len(frame)
    assert table is not None
    frame = pl.concat([kept.frame(), *classes.frames]).unique("row", maintain_order=True).sort("row")
    rows = frame["row"].to_numpy()
    return Sample(replace(table, frame=frame.drop("row"), rows=rows), rows, n_rows, missing)


class _RandomRows:
    """The rows with the smallest random keys."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._keys: list[Array] = []
        self._limit, self._bound = _ROWS, np.uint64(2**64 - 1)

    def add(self, frame: pl.DataFrame, keys: Array) -> None:
        """Take rows with these keys, (rows,)."""
        if not self._frames:
            self._limit = max(1, min(_ROWS, _BYTES * len(frame) // max(1, int(frame.estimated_size()))))
        is_small = keys <= self._bound
        self._frames.append(_compact(frame.filter(is_small)))
        self._keys.append(keys[is_small])
        if sum(map(len, self._keys)) > 2 * self._limit:
            self._prune()

    def frame(self) -> pl.DataFrame:
        """The rows that are kept."""
        self._prune()
        return self._frames[0]

    def _prune(self) -> None:
        import polars as pl

        keys, frame = np.concatenate(self._keys), pl.concat(self._frames)
        if len(keys) > self._limit:
            self._bound = np.partition(keys, self._limit - 1)[self._limit - 1]
            is_small = keys <= self._bound
            keys, frame = keys[is_small], _compact(frame.filter(is_small))
        self._keys, self._frames = [keys], [frame]


class _FirstOfEach:
    """The first row of each value of a column, unless there are too many."""

    def __init__(self) -> None:
        self.frames: list[pl.DataFrame] = []
        self._seen: set[str | None] | None = set()

    def add(self, frame: pl.DataFrame, column: str) -> None:
        """Look at more rows."""
        if self._seen is None:
            return
        import polars as pl

        firsts = frame.filter(pl.col(column).is_first_distinct())
        is_new = np.array([value not in self._seen for value in firsts[column].to_list()], bool)
        self.frames.append(_compact(firsts.filter(is_new)))
        self._seen.update(self.frames[-1][column].to_list())
        if len(self._seen) > _MAX_CLASSES:
            self._seen, self.frames = None, []


def _compact(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy with memory of its own: rows that polars has selected keep the text of all others in memory."""
    import polars as pl

    return pl.DataFrame(frame.to_dict(as_series=False), schema=frame.schema)
