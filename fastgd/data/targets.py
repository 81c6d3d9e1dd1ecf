"""Users' targets, as a loss and an engine read them; the split into training and validation rows.

With `arrays.py`, the only place that looks at user data.  Every function either returns arrays that are ready for the
engine or raises an error that says what was expected, what came and how to mend it.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from .._common.checks import in_interval
from .._common.typing import Array
from ..losses import Loss
from ..losses.base import REAL
from ..losses.link import BINARY_LINKS
from .arrays import as_numbers, as_rows, check_finite, to_array

# How far the probabilities of one row may be from summing to 1; float16 rows of a thousand classes are this rough.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Targets:
    """What a model is trained towards.

    Attributes
    ----------
    Y : ndarray, shape (rows, 1) int64 for losses on class numbers, else (rows, n_out) of an engine dtype; for a loss of
        the user's own (rows,) or (rows, k)
    classes : ndarray, shape (n_classes,), or None
        The user's label of each class number, n_classes <= n_out; None where targets are not classes.
    flat : bool
        The targets came one-dimensional, so predictions are given back so.
    loss : Loss
        The loss that reads Y: the one asked for, or its form for rows of probabilities.
    """

    Y: Array
    classes: Array | None
    flat: bool
    loss: Loss


def read_targets(y: Any, loss: Loss, n_out: int, classes: Array | None = None, name: str = "y") -> Targets:
    """Read the targets y for a loss on n_out outputs.

    Parameters
    ----------
    y : array, list, pandas or polars series or frame; shape (rows,) or (rows, n_out)
        For losses on classes: labels of any hashable kind; for cross-entropy also rows of probabilities (one-hot).  For
        those on yes or no: labels of two classes with one output, rows of numbers with several: 0 and 1, or what lies
        between, or for hinge losses -1 and 1.  For quantiles: (rows,) or (rows, targets).  Else numbers.
    loss : Loss
    n_out : int
        Outputs of the model.
    classes : ndarray, shape (n_classes,), default=None
        The labels in the order of class numbers, as an earlier call found them; None finds them in y: integers
        0 .. n_out - 1 are class numbers themselves, other labels are sorted (or stay as first seen if they have no
        order).
    name : str, default="y"
        What error messages call it.

    Raises
    ------
    TypeError
        Numbers were expected and y holds something else.
    ValueError
        y is empty, has gaps or the wrong shape, its values do not fit the loss, its classes do not fit the outputs, or
        a label is not among `classes`.
    """
    array = _labels_or_numbers(y, name)
    if loss.target == "any":
        return Targets(as_numbers(array, name), None, array.ndim == 1 and n_out == 1, loss)
    outputs_per_target = loss.outputs_per_target(n_out)
    for_rows = getattr(loss, "for_rows", None)
    if for_rows and n_out > 1 and array.ndim == 2 and array.shape[1] == n_out:
        loss = for_rows()
    if loss.target == "labels":
        numbers, found = _encode(_column(array, name), classes, n_out, loss, name)
        return Targets(numbers, found, array.ndim == 1, loss)
    if loss.link in BINARY_LINKS and n_out == 1:
        Y, found = _binary(_column(array, name), classes, loss, name)
        return Targets(Y, found, array.ndim == 1, loss)
    Y = _rows(
        array, loss, n_out // outputs_per_target, "output of the model" if outputs_per_target == 1 else "target", name
    )
    if loss.link == "softmax":
        _check_probabilities(Y, name)
        classes = np.arange(n_out) if classes is None else classes
    if loss.link == "sign":
        classes = _signs(Y, classes, name)
    Y = Y if outputs_per_target == 1 else np.repeat(Y, outputs_per_target, axis=1)
    return Targets(Y, classes, array.ndim == 1 and n_out == 1, loss)


def check_same_rows(X: Array, Y: Array, name: str = "X", target: str = "y") -> None:
    """Raise ValueError unless X and Y have the same number of rows."""
    if len(X) != len(Y):
        raise ValueError(f"{name} and {target} must have the same number of rows, not {len(X)} and {len(Y)}")


def _labels_or_numbers(y: Any, name: str) -> Array:
    """An array of any dtype, 1-D or 2-D; a list of unlike labels becomes an array of objects, never of text."""
    if hasattr(y, "columns") and y.shape[1] == 1:
        y = y[y.columns[0]]
    flat = isinstance(y, (list, tuple)) and not any(isinstance(row, (list, tuple, np.ndarray)) for row in y)
    array = _label_array(y) if flat else to_array(y, name)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must have shape (rows,) or (rows, outputs), not {array.shape}")
    if not array.size:
        raise ValueError(f"{name} is empty: it has shape {array.shape}")
    return array


def _column(array: Array, name: str) -> Array:
    if array.ndim == 2 and array.shape[1] != 1:
        raise ValueError(f"{name} must have one label per row, shape (rows,), not {array.shape}")
    return array.reshape(-1)


def _rows(array: Array, loss: Loss, width: int, column: str, name: str) -> Array:
    """Rows of `width` numbers that the loss takes; column: what each of them belongs to, in words."""
    words = [label for label in array.flat if isinstance(label, str)] if array.dtype.kind in "UO" else []
    if words:
        raise TypeError(
            f"{name} must hold numbers for the loss {loss.name!r}, not {str(words[0])!r}; "
            "for classes use loss='cross_entropy'"
        )
    if array.ndim == 1 and width == 1:
        array = array.reshape(-1, 1)
    if array.ndim == 1:
        raise ValueError(f"{name} must have shape (rows, {width}), one column per {column}, not {array.shape}")
    Y = as_rows(array, width, name)
    check_finite(Y, name)
    _check_interval(Y, loss, name)
    return Y


def _check_probabilities(Y: Array, name: str) -> None:
    sums = Y.sum(axis=1, dtype=np.float64)
    off = np.abs(sums - 1) > _SUM_TOLERANCE
    if off.any():
        row = int(np.argmax(off))
        raise ValueError(
            f"rows of {name} must sum to 1 (probabilities or one-hot), but row {row} sums to {sums[row]:g}; "
            "for several labels per row use loss='bce'"
        )


def _check_interval(Y: Array, loss: Loss, name: str) -> None:
    if loss.interval == REAL:
        return
    ends = np.array([Y.min(), Y.max()], np.float64)
    if in_interval(ends, loss.interval).all():
        return
    row, column = np.argwhere(~in_interval(Y, loss.interval))[0]
    raise ValueError(
        f"{name} must be in {loss.interval} for the loss {loss.name!r}, but is {Y[row, column]} in row {row}, "
        f"column {column}"
    )


def _signs(Y: Array, classes: Array | None, name: str) -> Array:
    """What no and yes are called in several columns of them: -1 and 1, or 0 and 1."""
    found = np.unique(Y)
    for labels in ([-1, 1], [0, 1]) if classes is None else (classes.tolist(),):
        if np.isin(found, labels).all():
            return np.array(labels) if classes is None else classes
    raise ValueError(f"{name} must hold -1 and 1, or 0 and 1 (the same in all columns), but has {some_of(found)}")


def _binary(labels: Array, classes: Array | None, loss: Loss, name: str) -> tuple[Array, Array]:
    """Targets in [0, 1], shape (rows, 1), and the two classes; labels other than 0 and 1 are encoded."""
    if labels.dtype.kind in "biuf" and (classes is None or classes.tolist() == [0, 1]):
        numbers = as_rows(labels.reshape(-1, 1), 1, name)
        check_finite(numbers, name)
        only_labels = loss.link == "sign" and not np.isin(numbers, (0, 1)).all()
        if numbers.min() >= 0 and numbers.max() <= 1 and not only_labels:
            return numbers, np.array([0, 1], numbers.dtype) if classes is None else classes
    uniques, inverse = _factorize(labels, name)
    if classes is None and len(uniques) != 2:
        raise ValueError(
            f"with one output, loss {loss.name!r} takes two classes{_or_probabilities(loss)}, but {name} has "
            f"{some_of(uniques)}; for more classes use loss='cross_entropy' with one output per class"
        )
    found = uniques if classes is None else classes
    return _numbers(uniques, inverse, found, name), found


def _or_probabilities(loss: Loss) -> str:
    return " or probabilities in [0, 1]" if loss.link == "sigmoid" else ""


def _encode(labels: Array, classes: Array | None, n_out: int, loss: Loss, name: str) -> tuple[Array, Array]:
    """Class numbers (rows, 1) int64, and the label of each class."""
    if n_out < 2:
        raise ValueError(f"loss {loss.name!r} needs one output per class; for a single output use loss='bce'")
    if labels.dtype.kind in "iu" and (classes is None or classes.tolist() == list(range(n_out))):
        if labels.min() >= 0 and labels.max() < n_out:
            return np.ascontiguousarray(labels, dtype=np.int64).reshape(-1, 1), np.arange(n_out)
    uniques, inverse = _factorize(labels, name)
    if classes is None and len(uniques) > n_out:
        advice = "; for a regression use loss='mse'" if labels.dtype.kind == "f" else ""
        raise ValueError(
            f"{name} has {some_of(uniques)}, but the model has {n_out} outputs: "
            f"give the last layer {len(uniques)}{advice}"
        )
    found = uniques if classes is None else classes
    return _numbers(uniques, inverse, found, name), found


def _factorize(labels: Array, name: str) -> tuple[Array, Array]:
    """The distinct labels in order, and the place of each row's label among them, (rows,) int64."""
    if labels.dtype != object:
        check_finite(labels, name)
        uniques, inverse = np.unique(labels, return_inverse=True)
        return uniques, inverse.reshape(-1)
    for row, label in enumerate(labels):
        if _is_gap(label):
            raise ValueError(f"{name} has no label in row {row} ({label!r}); remove such rows")
        if not isinstance(label, Hashable):
            raise TypeError(f"labels must be hashable, but {name} has {label!r} in row {row}")
    distinct = _in_order(dict.fromkeys(labels))
    number = {label: i for i, label in enumerate(distinct)}
    inverse = np.fromiter((number[label] for label in labels), dtype=np.int64, count=len(labels))
    return _label_array(distinct), inverse


