"""Conversion of user targets to the arrays that a loss and an engine read.

Together with `arrays.py`, the only module that inspects user data.  Each function either returns arrays that are ready
for the engine or raises an error that states what was expected, what was passed and how to fix it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._common.checks import in_interval
from .._common.typing import Array, Ints
from ..losses import Loss
from ..losses.arguments import REAL
from ..losses.link import BINARY_LINKS
from .arrays import as_numeric, as_rows, check_finite, frame_column, frame_columns, is_frame, to_array
from .labels import class_index, describe_classes, factorize, label_array
from .shared import Shared

# Tolerance for the sum of the probabilities of a row: the rounding error of a thousand classes in float16.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Targets:
    """Checked targets.

    Attributes
    ----------
    Y : ndarray
        Shape (rows, 1), int64 class indices, for losses on labels, else (rows, n_out) of an engine dtype; for custom
        losses (rows,) or (rows, k).
    classes : ndarray, shape (n_classes,), or None
        The user's label of each class index, n_classes <= n_out; None if the targets are not classes.
    squeeze : bool
        Whether the targets were one-dimensional, so that predictions are too.
    loss : Loss
        The loss that reads Y: the requested one, or its variant for rows of probabilities.
    ignored : ndarray (rows,) of bool, or None
        Rows without a label, which the loss ignores; their Y is any class. None: there are none.
    """

    Y: Array
    classes: Array | None
    squeeze: bool
    loss: Loss
    ignored: Array | None = None

    def take(self, rows: Ints | slice) -> "Targets":
        """The targets of some rows, of which none need have each class."""
        ignored = None if self.ignored is None else self.ignored[rows]
        return replace(self, Y=self.Y[rows], ignored=None if ignored is None or not ignored.any() else ignored)

    def labelled(self, rows: Any, kind: str) -> Any:
        """Those of some rows, or of all for None, that are not ignored; ValueError if every `kind` of row is."""
        if self.ignored is None:
            return rows
        labelled = np.flatnonzero(~self.ignored) if rows is None else rows[~self.ignored[rows]]
        if not len(labelled):
            raise ValueError(f"the label of every {kind} is one that the loss ignores")
        return labelled


def read_targets(
    y: Any,
    loss: Loss,
    n_out: int,
    classes: Array | None = None,
    name: str = "y",
    dtype: np.dtype[Any] | None = None,
) -> Targets:
    """Check the targets y of a loss on n_out outputs and convert them.

    Parameters
    ----------
    y : array, list, series, data frame, Arrow array or Shared; shape (rows,) or (rows, n_out)
        Multiclass losses: labels of any kind in `labels.py`; for cross-entropy also rows of probabilities (one-hot).
        Binary losses with one output: labels of two classes; with several outputs: rows of 0 and 1, or values in
        between, or -1 and 1 for hinge losses.  Quantile loss: (rows,) or (rows, targets).  Other losses: real values.
    loss : Loss
    n_out : int
        Number of outputs of the model.
    classes : ndarray, shape (n_classes,), default=None
        The labels in the order of class indices, as found by an earlier call.  None: find them in y, where integers
        0 .. n_out - 1 are their own indices and other labels are sorted (or kept in order of appearance if they cannot
        be compared).
    name : str, default="y"
        Name of y in error messages.
    dtype : numpy.dtype or None, default=None
        Dtype of the model, which must be able to hold real targets.

    Returns
    -------
    Targets

    Raises
    ------
    TypeError
        Numbers were expected, but y holds something else, or a label is of a kind that no file can hold.
    ValueError
        y is empty or has missing values or the wrong shape, its values do not fit the loss, its classes do not fit the
        outputs, or a label is not among `classes`.

    Examples
    --------
    >>> from fastgd import losses
    >>> targets = read_targets(["no", "yes", "no"], losses.get("cross_entropy"), n_out=2)
    >>> targets.Y.ravel().tolist(), targets.classes.tolist(), targets.squeeze
    ([0, 1, 0], ['no', 'yes'], True)
    """
    if isinstance(y, Shared):
        key = loss, n_out, None if classes is None else tuple(classes.tolist()), dtype
        whole = y.read(key, lambda values: read_targets(values, loss, n_out, classes, name, dtype))
        return whole if y.rows is None else whole.take(y.rows)
    array = _to_target_array(y, name)
    if loss.target == "any":
        return Targets(as_numeric(array, name), None, array.ndim == 1 and n_out == 1, loss)
    outputs_per_target = loss.outputs_per_target(n_out)
    for_rows = getattr(loss, "for_rows", None)
    if for_rows and n_out > 1 and array.ndim == 2 and array.shape[1] == n_out:
        loss = for_rows()
    if loss.target == "labels":
        labels, ignored = _without_ignored(_to_column(array, name), loss, name)
        index, found = _encode_labels(labels, classes, n_out, loss, name)
        return Targets(index, found, array.ndim == 1, loss, ignored)
    if loss.link in BINARY_LINKS and n_out == 1:
        Y, found = _encode_binary(_to_column(array, name), classes, loss, name)
        return Targets(Y, found, array.ndim == 1, loss)
    column = "output of the model" if outputs_per_target == 1 else "target"
    Y = _numeric_rows(array, loss, n_out // outputs_per_target, column, name)
    check_finite(Y, name, dtype)
    if loss.link == "softmax":
        _check_probabilities(Y, name)
        classes = np.arange(n_out) if classes is None else classes
        if Y[:, len(classes) :].any():
            raise ValueError(f"{name} has probabilities of {n_out} classes, but there are {describe_classes(classes)}")
    if loss.link == "sign":
        classes = _sign_labels(Y, classes, name)
    Y = Y if outputs_per_target == 1 else np.repeat(Y, outputs_per_target, axis=1)
    return Targets(Y, classes, array.ndim == 1 and n_out == 1, loss)


def declared_classes(classes: Any, loss: Loss, n_out: int) -> Array:
    """The classes of `fit(classes=...)`: distinct and sorted, as scikit-learn's `partial_fit` takes them.

    Raises
    ------
    TypeError
        A label is of a kind that no file can hold.
    ValueError
        The loss takes no classes, or another number of them.
    """
    is_pair = loss.link in BINARY_LINKS and n_out == 1
    if not is_pair and loss.link != "softmax":
        raise ValueError(f"classes= needs one class per row, but the loss {loss.name!r} on {n_out} outputs has none")
    labels = _to_target_array(classes, "classes")
    found = factorize(_to_column(labels, "classes"), "classes")[0]
    if is_pair and len(found) != 2:
        raise ValueError(f"with one output, classes must hold two labels, not {describe_classes(found)}")
    if len(found) > max(n_out, 2):
        raise ValueError(f"classes has {describe_classes(found)}, but the model has {n_out} outputs")
    return found


def distinct_labels(y: Any, name: str = "y") -> list[Any] | None:
    """The labels in y, each once; None if it has several columns.  Exceptions are those of `labels.factorize`."""
    array = _to_target_array(y, name)
    if array.ndim == 2 and array.shape[1] != 1:
        return None
    labels: list[Any] = factorize(array.reshape(-1), name)[0].tolist()
    return labels


def takes_labels(loss: Loss, n_out: int) -> bool:
    """Whether targets of a loss on n_out outputs may be labels, one per row."""
    return loss.target == "labels" or (loss.link in BINARY_LINKS and n_out == 1)


def classes_of_parts(found: Iterable[list[Any] | None], loss: Loss, n_out: int) -> Array | None:
    """The classes of targets in several parts, for `read_targets` of each.

    Parameters
    ----------
    found : iterable of list or None
        The distinct labels of each part, as `distinct_labels` returns them.
    loss : Loss
    n_out : int
        Number of outputs of the model.

    Returns
    -------
    ndarray or None
        None where the targets are rows of probabilities, or numbers that are class indices or probabilities.
    """
    parts = list(found)
    if any(labels is None for labels in parts):
        return None
    labels = label_array([label for part in parts for label in part or ()])
    has_number = labels.dtype.kind in ("iu" if loss.target == "labels" else "biuf")
    limit = n_out - 1 if loss.target == "labels" else 1
    is_default = has_number and labels.min() >= 0 and labels.max() <= limit
    return None if is_default else factorize(labels, "y")[0]


def check_same_rows(X: Array, Y: Array, name: str = "X", target: str = "y") -> None:
    """Raise ValueError unless X and Y have the same number of rows."""
    if len(X) != len(Y):
        raise ValueError(f"{name} and {target} must have the same number of rows, not {len(X)} and {len(Y)}")


def _to_target_array(y: Any, name: str) -> Array:
    """An array of any dtype, 1-D or 2-D; a list of labels of mixed types becomes an array of objects, never of text."""
    if not isinstance(y, np.ndarray) and is_frame(y) and len(frame_columns(y)) == 1:
        y = frame_column(y, 0)
    is_flat_list = isinstance(y, (list, tuple)) and not any(isinstance(row, (list, tuple, np.ndarray)) for row in y)
    array = label_array(y) if is_flat_list else to_array(y, name)
    if array.dtype.kind in "US" and isinstance(y, (list, tuple)) and array.ndim == 2:
        leaves = np.array(y, object)  # NumPy turns every number next to a text into text
        array = label_array(leaves.reshape(-1).tolist()).reshape(array.shape) if leaves.ndim == 2 else array
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must have shape (rows,) or (rows, outputs), not {array.shape}")
    if not array.size:
        raise ValueError(f"{name} is empty: it has shape {array.shape}")
    return array


def _to_column(array: Array, name: str) -> Array:
    if array.ndim == 2 and array.shape[1] != 1:
        raise ValueError(f"{name} must have one label per row, shape (rows,), not {array.shape}")
    return array.reshape(-1)


def _numeric_rows(array: Array, loss: Loss, width: int, column: str, name: str) -> Array:
    """Rows of `width` values in the interval of the loss; `column` describes in messages what a column belongs to."""
    texts = [label for label in array.flat if isinstance(label, str)] if array.dtype.kind in "UO" else []
    if texts:
        raise TypeError(
            f"{name} must hold numbers for the loss {loss.name!r}, not {str(texts[0])!r}; "
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
    is_off = np.abs(sums - 1) > _SUM_TOLERANCE
    if is_off.any():
        row = int(np.argmax(is_off))
        raise ValueError(
            f"rows of {name} must sum to 1 (probabilities or one-hot), but row {row} sums to {sums[row]:g}; "
            "for several labels per row use loss='bce'"
        )


def _check_interval(Y: Array, loss: Loss, name: str) -> None:
    if loss.interval == REAL:
        return
    extremes = np.array([Y.min(), Y.max()], np.float64)
    if in_interval(extremes, loss.interval).all():
        return
    row, column = np.argwhere(~in_interval(Y, loss.interval))[0]
    raise ValueError(
        f"{name} must be in {loss.interval} for the loss {loss.name!r}, but is {Y[row, column]} in row {row}, "
        f"column {column}"
    )


def _sign_labels(Y: Array, classes: Array | None, name: str) -> Array:
    """The negative and positive label of several binary columns: -1 and 1, or 0 and 1."""
    found = np.unique(Y)
    for labels in ([-1, 1], [0, 1]) if classes is None else (classes.tolist(),):
        if np.isin(found, labels).all():
            return np.array(labels) if classes is None else classes
    raise ValueError(
        f"{name} must hold -1 and 1, or 0 and 1 (the same in all columns), but has {describe_classes(found)}"
    )


def _encode_binary(labels: Array, classes: Array | None, loss: Loss, name: str) -> tuple[Array, Array]:
    """Targets in [0, 1], shape (rows, 1), and the two classes; labels other than 0 and 1 are encoded."""
    if labels.dtype.kind in "biuf" and (classes is None or classes.tolist() == [0, 1]):
        values = as_rows(labels.reshape(-1, 1), 1, name)
        check_finite(values, name)
        needs_encoding = loss.link == "sign" and not np.isin(values, (0, 1)).all()
        if values.min() >= 0 and values.max() <= 1 and not needs_encoding:
            return values, np.array([0, 1], values.dtype) if classes is None else classes
    uniques, inverse = factorize(labels, name)
    if classes is None and len(uniques) != 2:
        probabilities = " or probabilities in [0, 1]" if loss.link == "sigmoid" else ""
        raise ValueError(
            f"with one output, loss {loss.name!r} takes two classes{probabilities}, but {name} has "
            f"{describe_classes(uniques)}; for more classes use loss='cross_entropy' with one output per class"
        )
    found = uniques if classes is None else classes
    return class_index(uniques, inverse, found, name), found


def _without_ignored(labels: Array, loss: Loss, name: str) -> tuple[Array, Array | None]:
    """The labels with one that occurs in place of those that the loss ignores, and which these are, or None."""
    ignored = loss.ignored(labels.reshape(-1, 1)) if labels.dtype.kind in "biufO" else None
    if ignored is None or not ignored.any():
        return labels, None
    if ignored.all():
        raise ValueError(f"every label of {name} is one that the loss ignores, {labels[0]!r}: nothing is left")
    return np.where(ignored, labels[~ignored][0], labels), ignored


def _encode_labels(labels: Array, classes: Array | None, n_out: int, loss: Loss, name: str) -> tuple[Array, Array]:
    """Class indices (rows, 1) int64, and the label of each class."""
    if n_out < 2:
        raise ValueError(f"loss {loss.name!r} needs one output per class; for a single output use loss='bce'")
    are_integers = labels.dtype.kind in "iu" and (classes is None or classes.tolist() == list(range(n_out)))
    if are_integers and labels.min() >= 0 and labels.max() < n_out:
        index = np.ascontiguousarray(labels, dtype=np.int64).reshape(-1, 1)
        return index, np.arange(n_out) if classes is None else classes
    uniques, inverse = factorize(labels, name)
    if classes is None and len(uniques) > n_out:
        advice = "; for a regression use loss='mse'" if labels.dtype.kind == "f" else ""
        raise ValueError(
            f"{name} has {describe_classes(uniques)}, but the model has {n_out} outputs: "
            f"give the last layer {len(uniques)}{advice}"
        )
    found = uniques if classes is None else classes
    return class_index(uniques, inverse, found, name), found
