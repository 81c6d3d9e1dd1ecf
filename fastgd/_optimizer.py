"""What every optimiser is: settings, some of which may be schedules, and the state of one training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._definition import Array, number
from ._schedule import values
from .schedules import Rate, Schedule, as_schedule, is_scheduled

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

POSITIVE, FROM_0, SHARE = "(0, inf)", "[0, inf)", "[0, 1)"


class Trainable(Protocol):
    """What `Optimizer.step` needs of a model."""

    @property
    def grad(self) -> Array: ...

    def apply(self, optimizer: Optimizer, coefficients: Floats, state: Array) -> None: ...


@dataclass(eq=False)
class Optimizer(ABC):
    """Settings and state of one training; an optimiser belongs to one model.

    Every setting in `intervals` may be a number, a `Schedule` or a callable epoch -> number.

    Attributes
    ----------
    intervals : mapping of str to str
        The settings that are numbers, and where each must lie.
    state : ndarray (slots, size) or None
        What the rule remembers, in the layout and dtype of theta; None before the first use.
    steps : int
        Steps done.
    """

    name: ClassVar[str]
    intervals: ClassVar[Mapping[str, str]] = {"lr": POSITIVE}

    state: Array | None = field(default=None, init=False, repr=False)
    steps: int = field(default=0, init=False, repr=False)
    lr: Rate = field(default=0.01, kw_only=True)

    def __post_init__(self) -> None:
        for name, interval in self.intervals.items():
            self._check(name, getattr(self, name), interval)

    def _check(self, name: str, value: Any, interval: str) -> None:
        if not is_scheduled(value):
            number(name, value, interval)

    @property
    @abstractmethod
    def rule(self) -> str:
        """The row of `RULES`."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many numbers the rule remembers for each number of theta."""

    @abstractmethod
    def _columns(self, at: Any, t: Steps) -> tuple[Floats | float, ...]:
        """The coefficients of the rule, one by one: each (k,) or one number for all steps.

        `at` has the settings of `intervals` as attributes: numbers, or (k,) arrays where they are scheduled; lr is
        always an array.
        """

    def coefficients(self, lr: Floats, t: Steps, moments: Floats | None = None, total: float = math.inf) -> Floats:
        """What the rule needs at each step, (k, n_coefficients) float64.

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
        when = t.astype(np.float64) - 1 if moments is None else moments
        at = {name: self._at(name, getattr(self, name), when, total) for name in self.intervals if name != "lr"}
        columns = self._columns(SimpleNamespace(lr=lr, **at), t)
        table = np.empty((len(t), len(columns)))
        for i, column in enumerate(columns):
            table[:, i] = column
        return table

    def _at(self, name: str, value: Any, moments: Floats, total: float) -> Any:
        """The values of a setting at these moments; a pair of settings becomes a pair of values."""
        if isinstance(value, (tuple, list)):
            return [self._at(f"{name}[{i}]", part, moments, total) for i, part in enumerate(value)]
        return values(name, value, self.intervals[name.partition("[")[0]], moments, total)

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of time."""
        return as_schedule(self.lr)

    def bind(self, size: int, dtype: DTypeLike) -> Array:
        """The state for a model whose theta has this size and dtype; made on first use.

        Raises
        ------
        ValueError
            The state belongs to a model of another size or dtype, or to other settings.
        """
        if self.state is None:
            self.state = np.full((self.slots, size), self._first_state(), dtype)
        if self.state.shape != (self.slots, size) or self.state.dtype != dtype:
            raise ValueError(
                f"this optimizer holds the state of another model or of other settings, {self.state.shape} "
                f"{self.state.dtype}, but this model needs {(self.slots, size)} {np.dtype(dtype)}: "
                f"make a new {type(self).__name__} for each model"
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
            The optimiser belongs to another model; see `bind`.
        """
        if not np.isfinite(model.grad).all():
            raise FloatingPointError(
                f"the gradient of step {self.steps + 1} is not finite, theta is unchanged: "
                f"lower lr (now {self.lr}) or scale X"
            )
        state = self.bind(model.grad.size, model.grad.dtype)
        t = np.array([self.steps])
        coefficients = self.coefficients(self.schedule(t.astype(np.float64), math.inf), t + 1)
        model.apply(self, coefficients.ravel(), state)
        self.steps += 1
