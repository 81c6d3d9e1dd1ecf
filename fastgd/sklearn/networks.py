"""The network of an estimator: its layers, its initial values, and its parameters by scikit-learn's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import activations
from .._common.checks import check_int, shown
from .._common.typing import Array
from ..activations import Activation
from ..layers import Dense, Dropout
from ..layers.stack import stacked
from ..models import Sequential
from ..schedules.base import Rate, is_scheduled


def hidden_widths(hidden_layer_sizes: Any) -> list[int]:
    """The widths of the hidden layers: an integer stands for one layer, a sequence may be empty.

    Raises
    ------
    TypeError, ValueError
        A width is not an integer of 1 or more.
    """
    sizes = hidden_layer_sizes.tolist() if isinstance(hidden_layer_sizes, np.ndarray) else hidden_layer_sizes
    sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    return [check_int("hidden_layer_sizes", size) for size in sizes]


def hidden_activations(activation: Any, count: int) -> list[Activation]:
    """The activation of each of `count` hidden layers, from one for all or a sequence with one for each.

    Raises
    ------
    TypeError, ValueError
        A name is unknown, or there is another number of them.
    """
    if not isinstance(activation, (list, tuple)):
        return [activations.get(activation)] * count
    if len(activation) != count:
        raise ValueError(f"activation must have one entry for each of {count} hidden layers, not {shown(activation)}")
    return [activations.get(each) for each in activation]


def build(
    widths: Sequence[int], hidden: Sequence[Activation], dropout: Rate, dtype: Any, seed: int, bias: bool = True
) -> Sequential:
    """A network of dense layers; the last one has no activation, as the loss applies it."""
    functions = [*hidden, activations.get("identity")]
    pairs = zip(widths[:-1], widths[1:], functions, strict=True)
    layers = [Dense(n_in, n_out, f, bias, "glorot_uniform", "glorot_uniform") for n_in, n_out, f in pairs]
    noise = Dropout(dropout) if is_scheduled(dropout) or dropout != 0 else None
    return Sequential(*stacked(layers, [None] + [noise] * (len(layers) - 1)), seed=seed, dtype=dtype)


def draw(model: Sequential, random_state: np.random.RandomState) -> None:
    """Draw weights and biases as scikit-learn does, so that the same `random_state` gives the same values.

    They are uniform in [-r, r) with r^2 = 6 / (n_in + n_out), biases included, or 2 / (n_in + n_out) around the
    logistic function; the output layer takes after the last hidden one.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """
    before: Activation | None = None
    for layer, (W, b) in zip(model.dense_layers, parameters_of(model), strict=True):
        activation = before if layer is model.dense_layers[-1] and before else layer.activation
        factor = 2.0 if activation.name == "sigmoid" else 6.0
        bound = np.sqrt(factor / (layer.n_in + layer.n_out))
        W[...] = random_state.uniform(-bound, bound, W.shape)
        b[...] = random_state.uniform(-bound, bound, b.shape)
        before = layer.activation


def parameters_of(model: Sequential) -> list[tuple[Array, Array]]:
    """W (n_in, n_out) and b (n_out,) of each layer, as views of theta; zeros for a layer without a bias."""
    named = model.parameters()
    zeros = [np.zeros(layer.n_out, model.dtype) for layer in model.layers]
    return [(named[f"{i}.weight"], named.get(f"{i}.bias", zeros[i])) for i in range(len(zeros))]


def penalized(model: Sequential) -> Array:
    """1 for each weight and 0 for each bias, (size,) in the order of theta."""
    parts = [np.full(view.size, float(name.endswith(".weight"))) for name, view in model.parameters().items()]
    return np.concatenate(parts)
