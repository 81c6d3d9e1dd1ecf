"""The base class of optimizers: what their settings mean at each step, and the state of one training."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from .._common.explain import ExplainsAttributes
from .._common.typing import Floats, Ints
from ..schedules import Schedule, as_schedule
from ..schedules.base import evaluate
from .bound_steps import UpdateNotFinite, bind_steps
from .groups import assign_groups, evaluate_factors, with_frozen
from .settings import TRANSFORM_INTERVALS
from .state import State, Trainable
from .transforms import WHOLE_STEP, Transforms


@dataclass(eq=False, repr=False)
class Optimizer(State, ExplainsAttributes):
    """Settings and state of one training; an optimizer belongs to one model.

    From its first step on it belongs to the model that it updated, and cannot update any other. `copy` makes another
    optimizer with the same settings (so does `copy.copy`), and `reset` frees this one. A deep copy and a pickle keep
    the state, for the same model or for the copy of it that was made along with them.

    Every numeric setting may also be a `Schedule` or a callable epoch -> number. The settings below are common to all
    optimizers and keyword-only; `transforms.py` has their formulas, their order and references.

    Parameters
    ----------
    decoupled_weight_decay : bool, default=False
        Whether weight_decay scales theta by 1 - lr weight_decay in each step, as in `AdamW`, instead of being added to
        the gradient as an L2 penalty. For `SGD` without momentum both are the same.
    clip_norm : float > 0 or None, default=None
        Scale the gradient down to this norm (over all parameters) where it is longer.
    clip_value : float > 0 or None, default=None
        Clip each element of the gradient to [-clip_value, clip_value], after clip_norm.
    l1 : float >= 0, default=0.0
        L1 penalty: l1 sign(theta) is added to the gradient; with weight_decay, the elastic net. Like weight_decay, it
        has the same strength at each step whatever the batch size, and applies to biases unless a group exempts them.
    max_norm : float > 0 or None, default=None
        After each step, scale the weights into each unit (a column of W) down to this norm where they are longer.
    average : EMA, SWA or None, default=None
        Keep an average of theta: see `averaging.py`, `averaged` and `Trainer.averaged`.
    groups : mapping or None, default=None
        Factors on lr, weight_decay, l1 and max_norm for the parameters whose names match a pattern, such as
        `{"*.bias": {"weight_decay": 0.0}, "0.*": {"lr": 0.1}}`. If several patterns match a name, only the last one
        applies. lr 0 freezes parameters, max_norm None exempts them from the constraint.

    Attributes
    ----------
    intervals : mapping of str to str
        The numeric settings of the rule, with their intervals.
    state : ndarray (slots, size) or None
        What the rule remembers, each slot in the layout and dtype of theta; None before the first use.
    averaged_theta : ndarray (size,) or None
        The average that `average` keeps, in the layout and dtype of theta; None if it keeps none, or before the first
        use.
    steps : int
        Steps done.
    lr_before_reduction : float, schedule, callable or None
        The setting lr before `reduce_lr`, which callbacks may call; None if it was not reduced.
    """

    forms: ClassVar[int] = 0  # of the rule, each with its own groups of parameters; 0: it has one, and needs no groups

    @property
    @abstractmethod
    def rule(self) -> str:
        """The name of the update rule in `RULES`."""

    @abstractmethod
    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        """The coefficients of the rule, each (k,) or one number for all steps.

        `now` has the settings of `intervals` as attributes: numbers, or (k,) arrays where they are scheduled; lr is
        always an array. t (k,) are the numbers of the steps, from 1.
        """

    def _decay(self, lr: Floats, weight_decay: Floats | float) -> tuple[Floats | float, Floats | float]:
        """What weight_decay is to a rule: its coefficients weight_decay and shrink."""
        return (0.0, 1 - lr * weight_decay) if self.decoupled_weight_decay else (weight_decay, 1.0)

    def _assign(self, model: Trainable) -> Ints:
        """The group of each of `list_parts`."""
        return assign_groups(self._groups_of(model), model.parameters())

    def _groups_of(self, model: Trainable | None) -> Mapping[str, Any] | None:
        """The groups of parameters, those that the model has frozen included."""
        return with_frozen(self.groups, getattr(model, "frozen", ()))

    def coefficients(
        self,
        lr: Floats,
        t: Ints,
        epoch_times: Floats | None = None,
        total_epochs: float = math.inf,
        model: Trainable | None = None,
    ) -> Floats:
        """What the rule needs at each step, (k, groups n_coefficients) float64, group by group.

        Parameters
        ----------
        lr : (k,) float64
            Learning rates.
        t : (k,) int64
            Numbers of the steps, from 1.
        epoch_times : (k,) float64 or None, default=None
            Epochs done before each step, for scheduled settings; None: the number of steps done.
        total_epochs : float, default=inf
            Epochs of the whole run.
        model : Sequential or None, default=None
            Of which some parameters may be frozen.

        Raises
        ------
        ValueError
            A value of a schedule is outside the interval of its setting.
        """
        times = t.astype(np.float64) - 1 if epoch_times is None else epoch_times
        now = {
            name: evaluate(name, getattr(self, name), self._interval(name), times, total_epochs)
            for name in self.intervals
            if name != "lr"
        }
        columns: list[Floats | float] = []
        for factors in evaluate_factors(self._groups_of(model), times, total_epochs):
            scaled = now | {name: now[name] * factors[name] for name in factors if name in now}
            columns += self._rule_coefficients(SimpleNamespace(**scaled, lr=lr * factors.get("lr", 1.0)), t)
        return _stack_columns(columns, len(t))

    def transforms(
        self,
        model: Trainable,
        t: Ints,
        epoch_ends: Floats,
        epoch_times: Floats | None = None,
        total_epochs: float = math.inf,
        micro_batch: int = WHOLE_STEP,
        norm: Floats | None = None,
    ) -> Transforms | None:
        """What the same steps do besides the rule; None if nothing.

        Parameters
        ----------
        t, epoch_times, total_epochs
            As in `coefficients`.
        epoch_ends : (k,) float64
            Epochs done after each step.
        micro_batch : int, default=all
            Rows that pass through the network at a time.
        norm : (k,) float64 or None, default=None
            Output: the norm of each gradient.

        Raises
        ------
        ValueError
            A value of a schedule is outside the interval of its setting, or a pattern of `groups` matches no parameter.
        """
        groups, mask = self._groups_of(model), getattr(model, "mask", None)
        settings = (self.clip_norm, self.clip_value, self.l1 or None, self.max_norm, self.average, groups, norm, mask)
        if not self.forms and micro_batch == WHOLE_STEP and all(setting is None for setting in settings):
            return None
        times = t.astype(np.float64) - 1 if epoch_times is None else epoch_times
        clip_norm, clip_value, l1, max_norm = (
            math.inf
            if (setting := getattr(self, name)) is None
            else evaluate(name, setting, interval, times, total_epochs)
            for name, interval in TRANSFORM_INTERVALS.items()
        )
        weight = 0.0 if self.average is None else self.average.weights(t, times, epoch_ends, total_epochs)
        columns: list[Floats | float] = []
        for factors in evaluate_factors(groups, times, total_epochs):
            limits = clip_value, l1 * factors.get("l1", 1.0), max_norm * factors.get("max_norm", 1.0)
            columns += limits * max(1, self.forms)
        return Transforms(
            _stack_columns([clip_norm, weight], len(t)),
            _stack_columns(columns, len(t)),
            self._assign(model),
            self.averaged_theta,
            norm,
            micro_batch,
            mask,
        )

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of time."""
        return as_schedule(self.lr)

    def step(self, model: Trainable) -> None:
        """Update `model.theta` with `model.grad` once, in a custom training loop.

        Such a loop has no epochs, so schedules count steps: t is `steps`, and the length of the run is unknown (inf).

        Raises
        ------
        FloatingPointError
            The gradient contains inf or NaN, or theta or what the rule remembers would. Model and optimizer are
            unchanged.
        ValueError
            The optimizer belongs to another model; see `bind` and `transforms`.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd as gd
        >>> X, Y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
        >>> model, optimizer = gd.MLP(1, 1, seed=0), gd.SGD(lr=0.1)
        >>> for _ in range(1000):
        ...     dX = model.backward(model.forward(X) - Y)
        ...     optimizer.step(model)
        >>> model.theta.round(3)
        array([2., 0.], dtype=float32)
        """
        t, bound = self.steps, self._bound_steps
        is_bound = bound is not None and bound.first <= t < bound.last and bound.is_of(self, model)
        if bound is None or not is_bound or (bound.functions and not bound.hold(t)):
            bound = bind_steps(self, model, bound)
            self.__dict__["_bound_steps"] = bound
        try:
            bound.do(t - bound.first)
        except UpdateNotFinite as failure:
            raise FloatingPointError(self._why_not_finite(failure)) from None
        self.__dict__["steps"] = t + 1  # as by `count`, without the time of a call

    def _why_not_finite(self, failure: UpdateNotFinite) -> str:
        number, cure = self.steps + 1, f"lower lr (now {self.lr}) or scale X"
        if failure.of_grad:
            return f"the gradient of step {number} is not finite, theta is unchanged: {cure}"
        return f"step {number} would make theta or the state of the optimizer inf or NaN; both are unchanged: {cure}"


def _stack_columns(columns: Sequence[Floats | float], rows: int) -> Floats:
    """An array (rows, columns) whose columns are each (rows,) or one number for all rows."""
    stacked = np.empty((rows, len(columns)))
    for i, column in enumerate(columns):
        stacked[:, i] = column
    return stacked
