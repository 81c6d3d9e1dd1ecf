"""Initializers whose values do not depend on the widths of the layer, and orthogonal matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._common import random
from .._common.exact_math import orthonormal_rows
from .._common.random import Purpose
from .._common.typing import Floats
from .base import Independent, Initializer

_SIZES = "[0, 1e37]"  # of standard deviations: values many times larger are float32 numbers, too
_ANY_SIZE = "[-1e37, 1e37]"


@dataclass(eq=False, repr=False)
class Normal(Independent):
    """N(mean, std^2), whatever the widths. PyTorch's `normal_`, Keras' `RandomNormal` with its defaults.

    Parameters
    ----------
    std : float >= 0, default=0.05
        Standard deviation.
    mean : float, default=0.0
    """

    name = "normal"
    std: float = 0.05
    mean: float = 0.0

    intervals = {"std": _SIZES, "mean": _ANY_SIZE}

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        return self.mean + self.std * random.normal(seed, purpose, index, n)


@dataclass(eq=False, repr=False)
class TruncatedNormal(Independent):
    """N(mean, std^2) without the values more than `limit` standard deviations from the mean, whatever the widths.

    These are the first values of the stream of `Normal` that lie within the limits. Their own standard deviation is
    0.88 std for limit=2. Keras' `TruncatedNormal` with its defaults; PyTorch's `trunc_normal_` with symmetric bounds.

    Parameters
    ----------
    std : float >= 0, default=0.05
        Standard deviation before the truncation.
    mean : float, default=0.0
    limit : float >= 1, default=2.0
        Largest distance from the mean, in units of std.
    """

    name = "truncated_normal"
    std: float = 0.05
    mean: float = 0.0
    limit: float = 2.0

    intervals = {"std": _SIZES, "mean": _ANY_SIZE, "limit": "[1, inf)"}

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        drawn, x = n, np.empty(0)
        while len(x) < n:
            drawn += drawn // 2 + 64
            x = random.normal(seed, purpose, index, drawn)
            x = x[np.abs(x) <= self.limit]
        return self.mean + self.std * x[:n]


@dataclass(eq=False, repr=False)
class Uniform(Independent):
    """Uniform in [low, high), whatever the widths. PyTorch's `uniform_`, Keras' `RandomUniform` with its defaults.

    Parameters
    ----------
    low, high : float, default=-0.05, 0.05
        Bounds, low <= high.
    """

    name = "uniform"
    low: float = -0.05
    high: float = 0.05

    intervals = {"low": _ANY_SIZE, "high": _ANY_SIZE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise ValueError(f"low must not be above high, but is {self.low} with high={self.high}")

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        return self.low + (self.high - self.low) * random.uniform(seed, purpose, index, n)


@dataclass(eq=False, repr=False)
class Orthogonal(Initializer):
    """A random matrix with orthonormal columns, times `gain`; with orthonormal rows if n_in < n_out.

    It is uniformly distributed over all such matrices: a matrix of standard normal values, orthogonalized by the
    modified Gram-Schmidt process. PyTorch's `orthogonal_`, Keras' `Orthogonal`.

    Parameters
    ----------
    gain : float, default=1.0
        Length of the columns or rows; sqrt(2) preserves the magnitude of the signal with ReLU.

    References
    ----------
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    ICLR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.initializers import Orthogonal
    >>> W = Orthogonal().weights(5, 3, seed=0, index=0)
    >>> np.allclose(W.T @ W, np.eye(3))
    True
    """

    name = "orthogonal"
    gain: float = 1.0

    intervals = {"gain": _ANY_SIZE}

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        shape = min(n_in, n_out), max(n_in, n_out)
        rows = orthonormal_rows(random.normal(seed, random.INIT, index, n_in * n_out).reshape(shape))
        return self.gain * (rows if n_in < n_out else np.ascontiguousarray(rows.T))


class Zeros(Independent):
    """All values 0. Weights 0 are for linear models only: hidden units that start equal stay equal."""

    name = "zeros"

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        return np.zeros(n)


@dataclass(eq=False, repr=False)
class Constant(Independent):
    """All values equal to `value`.

    Parameters
    ----------
    value : float
        Any number that float32 can hold.
    """

    name = "constant"
    value: float

    intervals = {"value": "(-inf, inf)"}

    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        return np.full(n, self.value)
