"""The losses of a batch in NumPy, for custom training loops; `fastgd.engine.contract` describes the methods."""

from __future__ import annotations

import numpy as np

from .._common.typing import Array
from ..losses import Loss
from .contract import BAD_VALUE, LOSS_NOT_FINITE, OVERLAP, bounds_of


class Losses:
    """The built-in losses; the argument exists because other engines have it."""

    def __init__(self, isa: str | None = None) -> None:
        pass

    def mean(self, loss: Loss, Z: Array, Y: Array, weight: Array | None, dZ: Array) -> float:
        if Z.ndim != 2 or Z.dtype not in (np.float32, np.float64):
            raise ValueError(f"Z must be a matrix of float32 or float64, not {Z.shape} and {Z.dtype}")
        B = len(Z)
        for name, array in (("Z", Z), ("Y", Y), ("weight", weight)):
            if array is not None and np.may_share_memory(dZ, array):
                raise ValueError(OVERLAP.format("out", name))
        if not (dZ.shape == Z.shape and dZ.dtype == Z.dtype and dZ.flags.carray):
            raise ValueError(f"out must have shape {Z.shape} and dtype {Z.dtype}, C-contiguous and writable")
        if Y.shape == (B,):
            Y = Y.reshape(-1, 1)
        if Y.shape != (B, 1 if loss.target == "labels" else Z.shape[1]):
            raise ValueError(f"Y has shape {Y.shape}, which does not fit Z {Z.shape}")
        _check_values(loss, Z, Y, weight)
        divisor = float(B) if weight is None else float(weight.sum(dtype=np.float64)) or 1.0
        if loss.target != "labels":
            Y = Y.astype(Z.dtype, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            losses, gradient = loss.row_losses(Z, Y).astype(np.float64), loss.row_gradients(Z, Y)
            if weight is not None:
                losses, gradient = losses * weight, gradient * weight[:, np.newaxis]
            np.divide(gradient, Z.dtype.type(divisor), out=dZ)
            mean = float(losses.sum()) / divisor
        if not np.isfinite(mean):
            raise FloatingPointError(LOSS_NOT_FINITE)
        return mean


def _check_values(loss: Loss, Z: Array, Y: Array, weight: Array | None) -> None:
    if weight is not None and not (weight.shape == (len(Z),) and (weight >= 0).all() and np.isfinite(weight).all()):
        raise ValueError(BAD_VALUE)
    if loss.target == "labels":
        if Y.dtype.kind not in "biu":
            raise TypeError(f"Y must hold class indices, not dtype {Y.dtype}")
        if Y.size and not (Y.min() >= 0 and Y.max() < Z.shape[1]):
            raise ValueError("Y has a class index outside 0 .. n_out - 1")
        return
    low, high = bounds_of(loss.interval)
    if not (np.isfinite(Y) & (Y >= low) & (Y <= high)).all():
        raise ValueError(BAD_VALUE)
