"""Optimizers, with the semantics of PyTorch's.

An optimizer turns settings, learning rates and step numbers into the *coefficients* that its *rule* (`rules.py`) needs
at each step. They are computed once per chunk of steps for both engines and must have the same bits everywhere, so only
+ - * /, sqrt and the functions of `exact_math` from `polynomial` on are used. To add an optimizer, write a class in
`sgd.py`, `adaptive.py`, `adam.py` or `muon.py`, list it in `OPTIMIZERS`, and add a rule if it needs a new one.

Every numeric setting (lr, momentum, weight_decay, betas ...) may be a schedule: see `fastgd.schedules`.
"""

from __future__ import annotations

from .._common.registry import registry, resolve
from .adam import Adam, AdamW, Lion, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .averaging import EMA, SWA
from .base import Optimizer
from .muon import Muon
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
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "get",
]

OPTIMIZERS: dict[str, type[Optimizer]] = registry(
    *(SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, NAdam, RAdam, Lion, Muon),
)


def get(optimizer: str | Optimizer) -> Optimizer:
    """Return a new optimizer of this name with default settings, or the object itself.

    Raises
    ------
    ValueError
        The name is unknown; the message lists the names.
    TypeError
        `optimizer` is neither a name nor an `Optimizer`.

    Examples
    --------
    >>> from fastgd import optimizers
    >>> optimizers.get("lion").betas
    (0.9, 0.99)
    """
    return resolve("optimizer", optimizer, Optimizer, OPTIMIZERS)  # type: ignore[type-abstract]


def __dir__() -> list[str]:
    return __all__
