"""The loop over epochs: order of rows, learning rates, validation, stopping.  There is no other such loop.

Everything random or decided once per step is an array made here; an engine then does a chunk of steps in one call.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import advice, losses, optimizers, random
from ._callback import Callback, Run, State, check_callbacks, looks_at_epochs, restore, states_of
from ._checks import whole
from ._interrupt import deferred_interrupt
from ._progress import Progress
from .callbacks import Movement
from .history import History
from .job import Job, prepare
from .losses import Loss, LossNotFinite
from .metrics import Metric, all_of
from .model import Sequential
from .optimizers import Optimizer
from .splits import Split
from .steps import Begun, LastGood, Pace, Span, span_of


class Trainer:
    """Trains a model by mini-batch gradient descent.

    Parameters
    ----------
    model : Sequential
        Its theta is changed in place.
    loss : str or Loss
        "mse" for numbers; "cross_entropy" for classes, one output each; "bce" for yes or no, one output per question.
    optimizer : str or Optimizer, default="adam"
        A name in `optimizers.OPTIMIZERS`, or an object such as `SGD(lr=0.1, momentum=0.9)`; it belongs to this model.
    batch_size : int >= 1 or None, default=32
        Rows of a step; the last step of an epoch may have fewer.  None: all rows in one step.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, a function of seed and epoch.
    seed : int or None, default=None
        Of the order and of the split into training and validation rows; None takes the model's.
    n_threads : int >= 1 or None, default=None
        Threads at most; None leaves it to the engine.  The results do not depend on it.
    metrics : iterable of str, callable or Metric, default=None
        What is measured on the validation rows, beside the loss: names in `fastgd.metrics.METRICS` or functions of
        `sklearn.metrics`; see `fastgd.metrics.get`.  None: accuracy for classes, else R2.

    Attributes
    ----------
    history : History
        One row per epoch, over all calls of `fit`.
    epoch, step : int
        Whole epochs and steps done.
    last_epoch : int
        Epochs that will be done at the end of the `fit` under way, or would have been at the end of the last one.
    begun : Begun or None
        The epoch that was begun and not finished.
    stop_reason : str or None
        Why the last `fit` ended early: "interrupted", "error" or a callback's words; None if it did not.
    run : Run
        The `fit` under way, or the last one.
    """

    run: Run

    def __init__(
        self,
        model: Sequential,
        *,
        loss: str | Loss,
        optimizer: str | Optimizer = "adam",
        batch_size: int | None = 32,
        shuffle: bool = True,
        seed: int | None = None,
        n_threads: int | None = None,
        metrics: Iterable[str | Callable[..., float] | Metric] | None = None,
    ) -> None:
        if not isinstance(model, Sequential):
            raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
        self.model = model
        self.loss = losses.get(loss)
        self.optimizer = optimizers.get(optimizer)
        self.batch_size = None if batch_size is None else whole("batch_size", batch_size)
        self.shuffle = bool(shuffle)
        self.seed = model.seed if seed is None else random.check_seed(seed)
        self.n_threads = None if n_threads is None else whole("n_threads", n_threads)
        self.metrics = None if metrics is None else all_of(metrics)
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.last_epoch = 0
        self.begun: Begun | None = None
        self._watchers: list[Callback] = []
        self._states: list[tuple[str, State]] = []
        self.stop_reason: str | None = None

    def fit(
        self,
        X: Any,
        y: Any,
        epochs: int | None = 10,
        validation: float | Split | tuple[Any, Any] | None = None,
        sample_weight: Any = None,
        callbacks: Iterable[Callback] = (),
        tol: float | None = None,
        verbose: int = 1,
    ) -> History:
        """Train for some epochs; called again, go on from there: `fit` of 10 epochs twice is `fit` of 20.

        Parameters
        ----------
        X : array, nested list or frame, shape (rows, n_in)
            Numbers, all finite.
        y : array, list, series or frame, shape (rows,) or (rows, n_out)
            Labels of any kind, class probabilities, or numbers, as the loss asks for.
        epochs : int >= 1 or None, default=10
            Passes over the training rows; an epoch that was begun counts as one.  None: as many as were left when the
            last `fit` was stopped, or the trainer saved; with the same other arguments the run ends in the same bits as
            one that was never stopped.
        validation : float in (0, 1), Split, (X, y) or None, default=None
            Share of the rows to keep out of the training (see `Split`), or other rows, for a loss and metrics after
            each epoch.
        sample_weight : array (rows,), default=None
            Weights >= 0 of the rows in the mean loss, and in validation by a share of them.
        callbacks : iterable of Callback, default=()
        tol : float >= 0 or None, default=None
            Stop once no parameter has moved by more than this over an epoch.
        verbose : int, default=1
            0 prints nothing, and gives no `AdviceWarning` about data or networks that train badly.

        Returns
        -------
        History
            `self.history`, the rows of earlier calls included.

        Raises
        ------
        TypeError, ValueError
            Something does not fit; nothing was changed.
        FloatingPointError
            The loss became NaN or infinite; theta is again as it was a little before.

        Notes
        -----
        Ctrl-C ends the training, not the program: model, history and optimiser keep what was done.  The next `fit` goes
        on in the middle of the epoch, if it has as many training rows; else it begins that epoch again.
        """
        last_epoch = self._last_epoch(epochs)
        watchers = check_callbacks(callbacks)
        watchers += [Movement(tol)] if tol is not None else []
        watchers += [Progress()] if verbose else []
        job = prepare(self, X, y, validation, sample_weight)
        self.run, self.stop_reason = Run(self.epoch, last_epoch, len(job.rows), job.columns), None
        with ExitStack() as endings:
            for callback in watchers:
                callback.on_fit_begin(self)
                endings.callback(callback.on_fit_end, self)
            if epochs is None:
                restore(watchers, self._states)
            self.last_epoch, self._watchers, self._states = last_epoch, watchers, []
            endings.callback(self._watchers.clear)
            if verbose and not self.step:
                advice.on_data(job, self.loss.link)
            self._train(job, watchers)
        if verbose:
            advice.on_network(self.model, job)
        return self.history

    def _last_epoch(self, epochs: int | None) -> int:
        if epochs is not None:
            return self.epoch + whole("epochs", epochs)
        if self.last_epoch <= self.epoch:
            raise ValueError("epochs=None finishes a run that was stopped, but there is none: give a number of epochs")
        return self.last_epoch

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that the next step depends on, but the data, to `path`, which ends in .npz or .safetensors.

        That is theta, the optimiser's state, the counters, the place within the epoch, seeds, schedules, settings and
        history; during a `fit`, also what its callbacks remember.  An older file is replaced only by a whole new one.

        Raises
        ------
        TypeError
            A schedule, loss or optimiser is code of your own, or a class label is neither text, number nor boolean.
        """
        from . import checkpoint

        checkpoint.write(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trainer":
        """The trainer that `save` wrote; `fit(X, y, epochs=None)` with the same data finishes its run.

        Raises
        ------
        ValueError
            The file is damaged or of another kind.
        """
        from . import checkpoint

        saved = checkpoint.read(path)
        settings = ("loss", "optimizer", "batch_size", "shuffle", "seed", "n_threads", "metrics")
        trainer = cls(saved["model"], **{name: saved[name] for name in settings})
        trainer.optimizer.state, trainer.optimizer.steps = saved["state"], saved["steps"]
        for name in ("history", "epoch", "step", "last_epoch", "begun"):
            setattr(trainer, name, saved[name])
        trainer._states = saved["states"]
        return trainer

    @property
    def states(self) -> list[tuple[str, State]]:
        """What the callbacks of the `fit` under way, or of the file this trainer comes from, remember."""
        return states_of(self._watchers) if self._watchers else self._states

    def stop(self, reason: str) -> None:
        """End the `fit` under way after the current call of the engine; for callbacks."""
        self.stop_reason = reason

    def _train(self, job: Job, watchers: Sequence[Callback]) -> None:
        last_good = LastGood(self.model.theta, self.optimizer.bind(self.model.size, self.model.dtype))
        self.model.head = job.head
        try:
            self._loop(job, watchers, last_good)
        except KeyboardInterrupt:
            self.stop_reason = "interrupted"
        except BaseException:
            self.stop_reason = "error"
            raise

    def _loop(self, job: Job, watchers: Sequence[Callback], last_good: LastGood) -> None:
        """Chunk by chunk until the last epoch; if nobody looks at the end of an epoch, a chunk may go past it."""
        looked_at = job.validation is not None or any(map(looks_at_epochs, watchers))
        counting = [callback for callback in watchers if type(callback).next_step is not Callback.next_step]
        pace, started = Pace(6 * job.batch * self.model.size), time.perf_counter()
        while self.epoch < self.run.last_epoch and self.stop_reason is None:
            span = span_of(job.rows, self.epoch, self.run.last_epoch, job.batch, self.seed, self.shuffle)
            span.take_up(self.begun)
            while not span.is_done and self.stop_reason is None:
                with deferred_interrupt():
                    limit = min((callback.next_step(self) - self.step for callback in counting), default=math.inf)
                    chunk = span.next_chunk(int(max(1, min(pace.steps, limit))), looked_at)
                    self._train_chunk(job, span, chunk, last_good, pace)
                    logs = self._record(job, span, time.perf_counter() - started)
                if logs is not None:
                    started = time.perf_counter()
                    for callback in watchers:
                        callback.on_epoch_end(self, logs)
                for callback in watchers:
                    callback.on_chunk_end(self)

    def _train_chunk(self, job: Job, span: Span, chunk: slice, last_good: LastGood, pace: Pace) -> None:
        """One call of the engine."""
        optimizer, n_steps = self.optimizer, chunk.stop - chunk.start
        order, starts = span.read(chunk)
        span.rates[chunk] = optimizer.schedule(span.moments[chunk], self.run.last_epoch)
        t = optimizer.steps + np.arange(1, n_steps + 1)
        coefficients = optimizer.coefficients(span.rates[chunk], t, span.moments[chunk], self.run.last_epoch)
        begun = time.perf_counter()
        last_good.keep()
        kept = time.perf_counter()
        try:
            self.model.network_for(job.loss.link).train(
                job.X,
                job.Y,
                job.weight,
                order,
                starts,
                job.loss,
                optimizer,
                coefficients,
                last_good.state,
                span.losses[chunk],
                self.n_threads or 0,
            )
            if not np.isfinite(last_good.theta).all():  # no later loss may tell: this may be the last step of all
                raise LossNotFinite(n_steps - 1)
        except LossNotFinite as failure:
            last_good.restore()
            rows = order[starts[failure.step] : starts[failure.step + 1]]
            raise FloatingPointError(self._diverged(job, span, chunk.start + failure.step, rows)) from None
        pace.learn(n_steps, copying=kept - begun, training=time.perf_counter() - kept)
        span.done += n_steps
        self.begun = span.begun
        self.step += n_steps
        optimizer.steps += n_steps
        self.run.rows_done += len(order)
        self.run.loss = float(span.losses[chunk].mean())

    def _diverged(self, job: Job, span: Span, step: int, rows: NDArray[np.int64]) -> str:
        number, epoch = self.step + step - span.done + 1, int(span.moments[step]) + 1
        largest = np.abs(job.X[rows].astype(np.float64)).max()
        return (
            f"the loss became not finite at step {number} (epoch {epoch}), or theta by its update; theta is as it was "
            f"after step {self.step}. Lower lr (now {span.rates[step]:g}) or scale the columns of X "
            f"(largest |x| of that step: {largest:g})"
        )

    def _record(self, job: Job, span: Span, seconds: float) -> dict[str, float] | None:
        """Write the epochs that came to their end into the history; the last one's row, None if there was none."""
        first, last = self.epoch, span.epochs_done
        if last == first:
            return None
        columns: dict[str, list[float]] = {
            "epoch": list(range(first + 1, last + 1)),
            "loss": span.epoch_losses(first, last, job.weight),
            **(job.validation.measure() if job.validation else {}),
            "lr": span.epoch_rates(first, last),
            "seconds": [seconds / (last - first)] * (last - first),
        }
        self.history.extend(columns)
        self.epoch = last
        return {name: column[-1] for name, column in columns.items()}
