"""How good an ensemble is on validation rows: what the greedy choice makes small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import metrics
from .._common.typing import Array, Floats
from ..data.arrays import to_array
from ..data.outputs import OutputSpec
from ..data.targets import check_same_rows, read_targets
from ..losses import Loss
from ..losses.custom import Custom
from ..metrics import Metric
from .ensemble import measure

# Probabilities of 0 or 1 have no finite log-odds.
_TINY = 1e-12


def badness(
    loss: Loss, head: OutputSpec, n_out: int, y: Any, metric: str | Callable[..., float] | Metric | None, n_rows: int
) -> Callable[[Array], Floats]:
    """The function for `choose_greedily`: the loss of the mean predictions, or a metric of them.

    Raises
    ------
    ValueError
        y does not fit; it is unknown which values of the metric are better; or the loss is custom code and there is no
        metric.
    """
    if metric is not None:
        return _by_metric(metrics.get(metric), head, n_out, to_array(y, "y"), n_rows)
    if isinstance(loss, Custom):
        raise ValueError("the members have a custom loss, which cannot be computed from a mean: pass a metric")
    targets = read_targets(y, loss, n_out, head.classes)
    _check_rows(len(targets.Y), n_rows)
    keep = slice(None) if targets.ignored is None else ~targets.ignored
    Y, loss = targets.Y[keep], targets.loss

    def mean_losses(means: Array) -> Floats:
        return np.array([loss.row_losses(_outputs(head, n_out, mean[keep]), Y).mean() for mean in means])

    return mean_losses


def _by_metric(metric: Metric, head: OutputSpec, n_out: int, y: Array, n_rows: int) -> Callable[[Array], Floats]:
    _check_rows(len(y), n_rows)
    if metric.lower_is_better is None:
        raise ValueError(
            f"it is unknown whether lower or higher values of {metric.name!r} are better: pass "
            "fastgd.metrics.Metric(name, function, lower_is_better=...)"
        )
    sign = 1.0 if metric.lower_is_better else -1.0
    return lambda means: np.array([sign * measure(metric, head, n_out, y, mean) for mean in means])


def _check_rows(targets: int, rows: int) -> None:
    check_same_rows(np.empty(rows), np.empty(targets))


def _outputs(head: OutputSpec, n_out: int, mean: Array) -> Array:
    """Outputs of a network that would predict this mean: the loss takes outputs."""
    if head.link == "softmax":
        Z = np.full((len(mean), n_out), np.log(_TINY))
        Z[:, : mean.shape[1]] = np.log(np.maximum(mean, _TINY))
        return Z
    if head.link == "sigmoid":
        p = np.clip(mean[:, 1:] if n_out == 1 else mean, _TINY, 1 - _TINY)
        log_odds: Array = np.log(p / (1 - p))
        return log_odds
    return np.log(np.maximum(mean, _TINY)) if head.link == "log" else mean
