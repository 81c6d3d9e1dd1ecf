"""Checks and conversion of what a custom training loop passes to a loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.checks import in_interval
from .._common.typing import Array
from ..data.arrays import MODEL_DTYPES, as_numeric, check_finite, to_array
from ..data.sample_weights import row_weights
from ..losses import Loss


def convert_batch(
    loss: Loss, Z: Any, Y: Any, sample_weight: Any, out: Array | None
) -> tuple[Array, Array, Array | None, Array]:
    """Outputs, targets, weights and the array for dZ, as `Losses.mean` takes them.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit the loss or another argument.
    """
    Z = as_numeric(Z, "Z")
    if Z.ndim != 2 or not Z.size:
        raise ValueError(f"Z must have shape (rows, outputs), not {Z.shape}")
    check_finite(Z, "Z")
    Z = np.ascontiguousarray(Z, Z.dtype if Z.dtype in MODEL_DTYPES else np.float64)
    Y = to_array(Y, "Y") if loss.target == "labels" else as_numeric(Y, "Y")
    if len(Y) != len(Z) if Y.ndim else True:
        raise ValueError(f"Y must have the {len(Z)} rows of Z, not the shape {Y.shape}")
    Y = _labels(Y, Z.shape[1], loss) if loss.target == "labels" else _values(Y, Z.shape[1], loss)
    return Z, Y, batch_weights(sample_weight, len(Z), Z.dtype), _checked_out(out, Z)


def _labels(Y: Array, n: int, loss: Loss) -> Array:
    """Class indices (B, 1)."""
    if Y.ndim == 2 and Y.shape[1] == n > 1 and hasattr(loss, "for_rows"):
        raise ValueError(
            f"Y has shape {Y.shape}, but the loss {loss.name!r} takes class indices (rows,): for rows of probabilities "
            f"use {loss.for_rows()!r}"
        )
    if Y.ndim > 2 or (Y.ndim == 2 and Y.shape[1] != 1):
        raise ValueError(f"Y must have one class index per row, shape (rows,) or (rows, 1), not {Y.shape}")
    if Y.dtype.kind not in "biu":
        raise TypeError(f"Y must hold class indices, integers from 0 to {n - 1}, not {Y.dtype}")
    Y = Y.reshape(-1, 1)
    bad = (Y < 0) | (Y >= n)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"Y must hold class indices from 0 to {n - 1}, but has {Y[row, 0]} in row {row}")
    return Y.astype(np.int64)


def _values(Y: Array, n: int, loss: Loss) -> Array:
    """A value for each output (B, n), in the interval of the loss."""
    per_target = loss.outputs_per_target(n)
    if Y.ndim == 1 and n == per_target:
        Y = Y.reshape(-1, 1)
    if Y.ndim != 2 or Y.shape[1] not in (n, n // per_target):
        raise ValueError(f"Y must have shape {(len(Y), n // per_target)}, not {Y.shape}")
    check_finite(Y, "Y")
    bad = ~in_interval(Y, loss.interval)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"Y must be in {loss.interval} for the loss {loss.name!r}, but is {Y[row, column]} in row {row}, column "
            f"{column}"
        )
    Y = Y if Y.shape[1] == n else np.repeat(Y, per_target, axis=1)
    return np.ascontiguousarray(Y)


def batch_weights(sample_weight: Any, rows: int, dtype: np.dtype[Any]) -> Array | None:
    """Checked weights of the rows of a batch, which may all be 0; None for None."""
    if sample_weight is None:
        return None
    weight = as_numeric(sample_weight, "sample_weight")
    if weight.shape == (rows,) and not weight.any():
        return np.zeros(rows, dtype)
    return row_weights(weight, rows).astype(dtype)


def _checked_out(out: Any, Z: Array) -> Array:
    if out is None:
        return np.empty_like(Z)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an ndarray {Z.shape} of {Z.dtype}, not {type(out).__name__}")
    if out.shape != Z.shape or out.dtype != Z.dtype or not out.flags.carray:
        raise ValueError(
            f"out must have the shape and dtype of Z, {Z.shape} and {Z.dtype}, and be C-contiguous and writable, not "
            f"{out.shape} and {out.dtype}"
        )
    return out
