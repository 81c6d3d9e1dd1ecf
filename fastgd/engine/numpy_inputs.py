"""The NumPy engine's input layers: their views of the flat vectors, and the passes through all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._common.typing import Array
from ..layers.inputs import InputLayer
from ..optimizers.transforms import Part
from .contract import BAD_CODE


class InputPart(NamedTuple):
    """An input layer, and views of its parameters in theta and in grad, by name."""

    layer: InputLayer
    parameters: dict[str, Array]
    gradients: dict[str, Array]


class InputChain:
    """The input layers of a network.

    Parameters
    ----------
    layers : sequence of InputLayer
        They may be none.
    theta, grad : (size,)
        Parameters and gradient of the network, which are referenced. Those of these layers come first.

    Attributes
    ----------
    parts : list of Part
        The parameters in the order of theta.
    """

    def __init__(self, layers: Sequence[InputLayer], theta: Array, grad: Array) -> None:
        self._chain: list[InputPart] = []
        self.parts: list[Part] = []
        self._kept: list[Array] = []
        start = 0
        for layer in layers:
            views: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
            for name, shape in layer.shapes().items():
                place = slice(start, start + math.prod(shape))
                self.parts.append((place, None))
                for view, vector in zip(views, (theta, grad), strict=True):
                    view[name] = vector[place].reshape(shape)
                start = place.stop
            self._chain.append(InputPart(layer, *views))

    def outputs(self, A: Array) -> list[Array]:
        """The rows A (B, n_in), and the outputs of each layer in turn for them; ValueError for a code out of range."""
        outputs = [A]
        for layer, parameters, _ in self._chain:
            _check_codes(layer, outputs[-1])
            outputs.append(layer.forward(parameters, outputs[-1]))
        return outputs

    def forward(self, A: Array) -> Array:
        """The outputs of the last layer; what `backward` needs is kept."""
        *self._kept, out = self.outputs(A)
        return out

    def backward(self, dA: Array, accumulate: bool = False, power: int = 1) -> Array:
        """Gradients <- (or += to accumulate), from dA = dL/d outputs of the last layer; returns dL/dX (B, n_in).

        `power`: see `InputLayer.backward`.
        """
        for (layer, parameters, gradients), x in zip(reversed(self._chain), reversed(self._kept), strict=True):
            dA, summed = layer.backward(parameters, x, dA, power)
            for name, gradient in gradients.items():
                np.add(gradient if accumulate else 0, summed[name], out=gradient)
        return dA


def _check_codes(layer: InputLayer, x: Array) -> None:
    if layer.name != "embedding":
        return
    cardinalities = np.array(layer.sizes[::2])
    codes = x[:, list(layer.columns)]
    if not ((codes >= 0) & (codes < cardinalities) & (codes == np.floor(codes))).all():
        raise ValueError(BAD_CODE)
