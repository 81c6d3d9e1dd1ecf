"""ReLU and its relatives: close to z for large z, bounded or close to linear below 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._common import exact_math
from .._common.checks import NON_NEGATIVE
from .._common.typing import Array
from .base import Activation


class ReLU(Activation):
    """f(z) = max(z, 0); f' = 1 where a > 0, else 0; f'(0) is defined as 0.

    References
    ----------
    Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.ReLU().forward(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """

    name = "relu"
    init = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where(x > 0, g, 0)


@dataclass(eq=False, repr=False)
class LeakyReLU(Activation):
    """f(z) = z where z > 0, else s z; f' = 1 where a > 0, else s.

    Parameters
    ----------
    negative_slope : float in [0, inf), default=0.01
        The slope s below 0.

    Notes
    -----
    Initial weights have the variance 2 / ((1 + s^2) n_in).

    References
    ----------
    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.
    He et al., "Delving deep into rectifiers", ICCV 2015, equation 15: the initial weights.
    """

    name = "leaky_relu"
    init = "he_uniform"
    negative_slope: float = 0.01

    intervals = {"negative_slope": NON_NEGATIVE}

    @property
    def init_params(self) -> Mapping[str, float]:
        return {"negative_slope": self.negative_slope}

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, self.negative_slope * z)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where(x > 0, g, self.negative_slope * g)


class ReLU6(Activation):
    """f(z) = clip(z, 0, 6); f' = 1 where 0 < a < 6, else 0.

    References
    ----------
    Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """

    name = "relu6"
    init = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.clip(z, 0, 6)

    def backward(self, x: Array, g: Array) -> Array:
        return np.where((x > 0) & (x < 6), g, 0)


@dataclass(eq=False, repr=False)
class ELU(Activation):
    """f(z) = z where z > 0, else alpha (e^z - 1); f' = 1 where a > 0, else a + alpha.

    Parameters
    ----------
    alpha : float in [0, inf), default=1
        f tends to -alpha as z goes to -inf.

    References
    ----------
    Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear units", ICLR 2016;
    also for the initial weights (He).
    """

    name = "elu"
    init = "he_uniform"
    alpha: float = 1.0

    intervals = {"alpha": NON_NEGATIVE}

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def backward(self, x: Array, g: Array) -> Array:
        return g * np.where(x > 0, 1, x + self.alpha)


class SELU(Activation):
    """f(z) = s z where z > 0, else s alpha (e^z - 1); f' = s where a > 0, else a + s alpha.

    With s = 1.0507... and alpha = 1.6732..., mean 0 and variance 1 are preserved from layer to layer if the initial
    weights are drawn from N(0, 1 / n_in).

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
    """

    name = "selu"
    init = "lecun_normal"
    scale: ClassVar[float] = 1.0507009873554804934
    alpha: ClassVar[float] = 1.6732632423543772848

    def forward(self, z: Array) -> Array:
        return self.scale * np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def backward(self, x: Array, g: Array) -> Array:
        return g * np.where(x > 0, self.scale, x + self.scale * self.alpha)


class Softplus(Activation):
    """f(z) = ln(1 + e^z) > 0; f' = 1 - e^-a, the sigmoid of z.

    Evaluated as max(z, 0) + ln(1 + e^-|z|), which cannot overflow.

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau & Garcia, "Incorporating second-order functional knowledge for better option
    pricing", NeurIPS 2000.
    """

    name = "softplus"

    def forward(self, z: Array) -> Array:
        return exact_math.softplus(z)

    def backward(self, x: Array, g: Array) -> Array:
        return -g * np.expm1(-x)


class SiLU(Activation):
    """f(z) = z s(z), s the sigmoid; f' = s(z) (1 + z s(-z)). Also known as Swish.

    References
    ----------
    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning", Neural Networks 107, 2018.
    """

    name = "silu"
    init = "he_uniform"
    saved = "z"

    def forward(self, z: Array) -> Array:
        return np.asarray(exact_math.above_minus_inf(z) * exact_math.sigmoid(z))

    def backward(self, x: Array, g: Array) -> Array:
        x = exact_math.finite(x)
        return np.asarray(g * exact_math.sigmoid(x) * (1 + x * exact_math.sigmoid(-x)))


class HardSwish(Activation):
    """f(z) = z clip(z/6 + 1/2, 0, 1); f' = 0 up to -3, z/3 + 1/2 below 3, then 1.

    References
    ----------
    Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """

    name = "hard_swish"
    init = "he_uniform"
    saved = "z"

    def forward(self, z: Array) -> Array:
        return np.asarray(exact_math.above_minus_inf(z) * (np.clip(z + 3, 0, 6) / 6))

    def backward(self, x: Array, g: Array) -> Array:
        return g * np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1))


class GELU(Activation):
    """f(z) = z P(z), P(z) = (1 + erf(z / sqrt 2)) / 2, the distribution function of N(0, 1); f' = P(z) + z P'(z).

    References
    ----------
    Hendrycks & Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """

    name = "gelu"
    init = "he_uniform"
    saved = "z"

    def forward(self, z: Array) -> Array:
        return np.asarray(exact_math.above_minus_inf(z) * exact_math.normal_cdf(z))

    def backward(self, x: Array, g: Array) -> Array:
        z = np.clip(x, -40, 40)  # beyond, the density is 0
        return np.asarray(g * (exact_math.normal_cdf(x) + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)))


class GELUTanh(Activation):
    """f(z) = z s(2u) = z (1 + tanh u) / 2, u = sqrt(2/pi) (z + 0.044715 z^3); f' = s(2u) (1 + 2 z u' s(-2u)).

    Within 0.0005 of `GELU`; PyTorch's `GELU(approximate="tanh")`. For |z| > 22 the sigmoid is 0 or 1.

    References
    ----------
    Hendrycks & Gimpel, "Gaussian error linear units (GELUs)", 2016.
    """

    name = "gelu_tanh"
    init = "he_uniform"
    saved = "z"

    def forward(self, z: Array) -> Array:
        return np.asarray(exact_math.above_minus_inf(z) * exact_math.sigmoid(self._two_u(np.clip(z, -22, 22))))

    def backward(self, x: Array, g: Array) -> Array:
        z = np.clip(x, -22, 22)
        two_u, two_du = self._two_u(z), math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * z * z)
        return np.asarray(g * exact_math.sigmoid(two_u) * (1 + z * two_du * exact_math.sigmoid(-two_u)))

    @staticmethod
    def _two_u(z: Array) -> Array:
        result: Array = math.sqrt(8 / math.pi) * (z + 0.044715 * z * z * z)
        return result


class Mish(Activation):
    """f(z) = z tanh(softplus(z)) = z t; f' = t + z (1 - t^2) s(z), s the sigmoid.

    References
    ----------
    Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """

    name = "mish"
    init = "he_uniform"
    saved = "z"

    def forward(self, z: Array) -> Array:
        return np.asarray(exact_math.above_minus_inf(z) * np.tanh(exact_math.softplus(z)))

    def backward(self, x: Array, g: Array) -> Array:
        x = exact_math.finite(x)
        t = np.tanh(exact_math.softplus(x))
        return np.asarray(g * (t + x * (1 - t * t) * exact_math.sigmoid(x)))
