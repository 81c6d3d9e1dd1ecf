"""Checks of single arguments: numbers, flags and names, with errors that say what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

INT_MAX = 2**31 - 1  # widths, numbers of rows and of threads are C ints
# Intervals of settings; see `check_scalar`.
POSITIVE, NON_NEGATIVE, FRACTION = "(0, inf)", "[0, inf)", "[0, 1)"
_FLOAT32 = np.finfo(np.float32)
_SHOWN = 80  # characters of a value that an error quotes

T = TypeVar("T")


def check_int(name: str, value: Any, minimum: int = 1, maximum: int = INT_MAX) -> int:
    """Return `value` as an int in [minimum, maximum].

    Raises
    ------
    TypeError
        `value` is not a Python or NumPy integer; a bool is not one.
    ValueError
        `value` is out of range.
    """
    if type(value) is int and minimum <= value <= maximum:
        return value  # most values: the questions below take a microsecond
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


def check_float32(name: str, value: Any, interval: str) -> float:
    """`check_scalar` for a parameter of a definition, which engines convert to the dtype of the model.

    Raises
    ------
    TypeError, ValueError
        As `check_scalar`; also if float32 could only hold the value as inf, or as 0 or a denormal number though it is
        not 0.
    """
    x = check_scalar(name, value, interval)
    if x != 0 and not float(_FLOAT32.tiny) <= abs(x) <= float(_FLOAT32.max):
        sizes = f"{_FLOAT32.tiny:.2g} to {_FLOAT32.max:.2g}"
        raise ValueError(f"{name} must be of a size that float32 can hold, {sizes}, not {shown(value)}")
    return x


def check_sequence(
    name: str, value: Any, interval: str, check: Callable[[str, Any, str], float] = check_scalar
) -> tuple[float, ...]:
    """Return a sequence of real numbers in `interval`, or a one-dimensional array of them, as a tuple.

    Raises
    ------
    TypeError
        `value` is not a sequence, or an element is not a real number.
    ValueError
        It is empty, or `check` refuses an element.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a sequence of numbers in {interval}, not {shown(value)}")
    values = tuple(value)
    if not values:
        raise ValueError(f"{name} must be a sequence of numbers in {interval}, not {shown(value)}")
    return tuple(check(f"{name}[{i}]", x, interval) for i, x in enumerate(values))


def check_objects(values: Any, kind: type[T], owner: str, noun: str, item: str) -> list[T]:
    """A list of objects of one class, at least one, for an owner such as "a Population".

    Parameters
    ----------
    values : iterable
    kind : type
    owner, noun, item : str
        In messages: who takes them, what they are, and the word before the index of one.

    Raises
    ------
    TypeError
        The values are not iterable, or one of them is not an object of the class.
    ValueError
        There are none.
    """
    if isinstance(values, kind) or not hasattr(values, "__iter__"):
        raise TypeError(f"{owner} takes a list of {noun}s, not {shown(values)}")
    objects: list[T] = list(values)
    if not objects:
        raise ValueError(f"{owner} needs at least one {noun}")
    for i, value in enumerate(objects):
        if not isinstance(value, kind):
            raise TypeError(f"{item} {i} of {owner} must be a {kind.__name__}, not {shown(value)}")
    return objects


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


def counted(n: int, noun: str) -> str:
    """A number of things, in words of a message.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2000, "row")
    ('1 epoch', '2,000 rows')
    """
    return f"{n:,} {noun}" + "s" * (n != 1)


def shown(value: object) -> str:
    """The value for an error message, shortened: it may have megabytes, or be an int that Python refuses to print."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length()} bits"
    text = " ".join((str(value) if is_number else repr(value)).split())  # on one line
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
