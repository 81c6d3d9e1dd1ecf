"""Checks and conversion of what is passed to a loss directly, as in a custom training loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.checks import in_interval
from .._common.typing import Array

REAL = "(-inf, inf)"


def as_outputs(Z: Any) -> Array:
    """Outputs Z (B, n_out) as float32 or float64; other numbers become float64."""
    Z = _as_numbers(Z, "Z")
    if Z.ndim != 2 or not Z.shape[1]:
        raise ValueError(f"Z must have shape (rows, outputs), not {Z.shape}")
    outputs: Array = Z.astype(Z.dtype if Z.dtype in (np.float32, np.float64) else np.float64, copy=False)
    return outputs


def as_targets(loss: Any, Y: Any, Z: Array) -> Array:
    """Targets of these outputs: class indices (B, 1), or values (B, n_out) of the dtype of Z.

    Parameters
    ----------
    loss : Loss
    Y : array
        Class indices (B,) or (B, 1); or values (B, n_out), or (B, targets) where each target has several outputs; (B,)
        is enough for one target. If the target of the loss is "any", Y is returned as it is.
    Z : ndarray (B, n_out)

    Raises
    ------
    TypeError
        Y does not hold numbers, or not integers where the loss takes class indices.
    ValueError
        The shape does not fit Z, a class index is not one, or a value is outside the interval of the loss.
    """
    if loss.target == "any":
        return Y  # type: ignore[no-any-return]
    Y = _as_numbers(Y, "Y")
    if Y.ndim not in (1, 2) or len(Y) != len(Z):
        raise ValueError(f"Y must have one row for each of the {len(Z)} rows of Z, not shape {Y.shape}")
    return _class_indices(loss, Y, Z.shape[1]) if loss.target == "labels" else _values(loss, Y, Z)


def _class_indices(loss: Any, Y: Array, n_out: int) -> Array:
    if Y.shape not in ((len(Y),), (len(Y), 1)):
        for_rows = getattr(loss, "for_rows", None)
        hint = f"; {for_rows()!r} takes rows of probabilities" if for_rows and Y.shape[1] == n_out else ""
        raise ValueError(f"Y must have one class index per row, shape {(len(Y), 1)}, not {Y.shape}{hint}")
    if Y.dtype.kind not in "biu":
        raise TypeError(f"Y must hold class indices, integers from 0 to {n_out - 1}, not dtype {Y.dtype}")
    Y = Y.reshape(-1, 1)
    bad = (Y < 0) | (Y >= n_out)
    ignored = loss.ignored(Y)
    if ignored is not None:
        bad &= ~ignored[:, np.newaxis]
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"Y must hold class indices from 0 to {n_out - 1}, but is {Y[row, 0]} in row {row}")
    return Y


def _values(loss: Any, Y: Array, Z: Array) -> Array:
    if Y.shape != Z.shape:
        per_target = loss.outputs_per_target(Z.shape[1])
        targets = Z.shape[1] // per_target
        if Y.shape != (len(Z), targets) and not (targets == 1 and Y.ndim == 1):
            raise ValueError(f"Y must have shape {(len(Z), targets)}, as Z has shape {Z.shape}, not {Y.shape}")
        Y = np.repeat(Y.reshape(-1, targets), per_target, axis=1)
    bad = ~in_interval(Y, loss.interval)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        wanted = "finite" if loss.interval == REAL else f"in {loss.interval} for the loss {loss.name!r}"
        raise ValueError(f"Y must be {wanted}, but is {Y[row, column]} in row {row}, column {column}")
    return Y.astype(Z.dtype, copy=False)


def _as_numbers(array: Any, name: str) -> Array:
    try:
        numbers = np.asarray(array)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{name} must be an array of numbers, but its rows differ in length") from None
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, not {type(array).__name__} of dtype {numbers.dtype}")
    return numbers
