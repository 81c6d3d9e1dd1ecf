"""Which columns of a table are used, as what, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .encodings import ENCODINGS
from .kinds import Finding, duplicates, find_kind, is_leak, is_unique
from .values import Values

# What an index is called that pandas or polars has written without a name.
_INDEX = re.compile(r"Unnamed: \d+(\.\d+)?(_level_\d+)?|__index_level_\d+__|")


class Selection(NamedTuple):
    """The columns that are used, by name, and what was found.

    Attributes
    ----------
    kinds : dict of str to str
    findings : list of Finding
    """

    kinds: dict[str, str]
    findings: list[Finding]


def select(
    values: Mapping[str, Values], given_kinds: Mapping[str, str], target: Values | None, has_names: bool
) -> Selection:
    """Choose columns.

    Parameters
    ----------
    values : mapping of str to Values
        The columns of the table.
    given_kinds : mapping of str to str
        Kinds that the user has chosen; such columns are left out only if the kind says so.
    target : Values or None
    has_names : bool
        Whether the table has column names; the columns of an array are not taken for identifiers.
    """
    kinds: dict[str, str] = {}
    findings = _indices(values, given_kinds) if has_names else []
    for name in [name for name in values if name not in {finding.column for finding in findings}]:
        found = given_kinds.get(name)
        kind, reason = (found, "is not used because of its kind") if found else find_kind(values[name])
        if kind not in ENCODINGS and (has_names or found or values[name].form == "labels"):
            findings.append(Finding(name, kind, reason, dropped=True))
        elif values[name].n_distinct < 2 and not (values[name].n_distinct and values[name].missing.any()):
            message = "has only one value" if values[name].n_distinct else "has no values"
            findings.append(Finding(name, "constant", message, dropped=True))
        else:
            kinds[name] = kind if kind in ENCODINGS else "number"
    for name, first in list(duplicates({name: values[name] for name in kinds})):
        del kinds[name]
        findings.append(Finding(name, "duplicate", f"has the same values as {first!r}", dropped=True))
    return Selection(kinds, findings + _warnings(values, kinds, given_kinds, target))


def _indices(values: Mapping[str, Values], given_kinds: Mapping[str, str]) -> list[Finding]:
    """Leading columns that are an index."""
    found: list[Finding] = []
    for name in values:
        if name in given_kinds or not _INDEX.fullmatch(name):
            break
        found.append(Finding(name, "index", "is an index without a name", dropped=True))
    return found


def _warnings(
    values: Mapping[str, Values], kinds: Mapping[str, str], given_kinds: Mapping[str, str], target: Values | None
) -> list[Finding]:
    """What is remarkable about columns that are used all the same."""
    found = [
        Finding(name, "unique", "has a different integer in almost every row, as an identifier has", dropped=False)
        for name in kinds
        if name not in given_kinds and is_unique(values[name])
    ]
    leaks = [name for name in kinds if target is not None and is_leak(values[name], target)]
    return found + [Finding(name, "leak", "determines the target in every row", dropped=False) for name in leaks]
