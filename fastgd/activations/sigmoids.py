"""The identity, activations that saturate on both sides, and softmax."""

from __future__ import annotations

import numpy as np

from .._common import exact_math
from .._common.typing import Array
from .base import Activation


class Identity(Activation):
    """f(z) = z, for linear layers."""

    name = "identity"

    def forward(self, z: Array) -> Array:
        return z

    def backward(self, x: Array, g: Array) -> Array:
        return g


class Sigmoid(Activation):
    """f(z) = 1 / (1 + e^-z), in (0, 1); f' = a (1 - a).

    References
    ----------
    Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
    """

    name = "sigmoid"
    link = "sigmoid"

    def forward(self, z: Array) -> Array:
        return exact_math.sigmoid(z)

    def backward(self, x: Array, g: Array) -> Array:
        return np.asarray(g * x * (1 - x))


class HardSigmoid(Activation):
    """f(z) = clip(z/6 + 1/2, 0, 1): 0 up to -3, linear, 1 from 3 on; f' = 1/6 where 0 < a < 1, else 0.

    References
    ----------
    Courbariaux, Bengio & David, "BinaryConnect", NeurIPS 2015, with slope 1/2.
    Howard et al., "Searching for MobileNetV3", ICCV 2019, with slope 1/6, as in PyTorch.
    """

    name = "hard_sigmoid"

    def forward(self, z: Array) -> Array:
        return np.asarray(np.clip(z + 3, 0, 6) / 6)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where((x > 0) & (x < 1), g / 6, 0)


class Tanh(Activation):
    """f(z) = tanh(z), in (-1, 1); f' = 1 - a^2.

    References
    ----------
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, section 4.4.
    """

    name = "tanh"

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def backward(self, x: Array, g: Array) -> Array:
        return np.asarray(g * (1 - x * x))


class HardTanh(Activation):
    """f(z) = clip(z, -1, 1); f' = 1 where -1 < a < 1, else 0.

    References
    ----------
    Collobert, "Large scale machine learning", thesis, Paris 6, 2004.
    """

    name = "hard_tanh"

    def forward(self, z: Array) -> Array:
        return np.clip(z, -1, 1)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where(np.abs(x) < 1, g, 0)


class Softmax(Activation):
    """f(z)_j = e^(z_j) / sum_k e^(z_k): probabilities; dL/dz = a (g - sum_k g_k a_k), along the last axis.

    Only for the last layer. Losses with the link "softmax" read its z, so training with cross-entropy gives the same
    bits with or without it.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """

    name = "softmax"
    rowwise = True
    link = "softmax"

    def forward(self, z: Array) -> Array:
        return exact_math.softmax(z)

    def backward(self, x: Array, g: Array) -> Array:
        return np.asarray(x * (g - (g * x).sum(axis=-1, keepdims=True)))
