"""Labels of classes: which kinds there are, how they are told apart, and how files keep them.

A kind of label is accepted only if a file can hold it, so a model that was trained can always be saved.  Labels are the
same if they compare equal in Python: 1 and 1.0 are, 1 and "1" and b"1" are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np

from .._common.typing import Array
from .arrays import check_finite, is_missing_value

_KINDS = "text, bytes, numbers, booleans, dates, or tuples of these"
# Objects that JSON holds exactly, and how others become text and are read again.
_PLAIN = (bool, int, float, str)
_AS_TEXT: dict[str, tuple[type[Any], Callable[[Any], str], Callable[[str], Any]]] = {
    "bytes": (bytes, lambda label: label.decode("latin-1"), lambda text: text.encode("latin-1")),
    "Decimal": (Decimal, str, Decimal),
    "date": (date, date.isoformat, date.fromisoformat),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
}
_TEXT_KIND = {kind: name for name, (kind, _, _) in _AS_TEXT.items()}
_STRING = "StringDType"


def label_array(labels: Sequence[Any]) -> Array:
    """An array (n,) of labels; of objects where any other dtype would change one or make two of them equal."""
    if all(isinstance(label, str) for label in labels):
        ends_in_nul = any(label.endswith("\0") for label in labels)  # which an array of text would drop
        return _objects(labels) if ends_in_nul else np.array(labels)
    if all(isinstance(label, (Number, np.bool_)) for label in labels):
        array = np.array(labels)
        is_rounded = array.dtype.kind == "f" and any(isinstance(x, int) and int(float(x)) != x for x in labels)
        return _objects(labels) if is_rounded else array
    is_time = any(all(isinstance(label, kind) for label in labels) for kind in (np.datetime64, np.timedelta64))
    return np.array(labels) if is_time else _objects(labels)


def factorize(labels: Array, name: str) -> tuple[Array, Array]:
    """The distinct labels in order, and the index of each row's label among them.

    Parameters
    ----------
    labels : ndarray, shape (rows,)
    name : str
        Name of the labels in error messages.

    Returns
    -------
    distinct : ndarray, shape (n_classes,)
        Sorted; labels that cannot be compared are in order of appearance.
    index : ndarray, shape (rows,), int64

    Raises
    ------
    TypeError
        A label is of a kind that no file can hold.
    ValueError
        A row has no label.
    """
    if labels.dtype != object:
        uniques, inverse = np.unique(check_labels(labels, name), return_inverse=True)
        return uniques, inverse.reshape(-1)
    distinct = _sorted_if_comparable(_distinct_objects(labels, name))
    index_of = {label: i for i, label in enumerate(distinct)}
    return _objects(distinct), np.fromiter((index_of[label] for label in labels), np.int64, len(labels))


def check_labels(labels: Array, name: str) -> Array:
    """Labels (rows,) in the native dtype of their kind; what `factorize` raises if one is missing or of no kind."""
    dtype = labels.dtype
    if dtype.kind == "O":
        return _objects([_checked_object(label, row, name) for row, label in enumerate(labels)])
    if dtype.kind == "T":
        _refuse_missing(np.array([is_missing_value(label) for label in labels.tolist()]), labels, name)
        return labels.astype(np.dtypes.StringDType())
    if dtype.kind not in "biufUSMm" or dtype.kind == "f" and dtype.itemsize > 8:
        raise TypeError(f"labels must be {_KINDS}, but {name} has dtype {dtype}")
    if dtype.kind in "Mm":
        _refuse_missing(np.isnat(labels), labels, name)
    check_finite(labels, name)
    return labels.astype(dtype.newbyteorder("="), copy=False)


def class_index(uniques: Array, inverse: Array, classes: Array, name: str) -> Array:
    """Class indices (rows, 1) int64 of labels factorized into `uniques`.

    Raises
    ------
    ValueError
        A label is not among `classes`.
    """
    dtype = _common_time(uniques, classes)
    index_of = {label: i for i, label in enumerate(_keys(classes, dtype))}
    keys = _keys(uniques, dtype)
    for i, label in enumerate(keys):
        if label not in index_of:
            raise ValueError(
                f"{name} has the label {_shown(uniques[i])} in row {int(np.argmax(inverse == i))}, but the model knows "
                f"only {describe_classes(classes)}"
            )
    index = np.array([index_of[label] for label in keys], dtype=np.int64)
    return index[inverse].reshape(-1, 1)


def describe_classes(classes: Array) -> str:
    """The number of classes and the first five of them, for messages.

    Examples
    --------
    >>> describe_classes(np.arange(7))
    '7 classes (0, 1, 2, 3, 4, ...)'
    """
    shown = ", ".join(map(_shown, classes[:5])) + (", ..." if len(classes) > 5 else "")
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'} ({shown})"


def classes_to_config(classes: Array) -> dict[str, Any]:
    """Checked labels (n_classes,) as a JSON object."""
    kind = classes.dtype.kind
    if kind in "Mm":
        return {"dtype": classes.dtype.name, "labels": classes.astype(np.int64).tolist()}
    if kind == "O":
        return {"dtype": "object", "labels": [_encode(label) for label in classes]}
    labels = classes.tolist()
    if kind == "S":
        return {"dtype": "bytes", "labels": [label.decode("latin-1") for label in labels]}
    return {"dtype": {"U": "str", "T": _STRING}.get(kind, classes.dtype.name), "labels": labels}


def classes_from_config(config: dict[str, Any]) -> Array:
    """The labels that `classes_to_config` described.

    Raises
    ------
    ValueError
        They are not labels of a known kind, or not distinct.
    """
    dtype, labels = config["dtype"], config["labels"]
    if dtype == "object":
        classes = _objects([_decode(label) for label in labels])
    elif dtype == "bytes":
        classes = np.array([label.encode("latin-1") for label in labels])
    elif dtype == _STRING:
        classes = np.array(labels, np.dtypes.StringDType())
    elif dtype == "str" or np.dtype(dtype).kind in "biufMm":
        if not all(isinstance(label, _PLAIN) for label in labels):
            raise ValueError(f"its classes {labels} are not labels")
        classes = _objects(labels).astype(dtype)
    else:
        raise ValueError(f"its classes have the dtype {dtype!r}")
    if len(set(_keys(classes, None))) < len(classes):
        raise ValueError(f"its classes {labels} are not distinct")
    return classes


def _checked_object(label: Any, row: int, name: str) -> Any:
    """A label in an array of objects, as the Python object that it equals."""
    if isinstance(label, tuple):
        return tuple(_checked_object(part, row, name) for part in label)
    if isinstance(label, (np.bool_, np.integer, np.floating)):
        label = label.item()
    elif isinstance(label, (np.str_, np.bytes_)):
        label = str(label) if isinstance(label, np.str_) else bytes(label)
    if type(label) in _PLAIN or type(label) in _TEXT_KIND:
        if label == label:
            return label
    elif not is_missing_value(label):
        kind = type(label).__name__
        raise TypeError(f"labels must be {_KINDS}, but {name} has {label!r} ({kind}) in row {row}; convert it to text")
    raise ValueError(f"{name} has no label in row {row} ({label!r}); remove such rows")


def _distinct_objects(labels: Array, name: str) -> list[Any]:
    """The distinct labels of an array of objects, checked, in order of appearance."""
    try:
        distinct = list(dict.fromkeys(labels))
    except TypeError:  # one is not hashable, hence of no kind
        distinct = list(labels)
    checked = []
    for label in distinct:
        row = next(row for row, other in enumerate(labels) if other is label) if _is_odd(label) else 0
        checked.append(_checked_object(label, row, name))
    return checked


def _is_odd(label: Any) -> bool:
    """Whether a label needs a closer look."""
    return type(label) not in _PLAIN or label != label


def _refuse_missing(is_missing: Array, labels: Array, name: str) -> None:
    if is_missing.any():
        row = int(np.argmax(is_missing))
        raise ValueError(f"{name} has no label in row {row} ({labels[row]}); remove such rows")


def _sorted_if_comparable(distinct: Iterable[Any]) -> list[Any]:
    try:
        return sorted(distinct)
    except TypeError:
        return list(distinct)


def _objects(labels: Sequence[Any]) -> Array:
    array = np.empty(len(labels), object)
    array[:] = labels
    return array


def _common_time(one: Array, other: Array) -> np.dtype[Any] | None:
    """The unit in which both can be compared, if both are dates or both are durations."""
    is_time = one.dtype.kind == other.dtype.kind and one.dtype.kind in "Mm"
    return np.promote_types(one.dtype, other.dtype) if is_time else None


def _keys(labels: Array, time: np.dtype[Any] | None) -> list[Any]:
    """The labels as hashable Python objects; dates and durations, in the unit `time`, equal no number."""
    if labels.dtype.kind in "Mm":
        return [(labels.dtype.kind, value) for value in labels.astype(time or labels.dtype).astype(np.int64).tolist()]
    return list(labels.tolist())


def _shown(label: Any) -> str:
    """A label as Python writes it."""
    if isinstance(label, (np.datetime64, np.timedelta64)):
        return repr(str(label))
    return repr(label.item() if isinstance(label, np.generic) else label)


def _encode(label: Any) -> Any:
    if isinstance(label, tuple):
        return {"tuple": [_encode(part) for part in label]}
    if type(label) in _PLAIN:
        return label
    kind = _TEXT_KIND[type(label)]
    return {kind: _AS_TEXT[kind][1](label)}


def _decode(label: Any) -> Any:
    if isinstance(label, _PLAIN):
        return label
    ((kind, value),) = label.items()
    return tuple(map(_decode, value)) if kind == "tuple" else _AS_TEXT[kind][2](value)
