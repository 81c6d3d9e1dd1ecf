"""Files of several networks and a configuration, without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .._common.typing import Array
from ..models import Sequential, files

_FORMAT = "fastgd table model 1"


def save_members(
    path: files.Target, config: Mapping[str, Any], members: Sequence[Sequential], format: str | None = None
) -> None:
    """Write networks, and a configuration that JSON can hold."""
    arrays = {f"{i}.{name}": view for i, member in enumerate(members) for name, view in member.parameters().items()}
    described = {"format": _FORMAT, **config, "members": [member.to_config() for member in members]}
    files.save_arrays(path, described, arrays, format)


@contextmanager
def open_members(path: files.Target) -> Iterator[tuple[dict[str, Any], tuple[Sequential, ...]]]:
    """The configuration and the networks of `save_members`; whatever is wrong in the block becomes one ValueError.

    Raises
    ------
    ValueError
        The file is damaged or of another kind.
    """
    with files.open_arrays(path) as file:
        config = file.config
        if config.get("format") != _FORMAT:
            raise ValueError(f"its format is {config.get('format')!r}, not {_FORMAT!r} (gd.load reads models)")
        yield config, _read_members(config["members"], file)


class _Specs(Exception):
    """Not an error: what a network would read."""


def _read_members(configs: Sequence[dict[str, Any]], file: files.Reader) -> tuple[Sequential, ...]:
    """The networks; all arrays are requested together, so that the file is known to hold these and no others."""
    expected = {f"{i}.{name}": spec for i, config in enumerate(configs) for name, spec in _specs(config).items()}
    arrays = file.arrays(expected)

    def member(i: int) -> Sequential:
        return Sequential.from_config(configs[i], lambda specs: {name: arrays[f"{i}.{name}"] for name in specs})

    return tuple(member(i) for i in range(len(configs)))


def _specs(config: dict[str, Any]) -> files.ArraySpecs:
    """Shape and dtype of each parameter of a network, found before anything of that size is allocated."""

    def note(specs: files.ArraySpecs) -> Mapping[str, Array]:
        raise _Specs(specs)

    try:
        Sequential.from_config(config, note)
    except _Specs as found:
        specs: files.ArraySpecs = found.args[0]
    return specs
