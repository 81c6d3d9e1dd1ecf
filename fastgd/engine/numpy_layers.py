"""The NumPy engine's layers: views of the flat vectors, and the passes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from .._common.typing import Array
from ..activations import Activation
from ..optimizers.transforms import Part
from .numpy_products import Products


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


class LayerPass(NamedTuple):
    """What a layer keeps for the backward pass.

    Attributes
    ----------
    A : (B, n_in)
        Inputs, with noise.
    x : (B, n_out)
        What `activation.backward` reads: the layer's outputs or z.
    multipliers : (B, n_in) or None
        Factors of the gradient with respect to the inputs: what noise has multiplied these by.
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


def _as_they_are(l: int, A: Array) -> tuple[Array, None]:
    return A, None


def forward_pass(
    layers: Sequence[LayerViews],
    A: Array,
    products: Products,
    add_noise: Callable[[int, Array], tuple[Array, Array | None]] = _as_they_are,
) -> tuple[Array, list[LayerPass]]:
    """Outputs (B, n_out) of the rows A (B, n_in), and what the backward pass needs of each layer.

    `add_noise` (l, A) returns the inputs A of layer l with noise, and the multipliers of its `LayerPass`.
    """
    kept = []
    for l, layer in enumerate(layers):
        A, multipliers = add_noise(l, A)
        z = products.affine(A, layer.W, layer.b)
        a = layer.activation.forward(z)
        kept.append(LayerPass(A, z if layer.activation.saved == "z" else a, multipliers))
        A = a
    return A, kept


def backward_pass(
    layers: Sequence[LayerViews], kept: Sequence[LayerPass], dA: Array, products: Products
) -> Iterator[tuple[LayerViews, LayerPass, Array]]:
    """Each layer, last first, with what it kept and dL/dz (B, n_out) of z = A W + b, from dA = dL/d outputs."""
    for l in range(len(layers) - 1, -1, -1):
        dz = layers[l].activation.backward(kept[l].x, dA)
        yield layers[l], kept[l], dz
        if l > 0:
            dA = input_gradient(layers[l], kept[l], dz, products)


def input_gradient(layer: LayerViews, kept: LayerPass, dz: Array, products: Products) -> Array:
    """The gradient with respect to the inputs (B, n_in) of a layer, before noise, from dL/dz (B, n_out)."""
    dA = products.matmul(dz, layer.W.T)
    return dA if kept.multipliers is None else dA * kept.multipliers
