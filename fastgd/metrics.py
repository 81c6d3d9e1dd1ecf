"""Metrics: a few in NumPy, all of scikit-learn's where it is installed, and user-defined ones.

The metrics in `Trainer(metrics=["accuracy", "f1_score"])` are evaluated on the validation rows after each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ._common.typing import Array

__all__ = ["METRICS", "Metric", "accuracy", "get", "get_all", "lower_is_better", "mae", "r2", "rmse"]

# Functions of scikit-learn that take probabilities instead of predictions.
_OF_PROBABILITIES = frozenset(
    ("average_precision_score", "brier_score_loss", "d2_log_loss_score", "log_loss", "roc_auc_score")
    + ("top_k_accuracy_score",)
)
# Suffixes of the names in sklearn.metrics whose functions map (y_true, y_pred) to one number.
_SCALAR_SUFFIXES = ("_score", "_loss", "_error", "_coef", "_corrcoef", "_deviance")

# Suffixes of the names of columns in which lower is better; scikit-learn's names follow this convention.
_LOWER_SUFFIXES = ("loss", "error", "deviance", "rmse", "mse", "mae")


def lower_is_better(column: str) -> bool:
    """Whether lower values are better in a column of the history, judged by its name."""
    return column.endswith(_LOWER_SUFFIXES)


def accuracy(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Share of the rows where y_pred equals y_true, in [0, 1].

    Parameters
    ----------
    y_true, y_pred : array (n,)
        Labels of any kind that NumPy can compare.
    weight : array (n,) or None, default=None
        Weight of each row.

    Examples
    --------
    >>> from fastgd import metrics
    >>> metrics.accuracy(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
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
    return float(np.sqrt(np.average(np.square(_errors(y_true, y_pred)), axis=0, weights=weight).mean()))


def r2(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Coefficient of determination 1 - sum (y - p)^2 / sum (y - mean y)^2, mean over the outputs; 1 is perfect.

    An output whose targets are all equal counts as 1 if it is predicted exactly, else as 0, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    y = np.asarray(y_true, np.float64)
    residual = np.average(np.square(_errors(y_true, y_pred)), axis=0, weights=weight)
    spread = np.average(np.square(y - np.average(y, axis=0, weights=weight)), axis=0, weights=weight)
    ratio = np.where(residual == 0, 0.0, np.divide(residual, spread, out=np.ones_like(residual), where=spread > 0))
    return float(1 - ratio.mean())


def mae(y_true: Array, y_pred: Array, weight: Array | None = None) -> float:
    """Mean absolute error over rows and outputs, in the unit of y.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, n_out)
    weight : array (n,) or None, default=None
        Weight of each row.
    """
    return float(np.average(np.abs(_errors(y_true, y_pred)), axis=0, weights=weight).mean())


@dataclass(frozen=True)
class Metric:
    """A column of the history and the function that computes it.

    Parameters
    ----------
    name : str
        The column is "validation_" + name.
    function : callable, (y_true, y_pred) -> float
        It also gets `sample_weight` if it has such a parameter and there are weights.
    of : {"predictions", "probabilities", "encoded"}, default="predictions"
        What y_pred is. "predictions": the labels or values that `predict` returns; "probabilities": what
        `predict_proba` returns, for two classes only that of the second; "encoded", for the metrics of this module:
        class numbers, or one row of all yes and no. "answers" is a deprecated name of "predictions".

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.metrics import Metric
    >>> worst = Metric("worst", lambda y_true, y_pred: abs(y_true - y_pred).max())
    >>> worst(np.array([1.0, 2.0]), np.array([1.5, 2.0]), None)
    0.5
    """

    name: str
    function: Callable[..., float]
    of: str = "predictions"

    def __post_init__(self) -> None:
        if self.of == "answers":
            import warnings

            warnings.warn('Metric(of="answers") is deprecated: use of="predictions"', DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "of", "predictions")
        if self.of not in ("predictions", "probabilities", "encoded"):
            raise ValueError(f'of must be "predictions" or "probabilities", not {self.of!r}')

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> float:
        """The value of the metric; `weight` (n,) are the weights of the rows, if any."""
        if self.of == "encoded":
            return float(self.function(y_true, y_pred, weight))
        if weight is not None and _takes_weight(self.function):
            return float(self.function(y_true, y_pred, sample_weight=weight))
        return float(self.function(y_true, y_pred))


METRICS = {function.__name__: function for function in (accuracy, rmse, mae, r2)}


def get(metric: str | Callable[..., float] | Metric) -> Metric:
    """Return the metric of this name in `METRICS` or `sklearn.metrics`, or of a function (y_true, y_pred) -> float.

    Pass settings to scikit-learn's functions with `functools.partial(f1_score, average="macro")`.

    Raises
    ------
    ValueError
        The name is unknown.
    ImportError
        The name is not in `METRICS`, and scikit-learn is not installed.
    TypeError
        `metric` is neither a name, nor a function, nor a `Metric`.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric in METRICS:
            return Metric(metric, METRICS[metric], "encoded")
        return Metric(metric, _of_sklearn(metric), _kind(metric))
    if not callable(metric):
        raise TypeError(f"a metric must be a name, a function (y_true, y_pred) -> float or a Metric, not {metric!r}")
    function = metric.func if isinstance(metric, partial) else metric
    name = getattr(function, "__name__", type(function).__name__)
    return Metric(name, metric, _kind(name))


def get_all(given: Iterable[str | Callable[..., float] | Metric]) -> Sequence[Metric]:
    """Return the metrics of one training, which must have distinct names; see `get`."""
    single: Any = given
    if isinstance(single, str) or callable(single):
        text = repr(single) if isinstance(single, str) else getattr(single, "__name__", "...")
        raise TypeError(f"metrics must be a sequence: write metrics=[{text}]")
    metrics = [get(metric) for metric in given]
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must have distinct names, not {', '.join(names)}: use fastgd.metrics.Metric")
    if "loss" in names:
        raise ValueError('a metric cannot be named "loss", the name of the loss itself: use fastgd.metrics.Metric')
    return metrics


def _takes_weight(function: Callable[..., float]) -> bool:
    from inspect import signature  # on use: `import fastgd` must stay fast

    try:
        return "sample_weight" in signature(function).parameters
    except ValueError:  # some functions written in C have no signature
        return False


def _kind(name: str) -> str:
    return "probabilities" if name in _OF_PROBABILITIES else "predictions"


def _of_sklearn(name: str) -> Callable[..., float]:
    names = ", ".join(METRICS)
    try:
        from sklearn import metrics as sklearn_metrics
    except ImportError:
        raise ImportError(
            f'the metric {name!r} is not one of {names}; those of scikit-learn need: pip install "fastgd[metrics]"'
        ) from None
    function = getattr(sklearn_metrics, name, None)
    if name in sklearn_metrics.__all__ and callable(function) and name.endswith(_SCALAR_SUFFIXES):
        return function  # type: ignore[no-any-return]
    from difflib import get_close_matches  # on use: only this error needs it

    close = get_close_matches(name, [*METRICS, *sklearn_metrics.__all__], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"unknown metric {name!r}: {hint}known are {names} and the functions of sklearn.metrics")


def _errors(y_true: Array, y_pred: Array) -> Array:
    """y - p in float64; ValueError if the shapes differ, since (n,) and (n, 1) would broadcast to (n, n)."""
    y, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if y.shape != p.shape:
        raise ValueError(f"y_true and y_pred must have the same shape, not {y.shape} and {p.shape}")
    return np.asarray(y - p)


def __dir__() -> list[str]:
    return __all__
