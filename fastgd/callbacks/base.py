"""The base class of callbacks, and what they see of a training."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

from numpy.typing import NDArray

from .._common.checks import check_choice, check_int, check_scalar, shown
from .._common.explain import explains_arguments
from .._common.registry import format_call
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from .history import History


@dataclass(eq=False)
class Run:
    """The current `fit`.

    Attributes
    ----------
    first_epoch, last_epoch : int
        Number of epochs done before it, and at its end.
    rows : int
        Number of training rows in an epoch.
    columns : tuple of str
        Columns that it records in the history.
    rows_done : int
        Number of rows trained on so far in this `fit`, counting repetitions.
    loss : float
        Mean training loss of the last chunk of steps.
    sample_inputs : callable or None
        Returns up to 100 training rows, always the same, as the network takes them; None after the `fit`.
    """

    first_epoch: int
    last_epoch: int
    rows: int
    columns: tuple[str, ...]
    rows_done: int = 0
    loss: float = math.nan
    sample_inputs: Callable[[], NDArray[Any]] | None = None

    def forget_data(self) -> None:
        """Keep no reference to the data after the `fit`."""
        self.sample_inputs = None


class Training(Protocol):
    """What callbacks see of a training: the part of `Trainer` that they may rely on.

    Attributes
    ----------
    model : Sequential
        Its theta may be read and changed.
    optimizer : Optimizer
        Its settings may be changed.
    history : History
        Includes the epoch that has just ended.
    metrics : sequence of Metric or None
        What is measured besides the loss; None: what the loss determines.
    epoch, step : int
        Number of epochs and steps done, over all calls to `fit`.
    partial_epoch : PartialEpoch or None
        The epoch that was started but not finished, with the `losses` of its steps so far, of `step_rows` rows each.
    stop_reason : str or None
        Why the training stops early: "interrupted", "error" or the reason given to `stop`.
    run : Run
        The current `fit`.
    """

    model: Sequential
    optimizer: Optimizer
    history: History
    metrics: Sequence[Metric] | None
    epoch: int
    step: int
    partial_epoch: Any
    stop_reason: str | None
    run: Run

    def stop(self, reason: str) -> None: ...

    def check_save(self, path: str | os.PathLike[str]) -> None: ...

    def save(self, path: str | os.PathLike[str]) -> None: ...


# What a file keeps of a callback: numbers, and vectors of theta's dtype, by name.
State: TypeAlias = "dict[str, float | int | NDArray[Any]]"


# A check of a setting: takes its name and value, and returns the value to store.
Check: TypeAlias = "Callable[[str, Any], Any]"


class Callback:
    """Hooks into `Trainer.fit`; each may call `trainer.stop("reason")`, and read or change `trainer.model.theta`.

    A callback may be used again: `on_fit_begin` should forget what it knows of an earlier `fit`, and `restore` gives it
    back if a run is resumed.

    Attributes
    ----------
    setting_checks : mapping of str to callable, of the class
        How settings are checked whenever they are assigned, in the constructor or later: check(name, value) returns the
        value to store, or raises.
    on_rank_0_only : bool, of the class
        Whether one process of several that train together has this callback: one that writes, and decides nothing.
    """

    setting_checks: ClassVar[Mapping[str, Check]] = MappingProxyType({})
    on_rank_0_only: ClassVar[bool] = False

    def __setattr__(self, name: str, value: Any) -> None:
        check = type(self).setting_checks.get(name)
        object.__setattr__(self, name, value if check is None else check(name, value))

    def __repr__(self) -> str:
        return format_call(self, "monitor", "folder")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            explains_arguments(cls)

    def on_fit_begin(self, trainer: Training) -> None:
        """After all checks, before the first step; an error raised here leaves model and optimizer untouched."""

    def next_step(self, trainer: Training) -> float:
        """The step after which `on_chunk_end` must be called at the latest: more than `trainer.step`; inf if none."""
        return math.inf

    def on_epoch_trained(self, model: Sequential) -> None:
        """After the last step of each epoch, before anything else is done: to look at theta, not to change it."""

    def next_epoch(self, trainer: Training) -> float:
        """The epoch after which `on_epoch_end` must be called at the latest: more than `trainer.epoch`.

        The engine then does the epochs up to it without coming back to Python for each, and `on_epoch_end` is called
        for one after the other once they are done, with the model and the counters of the last one.
        """
        return trainer.epoch + 1

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        """After each epoch, or later if `next_epoch` permits it; `logs` is its row of the history, by column."""

    def on_chunk_end(self, trainer: Training) -> None:
        """After each chunk of steps, which may be part of an epoch or span several, and after every `on_epoch_end`.

        That is about every 50 ms, and after the step that `next_step` of any callback returned.
        """

    def on_fit_end(self, trainer: Training) -> None:
        """At the end, however it came about: see `trainer.stop_reason` ("error" if an exception is propagating)."""

    def state(self) -> State:
        """What `Trainer.save` keeps of this callback: numbers, and vectors of theta's dtype, by name."""
        return {}

    def restore(self, trainer: Training, state: State) -> None:
        """Restore that state, after `on_fit_begin` of a `fit(epochs=None)` that resumes a run; it may stop it again."""


def integer(minimum: int = 1) -> Check:
    """The check of a setting that is a count of that many or more."""
    return lambda name, value: check_int(name, value, minimum, 2**63 - 1)


