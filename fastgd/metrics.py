"""How good predictions are: a few metrics in NumPy, all of scikit-learn's where it is installed, and one's own.

A metric is named in `Trainer(metrics=["accuracy", "f1_score"])` and measured on the validation rows after each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ._common.typing import Array

# Functions of scikit-learn that judge probabilities, not answers.
_OF_PROBABILITIES = frozenset(
    ("average_precision_score", "brier_score_loss", "d2_log_loss_score", "log_loss", "roc_auc_score")
    + ("top_k_accuracy_score",)
)
# Ends of the names in sklearn.metrics that give one number for (y_true, y_pred).
_OF_SKLEARN = ("_score", "_loss", "_error", "_coef", "_corrcoef", "_deviance")

# Ends of the names of what should fall; scikit-learn's names keep to them.
_FALLING = ("loss", "error", "deviance", "rmse", "mse", "mae")


def lower_is_better(column: str) -> bool:
    """Whether less is better in a column of the history, by its name."""
    return column.endswith(_FALLING)


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
    return float(np.sqrt(np.average(np.square(_errors(y_true, y_pred)), axis=0, weights=weight).mean()))


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
    left = np.average(np.square(_errors(y_true, y_pred)), axis=0, weights=weight)
    spread = np.average(np.square(y - np.average(y, axis=0, weights=weight)), axis=0, weights=weight)
    ratio = np.where(left == 0, 0.0, np.divide(left, spread, out=np.ones_like(left), where=spread > 0))
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
    """A name for a column of the history, and what fills it.

    Parameters
    ----------
    name : str
        The column is "validation_" + name.
    function : callable, (y_true, y_pred) -> float
        It gets `sample_weight` too if it has such an argument and there are weights.
    of : {"answers", "probabilities", "numbers"}, default="answers"
        What y_pred is: what `predict` gives, labels or numbers; what `predict_proba` gives, with two classes only that
        of the second; "numbers" is for this file's own: class numbers, or each yes and no in one row.
    """

    name: str
    function: Callable[..., float]
    of: str = "answers"

    def __post_init__(self) -> None:
        if self.of not in ("answers", "probabilities", "numbers"):
            raise ValueError(f'of must be "answers" or "probabilities", not {self.of!r}')

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> float:
        """The value, with weights (n,) of the rows if there are any."""
        if self.of == "numbers":
            return float(self.function(y_true, y_pred, weight))
        if weight is not None and _takes_weights(self.function):
            return float(self.function(y_true, y_pred, sample_weight=weight))
        return float(self.function(y_true, y_pred))


METRICS = {function.__name__: function for function in (accuracy, rmse, mae, r2)}


def get(metric: str | Callable[..., float] | Metric) -> Metric:
    """The metric of this name in `METRICS` or in `sklearn.metrics`, or of a function (y_true, y_pred) -> float.

    Settings of scikit-learn's functions go in by `functools.partial(f1_score, average="macro")`.

    Raises
    ------
    ValueError
        Unknown name.
    ImportError
        The name is none of `METRICS`, and scikit-learn is not installed.
    TypeError
        Neither a name nor a function nor a `Metric`.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric in METRICS:
            return Metric(metric, METRICS[metric], "numbers")
        return Metric(metric, _of_sklearn(metric), _kind(metric))
    if not callable(metric):
        raise TypeError(f"a metric must be a name, a function (y_true, y_pred) -> float or a Metric, not {metric!r}")
    function = metric.func if isinstance(metric, partial) else metric
    name = getattr(function, "__name__", type(function).__name__)
    return Metric(name, metric, _kind(name))


def all_of(given: Iterable[str | Callable[..., float] | Metric]) -> Sequence[Metric]:
    """Metrics for one training, each with a name of its own; see `get`."""
    if isinstance(given, str) or callable(given):
        one = repr(given) if isinstance(given, str) else getattr(given, "__name__", "...")
        raise TypeError(f"metrics must be a sequence: write metrics=[{one}]")
    judges = [get(metric) for metric in given]
    names = [judge.name for judge in judges]
    if len(set(names)) < len(names):
        raise ValueError(f"each metric must have a name of its own, not {', '.join(names)}: use fastgd.metrics.Metric")
    if "loss" in names:
        raise ValueError('a metric cannot be called "loss", which is measured in any case: use fastgd.metrics.Metric')
    return judges


def _takes_weights(function: Callable[..., float]) -> bool:
    from inspect import signature  # few need it, and `import fastgd` is to be quick

    try:
        return "sample_weight" in signature(function).parameters
    except ValueError:  # a function of C that does not tell
        return False


def _kind(name: str) -> str:
    return "probabilities" if name in _OF_PROBABILITIES else "answers"


def _of_sklearn(name: str) -> Callable[..., float]:
    own = ", ".join(METRICS)
    try:
        from sklearn import metrics as theirs
    except ImportError:
        raise ImportError(
            f'the metric {name!r} is none of {own}; scikit-learn\'s need: pip install "fastgd[metrics]"'
        ) from None
    function = getattr(theirs, name, None)
    if name in theirs.__all__ and callable(function) and name.endswith(_OF_SKLEARN):
        return function  # type: ignore[no-any-return]
    from difflib import get_close_matches  # only an error needs it

    close = get_close_matches(name, [*METRICS, *theirs.__all__], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"unknown metric {name!r}: {hint}known are {own} and the functions of sklearn.metrics")


def _errors(y_true: Array, y_pred: Array) -> Array:
    """y - p in float64; ValueError if the shapes differ, since (n,) and (n, 1) would make (n, n)."""
    y, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if y.shape != p.shape:
        raise ValueError(f"y_true and y_pred must have the same shape, not {y.shape} and {p.shape}")
    return np.asarray(y - p)
