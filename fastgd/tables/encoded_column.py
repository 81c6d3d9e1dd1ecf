"""A column of a table, and the features that are made of it: encoded, scaled, with a feature for gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .._common.typing import Floats
from .conversions import as_labels
from .encodings import ENCODINGS, Codes, Encoding
from .robust_scaling import RobustScaling, TailScaling
from .values import Values


@dataclass(frozen=True)
class Column:
    """A column of the table that is used, and what becomes of it.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "boolean", "date"}
    encoding : Encoding
    has_gaps : bool
        Whether one more feature tells that the value is missing.
    scaling : RobustScaling
        Of the features; of no columns, if the feature is a code.
    tail : TailScaling or None
        Of one more feature of a number with a long tail.
    """

    name: str
    kind: str
    encoding: Encoding
    has_gaps: bool
    scaling: RobustScaling
    tail: TailScaling | None = None

    @classmethod
    def fit(cls, values: Values, name: str, kind: str, max_one_hot: int, embed: bool = False) -> Column:
        """Measure the values of a column of this kind."""
        if embed and kind == "category" and as_labels(values).n_distinct > max_one_hot:
            return cls(name, kind, Codes.fit(values, name, max_one_hot), False, RobustScaling((), ()))
        encoding, has_gaps = ENCODINGS[kind].fit(values, name, max_one_hot), bool(values.missing.any())
        columns = encoding.encode(values, name)
        scaling = RobustScaling.fit(_with_gaps(columns, values, has_gaps))
        tail = TailScaling.fit(columns[:, 0], scaling) if kind == "number" else None
        return cls(name, kind, encoding, has_gaps, scaling, tail)

    @property
    def features(self) -> list[str]:
        """Names of the features that are made of the column."""
        features = self.encoding.features(self.name) + [f"{self.name} is missing"] * self.has_gaps
        return features if self.tail is None else [*features, f"{self.name}: long tail"]

    @property
    def cardinality(self) -> int:
        """Number of codes; 0 if the features are numbers."""
        return self.encoding.cardinality if isinstance(self.encoding, Codes) else 0

    def encode(self, values: Values) -> Floats:
        """The features, (rows, features)."""
        columns = self.encoding.encode(values, self.name)
        if self.cardinality:
            return columns
        scaled = self.scaling.apply(_with_gaps(columns, values, self.has_gaps))
        return scaled if self.tail is None else np.column_stack([scaled, self.tail.apply(columns[:, 0])])

    def to_config(self) -> dict[str, Any]:
        """The column as JSON."""
        scaling = {"center": list(self.scaling.center), "factor": list(self.scaling.factor)}
        encoding = {"encoding": self.encoding.to_config(), "has_gaps": self.has_gaps}
        others: dict[str, Any] = {} if self.tail is None else {"tail": asdict(self.tail)}
        others |= {"is_code": True} if self.cardinality else {}
        return {"name": self.name, "kind": self.kind, **encoding, **scaling, **others}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Column:
        """The column of `to_config`."""
        encoding = (Codes if config.get("is_code") else ENCODINGS[config["kind"]]).from_config(config["encoding"])
        scaling = RobustScaling(tuple(config["center"]), tuple(config["factor"]))
        tail = TailScaling(**config["tail"]) if "tail" in config else None
        column = cls(str(config["name"]), config["kind"], encoding, bool(config["has_gaps"]), scaling, tail)
        n_scaled = 0 if column.cardinality else len(column.features) - (tail is not None)
        if not n_scaled == len(scaling.center) == len(scaling.factor):
            raise ValueError(f"the scaling of column {column.name!r} does not fit its {n_scaled} features")
        return column


def _with_gaps(columns: Floats, values: Values, has_gaps: bool) -> Floats:
    return np.column_stack([columns, values.missing]) if has_gaps else columns
