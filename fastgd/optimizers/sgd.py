"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._common.typing import Floats, Ints
from ..schedules import Rate
from .base import FROM_0, POSITIVE, SHARE, Optimizer


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

    def _columns(self, at: Any, t: Ints) -> tuple[Floats | float, ...]:
        if not self.momentum:
            return at.lr, at.weight_decay
        gain = np.where(t == 1, 1.0, 1.0 - at.dampening)
        g_part, v_part = (1.0, at.momentum) if self.nesterov else (0.0, 1.0)
        return at.lr, at.weight_decay, at.momentum, gain, g_part, v_part
