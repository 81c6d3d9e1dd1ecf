"""The outputs of each layer of a model, for diagnostics and plots."""

from collections.abc import Iterator

import numpy as np

from .. import backend
from .._common.typing import Array
from ..layers.dense import Dense
from .sequential import Sequential


def layer_outputs(model: Sequential, X: Array, n_threads: int = 0) -> Iterator[tuple[int, Dense, Array]]:
    """Yield index, layer and outputs (rows, n_out) of each layer in turn, for X (rows, n_in).

    Theta is stored layer by layer, so each layer is a network on its slice of theta, and the engine does the work.
    """
    engine, start = backend.choose(), 0
    for index, layer in enumerate(model.layers):
        part = slice(start, start + layer.size)
        out = np.empty((len(X), layer.n_out), model.dtype)
        with np.errstate(all="ignore"):
            engine.executor([layer], model.theta[part], model.grad[part]).predict(X, out, n_threads)
        yield index, layer, out
        X, start = out, part.stop
