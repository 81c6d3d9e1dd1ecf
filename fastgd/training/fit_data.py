"""The data of one `fit`: checked, and as the engine reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from .._common.typing import Array, Floats, Ints
from .._common.warn import warn_user
from ..data import sample_weights
from ..data.arrays import is_memory_mapped
from ..data.augment import Augmentation, Function
from ..data.inputs import InputSpec
from ..data.labels import describe_classes
from ..data.outputs import OutputSpec
from ..data.scaling import Scaling
from ..data.splits import Split
from ..data.targets import Targets, check_same_rows, declared_classes, read_targets
from ..losses import Loss
from ..losses.custom import Custom
from ..models.sequential import Sequential
from ..parallel import Group
from .chunks import EpochBlock, plan_epochs
from .evaluation import Evaluator, TrainingMetrics
from .evaluators import evaluator_of_pair, evaluator_of_rows, read_weight
from .sharded import check_rows, refuse_for_shards, shared_classes, split_shards
from .standardization import check_scaled, what_to_scale
from .state import TrainSettings

# The default of `Trainer`, which does not mean that the user asked for this number of rows.
DEFAULT_BATCH_SIZE = 32
# Bytes of rows that are augmented or standardized ahead of one call of the engine.
_MAX_BYTES = 1 << 24
# Number of training rows that are examined as a sample.
_SAMPLE = 100


@dataclass(frozen=True, eq=False)
class FitData:
    """Checked data.

    Attributes
    ----------
    X, Y : ndarray (n, n_in), (n, n_out) or (n, 1)
        All rows; Y as `Targets` describes it, both standardized if the model is.
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
    input_spec, output_spec : InputSpec, OutputSpec
        How rows become inputs and outputs become predictions after the training.
    dtype : numpy.dtype
        Dtype of the model.
    validation : Evaluator or None
        What is measured after each epoch.
    augmentation : Augmentation or None
        Changes the rows of each step.
    scales_late : bool
        Whether X is not standardized yet, because it lies in a file or is changed by `augmentation` first: rows are
        then standardized for some steps at a time.
    training : TrainingMetrics or None
        The same of training rows.
    """

    X: Array
    Y: Array
    weight: Array | None
    rows: Ints
    step_rows: int
    micro_batch: int
    loss: Loss
    input_spec: InputSpec
    output_spec: OutputSpec
    dtype: np.dtype[Any]
    validation: Evaluator | None
    augmentation: Augmentation | None = None
    scales_late: bool = False
    training: TrainingMetrics | None = None

    def arrays_of(self, order: Ints, starts: Ints, step: int) -> tuple[Array, Array, Array | None, Ints]:
        """X, Y, weight and row indices for the steps from index `step` on; rows that are copied are in order of use."""
        if self.augmentation is None and not self.scales_late:
            return self.X, self.Y, self.weight, order
        if self.augmentation is None:
            X = self.inputs(order)
        else:
            X = self.augmentation.apply(self.X, order, starts, step)
            X = self.input_spec.scale(X, self.dtype, "the result of augment")
        return X, self.Y[order], None if self.weight is None else self.weight[order], np.arange(len(order))

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return len(self.rows)

    def plan(self, settings: TrainSettings, first: int, last: int) -> EpochBlock:
        """The steps of the next epochs, at least one and at most up to `last`, after `first` epochs."""
        return plan_epochs(self.rows, first, last, self.step_rows, settings.seed, settings.shuffle)

    def at(self, block: EpochBlock, poll: Callable[[], None]) -> FitData:
        """The data that the next steps of the block read; `poll` is called while they are awaited."""
        return self

    def close(self) -> None:
        """End what reads the data."""

    def describe(self, model: Sequential) -> None:
        """Tell the model how its inputs are made and its outputs are read."""
        model.inputs, model.head = self.input_spec, self.output_spec

    def inputs(self, rows: Any) -> Array:
        """Some rows of X, given by indices or a slice, as the network takes them."""
        X: Array = self.X[rows]
        return self.input_spec.scale(X, self.dtype) if self.scales_late else X

    def sample_inputs(self) -> Array:
        """Some training rows, evenly spaced, as the network takes them."""
        return self.inputs(some_rows(self.rows, _SAMPLE))

    @property
    def calls_python(self) -> bool:
        """Whether functions of the user take part in each step."""
        return self.augmentation is not None or isinstance(self.loss, Custom)

    def max_steps(self) -> float:
        """Maximum number of steps in one call of the engine."""
        if self.augmentation is None and not self.scales_late:
            return math.inf
        row_bytes = self.X.shape[1] * self.dtype.itemsize
        return float(max(1, _MAX_BYTES // (self.step_rows * row_bytes)))

    @property
    def evaluators(self) -> list[Evaluator | TrainingMetrics]:
        """What is measured after each epoch, in the order of the columns."""
        return [evaluator for evaluator in (self.training, self.validation) if evaluator is not None]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the history."""
        return ("epoch", "loss", *(name for each in self.evaluators for name in each.columns), "lr", "seconds")


