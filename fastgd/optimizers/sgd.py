"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._common.checks import FRACTION, NON_NEGATIVE, POSITIVE
from .._common.typing import Floats, Ints
from ..schedules import Rate
from .base import Optimizer


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum: rules `sgd` and `momentum`.

    v <- momentum v + (1 - dampening) g; theta <- theta - lr v, with Nesterov momentum theta - lr (g + momentum v).

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate; see `fastgd.schedules`.
    momentum : float in [0, 1), default=0.0
        Share of the previous velocity that is kept.
    dampening : float in [0, 1), default=0.0
        Share of each gradient, from the second step on, that is left out of the velocity.
    nesterov : bool, default=False
        Use Nesterov momentum; needs momentum > 0 and no dampening.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient. With decoupled_weight_decay=True and momentum this is
        SGDW.

    References
    ----------
    Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951.
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import fastgd as gd
    >>> optimizer = gd.SGD(lr=0.1, momentum=0.9)
    >>> optimizer.rule, optimizer.slots
    ('momentum', 1)
    """

    name = "sgd"
    intervals = {"lr": POSITIVE, "momentum": FRACTION, "dampening": FRACTION, "weight_decay": NON_NEGATIVE}

    lr: Rate = 0.01
    momentum: Rate = 0.0
    dampening: Rate = 0.0
    nesterov: bool = False
    weight_decay: Rate = 0.0

    def _check_together(self) -> None:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "nesterov=True needs momentum in (0, 1) and dampening=0, "
                f"not momentum={self.momentum}, dampening={self.dampening}"
            )
        super()._check_together()

    @property
    def rule(self) -> str:
        return "momentum" if self.momentum else "sgd"

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        if not self.momentum:
            return now.lr, now.weight_decay
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        gain = np.where(t == 1, 1.0, 1.0 - now.dampening)
        g_part, v_part = (1.0, now.momentum) if self.nesterov else (0.0, 1.0)
        return now.lr, weight_decay, now.momentum, gain, g_part, v_part, shrink
