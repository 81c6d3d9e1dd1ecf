"""Layers: their shapes, and where each has its place in the flat vectors."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .._common.config import from_config, to_config
from .._common.typing import Array
from .dense import Dense
from .noise import NOISES, Noise


def split(stack: Sequence[Any]) -> tuple[tuple[Dense, ...], tuple[Noise | None, ...]]:
    """The dense layers of a stack, and for each the noise right before it, which disturbs its inputs.

    Raises
    ------
    TypeError, ValueError
        The stack is none: something else than layers in it, widths that do not fit, or noise that disturbs nothing.
    """
    layers: list[Dense] = []
    noises: list[Noise | None] = [None]
    for index, layer in enumerate(stack):
        if isinstance(layer, Noise):
            if noises[-1]:
                raise ValueError(f"{noises[-1]!r} and {layer!r} follow each other: only one noise may precede a Dense")
            noises[-1] = layer
            continue
        if not isinstance(layer, Dense):
            raise TypeError(f"layer {index} must be a Dense, a Dropout or a GaussianNoise, not {layer!r}")
        if layers and layer.n_in != layers[-1].n_out:
            n, given = len(layers), layers[-1].n_out
            raise ValueError(f"layer {n} takes {layer.n_in} columns, but layer {n - 1} gives {given}")
        layers.append(layer)
        noises.append(None)
    if noises.pop():
        raise ValueError(f"{stack[-1]!r} at the end would disturb the outputs: put it before the last Dense")
    if not layers:
        raise ValueError("Sequential needs at least one layer, as in Sequential(Dense(64, 10))")
    for index, layer in enumerate(layers[:-1]):
        if layer.activation.rowwise:
            raise ValueError(
                f"layer {index} has the activation {layer.activation.name}, which is for the last layer only: it makes "
                'probabilities of the outputs; choose another one for hidden layers, such as "relu"'
            )
    return tuple(layers), tuple(noises)


def stacked(layers: Iterable[Dense], noises: Iterable[Noise | None]) -> tuple["Dense | Noise", ...]:
    """The stack that `split` took apart."""
    pairs = zip(noises, layers, strict=True)
    return tuple(layer for pair in pairs for layer in pair if layer is not None)


def layer_to_config(layer: "Dense | Noise") -> dict[str, Any]:
    """A layer as JSON says it; TypeError for noise whose amount is code of the user's own."""
    if isinstance(layer, Dense):
        return layer.to_config()
    try:
        return to_config(layer, NOISES)
    except TypeError:
        raise TypeError(
            f"{layer!r} cannot be saved, as it has code of your own: use a number or one of fastgd.schedules"
        ) from None


def layer_from_config(words: dict[str, Any]) -> "Dense | Noise":
    """The layer of `layer_to_config`."""
    return from_config(words, NOISES) if "name" in words else Dense.from_config(words)


def shapes(layers: Iterable[Dense]) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters by name, in the order of theta."""
    return {f"{i}.{name}": shape for i, layer in enumerate(layers) for name, shape in layer.shapes().items()}


def views(layers: Iterable[Dense], vector: Array) -> dict[str, Array]:
    """The parameters by name, as views of a vector with the layout of theta."""
    found, start = {}, 0
    for name, shape in shapes(layers).items():
        stop = start + math.prod(shape)
        found[name] = vector[start:stop].reshape(shape)
        start = stop
    return found


def table(layers: Sequence[Dense], noises: Sequence[Noise | None]) -> list[str]:
    """One line a layer, below a heading: what it is, and its numbers of parameters."""
    rows = [("layer", "activation", "weight", "bias", "parameters")]
    for index, (noise, layer) in enumerate(zip(noises, layers, strict=True)):
        if noise:
            rows.append(("", repr(noise), "-", "-", "0"))
        shapes = layer.shapes()
        bias = str(shapes.get("bias", "-"))
        rows.append((str(index), layer.activation.name, str(shapes["weight"]), bias, f"{layer.size:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
