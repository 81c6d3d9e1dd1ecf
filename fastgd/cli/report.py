"""How good predictions are, in numbers that fit the target, as text and as JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import metrics
from .._common.typing import Array
from .console import shorten

_MAX_CLASSES = 20  # of which a table is shown
_NAME = 22  # characters of a label in a table
_WIDTH = 80


def scores_of(y: Array, predicted: Array, p: Array | None, classes: Array | None) -> dict[str, Any]:
    """Scores of predictions by name.

    Parameters
    ----------
    y, predicted : ndarray (rows,)
    p : ndarray (rows, n_classes) or None
        Probabilities, if there are any.
    classes : ndarray (n_classes,) or None
        None: a regression.
    """
    if classes is None:
        return _scores_of_regression(y, np.asarray(predicted, np.float64))
    index = {label: i for i, label in enumerate(classes.tolist())}
    actual = np.array([index[label] for label in y.tolist()])
    found = np.array([index[label] for label in predicted.tolist()])
    n = len(classes)
    confusions = np.bincount(actual * n + found, minlength=n * n).reshape(n, n)
    rows, hits = confusions.sum(axis=1), confusions.diagonal()
    scores: dict[str, Any] = {
        "rows": len(y),
        "accuracy": float(hits.sum() / len(y)),
        "balanced_accuracy": float((hits[rows > 0] / rows[rows > 0]).mean()),
    }
    if p is not None:
        scores["log_loss"] = float(-np.log(np.maximum(p[np.arange(len(y)), actual], np.finfo(p.dtype).tiny)).mean())
    scores["most_frequent_class"] = float(rows.max() / len(y))
    scores["classes"] = {
        str(label): {
            "rows": int(rows[i]),
            "precision": _share(hits[i], confusions[:, i].sum()),
            "recall": _share(hits[i], rows[i]),
            "f1": _share(2 * hits[i], rows[i] + confusions[:, i].sum()),
        }
        for i, label in enumerate(classes.tolist())
    }
    scores["confusions"] = confusions.tolist()
    return scores


def measure(metric: metrics.Metric, y: Array, predicted: Array, p: Array | None) -> float:
    """The value of a metric.

    Raises
    ------
    ValueError
        It cannot be measured with these predictions.
    """
    if metric.of == "probabilities" and p is None:
        raise ValueError(f"the metric {metric.name!r} needs probabilities, which the model does not have")
    try:
        if metric.of != "probabilities" or p is None:
            return metric(y, predicted, None)
        return metric(y, p[:, 1] if p.shape[1] == 2 else p, None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the metric {metric.name!r} cannot be measured here: {error}") from None


def describe(scores: dict[str, Any], part: str) -> list[str]:
    """The scores as paragraphs: the most important in one line, then what concerns other metrics."""
    others = [f"{part} {name} {number(value)}" for name, value in scores.get("metrics", {}).items()]
    rows = f"{scores['rows']:,} rows"
    if "accuracy" not in scores:
        first = (
            f"{part} R2 {scores['r2']:.4f}, typical error (RMSE) {number(scores['rmse'])}, mean absolute error "
            f"{number(scores['mae'])}, on {rows}; the mean of the target alone has an RMSE of "
            f"{number(scores['rmse_of_mean'])}"
        )
        return [first, *others]
    log_loss = f", log loss {scores['log_loss']:.4g}" if "log_loss" in scores else ""
    first = (
        f"{part} accuracy {scores['accuracy']:.2%} of {rows}, balanced {scores['balanced_accuracy']:.2%}{log_loss}; "
        f"the most frequent class alone has {scores['most_frequent_class']:.2%}"
    )
    return [first, *others]


def number(x: float) -> str:
    """A number with four significant digits, without an exponent if it is of a usual size.

    Examples
    --------
    >>> number(113412.3), number(2.34567), number(1.5e-9)
    ('113,412', '2.346', '1.5e-09')
    """
    if not 1e-4 <= abs(x) < 1e15:
        return f"{x:.4g}"
    return f"{x:,.{max(0, 3 - math.floor(math.log10(abs(x))))}f}"


def class_tables(scores: dict[str, Any]) -> list[str]:
    """Lines of two tables: rows, precision, recall and F1 of each class, and what it is taken for.

    A table that would be too wide or too long is left out; a regression has none.
    """
    classes = scores.get("classes", {})
    if not 1 < len(classes) <= _MAX_CLASSES:
        return []
    names = [shorten(name, _NAME) for name in classes]
    width = max(len("class"), *map(len, names))
    lines = [f"  {'class':{width}} {'rows':>8} {'precision':>10} {'recall':>7} {'F1':>7}"]
    for name, each in zip(names, classes.values(), strict=True):
        lines.append(
            f"  {name:{width}} {each['rows']:8,} {each['precision']:10.1%} {each['recall']:7.1%} {each['f1']:7.1%}"
        )
    counts = [[f"{n:,}" for n in row] for row in scores["confusions"]]
    widths = [max(map(len, column)) for column in zip(names, *counts, strict=True)]
    if len("  predicted as ") + width + sum(w + 1 for w in widths) > _WIDTH:
        return lines
    columns = " ".join(f"{name:>{w}}" for name, w in zip(names, widths, strict=True))
    lines += ["", f"  {'':{width}} predicted as", f"  {'class':{width}} {columns}"]
    for name, row in zip(names, counts, strict=True):
        lines.append(f"  {name:{width}} " + " ".join(f"{n:>{w}}" for n, w in zip(row, widths, strict=True)))
    return lines


def _scores_of_regression(y: Array, predicted: Array) -> dict[str, Any]:
    y = np.asarray(y, np.float64)
    return {
        "rows": len(y),
        "r2": metrics.r2(y, predicted),
        "rmse": metrics.rmse(y, predicted),
        "mae": metrics.mae(y, predicted),
        "rmse_of_mean": float(np.std(y)),
    }


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0
