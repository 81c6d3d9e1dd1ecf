"""Initialisers: the initial weights of a layer. Biases start at 0.

The variance of the weights of a layer with n_in inputs and n_out units is chosen so that the magnitude of the signal
stays about the same from layer to layer. To add one, write its class here and list it in `INITIALIZERS`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._common import random
from ._common.checks import NON_NEGATIVE
from ._common.registry import Definition, registry, resolve
from .activations.base import Activation

__all__ = [
    "INITIALIZERS",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Zeros",
    "default_for",
    "get",
]


class Initializer(Definition):
    """How the initial weights of a layer are chosen."""

    @abstractmethod
    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        """The weights of layer number `index`, (n_in, n_out) float64; they depend on the arguments alone."""


class _Spread(Initializer):
    """Random weights with mean 0 and a variance that depends on the widths."""

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

    Parameters
    ----------
    negative_slope : float in [0, inf), default=0
        The slope s.

    References
    ----------
    He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015, equation 15.
    """

    negative_slope: float = 0.0

    intervals = {"negative_slope": NON_NEGATIVE}

    def variance(self, n_in: int, n_out: int) -> float:
        return 2 / ((1 + self.negative_slope**2) * n_in)


class _Glorot(_Spread):
    """Variance 2 / (n_in + n_out).

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    equation 12.
    """

    def variance(self, n_in: int, n_out: int) -> float:
        return 2 / (n_in + n_out)


class _LeCun(_Spread):
    """Variance 1 / n_in.

    References
    ----------
    LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, equation 16.
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

    Examples
    --------
    >>> from fastgd.initializers import HeUniform
    >>> W = HeUniform().weights(6, 100, seed=0, index=0)
    >>> W.shape, bool(-1 <= W.min() and W.max() < 1)
    ((6, 100), True)
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
    """All weights 0. For linear models only: hidden units that start equal stay equal."""

    name = "zeros"

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return np.zeros((n_in, n_out))


@dataclass(eq=False, repr=False)
class Constant(Initializer):
    """All weights equal to `value`.

    Parameters
    ----------
    value : float
        Any finite number.
    """

    name = "constant"
    value: float

    intervals = {"value": "(-inf, inf)"}

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return np.full((n_in, n_out), float(self.value))


INITIALIZERS: dict[str, type[Initializer]] = registry(
    *(HeNormal, HeUniform, GlorotNormal, GlorotUniform, LeCunNormal, LeCunUniform, Zeros, Constant),
)


def get(initializer: str | Initializer) -> Initializer:
    """Return the initialiser of this name, or the object itself.

    Raises
    ------
    ValueError
        The name is unknown (the message lists the names), or its class has a parameter without a default.
    TypeError
        `initializer` is neither a name nor an `Initializer`.
    """
    return resolve("initializer", initializer, Initializer, INITIALIZERS)  # type: ignore[type-abstract]


def default_for(activation: Activation) -> Initializer:
    """The default initialiser for a layer with this activation."""
    return INITIALIZERS[activation.init](**activation.init_params)


def __dir__() -> list[str]:
    return __all__
