"""What a training consists of: settings, fixed during a `fit`, and the state that its steps change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, overload

import numpy as np

from .. import backend, losses, metrics
from .._common import random
from .._common.checks import check_bool, check_int
from .._common.typing import Array
from ..callbacks.base import CallbackList, Run, State
from ..callbacks.history import History
from ..losses import Loss
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..schedules.base import Span
from .chunks import PartialEpoch
from .standardization import check_standardize

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TrainSettings:
    """How to train; the attributes are those of `Trainer`, checked here wherever they come from.

    Raises
    ------
    TypeError, ValueError
        A setting is invalid, or does not fit another one.
    """

    loss: Loss
    batch_size: int | None = None
    accumulate: int = 1
    shuffle: bool = True
    seed: int = 0
    n_threads: int | None = None
    metrics: Sequence[Metric] | None = None
    grad_norm: bool = False
    standardize: bool | str = False

    def __post_init__(self) -> None:
        checked = {
            "loss": losses.get(self.loss),
            "batch_size": None if self.batch_size is None else check_int("batch_size", self.batch_size),
            "accumulate": check_int("accumulate", self.accumulate),
            "shuffle": check_bool("shuffle", self.shuffle),
            "seed": random.check_seed(self.seed),
            "n_threads": None if self.n_threads is None else check_int("n_threads", self.n_threads),
            "metrics": None if self.metrics is None else metrics.get_all(self.metrics),
            "grad_norm": check_bool("grad_norm", self.grad_norm),
            "standardize": check_standardize(self.standardize),
        }
        if self.batch_size is None and self.accumulate > 1:
            raise ValueError(
                f"accumulate={self.accumulate} needs a batch_size: with None each step uses all rows at once"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def threads(self) -> int:
        """The maximum number of threads as an engine takes it: no more than there are, or 0 for its own choice."""
        return backend.usable_threads(self.n_threads)

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
    span : Span
        The epochs that a schedule without `epochs` covers: from `span.start` to `span`.
    run : Run
        The current or last `fit`; not set before the first one.
    has_begun : bool
        Whether the current or last `fit` has got as far as its first step.
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
    span: Span = Span(0)
    run: Run = field(init=False, repr=False)
    has_begun: bool = field(default=False, init=False, repr=False)
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

    @contextmanager
    def unchanged_until_begun(self, run: Run) -> Iterator[None]:
        """Set `run` for the callbacks; if an exception is raised before `begin`, change nothing."""
        before = {name: getattr(self, name, None) for name in ("run", "stop_reason")}
        self.run, self.stop_reason, self.has_begun = run, None, False
        try:
            yield
        except BaseException:
            if not self.has_begun:
                vars(self).update(before)
                if before["run"] is None:
                    del self.run
            raise

    def resume(self, callbacks: CallbackList) -> None:
        """Continue a run that was stopped: restore theta and the states of the callbacks."""
        vectors = self._updated_vectors()
        before = [vector.copy() for vector in vectors]
        try:
            if self.resume_theta is not None:
                _copy_all(self.resume_theta, vectors)
            callbacks.restore(self.callback_states)
        except BaseException:
            _copy_all(before, vectors)
            raise

    def begin(self, last_epoch: int, callbacks: CallbackList) -> None:
        """Start training; what the previous run left for `resume` is dropped.

        A span that is not finished, because its run was stopped, continues, to the end of this run if that is later;
        otherwise a new one begins, and with it the schedules that cover it.
        """
        self.last_epoch, self._callbacks = last_epoch, callbacks
        self.callback_states, self.resume_theta = [], None
        is_unfinished = self.epoch < self.span
        self.span = Span(max(self.span, last_epoch), self.span.start) if is_unfinished else Span(last_epoch, self.epoch)
        self.has_begun = True

    def suspend(self) -> None:
        """Stop training; keep what `resume` needs if epochs are left, before callbacks change theta in `on_fit_end`."""
        try:
            if self.epoch < self.run.last_epoch:
                self.callback_states = self.current_callback_states()
                self.resume_theta = np.array(self._updated_vectors())
        finally:
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


def _copy_all(values: Iterable[Array], vectors: Iterable[Array]) -> None:
    for vector, value in zip(vectors, values, strict=False):
        np.copyto(vector, value)


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
