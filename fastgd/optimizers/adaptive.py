"""Optimisers that scale each step by past gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._common.typing import Floats, Ints
from ..schedules import Rate, is_scheduled
from .base import FROM_0, POSITIVE, SHARE, Optimizer


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """Ints scaled by a running mean of the squared gradient: rules `rmsprop`, `rmsprop_momentum`, `rmsprop_centered`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate.
    alpha : float in [0, 1), default=0.99
        Share of the last mean that is kept.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    momentum : float in [0, 1), default=0.0
        Share of the last velocity that is kept.
    centered : bool, default=False
        Divide by the standard deviation of the gradient, not by the root of its mean square.
    """

    name = "rmsprop"
    intervals = {"lr": POSITIVE, "alpha": SHARE, "eps": POSITIVE, "weight_decay": FROM_0, "momentum": SHARE}

    lr: Rate = 0.01
    alpha: Rate = 0.99
    eps: Rate = 1e-8
    weight_decay: Rate = 0.0
    momentum: Rate = 0.0
    centered: bool = False

    @property
    def rule(self) -> str:
        if self.centered:
            return "rmsprop_centered"
        return "rmsprop_momentum" if self.momentum else "rmsprop"

    @property
    def slots(self) -> int:
        return {"rmsprop": 1, "rmsprop_momentum": 2, "rmsprop_centered": 3}[self.rule]

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        columns = (at.lr, at.weight_decay, at.alpha, 1 - at.alpha, at.eps)
        return columns if self.rule == "rmsprop" else (*columns, at.momentum)


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """Ints scaled by the sum of all squared gradients so far: rule `rmsprop` with alpha = gain = 1.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate of the first step.
    lr_decay : float >= 0, default=0.0
        The rate of step t is lr / (1 + (t - 1) lr_decay).
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    initial_accumulator_value : float >= 0, default=0.0
        The sum before the first step.
    eps : float > 0, default=1e-10
        Added to the divisor.
    """

    name = "adagrad"
    intervals = {
        "lr": POSITIVE,
        "lr_decay": FROM_0,
        "weight_decay": FROM_0,
        "initial_accumulator_value": FROM_0,
        "eps": POSITIVE,
    }

    lr: Rate = 0.01
    lr_decay: Rate = 0.0
    weight_decay: Rate = 0.0
    initial_accumulator_value: float = 0.0
    eps: Rate = 1e-10

    rule = "rmsprop"
    slots = 1

    def _check(self, name: str, value: Any, interval: str) -> None:
        if name == "initial_accumulator_value" and is_scheduled(value):
            raise ValueError(f"{name} is used once, before the first step: give a number, not {value}")
        super()._check(name, value, interval)

    def _first_state(self) -> float:
        return self.initial_accumulator_value

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        return at.lr / (1 + (t - 1) * at.lr_decay), at.weight_decay, 1.0, 1.0, at.eps


@dataclass(eq=False, repr=False)
class Adadelta(Optimizer):
    """Ints in the unit of theta, by running means of squared gradients and squared steps: rule `adadelta`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=1.0
        Factor on each step.
    rho : float in [0, 1), default=0.9
        Share of the last means that is kept.
    eps : float > 0, default=1e-6
        Added under both roots.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    """

    name = "adadelta"
    intervals = {"lr": POSITIVE, "rho": SHARE, "eps": POSITIVE, "weight_decay": FROM_0}

    lr: Rate = 1.0
    rho: Rate = 0.9
    eps: Rate = 1e-6
    weight_decay: Rate = 0.0

    rule = "adadelta"
    slots = 2

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        return at.lr, at.weight_decay, at.rho, 1 - at.rho, at.eps
