"""Checks of single arguments: numbers, flags and names, with errors that say what was expected and what came."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT_MAX = 2**31 - 1  # widths, numbers of rows and of threads are C ints
_SHOWN = 80  # characters of a value that an error quotes


def check_int(name: str, value: Any, minimum: int = 1, maximum: int = INT_MAX) -> int:
    """Return `value` as an int in [minimum, maximum].

    Raises
    ------
    TypeError
        `value` is not a Python or NumPy integer; a bool is not one.
    ValueError
        `value` is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of {minimum} or more, not {shown(value)}")
    if not minimum <= int(value) <= maximum:
        raise ValueError(f"{name} must be {minimum} or more (and at most {maximum}), not {shown(value)}")
    return int(value)


def check_scalar(name: str, value: Any, interval: str) -> float:
    """Return `value` as a float if it is a real number in `interval`.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : real number
        Any Python or NumPy real number except a bool.
    interval : str
        In mathematical notation: "[0, 1)" contains 0 but not 1; "(0, inf)" contains the finite numbers above 0.

    Raises
    ------
    TypeError
        `value` is not a real number.
    ValueError
        `value` is NaN, outside the interval, or beyond the range of a float64.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in {interval}, not {shown(value)}")
    try:
        x = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number in {interval} that float64 can hold, not {shown(value)}") from None
    if not in_interval(np.array(x), interval):
        raise ValueError(f"{name} must be in {interval}, not {shown(value)}")
    return x


def in_interval(x: NDArray[np.float64], interval: str) -> NDArray[np.bool_]:
    """Elementwise, whether x lies in an interval written as for `check_scalar`; False for NaN."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = x >= low if interval[0] == "[" else x > low
    below = x <= high if interval[-1] == "]" else x < high
    return above & below


def check_bool(name: str, value: Any) -> bool:
    """Return `value` as a bool; TypeError unless it is True or False, Python's or NumPy's.

    The truth of other objects is not asked for: that of "no" is True.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return `value` if it is one of the strings `choices`.

    Raises
    ------
    TypeError
        `value` is not a string.
    ValueError
        It is none of them; the message lists them and suggests the closest.
    """
    known = tuple(choices)
    expected = f"{name} must be one of {', '.join(map(repr, known))}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}, not {shown(value)}")
    if value not in known:
        close = closest(value, known)
        raise ValueError(f"{expected}, not {shown(value)}" + (f": did you mean {close!r}?" if close else ""))
    return value


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar to a mistyped one, or None if none is similar."""
    from difflib import get_close_matches  # on use: only errors need it

    by_lower = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def shown(value: object) -> str:
    """The value for an error message, shortened: it may have megabytes, or be an int that Python refuses to print."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length()} bits"
    text = " ".join((str(value) if is_number else repr(value)).split())  # on one line
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
