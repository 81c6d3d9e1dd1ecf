"""Checks of sample weights and class weights, and their conversion to one weight per row in the dtype of the model.

Only the ratios of weights matter, because losses and metrics are divided by their sum.  Weights are checked in float64,
and where they would underflow or overflow in a sum they are scaled by a power of two, which changes no ratio.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._common.checks import check_scalar
from .._common.typing import Array, Floats
from ..losses.link import BINARY_LINKS
from ..parallel import Group
from .arrays import as_numeric, check_finite
from .labels import describe_classes
from .targets import Targets

# Weights are scaled if the largest is beyond 2 to the power of this, either way: products of two, and their sums over
# any number of rows, then fit in float32.
_MAX_EXPONENT = 30


def row_weights(values: Any, n: int, name: str = "sample_weight") -> Floats:
    """Check `sample_weight`.

    Parameters
    ----------
    values : array, list or series; shape (n,)
    n : int
        Number of rows.
    name : str, default="sample_weight"
        Name of the weights in error messages.

    Returns
    -------
    ndarray, shape (n,), float64
        See `normalized`.

    Raises
    ------
    TypeError
        The weights are not numbers.
    ValueError
        The shape is not (n,), a weight is negative or not finite, or all weights are zero.

    Examples
    --------
    >>> row_weights([1, 0, 2], 3)
    array([1., 0., 2.])
    """
    weight = _checked(values, n, name)
    if not weight.any():
        raise ValueError(f"{name} is zero for every row: there is nothing to train on")
    return normalized(weight)


def block_weights(values: Any, n: int, name: str) -> Floats:
    """Check the weights of some of the rows: a block of a source, or those of one rank; otherwise as `row_weights`.

    Raises
    ------
    TypeError, ValueError
        As `row_weights`, but all weights may be zero, and none may need to be scaled, as those of other rows are not.
    """
    weight = _checked(values, n, name)
    largest = float(weight.max())
    if largest and abs(int(np.frexp(largest)[1])) > _MAX_EXPONENT:
        raise ValueError(f"{name} has {largest:g}: scale the weights so that the largest is about 1")
    return weight


def _checked(values: Any, n: int, name: str) -> Floats:
    """Finite weights >= 0 of n rows in float64."""
    weight = as_numeric(values, name)
    if weight.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one weight per row of X, not {weight.shape}")
    check_finite(weight, name)
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"{name} must be >= 0, but is {weight[row]} in row {row}")
    return weight.astype(np.float64)


def normalized(weight: Floats) -> Floats:
    """Weights that neither overflow in a sum nor vanish in float32: the same, or times a power of two.

    Examples
    --------
    >>> normalized(np.array([2e-50, 1e-50])).round(3)
    array([1.871, 0.935])
    """
    exponent = int(np.frexp(weight.max())[1])
    return weight if abs(exponent) <= _MAX_EXPONENT else np.ldexp(weight, 1 - exponent)


def row_weights_from_classes(class_weight: Any, targets: Targets, rows: Array, group: Group | None = None) -> Floats:
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
    group : Group or None, default=None
        Processes whose training rows are counted together.

    Returns
    -------
    ndarray, shape (n,), float64
        See `normalized`.

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
        per_class = _balanced(counts if group is None else np.sum(group.exchange(counts), axis=0))
    elif isinstance(class_weight, Mapping):
        index_of = {label: i for i, label in enumerate(_keys(classes))}
        per_class = np.ones(len(classes))
        for label, weight in class_weight.items():
            if label not in index_of:
                raise ValueError(
                    f"class_weight has the label {label!r}, but there are only {describe_classes(classes)}"
                )
            per_class[index_of[label]] = check_scalar(f"class_weight[{label!r}]", weight, "[0, inf)")
    else:
        raise TypeError(f'class_weight must be {{label: weight}} or "balanced", not {class_weight!r}')
    return normalized(per_class)[index]


def balanced_weights(parts: Iterable[Targets]) -> dict[Any, float]:
    """The weight of each class that "balanced" stands for, over the rows of several parts with the same classes."""
    counts, classes = np.zeros(0, np.int64), np.zeros(0)
    for targets in parts:
        index, classes = _class_index_of_rows(targets)
        of_part = np.bincount(index, minlength=len(classes))
        counts = of_part + counts if len(counts) else of_part
    return dict(zip(_keys(classes), _balanced(counts).tolist(), strict=True))


def _balanced(counts: Array) -> Floats:
    """Rows / (classes * rows of the class), from the number of rows of each class."""
    per_class: Floats = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return per_class


def _keys(classes: Array) -> list[Any]:
    """The labels of the classes as a mapping has them: of dates the elements, of which `tolist` makes other objects."""
    return list(classes) if classes.dtype.kind in "Mm" else classes.tolist()


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
