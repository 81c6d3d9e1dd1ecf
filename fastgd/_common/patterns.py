"""Shell patterns that select parameters by name: `*` matches any string, `?` any character, `[01]` one of these."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matching(pattern: str, names: Iterable[str], of: str = "") -> list[str]:
    """The names that a pattern matches.

    Parameters
    ----------
    pattern : str
    names : iterable of str
    of : str, default=""
        The setting that has the pattern, for the message.

    Raises
    ------
    ValueError
        There are none.

    Examples
    --------
    >>> from fastgd._common.patterns import matching
    >>> matching("*.bias", ["0.weight", "0.bias", "1.weight"])
    ['0.bias']
    """
    names = list(names)
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        where = f" of {of}" if of else ""
        raise ValueError(f"the pattern {pattern!r}{where} matches no parameter; there are {', '.join(names)}")
    return found