def prepare(
    settings: TrainSettings,
    model: Sequential,
    X: Any,
    y: Any,
    validation: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    augment: Function | None = None,
    classes: Any = None,
    group: Group | None = None,
) -> FitData:
    """Check the arguments of `Trainer.fit`; nothing is changed.

    Parameters
    ----------
    group : Group or None, default=None
        The processes that train together; None: this one alone.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit the model, the settings or another argument.
    """
    loss, group = settings.loss, group or Group()
    refuse_for_shards(group, augment=augment)
    model.network_for(loss.link, settings.precision)  # raises if the last activation does not fit
    scales_X, scales_y = what_to_scale(settings.standardize, model, loss)
    input_spec = model.inputs.with_names_of(X)
    X = input_spec.rows(X, model.n_in, dtype=None if scales_X else model.dtype)
    known = known_classes(model, loss, classes)
    known = shared_classes(y, loss, model.n_out, group) if known is None else known
    targets = read_targets(y, loss, model.n_out, known, dtype=None if scales_y else model.dtype)
    check_same_rows(X, targets.Y)
    weight = read_weight(loss, sample_weight, len(X), group=group)
    output_spec = OutputSpec(loss.link, targets.classes, targets.squeeze, model.head.scaling if scales_y else None)
    rows, held_out = _split(settings, targets.Y, output_spec, validation, group)
    rows = targets.labelled(rows, "training row")
    check_rows(len(rows), group, "training rows")
    training_weight = _training_weight(weight, class_weight, targets, rows, model.dtype, group)
    if scales_X and input_spec.scaling is None:
        input_spec = input_spec.with_scaling(Scaling.of(X, rows, weight, "X", group))
    if scales_y and output_spec.scaling is None:
        output_spec = replace(output_spec, scaling=Scaling.of(targets.Y, rows, weight, "y", group))
    evaluator: Evaluator | None = None
    if held_out is not None:
        evaluator = evaluator_of_rows(settings, model, X, targets, weight, held_out, input_spec, output_spec, group)
    elif validation is not None:
        evaluator = evaluator_of_pair(settings, model, validation, input_spec, output_spec, group)
    dtype = np.dtype(np.float64) if scales_X else model.dtype
    augmentation = None if augment is None else Augmentation(augment, settings.seed, dtype)
    data = _fit_data(
        settings, model, X, targets, training_weight, rows, input_spec, output_spec, evaluator, augmentation, group
    )
    if settings.train_metrics:  # without class weights, as in validation
        training = evaluator_of_rows(settings, model, X, targets, weight, rows, input_spec, output_spec, group)
        data = replace(data, training=TrainingMetrics(training))
    for each in data.evaluators:
        each.check()
    return data


