"""Rows that need not fit in memory: a `Source` hands them out block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from .._common.checks import check_int
from .._common.typing import Array, Ints
from .arrays import is_frame
from .npy import NpyFile
from .splits import split_rows

# A block as a source returns it: X, y and, if rows have weights, sample_weight.
Block = tuple[Any, ...]

# Rows that are shuffled together, and rows of a block of arrays.
BUFFER_ROWS, BLOCK_ROWS = 1 << 17, 1 << 13


class Source:
    """Rows in blocks, which `Trainer.fit` reads while it trains.

    A subclass defines `block_rows` and `block`.  Each epoch reads every block once, in a thread of its own.

    Attributes
    ----------
    block_rows : sequence of int
        Number of rows of each block.
    buffer_rows : int, default=131072
        Number of rows that are shuffled together; about twice as many are held in memory.
    is_sequential : bool, default=False
        Whether blocks can only be read one after the other: then their order is the same in each epoch.

    Examples
    --------
    >>> import fastgd as gd
    >>> class Squares(gd.Source):
    ...     block_rows = [256] * 8
    ...
    ...     def block(self, index):
    ...         X = np.random.default_rng(index).uniform(-1, 1, (256, 1)).astype(np.float32)
    ...         return X, X[:, 0] ** 2
    >>> trainer = gd.Trainer(gd.MLP(1, 16, 1, seed=0), loss="mse")
    >>> history = trainer.fit(Squares(), epochs=5, verbose=0)
    """

    buffer_rows: int = BUFFER_ROWS
    is_sequential: bool = False

    @property
    def block_rows(self) -> Sequence[int]:
        """Number of rows of each block."""
        raise NotImplementedError(f"{type(self).__name__} must define block_rows, the number of rows of each block")

    def block(self, index: int) -> Block:
        """The rows of a block.

        Parameters
        ----------
        index : int in [0, number of blocks)

        Returns
        -------
        (X, y) or (X, y, sample_weight)
            As `Trainer.fit` takes them; the same values each time.
        """
        raise NotImplementedError(f"{type(self).__name__} must define block(index), which returns (X, y)")

    def blocks(self, indices: Iterable[int]) -> Iterator[Block]:
        """These blocks, one after the other; increasing indices if the source is sequential."""
        return (self.block(index) for index in indices)

    def targets(self) -> Iterator[Any]:
        """The y of every block, in order."""
        return (block[1] for block in self.blocks(range(len(self.block_rows))))

    def __len__(self) -> int:
        """Number of rows."""
        return sum(self.block_rows)

    def split(self, fraction: float, seed: int = 0) -> tuple[Source, Source]:
        """Divide the blocks at random.

        Parameters
        ----------
        fraction : float in (0, 1)
            Share of the blocks in the second part.
        seed : int, default=0

        Returns
        -------
        training, validation : Source

        Examples
        --------
        >>> source = ArraySource(np.zeros((10, 1)), np.zeros(10), block_rows=2)
        >>> [len(part) for part in source.split(0.4)]
        [6, 4]
        """
        training, held_out = split_rows(len(self.block_rows), fraction, seed)
        return Part(self, training), Part(self, held_out)

    def arrays(self) -> Block:
        """All rows in memory: (X, y) or (X, y, sample_weight)."""
        parts = list(self.blocks(range(len(self.block_rows))))
        return tuple(concatenated(columns) for columns in zip(*parts, strict=True))


class Part(Source):
    """Some blocks of another source.

    Parameters
    ----------
    source : Source
    indices : (n,) int64
        Indices of the blocks, increasing.
    """

    def __init__(self, source: Source, indices: Ints) -> None:
        self._source, self._indices = source, indices.tolist()
        self.buffer_rows, self.is_sequential = source.buffer_rows, source.is_sequential

    @property
    def block_rows(self) -> Sequence[int]:
        rows = self._source.block_rows
        return [rows[index] for index in self._indices]

    def block(self, index: int) -> Block:
        return self._source.block(self._indices[index])

    def blocks(self, indices: Iterable[int]) -> Iterator[Block]:
        return self._source.blocks(self._indices[index] for index in indices)


class ArraySource(Source):
    """Blocks of arrays, which may lie in files.

    `fit(X, y)` takes memory-mapped arrays, too, and reads the rows of each step wherever they lie.  A source reads long
    stretches instead, ahead of the steps, which disks and networks do much faster.

    Parameters
    ----------
    X, y : ndarray, numpy.memmap or path of a `.npy` file
        Files are read part by part, and not mapped into memory.
    sample_weight : ndarray, numpy.memmap, path or None, default=None
    block_rows : int >= 1, default=8192
        Rows that are read at once.
    buffer_rows : int >= 1, default=131072
        See `Source`.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        block_rows: int = BLOCK_ROWS,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        self._block_rows = check_int("block_rows", block_rows)
        self.buffer_rows = check_int("buffer_rows", buffer_rows)
        given = {"X": X, "y": y} if sample_weight is None else {"X": X, "y": y, "sample_weight": sample_weight}
        self._arrays = {name: _open(values, name) for name, values in given.items()}
        n = len(self._arrays["X"])
        for name, array in self._arrays.items():
            if len(array) != n:
                raise ValueError(f"X and {name} must have the same number of rows, not {n} and {len(array)}")
        if not n:
            raise ValueError(f"X is empty: it has shape {self._arrays['X'].shape}")

    @property
    def block_rows(self) -> Sequence[int]:
        n, size = len(self._arrays["X"]), self._block_rows
        return [min(size, n - start) for start in range(0, n, size)]

    def block(self, index: int) -> Block:
        return tuple(self._rows(array, index) for array in self._arrays.values())

    def targets(self) -> Iterator[Any]:
        return (self._rows(self._arrays["y"], index) for index in range(len(self.block_rows)))

    def _rows(self, array: Any, index: int) -> Array:
        rows: Array = array[index * self._block_rows : (index + 1) * self._block_rows]
        return rows


