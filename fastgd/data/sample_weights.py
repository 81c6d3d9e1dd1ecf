"""Weights of rows and of classes, checked, in the model's dtype."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._common.checks import check_scalar
from .._common.typing import Array
from ..losses.link import BINARY_LINKS
from .arrays import as_numbers, check_finite
from .targets import Targets, some_of


def of_rows(values: Any, n: int, dtype: np.dtype[Any], name: str = "sample_weight") -> Array:
    """Weights of rows, shape (n,), of the model's dtype: finite, >= 0, not all zero (else ValueError)."""
    weight = as_numbers(values, name)
    if weight.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one weight per row of X, not {weight.shape}")
    check_finite(weight, name)
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"{name} must be >= 0, but is {weight[row]} in row {row}")
    if not weight.any():
        raise ValueError(f"{name} is zero for every row: nothing is left to train on")
    return _in_dtype(weight, dtype, name)


def of_classes(given: Any, targets: Targets, rows: Array, dtype: np.dtype[Any]) -> Array:
    """The weight of each row's class, shape (n,), of the model's dtype.

    Parameters
    ----------
    given : {label: weight} or "balanced"
        Labels as the user wrote them; those that are not named weigh 1.  "balanced": rows / (classes * rows of the
        class), counted over the training rows, so that all classes weigh the same in sum; as in scikit-learn.
    targets : Targets
    rows : (training rows,) int64
    dtype : numpy.dtype

    Raises
    ------
    TypeError
        Neither a mapping nor "balanced", or a weight that is no number.
    ValueError
        A label that is no class, a weight that is negative or not finite, or targets without one class per row.
    """
    numbers, classes = _class_of_rows(targets)
    if isinstance(given, str) and given == "balanced":
        counts = np.bincount(numbers[rows], minlength=len(classes))
        each = len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(given, Mapping):
        place = {label: i for i, label in enumerate(classes.tolist())}
        each = np.ones(len(classes))
        for label, weight in given.items():
            if label not in place:
                raise ValueError(f"class_weight has the label {label!r}, but there are only {some_of(classes)}")
            each[place[label]] = check_scalar(f"class_weight[{label!r}]", weight, "[0, inf)")
    else:
        raise TypeError(f'class_weight must be {{label: weight}} or "balanced", not {given!r}')
    return _in_dtype(each, dtype, "class_weight")[numbers]


def _class_of_rows(targets: Targets) -> tuple[Array, Array]:
    """The class number of each row, (n,), and the labels of all classes."""
    Y, loss, classes = targets.Y, targets.loss, targets.classes
    if classes is None or (loss.link in BINARY_LINKS and Y.shape[1] > 1):
        advice = "; weigh each output by BCE(pos_weight=...)" if loss.link == "sigmoid" else ""
        raise ValueError(f"class_weight needs one class per row, but the loss {loss.name!r} has none here{advice}")
    if loss.link in BINARY_LINKS:
        return (Y[:, 0] > 0.5).astype(np.int64), classes
    return (Y[:, 0] if loss.target == "labels" else Y.argmax(axis=1)), classes


def _in_dtype(weight: Array, dtype: np.dtype[Any], name: str) -> Array:
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(weight, dtype=dtype)
    if not np.isfinite(converted).all():
        raise ValueError(f"{name} has {weight.max():g}, which is beyond {dtype}: make the weights smaller")
    return converted
