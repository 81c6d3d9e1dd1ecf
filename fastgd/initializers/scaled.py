"""Initializers whose values depend on the widths of the layer, so that signals keep their magnitude."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

from .._common import random
from .._common.checks import NON_NEGATIVE
from .._common.random import Purpose
from .._common.typing import Floats
from .base import Independent


class _Spread(Independent):
    """Random values with mean 0 and a variance that depends on the widths."""

    @abstractmethod
    def variance(self, n_in: int, n_out: int) -> float: ...


class _Normal(_Spread):
    """Values from N(0, variance)."""

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        return random.normal(seed, purpose, index, n) * math.sqrt(self.variance(n_in, n_out))


class _Uniform(_Spread):
    """Values from [-r, r) with r = sqrt(3 variance)."""

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        x = 2 * random.uniform(seed, purpose, index, n) - 1
        return x * math.sqrt(3 * self.variance(n_in, n_out))


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


class PyTorchLinear(_Uniform):
    """Uniform in [-r, r), r = 1 / sqrt(n_in), for weights and biases: the default of PyTorch's `nn.Linear`.

    There it is `kaiming_uniform_(weight, a=sqrt(5))`. The biases of a layer with this `init` are chosen by it, too.

    Examples
    --------
    >>> import fastgd as gd
    >>> layer = gd.Dense(4, 2, init="pytorch_linear")
    >>> layer.bias_init
    PyTorchLinear()
    """

    name = "pytorch_linear"
    bias = "pytorch_linear"

    def variance(self, n_in: int, n_out: int) -> float:
        return 1 / (3 * n_in)
