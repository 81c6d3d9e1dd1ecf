"""Optimizers that scale each step by past gradients, without momentum or bias correction by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._common.checks import FRACTION, NON_NEGATIVE, POSITIVE
from .._common.typing import Floats, Ints
from ..schedules import Rate, is_scheduled
from .base import Optimizer


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """Steps scaled by a running mean v of g^2: rules `rmsprop`, `rmsprop_momentum`, `rmsprop_centered`.

    v <- alpha v + (1 - alpha) g^2; theta <- theta - lr g / (sqrt(v) + eps).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate.
    alpha : float in [0, 1), default=0.99
        Share of the previous mean that is kept.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    momentum : float in [0, 1), default=0.0
        Share of the previous velocity that is kept.
    centered : bool, default=False
        Divide by the standard deviation of the gradient instead of the root of its mean square.

    References
    ----------
    Tieleman & Hinton, "Lecture 6.5: rmsprop", Coursera, 2012.
    Graves, "Generating sequences with recurrent neural networks", 2013: centred, with momentum.
    """

    name = "rmsprop"
    intervals = {"lr": POSITIVE, "alpha": FRACTION, "eps": POSITIVE, "weight_decay": NON_NEGATIVE, "momentum": FRACTION}

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

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        momentum = () if self.rule == "rmsprop" else (now.momentum,)
        return now.lr, weight_decay, now.alpha, 1 - now.alpha, now.eps, *momentum, shrink


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """Steps scaled by the sum v of all g^2 so far: rule `rmsprop` with alpha = gain = 1.

    v <- v + g^2; theta <- theta - lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate of the first step.
    lr_decay : float >= 0, default=0.0
        The rate of step t is lr / (1 + (t - 1) lr_decay).
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    initial_accumulator_value : float >= 0, default=0.0
        The value of the sum before the first step.
    eps : float > 0, default=1e-10
        Added to the divisor.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12,
    2011.
    """

    name = "adagrad"
    intervals = {
        "lr": POSITIVE,
        "lr_decay": NON_NEGATIVE,
        "weight_decay": NON_NEGATIVE,
        "initial_accumulator_value": NON_NEGATIVE,
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
            raise ValueError(f"{name} is used once, before the first step: it must be a number, not {value}")
        super()._check(name, value, interval)

    def _initial_state(self) -> float:
        return self.initial_accumulator_value

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        lr = now.lr / (1 + (t - 1) * now.lr_decay)
        weight_decay, shrink = self._decay(lr, now.weight_decay)
        return lr, weight_decay, 1.0, 1.0, now.eps, shrink


@dataclass(eq=False, repr=False)
class Adadelta(Optimizer):
    """Steps in the unit of theta, from running means v of g^2 and u of the squared steps d^2: rule `adadelta`.

    d = g sqrt(u + eps) / sqrt(v + eps); theta <- theta - lr d.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=1.0
        Factor on each step.
    rho : float in [0, 1), default=0.9
        Share of the previous means that is kept.
    eps : float > 0, default=1e-6
        Added under both roots.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.
    """

    name = "adadelta"
    intervals = {"lr": POSITIVE, "rho": FRACTION, "eps": POSITIVE, "weight_decay": NON_NEGATIVE}

    lr: Rate = 1.0
    rho: Rate = 0.9
    eps: Rate = 1e-6
    weight_decay: Rate = 0.0

    rule = "adadelta"
    slots = 2

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        return now.lr, weight_decay, now.rho, 1 - now.rho, now.eps, shrink
