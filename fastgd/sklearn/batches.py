"""The solvers that see a batch at a time: `Trainer.fit` with scikit-learn's validation rows and rules for stopping."""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from .. import metrics
from .._common.typing import Array, Floats
from .._common.warn import warn_user
from ..training.trainer import Trainer
from .callbacks import FitTasks, TaskPerEpoch
from .convergence import Convergence, Score, initial_record
from .objectives import Objective
from .solvers import make_optimizer, set_penalty
from .threads import StopWithThread, check_stopped


class Rows(NamedTuple):
    """The rows of a fit.

    Attributes
    ----------
    X : ndarray (n, n_features)
    y : ndarray (n,) or (n, outputs)
        As the user has passed them.
    weight : ndarray (n,) or None
        Weights of the rows, those of their classes included.
    held_out : tuple or None
        Validation rows as the trainer takes them: X, y and their weights if there are any.
    """

    X: Array
    y: Array
    weight: Floats | None
    held_out: tuple[Any, ...] | None


def fit_batches(
    estimator: Any, rows: Rows, objective: Objective, random_state: Any, incremental: bool, tasks: FitTasks | None
) -> None:
    """Train `network_`: for one epoch if `incremental`, else until scikit-learn would stop.

    Warns
    -----
    ConvergenceWarning
        All epochs were needed, or the training diverged after an epoch that could be kept.
    """
    has_scores = getattr(estimator, "validation_scores_", None) is not None
    if not hasattr(estimator, "loss_curve_") or has_scores != estimator.early_stopping:
        initial_record(estimator)
    if estimator.early_stopping and rows.held_out is None:
        rows = _split(estimator, rows, random_state)
    score = None if rows.held_out is None else _score(estimator, objective)
    if not incremental or estimator._trainer is None:
        estimator._trainer = _new_trainer(estimator, objective, random_state)
    trainer = estimator._trainer
    trainer.metrics = [] if score is None or score.metric is None else [score.metric]
    trainer.batch_size = batch_size = _batch_size(estimator, len(rows.X))
    trainer.precision = estimator._precision
    scale = objective.gradient_scale
    divisor = set_penalty(trainer.optimizer, estimator, scale, rows.weight, len(rows.X), batch_size)
    convergence = Convergence(estimator, objective, divisor, score if estimator.early_stopping else None)
    estimator.n_iter_ = 0
    _run(estimator, trainer, rows, [convergence, *([] if tasks is None else [TaskPerEpoch(tasks)])], incremental)
    if estimator.early_stopping:
        convergence.restore_best(trainer)
    estimator._adopt(trainer.eval_model)
    estimator.history_ = trainer.history
    if not incremental and estimator.n_iter_ == estimator.max_iter and trainer.stop_reason is None:
        warn_user(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
        )


def _new_trainer(estimator: Any, objective: Objective, random_state: Any) -> Trainer:
    return Trainer(
        estimator.network_,
        loss=objective.loss,
        optimizer=make_optimizer(estimator, objective),
        shuffle=bool(estimator.shuffle),
        seed=int(random_state.randint(2**31 - 1)),
        n_threads=estimator.n_threads,
    )


def _run(estimator: Any, trainer: Trainer, rows: Rows, callbacks: list[Any], incremental: bool) -> None:
    """Call `fit`; where it diverges, an epoch with a score is kept instead."""
    options: dict[str, Any] = {
        "epochs": 1 if incremental else estimator.max_iter,
        "validation": rows.held_out,
        "sample_weight": rows.weight,
        "callbacks": [*callbacks, StopWithThread(), *(estimator.callbacks or ())],
        "classes": estimator._known_classes(),
    }
    try:
        trainer.fit(rows.X, estimator._encode(rows.y), verbose=0, **options)
    except FloatingPointError as error:
        if not estimator.early_stopping or len(estimator.validation_scores_) == 0:
            raise
        estimator.validation_scores_.append(float("nan"))
        warn_user(f"The training diverged, and the best epoch so far is kept: {error}", ConvergenceWarning)
    if trainer.stop_reason == "interrupted":
        check_stopped()
        warn_user("Training interrupted by user.")


def _split(estimator: Any, rows: Rows, random_state: Any) -> Rows:
    """Hold out `validation_fraction` of the rows: those that scikit-learn would, for the same `random_state`."""
    arrays = [array for array in rows[:3] if array is not None]
    stratify = rows.y if estimator._is_classifier and estimator.n_outputs_ == 1 else None
    parts = train_test_split(
        *arrays, random_state=random_state, test_size=estimator.validation_fraction, stratify=stratify
    )
    X_held, y_held, *weight_held = parts[1::2]
    if len(X_held) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    X, y, *weight = parts[::2]
    return Rows(X, y, weight[0] if weight else None, (X_held, estimator._encode(y_held), *weight_held))


def _score(estimator: Any, objective: Objective) -> Score:
    """What is measured on the validation rows."""
    chosen = estimator._default_score(objective) if estimator.scoring is None else estimator.scoring
    return Score(None if chosen is None or chosen == "loss" else metrics.get(chosen))


def _batch_size(estimator: Any, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warn_user(f"batch_size={estimator.batch_size} is clipped to the {rows} training rows")
    return min(int(estimator.batch_size), rows)
