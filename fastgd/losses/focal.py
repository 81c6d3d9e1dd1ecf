"""Focal losses, which reduce the weight of rows that are already predicted well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common import exact_math
from .._common.checks import NON_NEGATIVE
from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss, check_length, check_scalars, cycle_over_outputs

# Far below any output of a network, and yet finite in float32.
_LOWEST = -(2.0**100)


@dataclass(eq=False, repr=False)
class Focal(Loss):
    """-alpha[y] (1 - p)^gamma log p, p = softmax(z)[y]; gradient alpha[y] f'(s) (one_hot(y) - r).

    Targets are class numbers y, (B, 1); outputs are logits. Rows with p close to 1 count less. Evaluated with the
    margin s = z[y] - logsumexp of the other z, and r their softmax (0 at y): -log p = log(1 + e^-s), so
    f(s) = e^(-gamma log(1 + e^s)) log(1 + e^-s) neither overflows nor loses digits.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How strongly well-predicted rows are reduced; 0 is cross-entropy.
    alpha : float or sequence of float, one per class, each >= 0, default=1.0
        Weights of the classes.

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """

    name = "focal"
    target = "labels"
    link = "softmax"
    metric = "accuracy"

    gamma: float = 2.0
    alpha: float | tuple[float, ...] = 1.0

    intervals = {"gamma": NON_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, alpha=check_scalars("alpha", self.alpha, NON_NEGATIVE))

    def per_row(self, Z: Array, Y: NDArray[Any]) -> Array:
        _, s, weight = self._margin(Z, Y)
        return np.asarray(weight * _focal(s, self.gamma))

    def gradient(self, Z: Array, Y: NDArray[Any]) -> Array:
        others, s, weight = self._margin(Z, Y)
        ds = weight * _focal_derivative(s, self.gamma)
        dZ = -ds[:, np.newaxis] * exact_math.softmax(others)
        dZ[np.arange(len(Z)), Y[:, 0].astype(np.intp)] = ds
        return np.asarray(dZ)

    def _margin(self, Z: Array, Y: NDArray[Any]) -> tuple[Array, Array, Array]:
        """Z with the outputs of the labels masked, (B, n_out); the margin and the weight of each row, (B,)."""
        labels, rows = Y[:, 0].astype(np.intp), np.arange(len(Z))
        others = Z.copy()
        others[rows, labels] = _LOWEST
        largest = others.max(axis=1)
        log_sum = np.log(np.exp(others - largest[:, np.newaxis]).sum(axis=1))
        weight = cycle_over_outputs(self.alpha, Z.shape[1], Z.dtype)[labels]
        return others, Z[rows, labels] - largest - log_sum, weight

    def outputs_per_target(self, n_out: int) -> int:
        check_length("alpha", self.alpha, n_out)
        return 1


@dataclass(eq=False, repr=False)
class BinaryFocal(Loss):
    """Mean over the outputs of y a f(z) + (1 - y) b f(-z), f(z) = -(1 - s(z))^gamma log s(z), s the sigmoid.

    The gradient is (y a f'(z) - (1 - y) b f'(-z)) / n_out. Targets are in [0, 1], from no to yes; outputs are logits.
    Outputs close to their targets count less. torchvision's `sigmoid_focal_loss` on 0 and 1, Keras'
    `BinaryFocalCrossentropy`. Evaluated as in `Focal`.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How strongly well-predicted outputs are reduced; 0 is binary cross-entropy.
    alpha : float in [0, 1] or None, default=None
        Weights a = alpha of a yes and b = 1 - alpha of a no; None: both 1.

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """

    name = "binary_focal"
    link = "sigmoid"
    metric = "accuracy"
    interval = "[0, 1]"

    gamma: float = 2.0
    alpha: float | None = None

    intervals = {"gamma": NON_NEGATIVE, "alpha": "[0, 1]"}

    @property
    def params(self) -> tuple[float, ...]:
        a, b = (1.0, 1.0) if self.alpha is None else (float(self.alpha), 1.0 - self.alpha)
        return (float(self.gamma), a, b)

    def per_row(self, Z: Array, Y: Array) -> Array:
        gamma, a, b = self.params
        return np.asarray((a * Y * _focal(Z, gamma) + b * (1 - Y) * _focal(-Z, gamma)).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        gamma, a, b = self.params
        yes, no = a * Y * _focal_derivative(Z, gamma), b * (1 - Y) * _focal_derivative(-Z, gamma)
        dZ: Array = (yes - no) / Z.shape[1]
        return dZ


def _focal(s: Array, gamma: float) -> Array:
    """f(s) = (1 - p)^gamma (-log p) with p = 1 / (1 + e^-s)."""
    f: Array = np.exp(-gamma * exact_math.softplus(s)) * exact_math.softplus(-s)
    return f


def _focal_derivative(s: Array, gamma: float) -> Array:
    """The derivative f'(s) of `_focal`."""
    inner = gamma * exact_math.sigmoid(s) * exact_math.softplus(-s) + exact_math.sigmoid(-s)
    df: Array = -np.exp(-gamma * exact_math.softplus(s)) * inner
    return df
