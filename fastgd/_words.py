"""Losses, optimisers and schedules as JSON says them, for files: names and numbers, nothing that could be run."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

from . import schedules
from .averages import AVERAGES
from .schedules import Function, Schedule

T = TypeVar("T")

_KINDS: dict[str, type[Any]] = AVERAGES | {
    cls.__name__: cls
    for cls in vars(schedules).values()
    if isinstance(cls, type) and issubclass(cls, Schedule) and is_dataclass(cls) and cls is not Function
}


def to_words(given: Any, table: Mapping[str, type[Any]]) -> dict[str, Any]:
    """A row of a table with its settings.

    Raises
    ------
    TypeError
        A class or a function that is not fastgd's: what it does could not be read back.
    """
    kind = type(given).__name__
    name = str(getattr(given, "name", ""))
    if name not in table or type(given) is not table[name] or not is_dataclass(given):
        raise TypeError(f"a {kind} of your own cannot be saved: save the model alone (model.save), and keep your code")
    settings = {field.name: _value(field.name, getattr(given, field.name)) for field in fields(given) if field.init}
    return {"name": name, **settings}


def from_words(words: Mapping[str, Any], table: Mapping[str, type[T]]) -> T:
    """The row of `to_words`; an exception of some kind for words that are none."""
    settings = {name: _read(value) for name, value in words.items() if name != "name"}
    return table[words["name"]](**settings)


def _value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, (tuple, list)):
        return [_value(name, part) for part in value]
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return {"kind": "mapping", "items": [[key, _value(f"{name}[{key!r}]", part)] for key, part in value.items()]}
    if _KINDS.get(kind) is type(value):
        return {"kind": kind} | {f.name: _value(f"{name}.{f.name}", getattr(value, f.name)) for f in fields(value)}
    raise TypeError(
        f"{name}={value!r} cannot be saved, as it is code of your own: use a number or one of fastgd.schedules, "
        "or save the model alone (model.save)"
    )


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(part) for part in value)
    if isinstance(value, dict):
        if value["kind"] == "mapping":
            return {key: _read(part) for key, part in value["items"]}
        settings = {name: _read(part) for name, part in value.items() if name != "kind"}
        return _KINDS[value["kind"]](**settings)
    return value
