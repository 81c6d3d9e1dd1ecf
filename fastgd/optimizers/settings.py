"""The settings that all optimizers share, and the check of each where it enters: when constructed and when assigned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

from .._common.checks import NON_NEGATIVE, POSITIVE, check_bool, check_scalar
from .._common.explain import remark_on_parameters
from .._common.registry import format_call
from ..schedules import Rate, is_scheduled
from ..schedules.base import scaled
from .averaging import Average
from .groups import checked_groups

# The scalar settings of the transforms, with their intervals; None stands for no limit.
TRANSFORM_INTERVALS = {"clip_norm": POSITIVE, "clip_value": POSITIVE, "l1": NON_NEGATIVE, "max_norm": POSITIVE}


@dataclass(eq=False, repr=False)
class Settings:
    """Settings that may be assigned, too: what is refused changes nothing, what is accepted counts from the next step.

    In a `fit`, the next step is the first one after the callback that assigns a setting.

    Attributes
    ----------
    changes : int
        Number of assignments so far: what was computed from the settings holds while it stays the same.
    """

    name: ClassVar[str]
    intervals: ClassVar[Mapping[str, str]] = {"lr": POSITIVE}
    changes: ClassVar[int] = 0
    lr_before_reduction: Rate | None = field(default=None, init=False)
    lr: Rate = field(default=0.01, kw_only=True)
    decoupled_weight_decay: bool = field(default=False, kw_only=True)
    clip_norm: Rate | None = field(default=None, kw_only=True)
    clip_value: Rate | None = field(default=None, kw_only=True)
    l1: Rate = field(default=0.0, kw_only=True)
    max_norm: Rate | None = field(default=None, kw_only=True)
    average: Average | None = field(default=None, kw_only=True)
    groups: Mapping[str, Mapping[str, Rate | None]] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check_together()

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["changes"] = self.changes + 1
        setting = type(self).__dataclass_fields__.get(name)
        if setting is None or not setting.init:
            self._check_attribute(name)
            object.__setattr__(self, name, value)
            return
        value, values = self._checked(name, value), vars(self)
        is_constructed, before = name in values, values.get(name)
        values[name] = value
        if is_constructed:
            try:
                self._check_together()
            except BaseException:
                values[name] = before
                raise
        if name == "lr":
            self.lr_before_reduction = None

    def __repr__(self) -> str:
        return format_call(self)

    def reduce_lr(self, factor: float, min_lr: float = 0.0) -> None:
        """Multiply lr, a number or a schedule, by `factor`, but to no less than `min_lr`; `reset` undoes it.

        `ReduceLROnPlateau` calls this.
        """
        before = self.lr if self.lr_before_reduction is None else self.lr_before_reduction
        if isinstance(self.lr, Real) and self.lr <= min_lr:
            return
        self.lr = scaled(self.lr, factor, min_lr)
        self.lr_before_reduction = before

    def _restore_lr(self) -> None:
        """Undo `reduce_lr`."""
        if self.lr_before_reduction is not None:
            self.lr = self.lr_before_reduction

    def _checked(self, name: str, value: Any) -> Any:
        """The value of one setting, in a form that its caller does not share."""
        if name in self.intervals:
            self._check(name, value, self.intervals[name])
            return tuple(value) if isinstance(value, list) else value
        if name in TRANSFORM_INTERVALS:
            if value is not None or name == "l1":
                self._check(name, value, TRANSFORM_INTERVALS[name])
        elif name == "average":
            if not (value is None or isinstance(value, Average)):
                raise TypeError(f"average must be an object such as EMA(0.999) or SWA(start=5), not {value!r}")
        elif name == "groups":
            return None if value is None else checked_groups(value)
        elif isinstance(getattr(type(self), name, None), bool):
            return check_bool(name, value)
        return value

    def _check(self, name: str, value: Any, interval: str) -> None:
        """Raise TypeError or ValueError unless `value` is a schedule or a number in the interval."""
        if not is_scheduled(value):
            if name == "lr" and (remark := remark_on_parameters(type(self).__name__, value)):
                raise TypeError(remark)
            check_scalar(name, value, interval)

    def _check_attribute(self, name: str) -> None:
        """Raise AttributeError if what others call a setting is assigned: it would have no effect."""
        known = type(self).__dataclass_fields__
        if name in known or hasattr(type(self), name):
            return
        from .._common.names import OURS  # on use: only errors need them

        for ours in OURS.get(name, ()):
            if ours in known:
                raise AttributeError(f"{type(self).__name__} has no setting {name!r}: it is called {ours}")

    def _check_together(self) -> None:
        """Raise ValueError if settings that are right one by one do not fit each other."""
