"""What an update does beside its rule: clipping, penalties, max-norm, averages, groups of parameters.

The definition, put together in `update`, is NumPy; its twin is `csrc/regime.h`. Order of one step, g the mean gradient:

    1. g <- g min(1, clip_norm / (|g| + 1e-6))        |g| over all parameters
    2. g <- min(max(g, -clip_value), clip_value)
    3. g <- g + l1 sign(theta)
    4. the rule (`rules.py`) with the coefficients of the parameter's group; it adds weight_decay theta to g
    5. column w of each W (n_in, n_out): w <- w min(1, max_norm / |w|)
    6. average <- (1 - weight) average + weight theta

So clipping limits what the data say, never the penalties: l1 and weight_decay (L2) alike come after it, and both
together are the elastic net. Their strength is per step, whatever the number of rows: the gradient is a mean over rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_scalar
from .._common.typing import Array, Floats
from ..schedules.base import is_scheduled
from .rules import Rule

# What a group may change: the interval of each factor.
FACTORS = {"lr": "[0, inf)", "weight_decay": "[0, inf)", "l1": "[0, inf)", "max_norm": "(0, inf)"}
WHOLE_STEP = sys.maxsize

# A parameter in the flat vectors: its place, and (n_in, n_out) of a W; None for a b.
Part = tuple[slice, tuple[int, int] | None]


@dataclass(frozen=True, eq=False)
class Transforms:
    """The numbers of one call of an engine, made once for both.

    Attributes
    ----------
    of_step : (steps, 2) float64
        clip_norm (inf: none) and the weight of the new theta in the average.
    of_group : (steps, 3 groups) float64
        clip_value (inf: none), l1 and max_norm (inf: none) of each group.
    group : (2 L,) int64
        The group of W and of b of each layer.
    average : (size,) of theta's dtype, or None
        Changed in place.
    norm : (steps,) float64 or None
        Out: the norm of each step's gradient before it is clipped.
    batch : int
        Rows that pass through the network at once: a step of more sums its gradient over several passes.
    """

    per_step: Floats
    per_group: Floats
    group: NDArray[np.int64]
    average: Array | None = None
    norm: Floats | None = None
    batch: int = WHOLE_STEP

    @property
    def groups(self) -> int:
        return int(self.per_group.shape[1]) // 3

    def of(self, step: int) -> Transforms:
        """The regime of one step alone."""
        s = slice(step, step + 1)
        norm = None if self.norm is None else self.norm[s]
        return Transforms(self.per_step[s], self.per_group[s], self.group, self.average, norm, self.batch)


def norm_of(g: Array) -> float:
    """|g| = sqrt(sum g^2), over all parameters; squares and sum in float64."""
    g = g.astype(np.float64, copy=False)
    return float(np.sqrt(np.dot(g, g)))


def clip_by_norm(g: Array, norm: float, clip_norm: float) -> Array:
    """g min(1, clip_norm / (norm + 1e-6)): the same direction, no longer than clip_norm.

    Source: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1; the 1e-6 is that of `torch.nn.utils.clip_grad_norm_`.
    """
    factor = clip_norm / (norm + 1e-6)
    return g * g.dtype.type(factor if factor < 1 else 1)


def clip_by_value(g: Array, clip_value: float) -> Array:
    """Each number cut to [-clip_value, clip_value]; as `torch.nn.utils.clip_grad_value_`."""
    return np.clip(g, g.dtype.type(-clip_value), g.dtype.type(clip_value))


def add_l1(g: Array, theta: Array, l1: float) -> Array:
    """g + l1 sign(theta): a subgradient of the penalty l1 |theta|_1; sign(0) = 0.

    Weights come near 0, but seldom to it.  Source: Tibshirani, "Regression shrinkage and selection via the lasso",
    J. Royal Statistical Society B 58, 1996; with weight_decay: Zou & Hastie, "Regularization and variable selection
    via the elastic net", J. Royal Statistical Society B 67, 2005.
    """
    return g + g.dtype.type(l1) * np.sign(theta)


def clip_column_norms(W: Array, max_norm: float) -> None:
    """W (n_in, n_out): each column, the weights into one unit, w <- w min(1, max_norm / |w|), in place.

    Biases are left alone, as by Keras' `kernel_constraint=MaxNorm(axis=0)`.  Source: Srebro & Shraibman, "Rank,
    trace-norm and max-norm", COLT 2005; Srivastava et al., "Dropout", JMLR 15, 2014, section 5.1.
    """
    length = np.sqrt(np.square(W, dtype=np.float64).sum(axis=0))
    longer = length > max_norm
    W[:, longer] *= (max_norm / length[longer]).astype(W.dtype)


def move_average(average: Array, theta: Array, weight: float) -> None:
    """average <- (1 - weight) average + weight theta, in place; see `averages.py`."""
    average *= average.dtype.type(1 - weight)
    average += average.dtype.type(weight) * theta


def update(
    regime: Transforms, s: int, rule: Rule, c: Floats, theta: Array, grad: Array, slots: Array, parts: Sequence[Part]
) -> None:
    """Step s: theta, slots and the average change in place, grad (size,) is left as it is.

    Parameters
    ----------
    c : (groups n,) float64
        The coefficients of the rule, group by group.
    parts : sequence of Part
        W and b of each layer in turn; the b of a layer without one is empty.
    """
    clip_norm, weight = regime.per_step[s]
    per_group, c = regime.per_group[s].reshape(-1, 3), c.reshape(regime.groups, -1).astype(theta.dtype)
    norm = norm_of(grad) if regime.norm is not None or clip_norm < np.inf else 0.0
    if regime.norm is not None:
        regime.norm[s] = norm
    g = clip_by_norm(grad, norm, clip_norm)
    for (place, shape), group in zip(parts, regime.group, strict=True):
        clip_value, l1, max_norm = per_group[group]
        part = theta[place]
        rule(part, add_l1(clip_by_value(g[place], clip_value), part, l1), slots[:, place], c[group])
        if shape and max_norm < np.inf:
            clip_column_norms(part.reshape(shape), max_norm)
    if regime.average is not None and weight > 0:
        move_average(regime.average, theta, weight)


# ---- groups


def check_groups(groups: Any) -> None:
    """TypeError or ValueError for what is no {pattern: {setting: factor}}."""
    if not isinstance(groups, Mapping) or not all(isinstance(factors, Mapping) for factors in groups.values()):
        raise TypeError(f'groups must be a mapping such as {{"*.bias": {{"weight_decay": 0.0}}}}, not {groups!r}')
    for pattern, factors in groups.items():
        if not isinstance(pattern, str):
            raise TypeError(f'a pattern of groups must be text such as "*.bias", not {pattern!r}')
        for name, factor in factors.items():
            if name not in FACTORS:
                raise ValueError(f"groups[{pattern!r}] has {name!r}, but a group has factors on {', '.join(FACTORS)}")
            if not is_scheduled(factor) and not (name == "max_norm" and factor is None):
                check_scalar(f"groups[{pattern!r}][{name!r}]", factor, FACTORS[name])


def groups_of(groups: Mapping[str, Any] | None, names: Iterable[str]) -> NDArray[np.int64]:
    """The group of W and of b of each layer, (2 L,): 0, or the number of the last pattern that fits, from 1.

    Parameters
    ----------
    groups : mapping of str to factors, or None
        Patterns as of shells: `*` stands for any text, `?` for a letter, `[01]` for one of these.
    names : iterable of str
        Of the parameters, in the order of theta: "0.weight", "0.bias", "1.weight" ...

    Raises
    ------
    ValueError
        A pattern fits no name.
    """
    names, patterns = list(names), list(groups or ())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"the pattern {pattern!r} of groups fits no parameter; there are {', '.join(names)}")
    numbers: list[int] = []
    for name in names:
        if name.endswith("weight"):
            numbers += [0, 0]
        fitting = [i for i, pattern in enumerate(patterns, start=1) if fnmatchcase(name, pattern)]
        numbers[-2 if name.endswith("weight") else -1] = fitting[-1] if fitting else 0
    return np.array(numbers, np.int64)
