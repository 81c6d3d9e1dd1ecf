"""Model files that commands read: models of tables, and plain networks, which take the numbers as they are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._common.typing import Array
from .._version import __version__
from ..models import Sequential, files
from ..tables import TableModel


@dataclass(frozen=True)
class TrainedModel:
    """What is in a model file.

    Attributes
    ----------
    networks : tuple of Sequential
    table : TableModel or None
        None: a plain network, as `train` writes for the digits and earlier releases wrote for tables of numbers.
    """

    networks: tuple[Sequential, ...]
    table: TableModel | None = None

    @property
    def network(self) -> Sequential:
        """The first network."""
        return self.networks[0]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `train` has noted about the training."""
        return {} if self.table is None else self.table.metadata

    @property
    def target(self) -> str | None:
        """Name of the column that is predicted, if it is known."""
        return self.metadata.get("target")

    @property
    def missing(self) -> tuple[str, ...] | None:
        """The texts that stood for a missing value in the training, if they are known."""
        missing = self.metadata.get("missing")
        return None if missing is None else tuple(missing)

    @property
    def classes(self) -> Array | None:
        """Labels of the classes; None for a regression."""
        if self.table is not None:
            return self.table.classes
        head = self.network.head
        return head.classes if head.classes is not None or head.link != "sigmoid" else np.array([0, 1])

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities of the classes."""
        return self.classes is not None and self.network.head.link in ("softmax", "sigmoid")

    @property
    def categories(self) -> list[str]:
        """The columns whose values are text, whatever they look like."""
        return [] if self.table is None else [c.name for c in self.table.encoder.columns if c.kind == "category"]

    @property
    def of_inputs(self) -> Any:
        """A model that predicts rows as the networks take them: encoded already."""
        if self.table is None:
            return self.network
        twin = copy.copy(self.table)
        twin.encoder = _Encoded()  # type: ignore[assignment]
        return twin


class _Encoded:
    """In place of an encoder, for rows that have been encoded."""

    def transform(self, table: Array) -> Array:
        return table


def load(path: Path) -> TrainedModel:
    """Read a model file of any kind.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, is damaged, or is of another kind.
    """
    with files.open_arrays(path) as file:
        is_table = str(file.config.get("format", "")).startswith("fastgd table model")
    if not is_table:
        return TrainedModel((Sequential.load(path),))
    table = TableModel.load(path)
    return TrainedModel(table.members, table)


def versions() -> dict[str, str]:
    """The packages that a model is made with."""
    import polars

    return {"fastgd": __version__, "numpy": np.__version__, "polars": polars.__version__}
