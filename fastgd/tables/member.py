"""The training of one network on the matrix that was made of a table."""

from __future__ import annotations

from collections.abc import Sequence
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
from ..population import Population
from ..training.standardization import takes_standardized
from ..training.trainer import Trainer
from .encoder import TableEncoder
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
    encoder : TableEncoder
        Has made the matrix.
    levels : list of float or None
        Quantiles to predict.
    metric : Metric or None
        What is best on the held-out rows; None: the loss.
    patience, n_threads : int or None
    group : Group
        The processes that train together; all have all rows.
    precision : {"f32", "bf16"}
    """

    recipe: Recipe
    encoder: TableEncoder
    levels: list[float] | None
    metric: Metric | None
    patience: int | None
    n_threads: int | None
    group: Group = field(default_factory=Group)
    precision: str = "f32"

    def fit(
        self, X: Any, Y: Any, classes: Array | None, validation: Any, seed: int, callbacks: Any, **options: Any
    ) -> Trainer:
        """Train.

        Parameters
        ----------
        X : ndarray (rows, features), float32, or Source
        Y : ndarray (rows,) or (rows, targets), or None with a source
        classes : ndarray (classes,) or None
            None: a regression.
        validation : float, (X, y), (X, y, sample_weight) or None
        seed : int
        callbacks : list of Callback
        **options
            Of `Trainer.fit`.
        """
        validation = _as_split(validation, Y, classes)
        rows = _n_training_rows(len(X), validation)
        trainer = self._trainer(Y, classes, rows, seed)
        if isinstance(validation, tuple):
            validation = self.group.part(validation)
        if Y is not None:
            share = self.group.share(len(X))
            X, Y = X[share], Y[share]
        callbacks = [*self._best_epoch(validation), *callbacks]
        options |= {"validation": validation, "callbacks": callbacks, "classes": classes}
        trainer.fit(X, Y, self.recipe.n_epochs(rows), **options)
        return trainer

    def fit_all(
        self, X: Array, Y: Array, classes: Array | None, validation: Any, seeds: Sequence[int], **options: Any
    ) -> list[Trainer]:
        """Train a network for each seed, all at the same time, each to the bits of `fit`."""
        validation = _as_split(validation, Y, classes)
        rows = _n_training_rows(len(X), validation)
        population = Population((self._trainer(Y, classes, rows, seed) for seed in seeds), n_threads=self.n_threads)
        options |= {"callbacks": lambda i: self._best_epoch(validation), "classes": classes}
        population.fit(X, Y, self.recipe.n_epochs(rows), validation, **options)
        return population.trainers

    def _trainer(self, Y: Array | None, classes: Array | None, rows: int, seed: int) -> Trainer:
        is_classification, loss, group = classes is not None, self._loss(classes), self.group
        n_out = _n_outputs(loss, Y, classes, self.levels)
        network = self.recipe.network(self.encoder, rows, n_out, is_classification, seed)
        measured = get("accuracy") if self.metric is None and is_classification else self.metric
        return Trainer(
            network,
            loss=loss,
            optimizer=self.recipe.optimizer(network, is_classification),
            batch_size=group.batch_size(self.recipe.rows_of_batch(rows)),
            standardize="y" if not is_classification and takes_standardized(loss) else False,
            metrics=[] if measured is None else [measured],
            n_threads=self.n_threads,
            comm=group.comm,
            shards=group.shards,
            precision=self.precision,
        )

    def _loss(self, classes: Array | None) -> Loss:
        if self.levels is not None:
            return Quantile(tuple(self.levels))
        loss = losses.get(self.recipe.training_loss(classes is not None))
        if classes is not None and loss.target != "labels":
            raise ValueError(f'classes need a loss such as "cross_entropy" or "focal", not {shown(loss)}')
        return loss

    def _best_epoch(self, validation: Any) -> list[Callback]:
        """What restores the best epoch, if there are rows to tell it by."""
        if validation is None:
            return []
        column = "validation_loss" if self.metric is None else f"validation_{self.metric.name}"
        return [_BestEpoch(column, _NEVER if self.patience is None else self.patience)]


def _as_split(validation: Any, Y: Array, classes: Array | None) -> Any:
    """A share of the rows as a split, which keeps the shares of classes if it can."""
    if not isinstance(validation, float):
        return validation
    return Split(validation, stratify=classes is not None and _has_pairs(Y))


def _n_training_rows(n_rows: int, validation: Any) -> int:
    n_held = round(n_rows * validation.fraction) if isinstance(validation, Split) else 0
    return max(1, n_rows - n_held)


def _n_outputs(loss: Loss, Y: Array | None, classes: Array | None, levels: list[float] | None) -> int:
    if classes is not None:
        return max(2, len(classes))
    return (1 if Y is None or Y.ndim == 1 else Y.shape[1]) * (1 if levels is None else len(levels))


def _has_pairs(Y: Array) -> bool:
    """Whether there are several rows of each class, so that each can be split."""
    return bool(np.unique(Y, return_counts=True)[1].min() > 1)
