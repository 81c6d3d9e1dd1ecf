"""The embedding of columns that hold codes of categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .. import initializers
from .._common.checks import check_int, shown
from .._common.explain import explains_arguments
from .._common.typing import Array, Ints
from ..initializers import Initializer, Normal
from .inputs import InputLayer, check_columns

# float32 holds all integers up to here.
_MAX_CARDINALITY = 2**24
_DEFAULT_INIT = Normal(std=1.0)


@explains_arguments
class Embedding(InputLayer):
    """Columns of category codes become vectors that are trained, one vector for each category.

    The codes of a column with m categories are the whole numbers 0 to m - 1, stored as numbers of X; any other value is
    an error. The outputs are first the other columns, in their order, and then the vectors of the embedded columns,
    column by column. It must be the first layer, because the codes are columns of X.

    Parameters
    ----------
    n_in : int >= 1
        Number of columns of X.
    cardinalities : mapping of int to int
        Number of categories, 1 to 2**24, of each column that holds codes. Columns are numbered from 0.
    dim : int >= 1, or mapping of int to int, default=8
        Length of the vectors: one number, or one for each column of codes.
    init : str, Initializer or None, default=None
        Initial values of the vectors; None: N(0, 1), as PyTorch's `nn.Embedding`.

    Attributes
    ----------
    cardinalities, dims : dict of int to int
        Number of categories and length of the vectors of each column of codes.

    Notes
    -----
    `Trainer(standardize="X")` leaves the codes alone. The parameters of column 3 are "0.column3" (m, dim), with row c
    for code c. A vector whose category does not occur in a step has the gradient 0; weight decay and momentum still
    move it.

    For values that did not occur in training, reserve a code, as scikit-learn's
    `OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=m)` does.

    References
    ----------
    Guo & Berkhahn, "Entity embeddings of categorical variables", arXiv:1604.06737, 2016.

    Examples
    --------
    A number, one of 3 colours and one of 40 cities:

    >>> import fastgd as gd
    >>> layer = gd.Embedding(3, {1: 3, 2: 40}, dim={1: 2, 2: 6})
    >>> layer.n_out, layer.shapes()
    (9, {'column1': (3, 2), 'column2': (40, 6)})
    >>> model = gd.Sequential(layer, gd.Dense(9, 16, "relu"), gd.Dense(16, 1), seed=0)
    >>> model.predict([[0.5, 2, 39]]).shape
    (1, 1)
    >>> model.predict([[0.5, 3, 39]])
    Traceback (most recent call last):
    ...
    ValueError: X must hold codes 0 to 2 in column 1, which has 3 categories, but has 3 in row 0 (counted from 0)
    """

    name = "embedding"

    def __init__(
        self,
        n_in: int,
        cardinalities: Mapping[int, int],
        dim: int | Mapping[int, int] = 8,
        init: str | Initializer | None = None,
    ) -> None:
        self.n_in = check_int("n_in", n_in)
        if not isinstance(cardinalities, Mapping):
            raise TypeError(
                "cardinalities must be a mapping of columns to their numbers of categories, such as {3: 12}, not "
                f"{shown(cardinalities)}"
            )
        self.columns = check_columns("cardinalities", cardinalities, self.n_in)
        self.cardinalities = {
            column: check_int(f"cardinalities[{column}]", cardinalities[column], 1, _MAX_CARDINALITY)
            for column in self.columns
        }
        self.dims = self._checked_dims(dim)
        self.sizes = tuple(size for column in self.columns for size in (self.cardinalities[column], self.dims[column]))
        self.init = _DEFAULT_INIT if init is None else initializers.get(init)
        self.n_out = self.n_in - len(self.columns) + sum(self.dims.values())

    def _checked_dims(self, dim: int | Mapping[int, int]) -> dict[int, int]:
        if not isinstance(dim, Mapping):
            return dict.fromkeys(self.columns, check_int("dim", dim))
        if set(dim) != set(self.columns):
            raise ValueError(f"dim must have the columns of cardinalities, {list(self.columns)}, not {sorted(dim)}")
        return {column: check_int(f"dim[{column}]", dim[column]) for column in self.columns}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {f"column{column}": (self.cardinalities[column], self.dims[column]) for column in self.columns}

    def initial_values(self, seed: int, index: int) -> dict[str, Array]:
        return {
            f"column{column}": self.init.weights(
                self.cardinalities[column], self.dims[column], seed, index | column << 32
            )
            for column in self.columns
        }

    def forward(self, parameters: Mapping[str, Array], x: Array) -> Array:
        vectors = [parameters[f"column{column}"][x[:, column].astype(np.int64)] for column in self.columns]
        return np.concatenate([x[:, self._others()], *vectors], axis=1)

    def backward(
        self, parameters: Mapping[str, Array], x: Array, da: Array, power: int = 1
    ) -> tuple[Array, dict[str, Array]]:
        others = self._others()
        dx, gradients, start = np.zeros_like(x), {}, len(others)
        dx[:, others] = da[:, :start]
        for column in self.columns:
            name, stop = f"column{column}", start + self.dims[column]
            gradients[name] = np.zeros_like(parameters[name])
            np.add.at(gradients[name], x[:, column].astype(np.int64), da[:, start:stop] ** power)
            start = stop
        return dx, gradients

    def _others(self) -> Ints:
        """The columns that hold no codes."""
        return np.delete(np.arange(self.n_in), self.columns)

    def to_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n_in": self.n_in,
            "columns": list(self.columns),
            "cardinalities": list(self.cardinalities.values()),
            "dims": list(self.dims.values()),
            "init": {"name": self.init.name, **asdict(self.init)},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Embedding:
        columns, init = config["columns"], dict(config["init"])
        return cls(
            config["n_in"],
            dict(zip(columns, config["cardinalities"], strict=True)),
            dict(zip(columns, config["dims"], strict=True)),
            initializers.INITIALIZERS[init.pop("name")](**init),
        )

    def __repr__(self) -> str:
        equal = len(set(self.dims.values())) == 1
        dim = self.dims[self.columns[0]] if equal else self.dims
        init = "" if self.init == _DEFAULT_INIT else f", init={self.init}"
        return f"Embedding({self.n_in}, {self.cardinalities}, dim={dim}{init})"
