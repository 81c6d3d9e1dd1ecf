"""The attributes of a trainer: its settings and its state, each in its one place and checked when it is assigned."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, overload

from .. import optimizers
from .._common.typing import Array
from ..callbacks.base import Run
from ..callbacks.history import History
from ..engine.precision import check_precision
from ..losses import Loss
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..parallel import Group
from ..schedules.base import Span
from .chunks import PartialEpoch
from .exclusive import check_not_in_training
from .state import TrainSettings, TrainState

T = TypeVar("T")


class TrainerAttribute(Generic[T]):
    """An attribute of a trainer that lives in one of its parts, under the same name.

    Parameters
    ----------
    convert : callable (trainer, value) -> value, default=None
        Checks and converts what is assigned.
    """

    def __init__(self, convert: Callable[[Any, Any], T] | None = None) -> None:
        self._convert = convert

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, trainer: None, owner: type) -> "TrainerAttribute[T]": ...

    @overload
    def __get__(self, trainer: Any, owner: type) -> T: ...

    def __get__(self, trainer: Any, owner: type) -> "TrainerAttribute[T] | T":
        if trainer is None:
            return self
        value: T = getattr(self._part(trainer), self._name)
        return value

    def __set__(self, trainer: Any, value: Any) -> None:
        self._assign(trainer, value if self._convert is None else self._convert(trainer, value))

    def _part(self, trainer: Any) -> Any:
        raise NotImplementedError

    def _assign(self, trainer: Any, value: T) -> None:
        raise NotImplementedError


class StateAttribute(TrainerAttribute[T]):
    """An attribute of the trainer's `TrainState`."""

    def _part(self, trainer: Any) -> Any:
        return trainer._state

    def _assign(self, trainer: Any, value: T) -> None:
        setattr(trainer._state, self._name, value)


class SettingAttribute(TrainerAttribute[T]):
    """An attribute of the trainer's `TrainSettings`; assignment makes new ones, with all their checks."""

    def _part(self, trainer: Any) -> Any:
        return trainer._settings

    def _assign(self, trainer: Any, value: T) -> None:
        trainer._settings = replace(trainer._settings, **{self._name: value})


def _deprecated(old: str, new: str) -> Any:
    """A property with the name that an attribute had in the previous release."""

    def get(trainer: "TrainerAttributes") -> Any:
        warnings.warn(f"Trainer.{old} is deprecated: use Trainer.{new}", DeprecationWarning, stacklevel=2)
        return getattr(trainer, new)

    return property(get)


def check_model(model: Any) -> Sequential:
    """The argument; TypeError if it is not a `Sequential`."""
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
    return model


def _other_model(trainer: "TrainerAttributes", model: Any) -> Sequential:
    """Another model for the trainer, which must not be in the middle of a `fit`."""
    check_not_in_training(trainer.model)
    check_precision(trainer.precision, check_model(model).dtype)
    return check_model(model)


def _other_optimizer(trainer: "TrainerAttributes", optimizer: Any) -> Optimizer:
    """Another optimizer for the trainer, or that of this name; it must not belong to another model."""
    other = optimizers.get(optimizer)
    other.check_model(trainer.model)
    return other


class TrainerAttributes:
    """Base class of `Trainer`, which documents them."""

    _settings: TrainSettings
    _comm: Any = None
    _state: TrainState

    loss = SettingAttribute[Loss]()
    batch_size = SettingAttribute[int | None]()
    accumulate = SettingAttribute[int]()
    shuffle = SettingAttribute[bool]()
    seed = SettingAttribute[int](lambda trainer, seed: trainer.model.seed if seed is None else seed)
    n_threads = SettingAttribute[int | None]()
    metrics = SettingAttribute[Sequence[Metric] | None]()
    grad_norm = SettingAttribute[bool]()
    standardize = SettingAttribute[bool | str]()
    train_metrics = SettingAttribute[bool]()
    precision = SettingAttribute[str](lambda trainer, precision: check_precision(precision, trainer.model.dtype))

    shards = SettingAttribute[int](lambda trainer, shards: Group(trainer._comm, shards).shards)
    local_steps = SettingAttribute[int]()

    model = StateAttribute[Sequential](_other_model)
    optimizer = StateAttribute[Optimizer](_other_optimizer)
    history = StateAttribute[History]()
    epoch = StateAttribute[int]()
    step = StateAttribute[int]()
    last_epoch = StateAttribute[int]()
    partial_epoch = StateAttribute[PartialEpoch | None]()
    span = StateAttribute[Span]()
    stop_reason = StateAttribute[str | None]()
    resume_theta = StateAttribute[Array | None]()
    run = StateAttribute[Run]()

    begun = _deprecated("begun", "partial_epoch")
    stopped = _deprecated("stopped", "resume_theta")
    judged = _deprecated("judged", "eval_model")

    def __repr__(self) -> str:
        model = self._state.model
        widths = "-".join(map(str, (model.n_in, *(layer.n_out for layer in model.layers))))
        settings = repr(self._settings).partition("(")[2]
        return (
            f"{type(self).__name__}(<{type(model).__name__} {widths}>, optimizer={self._state.optimizer!r}, {settings}"
        )
