"""Checks of scalar arguments."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_int(name: str, value: Any, high: int = 2**63 - 1) -> int:
    """Return `value` as an int in [1, high].

    Raises
    ------
    TypeError
        `value` is not an integer; a bool is not one.
    ValueError
        `value` is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of 1 or more, not {value!r}")
    if not 1 <= int(value) <= high:
        raise ValueError(f"{name} must be 1 or more (and at most {high}), not {value}")
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
        `value` is NaN or outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in {interval}, not {value!r}")
    x = float(value)
    if not in_interval(np.array(x), interval):
        raise ValueError(f"{name} must be in {interval}, not {value}")
    return x


def in_interval(x: NDArray[np.float64], interval: str) -> NDArray[np.bool_]:
    """Elementwise, whether x lies in an interval written as for `check_scalar`; False for NaN."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = x >= low if interval[0] == "[" else x > low
    below = x <= high if interval[-1] == "]" else x < high
    return above & below
