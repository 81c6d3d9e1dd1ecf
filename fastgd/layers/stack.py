"""Sequences of layers: their checks, and the places of their parameters in the flat vectors."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .._common.checks import counted
from .._common.config import from_config, to_config
from .._common.typing import Array
from .dense import Dense
from .noise import NOISES, Noise


def split(stack: Sequence[Any]) -> tuple[tuple[Dense, ...], tuple[Noise | None, ...]]:
    """The dense layers of a stack, and for each the noise right before it, which is applied to its inputs.

    Raises
    ------
    TypeError
        An element is not a layer.
    ValueError
        There is no layer, widths do not match, noise has no layer after it, or a rowwise activation is not last.
    """
    layers: list[Dense] = []
    noises: list[Noise | None] = [None]
    for index, layer in enumerate(stack):
        if isinstance(layer, Noise):
            if noises[-1]:
                raise ValueError(f"{noises[-1]!r} and {layer!r} follow each other: only one noise may precede a Dense")
            noises[-1] = layer
            continue
        if isinstance(layer, (list, tuple)):
            raise TypeError("Sequential takes its layers one by one: write Sequential(*layers), not Sequential(layers)")
        if not isinstance(layer, Dense):
            raise TypeError(f"layer {index} must be a Dense, a Dropout or a GaussianNoise, not {layer!r}")
        if layers and layer.n_in != layers[-1].n_out:
            n, width = len(layers), layers[-1].n_out
            raise ValueError(
                f"layer {n} takes {counted(layer.n_in, 'column')}, but layer {n - 1} has {counted(width, 'output')}"
            )
        layers.append(layer)
        noises.append(None)
    if noises.pop():
        raise ValueError(f"{stack[-1]!r} at the end would add noise to the outputs: put it before the last Dense")
    if not layers:
        raise ValueError("Sequential needs at least one layer, as in Sequential(Dense(64, 10))")
    for index, layer in enumerate(layers[:-1]):
        if layer.activation.rowwise:
            raise ValueError(
                f"layer {index} has the activation {layer.activation.name}, which is for the last layer only, as it "
                'turns the outputs into probabilities; choose another one for hidden layers, such as "relu"'
            )
    return tuple(layers), tuple(noises)


def stacked(layers: Iterable[Dense], noises: Iterable[Noise | None]) -> tuple["Dense | Noise", ...]:
    """The stack from its dense layers and noises; the inverse of `split`."""
    pairs = zip(noises, layers, strict=True)
    return tuple(layer for pair in pairs for layer in pair if layer is not None)


def layer_to_config(layer: "Dense | Noise") -> dict[str, Any]:
    """A JSON-compatible description of a layer; TypeError for noise whose strength is user-defined code."""
    if isinstance(layer, Dense):
        return layer.to_config()
    try:
        return to_config(layer, NOISES)
    except TypeError:
        raise TypeError(
            f"{layer!r} cannot be saved because it has user-defined code: use a number or one of fastgd.schedules"
        ) from None


def layer_from_config(config: dict[str, Any]) -> "Dense | Noise":
    """The layer that `layer_to_config` described."""
    return from_config(config, NOISES) if "name" in config else Dense.from_config(config)


def shapes(layers: Iterable[Dense]) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters by name, in the order of theta."""
    return {f"{i}.{name}": shape for i, layer in enumerate(layers) for name, shape in layer.shapes().items()}


def views(layers: Iterable[Dense], vector: Array) -> dict[str, Array]:
    """The parameters by name, as views of a vector with the layout of theta."""
    parameters, start = {}, 0
    for name, shape in shapes(layers).items():
        stop = start + math.prod(shape)
        parameters[name] = vector[start:stop].reshape(shape)
        start = stop
    return parameters


def table(layers: Sequence[Dense], noises: Sequence[Noise | None]) -> list[str]:
    """The lines of a summary: a heading, then one line per layer or noise with its shapes and number of parameters."""
    rows = [("layer", "activation", "weight", "bias", "parameters")]
    for index, (noise, layer) in enumerate(zip(noises, layers, strict=True)):
        if noise:
            rows.append(("", repr(noise), "-", "-", "0"))
        shapes = layer.shapes()
        bias = str(shapes.get("bias", "-"))
        rows.append((str(index), layer.activation.name, str(shapes["weight"]), bias, f"{layer.size:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
