"""What a column of text holds: numbers, booleans or text, and which values are missing."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

_TRUTH_VALUES = {"true": 1.0, "false": 0.0}

_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.' \u00a0\u202f]\d{3})+([.,]\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Column:
    """A column of a text table.

    Attributes
    ----------
    name : str
    texts : polars.Series of str
        As in the file.
    missing : polars.Series of bool
        Whether there is no text, or one that stands for a missing value.
    numbers : polars.Series of float64
        The numbers and booleans; null where the text is neither, and everywhere in a column of codes.
    kind : {"numbers", "booleans", "codes"}
        Codes are integers of which some begin with zeros, as ZIP codes do; they are text.  Text among numbers, or
        nothing but text, does not change the kind.
    """

    name: str
    texts: pl.Series
    missing: pl.Series
    numbers: pl.Series
    kind: str = "numbers"

    @property
    def is_integer(self) -> bool:
        """Whether all values are integers, written with or without a decimal point."""
        return not self.numbers.null_count() and bool((self.numbers == self.numbers.floor()).all())

    @property
    def strays(self) -> pl.Series:
        """Whether each text is neither a number nor missing."""
        return self.numbers.is_null() & ~self.missing

    @property
    def is_text(self) -> bool:
        """Whether there are more texts than numbers."""
        return int(self.strays.sum()) * 2 > len(self.texts) - int(self.missing.sum())

    def stripped(self) -> pl.Series:
        """The texts without surrounding white space."""
        return self.texts.str.strip_chars()


def read_column(name: str, texts: pl.Series, markers: Collection[str], decimal_comma: bool = False) -> Column:
    """Find out what a column of texts holds.

    Parameters
    ----------
    name : str
    texts : polars.Series of str
    markers : collection of str
        Texts that stand for a missing value, besides an empty one.
    decimal_comma : bool, default=False
        Whether `1,5` may be a number.

    Returns
    -------
    Column
    """
    numbers = texts.cast(pl.Float64, strict=False)
    missing, kind = pl.repeat(False, len(texts), eager=True), "numbers"
    if numbers.null_count() or not numbers.is_finite().all() or _any_is_number(markers):
        stripped = texts.str.strip_chars()
        missing = stripped.is_null() | stripped.is_in(["", *markers])
        numbers, kind = _to_numbers(stripped.set(missing, None), decimal_comma)
    if _has_leading_zeros(texts, numbers):
        return Column(name, texts, missing, pl.repeat(None, len(texts), dtype=pl.Float64, eager=True), "codes")
    return Column(name, texts, missing, numbers, kind)


def to_integers(column: Column) -> pl.Series | None:
    """The values as int64 if all of them are integers written without a decimal point; else None."""
    if column.kind != "numbers" or not column.is_integer:
        return None
    integers = column.stripped().cast(pl.Int64, strict=False)
    return None if integers.null_count() else integers


def is_beyond_int64(column: Column) -> bool:
    """Whether all values are written as integers, but some of them do not fit into int64."""
    if not column.is_integer or to_integers(column) is not None:
        return False
    return bool(column.texts.str.contains(r"^\s*[+-]?\d+\s*$").all())


def has_separators(text: str) -> bool:
    """Whether a string is a number with thousands separators or a decimal comma."""
    return bool(_THOUSANDS.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text))


def describe_stray(text: str) -> str:
    """Why a string is not a number.

    Examples
    --------
    >>> describe_stray("1,234")
    "'1,234' has thousands separators; remove them"
    """
    if _THOUSANDS.fullmatch(text):
        return f"{text!r} has thousands separators; remove them"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"{text!r} has a decimal comma; write a point"
    return f"{text!r} is not a number"


def _to_numbers(texts: pl.Series, decimal_comma: bool) -> tuple[pl.Series, str]:
    """The numbers or booleans in the strings, null for others, and which of the two they are."""
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers, "numbers"
    if decimal_comma and not texts.str.contains(".", literal=True).any():
        with_points = texts.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        if with_points.null_count() == texts.null_count():
            return with_points, "numbers"
    if numbers.null_count() == len(texts):
        truth = texts.str.to_lowercase().replace_strict(_TRUTH_VALUES, default=None, return_dtype=pl.Float64)
        if truth.null_count() == texts.null_count():
            return truth, "booleans"
    return numbers, "numbers"


def _has_leading_zeros(texts: pl.Series, numbers: pl.Series) -> bool:
    """Whether all numbers are integers and some have leading zeros."""
    if not (numbers == numbers.floor()).all():
        return False
    return bool(texts.str.contains(r"^\s*[+-]?0\d+\s*$").any())


def _any_is_number(markers: Collection[str]) -> bool:
    return any(re.fullmatch(r"[+-]?[\d.]+([eE][+-]?\d+)?", marker) for marker in markers)
