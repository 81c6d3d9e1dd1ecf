"""Checks of sample weights and class weights, and their conversion to one weight per row in the dtype of the model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._common.checks import check_scalar
from .._common.typing import Array
from ..losses.link import BINARY_LINKS
from .arrays import as_numeric, check_finite
from .targets import Targets, describe_classes


def row_weights(values: Any, n: int, dtype: np.dtype[Any], name: str = "sample_weight") -> Array:
    """Check `sample_weight` and convert it to the dtype of the model.

    Parameters
    ----------
    values : array, list or series; shape (n,)
    n : int
        Number of rows.
    dtype : numpy.dtype
    name : str, default="sample_weight"
        Name of the weights in error messages.

    Returns
    -------
    ndarray, shape (n,), dtype `dtype`

    Raises
    ------
    TypeError
        The weights are not numbers.
    ValueError
        The shape is not (n,), a weight is negative, not finite or too large for `dtype`, or all weights are zero.

    Examples
    --------
    >>> row_weights([1, 0, 2], 3, np.dtype("float32"))
    array([1., 0., 2.], dtype=float32)
    """
    weight = as_numeric(values, name)
    if weight.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one weight per row of X, not {weight.shape}")
    check_finite(weight, name)
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"{name} must be >= 0, but is {weight[row]} in row {row}")
    if not weight.any():
        raise ValueError(f"{name} is zero for every row: there is nothing to train on")
    return _to_dtype(weight, dtype, name)


def row_weights_from_classes(class_weight: Any, targets: Targets, rows: Array, dtype: np.dtype[Any]) -> Array:
    """The weight of the class of each row.

    Parameters
    ----------
    class_weight : {label: weight} or "balanced"
        Labels as in the user's targets; labels that are missing have the weight 1.  "balanced": rows / (classes * rows
        of the class), counted over the training rows, so that the total weight of each class is the same, as in
        scikit-learn.
    targets : Targets
        Of n rows.
    rows : ndarray, shape (training rows,), int64
        Indices of the training rows.
    dtype : numpy.dtype
        Dtype of the model.

    Returns
    -------
    ndarray, shape (n,), dtype `dtype`

    Raises
    ------
    TypeError
        `class_weight` is neither a mapping nor "balanced", or a weight is not a number.
    ValueError
        A label is not among the classes, a weight is negative or not finite, or the rows do not have one class each.
    """
    index, classes = _class_index_of_rows(targets)
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(index[rows], minlength=len(classes))
        per_class = len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(class_weight, Mapping):
        index_of = {label: i for i, label in enumerate(classes.tolist())}
        per_class = np.ones(len(classes))
        for label, weight in class_weight.items():
            if label not in index_of:
                raise ValueError(
                    f"class_weight has the label {label!r}, but there are only {describe_classes(classes)}"
                )
            per_class[index_of[label]] = check_scalar(f"class_weight[{label!r}]", weight, "[0, inf)")
    else:
        raise TypeError(f'class_weight must be {{label: weight}} or "balanced", not {class_weight!r}')
    return _to_dtype(per_class, dtype, "class_weight")[index]


def _class_index_of_rows(targets: Targets) -> tuple[Array, Array]:
    """The class index of each row, shape (n,), and the labels of all classes."""
    Y, loss, classes = targets.Y, targets.loss, targets.classes
    if classes is None or (loss.link in BINARY_LINKS and Y.shape[1] > 1):
        advice = "; weight each output with BCE(pos_weight=...)" if loss.link == "sigmoid" else ""
        raise ValueError(
            f"class_weight needs one class per row, which these targets of the loss {loss.name!r} do not have{advice}"
        )
    if loss.link in BINARY_LINKS:
        return (Y[:, 0] > 0.5).astype(np.int64), classes
    return (Y[:, 0] if loss.target == "labels" else Y.argmax(axis=1)), classes


def _to_dtype(weight: Array, dtype: np.dtype[Any], name: str) -> Array:
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(weight, dtype=dtype)
    if not np.isfinite(converted).all():
        raise ValueError(f"{name} has {weight.max():g}, which overflows {dtype}: make the weights smaller")
    return converted
