"""What every optimiser is: settings, some of which may be schedules, and the state of one training."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from .._common.checks import check_scalar
from .._common.memory import zeros
from .._common.registry import text_of
from .._common.typing import Array, Floats, Ints
from ..schedules import Rate, Schedule, as_schedule, is_scheduled
from ..schedules.base import values
from . import transforms
from .averaging import Average
from .transforms import WHOLE_STEP, Transforms

POSITIVE, FROM_0, SHARE = "(0, inf)", "[0, inf)", "[0, 1)"
# The numbers beside the rule; None: no limit.
_BESIDE = {"clip_norm": POSITIVE, "clip_value": POSITIVE, "l1": FROM_0, "max_norm": POSITIVE}


class Trainable(Protocol):
    """What an optimiser needs of a model."""

    @property
    def theta(self) -> Array: ...

    @property
    def grad(self) -> Array: ...

    def parameters(self) -> Mapping[str, Array]: ...

    def apply(self, optimizer: Optimizer, coefficients: Floats, state: Array, regime: Transforms | None) -> None: ...


Model = TypeVar("Model", bound=Trainable)


@dataclass(eq=False, repr=False)
class Optimizer(ABC):
    """Settings and state of one training; an optimiser belongs to one model.

    Every setting that is a number may be a `Schedule` or a callable epoch -> number instead. The settings below are
    there for every optimiser, by keyword; formulas, order and sources are in `regime.py`.

    Parameters
    ----------
    clip_norm : float > 0 or None, default=None
        Scale the gradient down to this norm (over all parameters) where it is longer.
    clip_value : float > 0 or None, default=None
        Cut each number of the gradient to [-clip_value, clip_value], after clip_norm.
    l1 : float >= 0, default=0.0
        L1 penalty: l1 sign(theta) is added to the gradient; with weight_decay the elastic net. Like weight_decay it
        acts at each step with the same strength, whatever the batch, and on biases too unless a group frees them.
    max_norm : float > 0 or None, default=None
        After each step, shorten the weights into each unit (a column of W) to this norm where they are longer.
    average : EMA, SWA or None, default=None
        Keep an average of theta: see `averages.py`, `Trainer.averaged`, `averaged`.
    groups : mapping or None, default=None
        Factors on lr, weight_decay, l1 and max_norm for the parameters whose names fit a pattern, such as
        `{"*.bias": {"weight_decay": 0.0}, "0.*": {"lr": 0.1}}`; of several patterns that fit a name the last one counts
        alone. lr 0 freezes parameters, max_norm None frees them from the limit.

    Attributes
    ----------
    intervals : mapping of str to str
        The settings of the rule that are numbers, and where each must lie.
    state : ndarray (slots, size) or None
        What the rule remembers, each slot in the layout and dtype of theta; None before the first use.
    averaged_theta : ndarray (size,) or None
        The average that `average` keeps, in the layout and dtype of theta; None if it keeps none, or before the first
        use.
    steps : int
        Steps done.
    """

    name: ClassVar[str]
    intervals: ClassVar[Mapping[str, str]] = {"lr": POSITIVE}

    state: Array | None = field(default=None, init=False, repr=False)
    averaged_theta: Array | None = field(default=None, init=False, repr=False)
    steps: int = field(default=0, init=False, repr=False)
    lr: Rate = field(default=0.01, kw_only=True)
    clip_norm: Rate | None = field(default=None, kw_only=True)
    clip_value: Rate | None = field(default=None, kw_only=True)
    l1: Rate = field(default=0.0, kw_only=True)
    max_norm: Rate | None = field(default=None, kw_only=True)
    average: Average | None = field(default=None, kw_only=True)
    groups: Mapping[str, Mapping[str, Rate | None]] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, interval in self.intervals.items():
            self._check(name, getattr(self, name), interval)
        for name, interval in _BESIDE.items():
            if getattr(self, name) is not None or name == "l1":
                self._check(name, getattr(self, name), interval)
        if not (self.average is None or isinstance(self.average, Average)):
            raise TypeError(f"average must be an object such as EMA(0.999) or SWA(start=5), not {self.average!r}")
        if self.groups is not None:
            transforms.check_groups(self.groups)

    def __repr__(self) -> str:
        return text_of(self, *(field.name for field in fields(self) if field.repr))

    def _check(self, name: str, value: Any, interval: str) -> None:
        if not is_scheduled(value):
            check_scalar(name, value, interval)

    @property
    @abstractmethod
    def rule(self) -> str:
        """The row of `RULES`."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many numbers the rule remembers for each number of theta."""

    @abstractmethod
    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        """The coefficients of the rule, one by one: each (k,) or one number for all steps.

        `at` has the settings of `intervals` as attributes: numbers, or (k,) arrays where they are scheduled; lr is
        always an array.
        """

    def coefficients(self, lr: Floats, t: Ints, epoch_times: Floats | None = None, total: float = math.inf) -> Floats:
        """What the rule needs at each step, (k, groups n_coefficients) float64, group by group.

        Parameters
        ----------
        lr : (k,) float64
            Learning rates.
        t : (k,) int64
            Numbers of the steps, from 1.
        moments : (k,) float64 or None, default=None
            Epochs done before each step, for the settings that are schedules; None: the steps done.
        total : float, default=inf
            Epochs of the whole run.

        Raises
        ------
        ValueError
            A schedule left the interval of its setting.
        """
        when = t.astype(np.float64) - 1 if epoch_times is None else epoch_times
        numbers = {name: interval for name, interval in self.intervals.items() if name != "lr"}
        at = {name: _at(name, getattr(self, name), interval, when, total) for name, interval in numbers.items()}
        columns: list[Floats | float] = []
        for factors in self._factors(when, total):
            own = at | {name: at[name] * factors[name] for name in factors if name in at}
            columns += self._columns(SimpleNamespace(**own, lr=lr * factors.get("lr", 1.0)), t)
        return _table(columns, len(t))

    def regime(
        self,
        model: Trainable,
        t: Ints,
        ends: Floats,
        epoch_times: Floats | None = None,
        total: float = math.inf,
        batch: int = WHOLE_STEP,
        norm: Floats | None = None,
    ) -> Transforms | None:
        """What the same steps do beside the rule; None if nothing.

        Parameters
        ----------
        t, moments, total
            As in `coefficients`.
        ends : (k,) float64
            Epochs done after each step.
        batch : int, default=all
            Ints that pass through the network at once.
        norm : (k,) float64 or None, default=None
            Where to put the norm of each gradient.

        Raises
        ------
        ValueError
            A schedule left the interval of its setting; a pattern of `groups` fits no parameter.
        """
        settings = (self.clip_norm, self.clip_value, self.l1 or None, self.max_norm, self.average, self.groups, norm)
        if batch == WHOLE_STEP and all(setting is None for setting in settings):
            return None
        when = t.astype(np.float64) - 1 if epoch_times is None else epoch_times
        clip_norm, clip_value, l1, max_norm = (
            math.inf if getattr(self, name) is None else _at(name, getattr(self, name), interval, when, total)
            for name, interval in _BESIDE.items()
        )
        weight = 0.0 if self.average is None else self.average.weights(t, when, ends, total)
        columns: list[Floats | float] = []
        for factors in self._factors(when, total):
            columns += [clip_value, l1 * factors.get("l1", 1.0), max_norm * factors.get("max_norm", 1.0)]
        return Transforms(
            _table([clip_norm, weight], len(t)),
            _table(columns, len(t)),
            transforms.groups_of(self.groups, model.parameters()),
            self.averaged_theta,
            norm,
            batch,
        )

    def _factors(self, epoch_times: Floats, total: float) -> list[dict[str, Any]]:
        """The factors of each group at these moments; the first group is that of the parameters without a pattern."""
        return [{}] + [
            {
                name: math.inf
                if factor is None
                else _at(f"the factor on {name}", factor, transforms.FACTORS[name], epoch_times, total)
                for name, factor in factors.items()
            }
            for factors in (self.groups or {}).values()
        ]

    def averaged(self, model: Model) -> Model:
        """A copy of the model with the average for its theta; before the first step, with the theta that it has.

        Raises
        ------
        ValueError
            No average is kept.
        """
        if self.average is None:
            name = type(self).__name__
            raise ValueError(f"this optimizer keeps no average of theta: write {name}(average=EMA(0.999))")
        averaged = copy.copy(model)
        if self.averaged_theta is not None:
            averaged.theta[:] = self.averaged_theta
        return averaged

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of time."""
        return as_schedule(self.lr)

    def bind(self, size: int, dtype: DTypeLike, model: Trainable | None = None) -> Array:
        """The state for a model whose theta has this size and dtype; made on first use.

        The average begins as the theta of `model`, if it is given, else as 0.

        Raises
        ------
        ValueError
            The state belongs to a model of another size or dtype, or to other settings; a pattern of `groups` fits no
            parameter.
        """
        if self.state is None:
            if model is not None and self.groups is not None:
                transforms.groups_of(self.groups, model.parameters())
            # One block: vectors that all begin on a page boundary, as theta does, would compete for the same cache sets.
            rows = zeros((self.slots + (self.average is not None), size), dtype)
            self.state = rows[: self.slots]
            self.state.fill(self._first_state())
            if self.average is not None:
                self.averaged_theta = rows[-1]
                self.averaged_theta[:] = 0.0 if model is None else model.theta
        held = self.state.shape, self.state.dtype, self.averaged_theta is not None
        needed = (self.slots, size), np.dtype(dtype), self.average is not None
        if held != needed:
            raise ValueError(
                f"this optimizer holds the state of another model or of other settings, {_layout(*held)}, "
                f"but this model needs {_layout(*needed)}: make a new {type(self).__name__} for each model"
            )
        return self.state

    def _first_state(self) -> float:
        """What the slots hold before the first step."""
        return 0.0

    def step(self, model: Trainable) -> None:
        """One update of `model.theta` with `model.grad`, in a loop of one's own.

        Such a loop has no epochs, so a schedule counts steps: its t is `steps`, the length of the run unknown (inf).

        Raises
        ------
        FloatingPointError
            The gradient has an inf or NaN. Model and optimiser are as they were.
        ValueError
            The optimiser belongs to another model; see `bind` and `regime`.
        """
        if not np.isfinite(model.grad).all():
            raise FloatingPointError(
                f"the gradient of step {self.steps + 1} is not finite, theta is unchanged: "
                f"lower lr (now {self.lr}) or scale X"
            )
        t = np.array([self.steps])
        epoch_times = t.astype(np.float64)
        coefficients = self.coefficients(self.schedule(epoch_times, math.inf), t + 1)
        state = self.bind(model.grad.size, model.grad.dtype, model)
        model.apply(self, coefficients.ravel(), state, self.regime(model, t + 1, epoch_times + 1))
        self.steps += 1


def _layout(shape: tuple[int, ...], dtype: np.dtype[Any], has_average: bool) -> str:
    return f"{shape} {dtype}" + " and an average" * has_average


def _at(name: str, value: Any, interval: str, epoch_times: Floats, total: float) -> Any:
    """The values of a setting at these moments; a pair of settings becomes a pair of values."""
    if isinstance(value, (tuple, list)):
        return [_at(f"{name}[{i}]", part, interval, epoch_times, total) for i, part in enumerate(value)]
    return values(name, value, interval, epoch_times, total)


def _table(columns: Sequence[Floats | float], rows: int) -> Floats:
    """Columns, each (rows,) or one number for all, as a table."""
    table = np.empty((rows, len(columns)))
    for i, column in enumerate(columns):
        table[:, i] = column
    return table
