"""The class of metrics: a name, a function, what it takes, and which values are better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._common.checks import check_bool, shown
from .._common.typing import Array
from . import directions

# Names of the other columns of the history.
_RESERVED = ("loss", "epoch", "lr", "seconds", "grad_norm")


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
    lower_is_better : bool or None, default=None
        Which values are better, for callbacks that monitor the column.  None: what an attribute `lower_is_better`,
        `greater_is_better` or `higher_is_better` of the function says, else what its name implies; failing that,
        these callbacks need their `mode`.

    Raises
    ------
    TypeError, ValueError
        A parameter is of another type, or the name is that of another column.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.metrics import Metric
    >>> worst = Metric("worst", lambda y_true, y_pred: abs(y_true - y_pred).max(), lower_is_better=True)
    >>> worst(np.array([1.0, 2.0]), np.array([1.5, 2.0]), None)
    0.5
    """

    name: str
    function: Callable[..., float]
    of: str = "predictions"
    lower_is_better: bool | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not callable(self.function) or isinstance(self.function, type):
            raise TypeError(f"the metric {self.name!r} needs a function (y_true, y_pred), not {shown(self.function)}")
        if self.of == "answers":
            import warnings

            warnings.warn('Metric(of="answers") is deprecated: use of="predictions"', DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "of", "predictions")
        if self.of not in ("predictions", "probabilities", "encoded"):
            raise ValueError(f'of must be "predictions" or "probabilities", not {shown(self.of)}')
        lower = self.lower_is_better
        lower = _direction(self.name, self.function) if lower is None else check_bool("lower_is_better", lower)
        object.__setattr__(self, "lower_is_better", lower)

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None) -> float:
        """The value of the metric; `weight` (n,) are the weights of the rows, if any."""
        if self.of == "encoded":
            return self.function(y_true, y_pred, weight)
        if weight is not None and takes_weight(self.function):
            return _as_float(self.function(y_true, y_pred, sample_weight=weight))
        return _as_float(self.function(y_true, y_pred))


def takes_weight(function: Callable[..., float]) -> bool:
    """Whether the function has a parameter `sample_weight`."""
    from inspect import signature  # on use: `import fastgd` must stay fast

    try:
        return "sample_weight" in signature(function).parameters
    except ValueError:  # some functions written in C have no signature
        return False


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric must be a str, not {shown(name)}")
    if not name.isprintable() or not name.strip():
        raise ValueError(f"the name of a metric must be printable text, not {shown(name)}")
    if name in _RESERVED:
        what = "the name of the loss itself" if name == "loss" else "the name of another column"
        raise ValueError(f'a metric cannot be named "{name}", {what}: use fastgd.metrics.Metric')


def _direction(name: str, function: Callable[..., float]) -> bool | None:
    """Whether lower is better by the attributes of the function, or else by the name."""
    for attribute, is_lower in (("lower_is_better", True), ("greater_is_better", False), ("higher_is_better", False)):
        value: Any = getattr(function, attribute, None)
        if isinstance(value, bool):
            return value == is_lower
    return directions.lower_is_better(name)


def _as_float(value: Any) -> float:
    if isinstance(value, str) or np.ndim(value) > 0:
        raise TypeError(f"it returned {shown(value)} instead of a number")
    return float(value)
