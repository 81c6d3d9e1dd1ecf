"""Arguments and attributes that do not exist: the error says what fastgd calls them, and where they belong."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .checks import closest, shown

F = TypeVar("F", bound=Callable[..., Any])

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def explains_arguments(f: F) -> F:
    """Decorator of a function, or of a class for its constructor: a TypeError about the arguments says what to write.

    The signature stays that of `f`, and a call that succeeds costs one more Python call.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.SGD(learning_rate=0.1)
    Traceback (most recent call last):
    ...
    TypeError: SGD has no argument 'learning_rate': write lr=...
    """
    if isinstance(f, type):
        f.__init__ = _explaining(f.__init__, is_constructor=True)  # type: ignore[misc]
        return f
    return _explaining(f, is_constructor=False)  # type: ignore[no-any-return]


def _explaining(f: Any, is_constructor: bool) -> Any:
    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from within f: the arguments are those that it has
            name = type(args[0]).__name__ if is_constructor else f.__name__
            explanation = _explanation(name, f, args, kwargs)
            if explanation is None:
                raise
            raise TypeError(explanation) from None

    return call


def _explanation(name: str, f: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call that Python refused; None if Python's own words are as good."""
    parameters = inspect.signature(f).parameters
    for keyword in kwargs:
        if keyword not in parameters:
            return f"{name} has no argument {keyword!r}{_advice(keyword, [p for p in parameters if p != 'self'])}"
    by_position = [p.name for p in parameters.values() if p.kind in _BY_POSITION]
    by_name = [p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    surplus = args[len(by_position) :]
    if surplus and len(surplus) <= len(by_name):
        settings = ", ".join(f"{key}={shown(value)}" for key, value in zip(by_name, surplus, strict=False))
        return f"{name} takes its settings by name: write {settings}"
    for value, twice in zip(args, by_position, strict=False):
        if twice in kwargs:
            if twice == "lr" and (remark := remark_on_parameters(name, value)):
                return remark
            return f"{name} is given {twice} twice: {shown(value)} by position and {shown(kwargs[twice])} by name"
    return None


def remark_on_parameters(name: str, lr: Any) -> str:
    """What to say where a model or its parameters are given as lr, as in PyTorch; "" if they are not."""
    from . import names

    are_parameters = isinstance(lr, (Mapping, Iterator)) or getattr(lr, "ndim", 0) > 0 or hasattr(lr, "theta")
    return f"{name} is given {type(lr).__name__!r} as lr: {names.REMARKS['params']}" if are_parameters else ""


def _advice(keyword: str, parameters: Sequence[str]) -> str:
    from . import names  # on use: only errors need them

    meant = [keyword, *names.OURS.get(keyword, ())]
    for ours in meant:
        if ours in parameters:
            return f": write {ours}=..."
    if keyword in names.REMARKS:
        return f": {names.REMARKS[keyword]}"
    for ours in meant:
        if ours in names.PLACES:
            return f": {names.PLACES[ours]}"
    similar = closest(keyword, parameters)
    return f": did you mean {similar}=...?" if similar else f"; it has {', '.join(parameters) or 'none'}"


class ExplainsAttributes:
    """Base of classes whose objects explain the methods that those of other libraries have."""

    if not TYPE_CHECKING:  # type checkers are to report unknown names

        def __getattr__(self, name):
            advice = ""
            if not name.startswith("_"):
                from . import names

                found = (names.ATTRIBUTES.get(cls.__name__, {}).get(name) for cls in type(self).__mro__)
                advice = next((f": {text}" for text in found if text), "")
            message = f"{type(self).__name__!r} object has no attribute {name!r}{advice}"
            raise AttributeError(message, name=name, obj=self)


def advice_on_public_name(name: str, known: Sequence[str], modules: Mapping[str, Sequence[str]]) -> str:
    """What to write instead of a name that the package does not have; "" if nothing is similar.

    Parameters
    ----------
    name : str
    known : sequence of str
        The public names.
    modules : mapping of str to sequence of str
        The names in each public module.
    """
    from . import names

    if name in names.PUBLIC:
        return f": use fastgd.{names.PUBLIC[name]}"
    for module, inside in modules.items():
        if name in inside:
            return f": use fastgd.{module}.{name}"
    similar = closest(name, known)
    return f": did you mean fastgd.{similar}?" if similar else ""
