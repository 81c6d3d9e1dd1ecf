"""Sequences of layers: their checks, and the places of their parameters in the flat vectors."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from .._common.checks import counted
from .._common.config import from_config, to_config
from .._common.typing import Array
from .dense import Dense
from .embedding import Embedding
from .inputs import InputLayer, Scale
from .noise import NOISES, Noise
from .periodic import PeriodicEmbedding

INPUT_LAYERS: dict[str, type[InputLayer]] = {layer.name: layer for layer in (Scale, Embedding, PeriodicEmbedding)}

# A layer with parameters, and any layer.
Layer: TypeAlias = Dense | InputLayer
AnyLayer: TypeAlias = Dense | InputLayer | Noise


def split(stack: Sequence[Any]) -> tuple[tuple[Layer, ...], tuple[Noise | None, ...]]:
    """The layers of a stack that have parameters, and for each the noise right before it, applied to its inputs.

    Raises
    ------
    TypeError
        An element is not a layer.
    ValueError
        There is no dense layer, widths do not match, an input layer follows another kind, noise has no layer after it,
        or a rowwise activation is not last.
    """
    layers: list[Layer] = []
    noises: list[Noise | None] = [None]
    for index, layer in enumerate(stack):
        if isinstance(layer, Noise):
            if noises[-1]:
                raise ValueError(
                    f"{noises[-1]!r} and {layer!r} follow each other: only one of them may precede a Dense"
                )
            noises[-1] = layer
            continue
        _check_layer(layer, index)
        _check_place(layer, layers, noises[-1])
        layers.append(layer)
        noises.append(None)
    if noises.pop():
        raise ValueError(f"{stack[-1]!r} acts on the inputs of a Dense, but none follows: put it before the last Dense")
    if not layers:
        raise ValueError("Sequential needs at least one layer, as in Sequential(Dense(64, 10))")
    if not isinstance(layers[-1], Dense):
        raise ValueError(f"{layers[-1]!r} at the end has no layer that takes its outputs: put a Dense after it")
    for index, layer in enumerate(layers[:-1]):
        if isinstance(layer, Dense) and layer.activation.rowwise:
            raise ValueError(
                f"layer {index} has the activation {layer.activation.name}, which is for the last layer only, as it "
                'turns the outputs into probabilities; choose another one for hidden layers, such as "relu"'
            )
    return tuple(layers), tuple(noises)


def _check_layer(layer: Any, index: int) -> None:
    if isinstance(layer, (list, tuple)):
        raise TypeError("Sequential takes its layers one by one: write Sequential(*layers), not Sequential(layers)")
    if not isinstance(layer, (Dense, InputLayer)):
        raise TypeError(
            f"layer {index} must be a Dense, a Dropout, a GaussianNoise or a GradientReversal, or before the first "
            f"Dense an Embedding, a PeriodicEmbedding or a Scale, not {layer!r}"
        )


def _check_place(layer: Layer, before: Sequence[Layer], noise: Noise | None) -> None:
    """Raise ValueError unless a layer may follow the ones before it, with noise in between."""
    n = len(before)
    if before and layer.n_in != before[-1].n_out:
        width = counted(before[-1].n_out, "output")
        raise ValueError(f"layer {n} takes {counted(layer.n_in, 'column')}, but layer {n - 1} has {width}")
    if isinstance(layer, Dense):
        return
    if noise:
        raise ValueError(f"{noise!r} before {layer!r} would change the columns that it reads: put it before a Dense")
    if before and isinstance(before[-1], Dense):
        raise ValueError(f"{layer!r} must come before the first Dense, not after layer {n - 1}, {before[-1]!r}")
    if before and isinstance(layer, Embedding):
        raise ValueError(f"{layer!r} must be the first layer, because its codes are columns of X")


def input_layers(layers: Iterable[Layer]) -> tuple[InputLayer, ...]:
    """Those before the first dense layer."""
    return tuple(layer for layer in layers if isinstance(layer, InputLayer))


def dense_layers(layers: Iterable[Layer]) -> tuple[Dense, ...]:
    """The dense ones."""
    return tuple(layer for layer in layers if isinstance(layer, Dense))


def code_columns(layers: Sequence[Layer]) -> dict[int, int]:
    """The number of categories of each column of X that holds codes; none without an `Embedding`."""
    first = layers[0]
    return first.cardinalities if isinstance(first, Embedding) else {}


def stacked(layers: Iterable[Layer], noises: Iterable[Noise | None]) -> tuple[AnyLayer, ...]:
    """The stack from its layers with parameters and noises; the inverse of `split`."""
    pairs = zip(noises, layers, strict=True)
    return tuple(layer for pair in pairs for layer in pair if layer is not None)


def layer_to_config(layer: AnyLayer) -> dict[str, Any]:
    """A JSON-compatible description of a layer; TypeError for noise whose strength is user-defined code."""
    if isinstance(layer, (Dense, InputLayer)):
        return layer.to_config()
    try:
        return to_config(layer, NOISES)
    except TypeError:
        raise TypeError(
            f"{layer!r} cannot be saved because it has user-defined code: use a number or one of fastgd.schedules"
        ) from None


def layer_from_config(config: dict[str, Any]) -> AnyLayer:
    """The layer that `layer_to_config` described."""
    if "name" not in config:
        return Dense.from_config(config)
    if config["name"] in INPUT_LAYERS:
        return INPUT_LAYERS[config["name"]].from_config(config)
    noise: Noise = from_config(config, NOISES)
    return noise


def shapes(layers: Iterable[Layer]) -> dict[str, tuple[int, ...]]:
    """Shapes of all parameters by name, in the order of theta."""
    return {f"{i}.{name}": shape for i, layer in enumerate(layers) for name, shape in layer.shapes().items()}


def views(layers: Iterable[Layer], vector: Array) -> dict[str, Array]:
    """The parameters by name, as views of a vector with the layout of theta."""
    parameters, start = {}, 0
    for name, shape in shapes(layers).items():
        stop = start + math.prod(shape)
        parameters[name] = vector[start:stop].reshape(shape)
        start = stop
    return parameters


def table(layers: Sequence[Layer], noises: Sequence[Noise | None]) -> list[str]:
    """The lines of a summary: a heading, then one line per layer or noise with its shapes and number of parameters."""
    rows = [("layer", "activation", "weight", "bias", "parameters")]
    for index, (noise, layer) in enumerate(zip(noises, layers, strict=True)):
        if noise:
            rows.append(("", repr(noise), "-", "-", "0"))
        rows.append((str(index), *_described(layer), f"{layer.size:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _described(layer: Layer) -> tuple[str, str, str]:
    """Activation and shapes of a dense layer; the kind of an input layer, and how it changes the width."""
    if isinstance(layer, InputLayer):
        return type(layer).__name__, f"{layer.n_in} -> {layer.n_out}", "-"
    shapes = layer.shapes()
    return layer.activation.name, str(shapes["weight"]), str(shapes.get("bias", "-"))
