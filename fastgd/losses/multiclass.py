"""Losses for one class out of several: cross-entropy and its variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common import exact_math
from .._common.checks import FRACTION, INT_MAX, check_int
from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss


@dataclass(eq=False, repr=False)
class CrossEntropy(Loss):
    """-log softmax(z)[y] = logsumexp(z) - z[y]; gradient softmax(z) - one_hot(y).

    Targets are class numbers y, (B, 1); outputs are logits, so the last layer has the identity as its activation.
    With label smoothing e, one_hot(y) becomes (1 - e) one_hot(y) + e / n_out, as in PyTorch's `cross_entropy`.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread over all classes.
    ignore_index : int or None, default=None
        A label that marks no class: rows with it have loss and gradient 0, and do not count in means. `fit` and
        `evaluate` leave them out. PyTorch's is -100 by default.

    References
    ----------
    Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7: smoothing.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> Z, Y = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), np.array([[0], [1]])
    >>> gd.CrossEntropy().per_row(Z, Y).round(4)
    array([0.2395, 1.0986])
    """

    name = "cross_entropy"
    target = "labels"
    link = "softmax"
    metric = "accuracy"
    c_names = ("cross_entropy", "smoothed_cross_entropy")

    label_smoothing: float = 0.0

    ignore_index: int | None = None

    intervals = {"label_smoothing": FRACTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ignore_index is not None:
            set_fields(self, ignore_index=check_int("ignore_index", self.ignore_index, minimum=-INT_MAX))

    @property
    def c_name(self) -> str:
        return self.c_names[self.label_smoothing > 0]

    @property
    def params(self) -> tuple[float, ...]:
        return (self.label_smoothing,)

    def row_losses(self, Z: Array, Y: NDArray[Any]) -> Array:
        Y, has_label = self._labels(Y)
        log_p = exact_math.log_softmax(Z)
        losses: Array = -np.take_along_axis(log_p, Y, axis=1)[:, 0]
        if self.label_smoothing > 0:
            losses = (1 - self.label_smoothing) * losses - self.label_smoothing * log_p.mean(axis=1)
        return np.where(has_label, losses, 0)

    def row_gradients(self, Z: Array, Y: NDArray[Any]) -> Array:
        Y, has_label = self._labels(Y)
        dZ = exact_math.softmax(Z)
        if self.label_smoothing > 0:
            dZ -= self.label_smoothing / Z.shape[1]
        dZ[np.arange(len(Z)), Y[:, 0]] -= 1 - self.label_smoothing
        return np.where(has_label[:, np.newaxis], dZ, 0)

    def value_and_gradient(
        self, Z: Any, Y: Any, sample_weight: Any = None, out: Array | None = None
    ) -> tuple[float, Array]:
        if self.ignore_index is not None:
            Y = np.asarray(Y)
            ignored = (Y == self.ignore_index).reshape(len(Y), -1).any(axis=1) if Y.ndim else np.zeros(1, np.bool_)
            if ignored.any():  # for the engine, rows of another label and weight 0
                weight = np.ones(len(Y), getattr(Z, "dtype", None)) if sample_weight is None else sample_weight
                Y, sample_weight = np.where(Y == self.ignore_index, 0, Y), np.where(ignored, 0, weight)
        return super().value_and_gradient(Z, Y, sample_weight, out)

    def _labels(self, Y: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Y (B, 1) with any class in place of ignored labels, and which rows have a label, (B,)."""
        ignored = self.ignored(Y)
        if ignored is None:
            return Y.astype(np.intp), np.ones(len(Y), np.bool_)
        return np.where(ignored[:, np.newaxis], 0, Y).astype(np.intp), ~ignored

    def ignored(self, Y: NDArray[Any]) -> NDArray[np.bool_] | None:
        return None if self.ignore_index is None else np.asarray(Y[:, 0] == self.ignore_index)

    def for_rows(self) -> SoftCrossEntropy:
        """The same loss for targets that are rows of probabilities instead of class numbers."""
        return SoftCrossEntropy(self.label_smoothing)


@dataclass(eq=False, repr=False)
class SoftCrossEntropy(Loss):
    """sum_j y_j (logsumexp(z) - z_j); gradient softmax(z) sum_j y_j - y.

    Targets are rows of probabilities, one-hot rows included, (B, n_out); outputs are logits. With label smoothing e,
    y becomes (1 - e) y + e / n_out, as in PyTorch's `cross_entropy`.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of each row that is spread over all classes.

    References
    ----------
    Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015.
    """

    name = "soft_cross_entropy"
    link = "softmax"
    metric = "accuracy"
    interval = "[0, 1]"

    label_smoothing: float = 0.0

    intervals = {"label_smoothing": FRACTION}

    def _smoothed(self, Y: Array) -> Array:
        smoothed: Array = (1 - self.label_smoothing) * Y + self.label_smoothing / Y.shape[1]
        return smoothed

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray(-(self._smoothed(Y) * exact_math.log_softmax(Z)).sum(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        Y = self._smoothed(Y)
        dZ: Array = exact_math.softmax(Z) * Y.sum(axis=1, keepdims=True) - Y
        return dZ


class KLDiv(Loss):
    """sum_j y_j (log y_j - log softmax(z)_j); gradient softmax(z) sum_j y_j - y.

    Targets are rows of probabilities, (B, n_out); outputs are logits. This is `SoftCrossEntropy` minus the entropy of
    y, so its minimum is 0; the gradient is the same. PyTorch's `kl_div` of log_softmax(z), "batchmean".

    References
    ----------
    Kullback & Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951.
    """

    name = "kl_div"
    link = "softmax"
    metric = "accuracy"
    interval = "[0, 1]"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        log_y = np.log(np.where(Y > 0, Y, 1))
        return np.asarray((Y * (log_y - exact_math.log_softmax(Z))).sum(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        dZ: Array = exact_math.softmax(Z) * Y.sum(axis=1, keepdims=True) - Y
        return dZ
