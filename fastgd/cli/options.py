"""Values of options: each is checked as it is read, and refused under the option's name."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from .._common.checks import INT_MAX, in_interval
from ..metrics import Metric

MAX_SEED = 2**64 - 1
# Of columns: the first four are used, the others left out.
KINDS = ("number", "category", "boolean", "date", "text", "identifier")


class Help(argparse.HelpFormatter):
    """Leaves the lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("examples:") else super()._fill_text(text, width, indent)


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
    """Read "64" or "64,64" as widths, and "0" as none."""
    read = integer(1, INT_MAX)
    try:
        return () if text == "0" else tuple(read(width.strip()) for width in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be integers like 128 64, from 1 to {INT_MAX:,}, or 0 for a linear model, not {text!r}"
        ) from None


def share_or_file(text: str) -> float | Path:
    """Read a number in [0, 1), or else the path of a file."""
    try:
        float(text)
    except ValueError:
        if text and not text.startswith("-"):
            return Path(text)
    return real("[0, 1)")(text)


def column_kind(text: str) -> tuple[str, str]:
    """Read "zip=category" as a column and its kind."""
    name, _, kind = text.rpartition("=")
    if not name or kind not in KINDS:
        raise argparse.ArgumentTypeError(f"must be COLUMN=KIND with a kind in {', '.join(KINDS)}, not {text!r}")
    return name, kind


def metric(text: str) -> Metric:
    """The metric of a name."""
    try:
        return metrics.get(text)
    except (ValueError, ImportError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_table(parser: argparse.ArgumentParser, help: str) -> None:
    """Add FILE and `--missing`, which all commands have that read a table."""
    parser.add_argument("file", type=Path, metavar="FILE", help=f"{help}; - reads standard input")
    add_missing(parser)


def add_missing(parser: Any, default: tuple[str, ...] | None = None) -> None:
    """Add `--missing`."""
    parser.add_argument(
        "--missing",
        type=lambda text: tuple(text.split(",")),
        default=default,
        metavar="TEXT,...",
        help="strings that mark a missing value, besides the empty one; --missing '' for none (default: NA, NaN, NULL, "
        "None, ? and the other spellings of pandas; after training, those of the training)",
    )


def add_aliases(group: Any, names: dict[str, str]) -> None:
    """Accept the names that options have in other programs; `--help` does not list them.

    Parameters
    ----------
    group : argparse group
    names : dict
        {option: other names, separated by spaces}.
    """
    for option, others in names.items():
        action = next(action for action in group._actions if option in action.option_strings)
        for other in others.split():
            group._option_string_actions[other] = action
