"""The data of a `fit` on a source, whose blocks are checked and converted as they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..data.augment import Augmentation, Function
from ..data.sources import Source, as_source
from ..models.sequential import Sequential
from ..parallel import Group
from . import fit_data
from .chunks import EpochBlock
from .evaluation import Evaluator
from .evaluators import evaluator_of_pair
from .fit_data import FitData, known_classes, rows_at_once
from .source_evaluation import refuse_targets
from .state import TrainSettings

if TYPE_CHECKING:
    from .stream import Stream, StreamedEpoch


@dataclass(frozen=True, eq=False)
class StreamData(FitData):
    """The data of a stream: X, Y and weight are those of the steps in progress, and of some rows before the first one.

    Attributes
    ----------
    stream : Stream
    """

    stream: Stream = field(kw_only=True)

    @property
    def n_rows(self) -> int:
        return self.stream.n_rows

    def plan(self, settings: TrainSettings, first: int, last: int) -> EpochBlock:
        return self.stream.plan(first, last)

    def at(self, block: EpochBlock, poll: Callable[[], None]) -> FitData:
        X, Y, weight = cast("StreamedEpoch", block).load(poll).rows
        return self if X is self.X else replace(self, X=X, Y=Y, weight=weight)

    def close(self) -> None:
        self.stream.close()


def prepare(
    settings: TrainSettings,
    model: Sequential,
    X: Any,
    y: Any,
    validation: Any,
    sample_weight: Any,
    class_weight: Any,
    augment: Function | None,
    classes: Any,
    group: Group,
) -> FitData:
    """Check the arguments of `Trainer.fit`, of which X may be a source; nothing is changed.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit the model, the settings or another argument.
    RuntimeError
        The source could not be read.
    """
    source = as_source(X)
    if isinstance(validation, Source):
        validation = validation.arrays()
    if source is None:
        if y is None:
            raise TypeError(
                f"fit needs y, the targets of the rows of X, unless X is a Source; X is of type {type(X).__name__}"
            )
        arguments = X, y, validation, sample_weight, class_weight, augment, classes
        return fit_data.prepare(settings, model, *arguments, group)
    given = {"y": y, "sample_weight": sample_weight}
    _check_arguments(settings, group, given, validation)
    return _prepare(settings, model, source, validation, class_weight, augment, classes, group)


def _check_arguments(settings: TrainSettings, group: Group, given: dict[str, Any], validation: Any) -> None:
    """Refuse what would need the rows of a source in memory, or twice."""
    refuse_targets(**given)
    if validation is not None and not isinstance(validation, (tuple, list)):
        raise ValueError(
            f"validation={validation!r} cannot hold out rows of a source: pass a pair (X, y) or another source, as in "
            "training, held_out = source.split(0.1)"
        )
    if settings.batch_size is None:
        raise ValueError("batch_size=None would need all rows of the source at once: give the trainer a batch_size")
    if settings.train_metrics:
        raise ValueError(
            "train_metrics=True would read the source a second time in each epoch: use train_metrics=False"
        )
    if not group.is_trivial:
        raise ValueError("a source cannot be divided into shards: use a trainer with shards=1, or arrays")


def _prepare(
    settings: TrainSettings,
    model: Sequential,
    source: Source,
    validation: Any,
    class_weight: Any,
    augment: Function | None,
    classes: Any,
    group: Group,
) -> StreamData:
    """The data of a fit on a source; the settings and the other arguments fit together."""
    from .block_reader import make_reader  # on use: the first fit on arrays must stay fast
    from .stream import Stream

    loss = settings.loss
    model.network_for(loss.link, settings.precision)  # raises if the last activation does not fit
    known = known_classes(model, loss, classes)
    reader, few = make_reader(settings, model, source, known, class_weight, scales_X=augment is None)
    evaluator: Evaluator | None = None
    if validation is not None:
        evaluator = evaluator_of_pair(settings, model, validation, reader.input_spec, reader.output_spec, group)
        evaluator.check()
    micro_batch, step_rows = rows_at_once(settings, len(source))
    scaling = reader.input_spec.scaling
    dtype = model.dtype if scaling is None else np.dtype(np.float64)
    return StreamData(
        X=few.X,
        Y=few.Y,
        weight=few.weight,
        rows=np.arange(len(few.X)),
        step_rows=step_rows,
        micro_batch=micro_batch,
        loss=reader.loss,
        input_spec=reader.input_spec,
        output_spec=reader.output_spec,
        dtype=model.dtype,
        validation=evaluator,
        augmentation=None if augment is None else Augmentation(augment, settings.seed, dtype),
        scales_late=augment is not None and scaling is not None,
        stream=Stream(source, reader.rows, few, step_rows, settings.seed, settings.shuffle),
    )
