"""Layers before the first dense layer: each maps rows to rows of another width by parameters of its own.

Their parameters come first in theta. The NumPy code here is their definition, and the reference for
`csrc/tables/input_layers.h`; to add one, write its class, list it in `layers.stack.INPUT_LAYERS`, and add its entry
there.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .._common.checks import check_int, shown
from .._common.explain import explains_arguments
from .._common.typing import Array


class InputLayer(ABC):
    """A layer on the rows (B, n_in) of X, or on those of the input layer before it, whose outputs are (B, n_out).

    Attributes
    ----------
    name : str
        The name in model files and in the C core.
    n_in, n_out : int
        Number of input and output columns.
    columns : tuple of int
        Input columns that are embedded, ascending.
    sizes : tuple of int
        What else the C core must know, in the order that its entry says.
    """

    name: ClassVar[str]
    n_in: int
    n_out: int
    columns: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in their order in theta."""

    @abstractmethod
    def initial_values(self, seed: int, index: int) -> dict[str, Array]:
        """The initial parameters by name, if this is layer number `index` of a model with this seed."""

    @abstractmethod
    def forward(self, parameters: Mapping[str, Array], x: Array) -> Array:
        """The outputs (B, n_out) for the inputs x (B, n_in)."""

    @abstractmethod
    def backward(
        self, parameters: Mapping[str, Array], x: Array, da: Array, power: int = 1
    ) -> tuple[Array, dict[str, Array]]:
        """dL/dx (B, n_in), and sums over the rows of each row's derivatives with respect to the parameters, to a power.

        From da = dL/d outputs (B, n_out). Training needs the power 1, the diagonal of the Fisher information 2.
        """

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """A JSON-compatible description of the layer, with its `name`."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputLayer:
        """The layer that `to_config` described."""

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(map(math.prod, self.shapes().values()))


@explains_arguments
class Scale(InputLayer):
    """Each column times a factor of its own that is trained: x_j s_j.

    Before the first Dense it weighs the features: a large factor gives the weights of a column a larger share of the
    steps of the optimizer, which soon tells useful columns from useless ones. Factors start at 1.

    Parameters
    ----------
    n : int >= 1
        Number of columns.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024 (RealMLP; there with 6 times the learning rate of the weights).

    Examples
    --------
    >>> import fastgd as gd
    >>> model = gd.Sequential(gd.Scale(3), gd.Dense(3, 1), seed=0)
    >>> model.parameters()["0.scale"]
    array([1., 1., 1.], dtype=float32)
    >>> optimizer = gd.Adam(lr=0.01, groups={"*.scale": {"lr": 6.0}})
    """

    name = "scale"

    def __init__(self, n: int) -> None:
        self.n_in = self.n_out = check_int("n", n)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"scale": (self.n_in,)}

    def initial_values(self, seed: int, index: int) -> dict[str, Array]:
        return {"scale": np.ones(self.n_in)}

    def forward(self, parameters: Mapping[str, Array], x: Array) -> Array:
        out: Array = x * parameters["scale"]
        return out

    def backward(
        self, parameters: Mapping[str, Array], x: Array, da: Array, power: int = 1
    ) -> tuple[Array, dict[str, Array]]:
        return da * parameters["scale"], {"scale": ((x * da) ** power).sum(axis=0)}

    def to_config(self) -> dict[str, Any]:
        return {"name": self.name, "n": self.n_in}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Scale:
        return cls(config["n"])

    def __repr__(self) -> str:
        return f"Scale({self.n_in})"


def check_columns(name: str, columns: Iterable[Any], n_in: int) -> tuple[int, ...]:
    """Indices of input columns, each at most once, in ascending order.

    Raises
    ------
    TypeError, ValueError
        An element is not an integer in [0, n_in), or occurs twice.
    """
    if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
        raise TypeError(f"{name} must be indices of columns, such as [0, 2], not {shown(columns)}")
    given = list(columns)
    checked = sorted(check_int(f"an element of {name}", column, 0) for column in given)
    if not checked:
        raise ValueError(f"{name} is empty: leave the layer out if no column is to be embedded")
    if checked[-1] >= n_in:
        raise ValueError(f"{name} has the column {checked[-1]}, but there are {n_in}, numbered from 0")
    twice = [a for a, b in zip(checked[:-1], checked[1:], strict=True) if a == b]
    if twice:
        raise ValueError(f"{name} has the column {twice[0]} twice")
    return tuple(checked)
