"""Definitions: classes with a name in a registry and scalar parameters, and the lookup by that name.

An activation, a loss, an optimizer or an initializer is one class. Its name in the registry is what a user types
(`activation="relu"`), what the C core calls the same function, and what the tests iterate over.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, fields
from inspect import signature
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from .checks import check_float32, check_scalar, closest
from .explain import explains_arguments

T = TypeVar("T")


class Record:
    """Base of immutable dataclasses: fields are set once; equality, hash and repr follow from the fields.

    `@dataclass(frozen=True)` would generate and compile these methods for every class, which took a third of the time
    of `import fastgd`. Subclasses are therefore decorated with `@dataclass(eq=False, repr=False)`.

    Attributes
    ----------
    intervals : mapping of str to str
        The fields that are numbers, each with its interval as for `check_scalar`. They are checked and become floats;
        None passes if it is the default.
    """

    intervals: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        for name, interval in self.intervals.items():
            value = getattr(self, name)
            if value is not None or getattr(type(self), name, 0) is not None:
                object.__setattr__(self, name, self._check(name, value, interval))

    _check = staticmethod(check_scalar)

    def __setattr__(self, name: str, value: object) -> None:
        # A class that is a dataclass itself declares all its attributes; a plain subclass may add others.
        is_field = name in getattr(self, "__dataclass_fields__", ())
        if name in vars(self) if is_field else "__dataclass_fields__" in vars(type(self)):
            raise FrozenInstanceError(f"{type(self).__name__} cannot be changed; make another with {name}={value!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"{type(self).__name__} cannot be changed: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return format_call(self)


def set_fields(record: Record, **values: Any) -> None:
    """Replace fields of a record by their checked values; for `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(record, name, value)


def format_call(obj: object, *always: str) -> str:
    """The call that constructs `obj`, without arguments at their defaults, except those in `always`.

    Arguments that are not attributes are left out.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.SGD(lr=gd.Cosine(0.1), momentum=0.9)
    SGD(lr=Cosine(lr=0.1), momentum=0.9)
    """
    parameters = signature(type(obj)).parameters
    values = {name: getattr(obj, name) for name in parameters if hasattr(obj, name)}
    arguments = [
        f"{name}={getattr(value, '__qualname__', None) or repr(value)}"
        for name, value in values.items()
        if name in always or not _equal(value, parameters[name].default)
    ]
    return f"{type(obj).__qualname__}({', '.join(arguments)})"


def _equal(value: object, default: object) -> bool:
    """Whether they are the same setting, one number for all outputs included; arrays never are."""
    try:
        return value is default or bool(value == default) or value == (default,)
    except (TypeError, ValueError):
        return False


_NO_ALIASES: Mapping[str, Any] = MappingProxyType({})


@dataclass(eq=False, repr=False)
class Definition(Record, ABC):
    """A function with a name and constant parameters, which are the fields of the dataclass in their order.

    A field holds one number, a tuple of numbers, or None. Numbers are such that models of either dtype can hold them.

    Attributes
    ----------
    name : str
        The name in the registry; the C core uses the same name.
    """

    name: ClassVar[str]
    _check = staticmethod(check_float32)

    @property
    def params(self) -> tuple[float, ...]:
        """The parameters as the C core gets them: in the order of the fields, a tuple preceded by its length."""
        params: list[float] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                params += [float(len(value)), *map(float, value)]
            elif value is not None:
                params.append(float(value))
        return tuple(params)


def registry(*classes: type[T]) -> dict[str, type[T]]:
    """The classes by their names; arguments that a constructor does not have are explained."""
    return {cls.name: explains_arguments(cls) for cls in classes}  # type: ignore[attr-defined]


def resolve(
    kind: str, given: object, base: type[T], registry: Mapping[str, type[T]], aliases: Mapping[str, Any] = _NO_ALIASES
) -> T:
    """Return `given` if it is an instance of `base`, else a new instance of the class that it names.

    Parameters
    ----------
    kind : str
        Kind of object, for the messages: "activation", "loss" ...
    given : str or instance of `base`
        What the user passed.
    base : type
        Common base of the registered classes.
    registry : mapping of str to type
        The classes by name.
    aliases : mapping of str to str or instance of `base`, default={}
        Names used by other libraries, each with the registered name, or with an object where their defaults differ.

    Raises
    ------
    ValueError
        The name is unknown (the message lists the names and suggests the closest), or its class has a parameter
        without a default.
    TypeError
        `given` is neither a name nor an instance.
    """
    if isinstance(given, base):
        return given
    if isinstance(given, type) and issubclass(given, base):
        raise TypeError(
            f"{kind} must be an instance, not a class: write {given.__name__}() instead of {given.__name__}"
        )
    if not isinstance(given, str):
        raise TypeError(f"{kind} must be a name or an instance of {base.__name__}, not {given!r}")
    name = aliases.get(given, given)
    if isinstance(name, base):
        return name
    if name in registry:
        return _with_defaults(kind, name, registry[name])
    close = closest(given, [*registry, *aliases])
    hint = f"did you mean {close!r}? " if close else ""
    raise ValueError(f"unknown {kind} {given!r}: {hint}known are {', '.join(registry)}")


def _with_defaults(kind: str, name: str, cls: type[T]) -> T:
    try:
        return cls()
    except TypeError:
        raise ValueError(f"{kind} {name!r} needs a parameter: pass an object, {cls.__name__}(...)") from None
