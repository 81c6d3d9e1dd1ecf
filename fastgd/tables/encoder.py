"""A table of numbers, text, dates and gaps as a matrix that a network can learn from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .._common.checks import check_choice, check_int, closest
from .._common.explain import explains_arguments
from .._common.typing import Array
from .encoded_column import Column
from .encodings import Category, Codes
from .frames import columns_of
from .kinds import KINDS, Finding
from .selection import Selection, select
from .values import Values, read_values

_FORMAT = "fastgd table encoder 2"
_FORMATS = ("fastgd table encoder 1", _FORMAT)  # the first had no long tails
_LISTED = 5  # names in a message


@explains_arguments
class TableEncoder:
    """Makes a float32 matrix of a table with numbers, categories, dates and gaps, always in the same way.

    Numbers are scaled robustly, and once more where they have a long tail; categories become a column for each value,
    dates the elapsed time and its place in the year, week and day.  Columns that cannot be learned from are
    left out.

    Parameters
    ----------
    kinds : mapping of str to str, default=None
        The kinds of columns, instead of a guess: "number", "category", "boolean", "date", or "text" or
        "identifier", which are left out.
    drop : collection of str, default=()
        Columns to leave out.
    max_one_hot : int >= 2, default=32
        Largest number of columns for a category; the rarer values share the last of them.
    embed : bool, default=False
        Whether a category with more values than that becomes one column of codes, for `fastgd.Embedding`.

    Attributes
    ----------
    columns : tuple of Column
        The columns that are used, in the order of the table of `fit`.
    findings : tuple of Finding
        Notable columns: identifiers, constants, duplicates, leaks of the target.
    has_names : bool
        Whether columns are matched by name; else by position.

    Notes
    -----
    A table is a frame of pandas, polars or Arrow, a mapping of names to columns, an array (rows, columns), or the path
    of a file that `read_frame` can read.  Dates may be text in the format of ISO 8601.

    `transform` treats each row alone, so a table larger than memory can be encoded in parts, after `fit` on a sample.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024: scaling and clipping, also of the columns of categories.

    Examples
    --------
    >>> from fastgd.tables import TableEncoder
    >>> table = {"size": [1.0, 2.0, None, 4.0], "colour": ["red", "blue", "red", "green"], "unit": ["cm"] * 4}
    >>> encoder = TableEncoder()
    >>> encoder.fit_transform(table).shape
    (4, 5)
    >>> encoder.feature_names
    ('size', 'size is missing', 'colour=blue', 'colour=green', 'colour=red')
    >>> [(finding.column, finding.message) for finding in encoder.findings]
    [('unit', 'has only one value')]
    """

    def __init__(
        self,
        *,
        kinds: Mapping[str, str] | None = None,
        drop: Collection[str] = (),
        max_one_hot: int = 32,
        embed: bool = False,
    ) -> None:
        self._kinds = {name: check_choice(f"kinds[{name!r}]", kind, KINDS) for name, kind in (kinds or {}).items()}
        if isinstance(drop, str):
            raise TypeError(f"drop must be a list of column names, such as [{drop!r}], not a str")
        self._drop = tuple(drop)
        self.max_one_hot, self.embed = check_int("max_one_hot", max_one_hot, minimum=2), bool(embed)
        self.columns: tuple[Column, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.has_names = False

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of the columns that are used, by name."""
        return {column.name: column.kind for column in self.columns}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns of the matrix."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def cardinalities(self) -> dict[int, int]:
        """The numbers of codes of those columns of the matrix that hold codes, by index."""
        return {index: column.cardinality for index, column in self._first_features() if column.cardinality}

    @property
    def numbers(self) -> tuple[int, ...]:
        """The indices of the features that are numbers, scaled robustly, and elapsed times."""
        return tuple(index for index, column in self._first_features() if column.kind in ("number", "date"))

    def fit(self, table: Any, y: Any = None) -> TableEncoder:
        """Decide what becomes of each column.

        Parameters
        ----------
        table : frame, mapping, array or path; see Notes
        y : array-like (rows,), default=None
            The target, only to find columns that tell it.

        Returns
        -------
        TableEncoder
            Itself.

        Raises
        ------
        TypeError, ValueError
            It is not a table, has no column of a name that was given, or none that can be learned from.
        """
        self._fit(table, y)
        return self

    def transform(self, table: Any) -> Array:
        """The table as a matrix.

        Parameters
        ----------
        table : frame, mapping, array or path
            Columns are matched by name, in any order; those unknown to `fit` are ignored.

        Returns
        -------
        ndarray (rows, features), float32
            Finite.

        Raises
        ------
        ValueError
            A column is missing, or has values of another kind.
        """
        self._check_fitted()
        columns, is_named = columns_of(table, self._as_text())
        self._check_columns(columns, is_named)
        return self._encode({column.name: read_values(columns[column.name], column.name) for column in self.columns})

    def fit_transform(self, table: Any, y: Any = None) -> Array:
        """`fit`, and the table as a matrix, which is read only once."""
        return self._encode(self._fit(table, y))

    def unknown_columns(self, table: Any) -> list[str]:
        """The names of the columns of a table that are neither used nor known from `fit` as left out."""
        known = {*self.kinds, *self._drop, *(finding.column for finding in self.findings)}
        return [name for name in columns_of(table, self._as_text())[0] if name not in known] if self.has_names else []

    def to_config(self) -> dict[str, Any]:
        """Settings and what was measured, as JSON."""
        return {
            "format": _FORMAT,
            "kinds": self._kinds,
            "drop": list(self._drop),
            "max_one_hot": self.max_one_hot,
            "embed": self.embed,
            "has_names": self.has_names,
            "n_columns": self._n_columns if self.columns else 0,
            "columns": [column.to_config() for column in self.columns],
            "findings": [asdict(finding) for finding in self.findings],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TableEncoder:
        """The encoder of `to_config`; it makes the same matrix, bit for bit."""
        if config.get("format") not in _FORMATS:
            raise ValueError(f"the format of an encoder is {_FORMAT!r}, not {config.get('format')!r}")
        settings = {name: config[name] for name in ("kinds", "drop", "max_one_hot")}
        encoder = cls(**settings, embed=config.get("embed", False))
        encoder.columns = tuple(Column.from_config(column) for column in config["columns"])
        encoder.findings = tuple(Finding(**finding) for finding in config["findings"])
        encoder.has_names, encoder._n_columns = bool(config["has_names"]), int(config["n_columns"])
        return encoder

    def _fit(self, table: Any, y: Any) -> dict[str, Values]:
        """Set the attributes of a fitted encoder; returns the values of the columns that are used."""
        given, is_named = columns_of(table, self._as_text())
        for name in (*self._drop, *self._kinds):
            if name not in given:
                raise ValueError(f"the table has no column {name!r}{_hint(name, given)}; it has {_listed(list(given))}")
        values = {name: read_values(column, name) for name, column in given.items() if name not in self._drop}
        target = None if y is None else _read_target(y, len(next(iter(values.values())).data))
        selection: Selection = select(values, self._kinds, target, is_named)
        if not selection.kinds:
            reasons = "; ".join(f"{finding.column!r} {finding.message}" for finding in selection.findings[:_LISTED])
            raise ValueError(f"the table has no column to learn from{': ' if reasons else ''}{reasons}")
        used = {name: values[name] for name in selection.kinds}
        sizes = self.max_one_hot, self.embed
        columns = [Column.fit(used[name], name, kind, *sizes) for name, kind in selection.kinds.items()]
        self.columns, self.findings = tuple(columns), tuple(selection.findings)
        self.has_names, self._n_columns = is_named, len(given)
        return used

    def _encode(self, values: Mapping[str, Values]) -> Array:
        n_rows = len(next(iter(values.values())).data)
        matrix, start = np.empty((n_rows, len(self.feature_names)), np.float32), 0
        for column in self.columns:
            end = start + len(column.features)
            matrix[:, start:end] = column.encode(values[column.name])
            start = end
        return matrix

    def _first_features(self) -> Iterator[tuple[int, Column]]:
        """The columns, and the index of the first feature of each."""
        index = 0
        for column in self.columns:
            yield index, column
            index += len(column.features)

    def _as_text(self) -> list[str]:
        """Columns of which a file is to be read as text, whatever they hold."""
        kept = [column.name for column in self.columns if isinstance(column.encoding, (Category, Codes))]
        return [*self._drop, *(name for name, kind in self._kinds.items() if kind in ("category", "text")), *kept]

    def _check_fitted(self) -> None:
        if not self.columns:
            raise RuntimeError("the encoder must see a table first: encoder.fit(table)")

    def _check_columns(self, columns: Mapping[str, Any], is_named: bool) -> None:
        """Raise ValueError unless the columns that are used are there."""
        if not (is_named and self.has_names):
            if self.has_names and not is_named:
                raise ValueError(f"the table must have column names, as in fit: {_listed(list(self.kinds))}")
            if len(columns) != self._n_columns:
                raise ValueError(f"the table must have {self._n_columns} columns, as in fit, not {len(columns)}")
        missing = [name for name in self.kinds if name not in columns]
        if missing:
            others = [name for name in columns if name not in self.kinds]
            raise ValueError(f"the table lacks {_listed(missing)}, which fit has seen{_hint(missing[0], others)}")


def _read_target(y: Any, n_rows: int) -> Values | None:
    """The target, if it is one column."""
    if len(getattr(y, "shape", (n_rows,))) != 1:
        return None
    target = read_values(y, "y")
    if len(target.data) != n_rows:
        raise ValueError(f"y must have as many rows as the table, {n_rows}, not {len(target.data)}")
    return target


def _hint(name: str, names: Collection[str]) -> str:
    close = closest(name, names)
    return f" (did you mean {close!r}?)" if close else ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more
