"""Which rows are kept out of the training to validate it."""

from typing import Any

import numpy as np

from .._common import random
from .._common.checks import check_scalar
from .._common.typing import Array, Ints
from ..losses.link import REGRESSION_LINKS
from .arrays import to_array
from .outputs import OutputSpec


class Split:
    """A share of the rows for validation: `fit(X, y, validation=Split(0.2, stratify=True))`.

    Which rows they are depends on the trainer's seed, the number of rows and what is given here, not on the machine.

    Parameters
    ----------
    fraction : float in (0, 1)
        Share of the rows, to the nearest whole row (with groups: to the nearest whole group).
    stratify : bool, default=False
        The same share of each class, to the nearest row.
    groups : array (n,) or None, default=None
        Of any kind: rows with equal values stay on one side, as those of one patient, user or document must.
    time : bool or array (n,), default=False
        Train on the past, validate on what came later: True takes the last rows, an array those with the largest
        values.  Nothing is random then.

    Raises
    ------
    ValueError
        The fraction is outside (0, 1), or more than one of stratify, groups and time is given.
    """

    def __init__(self, fraction: float, *, stratify: bool = False, groups: Any = None, time: Any = False) -> None:
        self.fraction = check_scalar("fraction", fraction, "(0, 1)")
        self.stratify = bool(stratify)
        self.groups = None if groups is None else _one_per_row(groups, "groups")
        self.time: bool | Array = time if isinstance(time, bool) else _one_per_row(time, "time")
        if self.stratify + (groups is not None) + (time is not False) > 1:
            raise ValueError("give one of stratify, groups and time")

    def rows(self, Y: Array, head: OutputSpec, seed: int) -> tuple[Ints, Ints]:
        """Numbers of the training and of the validation rows, int64, rising.

        Parameters
        ----------
        Y : (n, 1) class numbers, or (n, n_out)
            Targets as the loss reads them.
        head : Head
            What they mean.
        seed : int

        Raises
        ------
        ValueError
            One side would be empty, the targets are not classes, or groups or time are of another length.
        """
        n = len(Y)
        if self.stratify:
            held = self._of_each(_classes(Y, head), _shuffled(n, seed))
        elif self.groups is not None:
            held = self._of_groups(_fitting(self.groups, n, "groups"), seed)
        elif self.time is not False:
            order = np.arange(n) if self.time is True else np.argsort(_fitting(self.time, n, "time"), kind="stable")
            held = order[n - round(n * self.fraction) :]
        else:
            return split_rows(n, self.fraction, seed)
        if len(held) in (0, n):
            side = "validation" if len(held) == 0 else "training"
            raise ValueError(f"validation={self.fraction} of these {n} rows leaves no {side} rows: change it")
        training = np.delete(np.arange(n), held)
        return training, np.sort(held)

    def _of_each(self, kinds: Array, order: Ints) -> Ints:
        """The share of each kind; rows left over by rounding down go to the kinds that lost most by it."""
        _, kind, counts = np.unique(kinds, return_inverse=True, return_counts=True)
        ideal = counts * self.fraction
        take = np.floor(ideal).astype(np.int64)
        short = round(len(kinds) * self.fraction) - int(take.sum())
        take[np.argsort(take - ideal, kind="stable")[:short]] += 1
        by_kind = order[np.argsort(kind[order], kind="stable")]
        first = np.cumsum(counts) - counts
        return np.concatenate([by_kind[i : i + k] for i, k in zip(first, take, strict=True)])

    def _of_groups(self, groups: Array, seed: int) -> Ints:
        """Groups in random order, as many as come closest to the share."""
        _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = _shuffled(len(counts), seed)
        sums = np.cumsum(counts[order])[:-1]
        if not len(sums):
            raise ValueError(f"groups must hold two different values at least, but all rows are of {groups[0]!r}")
        chosen = order[: int(np.argmin(abs(sums - len(groups) * self.fraction))) + 1]
        return np.flatnonzero(np.isin(group, chosen))


def _shuffled(n: int, seed: int) -> Ints:
    return np.argsort(random.bits(seed, random.Purpose.SPLIT, 0, n), kind="stable")


def _one_per_row(values: Any, name: str) -> Array:
    array = to_array(values, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (rows,), not {array.shape}")
    return array


def _fitting(values: Array, n: int, name: str) -> Array:
    if len(values) != n:
        raise ValueError(f"{name} must have one value per row of X, {n}, not {len(values)}")
    return values


def _classes(Y: Array, head: OutputSpec) -> Array:
    """The class of each row; several questions with yes or no make one class of each combination."""
    if head.link in REGRESSION_LINKS:
        raise ValueError("stratify=True needs classes, but these targets are plain numbers")
    if head.link == "softmax":
        return Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)
    return np.unique(Y > 0.5, axis=0, return_inverse=True)[1].reshape(-1)


def split_rows(n: int, fraction: float, seed: int) -> tuple[Array, Array]:
    """Row numbers (training, validation), int64 in rising order: a random choice that depends on the seed alone.

    Parameters
    ----------
    n : int
        Ints to split.
    fraction : float in (0, 1)
        Share of the rows kept for validation, rounded to whole rows.
    seed : int

    Raises
    ------
    ValueError
        `fraction` is outside (0, 1), or one side would be empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation must be a fraction in (0, 1) or a pair (X, y), not {fraction}")
    held = round(n * fraction)
    if held in (0, n):
        side = "validation" if held == 0 else "training"
        raise ValueError(f"validation={fraction} of {n} rows leaves no {side} rows; change it or pass a pair (X, y)")
    order = np.argsort(random.bits(random.check_seed(seed), random.Purpose.SPLIT, 0, n), kind="stable")
    return np.sort(order[held:]), np.sort(order[:held])
