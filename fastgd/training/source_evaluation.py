"""Rows of a source for an evaluator: targets in memory, X read block by block while it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._common.typing import Array
from ..data.inputs import InputSpec
from ..data.sources import Source, blocks_with_rows, concatenated, first_block, targets_with_rows
from ..models.sequential import Sequential
from .standardization import check_scaled


class SourceRows:
    """X of a source, as checked rows of which consecutive slices are taken from the first to the last.

    The slices may be taken again from the first one on: then the source is read again.

    Parameters
    ----------
    source : Source
    model : Sequential
    input_spec : InputSpec
        How rows become inputs.
    """

    def __init__(self, source: Source, model: Sequential, input_spec: InputSpec) -> None:
        self._source, self._model, self._input_spec = source, model, input_spec
        self._counts = list(source.block_rows)
        self._blocks: Iterator[Array] = iter(())
        self._left: Array | None = None  # rows of the last block that no slice has had

    def __len__(self) -> int:
        return sum(self._counts)

    def __getitem__(self, rows: slice) -> Array:
        """The next rows, or the first ones."""
        if rows.start == 0:
            self._blocks, self._left = self._read(), None
        parts, n = [], rows.stop - rows.start
        while n:
            block = next(self._blocks) if self._left is None else self._left
            parts.append(block[:n])
            self._left = block[n:] if len(block) > n else None
            n -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _read(self) -> Iterator[Array]:
        """The blocks, checked."""
        spec, dtype = self._input_spec, self._model.dtype
        for index, block in blocks_with_rows(self._source, self._counts):
            name = f"X of block {index}"
            X = spec.rows(block[0], self._model.n_in, name, spec.dtype_of_rows(dtype))
            check_scaled(X, spec.scaling, dtype, name)
            if len(X) != self._counts[index]:
                raise ValueError(
                    f"block {index} of the source must have {self._counts[index]} rows, by its block_rows, not {len(X)}"
                )
            yield X


def refuse_targets(**given: Any) -> None:
    """TypeError if one of these is given besides a source, which has them."""
    for name, value in given.items():
        if value is not None:
            raise TypeError(
                f"{name} must be None where X is a source, whose blocks are (X, y) or (X, y, sample_weight)"
            )


def targets_of(source: Source) -> tuple[Any, Any]:
    """y and sample_weight of all rows, the latter None if blocks have none.

    Raises
    ------
    ValueError
        The source has no rows.
    """
    counts = list(source.block_rows)
    _, block = first_block(source, counts)
    if len(block) == 2:
        return concatenated([y for _, y in targets_with_rows(source, counts)]), None
    blocks = [block[1:] for _, block in blocks_with_rows(source, counts)]
    return concatenated([y for y, _ in blocks]), concatenated([weight for _, weight in blocks])
