"""Metrics: how good predictions are, in numbers for people. Training does not see them."""

from __future__ import annotations

import numpy as np

from ._definition import Array


def accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Share of the rows where y_pred equals y_true, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array (n,)
        Labels of any kind that NumPy can compare.
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return float(np.average(np.asarray(y_true) == np.asarray(y_pred), weights=weight))


def rmse(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Root of the mean squared error over rows and outputs, in the unit of y.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return float(np.sqrt(np.average(_squared_errors(y_true, y_pred), axis=0, weights=weight).mean()))


def r2(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Coefficient of determination 1 - sum (y - p)^2 / sum (y - mean y)^2, mean over the outputs; 1 is perfect.

    An output whose targets are all equal has nothing to explain: it counts as 1 if it is met exactly, else as 0, as in
    scikit-learn.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    y = np.asarray(y_true, np.float64)
    left = np.average(_squared_errors(y_true, y_pred), axis=0, weights=weight)
    spread = np.average(np.square(y - np.average(y, axis=0, weights=weight)), axis=0, weights=weight)
    ratio = np.where(left == 0, 0.0, np.divide(left, spread, out=np.ones_like(left), where=spread > 0))
    return float(1 - ratio.mean())


def _squared_errors(y_true: Array, y_pred: Array) -> Array:
    """(y - p)^2 in float64; ValueError if the shapes differ, since (n,) and (n, 1) would make (n, n)."""
    y, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if y.shape != p.shape:
        raise ValueError(f"y_true and y_pred must have the same shape, not {y.shape} and {p.shape}")
    return np.square(y - p)
