"""The training of one network on the matrix that was made of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import losses
from .._common.checks import shown
from .._common.typing import Array
from ..callbacks import Callback, EarlyStopping
from ..data.splits import Split
from ..losses import Loss, Quantile
from ..metrics import Metric, get
from ..parallel import Group
from ..training.standardization import takes_standardized
from ..training.trainer import Trainer
from .recipe import Recipe

_NEVER = 2**31 - 1


class _BestEpoch(EarlyStopping):
    """Restore the theta of the best epoch, the last one of several."""

    def _is_better(self, value: float, other: float) -> bool:
        return self._sign * (value - other) >= 0


@dataclass(frozen=True)
class MemberFit:
    """How a network is trained.

    Attributes
    ----------
    recipe : Recipe
    levels : list of float or None
        Quantiles to predict.
    metric : Metric or None
        What is best on the held-out rows; None: the accuracy, or the loss.
    patience, n_threads : int or None
    group : Group
        The processes that train together; all have all rows.
    """

    recipe: Recipe
    levels: list[float] | None
    metric: Metric | None
    patience: int | None
    n_threads: int | None
    group: Group = field(default_factory=Group)

    def fit(
        self, X: Array, Y: Array, classes: Array | None, validation: Any, seed: int, callbacks: Any, **options: Any
    ) -> Trainer:
        """Train.

        Parameters
        ----------
        X : ndarray (rows, features), float32
        Y : ndarray (rows,) or (rows, targets)
        classes : ndarray (classes,) or None
            None: a regression.
        validation : float, (X, y), (X, y, sample_weight) or None
        seed : int
        callbacks : list of Callback
        **options
            Of `Trainer.fit`.
        """
        is_classification, loss = classes is not None, self._loss(classes)
        if isinstance(validation, float):
            validation = Split(validation, stratify=is_classification and _has_pairs(Y))
        n_held = round(len(X) * validation.fraction) if isinstance(validation, Split) else 0
        rows = max(1, len(X) - n_held)
        network = self.recipe.network(X.shape[1], _n_outputs(loss, Y, classes, self.levels), is_classification, seed)
        metric = get("accuracy") if self.metric is None and is_classification else self.metric
        group = self.group
        trainer = Trainer(
            network,
            loss=loss,
            optimizer=self.recipe.optimizer(network, is_classification),
            batch_size=group.batch_size(self.recipe.rows_of_batch(rows)),
            standardize="y" if not is_classification and takes_standardized(loss) else False,
            metrics=[] if metric is None else [metric],
            n_threads=self.n_threads,
            comm=group.comm,
            shards=group.shards,
        )
        best = [] if validation is None else [self._best_epoch(metric)]
        epochs = self.recipe.n_epochs(rows)
        if isinstance(validation, tuple):
            validation = group.part(validation)
        share = group.share(len(X))
        options |= {"validation": validation, "callbacks": [*best, *callbacks], "classes": classes}
        trainer.fit(X[share], Y[share], epochs, **options)
        return trainer

    def _loss(self, classes: Array | None) -> Loss:
        if self.levels is not None:
            return Quantile(tuple(self.levels))
        loss = losses.get(self.recipe.training_loss(classes is not None))
        if classes is not None and loss.target != "labels":
            raise ValueError(f'classes need a loss such as "cross_entropy" or "focal", not {shown(loss)}')
        return loss

    def _best_epoch(self, metric: Metric | None) -> Callback:
        column = "validation_loss" if metric is None else f"validation_{metric.name}"
        return _BestEpoch(column, _NEVER if self.patience is None else self.patience)


def _n_outputs(loss: Loss, Y: Array, classes: Array | None, levels: list[float] | None) -> int:
    if classes is not None:
        return max(2, len(classes))
    return (1 if Y.ndim == 1 else Y.shape[1]) * (1 if levels is None else len(levels))


def _has_pairs(Y: Array) -> bool:
    """Whether there are several rows of each class, so that each can be split."""
    return bool(np.unique(Y, return_counts=True)[1].min() > 1)
