"""The optimisers of Adam's family: running means of the gradient and of its square; a share `betas` is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._common.exact_math import exp, log, power
from .._common.typing import Floats, Ints
from ..schedules import Rate, is_scheduled
from .base import FROM_0, POSITIVE, SHARE, Optimizer


@dataclass(eq=False, repr=False)
class _Betas(Optimizer):
    """What they share: the pair `betas`. The order of the others is PyTorch's."""

    intervals = {"lr": POSITIVE, "betas": SHARE, "weight_decay": FROM_0}

    betas: tuple[Rate, Rate] = (0.9, 0.999)

    def _check(self, name: str, value: Any, interval: str) -> None:
        if name != "betas":
            super()._check(name, value, interval)
            return
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), such as (0.9, 0.999), not {value!r}")
        for i, beta in enumerate(value):
            super()._check(f"betas[{i}]", beta, interval)


@dataclass(eq=False, repr=False)
class Adam(_Betas):
    """Ints scaled by running means of the gradient and of its square: rules `adam` and `amsgrad`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate: about the largest change of a weight in one step.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        Share of the last mean that is kept, for the gradient and for its square.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    amsgrad : bool, default=False
        Divide by the largest mean square so far, so that no step grows because gradients became small.
    """

    name = "adam"
    intervals = {**_Betas.intervals, "eps": POSITIVE}
    decoupled: ClassVar[bool] = False

    lr: Rate = 1e-3
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Rate = 1e-8
    weight_decay: Rate = 0.0
    amsgrad: bool = False

    @property
    def rule(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    @property
    def slots(self) -> int:
        return 3 if self.amsgrad else 2

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        step_size = at.lr / (1 - power(at.betas[0], t))
        return step_size, *_of_adam(at, t, self.decoupled)


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """Adam whose weight decay does not pass through the means: each step first scales theta by 1 - lr weight_decay.

    Parameters
    ----------
    lr, betas, eps, amsgrad
        As in `Adam`.
    weight_decay : float >= 0, default=0.01
    """

    name = "adamw"
    decoupled = True

    weight_decay: Rate = 0.01


@dataclass(eq=False, repr=False)
class NAdam(_Betas):
    """Adam with Nesterov's look ahead: rule `nadam`.

    With mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2) and M_t = mu_1 mu_2 ... mu_t:
    theta <- theta - lr (mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - beta2^t)) + eps).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.002
        Learning rate.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        As in `Adam`; the first may not be a schedule, as M_t depends on its whole past.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty, or with `decoupled_weight_decay` as in `AdamW`.
    momentum_decay : float >= 0, default=0.004
        How fast mu rises from beta1 / 2 to beta1.
    decoupled_weight_decay : bool, default=False
    """

    name = "nadam"
    intervals = {**_Betas.intervals, "eps": POSITIVE, "momentum_decay": FROM_0}

    lr: Rate = 2e-3
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Rate = 1e-8
    weight_decay: Rate = 0.0
    momentum_decay: float = 0.004
    decoupled_weight_decay: bool = False

    rule = "nadam"
    slots = 2

    def _check(self, name: str, value: Any, interval: str) -> None:
        super()._check(name, value, interval)
        fixed = {"momentum_decay": value, "betas": value[0] if name == "betas" else None}
        if is_scheduled(fixed.get(name)):
            raise ValueError(f"betas[0] and momentum_decay of NAdam must be numbers, not the schedule {fixed[name]}")

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        # A product is in the order of the steps and from the first one, so no bit depends on where a chunk begins.
        steps = np.arange(1, t[-1] + 2)
        mu = at.betas[0] * (1 - 0.5 * power(float(exp(log(np.array(0.96)) * at.momentum_decay)), steps))
        product = np.cumprod(mu)
        m_size = at.lr * mu[t] / (1 - product[t])
        g_size = at.lr * (1 - mu[t - 1]) / (1 - product[t - 1])
        return m_size, *_of_adam(at, t, self.decoupled_weight_decay), g_size


@dataclass(eq=False, repr=False)
class RAdam(_Betas):
    """Adam that is plain momentum until its mean square can be trusted: rule `adam`.

    With r = 2 / (1 - beta2) - 1 and r_t = r - 2 t beta2^t / (1 - beta2^t): while r_t <= 5,
    theta <- theta - lr m / (1 - beta1^t); then Adam's step, with eps added before the bias of sqrt(v) is mended, times
    sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t)).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate.
    betas, eps
        As in `Adam`.
    weight_decay : float >= 0, default=0.0
        L2 penalty, or with `decoupled_weight_decay` as in `AdamW`.
    decoupled_weight_decay : bool, default=False

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2.
    """

    name = "radam"
    intervals = {**_Betas.intervals, "eps": POSITIVE}

    lr: Rate = 1e-3
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Rate = 1e-8
    weight_decay: Rate = 0.0
    decoupled_weight_decay: bool = False

    rule = "adam"
    slots = 2

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        beta1, beta2 = at.betas
        power2 = power(beta2, t)
        r = 2 / (1 - beta2) - 1
        r_t = r - 2 * t * power2 / (1 - power2)
        trusted = r_t > 5
        safe = np.where(trusted, r_t, 6.0)  # what the root would otherwise see is thrown away, but must not warn
        room = np.where(trusted, (r - 4) * (r - 2) * safe, 1.0)
        scale = np.where(trusted, np.sqrt((safe - 4) * (safe - 2) * r / room * (1 - power2)), 1.0)
        _, *means, _, _, shrink = _of_adam(at, t, self.decoupled_weight_decay)
        l2 = 0.0 if self.decoupled_weight_decay else at.weight_decay
        divisor = np.where(trusted, 1.0, 0.0), np.where(trusted, at.eps, 1.0)
        return at.lr / (1 - power(beta1, t)) * scale, l2, *means, *divisor, shrink


@dataclass(eq=False, repr=False)
class Lion(_Betas):
    """Ints of one length, by the sign of a mean gradient; the weight decay is decoupled: rule `lion`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.0001
        Learning rate: the change of each weight in one step; 3 to 10 times smaller than Adam's.
    betas : (float, float), each in [0, 1), default=(0.9, 0.99)
        Share of the mean gradient in the step's direction, and share of it that is kept for the next step.
    weight_decay : float >= 0, default=0.0
        Each step first scales theta by 1 - lr weight_decay.
    """

    name = "lion"

    lr: Rate = 1e-4
    betas: tuple[Rate, Rate] = (0.9, 0.99)
    weight_decay: Rate = 0.0

    rule = "lion"
    slots = 1

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        beta1, beta2 = at.betas
        return at.lr, 1 - at.lr * at.weight_decay, beta1, 1 - beta1, beta2, 1 - beta2


def _of_adam(at: Any, t: Ints, decoupled: bool) -> tuple[Floats | float, ...]:
    """The coefficients of rule `adam` after its first: weight_decay, betas ... shrink."""
    beta1, beta2 = at.betas
    l2, shrink = (0.0, 1 - at.lr * at.weight_decay) if decoupled else (at.weight_decay, 1.0)
    return l2, beta1, 1 - beta1, beta2, 1 - beta2, 1 / np.sqrt(1 - power(beta2, t)), at.eps, shrink
