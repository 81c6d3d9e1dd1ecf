"""Models without scaling that predict what a model with scaling does."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from ..layers.dense import Dense
from ..layers.stack import stacked


def fold(model: Any) -> Any:
    """See `Sequential.fold_standardization`.

    With x' = (x - mean) / std, the first layer's x' W + b is x (W / std) + (b - (mean / std) W); with
    y = y' std + mean, the last layer's a W + b becomes a (W std) + (b std + mean).  Both need a bias, which a layer
    without one gets.  The result is float64: differences of large values would lose digits in float32.
    """
    inputs, targets = model.inputs.scaling, model.head.scaling
    if inputs and model.layers[0] is not model.dense_layers[0]:
        raise ValueError(
            f"the scaling of X cannot become part of {model.layers[0]!r}: only a Dense as the first layer can take it"
        )
    first, last = (0 if inputs else None), (len(model.layers) - 1 if targets else None)
    layers = [_with_bias(layer) if index in (first, last) else layer for index, layer in enumerate(model.layers)]
    folded = type(model)(*stacked(layers, model.noises), seed=model.seed, dtype="float64")
    theta = {name: values.astype(np.float64) for name, values in model.parameters().items()}
    if inputs:
        theta["0.weight"] = theta["0.weight"] / inputs.std[:, np.newaxis]
        theta["0.bias"] = theta.get("0.bias", 0.0) - inputs.mean @ theta["0.weight"]
    if targets:
        theta[f"{last}.weight"] = theta[f"{last}.weight"] * targets.std
        theta[f"{last}.bias"] = theta.get(f"{last}.bias", 0.0) * targets.std + targets.mean
    for name, view in folded.parameters().items():
        view[:] = theta[name]
    folded.inputs, folded.head = replace(model.inputs, scaling=None), replace(model.head, scaling=None)
    return folded


def _with_bias(layer: Dense) -> Dense:
    if layer.bias:
        return layer
    layer = copy.copy(layer)
    layer.bias = True
    return layer
