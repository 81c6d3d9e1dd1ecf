"""Initialisers: the weights that a layer starts with. Biases start at 0.

A layer of n_in inputs and n_out units gets weights whose variance keeps the size of the signal from layer to layer.
To add one: a class below and its name in `INITIALIZERS`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._common import random
from ._common.checks import check_scalar
from ._common.registry import Definition, resolve
from .activations.base import Activation


class Initializer(Definition):
    """How a layer's first weights are chosen."""

    @abstractmethod
    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        """The weights of layer number `index`, (n_in, n_out) float64: a function of the arguments alone."""


class _Spread(Initializer):
    """Random weights of mean 0 and of a variance that depends on the widths."""

    @abstractmethod
    def variance(self, n_in: int, n_out: int) -> float: ...


class _Normal(_Spread):
    """Weights from N(0, variance)."""

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        x = random.normal(seed, random.INIT, index, n_in * n_out)
        return (x * math.sqrt(self.variance(n_in, n_out))).reshape(n_in, n_out)


class _Uniform(_Spread):
    """Weights from [-r, r) with r = sqrt(3 variance)."""

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        x = 2 * random.uniform(seed, random.INIT, index, n_in * n_out) - 1
        return (x * math.sqrt(3 * self.variance(n_in, n_out))).reshape(n_in, n_out)


@dataclass(eq=False, repr=False)
class _He(_Spread):
    """Variance 2 / ((1 + s^2) n_in), s the slope of the activation below 0.

    Source: He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015, equation 15.

    Parameters
    ----------
    negative_slope : float in [0, inf), default=0
    """

    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        check_scalar("negative_slope", self.negative_slope, "[0, inf)")

    def variance(self, n_in: int, n_out: int) -> float:
        return 2 / ((1 + self.negative_slope**2) * n_in)


class _Glorot(_Spread):
    """Variance 2 / (n_in + n_out).

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    equation 12.
    """

    def variance(self, n_in: int, n_out: int) -> float:
        return 2 / (n_in + n_out)


class _LeCun(_Spread):
    """Variance 1 / n_in.

    Source: LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, equation 16.
    """

    def variance(self, n_in: int, n_out: int) -> float:
        return 1 / n_in


class HeNormal(_He, _Normal):
    """N(0, 2 / n_in); for ReLU and its relatives.

    Parameters
    ----------
    negative_slope : float in [0, inf), default=0
        The slope s of the activation below 0: the variance is 2 / ((1 + s^2) n_in).
    """

    name = "he_normal"


class HeUniform(_He, _Uniform):
    """Uniform in [-r, r), r = sqrt(6 / n_in); for ReLU and its relatives.

    Parameters
    ----------
    negative_slope : float in [0, inf), default=0
        The slope s of the activation below 0: r = sqrt(6 / ((1 + s^2) n_in)).
    """

    name = "he_uniform"


class GlorotNormal(_Glorot, _Normal):
    """N(0, 2 / (n_in + n_out)); for tanh, sigmoid and linear layers."""

    name = "glorot_normal"


class GlorotUniform(_Glorot, _Uniform):
    """Uniform in [-r, r), r = sqrt(6 / (n_in + n_out)); for tanh, sigmoid and linear layers."""

    name = "glorot_uniform"


class LeCunNormal(_LeCun, _Normal):
    """N(0, 1 / n_in); for SELU."""

    name = "lecun_normal"


class LeCunUniform(_LeCun, _Uniform):
    """Uniform in [-r, r), r = sqrt(3 / n_in)."""

    name = "lecun_uniform"


class Zeros(Initializer):
    """All weights 0. Right for a linear model only: units of a hidden layer that start alike stay alike."""

    name = "zeros"

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return np.zeros((n_in, n_out))


@dataclass(eq=False, repr=False)
class Constant(Initializer):
    """All weights `value`.

    Parameters
    ----------
    value : float
    """

    name = "constant"
    value: float

    def __post_init__(self) -> None:
        check_scalar("value", self.value, "(-inf, inf)")

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return np.full((n_in, n_out), float(self.value))


INITIALIZERS: dict[str, type[Initializer]] = {
    c.name: c for c in (HeNormal, HeUniform, GlorotNormal, GlorotUniform, LeCunNormal, LeCunUniform, Zeros, Constant)
}


def get(initializer: str | Initializer) -> Initializer:
    """The initialiser of this name, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor an `Initializer`.
    """
    return resolve("initializer", initializer, Initializer, INITIALIZERS)  # type: ignore[type-abstract]


def default_for(activation: Activation) -> Initializer:
    """The initialiser of a layer with this activation: the one that the activation names."""
    return INITIALIZERS[activation.init](**activation.init_numbers)
