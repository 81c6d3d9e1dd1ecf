"""What an optimizer remembers from step to step, and the one model that it belongs to."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from .._common.memory import zeros
from .._common.typing import Array, Floats
from ..schedules import is_scheduled
from .binding import Bond, identity_of
from .bound_steps import BoundSteps
from .groups import assign_groups
from .settings import Settings
from .transforms import Transforms


class Trainable(Protocol):
    """What an optimizer needs of a model."""

    @property
    def theta(self) -> Array: ...

    @property
    def grad(self) -> Array: ...

    def parameters(self) -> Mapping[str, Array]: ...

    def apply(self, optimizer: Any, coefficients: Floats, state: Array, transforms: Transforms | None) -> None: ...


Model = TypeVar("Model", bound=Trainable)
Own = TypeVar("Own", bound="State")


@dataclass(eq=False, repr=False)
class State(Settings, ABC):
    """Settings with the state of one training; `Optimizer` describes the attributes."""

    state: Array | None = field(default=None, init=False, repr=False)
    averaged_theta: Array | None = field(default=None, init=False, repr=False)
    steps: int = field(default=0, init=False, repr=False)
    _bond: Bond | None = field(default=None, init=False, repr=False)
    _bound_steps: BoundSteps | None = field(default=None, init=False, repr=False)

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many values the rule remembers per parameter."""

    def check_model(self, model: Trainable) -> None:
        """Raise ValueError if the optimizer belongs to another model."""
        if self.steps and not self._holds(model):
            name = type(self).__name__
            raise ValueError(
                f"this optimizer belongs to another model, whose training its state continues (steps: {self.steps}): "
                f"make a new {name} for each model, for example by optimizer.copy(), or free this one by "
                "optimizer.reset(). To copy a model together with its optimizer: copy.deepcopy((model, optimizer))"
            )

    def _holds(self, model: Trainable) -> bool:
        return self._bond is None or self._bond.holds(model)

    def bind(self, size: int, dtype: DTypeLike, model: Trainable | None = None) -> Array:
        """The state for a model whose theta has this size and dtype; allocated on first use.

        The optimizer then belongs to `model`, if it is given, and the average starts as its theta, else as 0.

        Raises
        ------
        ValueError
            The optimizer belongs to another model, its state has another size or dtype or belongs to other settings, a
            pattern of `groups` matches no parameter, or eps is denormal in this dtype.
        """
        if model is not None and not self._holds(model):
            self.check_model(model)
            self.state = self.averaged_theta = None  # no step was done
        if self.state is None:
            self._check_dtype(np.dtype(dtype))
            if model is not None and self.groups is not None:
                assign_groups(self.groups, model.parameters())
            self._allocate(size, dtype, None if model is None else model.theta)
        assert self.state is not None
        held = self.state.shape, self.state.dtype, self.averaged_theta is not None
        needed = (self.slots, size), np.dtype(dtype), self.average is not None
        if held != needed:
            raise ValueError(
                f"this optimizer holds the state of another model or of other settings, {_describe(*held)}, "
                f"but this model needs {_describe(*needed)}: make a new {type(self).__name__} for each model"
            )
        if model is not None:
            vars(self)["_bond"] = Bond(identity_of(model))  # as it is no setting, without the checks of an assignment
        return self.state

    def count(self, steps: int) -> None:
        """Account for steps that were done; they do not change the settings."""
        vars(self)["steps"] = self.steps + steps

    def reset(self) -> None:
        """Forget all training: state, average, steps, reductions of lr, and the model it belonged to."""
        self._restore_lr()
        self.state = self.averaged_theta = self._bond = None
        self.steps = 0

    def copy(self: Own) -> Own:
        """A new optimizer with the same settings, for another model: without state, steps and reductions of lr."""
        duplicate = object.__new__(type(self))
        vars(duplicate).update(vars(self))
        duplicate.groups = self.groups  # assignment copies the mapping
        duplicate.reset()
        return duplicate

    __copy__ = copy

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickle; what lies in memory that other processes share, as with Ray and joblib, is copied."""
        for name, value in state.items():
            is_locked = isinstance(value, np.ndarray) and not value.flags.writeable
            vars(self)[name] = value.copy() if is_locked else value

    def _check_together(self) -> None:
        super()._check_together()
        if self.state is None:
            return
        self._check_dtype(self.state.dtype)
        held, needed = len(self.state), self.slots
        if held != needed or (self.averaged_theta is None) != (self.average is None):
            has_average = self.averaged_theta is not None
            raise ValueError(
                f"the setting needs another state: {_slots(needed, self.average is not None)} instead of "
                f"{_slots(held, has_average)}. Make a new {type(self).__name__}, or call optimizer.reset() before"
            )

    def _check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Raise ValueError if eps is denormal in this dtype: engines may take it for 0, and would divide 0 by 0."""
        least = float(np.finfo(dtype).tiny)
        for name in self.intervals:
            eps = getattr(self, name)
            if name == "eps" and not is_scheduled(eps) and eps < least:
                raise ValueError(
                    f"{name}={eps} counts as 0 in {dtype}, the dtype of the model, whose smallest normal number is "
                    f"{least:.3g}: it must be that or more"
                )

    def _interval(self, name: str) -> str:
        """The interval of the values of a schedule, for which `_check_dtype` holds, too."""
        if name != "eps" or self.state is None:
            return self.intervals[name]
        return f"[{float(np.finfo(self.state.dtype).tiny)}, inf)"

    def _allocate(self, size: int, dtype: DTypeLike, theta: Array | None) -> None:
        # One block for all: vectors that each start on a page boundary, as theta does, would share cache sets.
        rows = zeros((self.slots + (self.average is not None), size), dtype)
        self.state = rows[: self.slots]
        self.state.fill(self._initial_state())
        if self.average is not None:
            self.averaged_theta = rows[-1]
            self.averaged_theta[:] = 0.0 if theta is None else theta

    def _initial_state(self) -> float:
        """The value of the slots before the first step."""
        return 0.0

    def averaged(self, model: Model) -> Model:
        """A copy of the model whose theta is the average; before the first step, the theta of the model.

        Raises
        ------
        ValueError
            The optimizer keeps no average.
        """
        if self.average is None:
            name = type(self).__name__
            raise ValueError(f"this optimizer keeps no average of theta: write {name}(average=EMA(0.999))")
        self.check_model(model)
        averaged = copy.copy(model)
        if self.averaged_theta is not None:
            averaged.theta[:] = self.averaged_theta
        return averaged


def _describe(shape: tuple[int, ...], dtype: np.dtype[Any], has_average: bool) -> str:
    return f"{shape} {dtype}" + " and an average" * has_average


def _slots(count: int, has_average: bool) -> str:
    return f"{count} slot{'s' * (count != 1)}" + " and an average" * has_average
