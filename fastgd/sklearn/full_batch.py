"""The solver "lbfgs": all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from .._common.typing import Array, Floats
from .._common.warn import warn_user
from ..callbacks import History
from ..training.lbfgs import minimize_loss
from ..training.state import TrainSettings
from .callbacks import FitTasks
from .networks import penalized
from .objectives import Objective
from .threads import check_stopped


def fit_full_batch(
    estimator: Any, X: Array, y: Array, weight: Floats | None, objective: Objective, tasks: FitTasks | None
) -> None:
    """Train `network_` by L-BFGS, with scikit-learn's limits and tolerances.

    Warns
    -----
    ConvergenceWarning
        A limit was reached before the tolerance.
    """
    model, scale = estimator.network_, objective.gradient_scale
    decay = estimator.alpha / (float(len(X)) if weight is None else float(weight.sum())) * penalized(model)
    options = {"maxiter": estimator.max_iter, "maxfun": estimator.max_fun, "gtol": estimator.tol}
    options |= estimator._lbfgs_options
    settings = TrainSettings(objective.loss, n_threads=estimator.n_threads)

    def on_step(history: History) -> bool:
        check_stopped()
        theta = model.theta.astype(np.float64)
        penalty = 0.5 * float(decay * theta @ theta)
        estimator.n_iter_ = history["epoch"][-1]
        estimator.loss_ = objective.reported((history["loss"][-1] - penalty) / scale) + penalty
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        return tasks is not None and tasks.next_epoch(model)

    estimator.n_iter_ = 0
    # SciPy's vectors are too small for the threads of its BLAS, which would take turns with the engine's.
    with threadpool_limits(1, user_api="blas"):
        history, result = minimize_loss(
            model, X, y, settings, options, decay, weight, estimator._known_classes(), scale, on_step
        )
    if not estimator.n_iter_:  # the initial values were a minimum
        on_step(history)
    estimator.history_ = history
    _warn_unless_converged(estimator, result, is_stopped=tasks is not None and tasks.is_stopped)


def _warn_unless_converged(estimator: Any, result: Any, is_stopped: bool) -> None:
    if result is None:
        if not is_stopped:
            warn_user("Training interrupted by user.")
    elif result.status != 0:
        text = (
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s): {result.message}. Scale the data, or "
            f"increase max_iter={estimator.max_iter} or max_fun={estimator.max_fun}."
        )
        warn_user(text, ConvergenceWarning)
