"""Activations: the definitions. NumPy float64 is the reference for the C core.

To add one: a class below and its name in `ACTIVATIONS`; its twin is one row of `csrc/activations.h`. Numbers that it
takes are fields of a frozen dataclass; they reach the C core as `parameters`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from . import _math
from ._definition import Array, Definition, find


class Activation(Definition):
    """A function a = f(z), applied to each number of a layer's products.

    Attributes
    ----------
    through : {"a", "z"}
        What `backward` reads: the output a or the input z. Through "a" the engine need not keep z.
    init : str
        Name of the initialiser of a layer that has this activation, unless the layer says otherwise.
    """

    through: ClassVar[Literal["a", "z"]] = "a"
    init: ClassVar[str] = "glorot_uniform"

    @abstractmethod
    def forward(self, z: Array) -> Array:
        """f(z); shape and dtype of z (any shape, float32 or float64)."""

    @abstractmethod
    def backward(self, x: Array, g: Array) -> Array:
        """g f'(z), where x is a or z as `through` says and g = dL/da; shape and dtype of x."""


class Identity(Activation):
    """f(z) = z: a linear layer."""

    name = "identity"

    def forward(self, z: Array) -> Array:
        return z

    def backward(self, x: Array, g: Array) -> Array:
        return g


class Sigmoid(Activation):
    """f(z) = 1 / (1 + e^-z), in (0, 1); f' = a (1 - a).

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
    """

    name = "sigmoid"

    def forward(self, z: Array) -> Array:
        return _math.sigmoid(z)

    def backward(self, x: Array, g: Array) -> Array:
        return g * x * (1 - x)


class HardSigmoid(Activation):
    """f(z) = clip(z/6 + 1/2, 0, 1): 0 up to -3, a straight line, 1 from 3 on; f' = 1/6 where 0 < a < 1, else 0.

    Source: Courbariaux, Bengio & David, "BinaryConnect", NeurIPS 2015 (slope 1/2); the slope 1/6 is that of Howard et
    al., "Searching for MobileNetV3", ICCV 2019, and of PyTorch.
    """

    name = "hard_sigmoid"

    def forward(self, z: Array) -> Array:
        return np.clip(z / 6 + 0.5, 0, 1)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where((x > 0) & (x < 1), g / 6, 0)


class Tanh(Activation):
    """f(z) = tanh(z), in (-1, 1); f' = 1 - a^2.

    Source: LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, section 4.4.
    """

    name = "tanh"

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def backward(self, x: Array, g: Array) -> Array:
        return g * (1 - x * x)


class ReLU(Activation):
    """f(z) = max(z, 0); f' = 1 where a > 0, else 0; f'(0) is taken as 0.

    Source: Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """

    name = "relu"
    init = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where(x > 0, g, 0)


ACTIVATIONS: dict[str, type[Activation]] = {c.name: c for c in (Identity, Sigmoid, HardSigmoid, Tanh, ReLU)}
# What users of scikit-learn and of Keras type.
_ALIASES = {"linear": "identity", "logistic": "sigmoid", "hardsigmoid": "hard_sigmoid"}


def get(activation: str | Activation) -> Activation:
    """The activation of this name, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor an `Activation`.
    """
    return find("activation", activation, Activation, ACTIVATIONS, _ALIASES)  # type: ignore[type-abstract]
