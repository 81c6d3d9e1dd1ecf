"""What every activation is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from .._common.registry import Definition
from .._common.typing import Array

_NO_NUMBERS: Mapping[str, Any] = MappingProxyType({})


class Activation(Definition):
    """A function a = f(z), applied to each number of a layer's products, or to each row of them.

    docs/activations.md has all of them in one table, with how exact the C core is.

    Attributes
    ----------
    through : {"a", "z"}
        What `backward` reads: the output a or the input z. Through "a" the engine need not keep z.
    init : str
        Name of the initialiser of a layer that has this activation, unless the layer says otherwise.
    init_numbers : mapping of str to float
        Numbers of that initialiser which follow from those of the activation.
    whole_rows : bool
        Whether f is a function of a row (along the last axis) and not of each number. Only for the last layer.
    link : {"identity", "softmax", "sigmoid"}
        The link of losses whose logits are z; see `Sequential.network_for`.
    """

    saved: ClassVar[Literal["a", "z"]] = "a"
    init: ClassVar[str] = "glorot_uniform"
    rowwise: ClassVar[bool] = False
    link: ClassVar[Literal["identity", "softmax", "sigmoid"]] = "identity"

    @property
    def init_numbers(self) -> Mapping[str, float]:
        return _NO_NUMBERS

    @abstractmethod
    def forward(self, z: Array) -> Array:
        """f(z); shape and dtype of z (any shape, float32 or float64)."""

    @abstractmethod
    def backward(self, x: Array, g: Array) -> Array:
        """g f'(z), where x is a or z as `saved` says and g = dL/da; shape and dtype of x.

        Of a function of rows: g times the matrix of derivatives of its row.
        """
