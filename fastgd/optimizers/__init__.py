"""Optimisers: the definitions; the semantics are PyTorch's.

An optimiser turns settings, learning rates and step numbers into the numbers that its *rule* (`rules.py`) needs at each
step, its *coefficients*, made once per chunk of steps and shared by both engines. They are part of the same-bits
contract: + - * /, sqrt and the functions of `_math` only. To add an optimiser: its class here or in `_adam.py`, its
line in `OPTIMIZERS`, and its rule if it needs a new one.

Every number among the settings (lr, momentum, weight_decay, betas ...) may be a schedule: see `fastgd.schedules`.
"""

from __future__ import annotations

from .._common.registry import resolve
from .adam import Adam, AdamW, Lion, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .averaging import EMA, SWA
from .base import Optimizer
from .rules import RULES
from .sgd import SGD

__all__ = [
    "EMA",
    "OPTIMIZERS",
    "RULES",
    "SGD",
    "SWA",
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
    return resolve("optimizer", optimizer, Optimizer, OPTIMIZERS)  # type: ignore[type-abstract]
