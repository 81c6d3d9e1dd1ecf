"""The data of one `fit`: checked, and as the engine reads them."""

import math
import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .._common.typing import Array, Ints
from ..data import sample_weights
from ..data.arrays import finite_rows
from ..data.augment import Augmentation, Function
from ..data.outputs import OutputSpec
from ..data.splits import Split, split_rows
from ..data.targets import Targets, check_same_rows, read_targets
from ..losses import Loss
from ..losses.custom import Custom
from ..models.sequential import Sequential
from .evaluation import Evaluator
from .state import TrainSettings


@dataclass(frozen=True, eq=False)
class FitData:
    """Checked data.

    Attributes
    ----------
    X, Y : ndarray (n, n_in), (n, n_out) or (n, 1)
        All rows; Y as `Targets` describes it.
    weight : ndarray (n,) of the model's dtype, or None
        Weights of the rows in training, those of their classes included.
    rows : (rows,) int64
        Indices of the training rows.
    step_rows : int in [1, rows]
        Rows of a step.
    micro_batch : int in [1, step_rows]
        Rows that pass through the network at once.
    loss : Loss
        The loss that reads Y.
    output_spec : OutputSpec
        How outputs become predictions after the training.
    validation : Evaluator or None
        What is measured after each epoch.
    augmentation : Augmentation or None
        Changes the rows of each step.
    """

    X: Array
    Y: Array
    weight: Array | None
    rows: Ints
    step_rows: int
    micro_batch: int
    loss: Loss
    output_spec: OutputSpec
    validation: Evaluator | None
    augmentation: Augmentation | None = None

    def arrays_of(self, order: Ints, starts: Ints, step: int) -> tuple[Array, Array, Array | None, Ints]:
        """X, Y, weight and row indices for the steps from index `step` on; augmented rows are in the order of use."""
        if self.augmentation is None:
            return self.X, self.Y, self.weight, order
        X = self.augmentation.apply(self.X, order, starts, step)
        return X, self.Y[order], None if self.weight is None else self.weight[order], np.arange(len(order))

    def max_steps(self) -> float:
        """Maximum number of steps in one call of the engine."""
        return math.inf if self.augmentation is None else self.augmentation.max_steps(self.step_rows, self.X.shape[1])

    def measure(self, model: Sequential) -> dict[str, list[float]]:
        """What is measured at the end of an epoch: columns of the history, each with one value."""
        return {} if self.validation is None else self.validation.measure(model)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the history."""
        measured = () if self.validation is None else self.validation.columns
        return ("epoch", "loss", *measured, "lr", "seconds")


def prepare(
    settings: TrainSettings,
    model: Sequential,
    X: Any,
    y: Any,
    validation: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    augment: Function | None = None,
) -> FitData:
    """Check the arguments of `Trainer.fit`; nothing is changed.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit the model, the settings or another argument.
    """
    loss = settings.loss
    model.network_for(loss.link)  # raises if the last activation does not fit
    X = finite_rows(X, model.n_in)
    known_classes = model.head.classes if model.head.link == loss.link else None
    targets = read_targets(y, loss, model.n_out, known_classes)
    check_same_rows(X, targets.Y)
    _check_takes_weight(loss, sample_weight)
    weight = None if sample_weight is None else sample_weights.row_weights(sample_weight, len(X), model.dtype)
    output_spec = OutputSpec(loss.link, targets.classes, targets.squeeze)
    rows, evaluator = _split(settings, model, X, targets, weight, validation, output_spec)
    if class_weight is not None:
        of_class = sample_weights.row_weights_from_classes(class_weight, targets, rows, model.dtype)
        weight = of_class if weight is None else sample_weights.row_weights(weight * of_class, len(X), model.dtype)
    if weight is not None and not weight[rows].any():
        raise ValueError("the weight of every training row is zero; the other rows went into validation")
    if evaluator is not None:
        evaluator.check()
    micro_batch = _micro_batch(settings.batch_size, len(rows))
    step_rows = min(micro_batch * settings.accumulate, len(rows))
    augmentation = None if augment is None else Augmentation(augment, settings.seed, model.dtype)
    sizes = rows, step_rows, micro_batch
    return FitData(X, targets.Y, weight, *sizes, targets.loss, output_spec, evaluator, augmentation)


def _split(
    settings: TrainSettings,
    model: Sequential,
    X: Array,
    targets: Targets,
    weight: Array | None,
    validation: Any,
    output_spec: OutputSpec,
) -> tuple[Ints, Evaluator | None]:
    """Indices of the training rows, and the evaluator of the validation rows."""
    if validation is None:
        if settings.metrics:
            raise ValueError("metrics are measured on validation rows: pass validation=0.2 or validation=(X, y) to fit")
        return np.arange(len(X)), None
    n_threads = settings.threads
    options: dict[str, Any] = {"n_threads": n_threads, "metrics": settings.metrics, "output_spec": output_spec}
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        prefix = "validation "
        other_X, other, weight = _other_rows(settings, model, *validation, classes=targets.classes, prefix=prefix)
        return np.arange(len(X)), Evaluator(model, other.loss, other_X, other.Y, weight, **options)
    if isinstance(validation, Real) and not isinstance(validation, bool):
        training, rest = split_rows(len(X), float(validation), settings.seed)
    elif isinstance(validation, Split):
        training, rest = validation.rows(targets.Y, output_spec, settings.seed)
    else:
        raise TypeError(
            "validation must be a fraction in (0, 1), a Split, a pair (X, y), (X, y, sample_weight) or None, not "
            f"{type(validation).__name__}"
        )
    if weight is not None and not weight[rest].any():
        raise ValueError("sample_weight is zero for every validation row: nothing is left to measure")
    return training, Evaluator(model, targets.loss, X, targets.Y, weight, rest, **options)


def _other_rows(
    settings: TrainSettings,
    model: Sequential,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    classes: Array | None,
    prefix: str,
) -> tuple[Array, Targets, Array | None]:
    """Rows that are not trained on and their weights, checked like training rows; messages name them with `prefix`."""
    X = finite_rows(X, model.n_in, prefix + "X")
    targets = read_targets(y, settings.loss, model.n_out, classes, prefix + "y")
    check_same_rows(X, targets.Y, prefix + "X", prefix + "y")
    _check_takes_weight(settings.loss, sample_weight)
    if sample_weight is None:
        return X, targets, None
    return X, targets, sample_weights.row_weights(sample_weight, len(X), model.dtype, prefix + "sample_weight")


def prepare_evaluation(settings: TrainSettings, model: Sequential, X: Any, y: Any, sample_weight: Any) -> Evaluator:
    """Check the arguments of `Trainer.evaluate`; TypeError or ValueError if they do not fit."""
    loss = settings.loss
    model.network_for(loss.link)  # raises if the last activation does not fit
    is_trained = model.head.link == loss.link
    classes = model.head.classes if is_trained else None
    X, targets, weight = _other_rows(settings, model, X, y, sample_weight, classes=classes, prefix="")
    if weight is not None and not weight.any():
        raise ValueError("sample_weight is zero for every row: nothing is left to measure")
    output_spec = model.head if is_trained else OutputSpec(loss.link, targets.classes, targets.squeeze)
    n_threads = settings.threads
    return Evaluator(model, targets.loss, X, targets.Y, weight, None, n_threads, settings.metrics, output_spec)


def _check_takes_weight(loss: Loss, sample_weight: Any) -> None:
    if sample_weight is not None and isinstance(loss, Custom) and not loss.takes_weight:
        raise ValueError(
            "sample_weight needs a loss that takes weights: give your function a third argument, (Z, Y, weight), and "
            "return sum weight * row's loss / sum weight, and its derivative"
        )


def _micro_batch(size: int | None, rows: int) -> int:
    """At most `size` of the training rows, with a warning if there are fewer."""
    if size is None or size <= rows:
        return size or rows
    warnings.warn(f"batch_size={size} is more than the {rows} training rows: each step uses all of them", stacklevel=4)
    return rows