def _fit_data(
    settings: TrainSettings,
    model: Sequential,
    X: Array,
    targets: Targets,
    weight: Array | None,
    rows: Ints,
    input_spec: InputSpec,
    output_spec: OutputSpec,
    evaluator: Evaluator | None,
    augmentation: Augmentation | None,
    group: Group,
) -> FitData:
    """The data as the engine reads them: X and y standardized, batches no larger than the training rows."""
    scales_late = input_spec.scaling is not None and (augmentation is not None or is_memory_mapped(X))
    if scales_late:
        check_scaled(X, input_spec.scaling, model.dtype, "X")
    micro_batch, step_rows = rows_at_once(settings, len(rows), group)
    return FitData(
        X=X if scales_late else input_spec.scale(X, model.dtype),
        Y=output_spec.scale_targets(targets.Y, model.dtype),
        weight=weight,
        rows=rows,
        step_rows=step_rows,
        micro_batch=micro_batch,
        loss=targets.loss,
        input_spec=input_spec,
        output_spec=output_spec,
        dtype=model.dtype,
        validation=evaluator,
        augmentation=augmentation,
        scales_late=scales_late,
    )


def some_rows(rows: Ints, n: int) -> Ints:
    """Up to n of the rows, evenly spaced."""
    return rows[:: max(1, len(rows) // n)][:n]


def known_classes(model: Sequential, loss: Loss, declared: Any) -> Array | None:
    """The classes of an earlier `fit`, or else the declared ones; ValueError if both are given and differ."""
    known = model.head.classes if model.head.link == loss.link else None
    if declared is None:
        return known
    classes = declared_classes(declared, loss, model.n_out)
    if known is not None and known.tolist() != classes.tolist():
        raise ValueError(
            f"classes has {describe_classes(classes)}, but the model was trained on {describe_classes(known)}: start "
            "anew with model.reset()"
        )
    return classes if known is None else known


def _split(
    settings: TrainSettings, Y: Array, output_spec: OutputSpec, validation: Any, group: Group
) -> tuple[Ints, Ints | None]:
    """Indices of the training rows, and of the rows that are held out for validation, None if none are."""
    if validation is None or isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        return np.arange(len(Y)), None
    if isinstance(validation, Real) and not isinstance(validation, bool):
        return split_shards(len(Y), float(validation), settings.seed, group)
    if isinstance(validation, Split):
        refuse_for_shards(group, validation=validation)
        return validation.rows(Y, output_spec, settings.seed)
    raise TypeError(
        "validation must be a fraction in (0, 1), a Split, a pair (X, y), (X, y, sample_weight) or None, not "
        f"{type(validation).__name__}"
    )


def _training_weight(
    weight: Floats | None, class_weight: Any, targets: Targets, rows: Ints, dtype: np.dtype[Any], group: Group
) -> Array | None:
    """Weights of rows times those of their classes, (n,) in the model's dtype."""
    factors = [] if weight is None else [weight.astype(dtype)]
    if class_weight is not None:
        factors.append(sample_weights.row_weights_from_classes(class_weight, targets, rows, group).astype(dtype))
    if not factors:
        return None
    product = factors[0] if len(factors) == 1 else factors[0] * factors[1]
    if group.size == 1:
        product = sample_weights.normalized(product.astype(np.float64)).astype(dtype)
    if not product[rows].any():
        raise ValueError(
            "the weight of every training row, sample_weight times class_weight, is zero: there is nothing to train on"
        )
    return product


def rows_at_once(settings: TrainSettings, rows: int, group: Group | None = None) -> tuple[int, int]:
    """Rows that pass through the network at once, and rows of a step, for this many training rows of this process."""
    batch_size = None if settings.batch_size is None else settings.batch_size // (group or Group()).size
    micro_batch = _micro_batch(batch_size, rows)
    return micro_batch, min(micro_batch * settings.accumulate, rows)


def _micro_batch(size: int | None, rows: int) -> int:
    """At most `size` of the training rows, with a warning if fewer than the user asked for."""
    if size is None or size <= rows:
        return size or rows
    if size != DEFAULT_BATCH_SIZE:
        warn_user(f"batch_size={size} is more than the {rows} training rows: each step uses all of them")
    return rows
