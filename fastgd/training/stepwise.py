"""Training and measuring with any loss: built-in losses inside the engine, custom ones called from Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array, Floats
from ..engine.chunk import Chunk
from ..engine.contract import Executor
from ..losses.base import Loss, LossNotFinite
from ..losses.custom import Custom, all_finite
from ..optimizers.bound_steps import UpdateNotFinite


class CustomLossError(Exception):
    """A custom loss raised an error or returned something invalid; the original exception is the `__cause__`.

    Attributes
    ----------
    step : int
        Index of the step in the chunk; theta holds the updates of those before it.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def _never() -> bool:
    return False


def train_chunk(
    executor: Executor,
    chunk: Chunk,
    n_out: int,
    must_stop: Callable[[], bool] = _never,
    first: int = 0,
    last: int | None = None,
) -> int:
    """Execute the steps `first` to `last` - 1 of a chunk, None: to its end; returns how many.

    Parameters
    ----------
    executor : Executor
        The network for the link of the chunk's loss.
    chunk : Chunk
    n_out : int
        Number of outputs.
    must_stop : callable, default=never
        Asked after each step with a custom loss, which may take any time, whether the chunk is to end early. The steps
        of a built-in loss are one call of the engine.

    Raises
    ------
    LossNotFinite
        The loss of a step is inf or NaN; its update was not done.
    CustomLossError
        A custom loss failed.
    """
    last = chunk.n_steps if last is None else last
    if not isinstance(chunk.loss, Custom):
        executor.train(chunk, first, last)
        return last - first
    updates = executor.updates(chunk.optimizer, chunk.coefficients, chunk.state, chunk.transforms)
    for s in range(first, last):
        chunk.losses[s] = _gradient(executor, chunk, chunk.loss, s, n_out)
        try:
            updates.step(s)
        except UpdateNotFinite:
            raise LossNotFinite(s) from None
        if must_stop():
            return s + 1 - first
    return last - first


def _gradient(executor: Executor, chunk: Chunk, loss: Custom, s: int, n_out: int) -> float:
    """The mean loss of the rows of step s; grad <- its gradient, summed over micro-batches."""
    rows, weight, n_threads = chunk.rows(s), chunk.weight, chunk.n_threads
    noise = None if chunk.noise is None else chunk.noise.of(s)
    micro_batch = len(rows) if chunk.transforms is None else chunk.transforms.micro_batch
    total, mean = _total_weight(None if weight is None else weight[rows], len(rows)), 0.0
    for start in range(0, len(rows), micro_batch):
        part = rows[start : start + micro_batch]
        Z = np.empty((len(part), n_out), chunk.state.dtype)
        executor.forward(chunk.X.take(part, axis=0), Z, n_threads, None if noise is None else noise.of(0, start))
        weights = None if weight is None else weight[part]
        value, dZ = _mean_loss(loss, s, Z, chunk.Y.take(part, axis=0), weights)
        share = _total_weight(weights, len(part)) / total if total > 0 else 0.0
        executor.backward(dZ if share == 1 else dZ * dZ.dtype.type(share), None, n_threads, start > 0)
        mean += value * share
    return mean


def measure(
    executor: Executor,
    loss: Loss,
    Z: Array,
    Y: NDArray[Any],
    weight: Array | None,
    row_losses: Floats,
    dZ: Array | None,
) -> None:
    """Weighted losses and gradients of rows, as `Executor.loss`; a `Custom` gives each row the mean of all.

    Parameters
    ----------
    executor : Executor
        The network for the link of the loss.
    loss : Loss
    Z : (B, n_out)
        Outputs.
    Y : (B, ...)
        Targets.
    weight : (B,) or None
    row_losses : (B,) float64
        Out: weight * loss of each row.
    dZ : (B, n_out) or None
        Out: derivative of their sum.
    """
    if not isinstance(loss, Custom):
        executor.loss(loss, Z, Y, weight, row_losses, dZ)
        return
    total = _total_weight(weight, len(Z))
    value, gradient = loss.batch(Z, Y, weight) if total > 0 else (0.0, np.zeros_like(Z))
    row_losses[:] = value if weight is None else value * weight
    if dZ is not None:
        dZ[:] = gradient * total


def _mean_loss(loss: Custom, step: int, Z: Array, Y: NDArray[Any], weight: Array | None) -> tuple[float, Array]:
    """Mean loss of a micro-batch and dL/dZ; every exception carries the index of the step."""
    if not all_finite(Z):
        raise LossNotFinite(step)
    if weight is not None and not weight.any():
        return 0.0, np.zeros_like(Z)
    try:
        value, dZ = loss.batch(Z, Y, weight)
    except BaseException as error:
        raise CustomLossError(step) from error
    if not math.isfinite(value):
        raise LossNotFinite(step)
    return value, dZ


def _total_weight(weight: Array | None, rows: int) -> float:
    return float(rows) if weight is None else float(weight.sum(dtype=np.float64))
