"""Optimisers: the definitions; the semantics are PyTorch's.

An optimiser turns settings, learning rates and step numbers into the numbers that its *rule* (`rules.py`) needs at each
step, its *coefficients*, made once per chunk of steps and shared by both engines. They are part of the same-bits
contract: + - * /, sqrt and the functions of `_math` only. To add an optimiser: its class here or in `_adam.py`, its
line in `OPTIMIZERS`, and its rule if it needs a new one.

Every number among the settings (lr, momentum, weight_decay, betas ...) may be a schedule: see `fastgd.schedules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._adam import Adam, AdamW, Lion, NAdam, RAdam
from ._definition import find
from ._optimizer import FROM_0, POSITIVE, SHARE, Floats, Optimizer, Steps
from .rules import RULES
from .schedules import Rate, is_scheduled

__all__ = [
    "OPTIMIZERS",
    "RULES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "get",
]


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum on request: rules `sgd` and `momentum`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate; see `fastgd.schedules`.
    momentum : float in [0, 1), default=0.0
        Share of the last velocity that is kept.
    dampening : float in [0, 1), default=0.0
        Share of a gradient that does not enter the velocity, from the second step on.
    nesterov : bool, default=False
        Look one step ahead; needs momentum > 0 and no dampening.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    """

    name = "sgd"
    intervals = {"lr": POSITIVE, "momentum": SHARE, "dampening": SHARE, "weight_decay": FROM_0}

    lr: Rate = 0.01
    momentum: Rate = 0.0
    dampening: Rate = 0.0
    nesterov: bool = False
    weight_decay: Rate = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "nesterov=True needs momentum in (0, 1) and dampening=0, "
                f"not momentum={self.momentum}, dampening={self.dampening}"
            )

    @property
    def rule(self) -> str:
        return "momentum" if self.momentum else "sgd"

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def _columns(self, at: Any, t: Steps) -> tuple[Floats | float, ...]:
        if not self.momentum:
            return at.lr, at.weight_decay
        gain = np.where(t == 1, 1.0, 1.0 - at.dampening)
        g_part, v_part = (1.0, at.momentum) if self.nesterov else (0.0, 1.0)
        return at.lr, at.weight_decay, at.momentum, gain, g_part, v_part


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """Steps scaled by a running mean of the squared gradient: rules `rmsprop`, `rmsprop_momentum`, `rmsprop_centered`.

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

    def _columns(self, at: Any, t: Steps) -> tuple[Floats | float, ...]:
        columns = (at.lr, at.weight_decay, at.alpha, 1 - at.alpha, at.eps)
        return columns if self.rule == "rmsprop" else (*columns, at.momentum)


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """Steps scaled by the sum of all squared gradients so far: rule `rmsprop` with alpha = gain = 1.

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

    def _columns(self, at: Any, t: Steps) -> tuple[Floats | float, ...]:
        return at.lr / (1 + (t - 1) * at.lr_decay), at.weight_decay, 1.0, 1.0, at.eps


@dataclass(eq=False, repr=False)
class Adadelta(Optimizer):
    """Steps in the unit of theta, by running means of squared gradients and squared steps: rule `adadelta`.

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

    def _columns(self, at: Any, t: Steps) -> tuple[Floats | float, ...]:
        return at.lr, at.weight_decay, at.rho, 1 - at.rho, at.eps


OPTIMIZERS: dict[str, type[Optimizer]] = {
    c.name: c for c in (SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, NAdam, RAdam, Lion)
}


def get(optimizer: str | Optimizer) -> Optimizer:
    """A new optimiser of this name with its defaults, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor an `Optimizer`.
    """
    return find("optimizer", optimizer, Optimizer, OPTIMIZERS)  # type: ignore[type-abstract]
