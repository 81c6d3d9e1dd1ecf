"""Focal losses, which reduce the weight of rows that are already predicted well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common import exact_math
from .._common.checks import FRACTION, NON_NEGATIVE
from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss, check_length, check_scalars, cycle_over_outputs, smooth_answers

# Far below any output of a network, and yet finite in float32.
_LOWEST = -(2.0**100)


@dataclass(eq=False, repr=False)
class Focal(Loss):
    """-alpha[y] (1 - p)^gamma log p, p = softmax(z)[y]; gradient alpha[y] f'(s) (one_hot(y) - r).

    Targets are class numbers y, (B, 1); outputs are logits. Rows with p close to 1 count less. Evaluated with the
    margin s = z[y] - logsumexp of the other z, and r their softmax (0 at y): -log p = log(1 + e^-s), so
    f(s) = e^(-gamma log(1 + e^s)) log(1 + e^-s) neither overflows nor loses digits.

    With label smoothing e it is the sum over all classes j of -t_j alpha[j] (1 - p_j)^gamma log p_j with
    t = (1 - e) one_hot(y) + e / n_out, as in Keras' `CategoricalFocalCrossentropy`, whose alpha is 0.25 by default: the
    name "categorical_focal_crossentropy" has that, too.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How strongly well-predicted rows are reduced; 0 is cross-entropy.
    alpha : float or sequence of float, one per class, each >= 0, default=1.0
        Weights of the classes.
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread over all classes.

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """

    name = "focal"
    target = "labels"
    link = "softmax"
    metric = "accuracy"
    c_names = ("focal", "smoothed_focal")
    intervals = {"gamma": NON_NEGATIVE, "label_smoothing": FRACTION}

    gamma: float = 2.0
    alpha: float | tuple[float, ...] = 1.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, alpha=check_scalars("alpha", self.alpha, NON_NEGATIVE))

    @property
    def c_name(self) -> str:
        return self.c_names[self.label_smoothing > 0]

    def row_losses(self, Z: Array, Y: NDArray[Any]) -> Array:
        if self.label_smoothing > 0:
            t, _, minus_log_p, _, power = self._all_classes(Z, Y)
            return np.asarray((t * power * minus_log_p).sum(axis=1))
        _, s, weight = self._margin(Z, Y)
        power = np.exp(-self.gamma * exact_math.softplus(s))
        return np.asarray(weight * power * exact_math.softplus(-s))

    def row_gradients(self, Z: Array, Y: NDArray[Any]) -> Array:
        if self.label_smoothing > 0:
            t, p, minus_log_p, q, power = self._all_classes(Z, Y)
            g = -t * power * (1 + self.gamma * p * (minus_log_p / q))  # p d / dp of the loss
            return np.asarray(g - p * g.sum(axis=1, keepdims=True))
        others, s, weight = self._margin(Z, Y)
        inner = self.gamma * exact_math.sigmoid(s) * exact_math.softplus(-s) + exact_math.sigmoid(-s)
        ds = weight * -np.exp(-self.gamma * exact_math.softplus(s)) * inner
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

    def _all_classes(self, Z: Array, Y: NDArray[Any]) -> tuple[Array, Array, Array, Array, Array]:
        """For each class alpha t, p, -log p, q = 1 - p and q^gamma, all (B, n_out), without cancellation in q."""
        n_out = Z.shape[1]
        alpha_t = np.full(Z.shape, self.label_smoothing / n_out, Z.dtype)
        alpha_t[np.arange(len(Z)), Y[:, 0].astype(np.intp)] += 1 - self.label_smoothing
        alpha_t *= cycle_over_outputs(self.alpha, n_out, Z.dtype)
        is_largest = np.arange(n_out) == Z.argmax(axis=1)[:, np.newaxis]
        z = Z - Z.max(axis=1, keepdims=True)
        e = np.exp(z)
        rest = np.where(is_largest, 0, e).sum(axis=1, keepdims=True)
        q = _positive(np.where(is_largest, rest, 1 + rest - e) / (1 + rest))
        return alpha_t, e / (1 + rest), np.log1p(rest) - z, q, np.exp(self.gamma * np.log(q))

    def outputs_per_target(self, n_out: int) -> int:
        check_length("alpha", self.alpha, n_out)
        return 1


@dataclass(eq=False, repr=False)
class BinaryFocal(Loss):
    """Mean over the outputs of (a y + b (1 - y)) q^gamma c, q = y (1 - s) + (1 - y) s, c the binary cross-entropy.

    s is the sigmoid of z, q the probability of the wrong answer and c = -y log s - (1 - y) log(1 - s). The gradient is
    (a y + b (1 - y)) q^gamma (s - y + gamma c (1 - 2 y) s (1 - s) / q) / n_out. Targets are in [0, 1], from no to yes;
    outputs are logits. Outputs close to their targets count less. Keras' `BinaryFocalCrossentropy`; torchvision's
    `sigmoid_focal_loss`, whose alpha is 0.25 by default: the name "sigmoid_focal" has that, too. With label smoothing
    e, y becomes (1 - e) y + e / 2, as in Keras.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How strongly well-predicted outputs are reduced; 0 is binary cross-entropy.
    alpha : float in [0, 1] or None, default=None
        Weights a = alpha of a yes and b = 1 - alpha of a no; None: both 1.
    label_smoothing : float in [0, 1), default=0.0
        Share of each answer that is divided equally between yes and no.

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """

    name = "binary_focal"
    link = "sigmoid"
    metric = "accuracy"
    interval = "[0, 1]"
    intervals = {"gamma": NON_NEGATIVE, "alpha": "[0, 1]", "label_smoothing": FRACTION}

    gamma: float = 2.0
    alpha: float | None = None
    label_smoothing: float = 0.0

    @property
    def params(self) -> tuple[float, ...]:
        a, b = (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)
        return (self.gamma, a, b, self.label_smoothing)

    def row_losses(self, Z: Array, Y: Array) -> Array:
        scale, c, _, _ = self._terms(Z, Y)
        return np.asarray((scale * c).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        scale, c, q, Y = self._terms(Z, Y)
        s, not_s = exact_math.sigmoid(Z), exact_math.sigmoid(-Z)
        ratio = np.minimum(s, not_s) / q * np.maximum(s, not_s)
        dZ: Array = scale * ((1 - Y) * s - Y * not_s + self.gamma * c * (1 - 2 * Y) * ratio) / Z.shape[1]
        return dZ

    def _terms(self, Z: Array, Y: Array) -> tuple[Array, Array, Array, Array]:
        """(a y + b (1 - y)) q^gamma, c, q and y, which is smoothed."""
        _, a, b, smoothing = self.params
        Y = smooth_answers(Y, smoothing)
        q = _positive(Y * exact_math.sigmoid(-Z) + (1 - Y) * exact_math.sigmoid(Z))
        c = Y * exact_math.softplus(-Z) + (1 - Y) * exact_math.softplus(Z)
        return (a * Y + b * (1 - Y)) * np.exp(self.gamma * np.log(q)), c, q, Y


def _positive(q: Array) -> Array:
    """Probabilities, at least the smallest normal number, so that their logarithms are finite."""
    return np.asarray(np.maximum(q, np.finfo(q.dtype).tiny))
