"""What trains a model: its settings, what it has done so far, and its files.  The loop itself is in `loop.py`."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from .. import losses, optimizers
from .._common import random
from .._common.checks import check_int
from .._common.typing import Array
from ..callbacks import ParameterTolerance
from ..callbacks.base import Callback, Run, State, check_callbacks, restore, states_of
from ..callbacks.history import History
from ..callbacks.progress import Progress
from ..data.augment import Function
from ..data.splits import Split
from ..losses import Loss
from ..metrics import Metric, get_all
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from . import diagnostics
from .chunks import PartialEpoch
from .fit_data import evaluation, prepare
from .loop import train


class Trainer:
    """Trains a model by mini-batch gradient descent.

    Parameters
    ----------
    model : Sequential
        Its theta is changed in place.
    loss : str, Loss or callable
        "mse" for numbers; "cross_entropy" for classes, one output each; "bce" for yes or no, one output per question;
        others in `fastgd.losses.LOSSES`.  A function (Z, Y) -> (loss, dZ) of your own: see `fastgd.losses.Custom`.
    optimizer : str or Optimizer, default="adam"
        A name in `optimizers.OPTIMIZERS`, or an object such as `SGD(lr=0.1, momentum=0.9)`; it belongs to this model.
    batch_size : int >= 1 or None, default=32
        Rows that pass through the network at once, and with accumulate=1 rows of a step; the last step of an epoch may
        have fewer.  None: all rows.
    accumulate : int >= 1, default=1
        Batches whose gradients make up one step: as a batch so many times larger, in the memory of one; so it needs a
        `batch_size`.
    shuffle : bool, default=True
        Whether each epoch has an order of its own, a function of seed and epoch.
    seed : int or None, default=None
        Of the order, of the split into training and validation rows, and of noise; None takes the model's.
    n_threads : int >= 1 or None, default=None
        Threads at most; None leaves it to the engine.  The results do not depend on it.
    metrics : iterable of str, callable or Metric, default=None
        What is measured on the validation rows, beside the loss: names in `fastgd.metrics.METRICS` or functions of
        `sklearn.metrics`; see `fastgd.metrics.get`.  None: accuracy for classes, R2 for numbers; nothing for quantiles
        and for losses of your own.
    grad_norm : bool, default=False
        Whether the history gets "grad_norm", the norm of the gradient before it is clipped, as a mean over the epoch's
        steps; an optimiser with clip_norm gives it anyway.

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
    stopped : ndarray (1 or 2, size) or None
        Theta, and its average if one is kept, where a `fit` ended early, if a callback then went back to others;
        `fit(epochs=None)` starts there.
    run : Run
        The `fit` under way, or the last one.
    """

    run: Run

    def __init__(
        self,
        model: Sequential,
        *,
        loss: str | Loss | Callable[..., Any],
        optimizer: str | Optimizer = "adam",
        batch_size: int | None = 32,
        accumulate: int = 1,
        shuffle: bool = True,
        seed: int | None = None,
        n_threads: int | None = None,
        metrics: Iterable[str | Callable[..., float] | Metric] | None = None,
        grad_norm: bool = False,
    ) -> None:
        if not isinstance(model, Sequential):
            raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
        self.model = model
        self.loss = losses.get(loss)
        self.optimizer = optimizers.get(optimizer)
        self.batch_size = None if batch_size is None else check_int("batch_size", batch_size)
        self.accumulate = check_int("accumulate", accumulate)
        if self.batch_size is None and self.accumulate > 1:
            raise ValueError(f"accumulate={accumulate} needs a batch_size: with None all rows pass at once, as a step")
        self.shuffle = bool(shuffle)
        self.seed = model.seed if seed is None else random.check_seed(seed)
        self.n_threads = None if n_threads is None else check_int("n_threads", n_threads)
        self.metrics = None if metrics is None else get_all(metrics)
        self.grad_norm = bool(grad_norm)
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.last_epoch = 0
        self.begun: PartialEpoch | None = None
        self._watchers: list[Callback] = []
        self._states: list[tuple[str, State]] = []
        self.stop_reason: str | None = None
        self.stopped: Array | None = None

    def fit(
        self,
        X: Any,
        y: Any,
        epochs: int | None = 10,
        validation: float | Split | tuple[Any, ...] | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Iterable[Callback] = (),
        tol: float | None = None,
        verbose: int = 1,
        augment: Function | None = None,
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
        validation : float in (0, 1), Split, (X, y), (X, y, sample_weight) or None, default=None
            Share of the rows to keep out of the training (see `Split`), or other rows, for a loss and metrics after
            each epoch.
        sample_weight : array (rows,), default=None
            Weights >= 0 of the rows in the mean loss, and in loss and metrics of validation by a share of them.
        class_weight : {label: weight >= 0}, "balanced" or None, default=None
            Weights of the classes (1 for one that is not named), times `sample_weight`.  "balanced": rows / (classes *
            rows of the class), as in scikit-learn, over the training rows.  In training only, as in Keras: validation
            measures the rows as they come.
        callbacks : iterable of Callback, default=()
        tol : float >= 0 or None, default=None
            Stop once no parameter has moved by more than this over an epoch.
        verbose : int, default=1
            0 prints nothing, and gives no `AdviceWarning` about data or networks that train badly.
        augment : callable (X_batch, rng) -> X_batch, default=None
            Changes the rows of each step before it is done: gets a copy of them (B, n_in), in the dtype of X, and a
            `numpy.random.Generator` that is a function of seed and step; gives finite numbers of the same shape.

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
        callbacks = check_callbacks(callbacks)
        callbacks += [ParameterTolerance(tol)] if tol is not None else []
        callbacks += [Progress()] if verbose else []
        data = prepare(self, X, y, validation, sample_weight, class_weight, augment)
        self.run, self.stop_reason = Run(self.epoch, last_epoch, len(data.rows), data.columns), None
        self.run.columns += ("grad_norm",) if self.measures_norm else ()
        if verbose and not self.step:
            diagnostics.check_data(data, self.loss.link)
        with ExitStack() as endings:
            endings.callback(self._forget_same)
            for callback in callbacks:
                callback.on_fit_begin(self)
                endings.callback(callback.on_fit_end, self)
            if epochs is None:
                self._take_up(callbacks)
            self.last_epoch, self._watchers = last_epoch, callbacks
            self._states, self.stopped = [], None
            endings.callback(self._put_down)
            train(self, data, callbacks)
        if verbose:
            diagnostics.check_network(self.model, data)
        return self.history

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        """Loss and metrics over rows that `fit` did not see: of the average of theta, if the optimiser keeps one.

        Parameters
        ----------
        X : array, nested list or frame, shape (rows, n_in)
        y : array, shape (rows,) or (rows, n_out)
            As in `fit`.
        sample_weight : array (rows,) or None, default=None
            Non-negative weights of the rows.

        Returns
        -------
        dict
            "loss" and the metrics by name: those of the trainer, or the one of the loss ("accuracy", "r2").

        Raises
        ------
        TypeError, ValueError
            Something does not fit, or a metric failed.
        """
        measured = evaluation(self, X, y, sample_weight).measure(self.eval_model)
        return {name.removeprefix("validation_"): value for name, (value,) in measured.items()}

    def _last_epoch(self, epochs: int | None) -> int:
        if epochs is not None:
            return self.epoch + check_int("epochs", epochs)
        if self.last_epoch <= self.epoch:
            raise ValueError("epochs=None finishes a run that was stopped, but there is none: give a number of epochs")
        return self.last_epoch

    def _take_up(self, callbacks: list[Callback]) -> None:
        """Go on as a run that was stopped would have gone on."""
        if self.stopped is not None:
            for vector, kept in zip(self._moved(), self.stopped, strict=False):
                np.copyto(vector, kept)
        restore(self, callbacks, self._states)

    def _put_down(self) -> None:
        """Keep what a run needs to go on, before callbacks clear up at its end."""
        if self.epoch < self.run.last_epoch:
            self._states, self.stopped = states_of(self._watchers), np.array(self._moved())
        self._watchers = []

    def _forget_same(self) -> None:
        """Where no callback changed theta at the end, it is theta itself that a run goes on from."""
        if self.stopped is not None and np.array_equal(self.stopped, self._moved()):
            self.stopped = None

    def _moved(self) -> list[Array]:
        """What steps move and callbacks may go back to: theta, and its average if one is kept; by reference."""
        average = self.optimizer.averaged_theta
        return [self.model.theta] if average is None else [self.model.theta, average]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that the next step depends on, but the data, to `path`, which ends in .npz or .safetensors.

        That is theta, the optimiser's state, the counters, the place within the epoch, seeds, schedules, settings and
        history; for a run that is under way or was stopped, also what its callbacks remember.  An older file is
        replaced only by a whole new one.

        Raises
        ------
        TypeError
            A schedule or optimiser is code of your own, or a class label is neither text, number nor boolean.
        """
        from . import checkpoint

        checkpoint.write(path, self)

    def check_save(self, path: str | os.PathLike[str]) -> None:
        """Raise what `save(path)` would raise now, without writing a file."""
        from ..models import files
        from . import checkpoint

        files.check_path(path)
        checkpoint.contents(self)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        metrics: Iterable[str | Callable[..., float] | Metric] | None = None,
    ) -> "Trainer":
        """The trainer that `save` wrote; `fit(X, y, epochs=None)` with the same data finishes its run.

        Parameters
        ----------
        path : path
        loss, metrics : as of a Trainer, default=None
            None takes those of the file; a loss or a metric of your own is code, which no file holds: give it again.

        Raises
        ------
        ValueError
            The file is damaged or of another kind, or what was code of your own is not given.
        """
        from ..models import files
        from . import checkpoint

        with files.reading(path) as file:
            saved = checkpoint.read(file)
            saved |= {name: value for name, value in (("loss", loss), ("metrics", metrics)) if value is not None}
            missing = [name for name in ("loss", "metrics") if name not in saved]
            trainer = None if missing else cls._of(saved, checkpoint.SETTINGS)
        if trainer is None:
            again = ", ".join(f"{name}=..." for name in missing)
            raise ValueError(f"{path} cannot hold code of your own: give it again, Trainer.load(path, {again})")
        return trainer

    @classmethod
    def _of(cls, saved: dict[str, Any], settings: Sequence[str]) -> "Trainer":
        """The trainer with these attributes."""
        settings = ("loss", "optimizer", "metrics", *settings)
        trainer = cls(saved["model"], **{name: saved[name] for name in settings})
        optimizer = trainer.optimizer
        optimizer.state, optimizer.averaged_theta, optimizer.steps = (
            saved[name] for name in ("state", "averaged_theta", "steps")
        )
        optimizer.bind(trainer.model.size, trainer.model.dtype, trainer.model)
        for name in ("history", "epoch", "step", "last_epoch", "begun", "stopped"):
            setattr(trainer, name, saved[name])
        trainer._states = saved["states"]
        return trainer

    @property
    def averaged(self) -> Sequential:
        """A copy of the model with the average of theta that the optimiser keeps: what validation measures.

        ValueError if it keeps none.  `fit` goes on from `model`, whose theta is the one that the steps move.
        """
        return self.optimizer.averaged(self.model)

    @property
    def eval_model(self) -> Sequential:
        """What validation and `evaluate` measure: `averaged` if the optimiser keeps an average, else `model`."""
        return self.averaged if self.optimizer.average else self.model

    @property
    def measures_norm(self) -> bool:
        """Whether norms of gradients go into the history."""
        return self.grad_norm or self.optimizer.clip_norm is not None

    @property
    def states(self) -> list[tuple[str, State]]:
        """What the callbacks of the `fit` under way, or of the file this trainer comes from, remember."""
        return states_of(self._watchers) if self._watchers else self._states

    def stop(self, reason: str) -> None:
        """End the `fit` under way after the current call of the engine; for callbacks."""
        self.stop_reason = reason
