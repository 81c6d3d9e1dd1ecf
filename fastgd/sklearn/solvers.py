"""From the parameters of an estimator to an optimizer of fastgd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import optimizers
from .._common.checks import NON_NEGATIVE, shown
from .._common.typing import Floats
from ..optimizers import SGD, Adam, Optimizer
from ..schedules import Schedule
from ..schedules.base import Rate, is_scheduled, scaled
from .objectives import Objective

# Biases are not penalized.
_GROUPS = {"*.bias": {"weight_decay": 0.0}}


@dataclass(eq=False, repr=False)
class PenaltyOfBatch(Schedule):
    """alpha / rows of the batch: the last one of an epoch may have fewer.

    Parameters
    ----------
    alpha : float >= 0
    rows : int
        Rows of an epoch.
    batch_size : int
        Rows of every other batch.

    Examples
    --------
    >>> PenaltyOfBatch(6.0, rows=5, batch_size=2)(np.array([0.0, 1 / 3, 2 / 3]), 1.0)
    array([3., 3., 6.])
    """

    alpha: float
    rows: int
    batch_size: int

    intervals = {"alpha": NON_NEGATIVE}

    def rates(self, t: Floats, total_epochs: float) -> Floats:
        steps = -(-self.rows // self.batch_size)
        is_last = np.rint((t - np.floor(t)) * steps) == steps - 1
        return self.alpha / np.where(is_last, self.rows - (steps - 1) * self.batch_size, self.batch_size)


def is_stochastic(estimator: Any) -> bool:
    """Whether the solver of the estimator is one that sees a batch at a time."""
    return bool(estimator.solver != "lbfgs")


def has_own_settings(estimator: Any) -> bool:
    """Whether the solver is an optimizer, whose own settings count instead of the estimator's parameters."""
    return isinstance(estimator.solver, Optimizer)


def make_optimizer(estimator: Any, objective: Objective) -> Optimizer:
    """A new optimizer of the estimator's solver; `set_penalty` completes it.

    Multiplying the gradient by c is the same as multiplying lr by c for SGD, and as dividing eps by c for Adam.
    """
    e, scale = estimator, objective.gradient_scale
    if has_own_settings(e):
        if is_scheduled(e.learning_rate):
            raise ValueError(
                f"give the schedule {shown(e.learning_rate)} to the optimizer: {type(e.solver).__name__}(lr=...)"
            )
        own: Optimizer = e.solver.copy()
        return own
    lr: Rate = e.learning_rate if is_scheduled(e.learning_rate) else e.learning_rate_init
    if e.solver == "sgd":
        nesterov = bool(e.nesterovs_momentum) and e.momentum > 0
        return SGD(lr=scaled(lr, scale), momentum=e.momentum, nesterov=nesterov)
    if e.solver == "adam":
        return Adam(lr=lr, betas=(e.beta_1, e.beta_2), eps=e.epsilon / scale)
    return optimizers.OPTIMIZERS[e.solver](lr=lr)


def set_penalty(
    optimizer: Optimizer, estimator: Any, gradient_scale: float, weight: Floats | None, rows: int, batch_size: int
) -> float:
    """Make the optimizer penalize the squares of weights as scikit-learn does: by alpha / (2 rows of the batch).

    Decoupled weight decay is not a penalty, so optimizers with that keep their own.

    Parameters
    ----------
    gradient_scale : float
        That of the objective.
    weight : ndarray (rows,) or None
        Weights of the rows. Those of a batch count as many rows as they have weight on average.
    rows, batch_size : int
        Rows of an epoch and of a batch.

    Returns
    -------
    float
        What alpha is divided by on average over the batches; 0 if there is no penalty.
    """
    if has_own_settings(estimator) or optimizer.decoupled_weight_decay or not estimator.alpha:
        return 0.0
    mean_weight = 1.0 if weight is None else float(weight.mean())
    alpha = estimator.alpha / (gradient_scale * mean_weight)
    optimizer.weight_decay = alpha / batch_size if rows % batch_size == 0 else PenaltyOfBatch(alpha, rows, batch_size)
    optimizer.groups = _GROUPS
    return rows * mean_weight / -(-rows // batch_size)
