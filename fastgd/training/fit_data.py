"""What one `fit` works with: the user's data, checked and as the engine reads them."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..data import sample_weights
from ..data.arrays import finite_rows
from ..data.augment import Augmentation, Function
from ..data.outputs import OutputSpec
from ..data.splits import Split, split_rows
from ..data.targets import Targets, check_same_rows, read_targets
from ..losses import Loss
from ..losses.custom import Custom
from ..metrics import Metric
from ..models.sequential import Sequential
from .evaluation import Validation


class Settings(Protocol):
    """What the checks need of a trainer."""

    model: Sequential
    loss: Loss
    batch_size: int | None
    accumulate: int
    seed: int
    n_threads: int | None

    @property
    def metrics(self) -> Sequence[Metric] | None: ...


@dataclass(eq=False)
class WithoutTrainer:
    """The `Settings` of work on all rows, where there is no trainer."""

    model: Sequential
    loss: Loss
    n_threads: int | None = None
    batch_size: int | None = None
    seed: int = 0
    metrics: None = None
    accumulate: int = 1


@dataclass(frozen=True, eq=False)
class FitData:
    """Checked data.

    Attributes
    ----------
    X, Y : ndarray (n, n_in), (n, n_out) or (n, 1)
        The whole data; Y as `Targets` describes it.
    weight : ndarray (n,) of the model's dtype, or None
        Of the rows in training, their classes' included.
    rows : (rows,) int64
        Numbers of the training rows.
    batch : int in [1, rows]
        Rows of a step.
    at_once : int in [1, batch]
        Rows that pass through the network at once.
    loss : Loss
        The one that reads Y.
    head : Head
        What the outputs will mean.
    validation : Validation or None
    augmentation : Augmentation or None
        What changes the rows of each step.
    """

    X: Array
    Y: Array
    weight: Array | None
    rows: NDArray[np.int64]
    batch: int
    micro_batch: int
    loss: Loss
    head: OutputSpec
    validation: Validation | None
    augmentation: Augmentation | None = None

    def read(
        self, order: NDArray[np.int64], starts: NDArray[np.int64], step: int
    ) -> tuple[Array, Array, Array | None, NDArray[np.int64]]:
        """X, Y, weight and order for the steps from number `step` on; what is changed stands in the order of use."""
        if self.augmentation is None:
            return self.X, self.Y, self.weight, order
        X = self.augmentation.apply(self.X, order, starts, step)
        return X, self.Y[order], None if self.weight is None else self.weight[order], np.arange(len(order))

    def most_steps(self) -> float:
        """How many steps one call of the engine may do."""
        return math.inf if self.augmentation is None else self.augmentation.max_steps(self.batch, self.X.shape[1])

    @property
    def columns(self) -> tuple[str, ...]:
        """What the history gets for each epoch."""
        measured = () if self.validation is None else self.validation.columns
        return ("epoch", "loss", *measured, "lr", "seconds")


def prepare(
    settings: Settings,
    X: Any,
    y: Any,
    validation: Any,
    sample_weight: Any,
    class_weight: Any = None,
    augment: Function | None = None,
) -> FitData:
    """Find whatever is wrong with the arguments of `Trainer.fit`; nothing is changed by it."""
    model, loss = settings.model, settings.loss
    model.network_for(loss.link)  # raises if the last activation does not fit
    X = finite_rows(X, model.n_in)
    known = model.head.classes if model.head.link == loss.link else None
    targets = read_targets(y, loss, model.n_out, known)
    check_same_rows(X, targets.Y)
    _check_takes_weight(loss, sample_weight)
    weight = None if sample_weight is None else sample_weights.row_weights(sample_weight, len(X), model.dtype)
    head = OutputSpec(loss.link, targets.classes, targets.squeeze)
    rows, check = _split(settings, X, targets, weight, validation, head)
    if class_weight is not None:
        of_class = sample_weights.row_weights_from_classes(class_weight, targets, rows, model.dtype)
        weight = of_class if weight is None else sample_weights.row_weights(weight * of_class, len(X), model.dtype)
    if weight is not None and not weight[rows].any():
        raise ValueError("the weight of every training row is zero; the other rows went into validation")
    if check is not None:
        check.check()
    micro_batch = _batch(settings.batch_size, len(rows))
    batch = min(micro_batch * settings.accumulate, len(rows))
    changes = None if augment is None else Augmentation(augment, settings.seed, model.dtype)
    return FitData(X, targets.Y, weight, rows, batch, micro_batch, targets.loss, head, check, changes)


def _split(
    settings: Settings, X: Array, targets: Targets, weight: Array | None, validation: Any, head: OutputSpec
) -> tuple[NDArray[np.int64], Validation | None]:
    """Numbers of the training rows, and what measures other rows."""
    if validation is None:
        if settings.metrics:
            raise ValueError("metrics are measured on validation rows: pass validation=0.2 or validation=(X, y) to fit")
        return np.arange(len(X)), None
    options: dict[str, Any] = {"n_threads": settings.n_threads or 0, "metrics": settings.metrics, "head": head}
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        other, answers, weight = _other_rows(settings, *validation, classes=targets.classes, of="validation ")
        return np.arange(len(X)), Validation(settings.model, answers.loss, other, answers.Y, weight, **options)
    if isinstance(validation, Real) and not isinstance(validation, bool):
        training, rest = split_rows(len(X), float(validation), settings.seed)
    elif isinstance(validation, Split):
        training, rest = validation.rows(targets.Y, head, settings.seed)
    else:
        raise TypeError(
            "validation must be a fraction in (0, 1), a Split, a pair (X, y), (X, y, sample_weight) or None, not "
            f"{type(validation).__name__}"
        )
    if weight is not None and not weight[rest].any():
        raise ValueError("sample_weight is zero for every validation row: nothing is left to measure")
    return training, Validation(settings.model, targets.loss, X, targets.Y, weight, rest, **options)


def _other_rows(
    settings: Settings, X: Any, y: Any, sample_weight: Any = None, *, classes: Array | None, of: str
) -> tuple[Array, Targets, Array | None]:
    """Rows that are not trained on and their weights, checked as the training rows are; `of` begins their names."""
    model = settings.model
    X = finite_rows(X, model.n_in, of + "X")
    targets = read_targets(y, settings.loss, model.n_out, classes, of + "y")
    check_same_rows(X, targets.Y, of + "X", of + "y")
    _check_takes_weight(settings.loss, sample_weight)
    if sample_weight is None:
        return X, targets, None
    return X, targets, sample_weights.row_weights(sample_weight, len(X), model.dtype, of + "sample_weight")


def evaluation(settings: Settings, X: Any, y: Any, sample_weight: Any) -> Validation:
    """What `Trainer.evaluate` measures."""
    model, loss = settings.model, settings.loss
    model.network_for(loss.link)  # raises if the last activation does not fit
    is_trained = model.head.link == loss.link
    classes = model.head.classes if is_trained else None
    X, targets, weight = _other_rows(settings, X, y, sample_weight, classes=classes, of="")
    if weight is not None and not weight.any():
        raise ValueError("sample_weight is zero for every row: nothing is left to measure")
    head = model.head if is_trained else OutputSpec(loss.link, targets.classes, targets.squeeze)
    threads = settings.n_threads or 0
    return Validation(model, targets.loss, X, targets.Y, weight, None, threads, settings.metrics, head)


def _check_takes_weight(loss: Loss, sample_weight: Any) -> None:
    if sample_weight is not None and isinstance(loss, Custom) and not loss.takes_weight:
        raise ValueError(
            "sample_weight needs a loss that knows of it: give your function a third argument, (Z, Y, weight), and "
            "return sum weight * row's loss / sum weight, and its derivative"
        )


def _batch(size: int | None, rows: int) -> int:
    if size is None or size <= rows:
        return size or rows
    warnings.warn(f"batch_size={size} is more than the {rows} training rows: each step uses them all", stacklevel=4)
    return rows
