"""Values of one form as those of another, for a column that was read in another form than when it was fitted."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from .._common.checks import shown
from .._common.typing import Floats
from .values import Values

_TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
_CODE = re.compile(r"\s*[+-]?0\d+\s*|.*_.*")  # Python reads as numbers: leading zeros, as those of ZIP codes, and 12_34
_LARGEST = 1e150  # of numbers: squares of larger ones overflow


def as_numbers(values: Values, name: str) -> Floats:
    """The numbers of a column, NaN where one is missing.

    Raises
    ------
    ValueError
        A value is not a number, or too large; the message names the row, counted from 0.
    """
    numbers = values.data
    if values.form == "labels":
        numbers = _convert_labels(values, float, name, "numbers")
    elif values.form == "times":
        raise _mismatch(values, name, "numbers", "dates")
    bad = np.abs(numbers) > _LARGEST
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"column {name!r} must hold finite numbers, but row {row} is {numbers[row]:g}")
    return numbers


def numbers_in_text(values: Values) -> Values | None:
    """The numbers that labels are the texts of; None if one is another text, or a code such as "007"."""
    if any(_CODE.fullmatch(text) for text in values.labels):
        return None
    try:
        numbers = np.array([float(text) for text in values.labels])
    except ValueError:
        return None
    return Values("numbers", np.append(numbers, np.nan)[values.data]) if np.isfinite(numbers).all() else None


def as_truth(values: Values, name: str) -> Floats:
    """The booleans of a column as 0 and 1, NaN where one is missing; ValueError if they are others."""
    if values.form == "labels":
        return _convert_labels(values, lambda text: _TRUTH[text.lower()], name, "true and false")
    others = values.present[~np.isin(values.present, (0, 1))]
    if len(others):
        raise ValueError(f"column {name!r} must hold true and false, or 1 and 0, not {others[0]:g}")
    return values.data


def as_times(values: Values, name: str) -> Floats:
    """The times of a column in seconds since 1970, NaN where one is missing; ValueError if there are others."""
    if values.form != "times" and len(values.present):
        raise _mismatch(values, name, "dates", values.form)
    return values.data if values.form == "times" else np.full(len(values.data), np.nan)


def as_labels(values: Values) -> Values:
    """The values as text: integers without a decimal point, booleans as "true" and "false", dates as ISO 8601."""
    if values.form == "labels":
        return values
    distinct, inverse = np.unique(values.data, return_inverse=True)  # NaN is the last
    is_present = ~np.isnan(distinct)
    texts = np.array([_text(values.form, value) for value in distinct[is_present].tolist()], object)
    labels, order = np.unique(texts, return_inverse=True)
    codes = np.append(order, [-1] * int((~is_present).sum())).astype(np.int64)
    return Values("labels", codes[inverse], tuple(labels.tolist()))


def _text(form: str, value: float) -> str:
    if form == "truth":
        return "true" if value else "false"
    if form == "times":
        return str(np.datetime64(round(value * 1e6), "us").astype("datetime64[s]" if value == round(value) else None))
    return str(int(value)) if value == np.floor(value) and abs(value) < 2**63 else repr(value)


def _convert_labels(values: Values, convert: Callable[[str], float], name: str, expected: str) -> Floats:
    converted = np.full(len(values.labels) + 1, np.nan)
    for code, text in enumerate(values.labels):
        try:
            converted[code] = convert(text)
        except (ValueError, KeyError):
            row = int(np.flatnonzero(values.data == code)[0])
            raise ValueError(f"column {name!r} must hold {expected}, but row {row} is {shown(text)}") from None
    numbers: Floats = converted[values.data]
    return numbers


def _mismatch(values: Values, name: str, expected: str, form: str) -> ValueError:
    return ValueError(f"column {name!r} must hold {expected}, as when the encoder was fitted, not {form}")
