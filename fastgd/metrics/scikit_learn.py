"""The metrics of scikit-learn by name, which is imported on use, and its scorers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .._common.checks import closest
from .._common.typing import Array
from .metric import Metric, takes_weight

# Functions that take probabilities instead of predictions.
_OF_PROBABILITIES = frozenset(
    ("average_precision_score", "brier_score_loss", "d2_brier_score", "d2_log_loss_score", "log_loss", "roc_auc_score")
    + ("top_k_accuracy_score",)
)
# Suffixes of the names in sklearn.metrics whose functions map (y_true, y_pred) to one number.
_SCALAR_SUFFIXES = ("_score", "_loss", "_error", "_coef", "_corrcoef", "_deviance")


def kind(name: str) -> str:
    """What the function of this name takes: "predictions" or "probabilities"."""
    return "probabilities" if name in _OF_PROBABILITIES else "predictions"


def named(name: str, others: Iterable[str]) -> Metric:
    """The metric of a function or scorer of scikit-learn.

    Parameters
    ----------
    name : str
    others : iterable of str
        Names that do not need scikit-learn, for the messages.

    Raises
    ------
    ValueError
        The name is unknown.
    ImportError
        scikit-learn is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError:
        raise ImportError(
            f"the metric {name!r} is not one of {', '.join(others)}; "
            'those of scikit-learn need: pip install "fastgd[metrics]"'
        ) from None
    function = getattr(metrics, name, None)
    if name in metrics.__all__ and callable(function) and name.endswith(_SCALAR_SUFFIXES):
        return Metric(name, function, kind(name))
    scorers = metrics.get_scorer_names()
    if name in scorers:
        return of_scorer(metrics.get_scorer(name), name)
    close = closest(name, [*others, *(n for n in metrics.__all__ if n.endswith(_SCALAR_SUFFIXES)), *scorers])
    hint = f"did you mean {close!r}? " if close else ""
    known = f"known are {', '.join(others)} and the functions and scorers of sklearn.metrics"
    raise ValueError(f"unknown metric {name!r}: {hint}{known}")


def is_of_sklearn(metric: Metric) -> bool:
    """Whether the metric is a function or scorer of scikit-learn, which depends on nothing but its arguments."""
    function = metric.function.func if isinstance(metric.function, partial) else metric.function
    return isinstance(function, _Score) or str(getattr(function, "__module__", "")).startswith("sklearn.")


def is_scorer(metric: Any) -> bool:
    """Whether it is an object that `sklearn.metrics.make_scorer` or `get_scorer` returned."""
    return all(hasattr(metric, name) for name in ("_score_func", "_sign", "_kwargs"))


def of_scorer(scorer: Any, name: str | None = None) -> Metric:
    """The metric that a scorer applies to an estimator, applied to targets and predictions; higher is better."""
    score = _Score(scorer._score_func, scorer._sign, tuple(sorted(scorer._kwargs.items())))
    method = getattr(scorer, "_response_method", None)  # scikit-learn 1.3 has a class for each method instead
    takes = "predictions" if method == "predict" or type(scorer).__name__ == "_PredictScorer" else "probabilities"
    prefix = "neg_" if scorer._sign < 0 else ""
    return Metric(name or prefix + scorer._score_func.__name__, score, takes, lower_is_better=False)


@dataclass(frozen=True)
class _Score:
    """A function of scikit-learn with its settings, negated if lower values of it are better."""

    function: Callable[..., float]
    sign: int
    settings: tuple[tuple[str, Any], ...]

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
        weighted = sample_weight is not None and takes_weight(self.function)
        weight = {"sample_weight": sample_weight} if weighted else {}
        return self.sign * self.function(y_true, y_pred, **weight, **dict(self.settings))
