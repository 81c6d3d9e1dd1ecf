"""The split of the rows into training and validation rows."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common import random
from .._common.checks import check_scalar
from .._common.explain import explains_arguments
from .._common.typing import Array, Ints
from ..losses.link import REGRESSION_LINKS
from .arrays import is_missing_value, to_array
from .labels import label_array
from .outputs import OutputSpec

# Rows up to which a split is kept for the next call.
_KEPT_ROWS = 1 << 16


@explains_arguments
class Split:
    """A share of the rows for validation: `fit(X, y, validation=Split(0.2, stratify=True))`.

    The split depends on the trainer's seed, the number of rows and the arguments below, not on the machine.

    Parameters
    ----------
    fraction : float in (0, 1)
        Share of the rows, rounded to whole rows (with `groups`: to whole groups).
    stratify : bool or array (n,), default=False
        Hold out the same share of each class, rounded to whole rows: True takes the classes of y, an array those that
        it holds, such as y itself or bins of a real y.
    groups : array (n,) or None, default=None
        Group of each row.  Rows of the same group, such as those of one patient, user or document, stay on the same
        side.
    time : bool or array (n,), default=False
        Train on the past and validate on the future: True holds out the last rows, an array of numbers, dates or text
        the rows with the largest values.  Nothing is random in this case.

    Raises
    ------
    TypeError
        An argument is not an array, or times are of kinds that have no order.
    ValueError
        The fraction is outside (0, 1), a row has no value (None, NaN or NaT), or more than one of stratify, groups and
        time is given.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy")
    >>> history = trainer.fit(X / 16, y, 1, validation=gd.Split(0.2, stratify=True), verbose=0)
    >>> "validation_loss" in history
    True
    """

    def __init__(self, fraction: float, *, stratify: Any = False, groups: Any = None, time: Any = False) -> None:
        self.fraction = check_scalar("fraction", fraction, "(0, 1)")
        self.stratify: bool | Ints = bool(stratify) if _is_flag(stratify) else _as_column(stratify, "stratify")
        self.groups = None if groups is None else _as_column(groups, "groups")
        self.time: bool | Ints = bool(time) if _is_flag(time) else _as_column(time, "time", ordered=True)
        if (self.stratify is not False) + (groups is not None) + (self.time is not False) > 1:
            raise ValueError("give only one of stratify, groups and time")

    def __repr__(self) -> str:
        given = {"stratify": self.stratify, "groups": self.groups, "time": self.time}
        texts = [
            f"{name}={'...' if isinstance(value, np.ndarray) else value}"
            for name, value in given.items()
            if value is not None and value is not False
        ]
        return f"Split({', '.join([str(self.fraction), *texts])})"

    def rows(self, Y: Array, outputs: OutputSpec, seed: int) -> tuple[Ints, Ints]:
        """Split the rows.

        Parameters
        ----------
        Y : ndarray, shape (n, 1) of class indices, or (n, n_out)
            Targets as the loss reads them.
        outputs : OutputSpec
            The meaning of the targets.
        seed : int

        Returns
        -------
        training, validation : ndarray, int64
            Row indices in increasing order.

        Raises
        ------
        ValueError
            One side would be empty, the targets are not classes, or groups or time have the wrong length.
        """
        n = len(Y)
        if self.stratify is not False:
            held_out = self._per_class(self._strata(Y, outputs), _random_order(n, seed))
        elif self.groups is not None:
            held_out = self._whole_groups(_check_length(self.groups, n, "groups"), seed)
        elif not isinstance(self.time, bool) or self.time:
            order = np.argsort(self._times(n), kind="stable")
            held_out = order[n - round(n * self.fraction) :]
        else:
            return split_rows(n, self.fraction, seed)
        if len(held_out) in (0, n):
            side = "validation" if len(held_out) == 0 else "training"
            raise ValueError(f"validation={self.fraction} of {n} rows leaves no {side} rows; change the fraction")
        training = np.delete(np.arange(n), held_out)
        return training, np.sort(held_out)

    def _per_class(self, classes: Array, order: Ints) -> Ints:
        """The share of each class, rounded down; the remaining rows go to the classes that lost most by rounding."""
        _, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
        exact = counts * self.fraction
        take = np.floor(exact).astype(np.int64)
        remaining = round(len(classes) * self.fraction) - int(take.sum())
        take[np.argsort(take - exact, kind="stable")[:remaining]] += 1
        by_class = order[np.argsort(index[order], kind="stable")]
        first = np.cumsum(counts) - counts
        return np.concatenate([by_class[i : i + k] for i, k in zip(first, take, strict=True)])

    def _strata(self, Y: Array, outputs: OutputSpec) -> Ints:
        if isinstance(self.stratify, bool):
            return _class_of_rows(Y, outputs)
        return _check_length(self.stratify, len(Y), "stratify")

    def _times(self, n: int) -> Ints:
        return np.arange(n) if isinstance(self.time, bool) else _check_length(self.time, n, "time")

    def _whole_groups(self, groups: Ints, seed: int) -> Ints:
        """Rows of whole groups, taken in random order, as close to the share as possible."""
        _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = _random_order(len(counts), seed)
        sums = np.cumsum(counts[order])[:-1]
        if not len(sums):
            raise ValueError("groups must hold at least two different values, but all rows have the same")
        chosen = order[: int(np.argmin(abs(sums - len(groups) * self.fraction))) + 1]
        return np.flatnonzero(np.isin(index, chosen))


def split_rows(n: int, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """Split n rows at random; the result depends on the arguments only.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float in (0, 1)
        Share of the rows held out for validation, rounded to whole rows.
    seed : int

    Returns
    -------
    training, validation : ndarray, int64
        Row indices in increasing order.

    Raises
    ------
    ValueError
        `fraction` is outside (0, 1), or one side would be empty.

    Examples
    --------
    >>> training, validation = split_rows(10, 0.3, seed=0)
    >>> len(training), len(validation)
    (7, 3)
    """
    if n <= _KEPT_ROWS:
        return _split_few(n, fraction, random.check_seed(seed))
    return _split(n, fraction, seed)


@lru_cache(maxsize=4)  # a search, an ensemble or a training that is continued splits the same rows again and again
def _split_few(n: int, fraction: float, seed: int) -> tuple[Ints, Ints]:
    """`split_rows` of few rows; read-only."""
    training, held_out = _split(n, fraction, seed)
    training.setflags(write=False)
    held_out.setflags(write=False)
    return training, held_out


def _split(n: int, fraction: float, seed: int) -> tuple[Ints, Ints]:
    if not 0 < fraction < 1:
        raise ValueError(f"validation must be a fraction in (0, 1) or a pair (X, y), not {fraction}")
    n_held_out = round(n * fraction)
    if n_held_out in (0, n):
        side = "validation" if n_held_out == 0 else "training"
        raise ValueError(f"validation={fraction} of {n} rows leaves no {side} rows; change it or pass a pair (X, y)")
    words = _random_words(n, random.check_seed(seed))
    last = np.partition(words, n_held_out - 1)[n_held_out - 1]
    is_held_out = words <= last
    surplus = np.count_nonzero(is_held_out) - n_held_out  # rows with the same word as the last one
    if surplus:
        is_held_out[np.flatnonzero(words == last)[-surplus:]] = False
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _random_order(n: int, seed: int) -> Ints:
    return np.argsort(_random_words(n, seed), kind="stable")


def _random_words(n: int, seed: int) -> NDArray[np.uint64]:
    return random.bits(seed, random.Purpose.SPLIT, 0, n)


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _as_column(values: Any, name: str, ordered: bool = False) -> Ints:
    """The values (rows,) as integers that are equal where the values are, and with `ordered` in their order.

    Raises
    ------
    TypeError
        Values of different kinds have no order.
    ValueError
        A row has no value.
    """
    array = _column(values, name)
    is_missing = np.array([is_missing_value(value) for value in array]) if array.dtype.kind in "OT" else array != array
    if is_missing.any():
        row, n = int(np.argmax(is_missing)), int(is_missing.sum())
        raise ValueError(
            f"{name} has no value in {n} of {len(array)} rows, the first of which is row {row} ({array[row]}); fill in "
            "the missing values or remove such rows"
        )
    if array.dtype != object:
        return np.unique(array, return_inverse=True)[1].reshape(-1)
    distinct = list(dict.fromkeys(array))
    try:
        distinct.sort()
    except TypeError as error:
        if ordered:
            raise TypeError(f"the values of {name} must have an order: {error}") from None
    index_of = {value: index for index, value in enumerate(distinct)}
    return np.fromiter((index_of[value] for value in array), np.int64, len(array))


def _column(values: Any, name: str) -> Array:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        expected = "an array (rows,)" if name == "groups" else "True, False or an array (rows,)"
        raise TypeError(f"{name} must be {expected}, not {values!r}")
    is_flat_list = isinstance(values, (list, tuple)) and not any(isinstance(row, (list, tuple)) for row in values)
    array = label_array(values) if is_flat_list else to_array(values, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (rows,), not {array.shape}")
    return array


def _check_length(values: Ints, n: int, name: str) -> Ints:
    if len(values) != n:
        raise ValueError(f"{name} must have one value per row of X, {n}, not {len(values)}")
    return values


def _class_of_rows(Y: Array, outputs: OutputSpec) -> Ints:
    """The class of each row; with several binary outputs, each combination of labels is a class."""
    if outputs.link in REGRESSION_LINKS:
        raise ValueError("stratify=True needs classes, but these targets are real values")
    if outputs.link == "softmax":
        return Y[:, 0] if Y.shape[1] == 1 else Y.argmax(axis=1)
    return np.unique(Y > 0.5, axis=0, return_inverse=True)[1].reshape(-1)
