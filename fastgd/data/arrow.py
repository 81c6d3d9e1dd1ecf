"""Sources of Parquet and Arrow files; pyarrow is loaded on first use: `pip install "fastgd[parquet]"`."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from glob import glob
from itertools import accumulate
from typing import Any

from .._common.checks import check_int
from .sources import BUFFER_ROWS, Block, Source

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class _TableSource(Source):
    """The common part: files one after the other, columns by name; a subclass opens a file and reads a part of it."""

    def __init__(
        self,
        paths: Paths,
        target: str | Sequence[str],
        columns: Sequence[str] | None = None,
        sample_weight: str | None = None,
        *,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        self.paths = _files(paths)
        self.buffer_rows = check_int("buffer_rows", buffer_rows)
        self._files = [self._open(path) for path in self.paths]
        names = self._names(self._files[0])
        self.target, self.sample_weight = target, sample_weight
        targets = [target] if isinstance(target, str) else list(target)
        others = {*targets, sample_weight}
        self.columns = [name for name in names if name not in others] if columns is None else list(columns)
        self._used = [*self.columns, *targets, *([] if sample_weight is None else [sample_weight])]
        if not self.columns:
            raise ValueError(f"{self.paths[0]} has no columns besides {', '.join(map(repr, targets))}")
        for path, file in zip(self.paths, self._files, strict=True):
            _check_columns(path, self._used, self._names(file))
        self._block_rows = [rows for file in self._files for rows in self._count(file)]
        self._ends = list(accumulate(len(self._count(file)) for file in self._files))
        if not sum(self._block_rows):
            raise ValueError(f"there are no rows in {', '.join(self.paths)}")

    @property
    def block_rows(self) -> Sequence[int]:
        return self._block_rows

    def block(self, index: int) -> Block:
        table = self._table(index, self._used)
        block = table.select(self.columns), self._y(table)
        return block if self.sample_weight is None else (*block, table.column(self.sample_weight).to_numpy())

    def targets(self) -> Iterator[Any]:
        names = [self.target] if isinstance(self.target, str) else list(self.target)
        return (self._y(self._table(index, names)) for index in range(len(self._block_rows)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.paths}, target={self.target!r})"

    def _y(self, table: Any) -> Any:
        return table.column(self.target) if isinstance(self.target, str) else table.select(list(self.target))

    def _table(self, index: int, names: Sequence[str]) -> Any:
        """Columns of a block, as an Arrow table."""
        file = bisect_right(self._ends, index)
        return self._read(self._files[file], index - (self._ends[file - 1] if file else 0), names)

    def _open(self, path: str) -> Any:
        raise NotImplementedError

    def _names(self, file: Any) -> list[str]:
        raise NotImplementedError

    def _count(self, file: Any) -> list[int]:
        """Number of rows of each block of a file."""
        raise NotImplementedError

    def _read(self, file: Any, index: int, names: Sequence[str]) -> Any:
        raise NotImplementedError


class ParquetSource(_TableSource):
    """Parquet files, of which each row group is a block.

    Parameters
    ----------
    paths : path, pattern such as "rows-*.parquet", or sequence of paths
    target : str or sequence of str
        Column of the targets, or several.
    columns : sequence of str or None, default=None
        Columns of the features, of numbers; None: all others.
    sample_weight : str or None, default=None
        Column of the weights of rows.
    buffer_rows : int >= 1, default=131072
        See `Source`.

    Raises
    ------
    ImportError
        pyarrow is not installed.
    ValueError
        A column is missing, or there are no rows.

    Notes
    -----
    A row group is read as a whole.  Many writers make groups of a million rows, of which several may not fit in memory:
    write files with `row_group_size=`, or `row_group_size=10_000` for shuffling that is close to that of all rows.
    """

    def _open(self, path: str) -> Any:
        return _import("parquet").ParquetFile(path)

    def _names(self, file: Any) -> list[str]:
        return list(file.schema_arrow.names)

    def _count(self, file: Any) -> list[int]:
        return [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]

    def _read(self, file: Any, index: int, names: Sequence[str]) -> Any:
        return file.read_row_group(index, columns=list(names))


class ArrowSource(_TableSource):
    """Arrow files (IPC, also named Feather), of which each record batch is a block.

    Parameters and exceptions are those of `ParquetSource`.

    Parameters
    ----------
    paths, target, columns, sample_weight, buffer_rows
        See `ParquetSource`.
    """

    def _open(self, path: str) -> Any:
        return _import("ipc").open_file(_import("").OSFile(path))

    def _names(self, file: Any) -> list[str]:
        return list(file.schema.names)

    def _count(self, file: Any) -> list[int]:
        return [file.get_batch(i).num_rows for i in range(file.num_record_batches)]

    def _read(self, file: Any, index: int, names: Sequence[str]) -> Any:
        return _import("").Table.from_batches([file.get_batch(index)]).select(list(names))


def _import(name: str) -> Any:
    """A module of pyarrow."""
    from importlib import import_module

    try:
        return import_module(f"pyarrow.{name}" if name else "pyarrow")
    except ImportError:
        raise ImportError('reading Parquet and Arrow files needs pyarrow: pip install "fastgd[parquet]"') from None


def _files(paths: Paths) -> list[str]:
    """The files that a path, a pattern or a sequence of paths stands for."""
    if not isinstance(paths, (str, os.PathLike)):
        found = [os.fspath(path) for path in paths]
    else:
        path = os.fspath(paths)
        found = [path] if os.path.exists(path) else sorted(glob(path))
    if not found:
        raise FileNotFoundError(f"there is no file {os.fspath(paths) if isinstance(paths, (str, os.PathLike)) else ''}")
    return found


def _check_columns(path: str, needed: Sequence[str], names: Sequence[str]) -> None:
    for name in needed:
        if names.count(name) != 1:
            problem = "no column" if name not in names else "several columns named"
            raise ValueError(f"{path} has {problem} {name!r}; its columns are {', '.join(map(repr, names))}")
