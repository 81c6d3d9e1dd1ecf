"""Standardization: columns shifted and scaled to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._common.typing import Array, Floats, Ints
from ..parallel import Group
from .arrays import check_finite

# Rows that are read at once, so that memory maps of any size need little memory.
_BLOCK = 8192

# Rows (n, columns) with their weights (n,), or None; and what goes through all of them anew, block by block.
Block: TypeAlias = tuple[Array, Floats | None]
Blocks: TypeAlias = Callable[[], Iterable[Block]]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of each column of some rows.

    Attributes
    ----------
    mean, std : ndarray (columns,), float64
        The std of a column whose values are all equal is 1, so that it becomes 0.

    Examples
    --------
    >>> scaling = Scaling.of(np.array([[1.0, 5.0], [3.0, 5.0]]), np.arange(2))
    >>> scaling.apply(np.array([[3.0, 5.0]]), np.dtype("float32"))
    array([[1., 0.]], dtype=float32)
    """

    mean: Floats
    std: Floats

    @classmethod
    def of(
        cls, values: Array, rows: Ints, weight: Floats | None = None, name: str = "X", group: Group | None = None
    ) -> Scaling:
        """Measure some rows.

        Two passes in float64 over blocks of rows, so the result is a function of the values in their order.

        Parameters
        ----------
        values : ndarray (n, columns)
        rows : ndarray (training rows,), int64
            Indices of the rows to measure.
        weight : ndarray (n,) or None, default=None
            Weights of the rows, not all 0.
        name : str, default="X"
            Name of the values in the error message.
        group : Group or None, default=None
            Processes whose rows are measured together, shard by shard.

        Raises
        ------
        ValueError
            Values are so large that their squares overflow float64.
        """
        group = group or Group()
        n = len(rows) // len(group.own)
        shards = [_blocks_of(values, rows[i * n : (i + 1) * n], weight) for i in range(len(group.own))]
        return cls._measure(shards, values[rows[0]], name, group)

    @classmethod
    def of_blocks(cls, blocks: Blocks, name: str = "X") -> Scaling:
        """Measure the rows of blocks of any number of rows, with the bits of `of` for the same rows in one array.

        Parameters and exceptions are those of `of`; `blocks` is called for each pass over the rows.
        """
        first, _ = next(iter(blocks()))
        return cls._measure([lambda: _even_blocks(blocks())], first[0], name, Group())

    @classmethod
    def _measure(cls, shards: Sequence[Blocks], first: Array, name: str, group: Group) -> Scaling:
        # Deviations from a value, that of the first row of all, are exactly 0 in a constant column.
        origin = group.exchange(first)[0].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = origin + _mean(shards, origin, 1, group)
            std = np.sqrt(_mean(shards, mean, 2, group))
        if not np.isfinite(std).all():
            column = int(np.argmin(np.isfinite(std)))
            raise ValueError(f"{name} cannot be standardized: the values of column {column} are too large for float64")
        return cls(mean, np.where(std == 0, 1.0, std))

    def apply(self, values: Array, dtype: np.dtype[Any], name: str = "X") -> Array:
        """(values - mean) / std, computed in float64 and rounded to `dtype`; ValueError if it cannot hold a value."""
        scaled = np.empty(values.shape, dtype)
        for start in range(0, len(values), _BLOCK):
            block = np.subtract(values[start : start + _BLOCK], self.mean, dtype=np.float64)
            with np.errstate(over="ignore"):
                block /= self.std
            check_finite(block, f"{name}, standardized,", dtype, start)
            scaled[start : start + _BLOCK] = block
        return scaled

    def invert(self, scaled: Array) -> Array:
        """Values in the original units, in the dtype of `scaled`."""
        with np.errstate(over="ignore"):
            return (scaled * self.std + self.mean).astype(scaled.dtype, copy=False)

    def to_config(self) -> dict[str, Any]:
        """The scaling as a JSON object, which represents every float exactly."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any], n_columns: int) -> Scaling:
        """Create the scaling of `n_columns` columns from the result of `to_config`; ValueError if it is not one."""
        mean, std = (np.array(config[key], np.float64) for key in ("mean", "std"))
        if not mean.shape == std.shape == (n_columns,) or not np.isfinite([mean, std]).all() or not (std > 0).all():
            raise ValueError(f"its scaling does not fit {n_columns} columns")
        return cls(mean, std)


def _blocks_of(values: Array, rows: Ints, weight: Floats | None) -> Blocks:
    """The blocks of some rows of an array."""
    parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    return lambda: ((values[part], None if weight is None else weight[part]) for part in parts)


def _even_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same rows in blocks of the size of `_blocks_of`."""
    parts: list[Block] = []
    n = 0
    for block in blocks:
        parts.append(block)
        n += len(block[0])
        if n < _BLOCK:
            continue
        whole = _join(parts)
        yield from (_slice(whole, start, start + _BLOCK) for start in range(0, n - _BLOCK + 1, _BLOCK))
        parts, n = [_slice(whole, n - n % _BLOCK, n)], n % _BLOCK
    if n:
        yield _join(parts)


def _join(blocks: Sequence[Block]) -> Block:
    values, weights = zip(*blocks, strict=True)
    return np.concatenate(values), None if weights[0] is None else np.concatenate(weights)


def _slice(block: Block, start: int, stop: int) -> Block:
    values, weight = block
    return values[start:stop], None if weight is None else weight[start:stop]


def _mean(shards: Sequence[Blocks], origin: Floats, power: int, group: Group) -> Floats:
    """The mean of (values - origin) ** power, with the power 1 or 2, over the rows of all shards, (columns,)."""
    sums = [_sum(shard(), origin, power) for shard in shards]
    total = group.concatenate(np.array(sums)).sum(axis=0)
    mean: Floats = total[:-1] / total[-1]
    return mean


def _sum(blocks: Iterable[Block], origin: Floats, power: int) -> Floats:
    """The sum of (values - origin) ** power over the rows, and of their weights, (columns + 1,)."""
    total, divisor = np.zeros(len(origin)), 0.0
    for values, weight in blocks:
        terms = np.subtract(values, origin, dtype=np.float64)
        if power == 2:
            terms *= terms
        if weight is not None:
            terms *= weight[:, np.newaxis]
        total += terms.sum(axis=0)
        divisor += len(values) if weight is None else float(weight.sum())
    return np.append(total, divisor)
