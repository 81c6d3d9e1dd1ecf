"""What every definition is made of: a name in a table, its numbers, and the checks of both.

An activation, a loss, an optimiser or an initialiser is one class. Its row in the table of its file is what a user
types (`activation="relu"`), what the C core calls its twin, and what the tests run over.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, fields
from types import MappingProxyType
from typing import ClassVar, TypeVar

T = TypeVar("T")


class Record:
    """A dataclass whose fields are set once; equality, hash and text are by what they hold.

    `@dataclass(frozen=True)` would write these methods out and compile them for each class anew, which was a third of
    the time of `import fastgd`; so what has this base is a `@dataclass(eq=False, repr=False)`.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_field = name in getattr(self, "__dataclass_fields__", ())
        if name in vars(self) if is_field else "__dataclass_fields__" in vars(type(self)):  # its class has named all
            raise FrozenInstanceError(f"{type(self).__name__} cannot be changed; make another with {name}={value!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"{type(self).__name__} cannot be changed: {name} stays")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return text_of(self, *vars(self))


def text_of(given: object, *names: str) -> str:
    """An object as one would type it, with these of its attributes."""
    return f"{type(given).__qualname__}({', '.join(f'{name}={getattr(given, name)!r}' for name in names)})"


_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


@dataclass(eq=False, repr=False)
class Definition(Record, ABC):
    """A function with a name and fixed numbers; its numbers are the fields of the dataclass, in their order.

    A field may hold one number, several (a tuple), or none (None).

    Attributes
    ----------
    name : str
        Its row in the table; the C core uses the same name.
    """

    name: ClassVar[str]

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers that the C core gets, in the order of the fields; before several, how many they are."""
        found: list[float] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                found += [float(len(value)), *map(float, value)]
            elif value is not None:
                found.append(float(value))
        return tuple(found)


def resolve(
    kind: str, given: object, base: type[T], table: Mapping[str, type[T]], aliases: Mapping[str, str] = _NO_ALIASES
) -> T:
    """`given` itself if it is an instance of `base`, else an instance of the class that it names.

    Parameters
    ----------
    kind : str
        What is looked for, as the messages say it: "activation", "loss" ...
    given : str or instance of `base`
        What the user typed.
    base : type
        The class of all rows.
    table : mapping of str to type
        The rows.
    aliases : mapping of str to str, default={}
        Names from other libraries, each with its row.

    Raises
    ------
    ValueError
        No row and no alias has this name (the message has the names and the closest one), or the row has a number
        without a default.
    TypeError
        `given` is neither a name nor an instance.
    """
    if isinstance(given, base):
        return given
    if isinstance(given, type) and issubclass(given, base):
        raise TypeError(f"{kind} must be an object, not a class: write {given.__name__}() instead of {given.__name__}")
    if not isinstance(given, str):
        raise TypeError(f"{kind} must be a name or an object of class {base.__name__}, not {given!r}")
    name = aliases.get(given, given)
    if name in table:
        return _with_defaults(kind, name, table[name])
    from difflib import get_close_matches  # only an error needs it

    close = get_close_matches(given.lower(), [*table, *aliases], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"unknown {kind} {given!r}: {hint}known are {', '.join(table)}")


def _with_defaults(kind: str, name: str, row: type[T]) -> T:
    try:
        return row()
    except TypeError:
        raise ValueError(f"{kind} {name!r} needs a number; give an object: {row.__name__}(...)") from None
