"""Losses on classes: one of several, by softmax; yes or no, by sigmoid or by sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common import exact_math
from .._common.checks import check_scalar
from .._common.typing import Array
from .base import Loss, check_count, check_scalars, for_each, set_fields

# Far below whatever a network may give, and yet finite in float32.
_LOWEST = -(2.0**100)


@dataclass(eq=False, repr=False)
class CrossEntropy(Loss):
    """-log softmax(z)[y] = logsumexp(z) - z[y]; gradient softmax(z) - one_hot(y).

    Targets: class numbers y, shape (B, 1). The outputs are logits: the last layer has the identity as activation.
    With label smoothing e, one_hot(y) becomes (1 - e) one_hot(y) + e / n_out, as in PyTorch's `cross_entropy`.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990; smoothing:
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread over all classes.
    """

    name = "cross_entropy"
    target = "labels"
    link = "softmax"
    metric = "accuracy"
    c_names = ("cross_entropy", "smoothed_cross_entropy")

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        set_fields(self, label_smoothing=check_scalar("label_smoothing", self.label_smoothing, "[0, 1)"))

    @property
    def c_name(self) -> str:
        return self.c_names[self.label_smoothing > 0]

    def rows(self, Z: Array, Y: NDArray[Any]) -> Array:
        logs = exact_math.log_softmax(Z)
        of_label: Array = -np.take_along_axis(logs, Y.astype(np.intp), axis=1)[:, 0]
        if self.label_smoothing == 0:
            return of_label
        return np.asarray((1 - self.label_smoothing) * of_label - self.label_smoothing * logs.mean(axis=1))

    def gradient(self, Z: Array, Y: NDArray[Any]) -> Array:
        dZ = exact_math.softmax(Z)
        if self.label_smoothing > 0:
            dZ -= self.label_smoothing / Z.shape[1]
        dZ[np.arange(len(Z)), Y[:, 0].astype(np.intp)] -= 1 - self.label_smoothing
        return dZ

    def for_rows(self) -> SoftCrossEntropy:
        """The same loss on targets that are rows of probabilities instead of class numbers."""
        return SoftCrossEntropy(self.label_smoothing)


@dataclass(eq=False, repr=False)
class SoftCrossEntropy(Loss):
    """sum_j y_j (logsumexp(z) - z_j); gradient softmax(z) sum_j y_j - y.

    Targets: rows of probabilities (one-hot rows among them), shape (B, n_out). The outputs are logits.
    With label smoothing e, y becomes (1 - e) y + e / n_out, as in PyTorch's `cross_entropy`.
    Source: Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of each row that is spread over all classes.
    """

    name = "soft_cross_entropy"
    link = "softmax"
    metric = "accuracy"
    interval = "[0, 1]"

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        set_fields(self, label_smoothing=check_scalar("label_smoothing", self.label_smoothing, "[0, 1)"))

    def _smoothed(self, Y: Array) -> Array:
        smoothed: Array = (1 - self.label_smoothing) * Y + self.label_smoothing / Y.shape[1]
        return smoothed

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray(-(self._smoothed(Y) * exact_math.log_softmax(Z)).sum(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        Y = self._smoothed(Y)
        dZ: Array = exact_math.softmax(Z) * Y.sum(axis=1, keepdims=True) - Y
        return dZ


class KLDiv(Loss):
    """sum_j y_j (log y_j - log softmax(z)_j); gradient softmax(z) sum_j y_j - y.

    Targets: rows of probabilities, shape (B, n_out). The outputs are logits. It is `SoftCrossEntropy` less the entropy
    of y, so the least value is 0; the gradient is the same. PyTorch's `kl_div` of log_softmax(z), "batchmean".
    Source: Kullback & Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951.
    """

    name = "kl_div"
    link = "softmax"
    metric = "accuracy"
    interval = "[0, 1]"

    def rows(self, Z: Array, Y: Array) -> Array:
        logs = np.log(np.where(Y > 0, Y, 1))
        return np.asarray((Y * (logs - exact_math.log_softmax(Z))).sum(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        dZ: Array = exact_math.softmax(Z) * Y.sum(axis=1, keepdims=True) - Y
        return dZ


@dataclass(eq=False, repr=False)
class Focal(Loss):
    """-alpha[y] (1 - p)^gamma log p, p = softmax(z)[y]; gradient alpha[y] f'(s) (one_hot(y) - r).

    Targets: class numbers y, shape (B, 1). The outputs are logits. Rows that are right by far count less. Written with
    the margin s = z[y] - logsumexp of the other z, r their softmax (0 at y): -log p = log(1 + e^-s), so that
    f(s) = e^(-gamma log(1 + e^s)) log(1 + e^-s) neither overflows nor loses digits.
    Source: Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How much less; 0 is cross-entropy.
    alpha : float or sequence of float, one per class, each >= 0, default=1.0
        Weights of the classes.
    """

    name = "focal"
    target = "labels"
    link = "softmax"
    metric = "accuracy"

    gamma: float = 2.0
    alpha: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        alpha = check_scalars("alpha", self.alpha, "[0, inf)")
        set_fields(self, gamma=check_scalar("gamma", self.gamma, "[0, inf)"), alpha=alpha)

    def rows(self, Z: Array, Y: NDArray[Any]) -> Array:
        _, s, weight = self._margin(Z, Y)
        return np.asarray(weight * _focal(s, self.gamma))

    def gradient(self, Z: Array, Y: NDArray[Any]) -> Array:
        others, s, weight = self._margin(Z, Y)
        slope = weight * _focal_slope(s, self.gamma)
        dZ = -slope[:, np.newaxis] * exact_math.softmax(others)
        dZ[np.arange(len(Z)), Y[:, 0].astype(np.intp)] = slope
        return np.asarray(dZ)

    def _margin(self, Z: Array, Y: NDArray[Any]) -> tuple[Array, Array, Array]:
        """Z with the labels' outputs out of the way, (B, n_out); margins and weights of the rows, (B,)."""
        labels, rows = Y[:, 0].astype(np.intp), np.arange(len(Z))
        others = Z.copy()
        others[rows, labels] = _LOWEST
        largest = others.max(axis=1)
        log_sum = np.log(np.exp(others - largest[:, np.newaxis]).sum(axis=1))
        weight = for_each(self.alpha, Z.shape[1], Z.dtype)[labels]
        return others, Z[rows, labels] - largest - log_sum, weight

    def outputs_per_target(self, n_out: int) -> int:
        check_count("alpha", self.alpha, n_out)
        return 1


