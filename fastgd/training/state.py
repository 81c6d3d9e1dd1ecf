"""What a training consists of: settings, fixed during a `fit`, and the state that its steps change."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

import numpy as np

from .. import backend, losses, metrics
from .._common import random
from .._common.checks import check_bool, check_int
from .._common.typing import Array
from ..callbacks.base import CallbackList, Run, State
from ..callbacks.history import History
from ..engine.precision import check_precision
from ..losses import Loss
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..schedules.base import Span
from .chunks import PartialEpoch
from .standardization import check_standardize
from .stopping import number_of_epochs


@dataclass(frozen=True, eq=False, repr=False)
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
    train_metrics: bool = False
    precision: str = "f32"
    shards: int = 1
    local_steps: int = 1

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
            "train_metrics": check_bool("train_metrics", self.train_metrics),
            "precision": check_precision(self.precision),
            "shards": check_int("shards", self.shards),
            "local_steps": check_int("local_steps", self.local_steps),
        }
        if self.batch_size is None and self.accumulate > 1:
            raise ValueError(
                f"accumulate={self.accumulate} needs a batch_size: with None each step uses all rows at once"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_shards()
        has_metrics = self.loss.metric is not None if self.metrics is None else bool(self.metrics)
        if self.train_metrics and not has_metrics:
            raise ValueError("train_metrics=True has nothing to measure: pass metrics=[...]")

    def _check_shards(self) -> None:
        if self.shards == 1:
            if self.local_steps > 1:
                raise ValueError(f"local_steps={self.local_steps} needs several shards, or ranks: see `comm`")
            return
        if self.batch_size is not None and self.batch_size % self.shards:
            raise ValueError(
                f"batch_size={self.batch_size} must be a multiple of shards={self.shards}, which share the rows "
                "of a step equally"
            )
        if self.accumulate > 1:
            raise ValueError(
                f"accumulate={self.accumulate} cannot be used with shards: their rows pass through the network one "
                "shard after the other, so more shards save memory, too"
            )

    def __repr__(self) -> str:
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not f.default}
        if self.metrics is not None:
            given["metrics"] = [metric.name for metric in self.metrics]
        return f"TrainSettings({', '.join(f'{name}={value!r}' for name, value in given.items())})"

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

    def target_epoch(self, epochs: int | str | None) -> int:
        """Number of epochs at the end of a `fit` of `epochs` more; None: where the run that was stopped was to end.

        Raises
        ------
        TypeError, ValueError
            `epochs` is neither an integer >= 1 nor "auto", or None although no run was stopped.
        """
        if epochs is not None:
            return self.epoch + number_of_epochs(epochs)
        if self.last_epoch <= self.epoch:
            raise ValueError("epochs=None resumes a run that was stopped, but there is none: pass a number of epochs")
        return self.last_epoch

    @contextmanager
    def unchanged_until_begun(self, run: Run) -> Iterator[None]:
        """Set `run` for the callbacks; an exception before `begin` changes nothing, and one before a step no head."""
        before = {name: getattr(self, name, None) for name in ("run", "stop_reason")}
        described, step = (self.model.inputs, self.model.head), self.step
        self.run, self.stop_reason, self.has_begun = run, None, False
        try:
            yield
        except BaseException:
            if self.step == step:
                self.model.inputs, self.model.head = described
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
        """The model that validation measures: with the average of theta if the optimizer keeps one."""
        return self.optimizer.averaged(self.model) if self.optimizer.average else self.model


def _copy_all(values: Iterable[Array], vectors: Iterable[Array]) -> None:
    for vector, value in zip(vectors, values, strict=False):
        np.copyto(vector, value)
