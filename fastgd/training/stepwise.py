"""Training and measuring with any loss: built-in losses in the engine, custom ones called from Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..layers.noise import NoiseSpec
from ..losses.base import Loss, LossNotFinite
from ..losses.custom import Custom
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms


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


def train(
    model: Sequential,
    X: NDArray[Any],
    Y: NDArray[Any],
    weight: Array | None,
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    loss: Loss,
    optimizer: Optimizer,
    coefficients: NDArray[np.float64],
    state: Array,
    losses: NDArray[np.float64],
    n_threads: int = 0,
    regime: Transforms | None = None,
    noise: NoiseSpec | None = None,
) -> None:
    """A chunk of training, as `backend.Network.train` describes it; `CustomLossError` if the user's function fails."""
    network = model.network_for(loss.link)
    if not isinstance(loss, Custom):
        network.train(
            X, Y, weight, order, starts, loss, optimizer, coefficients, state, losses, n_threads, regime, noise
        )
        return
    for s in range(len(losses)):
        rows = order[starts[s] : starts[s + 1]]
        draw = None if noise is None else noise.of(s)
        losses[s] = _pass(model, X, Y, weight, rows, loss, s, n_threads, regime, draw)
        with np.errstate(over="ignore", invalid="ignore"):
            network.update(optimizer, coefficients[s], state, None if regime is None else regime.of(s))


def _pass(
    model: Sequential,
    X: NDArray[Any],
    Y: NDArray[Any],
    weight: Array | None,
    rows: NDArray[np.int64],
    loss: Custom,
    step: int,
    n_threads: int,
    regime: Transforms | None,
    noise: NoiseSpec | None,
) -> float:
    """The mean loss of a step's rows; `model.grad` <- its gradient, summed over as many passes as the regime asks."""
    batch = len(rows) if regime is None else regime.micro_batch
    total, mean = _total(None if weight is None else weight[rows], len(rows)), 0.0
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        Z = np.empty((len(some), model.n_out), model.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            model.network.forward(X[some], Z, n_threads, None if noise is None else noise.of(0, start))
        weights = None if weight is None else weight[some]
        value, dZ = _of_step(loss, step, Z, Y[some], weights)
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
    """Losses and slopes of rows, as `backend.Network.loss` describes it; a `Custom` gives each row the mean of all."""
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