def _in_order(distinct: Iterable[Any]) -> list[Any]:
    """Sorted; labels of unlike kinds, which have no order, stay as first seen."""
    try:
        return sorted(distinct)
    except TypeError:
        return list(distinct)


def _label_array(labels: Sequence[Any]) -> Array:
    """An array (n,) of labels; of objects unless all are text, or all numbers, so that none turns into another."""
    if all(isinstance(label, str) for label in labels) or all(isinstance(label, Number) for label in labels):
        return np.array(labels)
    return np.fromiter(labels, dtype=object, count=len(labels))


def _is_gap(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal to itself
        return True


def _numbers(uniques: Array, inverse: Array, classes: Array, name: str) -> Array:
    """Class numbers (rows, 1) int64 of labels factorised into `uniques`; ValueError for one not among `classes`."""
    number = {label: i for i, label in enumerate(classes.tolist())}
    labels = uniques.tolist()
    for i, label in enumerate(labels):
        if label not in number:
            row = int(np.argmax(inverse == i))
            raise ValueError(
                f"{name} has the label {label!r} in row {row}, but the model knows only {some_of(classes)}"
            )
    places = np.array([number[label] for label in labels], dtype=np.int64)
    return places[inverse].reshape(-1, 1)


def some_of(classes: Array) -> str:
    """The classes in words, at most five of them by name."""
    shown = ", ".join(map(repr, classes[:5].tolist())) + (", ..." if len(classes) > 5 else "")
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'} ({shown})"