class IterSource(Source):
    """Blocks that a function produces one after the other.

    Their rows are counted in a pass of its own before the first epoch, unless `block_rows` is given.  As blocks come in
    the same order in each epoch, rows are only shuffled within the buffer: let them come in random order.

    Parameters
    ----------
    factory : callable () -> iterable of (X, y) or (X, y, sample_weight)
        Called at the beginning of each epoch; a generator function, for example.
    block_rows : sequence of int or None, default=None
        Number of rows of each block.
    buffer_rows : int >= 1, default=131072
        See `Source`.
    """

    is_sequential = True

    def __init__(
        self,
        factory: Callable[[], Iterable[Block]],
        *,
        block_rows: Sequence[int] | None = None,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        if not callable(factory):
            raise TypeError(
                "a source needs a function that returns an iterable of blocks, because each epoch reads them anew, not "
                f"{type(factory).__name__}"
            )
        self._factory, self._counts = factory, None if block_rows is None else list(block_rows)
        self.buffer_rows = check_int("buffer_rows", buffer_rows)

    @property
    def block_rows(self) -> Sequence[int]:
        if self._counts is None:
            self._counts = [len(block[0]) for block in self._factory()]
        return self._counts

    def block(self, index: int) -> Block:
        return next(self.blocks([index]))

    def blocks(self, indices: Iterable[int]) -> Iterator[Block]:
        blocks, done = iter(self._factory()), 0
        for index in indices:
            yield from islice(blocks, index - done, index - done + 1)
            done = index + 1


def numbered(blocks: Iterator[Any], indices: Iterable[int]) -> Iterator[tuple[int, Any]]:
    """Each index, with the next of the blocks.

    Raises
    ------
    RuntimeError
        A block could not be read, of which the message has the index.
    """
    for index in indices:
        try:
            block = next(blocks)
        except StopIteration:
            raise RuntimeError(f"the source ended before block {index}") from None
        except Exception as error:
            raise RuntimeError(f"block {index} of the source: {type(error).__name__}: {error}") from error
        yield index, block


def blocks_with_rows(source: Source, counts: Iterable[int]) -> Iterator[tuple[int, Any]]:
    """The index of each block that has rows, with the block; raises as `numbered`.

    Parameters
    ----------
    source : Source
    counts : iterable of int
        Its `block_rows`.
    """
    indices = [index for index, count in enumerate(counts) if count]
    return numbered(iter(source.blocks(iter(indices))), indices)


def targets_with_rows(source: Source, counts: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """The index of each block that has rows, with its y; see `blocks_with_rows`."""
    return ((i, y) for i, y in numbered(iter(source.targets()), range(len(counts))) if counts[i])


def first_block(source: Source, counts: Sequence[int]) -> tuple[int, Any]:
    """The index of the first block that has rows, with the block; ValueError if none has."""
    first = next((i for i, count in enumerate(counts) if count), None)
    if first is None:
        raise ValueError("the source is empty: its blocks have no rows")
    return next(numbered(iter(source.blocks(iter([first]))), [first]))


def as_source(values: Any) -> Source | None:
    """The source that the first argument of `fit` is or makes; None if it is something else."""
    if isinstance(values, Source):
        return values
    is_function = callable(values) and not hasattr(values, "__array__") and not is_frame(values)
    return IterSource(values) if is_function else None


def _open(values: Any, name: str) -> Any:
    """An array, or a file that can be sliced like one."""
    if isinstance(values, (str, os.PathLike)):
        return NpyFile(values)
    if not isinstance(values, np.ndarray) or not values.ndim:
        raise TypeError(f"{name} must be an array or the path of a .npy file, not {type(values).__name__}")
    return values


def concatenated(parts: Sequence[Any]) -> Any:
    """One array of the values of all blocks; tables of Arrow stay tables, so that columns keep their names."""
    if hasattr(parts[0], "column_names"):
        import pyarrow as pa

        return pa.concat_tables(parts)
    if is_frame(parts[0]) and hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts)
    return np.concatenate([np.asarray(part) for part in parts])
