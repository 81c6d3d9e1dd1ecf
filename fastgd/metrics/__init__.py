"""Metrics: a few in NumPy, all of scikit-learn's where it is installed, and user-defined ones.

The metrics in `Trainer(metrics=["accuracy", "f1_score"])` are evaluated on the validation rows after each epoch.  They
are functions of targets and predictions: a value must not depend on earlier calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

from .._common.checks import shown
from . import scikit_learn
from .directions import lower_is_better
from .metric import Metric
from .scores import accuracy, balanced_accuracy, mae, mape, mse, r2, rmse

__all__ = [
    "METRICS",
    "Metric",
    "accuracy",
    "balanced_accuracy",
    "get",
    "get_all",
    "lower_is_better",
    "mae",
    "mape",
    "mse",
    "r2",
    "rmse",
]

METRICS = {function.__name__: function for function in (accuracy, balanced_accuracy, mse, rmse, mae, mape, r2)}


def get(metric: str | Callable[..., float] | Metric) -> Metric:
    """Return the metric of a name, of a function (y_true, y_pred) -> float or of a scorer of scikit-learn.

    A name is one of `METRICS` in any case ("RMSE"), or that of a function or scorer of `sklearn.metrics`
    ("balanced_accuracy_score", "neg_log_loss").  Settings of a function are passed with
    `functools.partial(f1_score, average="macro")`.

    Raises
    ------
    ValueError
        The name is unknown, or the function is a lambda, which has none.
    ImportError
        The name is not in `METRICS`, and scikit-learn is not installed.
    TypeError
        `metric` is neither a name, nor a function, nor a `Metric`.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        own = "accuracy" if metric == "acc" else metric.lower()
        return _own(own) if own in METRICS else scikit_learn.named(metric, METRICS)
    if scikit_learn.is_scorer(metric):
        return scikit_learn.of_scorer(metric)
    if isinstance(metric, type) or not callable(metric):
        raise TypeError(
            f"a metric must be a name, a function (y_true, y_pred) -> float or a Metric, not {shown(metric)}"
        )
    function = metric.func if isinstance(metric, partial) else metric
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        raise ValueError('a lambda has no name for its column: write fastgd.metrics.Metric("my_metric", lambda ...)')
    return Metric(name, metric, scikit_learn.kind(name))


@cache
def _own(name: str) -> Metric:
    return Metric(name, METRICS[name], "encoded")


def get_all(given: Iterable[str | Callable[..., float] | Metric]) -> Sequence[Metric]:
    """Return the metrics of one training, which must have distinct names; see `get`."""
    single: Any = given
    if isinstance(single, str) or callable(single):
        text = repr(single) if isinstance(single, str) else getattr(single, "__name__", "...")
        raise TypeError(f"metrics must be a sequence: write metrics=[{text}]")
    if not isinstance(given, Iterable):
        raise TypeError(f'metrics must be a sequence such as ["accuracy"], not {shown(given)}')
    metrics = [get(metric) for metric in given]
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must have distinct names, not {', '.join(names)}: use fastgd.metrics.Metric")
    return metrics


def __dir__() -> list[str]:
    return __all__
