"""Adam and its relatives: running means of the gradient and of its square, with decay rates `betas`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._common.checks import FRACTION, NON_NEGATIVE, POSITIVE
from .._common.exact_math import exp, log, power
from .._common.typing import Floats, Ints
from ..schedules import Rate, is_scheduled
from .base import Optimizer


@dataclass(eq=False, repr=False)
class _Betas(Optimizer):
    """Optimizers with a pair of decay rates `betas`. The order of the other settings is PyTorch's."""

    intervals = {"lr": POSITIVE, "betas": FRACTION, "weight_decay": NON_NEGATIVE}

    betas: tuple[Rate, Rate] = (0.9, 0.999)

    def _check(self, name: str, value: Any, interval: str) -> None:
        if name != "betas":
            super()._check(name, value, interval)
            return
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise ValueError(f"betas must be a pair of numbers in [0, 1), such as (0.9, 0.999), not {value!r}")
        for i, beta in enumerate(value):
            super()._check(f"betas[{i}]", beta, interval)

    def _adam_step(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        """All coefficients of rule `adam`."""
        return now.lr / (1 - power(now.betas[0], t)), *self._adam_coefficients(now, t)

    def _adam_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        """All coefficients of rule `adam` but the first: weight_decay, beta1 ... shrink."""
        beta1, beta2 = now.betas
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        inv_sqrt_bc2 = 1 / np.sqrt(1 - power(beta2, t))
        return weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, inv_sqrt_bc2, now.eps, shrink


@dataclass(eq=False, repr=False)
class Adam(_Betas):
    """Steps scaled by running means of the gradient and of its square: rules `adam` and `amsgrad`.

    theta <- theta - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps), m and v the running means of g and g^2.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate: roughly the largest change of a parameter in one step.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        Share of the previous mean that is kept, for the gradient and for its square.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    amsgrad : bool, default=False
        Divide by the largest mean square so far, so that steps do not grow when gradients become small.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    Reddi, Kale & Kumar, "On the convergence of Adam and beyond", ICLR 2018: AMSGrad.

    Examples
    --------
    >>> import fastgd as gd
    >>> optimizer = gd.Adam(lr=gd.Cosine(1e-3), clip_norm=1.0)
    >>> trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", optimizer=optimizer)
    """

    name = "adam"
    intervals = {**_Betas.intervals, "eps": POSITIVE}

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

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        return self._adam_step(now, t)


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: each step first scales theta by 1 - lr weight_decay.

    Parameters
    ----------
    lr, betas, eps, amsgrad
        As in `Adam`.
    weight_decay : float >= 0, default=0.01
        Decoupled weight decay, which bypasses the running means.

    References
    ----------
    Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    name = "adamw"

    weight_decay: Rate = 0.01
    decoupled_weight_decay: bool = field(default=True, kw_only=True)


@dataclass(eq=False, repr=False)
class NAdam(_Betas):
    """Adam with Nesterov momentum: rule `nadam`.

    With mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2) and M_t = mu_1 mu_2 ... mu_t:
    theta <- theta - lr (mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - beta2^t)) + eps).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.002
        Learning rate.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        As in `Adam`; the first must not be a schedule because M_t depends on all of its past values.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty, or as in `AdamW` with decoupled_weight_decay=True.
    momentum_decay : float >= 0, default=0.004
        How fast mu rises from beta1 / 2 to beta1.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    name = "nadam"
    intervals = {**_Betas.intervals, "eps": POSITIVE, "momentum_decay": NON_NEGATIVE}

    lr: Rate = 2e-3
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Rate = 1e-8
    weight_decay: Rate = 0.0
    momentum_decay: float = 0.004

    rule = "nadam"
    slots = 2

    # (betas[0], momentum_decay), M_n and n of the last step computed, from which the product is continued
    _product_of_mu: ClassVar[tuple[Any, float, int]] = None, 1.0, 0

    def _check(self, name: str, value: Any, interval: str) -> None:
        super()._check(name, value, interval)
        fixed = {"momentum_decay": value, "betas": value[0] if name == "betas" else None}
        if is_scheduled(fixed.get(name)):
            raise ValueError(f"betas[0] and momentum_decay of NAdam must be numbers, not the schedule {fixed[name]}")

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        settings, (known, product_before, n) = (now.betas[0], now.momentum_decay), self._product_of_mu
        if known != settings or n >= t[0]:
            product_before, n = 1.0, 0
        # A product is continued factor by factor, so its bits do not depend on where a chunk begins.
        shrink = float(exp(log(np.array(0.96)) * now.momentum_decay))
        mu = now.betas[0] * (1 - 0.5 * power(shrink, np.arange(n + 1, t[-1] + 2)))
        product = np.cumprod(np.append(product_before, mu))
        vars(self)["_product_of_mu"] = settings, float(product[t[-1] - n]), int(t[-1])
        m_size = now.lr * mu[t - n] / (1 - product[t - n + 1])
        g_size = now.lr * (1 - mu[t - n - 1]) / (1 - product[t - n])
        return m_size, *self._adam_coefficients(now, t), g_size


@dataclass(eq=False, repr=False)
class RAdam(_Betas):
    """Rectified Adam: plain momentum until the mean square has a reliable variance, then Adam: rule `adam`.

    With r = 2 / (1 - beta2) - 1 and r_t = r - 2 t beta2^t / (1 - beta2^t): while r_t <= 5,
    theta <- theta - lr m / (1 - beta1^t); then Adam's step, with eps added before the bias of sqrt(v) is corrected,
    times sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t)).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate.
    betas, eps
        As in `Adam`.
    weight_decay : float >= 0, default=0.0
        L2 penalty, or as in `AdamW` with decoupled_weight_decay=True.

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

    rule = "adam"
    slots = 2

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        beta1, beta2 = now.betas
        power2 = power(beta2, t)
        r = 2 / (1 - beta2) - 1
        r_t = r - 2 * t * power2 / (1 - power2)
        rectify = r_t > 5
        safe = np.where(rectify, r_t, 6.0)  # a dummy where the root is not used, so that it does not warn
        divisor = np.where(rectify, (r - 4) * (r - 2) * safe, 1.0)
        scale = np.where(rectify, np.sqrt((safe - 4) * (safe - 2) * r / divisor * (1 - power2)), 1.0)
        weight_decay, *gains, _, _, shrink = self._adam_coefficients(now, t)
        root_factor, eps = np.where(rectify, 1.0, 0.0), np.where(rectify, now.eps, 1.0)
        return now.lr / (1 - power(beta1, t)) * scale, weight_decay, *gains, root_factor, eps, shrink


@dataclass(eq=False, repr=False)
class Lion(_Betas):
    """Steps of the sign of a mean gradient, with decoupled weight decay: rule `lion`.

    theta <- (1 - lr weight_decay) theta - lr sign(beta1 m + (1 - beta1) g); m <- beta2 m + (1 - beta2) g.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.0001
        Learning rate: the change of each parameter in one step; 3 to 10 times smaller than for Adam.
    betas : (float, float), each in [0, 1), default=(0.9, 0.99)
        Share of the mean gradient in the direction of the step, and share of it that is kept for the next step.
    weight_decay : float >= 0, default=0.0
        Each step first scales theta by 1 - lr weight_decay; an L2 penalty with decoupled_weight_decay=False.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.
    """

    name = "lion"

    lr: Rate = 1e-4
    betas: tuple[Rate, Rate] = (0.9, 0.99)
    weight_decay: Rate = 0.0
    decoupled_weight_decay: bool = field(default=True, kw_only=True)

    rule = "lion"
    slots = 1

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        beta1, beta2 = now.betas
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        return now.lr, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, shrink
