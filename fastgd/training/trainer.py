"""The trainer: what users call to train, evaluate, save and load.  The loop itself is in `loop.py`."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from .. import optimizers
from .._common.checks import check_int
from .._common.explain import ExplainsAttributes, explains_arguments
from ..callbacks.base import Callback, CallbackList, check_callbacks
from ..callbacks.history import History
from ..callbacks.progress import Progress
from ..data.augment import Function
from ..data.sources import Source
from ..data.splits import Split
from ..engine.precision import check_precision
from ..losses import Loss
from ..metrics import Metric
from ..models.sequential import Sequential
from ..optimizers import Optimizer
from ..parallel import Group
from . import diagnostics
from .attributes import TrainerAttributes, check_model
from .evaluators import prepare_evaluation
from .exclusive import check_not_in_training, in_training
from .loop import train
from .on_batch import BatchSteps
from .profile import Profiling
from .saving import Saving
from .sharded import check_same, fingerprint
from .source_data import prepare
from .state import TrainSettings, TrainState
from .stopping import AUTO, loss_tolerance


@explains_arguments
class Trainer(TrainerAttributes, BatchSteps, Profiling, Saving, ExplainsAttributes):
    """Trains a model by mini-batch gradient descent.

    The parameters are attributes, too, and checked when they are assigned.  During a `fit`, in a callback, another
    optimizer takes over with the next step, another model is refused, and the other settings wait for the next `fit`.

    Parameters
    ----------
    model : Sequential
        Its theta is changed in place.
    loss : str, Loss or callable
        "mse" for regression; "cross_entropy" for classes, with one output each; "bce" for binary targets, with one
        output each; others in `fastgd.losses.LOSSES`.  A custom loss is a function (Z, Y) -> (loss, dZ): see
        `fastgd.losses.Custom`.
    optimizer : str or Optimizer, default="adam"
        A name in `optimizers.OPTIMIZERS`, or an object such as `SGD(lr=0.1, momentum=0.9)`.  From the first `fit`
        on it belongs to this model.
    batch_size : int >= 1 or None, default=32
        Rows that pass through the network at once, and with accumulate=1 rows of a step; the last step of an epoch may
        have fewer.  None: all rows.
    accumulate : int >= 1, default=1
        Number of batches whose gradients make up one step: it acts like a larger batch, but needs the memory of one.
        Requires a `batch_size`.
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch; the order is a function of seed and epoch.
    seed : int or None, default=None
        Seed of the order, of the split into training and validation rows, and of noise; None takes the model's.
    n_threads : int >= 1 or None, default=None
        Maximum number of threads; None leaves it to the engine.  The results do not depend on it.
    metrics : iterable of str, callable or Metric, default=None
        What to measure on the validation rows besides the loss: names in `fastgd.metrics.METRICS` or functions of
        `sklearn.metrics`; see `fastgd.metrics.get`.  None: accuracy for classification, R2 for regression; nothing for
        quantiles and custom losses.
    standardize : bool, "X" or "y", default=False
        Whether to scale the columns of X, and real targets, to mean 0 and standard deviation 1 of the training rows.
        The first `fit` measures them for good.  Predictions and metrics have the units of y, losses do not.
    grad_norm : bool, default=False
        Whether to record "grad_norm", the norm of the gradient before clipping, averaged over the epoch's steps; with
        an optimizer that has a clip_norm it is recorded in any case.
    train_metrics : bool, default=False
        Whether to measure the metrics on the training rows too, after each epoch and with the weights of rows but not
        of classes: "accuracy" next to "validation_accuracy".  Unlike Keras' running means, they are those of the model
        at the end of the epoch; they cost one prediction of all rows.
    precision : {"f32", "bf16"}, default="f32"
        "bf16": the factors of the matrix products of training and validation are rounded to bfloat16, as by automatic
        mixed precision in PyTorch; theta, sums, losses and the optimizer stay float32.  Several times as fast where the
        CPU has AMX, for large networks; see `Sequential.plan`.  "f32": all arithmetic in the dtype of the model.
    comm : mpi4py.MPI.Comm or None, default=None
        Processes that train one model together, each on its own rows: `MPI.COMM_WORLD`, for example.  They call `fit`
        with the same other arguments.  None: this process alone.  Not saved: `load` takes it again.
    shards : int >= 1 or None, default=None
        Number of parts of the rows, a multiple of the number of processes, each of which holds as many.  The results
        depend on it, but not on the number of processes.  None: one for each process.
    local_steps : int >= 1, default=1
        Number of steps that each shard does on its own before theta and the optimizer's state are averaged over all
        (local SGD).  1: the gradients of each step are summed.

    Attributes
    ----------
    history : History
        One row per epoch, over all calls to `fit`.
    epoch, step : int
        Number of epochs and steps done.
    last_epoch : int
        Number of epochs at the end of the current `fit`, or at which the last one was to end.
    partial_epoch : PartialEpoch or None
        The epoch that was started but not finished.
    span : float with the attribute `start`
        The epoch up to which schedules without `epochs=` go, and the one from which: see `fit`.
    stop_reason : str or None
        Why the last `fit` ended early: "interrupted", "error" or a callback's reason; None if it did not.
    resume_theta : ndarray (1 or 2, size) or None
        Theta, and its average if one is kept, where a `fit` ended early, if a callback then restored others;
        `fit(epochs=None)` resumes from there.
    run : Run
        The current or last `fit`.
    """

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
        standardize: bool | str = False,
        train_metrics: bool = False,
        precision: str = "f32",
        comm: Any = None,
        shards: int | None = None,
        local_steps: int = 1,
    ) -> None:
        self._comm = comm
        self._state = TrainState(check_model(model), optimizers.get(optimizer))
        settings: dict[str, Any] = {"batch_size": batch_size, "accumulate": accumulate, "shuffle": shuffle}
        settings |= {"n_threads": n_threads, "metrics": metrics, "grad_norm": grad_norm, "standardize": standardize}
        settings |= {"train_metrics": train_metrics, "precision": check_precision(precision, model.dtype)}
        settings |= {"shards": Group(comm, shards).shards, "local_steps": local_steps}
        self._settings = TrainSettings(cast(Loss, loss), seed=model.seed if seed is None else seed, **settings)

    def __getstate__(self) -> dict[str, Any]:
        """For `pickle` and `copy`: a shallow copy has its own counters."""
        return vars(self) | {"_state": copy.copy(self._state)}

    @explains_arguments
    def fit(
        self,
        X: Any,
        y: Any = None,
        epochs: int | str | None = AUTO,
        validation: float | Split | Source | tuple[Any, ...] | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Iterable[Callback] = (),
        tol: float | None = None,
        verbose: int = 1,
        augment: Function | None = None,
        classes: Any = None,
        n_iter_no_change: int | None = None,
    ) -> History:
        """Train for some epochs; called again, continue with the same theta, optimizer, counters and history.

        Two `fit`s of 10 epochs are one of 20 for constant settings and for schedules with `epochs=`.  A schedule
        without covers the run: from the first to the last epoch of a `fit`.  One that was stopped early is continued by
        the next, whose last epoch is then its end if that is later; after one that was finished, the next `fit` starts
        the schedule again (a warm restart).

        Parameters
        ----------
        X : array, nested list, data frame, Arrow table or Source, shape (rows, n_in)
            Finite numbers.  Names of columns are kept: from then on, columns of frames are taken by name.  A `Source`,
            or a function that returns an iterable of blocks (X, y) or (X, y, sample_weight), is read while it trains.
        y : array, list, series or data frame, shape (rows,) or (rows, n_out)
            Labels (text, bytes, numbers, booleans, dates, or tuples of these), class probabilities, or numbers.  None
            with a source, which has them.
        epochs : int >= 1, "auto" or None, default="auto"
            Passes over the training rows; an epoch that is resumed counts as one.  "auto": as many as it takes until
            the training loss no longer falls, at most 200; see `tol`.  None: as many as were left when the last `fit`
            was stopped, or the trainer saved; with the same other arguments the run ends in the same bits as one that
            was never stopped.
        validation : float in (0, 1), Split, (X, y), (X, y, sample_weight), Source or None, default=None
            Share of the rows to hold out (see `Split`), or other rows, on which loss and metrics are measured after
            each epoch; those of a source are held in memory.
        sample_weight : array (rows,), default=None
            Weights >= 0 of the rows in the mean loss, and in loss and metrics of validation by a share of them.
        class_weight : {label: weight >= 0}, "balanced" or None, default=None
            Weights of the classes (1 for one that is not listed), times `sample_weight`.  "balanced": rows / (classes *
            rows of the class), as in scikit-learn, over the training rows.  In training only, as in Keras: validation
            does not use them.
        callbacks : iterable of Callback, default=()
        tol : float >= 0 or None, default=None
            Stop when the training loss has not fallen by more than this for `n_iter_no_change` epochs, as in
            scikit-learn.  None: 1e-4 with epochs="auto", otherwise train all epochs.
        verbose : int, default=1
            0 prints nothing, and gives no `AdviceWarning` about data or networks that train badly.
        augment : callable (X_batch, rng) -> X_batch, default=None
            Changes the rows of each step beforehand: takes a copy (B, n_in) of dtype X.dtype and a random `Generator`
            that is a function of seed and step; returns finite numbers of that shape.
        classes : array or list of labels, default=None
            All classes, of which y may lack some, for training in chunks: only the first call needs them.
        n_iter_no_change : int >= 1 or None, default=None
            See `tol`; None: 20.

        Returns
        -------
        History
            `self.history`, the rows of earlier calls included.

        Raises
        ------
        TypeError, ValueError
            An argument is invalid; nothing was changed.
        FloatingPointError
            The loss became NaN or infinite; theta is restored to a state shortly before.
        RuntimeError
            The model is in training, by a `fit` that called this one (in a callback) or in another thread.

        Notes
        -----
        Ctrl-C ends the training, not the program: model, history and optimizer keep what was done.  The next `fit`
        resumes in the middle of the epoch if it has as many training rows; otherwise it starts that epoch again.
        Ctrl-C waits until the engine has returned and all callbacks have been called; a second one interrupts a
        callback, metric or custom loss that takes long.  An exception in one of these, or a MemoryError, leaves the
        trainer in the same way, with theta as of step `step`: `fit(epochs=None)` continues from there.
        """
        settings, state = self._settings, self._state
        group = Group(self._comm, settings.shards)
        is_verbose = verbose if isinstance(verbose, bool) else check_int("verbose", verbose, minimum=0) > 0
        is_verbose = is_verbose and group.rank == 0
        with in_training(state.model), group.together():
            state.optimizer.check_model(state.model)
            last_epoch = state.target_epoch(epochs)
            callbacks = check_callbacks(callbacks)
            callbacks = [each for each in callbacks if group.rank == 0 or not each.on_rank_0_only]
            callbacks += loss_tolerance(epochs, tol, n_iter_no_change, state.callback_states)
            callbacks += [Progress()] if is_verbose else []
            if group.size > 1:
                check_same(fingerprint(settings, state, last_epoch), group)
            arguments = X, y, validation, sample_weight, class_weight, augment, classes
            data = prepare(settings, state.model, *arguments, group)
            check_same({"the columns of the history": data.columns}, group)
            if is_verbose and not state.step:
                diagnostics.check_data(data, settings.loss.link)
            train(settings, state, data, CallbackList(callbacks, self), last_epoch, epochs is None, group)
            if is_verbose:
                diagnostics.check_network(state.model, data)
                diagnostics.check_progress(state.history, state.run, state.stop_reason)
            group.exchange(None)  # a rank whose last callbacks failed says so here
        return state.history

    @explains_arguments
    def evaluate(self, X: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Measure loss and metrics on other rows, with the average of theta if the optimizer keeps one.

        The outputs are computed in the precision of the trainer, as in validation.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.  A source is read twice, for its targets and its rows, of which some blocks are in memory.

        Returns
        -------
        dict
            "loss" and the metrics by name: those of the trainer, or that of the loss ("accuracy", "r2").

        Raises
        ------
        TypeError, ValueError
            An argument is invalid, or a metric failed.
        """
        measured = prepare_evaluation(self._settings, self.model, X, y, sample_weight).measure(self.eval_model)
        return {name.removeprefix("validation_"): value for name, (value,) in measured.items()}

    @property
    def averaged(self) -> Sequential:
        """A copy of the model with the average of theta that the optimizer keeps; ValueError if it keeps none."""
        return self.optimizer.averaged(self.model)

    @property
    def eval_model(self) -> Sequential:
        """The model that validation and `evaluate` measure: `averaged` if the optimizer keeps an average."""
        return self._state.eval_model

    def reset(self, seed: int | None = None) -> None:
        """Undo all training: back to the initial weights, and to optimizer, counters and history of a new trainer.

        Parameters
        ----------
        seed : int in [0, 2**64) or None, default=None
            Another seed for the weights, and for order, split and noise if the trainer's seed is the model's.

        Raises
        ------
        RuntimeError
            The model is in training.
        """
        check_not_in_training(self.model)
        has_seed_of_model = self.seed == self.model.seed
        self.model.reset(seed)
        self.optimizer.reset()
        self._state = TrainState(self.model, self.optimizer)
        if has_seed_of_model:
            self.seed = self.model.seed

    def stop(self, reason: str) -> None:
        """End the current `fit` after the current chunk of steps; for callbacks."""
        self.stop_reason = reason
