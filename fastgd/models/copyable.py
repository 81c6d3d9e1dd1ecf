"""Copies and pickles of a model."""

from collections.abc import Sequence
from typing import Any, TypeVar

from numpy.typing import DTypeLike

from .._common.typing import Array
from ..layers.dense import Dense
from ..layers.noise import Noise
from ..optimizers.binding import ModelIdentity
from .network_cache import ExecutorCache

Own = TypeVar("Own", bound="Copyable")

# What a copy has besides the architecture and theta.
_SAVED = ("inputs", "head", "passes", "identity", "frozen", "mask")


class Copyable:
    """A model whose copies own their parameters; the gradient of a copy starts at 0."""

    identity: ModelIdentity
    _theta: Array

    def _allocate(
        self,
        stack: Sequence[Dense | Noise],
        seed: int | None,
        dtype: DTypeLike,
        theta: Array | None = None,
        grad: Array | None = None,
        owner: ExecutorCache | None = None,
    ) -> None:
        """Set every attribute; theta and grad are those of another model, whose networks `owner` has, or else 0."""
        raise NotImplementedError

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
