"""Many models that are trained at the same time: what users call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .._common.checks import check_int, counted
from .._common.explain import ExplainsAttributes, explains_arguments
from ..callbacks.base import Callback
from ..callbacks.history import History
from ..data.augment import Function
from ..data.splits import Split
from ..losses import Loss
from ..metrics import Metric
from ..models import files
from ..training.stopping import AUTO
from ..training.trainer import Trainer
from .arguments import begin, check_trainers
from .files import load_population, save_population
from .halving import check_factor, rungs, survivors
from .members import Goal
from .predictions import PopulationPredictions
from .run import PopulationRun


@explains_arguments
class Population(PopulationPredictions, ExplainsAttributes):
    """Trains many models at the same time, each on one core.

    A member is a trainer with a model of its own: they may differ in seed, widths, loss, optimizer, rows and whatever
    else a trainer has.  Each ends with the bits that it would have if it were trained alone, so adding, dropping or
    reordering members changes no other.

    Parameters
    ----------
    trainers : iterable of Trainer
        Each with its own model and optimizer, for the same columns of X.
    n_threads : int >= 1 or None, default=None
        Number of members that train at the same time; None: one per core that this process may use.  A population that
        has fewer members gives each several threads.

    Attributes
    ----------
    trainers : list of Trainer
        The members; the list may be changed between two calls.
    errors : dict of int to str
        Why the last `fit` of a member failed, by its index: see `on_error` there.  Such members do not take part in
        predictions.
    stop_reason : str or None
        "interrupted" if Ctrl-C has ended the last `fit`.

    See Also
    --------
    Ensemble : What the members predict together.
    fastgd.sklearn.PopulationSearchCV : A search in the manner of scikit-learn.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> def member(i, lr):
    ...     return gd.Trainer(gd.MLP(64, 32, 10, seed=i), loss="cross_entropy", optimizer=gd.SGD(lr, momentum=0.9))
    >>> population = gd.Population([member(i, lr) for i, lr in enumerate((0.003, 0.03, 0.1))])
    >>> histories = population.fit(X / 16, y, epochs=5, validation=0.2, verbose=0)
    >>> best = population.best("validation_loss")
    >>> best.optimizer.lr
    0.1
    >>> population.predict(X[:3] / 16)
    array([0, 1, 2])
    """

    def __init__(self, trainers: Iterable[Trainer], *, n_threads: int | None = None) -> None:
        self.trainers = check_trainers(trainers)
        self.n_threads = None if n_threads is None else check_int("n_threads", n_threads)
        self.stop_reason: str | None = None
        self._goals: dict[Trainer, Goal] = {}
        self._errors: dict[Trainer, str] = {}

    def __repr__(self) -> str:
        return f"Population(<{counted(len(self.trainers), 'member')}>)"

    @property
    def errors(self) -> dict[int, str]:
        return {i: self._errors[trainer] for i, trainer in enumerate(self.trainers) if trainer in self._errors}

    def fit(
        self,
        X: Any,
        y: Any,
        epochs: int | str | None = AUTO,
        validation: float | Split | tuple[Any, ...] | list[Any] | None = None,
        *,
        rows: Any = None,
        validation_rows: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Callable[[int], Iterable[Callback]] | None = None,
        tol: float | None = None,
        verbose: int = 1,
        augment: Function | None = None,
        classes: Any = None,
        n_iter_no_change: int | None = None,
        on_error: str = "raise",
    ) -> list[History]:
        """Train all members; called again, each continues as by `Trainer.fit`.

        X and y are checked and converted once for all members.  Functions of the user (callbacks, metrics, custom
        losses, augment) are called from several threads.

        Parameters
        ----------
        X, y, class_weight, tol, augment, n_iter_no_change
            As in `Trainer.fit`.
        epochs : int >= 1, "auto" or None, default="auto"
            As in `Trainer.fit`.  None: finish the run that Ctrl-C, an error or the end of `rounds` has stopped, of a
            population that was loaded too; pass the same other arguments.
        validation : float, Split, (X, y), (X, y, sample_weight) or None, default=None
            As in `Trainer.fit`: a share is split off the rows of each member by its own seed.  A list has one element
            for each member.
        rows : array (k,) or list of such arrays, default=None
            Indices of the training rows, or booleans for all rows: of all members, or of each.  None: all rows, without
            those of `validation_rows`.
        validation_rows : array (k,) or list of such arrays, default=None
            Rows of X and y to validate on, instead of `validation`.
        sample_weight : array (rows,) or (members, rows), default=None
            Weights >= 0 of the rows of X, the same for all members or one array for each.
        callbacks : callable (index) -> iterable of Callback, default=None
            Makes the callbacks of the member with this index: `lambda i: [gd.EarlyStopping(patience=5)]`.
        verbose : int, default=1
            0 prints nothing.
        classes : array or list of labels, default=None
            All classes; None: those in y, all rows of which are looked at, as members must agree.
        on_error : {"raise", "continue"}, default="raise"
            What happens if a member fails, as when its loss becomes infinite.  "raise": the others stop after a chunk
            of steps, and `fit(epochs=None)` resumes them.  "continue": they finish, with a warning at the end; see
            `errors`.

        Returns
        -------
        list of History
            `trainer.history` of each member.

        Raises
        ------
        TypeError, ValueError
            An argument is invalid; nothing was changed.
        Exception
            What a member raised, with its index in the message; see `on_error`.

        Notes
        -----
        Member i ends with the bits of `trainers[i].fit(X[rows[i]], y[rows[i]], ...)`, with `classes=` all classes of y.
        Ctrl-C ends the training, not the program: all members stop within a moment, and `fit(epochs=None)` resumes.
        """
        given: dict[str, Any] = {"validation": validation, "rows": rows, "validation_rows": validation_rows}
        given |= {"sample_weight": sample_weight, "class_weight": class_weight, "callbacks": callbacks, "tol": tol}
        given |= {"verbose": verbose, "augment": augment, "classes": classes, "n_iter_no_change": n_iter_no_change}
        run = begin(self.trainers, self._goals, X, y, epochs, self.n_threads, **given, on_error=on_error)
        for _ in self._advance(run, ()):
            pass
        return [trainer.history for trainer in self.trainers]

    def rounds(
        self, X: Any, y: Any, epochs: int | str | None = AUTO, *, every: int = 1, **options: Any
    ) -> Iterator[int]:
        """Train as `fit` does, and hand over after every few epochs.

        In between, `trainers` may be changed: members that are removed train no further, those that stay have the bits
        of a `fit` without a pause.  Leaving the loop stops the run; `fit(epochs=None)` finishes it.

        Parameters
        ----------
        X, y, epochs, **options
            As in `fit`.
        every : int >= 1, default=1
            Number of epochs of a round.

        Yields
        ------
        int
            Number of epochs of the run that are done.

        Examples
        --------
        >>> import fastgd as gd
        >>> X, y = gd.datasets.digits()
        >>> trainers = [gd.Trainer(gd.MLP(64, n, 10, seed=0), loss="cross_entropy") for n in (4, 8, 16)]
        >>> population, ensemble = gd.Population(trainers), None
        >>> for epoch in population.rounds(X / 16, y, 12, every=4, validation_rows=range(1500, 1797), verbose=0):
        ...     ensemble = population.select(X[1500:] / 16, y[1500:], candidates=ensemble)
        >>> epoch, ensemble.score(X[1500:] / 16, y[1500:]) > 0.8
        (12, True)
        """
        every = check_int("every", every)
        run = begin(self.trainers, self._goals, X, y, epochs, self.n_threads, **options)
        return self._advance(run, range(every, run.epochs, every))

    def fit_halving(
        self,
        X: Any,
        y: Any,
        epochs: int | None,
        *,
        factor: float = 3,
        min_epochs: int = 1,
        monitor: str = "validation_loss",
        mode: str | None = None,
        **options: Any,
    ) -> list[History]:
        """Successive halving: train for a few epochs, keep the best members, train these for longer, and so on.

        The members that are left, at least one, are trained for all epochs, with the bits of a `fit` of all of them.
        The others are removed from `trainers`.

        Parameters
        ----------
        X, y, **options
            As in `fit`; members whose training fails are removed first (`on_error` is "continue").
        epochs : int >= 1 or None
            Of the members that are left; None: resume after Ctrl-C, with the same other arguments.
        factor : float > 1, default=3
            Each time a share of 1 / factor of the members is kept, and trained up to `factor` times as many epochs.
        min_epochs : int >= 1, default=1
            Epochs before the first members are removed, or a little more.
        monitor : str, default="validation_loss"
            Column of the history that decides, in its last epoch.
        mode : {"min", "max"} or None, default=None
            Whether lower or higher values are better; None: what the metric says.

        Returns
        -------
        list of History
            Of all members, in the order of `trainers` before the call.

        References
        ----------
        Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016.

        Examples
        --------
        >>> import fastgd as gd
        >>> X, y = gd.datasets.digits()
        >>> rates = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
        >>> population = gd.Population(
        ...     [gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", optimizer=gd.SGD(lr)) for lr in rates]
        ... )
        >>> histories = population.fit_halving(X / 16, y, 9, validation=0.2, verbose=0)
        >>> [len(history["epoch"]) for history in histories], population.trainers[0].optimizer.lr
        ([1, 1, 1, 1, 3, 9], 1.0)
        """
        factor, min_epochs = check_factor(factor), check_int("min_epochs", min_epochs)
        trainers = list(self.trainers)
        run = begin(trainers, self._goals, X, y, epochs, self.n_threads, **{"on_error": "continue", **options})
        stops = rungs(run.epochs, factor, min_epochs)
        for done in self._advance(run, stops):
            if done in stops:
                self.trainers = survivors(self.trainers, self._errors, factor, monitor, mode)
        return [trainer.history for trainer in trainers]

    def best(self, monitor: str = "validation_loss", mode: str | None = None) -> Trainer:
        """The member with the best last value in a column of its history; see `fit_halving`."""
        return survivors(self.trainers, self._errors, np.inf, monitor, mode)[0]

    # Files.

    def save(self, path: files.Target, format: str | None = None) -> None:
        """Write all members to `path`, which ends in .npz or .safetensors, as `Trainer.save` does one.

        A run that was stopped is kept: `fit(epochs=None)` with the same other arguments finishes it.
        """
        save_population(path, self.trainers, self._goals, self.errors, format)

    @classmethod
    def load(
        cls,
        path: files.Target,
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        metrics: Iterable[str | Callable[..., float] | Metric] | None = None,
        n_threads: int | None = None,
    ) -> Population:
        """Load a population that `save` wrote.

        Parameters
        ----------
        path : path or binary file object
        loss, metrics
            As in `Trainer.load`, for all members.
        n_threads : int >= 1 or None, default=None

        Raises
        ------
        ValueError
            The file is damaged or of another kind, or a custom loss or metric is missing.
        """
        trainers, goals, errors = load_population(path, loss=loss, metrics=metrics)
        population = cls(trainers, n_threads=n_threads)
        population._goals = goals
        population._errors = {trainers[i]: text for i, text in errors.items()}
        return population

    def _advance(self, run: PopulationRun, stops: Iterable[int]) -> Iterator[int]:
        """Train until each of these numbers of epochs is done, then until the run is over; yield after each part."""
        self._goals = {member.trainer: member.goal for member in run.members}
        for member in run.members:
            self._errors.pop(member.trainer, None)
        self.stop_reason = None
        try:
            for epochs in [*(stop for stop in stops if not run.has_done(stop)), None]:
                run.keep(self.trainers)
                run.advance(epochs)
                self._note(run)
                if run.has_done(epochs):
                    yield run.epochs if epochs is None else epochs
                if run.is_interrupted:
                    self.stop_reason = "interrupted"
                    return
        finally:
            self._note(run)
            run.close()

    def _note(self, run: PopulationRun) -> None:
        """Keep what is left of the run, and what has failed in it."""
        for member in run.members:
            if (error := run.errors.get(member.index)) is not None:
                self._errors[member.trainer] = f"{type(error).__name__}: {error}"
        self._goals = {member.trainer: member.goal for member in run.members if run.is_due(member)}
