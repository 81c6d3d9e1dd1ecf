"""What goes on inside a network: the outputs of each of its layers."""

from collections.abc import Iterator

import numpy as np

from .. import backend
from .._common.typing import Array
from ..layers.dense import Dense
from .sequential import Sequential


def outputs_of_layers(model: Sequential, X: Array, n_threads: int = 0) -> Iterator[tuple[int, Dense, Array]]:
    """Number, layer and outputs (rows, n_out) of one layer after the other, for X (rows, n_in).

    Theta is layer by layer, so each layer is a network of its own on a part of it, and the engine does the work.
    """
    engine, start = backend.choose(), 0
    for index, layer in enumerate(model.layers):
        part = slice(start, start + layer.size)
        out = np.empty((len(X), layer.n_out), model.dtype)
        with np.errstate(all="ignore"):
            engine.executor([layer], model.theta[part], model.grad[part]).predict(X, out, n_threads)
        yield index, layer, out
        X, start = out, part.stop
