"""The outputs of each layer of a model, by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backend
from .._common.typing import Array
from ..layers.dense import Dense
from ..layers.stack import Layer, input_layers


def layer_outputs(
    model: Any, X: Array, n_threads: int = 0, kind: str = "outputs"
) -> Iterator[tuple[int, Dense, Array]]:
    """Yield index, layer and outputs (rows, n_out) of each dense layer in turn, for X (rows, n_in).

    Theta is stored layer by layer, so each layer is a network on its slice of theta, the first one together with the
    input layers before it, and the engine does the work.

    Parameters
    ----------
    model : Sequential
    X : ndarray
        As the network takes it.
    n_threads : int, default=0
    kind : {"outputs", "pre-activations"}, default="outputs"
        "pre-activations": what the activation of the layer is applied to.
    """
    engine, start, before = backend.choose(), 0, input_layers(model.layers)
    for index, layer in enumerate(model.dense_layers, start=len(before)):
        others: list[Layer] = list(before) if start == 0 else []
        part = slice(start, start + sum(each.size for each in (*others, layer)))
        vectors = model.theta[part], model.grad[part]
        out = np.empty((len(X), layer.n_out), model.dtype)
        with np.errstate(all="ignore"):
            engine.executor([*others, layer], *vectors).predict(X, out, n_threads)
            if kind == "outputs":
                yield index, layer, out
            else:
                linear, z = Dense(layer.n_in, layer.n_out, "identity", layer.bias), np.empty_like(out)
                engine.executor([*others, linear], *vectors).predict(X, z, n_threads)
                yield index, layer, z
        X, start = out, part.stop


def dead_units(out: Array) -> int:
    """The number of units whose outputs, the columns of `out`, are the same for all rows."""
    return int((out == out[0]).all(axis=0).sum())
