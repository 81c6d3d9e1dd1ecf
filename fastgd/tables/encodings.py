"""How the values of a column become columns of a matrix, by the kind of column.

To add a kind: a frozen dataclass with `fit`, `encode` and `features`, and its entry in `ENCODINGS`.  Its fields are
what a file stores, so they are text, booleans or tuples of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .._common.exact_math import cos_pi
from .._common.typing import Floats
from .conversions import as_labels, as_numbers, as_times, as_truth
from .values import Values

_DAY = 86400.0
_PERIODS = ("year", "week", "day")
_FREQUENT = 3  # rows from which on a category has a vector of its own


@dataclass(frozen=True)
class Encoding:
    """Base class: the columns that are made of one column."""

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        """The encoding of a column with these values."""
        raise NotImplementedError

    def encode(self, values: Values, name: str) -> Floats:
        """The columns that are made of the values, (rows, features), NaN where a number is missing."""
        raise NotImplementedError

    def features(self, name: str) -> list[str]:
        """The names of the columns that are made of column `name`."""
        return [name]

    def to_config(self) -> dict[str, Any]:
        """The fields as JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Encoding:
        """The encoding of `to_config`."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in config.items()})


@dataclass(frozen=True)
class Number(Encoding):
    """Numbers as they are."""

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        as_numbers(values, name)
        return cls()

    def encode(self, values: Values, name: str) -> Floats:
        return as_numbers(values, name)[:, None]


@dataclass(frozen=True)
class Boolean(Encoding):
    """1 for true, -1 for false, 0 where a value is missing."""

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        as_truth(values, name)
        return cls()

    def encode(self, values: Values, name: str) -> Floats:
        return np.nan_to_num(2 * as_truth(values, name) - 1)[:, None]


@dataclass(frozen=True)
class Category(Encoding):
    """A column for each category: 1 where the value is this category, else 0.

    Two categories are one column of 1 and -1, and 0 where the value is missing or unknown.

    Attributes
    ----------
    categories : tuple of str
        Sorted; of many, the most frequent.
    has_others : bool
        Whether one more column stands for all other values, among them those that come up later.
    """

    categories: tuple[str, ...]
    has_others: bool = False

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        values = as_labels(values)
        if len(values.labels) <= max_one_hot:
            return cls(values.labels)
        counts = np.bincount(values.present, minlength=len(values.labels))
        kept = np.sort(np.argsort(-counts, kind="stable")[: max_one_hot - 1])
        return cls(tuple(values.labels[code] for code in kept), has_others=True)

    def encode(self, values: Values, name: str) -> Floats:
        values, unknown = as_labels(values), len(self.categories)
        index_of = {category: index for index, category in enumerate(self.categories)}
        indices = np.array([*(index_of.get(label, unknown) for label in values.labels), unknown + 1])[values.data]
        columns = np.zeros((len(indices), unknown + 2))  # those of unknown and of missing values come last
        columns[np.arange(len(indices)), indices] = 1
        if len(self.categories) == 2 and not self.has_others:
            return columns[:, 1:2] - columns[:, :1]
        return columns[:, : unknown + self.has_others]

    def features(self, name: str) -> list[str]:
        if len(self.categories) == 2 and not self.has_others:
            return [f"{name}={self.categories[1]}"]
        return [f"{name}={category}" for category in self.categories] + [f"{name}: other"] * self.has_others


@dataclass(frozen=True)
class Codes(Encoding):
    """One column of codes 0, 1, ..., of which `fastgd.Embedding` makes vectors: what many categories become.

    The last code but one stands for the rare categories and those that come up later, the last for missing values.
    Without gaps in training there is no such code: missing values are then among the others.

    Attributes
    ----------
    categories : tuple of str
        Those of the first codes, sorted.
    has_gaps : bool
    """

    categories: tuple[str, ...]
    has_gaps: bool

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        values = as_labels(values)
        counts = np.bincount(values.present, minlength=len(values.labels))
        is_kept = counts >= _FREQUENT
        is_kept[counts.argmin()] = False  # so that some rows train the code of the others
        kept = tuple(label for label, keep in zip(values.labels, is_kept, strict=True) if keep)
        return cls(kept, bool(values.missing.any()))

    @property
    def cardinality(self) -> int:
        """Number of codes."""
        return len(self.categories) + 1 + self.has_gaps

    def encode(self, values: Values, name: str) -> Floats:
        values, others = as_labels(values), len(self.categories)
        code_of = {category: code for code, category in enumerate(self.categories)}
        codes = [*(code_of.get(label, others) for label in values.labels), others + self.has_gaps]
        return np.array(codes, np.float64)[values.data][:, None]


@dataclass(frozen=True)
class Date(Encoding):
    """Elapsed time, and where it is within the year, the week and the day, each as a sine and a cosine.

    Attributes
    ----------
    periods : tuple of {"year", "week", "day"}
        Those within which the dates differ.
    """

    periods: tuple[str, ...]

    @classmethod
    def fit(cls, values: Values, name: str, max_one_hot: int) -> Encoding:
        times = as_times(values, name)
        times = times[~np.isnan(times)]
        return cls(tuple(period for period in _PERIODS if len(times) and np.ptp(_phase(times, period)) > 0))

    def encode(self, values: Values, name: str) -> Floats:
        times = as_times(values, name)
        columns = [times / _DAY]
        for period in self.periods:
            phase = _phase(times, period)
            columns += [_cosine(phase - 0.25), _cosine(phase)]
        return np.column_stack(columns)

    def features(self, name: str) -> list[str]:
        return [name] + [f"{name}: {part} of the {period}" for period in self.periods for part in ("sine", "cosine")]


def _cosine(turns: Floats) -> Floats:
    """cos(2 pi turns), with the same bits on every machine."""
    return cos_pi(1 - np.abs(1 - np.mod(2 * turns, 2)))


def _phase(times: Floats, period: str) -> Floats:
    """The elapsed share of the year, week (from Monday) or day, in [0, 1); NaN where a time is missing."""
    days = np.floor(times / _DAY)
    if period == "day":
        return times / _DAY - days
    if period == "week":
        return np.asarray(np.mod(days + 3, 7) / 7)  # 1970-01-01 was a Thursday
    dates = np.where(np.isnan(days), np.datetime64("NaT"), np.nan_to_num(days).astype("datetime64[D]"))
    elapsed = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    return np.asarray(np.where(np.isnan(days), np.nan, elapsed / 366), np.float64)


ENCODINGS: dict[str, type[Encoding]] = {"number": Number, "category": Category, "boolean": Boolean, "date": Date}
