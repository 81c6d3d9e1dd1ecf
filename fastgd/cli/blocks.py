"""Tables in blocks of rows as a trained network takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._common.checks import counted
from .._common.typing import Array, Ints
from ..tables import TableEncoder
from .console import warn
from .sources import check_column, name_of, read_parts
from .targets import reads_as_text, target_values


class Block(NamedTuple):
    """Rows that have a target.

    Attributes
    ----------
    X : ndarray (rows, features)
    y : ndarray (rows,)
    rows : ndarray of int64 (rows,)
        Where they are in the table.
    """

    X: Array
    y: Array
    rows: Ints


def labelled_blocks(
    source: Path, missing: Collection[str], encoder: TableEncoder, target: str, classes: Array | None
) -> Iterator[Block]:
    """The rows of a table that have a target, encoded, some at a time; at the end a warning if others have none.

    Raises
    ------
    ValueError
        The table lacks columns of the encoder, or values that they cannot have, or no target at all.
    """
    name, n_before, n_used = name_of(source), 0, 0
    text = [column.name for column in encoder.columns if column.kind == "category"]
    for frame in read_parts(source, missing, [*text, *([target] if reads_as_text(classes) else [])]):
        check_column(target, frame.columns, name)
        y, has_target = target_values(frame[target], name, classes, n_before)
        if len(y):
            yield Block(
                encode(encoder, frame.filter(has_target), name, n_before), y, n_before + np.flatnonzero(has_target)
            )
        n_before, n_used = n_before + len(frame), n_used + len(y)
    if not n_used:
        raise ValueError(f"column {target!r} of {name} has no values: nothing to compare with")
    if n_used < n_before:
        warn_of_gaps(n_before - n_used, target, name)


def warn_of_gaps(n: int, target: str, name: str) -> None:
    """Say that rows have no target."""
    warn(f"{counted(n, 'row')} of {name} without a value of {target!r} are left out")


def encode(encoder: TableEncoder, frame: Any, name: str, n_before: int = 0) -> Array:
    """The network's inputs; errors name the table, and columns as the user knows them."""
    try:
        return encoder.transform(frame)
    except ValueError as error:
        message = str(error).replace("the table lacks", "lacks").replace("fit has seen", "the model was trained on")
        begins = message.startswith("lacks")
        where = "" if begins or not n_before else f" in the rows after row {n_before:,}"
        raise ValueError(f"{name}{' ' if begins else ': '}{message}{where}") from None


def predict_blocks(model: Any, blocks: Iterable[Any]) -> tuple[Array, Array, Array | None]:
    """Targets of all blocks, predictions, and probabilities if there are any.

    Parameters
    ----------
    model : TrainedModel
    blocks : iterable of (X, y, ...)
    """
    of_inputs, parts = model.of_inputs, []
    for X, y, *_ in blocks:
        p = of_inputs.predict_proba(X) if model.has_probabilities else np.empty((len(X), 0))
        parts.append((y, of_inputs.predict(X), p))
    y, predicted, p = map(np.concatenate, zip(*parts, strict=True))
    return y, predicted, p if model.has_probabilities else None
