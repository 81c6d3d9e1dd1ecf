"""Blocks of a source, checked and converted to rows that the engine reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .._common.typing import Array, Floats
from ..data.inputs import InputSpec
from ..data.outputs import OutputSpec
from ..data.sample_weights import balanced_weights, block_weights, row_weights_from_classes
from ..data.scaling import Scaling
from ..data.sources import Source, blocks_with_rows, first_block, targets_with_rows
from ..data.targets import (
    Targets,
    check_same_rows,
    classes_of_parts,
    distinct_labels,
    read_targets,
    takes_labels,
)
from ..losses import Loss
from ..losses.custom import Custom
from ..models.sequential import Sequential
from .evaluators import read_weight
from .standardization import what_to_scale
from .state import TrainSettings
from .stream import Rows

# Rows of the first block that are kept, to examine the data and the network.
_KEPT = 4096


class _Checked(NamedTuple):
    """A block in the units of the user: X, targets, and the weights that the source gives the rows, or None."""

    X: Array
    targets: Targets
    weight: Floats | None


@dataclass(frozen=True, eq=False)
class BlockReader:
    """Checks and converts blocks of a source, which must all be like the first one.

    Attributes
    ----------
    source : Source
    model : Sequential
    loss : Loss
        The loss that reads the targets.
    classes : ndarray or None
        Labels in the order of class indices, where they are known.
    input_spec : InputSpec
    output_spec : OutputSpec
    scales : (bool, bool)
        Whether X and y are to be standardized, so that the model's dtype need not hold their values.
    scales_X : bool
        Whether `rows` standardizes X; otherwise that is done once X has been augmented.
    class_weight : mapping or None
    counts : list of int
        Number of rows of each block.
    first_rows : Rows or None, default=None
        Some of the first block, whose dtypes all have.
    """

    source: Source
    model: Sequential
    loss: Loss
    classes: Array | None
    input_spec: InputSpec
    output_spec: OutputSpec
    scales: tuple[bool, bool]
    scales_X: bool
    counts: list[int]
    class_weight: Mapping[Any, float] | None = None
    first_rows: Rows | None = None

    def rows(self, index: int, block: Any) -> Rows:
        """The rows of a block as the engine reads them.

        Raises
        ------
        TypeError, ValueError
            The block is not like the first one, or its values are invalid; the message has its index.
        """
        rows = self._converted(index, self.checked(index, block))
        for name, part, first in zip(("X", "y", "sample_weight"), rows, self.first_rows or rows, strict=True):
            if (part is None) != (first is None):
                raise ValueError(
                    f"either all blocks have a sample_weight or none, but block {index} differs from the first"
                )
            if part is not None and first is not None and not np.can_cast(part.dtype, first.dtype, "safe"):
                raise TypeError(
                    f"{name} of block {index} has dtype {part.dtype}, but that of the first block is {first.dtype}, "
                    "which cannot hold it: let all blocks have one dtype"
                )
        return rows

    def checked(self, index: int, block: Any) -> _Checked:
        """Check a block; see `rows`."""
        if not isinstance(block, (tuple, list)) or len(block) not in (2, 3):
            raise TypeError(f"block {index} of the source must be (X, y) or (X, y, sample_weight), not {_shown(block)}")
        X_name, y_name, weight_name = (f"{name} of block {index}" for name in ("X", "y", "sample_weight"))
        dtypes = [None if is_scaled else self.model.dtype for is_scaled in self.scales]
        X = self.input_spec.rows(block[0], self.model.n_in, X_name, dtypes[0])
        targets = read_targets(block[1], self.loss, self.model.n_out, self.classes, y_name, dtypes[1])
        check_same_rows(X, targets.Y, X_name, y_name)
        expected = self.counts[index]
        if len(X) != expected:
            raise ValueError(f"block {index} of the source must have {expected} rows, by its block_rows, not {len(X)}")
        if targets.ignored is not None:
            row = int(targets.ignored.argmax())
            raise ValueError(
                f"{y_name} has a label in row {row} that the loss ignores: leave such rows out of the source"
            )
        given = block[2] if len(block) == 3 else None
        read_weight(self.loss, None if given is None else np.ones(1), 1)  # raises if the loss takes none
        return _Checked(X, targets, None if given is None else block_weights(given, len(X), weight_name))

    def all_checked(self) -> Iterator[_Checked]:
        """The blocks that have rows, one after the other."""
        return (self.checked(*each) for each in blocks_with_rows(self.source, self.counts))

    def _converted(self, index: int, block: _Checked) -> Rows:
        dtype = self.model.dtype
        X = self.input_spec.scale(block.X, dtype, f"X of block {index}") if self.scales_X else block.X
        Y = self.output_spec.scale_targets(block.targets.Y, dtype, f"y of block {index}")
        factors = [] if block.weight is None else [block.weight.astype(dtype)]
        if self.class_weight is not None:
            every = np.arange(len(X))
            factors.append(row_weights_from_classes(self.class_weight, block.targets, every).astype(dtype))
        weight = None if not factors else factors[0] if len(factors) == 1 else factors[0] * factors[1]
        is_read_by_user = self.loss.target == "labels" or isinstance(self.loss, Custom)
        return Rows(_narrowed(X, dtype) if self.scales_X else X, Y if is_read_by_user else _narrowed(Y, dtype), weight)


def make_reader(
    settings: TrainSettings, model: Sequential, source: Source, known: Array | None, class_weight: Any, scales_X: bool
) -> tuple[BlockReader, Rows]:
    """Read the first block; and all of them once where classes, their weights or a standardization have to be found.

    Parameters
    ----------
    known : ndarray or None
        Classes that are known.
    class_weight : mapping, "balanced" or None
    scales_X : bool
        See `BlockReader`.

    Returns
    -------
    reader : BlockReader
    few : Rows
        Some rows of the first block.

    Raises
    ------
    TypeError, ValueError
        A block does not fit the model, the settings or another block.
    RuntimeError
        A block could not be read.
    """
    loss = settings.loss
    counts = list(source.block_rows)
    index, block = first_block(source, counts)
    if known is None and takes_labels(loss, model.n_out):
        labels = (distinct_labels(y, f"y of block {i}") for i, y in targets_with_rows(source, counts))
        known = classes_of_parts(labels, loss, model.n_out)
    scales = what_to_scale(settings.standardize, model, loss)
    spec = OutputSpec(loss.link, None, False, model.head.scaling if scales[1] else None)
    reader = BlockReader(source, model, loss, known, model.inputs, spec, scales, scales_X, counts)
    checked = reader.checked(index, block)
    targets, input_spec = checked.targets, model.inputs.with_names_of(block[0])
    spec = replace(spec, classes=targets.classes, squeeze=targets.squeeze)
    if class_weight is not None:
        class_weight = _class_weight(class_weight, reader)
    reader = replace(reader, input_spec=input_spec, output_spec=spec, class_weight=class_weight)
    reader = _with_scaling(reader)
    few = reader._converted(index, checked).take(slice(_KEPT))
    return replace(reader, loss=targets.loss, first_rows=few), few


def _class_weight(class_weight: Any, reader: BlockReader) -> Any:
    """The weights of the classes: those that "balanced" stands for are counted."""
    if not isinstance(class_weight, str) or class_weight != "balanced":
        return class_weight
    n_out, classes = reader.model.n_out, reader.classes
    targets = targets_with_rows(reader.source, reader.counts)
    parts = (read_targets(y, reader.loss, n_out, classes, f"y of block {i}") for i, y in targets)
    return balanced_weights(parts)


def _with_scaling(reader: BlockReader) -> BlockReader:
    """The reader with mean and standard deviation of what is standardized for the first time."""
    input_spec, output_spec = reader.input_spec, reader.output_spec
    if reader.scales[0] and input_spec.scaling is None:
        scaling = Scaling.of_blocks(lambda: ((block.X, block.weight) for block in reader.all_checked()))
        input_spec = input_spec.with_scaling(scaling)
    if reader.scales[1] and output_spec.scaling is None:
        scaling = Scaling.of_blocks(lambda: ((block.targets.Y, block.weight) for block in reader.all_checked()), "y")
        output_spec = replace(output_spec, scaling=scaling)
    return replace(reader, input_spec=input_spec, output_spec=output_spec)


def _narrowed(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values that take no more memory than those of the model's dtype, to which the engine would convert them."""
    return values if values.itemsize < dtype.itemsize else values.astype(dtype, copy=False)


def _shown(block: Any) -> str:
    return f"{len(block)} values" if isinstance(block, (tuple, list)) else f"a {type(block).__name__}"
