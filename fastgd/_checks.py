"""Checks of plain arguments that several files share."""

from numbers import Integral
from typing import Any


def whole(name: str, value: Any, most: int = 2**63 - 1) -> int:
    """`value` as an int of 1 to `most`; TypeError for what is no integer, ValueError outside."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer of 1 or more, not {value!r}")
    if not 1 <= int(value) <= most:
        raise ValueError(f"{name} must be 1 or more (and at most {most}), not {value}")
    return int(value)
