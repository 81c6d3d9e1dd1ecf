"""The NumPy engine's layers: views of the flat vectors, and what a forward pass keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from .._common.typing import Array
from ..activations import Activation
from ..optimizers.transforms import Part


class LayerLike(Protocol):
    """What an engine reads of a layer."""

    n_in: int
    n_out: int
    activation: Activation
    bias: bool


class LayerViews(NamedTuple):
    """Views of one layer's part of theta and grad.

    Attributes
    ----------
    activation : Activation
    W, dW : (n_in, n_out)
    b, db : (n_out,), or (0,) without a bias
    """

    activation: Activation
    W: Array
    dW: Array
    b: Array
    db: Array

    def products(self, A: Array) -> Array:
        """z = A W + b, (B, n_out)."""
        z: Array = A @ self.W
        return z + self.b if self.b.size else z


class LayerPass(NamedTuple):
    """What a layer keeps for the backward pass.

    Attributes
    ----------
    A : (B, n_in)
        Inputs, with noise.
    x : (B, n_out)
        What `activation.backward` reads: the layer's outputs or z.
    multipliers : (B, n_in) or None
        What noise has multiplied the inputs by.
    """

    A: Array
    x: Array
    multipliers: Array | None


def views_of(layers: Sequence[LayerLike], theta: Array, grad: Array, start: int) -> Iterator[LayerViews]:
    """Views of each layer in theta and grad, (size,), in which the first one is at `start`."""
    for layer in layers:
        shape, middle = (layer.n_in, layer.n_out), start + layer.n_in * layer.n_out
        stop = middle + layer.n_out * layer.bias
        W, dW = theta[start:middle].reshape(shape), grad[start:middle].reshape(shape)
        yield LayerViews(layer.activation, W, dW, theta[middle:stop], grad[middle:stop])
        start = stop


def parts_of(layers: Sequence[LayerLike], start: int) -> Iterator[Part]:
    """W and b of each layer, as parts of the flat vectors from `start` on; the b of a layer without a bias is empty."""
    for layer in layers:
        middle = start + layer.n_in * layer.n_out
        stop = middle + layer.n_out * layer.bias
        yield slice(start, middle), (layer.n_in, layer.n_out)
        yield slice(middle, stop), None
        start = stop
