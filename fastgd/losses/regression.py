"""Losses on real values: means, medians, quantiles, counts and amounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common import exact_math
from .._common.checks import POSITIVE
from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss, check_scalars, cycle_over_outputs


class MSE(Loss):
    """Mean over the outputs of (z - y)^2; gradient 2 (z - y) / n_out.

    Targets are real numbers. Its mean over the rows is PyTorch's `mse_loss`; there is no factor 1/2.

    References
    ----------
    Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> Z, Y = np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[1.0, 0.0], [1.0, 4.0]])
    >>> gd.MSE().per_row(Z, Y)
    array([2. , 0.5])
    >>> gd.MSE().gradient(Z, Y)
    array([[ 0.,  2.],
           [-1.,  0.]])
    """

    name = "mse"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.square(Z - Y).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = (Z - Y) * (2 / Z.shape[1])
        return dZ


class MAE(Loss):
    """Mean over the outputs of |z - y|; gradient sign(z - y) / n_out, 0 where they are equal.

    Targets are real numbers. Its minimizer is the median, so outliers have no more influence than other rows. PyTorch's
    `l1_loss`.

    References
    ----------
    Edgeworth, "On observations relating to several quantities", Hermathena 6, 1887.
    """

    name = "mae"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.abs(Z - Y).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = np.sign(Z - Y) / Z.shape[1]
        return dZ


@dataclass(eq=False, repr=False)
class Huber(Loss):
    """Mean over the outputs of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = z - y.

    The gradient is d, clipped to [-delta, delta], / n_out. Targets are real numbers. Between the mean and the median;
    PyTorch's `huber_loss` (with delta=1 also its `smooth_l1_loss`).

    Parameters
    ----------
    delta : float > 0, default=1.0
        Larger errors are treated as outliers; in the unit of y.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    """

    name = "huber"

    delta: float = 1.0

    intervals = {"delta": POSITIVE}

    def row_losses(self, Z: Array, Y: Array) -> Array:
        d = np.abs(Z - Y)
        near = np.minimum(d, self.delta)
        return np.asarray((near * (d - near / 2)).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = np.clip(Z - Y, -self.delta, self.delta) / Z.shape[1]
        return dZ


class LogCosh(Loss):
    """Mean over the outputs of log cosh(z - y); gradient tanh(z - y) / n_out.

    Targets are real numbers. About d^2 / 2 for small d = z - y and |d| - log 2 for large, with a smooth transition.
    Evaluated as log(1 + u^2 / (2 + 2 u)) with u = e^|d| - 1 for |d| <= 1, so that small losses are accurate, and as
    |d| - log 2 + log(1 + e^(-2 |d|)), which cannot overflow, beyond. Keras' `LogCosh`.

    References
    ----------
    Green, "Bayesian reconstructions from emission tomography data using a modified EM algorithm", IEEE
    Transactions on Medical Imaging 9, 1990.
    """

    name = "log_cosh"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        d = np.abs(Z - Y)
        u = np.expm1(np.minimum(d, 1))
        large = d - float(np.log(2)) + np.log1p(np.exp(-2 * d))
        return np.asarray(np.where(d > 1, large, np.log1p(u * u / (2 + 2 * u))).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = np.tanh(Z - Y) / Z.shape[1]
        return dZ


@dataclass(eq=False, repr=False)
class Quantile(Loss):
    """Mean over the outputs of max(q d, (q - 1) d), d = y - z, the pinball loss of the output's quantile q.

    The gradient is -q where z < y, 1 - q where z > y, 0 where they are equal, / n_out. Targets are k real numbers per
    row. The model has one output per target and quantile, n_out = k * number of quantiles: outputs 0, 1, ... are the
    quantiles of the first target. scikit-learn's `mean_pinball_loss`.

    Parameters
    ----------
    quantiles : float or sequence of float, each in (0, 1), default=0.5
        Share of the targets that should lie below the output; 0.5 is the median.

    References
    ----------
    Koenker & Bassett, "Regression quantiles", Econometrica 46, 1978.
    """

    name = "quantile"
    metric = None  # only a median is a prediction of y

    quantiles: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        set_fields(self, quantiles=check_scalars("quantiles", self.quantiles, "(0, 1)"))

    def row_losses(self, Z: Array, Y: Array) -> Array:
        q, d = cycle_over_outputs(self.quantiles, Z.shape[1], Z.dtype), Y - Z
        return np.asarray(np.maximum(q * d, (q - 1) * d).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        q = cycle_over_outputs(self.quantiles, Z.shape[1], Z.dtype)
        dZ: Array = (np.where(Z < Y, -q, 0) + np.where(Z > Y, 1 - q, 0)) / Z.shape[1]
        return dZ

    def outputs_per_target(self, n_out: int) -> int:
        count = np.size(self.quantiles)
        if n_out % count:
            raise ValueError(
                f"{count} quantiles of each target need {count} outputs (or a multiple), but the model has {n_out}"
            )
        return count


class Poisson(Loss):
    """Mean over the outputs of e^z - y z; gradient (e^z - y) / n_out. The prediction is e^z, the mean count.

    Targets are counts or rates >= 0. PyTorch's `poisson_nll_loss` with its defaults: the negative log-likelihood
    without the constant log y!, so it may be negative. It is inf where e^z overflows.

    References
    ----------
    Nelder & Wedderburn, "Generalized linear models", Journal of the Royal Statistical Society A 135, 1972.
    """

    name = "poisson"
    link = "log"
    interval = "[0, inf)"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray((exact_math.exp_or_inf(Z) - Y * Z).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = (exact_math.exp_or_inf(Z) - Y) / Z.shape[1]
        return dZ


class Gamma(Loss):
    """Mean over the outputs of y e^-z + z; gradient (1 - y e^-z) / n_out. The prediction is e^z, the mean amount.

    Targets are amounts > 0 whose spread is proportional to their size (costs, durations). Half the deviance without the
    constant -log y - 1, so it may be negative. It is inf where e^-z overflows.

    References
    ----------
    McCullagh & Nelder, "Generalized linear models", 2nd edition, 1989, chapter 8.
    """

    name = "gamma"
    link = "log"
    interval = "(0, inf)"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray((Y * exact_math.exp_or_inf(-Z) + Z).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = (1 - Y * exact_math.exp_or_inf(-Z)) / Z.shape[1]
        return dZ
