"""Training and measuring with any loss: built-in losses in the engine, custom ones called from Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..engine.chunk import Chunk
from ..losses.base import Loss, LossNotFinite
from ..losses.custom import Custom
from ..models.sequential import Sequential


class CustomLossError(Exception):
    """The user's function raised an error, or gave what it must not: the exception's `__cause__`.

    Attributes
    ----------
    step : int
        Steps of this call of `train` that were done before; theta is what they left.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def train(model: Sequential, chunk: Chunk) -> None:
    """Execute the steps of a chunk; `CustomLossError` if the user's function fails."""
    network = model.network_for(chunk.loss.link)
    if not isinstance(chunk.loss, Custom):
        network.train(chunk)
        return
    for s, coefficients in enumerate(chunk.coefficients):
        chunk.losses[s] = _pass(model, chunk, chunk.loss, s)
        transforms = None if chunk.transforms is None else chunk.transforms.of(s)
        with np.errstate(over="ignore", invalid="ignore"):
            network.update(chunk.optimizer, coefficients, chunk.state, transforms)


def _pass(model: Sequential, chunk: Chunk, loss: Custom, s: int) -> float:
    """The mean loss of a step's rows; `model.grad` <- its gradient, summed over micro-batches."""
    rows, weight, n_threads = chunk.rows(s), chunk.weight, chunk.n_threads
    noise = None if chunk.noise is None else chunk.noise.of(s)
    micro_batch = len(rows) if chunk.transforms is None else chunk.transforms.batch
    total, mean = _total(None if weight is None else weight[rows], len(rows)), 0.0
    for start in range(0, len(rows), micro_batch):
        some = rows[start : start + micro_batch]
        Z = np.empty((len(some), model.n_out), model.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            model.network.forward(chunk.X[some], Z, n_threads, None if noise is None else noise.of(0, start))
        weights = None if weight is None else weight[some]
        value, dZ = _of_step(loss, s, Z, chunk.Y[some], weights)
        share = _total(weights, len(some)) / total if total > 0 else 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            model.network.backward(dZ * dZ.dtype.type(share), None, n_threads, start > 0)
        mean += value * share
    return mean


def measure(
    model: Sequential,
    loss: Loss,
    Z: Array,
    Y: NDArray[Any],
    weight: Array | None,
    rows: NDArray[np.float64],
    dZ: Array | None,
) -> None:
    """Losses and slopes of rows, as an engine's `loss` does; a `Custom` gives each row the mean of all."""
    if not isinstance(loss, Custom):
        model.network_for(loss.link).loss(loss, Z, Y, weight, rows, dZ)
        return
    total = _total(weight, len(Z))
    value, slope = loss.batch(Z, Y, weight) if total > 0 else (0.0, np.zeros_like(Z))
    rows[:] = value if weight is None else value * weight
    if dZ is not None:
        dZ[:] = slope * total


def _of_step(loss: Custom, step: int, Z: Array, Y: NDArray[Any], weight: Array | None) -> tuple[float, Array]:
    """Mean loss of a batch and its slope; all errors with the number of the step."""
    if not np.isfinite(Z).all():
        raise LossNotFinite(step)
    if _total(weight, len(Z)) == 0:
        return 0.0, np.zeros_like(Z)
    try:
        value, dZ = loss.batch(Z, Y, weight)
    except BaseException as problem:
        raise CustomLossError(step) from problem
    if not np.isfinite(value):
        raise LossNotFinite(step)
    return value, dZ


def _total(weight: Array | None, rows: int) -> float:
    return float(rows) if weight is None else float(weight.sum(dtype=np.float64))
