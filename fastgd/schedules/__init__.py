"""Schedules: values of a number, such as the learning rate, for an array of moments; made once per chunk of steps.

A schedule stands wherever an optimiser takes a number: `SGD(lr=Cosine(0.1), momentum=OneCycle(0.85, start=0.95))`.

Time runs in epochs: t = 2.5 is half through the third epoch, before a step is done. To add one: a frozen dataclass with
`rates`. Rates are part of the same-bits contract, so `rates` uses + - * / and the functions of `_math` only.
"""

from .base import Constant, Function, Rate, Scaled, Schedule, as_schedule, is_scheduled, scaled
from .cyclic import CosineRestarts, OneCycle
from .decay import Cosine, Exponential, MultiStep, Polynomial, Step, Warmup

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "Function",
    "MultiStep",
    "OneCycle",
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
