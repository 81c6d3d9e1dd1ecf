"""What happens after each epoch: the attributes of the estimator, and scikit-learn's rules for stopping."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from .._common.typing import Array
from ..callbacks import Callback
from ..callbacks.base import Training
from ..metrics import Metric
from .networks import parameters_of
from .objectives import Objective

# The adaptive learning rate is divided by this, until it is at its minimum or below.
_DIVISOR, _LEAST_RATE = 5.0, 1e-6


class Convergence(Callback):
    """Record each epoch in the estimator, and stop when the loss or the score has stopped improving.

    Parameters
    ----------
    estimator : BaseNetwork
        Its attributes `n_iter_`, `t_`, `loss_` and so on are updated.
    objective : Objective
    divisor : float
        The penalty is alpha / 2 times the sum of the squared weights, divided by this; 0: there is none.
    score : Score or None
        What is measured on the validation rows if they decide, else None.
    """

    def __init__(self, estimator: Any, objective: Objective, divisor: float, score: Score | None) -> None:
        self._estimator, self._objective, self._divisor, self._score = estimator, objective, divisor, score
        self._penalty, self._weights = 0.0, list[Array]()
        self._best: Array | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        self._weights = [W for W, _ in parameters_of(trainer.model)]
        self._penalty = self._measure_penalty()

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        estimator = self._estimator
        estimator.n_iter_ += 1
        estimator.t_ += trainer.run.rows
        before, self._penalty = self._penalty, self._measure_penalty()
        # The losses are those before each step of the epoch, so the penalty is that of its middle.
        estimator.loss_ = self._objective.reported(logs["loss"]) + (before + self._penalty) / 2
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self._score is None:
            self._record_loss(estimator.loss_)
        else:
            self._record_score(trainer, self._score.of(logs))
        self._set_rate(trainer)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._stop(trainer)

    def restore_best(self, trainer: Training) -> None:
        """Give the network the parameters of the best score, if scores decide and there was one."""
        if self._best is not None:
            trainer.model.theta[:] = self._best[0]
            if trainer.optimizer.averaged_theta is not None:
                trainer.optimizer.averaged_theta[:] = self._best[-1]

    def _measure_penalty(self) -> float:
        if not self._divisor:
            return 0.0
        squares = sum(float(np.vdot(W, W)) for W in self._weights)
        return 0.5 * float(self._estimator.alpha) * squares / self._divisor

    def _record_loss(self, loss: float) -> None:
        estimator = self._estimator
        is_better = loss <= estimator.best_loss_ - estimator.tol
        estimator._no_improvement_count = 0 if is_better else estimator._no_improvement_count + 1
        estimator.best_loss_ = min(estimator.best_loss_, loss)

    def _record_score(self, trainer: Training, score: float) -> None:
        estimator = self._estimator
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        is_worse = score < estimator.best_validation_score_ + estimator.tol
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if is_worse else 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            average = trainer.optimizer.averaged_theta
            vectors = [trainer.model.theta] if average is None else [trainer.model.theta, average]
            self._best = np.array(vectors)

    def _set_rate(self, trainer: Training) -> None:
        """The learning rate of the next epoch, if it depends on the rows seen."""
        e = self._estimator
        if e.solver == "sgd" and e.learning_rate == "invscaling":
            self._change_rate(trainer, e.learning_rate_init / (e.t_ + 1) ** e.power_t)

    def _stop(self, trainer: Training) -> None:
        estimator = self._estimator
        what = "Training loss" if self._score is None else "Validation score"
        epochs = f"{estimator.n_iter_no_change} consecutive epochs"
        message = f"{what} did not improve more than tol={estimator.tol:f} for {epochs}."
        rate = self._rate(trainer) if self._is_adaptive else 0.0
        if rate > _LEAST_RATE:
            self._change_rate(trainer, rate / _DIVISOR)
            estimator._no_improvement_count = 0
            message += f" Setting learning rate to {rate / _DIVISOR:f}"
        else:
            message += " Learning rate too small. Stopping." if self._is_adaptive else " Stopping."
            trainer.stop(message)
        if estimator.verbose:
            print(message)

    def _rate(self, trainer: Training) -> float:
        return float(cast(float, trainer.optimizer.lr)) / self._objective.gradient_scale

    def _change_rate(self, trainer: Training, rate: float) -> None:
        """Another learning rate for SGD, which leaves the next step that momentum makes as long as it was.

        scikit-learn's velocities have the rates as factors, those of fastgd do not.
        """
        optimizer = trainer.optimizer
        if optimizer.state is not None:
            optimizer.state *= self._rate(trainer) / rate
        optimizer.lr = rate * self._objective.gradient_scale

    @property
    def _is_adaptive(self) -> bool:
        return bool(self._estimator.solver == "sgd" and self._estimator.learning_rate == "adaptive")


class Score:
    """What early stopping looks at: a metric or the loss, so that higher is better.

    Parameters
    ----------
    metric : Metric or None
        None: the loss of the validation rows.

    Raises
    ------
    ValueError
        It is unknown which values of the metric are better.
    """

    def __init__(self, metric: Metric | None) -> None:
        self.metric = metric
        if metric is not None and metric.lower_is_better is None:
            raise ValueError(
                f"it is unknown whether lower or higher values of {metric.name!r} are better: pass "
                "scoring=fastgd.metrics.Metric(name, function, lower_is_better=...)"
            )

    def of(self, logs: dict[str, float]) -> float:
        """The score of an epoch."""
        if self.metric is None:
            return -logs["validation_loss"]
        value: float = logs[f"validation_{self.metric.name}"]
        return -value if self.metric.lower_is_better else value


def initial_record(estimator: Any) -> None:
    """Set the attributes of an estimator before its first epoch."""
    estimator.loss_curve_, estimator._no_improvement_count = [], 0
    if estimator.early_stopping:
        estimator.best_loss_, estimator.validation_scores_ = None, []
        estimator.best_validation_score_ = -math.inf
    else:
        estimator.best_loss_, estimator.validation_scores_ = math.inf, None
        estimator.best_validation_score_ = None