@dataclass(eq=False, repr=False)
class BCE(Loss):
    """Mean over the outputs of -w y log s(z) - (1 - y) log(1 - s(z)), s the sigmoid.

    The gradient is ((1 - y) s(z) - w y s(-z)) / n_out; with the weight w = 1 of a yes it is (s(z) - y) / n_out.
    Targets: numbers in [0, 1]: each output answers a question of its own. The outputs are logits. Written with
    log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), which cannot overflow; PyTorch's `binary_cross_entropy_with_logits`.
    Source: Cox, "The regression analysis of binary sequences", Journal of the Royal Statistical Society B 20, 1958;
    weights: King & Zeng, "Logistic regression in rare events data", Political Analysis 9, 2001.

    Parameters
    ----------
    pos_weight : float > 0, sequence of them or None, default=None
        w: how many times a yes counts, for all outputs or for each; None: once.
    """

    name = "bce"
    link = "sigmoid"
    metric = "accuracy"
    interval = "[0, 1]"
    c_names = ("bce", "weighted_bce")

    pos_weight: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.pos_weight is not None:
            set_fields(self, pos_weight=check_scalars("pos_weight", self.pos_weight, "(0, inf)"))

    @property
    def c_name(self) -> str:
        return self.c_names[self.pos_weight is not None]

    def rows(self, Z: Array, Y: Array) -> Array:
        if self.pos_weight is None:
            return np.asarray((np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))).mean(axis=1))
        return np.asarray((self._yes(Y) * exact_math.softplus(-Z) + (1 - Y) * exact_math.softplus(Z)).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        if self.pos_weight is None:
            dZ: Array = exact_math.sigmoid(Z) - Y
        else:
            dZ = (1 - Y) * exact_math.sigmoid(Z) - self._yes(Y) * exact_math.sigmoid(-Z)
        dZ /= Z.shape[1]
        return dZ

    def _yes(self, Y: Array) -> Array:
        """w y, (B, n_out)"""
        return for_each(self.pos_weight, Y.shape[1], Y.dtype) * Y

    def outputs_per_target(self, n_out: int) -> int:
        if self.pos_weight is not None:
            check_count("pos_weight", self.pos_weight, n_out)
        return 1


@dataclass(eq=False, repr=False)
class BinaryFocal(Loss):
    """Mean over the outputs of y a f(z) + (1 - y) b f(-z), f(z) = -(1 - s(z))^gamma log s(z), s the sigmoid.

    The gradient is (y a f'(z) - (1 - y) b f'(-z)) / n_out. Targets: numbers in [0, 1], yes or no. The outputs are
    logits. Answers that are right by far count less. torchvision's `sigmoid_focal_loss` on 0 and 1, Keras'
    `BinaryFocalCrossentropy`. Written as in `Focal`.
    Source: Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        How much less; 0 is binary cross-entropy.
    alpha : float in [0, 1] or None, default=None
        a = alpha is the weight of a yes, b = 1 - alpha of a no; None: both 1.
    """

    name = "binary_focal"
    link = "sigmoid"
    metric = "accuracy"
    interval = "[0, 1]"

    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        alpha = None if self.alpha is None else check_scalar("alpha", self.alpha, "[0, 1]")
        set_fields(self, gamma=check_scalar("gamma", self.gamma, "[0, inf)"), alpha=alpha)

    @property
    def parameters(self) -> tuple[float, ...]:
        a, b = (1.0, 1.0) if self.alpha is None else (float(self.alpha), 1.0 - self.alpha)
        return (float(self.gamma), a, b)

    def rows(self, Z: Array, Y: Array) -> Array:
        gamma, a, b = self.parameters
        return np.asarray((a * Y * _focal(Z, gamma) + b * (1 - Y) * _focal(-Z, gamma)).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        gamma, a, b = self.parameters
        dZ: Array = (a * Y * _focal_slope(Z, gamma) - b * (1 - Y) * _focal_slope(-Z, gamma)) / Z.shape[1]
        return dZ


class Hinge(Loss):
    """Mean over the outputs of max(0, 1 - t z), t = 1 for yes and -1 for no; gradient -t / n_out where t z < 1.

    Targets: yes where y > 0, else no: two classes, or -1 and 1, or 0 and 1. The outputs are margins: the prediction is
    their sign, and there are no probabilities. With weight decay it is the linear support-vector machine.
    Source: Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """

    name = "hinge"
    link = "sign"
    metric = "accuracy"

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.maximum(0, 1 - _sign(Z, Y) * Z).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        t = _sign(Z, Y)
        dZ: Array = np.where(1 - t * Z > 0, -t, 0) / Z.shape[1]
        return dZ


class SquaredHinge(Loss):
    """Mean over the outputs of max(0, 1 - t z)^2, t = 1 for yes and -1 for no; gradient -2 t max(0, 1 - t z) / n_out.

    Targets and predictions as with `Hinge`; smooth, and harder on what is wrong by far.
    Source: Lee & Mangasarian, "SSVM: A smooth support vector machine", Computational Optimization and Applications 20,
    2001.
    """

    name = "squared_hinge"
    link = "sign"
    metric = "accuracy"

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.square(np.maximum(0, 1 - _sign(Z, Y) * Z)).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        t = _sign(Z, Y)
        dZ: Array = -2 * t * np.maximum(0, 1 - t * Z) / Z.shape[1]
        return dZ


def _sign(Z: Array, Y: Array) -> Array:
    """1 where y > 0, else -1; dtype of Z."""
    return np.where(Y > 0, 1, -1).astype(Z.dtype)


def _focal(s: Array, gamma: float) -> Array:
    """f(s) = (1 - p)^gamma (-log p) with p = 1 / (1 + e^-s)."""
    f: Array = np.exp(-gamma * exact_math.softplus(s)) * exact_math.softplus(-s)
    return f


def _focal_slope(s: Array, gamma: float) -> Array:
    """f'(s)"""
    inner = gamma * exact_math.sigmoid(s) * exact_math.softplus(-s) + exact_math.sigmoid(-s)
    slope: Array = -np.exp(-gamma * exact_math.softplus(s)) * inner
    return slope
