"""Schedules: the values of a setting, such as the learning rate, over time; computed once per chunk of steps.

A schedule may be used wherever an optimizer takes a number: `SGD(lr=Cosine(0.1), momentum=OneCycle(0.85, start=0.95))`.

Time is measured in epochs since the training began: t = 2.5 is half-way through the third epoch. A schedule that has a
length, `epochs`, and is not given one takes that of the fit: it begins again in each call to `fit`, while a call that
resumes a fit which was stopped (`epochs=None`) continues it. So does a schedule that contains one.

To add a schedule, write a `@configurable` dataclass with `rates` in `decay.py` or `cyclic.py`. Its values must have the
same bits everywhere, so `rates` uses only + - * / and the functions of `exact_math` from `polynomial` on.
"""

from .base import Constant, Function, Rate, Scaled, Schedule, as_schedule, is_scheduled, scaled
from .cyclic import CosineLog, CosineRestarts, Cyclic, OneCycle
from .decay import Cosine, Exponential, InverseTime, MultiStep, Piecewise, Polynomial, Step, Warmup

__all__ = [
    "Constant",
    "Cosine",
    "CosineLog",
    "CosineRestarts",
    "Cyclic",
    "Exponential",
    "Function",
    "InverseTime",
    "MultiStep",
    "OneCycle",
    "Piecewise",
    "Polynomial",
    "Rate",
    "Scaled",
    "Schedule",
    "Step",
    "Warmup",
    "as_schedule",
    "is_scheduled",
    "scaled",
]


def __dir__() -> list[str]:
    return __all__
