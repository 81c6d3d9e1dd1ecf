"""Gradients of a loss for labels that follow the distribution which the outputs themselves predict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._common.exact_math import sigmoid, softmax
from .._common.typing import Array
from .base import Loss


def output_gradients(loss: Loss, Z: Array) -> Iterator[Array]:
    """Vectors v (B, n_out) of each row whose sum of outer products v v^T is E[g g^T], g = dL/dz, over predicted labels.

    Any linear function of g, such as the derivative of the loss by a parameter, thus has the expected square that the
    squares of the same function of each v add up to.

    Parameters
    ----------
    loss : Loss
        One with the link "softmax" or "sigmoid".
    Z : ndarray (B, n_out)
        Logits.

    Raises
    ------
    ValueError
        The loss has another link.
    """
    if loss.link == "softmax":
        return _of_classes(loss, Z)
    if loss.link == "sigmoid":
        return _of_binary_labels(loss, Z)
    raise ValueError(
        f"the loss {loss.name!r} defines no probabilities of labels: use the loss of a classifier, such as "
        '"cross_entropy" or "bce"'
    )


def _of_classes(loss: Loss, Z: Array) -> Iterator[Array]:
    """sqrt(p_c) g(c) for each class c."""
    rows, n = Z.shape
    for label, p in enumerate(softmax(Z).T):
        Y = np.full(rows, label) if loss.target == "labels" else np.tile(np.arange(n) == label, (rows, 1))
        yield np.sqrt(p)[:, np.newaxis] * loss.gradient(Z, Y)


def _of_binary_labels(loss: Loss, Z: Array) -> Iterator[Array]:
    """The labels of different outputs are independent: the deviation of g in each output alone, and the mean of g."""
    p, negative, positive = sigmoid(Z), loss.gradient(Z, np.zeros_like(Z)), loss.gradient(Z, np.ones_like(Z))
    deviation = np.sqrt(p * (1 - p)) * (positive - negative)
    for output in range(Z.shape[1]):
        v = np.zeros_like(Z)
        v[:, output] = deviation[:, output]
        yield v
    mean = (1 - p) * negative + p * positive
    if mean.any():  # 0 for the cross-entropy without smoothing or weights, up to rounding
        yield mean
