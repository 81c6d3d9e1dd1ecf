"""Checks of plain arguments that several files share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_int(name: str, value: Any, most: int = 2**63 - 1) -> int:
    """`value` as an int of 1 to `most`; TypeError for what is no integer, ValueError outside."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of 1 or more, not {value!r}")
    if not 1 <= int(value) <= most:
        raise ValueError(f"{name} must be 1 or more (and at most {most}), not {value}")
    return int(value)


def check_scalar(name: str, value: Any, interval: str) -> float:
    """`value` as a float, if it is a number in `interval`.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : real number
        Any Python or NumPy number but not a bool.
    interval : str
        In the notation of mathematics: "[0, 1)" has 0 but not 1; "(0, inf)" are the finite numbers above 0.

    Raises
    ------
    TypeError
        Not a number.
    ValueError
        NaN or outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in {interval}, not {value!r}")
    x = float(value)
    if not in_interval(np.array(x), interval):
        raise ValueError(f"{name} must be in {interval}, not {value}")
    return x


def in_interval(x: NDArray[np.float64], interval: str) -> NDArray[np.bool_]:
    """Which numbers of x lie in an interval written as for `check_scalar`; never NaN."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = x >= low if interval[0] == "[" else x > low
    below = x <= high if interval[-1] == "]" else x < high
    return above & below
