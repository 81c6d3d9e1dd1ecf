"""The arguments of `Population.fit`, one for all members or one for each, and the run that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._common.checks import check_choice, check_int, check_objects, closest, counted, shown
from .._common.typing import Ints
from ..callbacks.base import Callback, check_callbacks
from ..data.arrays import to_array
from ..data.shared import Shared
from ..training.stopping import AUTO, number_of_epochs
from ..training.trainer import Trainer
from .members import Goal, Member
from .run import PopulationRun

# Arguments of `Population.fit`, and those that it passes on to the trainers.
_DEFAULTS: dict[str, Any] = dict.fromkeys(
    ("validation", "rows", "validation_rows", "sample_weight", "callbacks", "class_weight", "tol", "augment")
    + ("classes", "n_iter_no_change")
) | {"verbose": 1, "on_error": "raise"}
_PASSED_ON = ("class_weight", "tol", "augment", "classes", "n_iter_no_change")


def check_trainers(trainers: Any) -> list[Trainer]:
    """The trainers as a list.

    Raises
    ------
    TypeError
        They are not a sequence of trainers.
    ValueError
        There are none, or two have the same model or optimizer, or inputs of another width.
    """
    checked = check_objects(trainers, Trainer, "a Population", "trainer", "member")
    for i, trainer in enumerate(checked):
        if trainer.model.n_in != checked[0].model.n_in:
            widths = f"{checked[0].model.n_in} inputs, but member {i} {trainer.model.n_in}"
            raise ValueError(f"the members must take the same columns of X: member 0 has {widths}")
        if trainer._comm is not None:
            raise ValueError(f"member {i} has a communicator (comm=), which threads cannot share: leave it out")
    for part in ("model", "optimizer"):
        _check_distinct(checked, part)
    return checked


def _check_distinct(trainers: Sequence[Trainer], part: str) -> None:
    first: dict[int, int] = {}
    for i, trainer in enumerate(trainers):
        j = first.setdefault(id(getattr(trainer, part)), i)
        if j != i:
            raise ValueError(f"members {j} and {i} have the same {part}, but each needs its own: make one for each")


def callbacks_of(callbacks: Callable[[int], Any] | None, member: int) -> list[Callback]:
    """The callbacks of a member, which `callbacks` makes from its index."""
    if callbacks is None:
        return []
    if not callable(callbacks) or isinstance(callbacks, (type, Callback)):
        raise TypeError(
            "callbacks must be a function of a member's index, as in callbacks=lambda i: [gd.EarlyStopping()], because "
            f"members cannot share them, not {shown(callbacks)}"
        )
    return check_callbacks(callbacks(member))


def for_each(name: str, given: Any, members: int) -> list[Any]:
    """The elements of a list with one for each member, or the value for all of them."""
    if not isinstance(given, list):
        return [given] * members
    if len(given) != members:
        raise ValueError(f"{name} must have one element for each of the {members} members, not {len(given)}")
    return given


def weights_for_each(sample_weight: Any, members: int) -> list[Any]:
    """The weights of the rows of each member: those of all (rows,), or one row of (members, rows) for each."""
    if isinstance(sample_weight, list) and any(w is None or np.ndim(w) == 1 for w in sample_weight):
        return for_each("sample_weight", sample_weight, members)
    if np.ndim(sample_weight) != 2:
        return [sample_weight] * members
    if len(sample_weight) != members:
        raise ValueError(
            f"sample_weight must have shape (rows,), or ({members}, rows) for {counted(members, 'member')}, not "
            f"{np.shape(sample_weight)}"
        )
    return list(sample_weight)


def rows_for_each(name: str, rows: Any, members: int, n: int) -> list[Ints | None]:
    """Row indices of each member, from one array for all or a list of arrays, which may be masks; None: all."""
    is_list_of_numbers = isinstance(rows, list) and all(np.ndim(row) == 0 and row is not None for row in rows)
    given = [rows] * members if is_list_of_numbers else for_each(name, rows, members)
    return [None if each is None else _as_indices(f"{name} of member {i}", each, n) for i, each in enumerate(given)]


def _as_indices(name: str, rows: Any, n: int) -> Ints:
    array = to_array(rows, name)
    if array.dtype == bool and array.shape == (n,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        expected = f"must be integers (k,) in [0, {n}) or booleans ({n},)"
        raise ValueError(f"{name} {expected}, not {array.dtype} of shape {array.shape}")
    if not len(array):
        raise ValueError(f"{name} is empty")
    if array.min() < 0 or array.max() >= n:
        bad = int(array[(array < 0) | (array >= n)][0])
        raise ValueError(f"{name} must be in [0, {n}), the rows of X, but has {bad}")
    return array.astype(np.int64)


def validation_for_each(
    validation: Any, rows: Sequence[Ints | None], X: Shared, y: Shared, weights: Sequence[Any]
) -> list[Any]:
    """What each member is validated on: `validation`, or these rows of X and y, with their weights."""
    if all(each is None for each in rows):
        pair = isinstance(validation, tuple) and len(validation) in (2, 3)
        shared = (Shared(validation[0]), Shared(validation[1]), *validation[2:]) if pair else validation
        return for_each("validation", shared, len(rows))
    if validation is not None:
        raise ValueError("give validation or validation_rows, not both")
    return [
        None if each is None else (X.take(each), y.take(each), *(() if weight is None else (np.asarray(weight)[each],)))
        for each, weight in zip(rows, weights, strict=True)
    ]


def other_rows(rows: Ints | None, n: int) -> Ints | None:
    """The rows of n that are not among these; None, all of them, for None."""
    if rows is None:
        return None
    is_other = np.ones(n, np.bool_)
    is_other[rows] = False
    if not is_other.any():
        raise ValueError(f"validation_rows has all {n} rows of X: none are left to train on")
    return np.flatnonzero(is_other)


def begin(
    trainers: Any, goals: Mapping[Trainer, Goal], X: Any, y: Any, epochs: Any, n_threads: int | None, **options: Any
) -> PopulationRun:
    """The run that `Population.fit` with these arguments makes, checked; nothing is changed.

    Parameters
    ----------
    trainers, X, y, epochs, n_threads, **options
        Of the population, and of its `fit`.
    goals : mapping of Trainer to Goal
        What was left of the last run.
    """
    for name in options:
        if name not in _DEFAULTS:
            hint = closest(name, _DEFAULTS)
            raise TypeError(f"unexpected argument {name!r}" + ("" if hint is None else f": did you mean {hint!r}?"))
    options = _DEFAULTS | options
    checked, shared = check_trainers(trainers), (Shared(X), Shared(y))
    to_do = _goals(checked, goals, epochs)
    K, n = len(checked), _length(y)
    weights = [
        None if w is None else to_array(w, "sample_weight") for w in weights_for_each(options["sample_weight"], K)
    ]
    held_out = rows_for_each("validation_rows", options["validation_rows"], K, n)
    validation = validation_for_each(options["validation"], held_out, *shared, weights)
    rows = rows_for_each("rows", options["rows"], K, n)
    if options["rows"] is None:
        rows = [other_rows(each, n) for each in held_out]
    passed_on = {name: options[name] for name in _PASSED_ON}
    members = [
        Member(
            i, t, goal, *shared, rows[i], n, weights[i], validation[i], callbacks_of(options["callbacks"], i), passed_on
        )
        for i, (t, goal) in enumerate(zip(checked, to_do, strict=True))
        if goal is not None
    ]
    raises = check_choice("on_error", options["on_error"], ("raise", "continue")) == "raise"
    verbose = options["verbose"]
    is_verbose = verbose if isinstance(verbose, bool) else check_int("verbose", verbose, minimum=0) > 0
    return PopulationRun(members, n_threads, raises, is_verbose)


def _goals(trainers: Sequence[Trainer], left: Mapping[Trainer, Goal], epochs: Any) -> list[Goal | None]:
    """The goal of each member; None if its run is over, and `epochs` is None."""
    if epochs is not None:
        n = number_of_epochs(epochs)
        return [Goal(trainer.epoch, trainer.epoch + n, epochs == AUTO) for trainer in trainers]
    goals = [left.get(trainer) for trainer in trainers]
    if not any(goals):
        raise ValueError("epochs=None resumes a run that was stopped, but there is none: pass a number of epochs")
    return goals


def _length(y: Any) -> int:
    """Number of rows of y; 0 if it has none, which is found later."""
    try:
        return len(y)
    except TypeError:
        return 0
