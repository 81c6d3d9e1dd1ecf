"""Which model an optimizer belongs to: its state continues the training of one model, and is wrong for any other."""

from __future__ import annotations

import copy
import os
from typing import Any


class ModelIdentity:
    """Tells models apart: a copy of a model has another identity, one that was pickled and loaded has the same."""

    def __init__(self) -> None:
        self._key = os.urandom(16)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelIdentity) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelIdentity:
        return ModelIdentity()


class Bond:
    """The model that an optimizer belongs to.

    A deep copy belongs to the copy of the model that is made along with it, or else to the model itself: whichever it
    is used with first.
    """

    def __init__(self, *identities: Any) -> None:
        self._identities = identities

    def holds(self, model: object) -> bool:
        """Whether the optimizer may be used with this model."""
        return identity_of(model) in self._identities

    def __deepcopy__(self, memo: dict[int, Any]) -> Bond:
        return Bond(*self._identities, *copy.deepcopy(self._identities, memo))


def identity_of(model: object) -> Any:
    """The `identity` of a model, a `ModelIdentity`; a custom model without one is itself its identity."""
    return getattr(model, "identity", model)
