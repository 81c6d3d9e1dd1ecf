"""Losses for yes or no, for each output: binary cross-entropy on logits, hinge losses on margins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common import exact_math
from .._common.checks import FRACTION, POSITIVE
from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss, check_length, check_scalars, cycle_over_outputs, smooth_answers


@dataclass(eq=False, repr=False)
class BCE(Loss):
    """Mean over the outputs of -w y log s(z) - (1 - y) log(1 - s(z)), s the sigmoid.

    The gradient is ((1 - y) s(z) - w y s(-z)) / n_out; with weight w = 1 it is (s(z) - y) / n_out. Targets are in
    [0, 1]; each output answers a question of its own. Outputs are logits. Evaluated with
    log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), which cannot overflow; PyTorch's `binary_cross_entropy_with_logits`.
    With label smoothing e, y becomes (1 - e) y + e / 2, as in Keras' `BinaryCrossentropy`.

    Parameters
    ----------
    pos_weight : float > 0, sequence of them or None, default=None
        Weight w of a yes, one for all outputs or one for each; None: 1.
    label_smoothing : float in [0, 1), default=0.0
        Share of each answer that is divided equally between yes and no.

    References
    ----------
    Cox, "The regression analysis of binary sequences", Journal of the Royal Statistical Society B 20, 1958.
    King & Zeng, "Logistic regression in rare events data", Political Analysis 9, 2001: weights.
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7: smoothing.
    """

    name = "bce"
    link = "sigmoid"
    metric = "accuracy"
    interval = "[0, 1]"
    c_names = ("bce", "weighted_bce")
    intervals = {"label_smoothing": FRACTION}

    pos_weight: float | tuple[float, ...] | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pos_weight is not None:
            set_fields(self, pos_weight=check_scalars("pos_weight", self.pos_weight, POSITIVE))

    @property
    def c_name(self) -> str:
        return self.c_names[self.pos_weight is not None or self.label_smoothing > 0]

    @property
    def params(self) -> tuple[float, ...]:
        if self.c_name == "bce":
            return ()
        weights = np.ravel(1.0 if self.pos_weight is None else self.pos_weight).tolist()
        return (float(len(weights)), *weights, self.label_smoothing)

    def row_losses(self, Z: Array, Y: Array) -> Array:
        if self.c_name == "bce":
            return np.asarray((np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))).mean(axis=1))
        yes, no = self._weights(Y)
        return np.asarray((yes * exact_math.softplus(-Z) + no * exact_math.softplus(Z)).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        if self.c_name == "bce":
            dZ: Array = exact_math.sigmoid(Z) - Y
        else:
            yes, no = self._weights(Y)
            dZ = no * exact_math.sigmoid(Z) - yes * exact_math.sigmoid(-Z)
        dZ /= Z.shape[1]
        return dZ

    def _weights(self, Y: Array) -> tuple[Array, Array]:
        """The weights of a yes, w y, and of a no, 1 - y, each (B, n_out), with y smoothed."""
        Y = smooth_answers(Y, self.label_smoothing)
        return cycle_over_outputs(1.0 if self.pos_weight is None else self.pos_weight, Y.shape[1], Y.dtype) * Y, 1 - Y

    def outputs_per_target(self, n_out: int) -> int:
        if self.pos_weight is not None:
            check_length("pos_weight", self.pos_weight, n_out)
        return 1


class Hinge(Loss):
    """Mean over the outputs of max(0, 1 - t z), t = 1 for yes and -1 for no; gradient -t / n_out where t z < 1.

    Targets mean yes where y > 0, else no: two classes, or -1 and 1, or 0 and 1. Outputs are margins: the prediction is
    their sign, and there are no probabilities. With weight decay this is the linear support-vector machine.

    References
    ----------
    Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """

    name = "hinge"
    link = "sign"
    metric = "accuracy"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.maximum(0, 1 - _sign(Z, Y) * Z).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        t = _sign(Z, Y)
        dZ: Array = np.where(1 - t * Z > 0, -t, 0) / Z.shape[1]
        return dZ


class SquaredHinge(Loss):
    """Mean over the outputs of max(0, 1 - t z)^2, t = 1 for yes and -1 for no; gradient -2 t max(0, 1 - t z) / n_out.

    Targets and predictions as in `Hinge`; smooth, and stricter on large errors.

    References
    ----------
    Lee & Mangasarian, "SSVM: A smooth support vector machine", Computational Optimization and Applications 20, 2001.
    """

    name = "squared_hinge"
    link = "sign"
    metric = "accuracy"

    def row_losses(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.square(np.maximum(0, 1 - _sign(Z, Y) * Z)).mean(axis=1))

    def row_gradients(self, Z: Array, Y: Array) -> Array:
        t = _sign(Z, Y)
        dZ: Array = -2 * t * np.maximum(0, 1 - t * Z) / Z.shape[1]
        return dZ


def _sign(Z: Array, Y: Array) -> Array:
    """1 where y > 0, else -1, in the dtype of Z."""
    return np.where(Y > 0, 1, -1).astype(Z.dtype)
