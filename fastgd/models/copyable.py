"""The attributes of a model: their allocation, copies and pickles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from .._common import random
from .._common.memory import zeros
from .._common.typing import Array
from ..data.arrays import check_model_dtype
from ..data.inputs import InputSpec
from ..data.outputs import OutputSpec
from ..layers.dense import Dense
from ..layers.noise import Noise
from ..layers.stack import AnyLayer, Layer, code_columns, dense_layers, split
from ..optimizers.binding import ModelIdentity
from .network_cache import ExecutorCache

Own = TypeVar("Own", bound="Copyable")

# What a copy has besides the architecture and theta.
_SAVED = ("inputs", "head", "passes", "identity", "frozen", "mask")


class Copyable:
    """A model whose copies own their parameters; the gradient of a copy starts at 0."""

    layers: tuple[Layer, ...]
    dense_layers: tuple[Dense, ...]
    noises: tuple[Noise | None, ...]
    _reverses: bool
    passes: int
    n_in: int
    n_out: int
    size: int
    dtype: np.dtype[Any]
    seed: int
    inputs: InputSpec
    head: OutputSpec
    identity: ModelIdentity
    mask: Array | None
    _theta: Array
    _grad: Array
    _executors: ExecutorCache

    def _allocate(
        self,
        stack: Sequence[AnyLayer],
        seed: int | None,
        dtype: DTypeLike,
        theta: Array | None = None,
        grad: Array | None = None,
        owner: ExecutorCache | None = None,
    ) -> None:
        """Set every attribute; theta and grad are those of another model, whose networks `owner` has, or else 0."""
        layers, noises = split(stack)
        self.layers, self.noises, self.passes = layers, noises, 0
        self._reverses = any(noise.is_backward for noise in noises if noise)
        self.dense_layers = dense_layers(layers)
        self.n_in, self.n_out = layers[0].n_in, layers[-1].n_out
        self.size = sum(layer.size for layer in layers)
        self.dtype = check_model_dtype(dtype)
        self.seed = random.new_seed() if seed is None else random.check_seed(seed)
        self.inputs, self.head = self._initial_inputs(), self._initial_head()
        self.identity = ModelIdentity()
        self._theta = zeros(self.size, self.dtype) if theta is None else theta
        self._grad = zeros(self.size, self.dtype) if grad is None else grad
        self._executors = ExecutorCache(layers, noises, self._theta, self._grad, owner)

    def _initial_inputs(self) -> InputSpec:
        """The specification of an untrained model, which knows of its columns only which hold codes."""
        return InputSpec(codes=tuple(code_columns(self.layers).items()))

    def _initial_head(self) -> OutputSpec:
        """The head of an untrained model, for which only a softmax tells what the outputs mean."""
        return OutputSpec("softmax" if self.dense_layers[-1].activation.rowwise else "identity")

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stack", "seed", "dtype", "theta", *_SAVED)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._allocate(state["stack"], state["seed"], state["dtype"])
        for name in _SAVED:
            setattr(self, name, state.get(name, getattr(self, name)))  # pickles of earlier releases lack some
        self._theta[:] = state["theta"]

    def __copy__(self: Own) -> Own:
        duplicate = type(self).__new__(type(self))
        duplicate.__setstate__(self.__getstate__() | {"identity": ModelIdentity()})
        return duplicate
