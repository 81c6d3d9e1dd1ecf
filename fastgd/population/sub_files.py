"""Several files of one kind within one file: the arrays of each have a prefix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._common.typing import Array
from ..models.files import ArraySpecs, Reader


class Part(Reader):
    """One of them, whose arrays have been read."""

    def __init__(self, config: dict[str, Any], prefix: str, arrays: Mapping[str, Array]) -> None:
        self.config, self._prefix, self._arrays = config, prefix, arrays

    def arrays(self, expected: ArraySpecs) -> dict[str, Array]:
        return {name: self._arrays[self._prefix + name] for name in expected}


class _Asked(Exception):
    """Not an error: what a part would read."""


class _Question(Reader):
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def arrays(self, expected: ArraySpecs) -> dict[str, Array]:
        raise _Asked(expected)


def specs_of(configs: Sequence[dict[str, Any]], load: Callable[[Reader], object]) -> dict[str, Any]:
    """Shape and dtype of all arrays of all parts, found before anything of that size is allocated.

    Asked for at once, the file is known to hold these and no others.
    """
    specs: dict[str, Any] = {}
    for i, config in enumerate(configs):
        try:
            load(_Question(config))
        except _Asked as asked:
            specs |= {f"{i}.{name}": spec for name, spec in asked.args[0].items()}
    return specs