def number(interval: str) -> Check:
    """The check of a setting that is a number in an interval; see `check_scalar`."""
    return lambda name, value: check_scalar(name, value, interval)


def optional(check: Check) -> Check:
    """The check of a setting that may also be None."""
    return lambda name, value: None if value is None else check(name, value)


def choice(*choices: str) -> Check:
    """The check of a setting that is one of some names."""
    return lambda name, value: check_choice(name, value, choices)


# Classes as trainer files of the previous release name them.
_RENAMED = {"Movement": "ParameterTolerance"}


class CallbackList:
    """The callbacks of one `fit`, each called with the trainer, in order.

    Parameters
    ----------
    callbacks : sequence of Callback
    trainer : Trainer

    Attributes
    ----------
    need_every_epoch : bool
        Whether a chunk of steps must not go past the end of an epoch, because a callback overrides `on_epoch_end`, but
        not `next_epoch`.
    see_epochs : bool
        Whether a callback overrides `on_epoch_end`.
    see_theta : bool
        Whether a callback overrides `on_epoch_trained`.
    """

    def __init__(self, callbacks: Sequence[Callback], trainer: Training) -> None:
        self._callbacks, self._trainer = callbacks, trainer
        self._step_counters = _with(callbacks, "next_step")
        self._of_epochs = _with(callbacks, "on_epoch_end")
        self._of_chunks = _with(callbacks, "on_chunk_end")
        self._of_theta = _with(callbacks, "on_epoch_trained")
        self.need_every_epoch = len(_with(self._of_epochs, "next_epoch")) < len(self._of_epochs)
        self.see_epochs, self.see_theta = bool(self._of_epochs), bool(self._of_theta)

    def max_steps(self) -> float:
        """Maximum number of steps before the next `on_chunk_end`."""
        step = self._trainer.step
        return min((callback.next_step(self._trainer) - step for callback in self._step_counters), default=math.inf)

    def next_epoch(self) -> float:
        """The epoch after which the next `on_epoch_end` must be called at the latest."""
        if self.need_every_epoch:
            return self._trainer.epoch + 1
        return min((callback.next_epoch(self._trainer) for callback in self._of_epochs), default=math.inf)

    def on_epoch_trained(self, model: Sequential) -> None:
        """Call this hook of each callback."""
        for callback in self._of_theta:
            callback.on_epoch_trained(model)

    def on_fit_begin(self, on_exit: ExitStack) -> None:
        """Call this hook of each callback; `on_fit_end` of those for which it has succeeded is called by `on_exit`."""
        for callback in self._callbacks:
            callback.on_fit_begin(self._trainer)
            on_exit.callback(callback.on_fit_end, self._trainer)

    def on_progress(self, rows: Sequence[dict[str, float]]) -> None:
        """Call `on_epoch_end` of each callback for each epoch that has ended, then `on_chunk_end` of each.

        Every callback is called even if one before it raises, so that all have seen the same when the run is resumed;
        the exception is raised afterwards.

        Parameters
        ----------
        rows : sequence of dict
            The rows of these epochs in the history; none are needed unless `see_epochs`.
        """
        try:
            _call_each([partial(each.on_epoch_end, self._trainer, logs) for logs in rows for each in self._of_epochs])
        finally:
            _call_each([partial(callback.on_chunk_end, self._trainer) for callback in self._of_chunks])

    def states(self) -> list[tuple[str, State]]:
        """The state of each callback that keeps one, with the name of its class."""
        return [(type(callback).__name__, callback.state()) for callback in self._callbacks if _keeps_state(callback)]

    def restore(self, states: list[tuple[str, State]]) -> None:
        """Give each state to the first callback of its class that has none yet."""
        without_state = [callback for callback in self._callbacks if _keeps_state(callback)]
        for name, state in states:
            for callback in without_state:
                if type(callback).__name__ == _RENAMED.get(name, name):
                    if state:
                        callback.restore(self._trainer, state)
                    without_state.remove(callback)
                    break


def _with(callbacks: Sequence[Callback], hook: str) -> list[Callback]:
    """The callbacks that override a hook, in their class or on their own."""
    inherited = getattr(Callback, hook)
    return [callback for callback in callbacks if getattr(getattr(callback, hook), "__func__", None) is not inherited]


def _call_each(hooks: Sequence[Callable[[], None]]) -> None:
    """Call each, even if one before it raises."""
    for index, hook in enumerate(hooks):
        try:
            hook()
        except BaseException:
            _call_each(hooks[index + 1 :])
            raise


def _keeps_state(callback: Callback) -> bool:
    return type(callback).state is not Callback.state


def check_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks as a list.

    Raises
    ------
    TypeError
        Not a sequence, or an element is not a Callback.
    ValueError
        A callback is listed twice: it would see each epoch twice.
    """
    if isinstance(callbacks, Callback):
        raise TypeError(f"callbacks must be a sequence: write callbacks=[{callbacks!r}]")
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a sequence of callbacks, not {shown(callbacks)}")
    checked = list(callbacks)
    for i, callback in enumerate(checked):
        if any(callback is other for other in checked[:i]):
            raise ValueError(f"the same callback is listed twice: {shown(callback)}")
        if not isinstance(callback, Callback):
            hint = "; for a function, write callbacks.EveryEpoch(f)" if callable(callback) else ""
            if isinstance(callback, type):
                hint = f": write {callback.__name__}()"
            raise TypeError(f"a callback must be an instance of Callback, not {shown(callback)}{hint}")
    return checked
