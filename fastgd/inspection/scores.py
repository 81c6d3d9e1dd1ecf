"""The score of a model on rows whose columns change."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import metrics
from .._common.typing import Array
from ..data.arrays import to_array
from ..data.sample_weights import row_weights
from .subjects import Subject


class Score:
    """Measures a model against fixed targets.

    Parameters
    ----------
    subject : Subject
    y : array (n,) or (n, outputs)
    metric : str, callable, Metric or None
        None: that of the model.
    sample_weight : array (n,) or None
    n : int
        Number of rows.

    Attributes
    ----------
    name : str
        Of the metric.
    sign : int
        1 if higher values are better, else -1.

    Raises
    ------
    ValueError
        The numbers of rows differ, or the metric does not tell which values are better.
    """

    def __init__(self, subject: Subject, y: Any, metric: Any, sample_weight: Any, n: int) -> None:
        self._subject, self._y = subject, _column_as_vector(to_array(y, "y"))
        if len(self._y) != n:
            raise ValueError(f"X has {n:,} rows, but y has {len(self._y):,}")
        self._weight = None if sample_weight is None else row_weights(sample_weight, n)
        self._metric = subject.default_metric() if metric is None else metrics.get(metric)
        self.name = "score" if self._metric is None else self._metric.name
        lower = False if self._metric is None else self._metric.lower_is_better
        if lower is None:
            raise ValueError(
                f"the metric {self.name!r} does not tell which values are better: "
                "pass fastgd.metrics.Metric(name, function, lower_is_better=...)"
            )
        self.sign = -1 if lower else 1

    def __call__(self, X: Any) -> float:
        """The score of rows as `Rows` returns them."""
        metric = self._metric
        if metric is None:
            return self._subject.score(X, self._y, self._weight)
        if metric.of == "probabilities":
            p = self._subject.predict_proba(X)
            return metric(self._y, p[:, 1] if p.ndim == 2 and p.shape[1] == 2 else p, self._weight)
        return metric(self._y, _column_as_vector(self._subject.predict(X)), self._weight)


def _column_as_vector(y: Array) -> Array:
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else np.asarray(y)
