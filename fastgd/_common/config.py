"""Objects as JSON-compatible dictionaries, for files: names and values, nothing that could be executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

from .explain import explains_arguments

T = TypeVar("T")

_CONFIGURABLE: dict[str, type[Any]] = {}


def configurable(cls: type[T]) -> type[T]:
    """Class decorator: instances of this dataclass may be settings of a saved object, as schedules and averages are."""
    _CONFIGURABLE[cls.__name__] = cls
    return explains_arguments(cls)


def to_config(obj: Any, registry: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The registered name of an object together with its settings.

    Raises
    ------
    TypeError
        The class is not in the registry, or a setting is user-defined code: neither could be restored from a file.
    """
    kind = type(obj).__name__
    name = str(getattr(obj, "name", ""))
    if name not in registry or type(obj) is not registry[name] or not is_dataclass(obj):
        raise TypeError(f"a custom {kind} cannot be saved: save the model alone (model.save), and keep your code")
    settings = {field.name: _encode(field.name, getattr(obj, field.name)) for field in fields(obj) if field.init}
    return {"name": name, **settings}


def from_config(config: Mapping[str, Any], registry: Mapping[str, type[T]]) -> T:
    """The object that `to_config` described; any other dictionary raises an exception of some kind."""
    settings = {name: _decode(value) for name, value in config.items() if name != "name"}
    return registry[config["name"]](**settings)


def _encode(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, (tuple, list)):
        return [_encode(name, item) for item in value]
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return {"kind": "mapping", "items": [[key, _encode(f"{name}[{key!r}]", item)] for key, item in value.items()]}
    if _CONFIGURABLE.get(kind) is type(value):
        return {"kind": kind} | {f.name: _encode(f"{name}.{f.name}", getattr(value, f.name)) for f in fields(value)}
    raise TypeError(
        f"{name}={value!r} cannot be saved because it is user-defined code: use a number or one of "
        "fastgd.schedules, or save the model alone (model.save)"
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if isinstance(value, dict):
        if value["kind"] == "mapping":
            return {key: _decode(item) for key, item in value["items"]}
        settings = {name: _decode(item) for name, item in value.items() if name != "kind"}
        return _CONFIGURABLE[value["kind"]](**settings)
    return value
