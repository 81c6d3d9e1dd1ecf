"""What the NumPy engine makes of a layer: its views of the flat vectors, and what it keeps of a pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from .._common.typing import Array
from ..activations import Activation
from ..optimizers.transforms import Part


class LayerLike(Protocol):
    """What an engine must know of a layer."""

    n_in: int
    n_out: int
    activation: Activation
    bias: bool


class LayerViews(NamedTuple):
    """Views of one layer: W, dW (n_in, n_out); b, db (n_out,), of length 0 without a bias."""

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
    """What a layer keeps for the way back: its inputs A (B, n_in) and what `activation.backward` reads (B, n_out).

    kept : (B, n_in) or None
        What noise has multiplied the inputs by.
    """

    A: Array
    x: Array
    kept: Array | None


def views_of(layers: Sequence[LayerLike], theta: Array, grad: Array) -> Iterator[LayerViews]:
    start = 0
    for layer in layers:
        shape, middle = (layer.n_in, layer.n_out), start + layer.n_in * layer.n_out
        stop = middle + layer.n_out * layer.bias
        W, dW = theta[start:middle].reshape(shape), grad[start:middle].reshape(shape)
        yield LayerViews(layer.activation, W, dW, theta[middle:stop], grad[middle:stop])
        start = stop


def parts_of(layers: Sequence[LayerLike]) -> Iterator[Part]:
    start = 0
    for layer in layers:
        middle = start + layer.n_in * layer.n_out
        stop = middle + layer.n_out * layer.bias
        yield slice(start, middle), (layer.n_in, layer.n_out)
        yield slice(middle, stop), None
        start = stop
