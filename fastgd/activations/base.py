"""The base class of activations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from .._common.registry import Definition
from .._common.typing import Array

_NO_PARAMS: Mapping[str, Any] = MappingProxyType({})


class Activation(Definition):
    """A function a = f(z), applied to each pre-activation of a layer, or to each row of them.

    docs/activations.md compares all of them in one table, with the accuracy of the C core.

    Attributes
    ----------
    saved : {"a", "z"}
        What `backward` reads: the output a or the input z. With "a" the engine need not keep z.
    init : str
        Name of the default initializer for a layer with this activation.
    init_params : mapping of str to float
        Parameters of that initializer which follow from those of the activation.
    rowwise : bool
        Whether f maps a whole row (along the last axis) rather than each element; only allowed in the last layer.
    link : {"identity", "softmax", "sigmoid"}
        The link of the losses whose logits are z; see `Sequential.network_for`.
    """

    saved: ClassVar[Literal["a", "z"]] = "a"
    init: ClassVar[str] = "glorot_uniform"
    rowwise: ClassVar[bool] = False
    link: ClassVar[Literal["identity", "softmax", "sigmoid"]] = "identity"

    @property
    def init_params(self) -> Mapping[str, float]:
        return _NO_PARAMS

    @abstractmethod
    def forward(self, z: Array) -> Array:
        """f(z), with the shape and dtype of z (any shape, float32 or float64)."""

    @abstractmethod
    def backward(self, x: Array, g: Array) -> Array:
        """g f'(z), where x is a or z as `saved` says and g = dL/da; shape and dtype of x.

        For a rowwise activation, g times the Jacobian of its row.
        """
