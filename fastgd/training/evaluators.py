"""Evaluators: which rows are measured by `fit` after each epoch, and by `evaluate`."""

from typing import Any

from .._common.typing import Array, Floats, Ints
from ..data import sample_weights
from ..data.inputs import InputSpec
from ..data.outputs import OutputSpec
from ..data.sources import as_source
from ..data.targets import Targets, check_same_rows, read_targets
from ..losses import Loss
from ..losses.custom import Custom
from ..models.sequential import Sequential
from ..parallel import Group
from .evaluation import Evaluator
from .source_evaluation import SourceRows, refuse_targets, targets_of
from .standardization import check_scaled, what_to_scale
from .state import TrainSettings


def evaluator_of_rows(
    settings: TrainSettings,
    model: Sequential,
    X: Array,
    targets: Targets,
    weight: Floats | None,
    rows: Ints | None,
    input_spec: InputSpec,
    output_spec: OutputSpec,
    group: Group | None = None,
) -> Evaluator:
    """The evaluator of some rows, None: all."""
    kind = "row" if rows is None else "validation row"
    rows = targets.labelled(rows, kind)
    if weight is not None and not weight[slice(None) if rows is None else rows].any():
        raise ValueError(f"sample_weight is zero for every {kind}: nothing is left to measure")
    weight = None if weight is None else weight.astype(model.dtype)
    options = settings.threads, settings.metrics, output_spec, input_spec, settings.precision
    return Evaluator(model, targets.loss, X, targets.Y, weight, rows, *options, group)


def evaluator_of_pair(
    settings: TrainSettings,
    model: Sequential,
    validation: tuple[Any, ...],
    input_spec: InputSpec,
    output_spec: OutputSpec,
    group: Group,
) -> Evaluator:
    """The evaluator of validation=(X, y) or (X, y, sample_weight)."""
    specs: dict[str, Any] = {"input_spec": input_spec, "output_spec": output_spec}
    X, targets, weight = _other_rows(settings, model, *validation, **specs, prefix="validation ")
    return evaluator_of_rows(settings, model, X, targets, weight, None, **specs, group=group)


def _other_rows(
    settings: TrainSettings,
    model: Sequential,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    input_spec: InputSpec,
    output_spec: OutputSpec,
    prefix: str,
) -> tuple[Array, Targets, Floats | None]:
    """Rows that are not trained on and their weights, checked like training rows; messages name them with `prefix`.

    The values must fit the model's dtype once they are standardized, if they are.
    """
    if not isinstance(X, SourceRows):
        X = input_spec.rows(X, model.n_in, prefix + "X", input_spec.dtype_of_rows(model.dtype))
        check_scaled(X, input_spec.scaling, model.dtype, prefix + "X")
    dtype = None if output_spec.scaling else model.dtype
    targets = read_targets(y, settings.loss, model.n_out, output_spec.classes, prefix + "y", dtype)
    check_scaled(targets.Y, output_spec.scaling, model.dtype, prefix + "y")
    check_same_rows(X, targets.Y, prefix + "X", prefix + "y")
    return X, targets, read_weight(settings.loss, sample_weight, len(X), prefix)


def prepare_evaluation(settings: TrainSettings, model: Sequential, X: Any, y: Any, sample_weight: Any) -> Evaluator:
    """Check the arguments of `Trainer.evaluate`; TypeError or ValueError if they do not fit."""
    loss, source = settings.loss, as_source(X)
    if source is not None:
        refuse_targets(y=y, sample_weight=sample_weight)
        (y, sample_weight), X = targets_of(source), SourceRows(source, model, model.inputs)
    elif y is None:
        raise TypeError(
            f"evaluate needs y, the targets of the rows of X, unless X is a Source; X is of type {type(X).__name__}"
        )
    model.network_for(loss.link, settings.precision)  # raises if the last activation does not fit
    what_to_scale(False, model, loss)  # raises if the loss cannot measure standardized targets
    is_trained = model.head.link == loss.link
    spec = model.head if is_trained else OutputSpec(loss.link)
    X, targets, weight = _other_rows(
        settings, model, X, y, sample_weight, input_spec=model.inputs, output_spec=spec, prefix=""
    )
    spec = spec if is_trained else OutputSpec(loss.link, targets.classes, targets.squeeze)
    return evaluator_of_rows(settings, model, X, targets, weight, None, model.inputs, spec)


def read_weight(loss: Loss, sample_weight: Any, n: int, prefix: str = "", group: Group | None = None) -> Floats | None:
    """Checked `sample_weight` of all rows, or of those of one rank of a group; ValueError if the loss takes none."""
    _check_takes_weight(loss, sample_weight)
    if sample_weight is None:
        return None
    is_part = group is not None and group.size > 1
    check = sample_weights.block_weights if is_part else sample_weights.row_weights
    return check(sample_weight, n, prefix + "sample_weight")


def _check_takes_weight(loss: Loss, sample_weight: Any) -> None:
    if sample_weight is not None and isinstance(loss, Custom) and not loss.takes_weight:
        raise ValueError(
            "sample_weight needs a loss that takes weights: give your function a third argument, (Z, Y, weight), and "
            "return sum weight * row's loss / sum weight, and its derivative"
        )
