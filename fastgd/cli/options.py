"""Values of options: each is checked as it is read, and refused under the option's name."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np

from .._common.checks import INT_MAX, in_interval
from ..tables import MISSING

MAX_SEED = 2**64 - 1


def integer(low: int, high: int) -> Callable[[str], int]:
    """A reader of integers in [low, high]."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be an integer from {low:,} to {high:,}, not {text!r}")
        return int(text)

    return read


def real(interval: str) -> Callable[[str], float]:
    """A reader of numbers in an interval: "[0, 1)", "(0, inf)"."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if "_" in text or not in_interval(np.array(value), interval):
            raise argparse.ArgumentTypeError(f"must be a number in {interval}, not {text!r}")
        return value

    return read


def hidden_widths(text: str) -> tuple[int, ...]:
    """Read "64,64" as widths, and "0" as none."""
    read = integer(1, INT_MAX)
    try:
        return () if text == "0" else tuple(read(width.strip()) for width in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be integers like 64,64, from 1 to {INT_MAX:,}, or 0 for a linear model, not {text!r}"
        ) from None


def add_missing(parser: argparse.ArgumentParser) -> None:
    """Add `--missing`, which all commands have that read tables."""
    parser.add_argument(
        "--missing",
        type=lambda text: tuple(text.split(",")),
        default=MISSING,
        metavar="TEXT,...",
        help="texts that stand for a missing value, as an empty one always does; --missing '' for no others "
        "(default: NA, NaN, NULL, None, ? and the other spellings of pandas)",
    )
