"""What a training consists of: settings, fixed during a `fit`, and the state that its steps change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import numpy as np

from .._common.checks import check_int
from .._common.typing import Array
from ..callbacks.base import CallbackList, Run, State
from ..callbacks.history import History
from ..losses import Loss
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from .chunks import PartialEpoch

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TrainSettings:
    """How to train; the attributes are those of `Trainer`."""

    loss: Loss
    batch_size: int | None = None
    accumulate: int = 1
    shuffle: bool = True
    seed: int = 0
    n_threads: int | None = None
    metrics: Sequence[Metric] | None = None
    grad_norm: bool = False

    def records_norm(self, optimizer: Optimizer) -> bool:
        """Whether the norms of the gradients go into the history."""
        return self.grad_norm or optimizer.clip_norm is not None


@dataclass(eq=False)
class TrainState:
    """What a training has reached: all that a trainer file keeps besides the settings.

    Attributes
    ----------
    model : Sequential
    optimizer : Optimizer
    history : History
    epoch, step : int
        Number of epochs and steps done.
    last_epoch : int
        Number of epochs at the end of the current `fit`, or at which the last one was to end.
    partial_epoch : PartialEpoch or None
        The epoch that was started but not finished.
    stop_reason : str or None
        Why the last `fit` ended early, None if it did not.
    resume_theta : ndarray (1 or 2, size) or None
        Theta, and its average if there is one, where a `fit` ended early, if a callback has changed them since.
    callback_states : list of (str, dict)
        States of the callbacks where a `fit` ended early, each with the name of its class.
    run : Run
        The current or last `fit`; not set before the first one.
    """

    model: Sequential
    optimizer: Optimizer
    history: History = field(default_factory=History)
    epoch: int = 0
    step: int = 0
    last_epoch: int = 0
    partial_epoch: PartialEpoch | None = None
    stop_reason: str | None = None
    resume_theta: Array | None = None
    callback_states: list[tuple[str, State]] = field(default_factory=list)
    run: Run = field(init=False, repr=False)
    _callbacks: CallbackList | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.optimizer.check_model(self.model)

    def target_epoch(self, epochs: int | None) -> int:
        """Number of epochs at the end of a `fit` of `epochs` more; None: where the run that was stopped was to end.

        Raises
        ------
        TypeError, ValueError
            `epochs` is not an integer >= 1, or None although no run was stopped.
        """
        if epochs is not None:
            return self.epoch + check_int("epochs", epochs)
        if self.last_epoch <= self.epoch:
            raise ValueError("epochs=None resumes a run that was stopped, but there is none: pass a number of epochs")
        return self.last_epoch

    def resume(self, callbacks: CallbackList) -> None:
        """Continue a run that was stopped: restore theta and the states of the callbacks."""
        if self.resume_theta is not None:
            for vector, saved in zip(self._updated_vectors(), self.resume_theta, strict=False):
                np.copyto(vector, saved)
        callbacks.restore(self.callback_states)

    def begin(self, last_epoch: int, callbacks: CallbackList) -> None:
        """Start training; what the previous run left for `resume` is dropped."""
        self.last_epoch, self._callbacks = last_epoch, callbacks
        self.callback_states, self.resume_theta = [], None

    def suspend(self) -> None:
        """Stop training; keep what `resume` needs if epochs are left, before callbacks change theta in `on_fit_end`."""
        if self.epoch < self.run.last_epoch:
            self.callback_states = self.current_callback_states()
            self.resume_theta = np.array(self._updated_vectors())
        self._callbacks = None

    def drop_unchanged_theta(self) -> None:
        """Forget `resume_theta` if no callback changed theta at the end of the `fit`."""
        if self.resume_theta is not None and np.array_equal(self.resume_theta, self._updated_vectors()):
            self.resume_theta = None

    def current_callback_states(self) -> list[tuple[str, State]]:
        """States of the callbacks of the current `fit`, or else of the one that was stopped."""
        return self.callback_states if self._callbacks is None else self._callbacks.states()

    def _updated_vectors(self) -> list[Array]:
        """What steps update and callbacks may restore, by reference: theta, and its average if there is one."""
        average = self.optimizer.averaged_theta
        return [self.model.theta] if average is None else [self.model.theta, average]

    @property
    def eval_model(self) -> Sequential:
        """The model that validation measures: with the average of theta if the optimiser keeps one."""
        return self.optimizer.averaged(self.model) if self.optimizer.average else self.model


class StateAttribute(Generic[T]):
    """An attribute of a trainer that lives in its `TrainState`, under the same name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, trainer: None, owner: type) -> "StateAttribute[T]": ...

    @overload
    def __get__(self, trainer: Any, owner: type) -> T: ...

    def __get__(self, trainer: Any, owner: type) -> "StateAttribute[T] | T":
        if trainer is None:
            return self
        value: T = getattr(trainer._state, self._name)
        return value

    def __set__(self, trainer: Any, value: T) -> None:
        setattr(trainer._state, self._name, value)
