"""The next steps of a custom training loop, computed ahead: one table of coefficients serves many calls to `step`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .._common.typing import Array
from ..schedules import Schedule

# Steps computed at once: few at first, as loops may be short or change a setting at each step.
_FIRST, _MAX = 4, 1024


class UpdateNotFinite(FloatingPointError):
    """An update that was not done, because a value is or would become inf or NaN.

    Attributes
    ----------
    of_grad : bool
        Whether the value is in the gradient; else it would be in theta or in what the optimizer remembers.
    """

    def __init__(self, of_grad: bool) -> None:
        super().__init__(of_grad)
        self.of_grad = of_grad


class CheckedUpdates:
    """Updates that are undone if a value overflows.

    Parameters
    ----------
    update : callable
        Does update number i.
    grad : (size,)
    changed : sequence of ndarray
        What an update changes.
    """

    def __init__(self, update: Callable[[int], None], grad: Array, changed: Sequence[Array]) -> None:
        self._update, self._grad, self._changed = update, grad, changed

    def step(self, i: int) -> None:
        """Do update number i; UpdateNotFinite if that is impossible, and then nothing has changed."""
        if not np.isfinite(self._grad).all():
            raise UpdateNotFinite(of_grad=True)
        saved = [array.copy() for array in self._changed]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._update(i)
        if all(np.isfinite(array).all() for array in self._changed):
            return
        for array, old in zip(self._changed, saved, strict=True):
            array[...] = old
        raise UpdateNotFinite(of_grad=False)


class BoundSteps:
    """The steps `first` to `last` - 1 of an optimizer on a model, as the engine in use does them.

    They hold until a setting is assigned.

    Attributes
    ----------
    theta : ndarray
        That of the model, by which models are told apart.
    frozen, mask
        Those of the model.
    changes : int
        That of the optimizer, see `Settings`.
    do : callable
        Do the step with this index, counted from `first`.
    functions : list of callable
        Settings that are plain functions of time.
    """

    def __init__(self, optimizer: Any, model: Any, count: int) -> None:
        self.theta, self.frozen, self.mask = model.theta, getattr(model, "frozen", ()), getattr(model, "mask", None)
        self.first, self.last = optimizer.steps, optimizer.steps + count
        self.functions = list(_functions(optimizer))
        t = np.arange(self.first, self.last)
        times = t.astype(np.float64)
        self._values = [[function(time) for time in times.tolist()] for function in self.functions]
        state = optimizer.bind(model.grad.size, model.grad.dtype, model)
        coefficients = optimizer.coefficients(optimizer.schedule(times, math.inf), t + 1, model=model)
        transforms = optimizer.transforms(model, t + 1, times + 1)
        self.changes = optimizer.changes
        if hasattr(model, "network"):
            self.do = model.network.updates(optimizer, coefficients, state, transforms).step
            return

        def apply(i: int) -> None:
            model.apply(optimizer, coefficients[i], state, transforms and transforms.of(i))

        average = optimizer.averaged_theta
        changed = [model.theta, state] + ([] if average is None else [average])
        self.do = CheckedUpdates(apply, model.grad, changed).step

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """The copy of an optimizer, pickled or not, has None instead."""
        return type(None), ()

    def is_of(self, optimizer: Any, model: Any) -> bool:
        """Whether the settings are the same, and the model, of which the same parameters are frozen and masked."""
        is_same = self.changes == optimizer.changes and self.theta is model.theta
        return is_same and self.mask is getattr(model, "mask", None) and self.frozen is getattr(model, "frozen", ())

    def hold(self, t: int) -> bool:
        """Whether the functions that are settings still return the same: they may depend on more than time."""
        pairs = zip(self.functions, self._values, strict=True)
        return all(function(float(t)) == values[t - self.first] for function, values in pairs)


def bind_steps(optimizer: Any, model: Any, before: BoundSteps | None) -> BoundSteps:
    """The next steps of an optimizer on a model: more and more of them, as long as its settings stay the same.

    Raises
    ------
    ValueError
        The optimizer belongs to another model, or its settings do not fit.
    """
    continues = before is not None and before.last == optimizer.steps
    count = min(2 * (before.last - before.first), _MAX) if before is not None and continues else _FIRST
    try:
        return BoundSteps(optimizer, model, count)
    except Exception:
        pass  # what lies ahead of the next step need not be possible: a schedule, or a function, may end there
    return BoundSteps(optimizer, model, 1)


def _functions(optimizer: Any) -> Iterator[Callable[[float], Any]]:
    """The settings that are plain functions of time."""
    settings = [value for name, value in vars(optimizer).items() if not name.startswith("_")]
    settings += [part for value in settings if isinstance(value, (tuple, list)) for part in value]
    settings += [factor for factors in (optimizer.groups or {}).values() for factor in factors.values()]
    return (setting for setting in settings if callable(setting) and not isinstance(setting, Schedule))
