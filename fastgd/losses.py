"""Losses: the definitions. NumPy float64 is the reference for the C core.

A loss compares the outputs Z of the model (after the last layer's activation), shape (B, n_out), with the targets Y.
To add one: a class below and its name in `LOSSES`; its twin is one row of `csrc/losses.h`. Numbers that it takes are
fields of a frozen dataclass; they reach the C core as `parameters`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from . import _math
from ._definition import Array, Definition, find


class LossNotFinite(FloatingPointError):
    """The mean loss of a training step is inf or NaN.

    Attributes
    ----------
    step : int
        Index of the step in the call of `train` that raised it; its update was not done.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"the loss of step {self.step} of this call is not finite; lower the learning rate or scale X"


class Loss(Definition):
    """A number for each row of outputs and targets; training makes its mean over the rows small.

    Attributes
    ----------
    target : {"labels", "rows"}
        "labels": Y (B, 1) holds class numbers 0 ... n_out - 1; "rows": Y (B, n_out) holds a number for each output.
    link : {"identity", "softmax", "sigmoid"}
        How outputs become means of the targets: numbers, probabilities of the classes, probabilities of "yes".
    """

    target: ClassVar[Literal["labels", "rows"]] = "rows"
    link: ClassVar[Literal["identity", "softmax", "sigmoid"]] = "identity"

    @abstractmethod
    def rows(self, Z: Array, Y: Array) -> Array:
        """The loss of each row, shape (B,), dtype of Z."""

    @abstractmethod
    def gradient(self, Z: Array, Y: Array) -> Array:
        """d rows[i] / d Z[i, j], shape (B, n_out), dtype of Z."""


class MSE(Loss):
    """Mean over the outputs of (z - y)^2; gradient 2 (z - y) / n_out.

    Targets: real numbers. Averaged over the rows it is PyTorch's `mse_loss`; there is no factor 1/2.
    Source: Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.
    """

    name = "mse"

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray(np.square(Z - Y).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        dZ: Array = (Z - Y) * (2 / Z.shape[1])
        return dZ


class CrossEntropy(Loss):
    """-log softmax(z)[y] = logsumexp(z) - z[y]; gradient softmax(z) - one_hot(y).

    Targets: class numbers y, shape (B, 1). The outputs are logits: the last layer has the identity as activation.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """

    name = "cross_entropy"
    target = "labels"
    link = "softmax"

    def rows(self, Z: Array, Y: Array) -> Array:
        return -np.take_along_axis(_math.log_softmax(Z), Y.astype(np.intp), axis=1)[:, 0]

    def gradient(self, Z: Array, Y: Array) -> Array:
        dZ = _math.softmax(Z)
        dZ[np.arange(len(Z)), Y[:, 0].astype(np.intp)] -= 1
        return dZ

    def for_rows(self) -> SoftCrossEntropy:
        """The same loss on targets that are rows of probabilities instead of class numbers."""
        return SoftCrossEntropy()


class SoftCrossEntropy(Loss):
    """sum_j y_j (logsumexp(z) - z_j); gradient softmax(z) sum_j y_j - y.

    Targets: rows of probabilities (one-hot rows among them), shape (B, n_out). The outputs are logits.
    Source: Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015.
    """

    name = "soft_cross_entropy"
    link = "softmax"

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray(-(Y * _math.log_softmax(Z)).sum(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        dZ: Array = _math.softmax(Z) * Y.sum(axis=1, keepdims=True) - Y
        return dZ


class BCE(Loss):
    """Mean over the outputs of -y log s(z) - (1 - y) log(1 - s(z)), s the sigmoid; gradient (s(z) - y) / n_out.

    Targets: numbers in [0, 1]: each output answers a question of its own. The outputs are logits.
    Written as max(z, 0) - z y + log(1 + e^-|z|), which cannot overflow; PyTorch's `binary_cross_entropy_with_logits`.
    Source: Cox, "The regression analysis of binary sequences", Journal of the Royal Statistical Society B 20, 1958.
    """

    name = "bce"
    link = "sigmoid"

    def rows(self, Z: Array, Y: Array) -> Array:
        return np.asarray((np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))).mean(axis=1))

    def gradient(self, Z: Array, Y: Array) -> Array:
        dZ: Array = (_math.sigmoid(Z) - Y) / Z.shape[1]
        return dZ


LOSSES: dict[str, type[Loss]] = {c.name: c for c in (MSE, CrossEntropy, SoftCrossEntropy, BCE)}
# What users of scikit-learn, of Keras and of PyTorch type.
_ALIASES = {
    "mean_squared_error": "mse",
    "squared_error": "mse",
    "log_loss": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "binary_cross_entropy": "bce",
    "binary_crossentropy": "bce",
}


def get(loss: str | Loss) -> Loss:
    """The loss of this name, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor a `Loss`.
    """
    return find("loss", loss, Loss, LOSSES, _ALIASES)  # type: ignore[type-abstract]
