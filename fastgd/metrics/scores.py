"""The metrics in NumPy: functions (y_true, y_pred, weight=None) -> float."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._common.typing import Array, Floats
from ..data.arrays import as_numeric, check_finite, to_array


def accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Share of the labels where y_pred equals y_true, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
        Labels of any kind that NumPy can compare.
    weight : array (n,) or None, default=None
        Weight of each row.

    Examples
    --------
    >>> from fastgd import metrics
    >>> metrics.accuracy(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
    """
    y, p = _labels(y_true, y_pred)
    if weight is None and y.ndim == 1:
        return float(np.count_nonzero(y == p) / len(y))
    return _mean(y == p, _row_weights(weight, len(y)))


def balanced_accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean over the classes in y_true of the share of their rows that are predicted correctly, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array (n,)
        Labels of any kind that NumPy can sort.
    weight : array (n,) or None, default=None
        Weight of each row.

    Examples
    --------
    >>> from fastgd import metrics
    >>> metrics.balanced_accuracy(["a", "a", "a", "b"], ["a", "a", "a", "a"])
    0.5
    """
    y, p = _labels(y_true, y_pred)
    if y.ndim != 1:
        raise ValueError(f"balanced_accuracy needs one label per row, not labels of shape {y.shape}")
    w = _row_weights(weight, len(y))
    index = np.unique(y, return_inverse=True)[1].reshape(-1)
    total, correct = np.bincount(index, w), np.bincount(index, np.where(y == p, 1.0 if w is None else w, 0.0))
    return float((correct[total > 0] / total[total > 0]).mean())


def mse(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean squared error over rows and outputs.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return _mean_error(lambda y, p: np.square(y - p), y_true, y_pred, weight)


def rmse(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Root of the mean squared error over rows and outputs, in the unit of y.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return float(np.sqrt(mse(y_true, y_pred, weight)))


def mae(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean absolute error over rows and outputs, in the unit of y.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return _mean_error(lambda y, p: np.abs(y - p), y_true, y_pred, weight)


def mape(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean absolute error relative to y_true over rows and outputs: 0.1 is 10 percent.

    Targets of 0 count as the machine epsilon, as in scikit-learn, so that the value becomes huge rather than infinite.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    eps = np.finfo(np.float64).eps
    return _mean_error(lambda y, p: np.abs(y - p) / np.maximum(np.abs(y), eps), y_true, y_pred, weight)


def r2(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Coefficient of determination 1 - sum (y - p)^2 / sum (y - mean y)^2, mean over the outputs; 1 is perfect.

    An output whose targets are all equal counts as 1 if it is predicted exactly, else as 0, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    y, p = _values(y_true, y_pred)
    w = _row_weights(weight, len(y))
    with np.errstate(over="ignore", invalid="ignore"):
        residual = np.average(np.square(y - p), axis=0, weights=w)
        spread = np.average(np.square(y - np.average(y, axis=0, weights=w)), axis=0, weights=w)
        ratio = np.where(residual == 0, 0.0, np.divide(residual, spread, out=np.ones_like(residual), where=spread > 0))
        return float(1 - ratio.mean())


def _mean_error(error: Callable[[Floats, Floats], Floats], y_true: Array, y_pred: Array, weight: Array | None) -> float:
    """Mean over rows and outputs of error(y, p)."""
    y, p = _values(y_true, y_pred)
    with np.errstate(over="ignore", invalid="ignore"):  # predictions that are infinite or NaN
        return _mean(error(y, p), _row_weights(weight, len(y)))


def _mean(values: Array, weight: Floats | None) -> float:
    """Mean over the outputs of the weighted mean over the rows."""
    return float(np.average(values, axis=0, weights=weight).mean())


def _values(y_true: Array, y_pred: Array) -> tuple[Floats, Floats]:
    """Both as float64 of the same shape; the targets must be finite, predictions may have become infinite or NaN."""
    y, p = as_numeric(y_true, "y_true"), as_numeric(y_pred, "y_pred")
    _check_shapes(y, p)
    check_finite(y, "y_true")
    return y.astype(np.float64, copy=False), p.astype(np.float64, copy=False)


def _labels(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Both as arrays of the same shape whose elements can be equal."""
    y, p = to_array(y_true, "y_true"), to_array(y_pred, "y_pred")
    _check_shapes(y, p)
    if {y.dtype.kind, p.dtype.kind}.isdisjoint("O") and (y.dtype.kind in "UST") != (p.dtype.kind in "UST"):
        raise ValueError(f"labels of dtype {p.dtype} in y_pred cannot equal those of dtype {y.dtype} in y_true")
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"y_true must be labels, but is NaN in row {int(np.argwhere(np.isnan(y))[0][0])}")
    return y, p


def _check_shapes(y: Array, p: Array) -> None:
    """Refuse what would broadcast: (n,) and (n, 1) to (n, n)."""
    if y.shape != p.shape:
        hint = f": did you mean y_pred.reshape{y.shape}?" if y.size == p.size else ""
        raise ValueError(f"y_true and y_pred must have the same shape, not {y.shape} and {p.shape}{hint}")
    if y.ndim not in (1, 2):
        raise ValueError(f"y_true and y_pred must have shape (n,) or (n, n_out), not {y.shape}")
    if not y.size:
        raise ValueError(f"there is nothing to measure: y_true and y_pred have shape {y.shape}")


def _row_weights(weight: Array | None, n: int) -> Floats | None:
    if weight is None:
        return None
    w = as_numeric(weight, "weight").astype(np.float64)
    if w.shape != (n,):
        raise ValueError(f"weight must have shape ({n},), one per row of y_true, not {w.shape}")
    check_finite(w, "weight")
    if (w < 0).any() or not w.any():
        raise ValueError("weight must be >= 0 in every row and > 0 in some")
    return w
