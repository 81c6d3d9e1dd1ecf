"""Parameter groups: factors on settings for the parameters whose names match a pattern."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_scalar
from .._common.patterns import matching
from .._common.typing import Floats
from ..schedules.base import evaluate, is_scheduled

# The settings that a group may scale, with the interval of the factor.
FACTORS = {"lr": "[0, inf)", "weight_decay": "[0, inf)", "l1": "[0, inf)", "max_norm": "(0, inf)"}

# The factors of parameters that do not change.
FROZEN: Mapping[str, Any] = {"lr": 0.0, "weight_decay": 0.0, "l1": 0.0, "max_norm": None}


def with_frozen(groups: Mapping[str, Any] | None, frozen: Iterable[str]) -> Mapping[str, Any] | None:
    """The groups of an optimizer for a model with patterns of frozen parameters, which come before all others."""
    frozen = tuple(frozen)
    if not frozen:
        return groups
    others = {pattern: factors for pattern, factors in (groups or {}).items() if pattern not in frozen}
    return others | dict.fromkeys(frozen, FROZEN)


def checked_groups(groups: Any) -> dict[str, dict[str, Any]]:
    """A copy of the mapping {pattern: {setting: factor}}.

    Raises
    ------
    TypeError, ValueError
        It is not such a mapping, or a factor is out of range.
    """
    if not isinstance(groups, Mapping) or not all(isinstance(factors, Mapping) for factors in groups.values()):
        raise TypeError(f'groups must be a mapping such as {{"*.bias": {{"weight_decay": 0.0}}}}, not {groups!r}')
    for pattern, factors in groups.items():
        if not isinstance(pattern, str):
            raise TypeError(f'a pattern of groups must be a string such as "*.bias", not {pattern!r}')
        for name, factor in factors.items():
            if name not in FACTORS:
                raise ValueError(f"groups[{pattern!r}] has {name!r}, but a group has factors on {', '.join(FACTORS)}")
            if not is_scheduled(factor) and not (name == "max_norm" and factor is None):
                check_scalar(f"groups[{pattern!r}][{name!r}]", factor, FACTORS[name])
    return {pattern: dict(factors) for pattern, factors in groups.items()}


def evaluate_factors(groups: Mapping[str, Any] | None, times: Floats, total_epochs: float) -> list[dict[str, Any]]:
    """The factors of each group at these times; the first group has the parameters that match no pattern."""
    values: list[dict[str, Any]] = [{}]
    for factors in (groups or {}).values():
        values.append({})
        for name, factor in factors.items():
            if factor is None:
                values[-1][name] = math.inf
            else:
                values[-1][name] = evaluate(f"the factor on {name}", factor, FACTORS[name], times, total_epochs)
    return values


def list_parts(names: Iterable[str]) -> list[str | None]:
    """The parameters as engines count them: those of input layers, then W and b of each dense layer.

    None stands for the b of a dense layer that has none.
    """
    parts: list[str | None] = []
    for name in names:
        if name.endswith(".bias"):
            parts[-1] = name  # in the place that its weight has left for it
        else:
            parts += [name, None] if name.endswith(".weight") else [name]
    return parts


def assign_groups(groups: Mapping[str, Any] | None, names: Iterable[str]) -> NDArray[np.int64]:
    """The group of each parameter: the position, from 1, of the last matching pattern, or 0.

    They are those of `list_parts`.

    Parameters
    ----------
    groups : mapping of str to factors, or None
        Shell patterns: `*` matches any string, `?` any character, `[01]` one of these characters.
    names : iterable of str
        Names of the parameters in the order of theta: "0.scale", "1.weight", "1.bias", "2.weight" ...

    Raises
    ------
    ValueError
        A pattern matches no name.

    Examples
    --------
    >>> from fastgd.optimizers.groups import assign_groups
    >>> assign_groups({"*.bias": {"weight_decay": 0.0}}, ["0.weight", "0.bias", "1.weight"])
    array([0, 1, 0, 0])
    """
    names = list(names)
    group_of: dict[str | None, int] = {}
    for group, pattern in enumerate(groups or (), start=1):
        group_of |= dict.fromkeys(matching(pattern, names, "groups"), group)
    return np.array([group_of.get(name, 0) for name in list_parts(names)], np.int64)
