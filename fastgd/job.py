"""What one `fit` works with: the user's data, checked and as the engine reads them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import data
from .arrays import Array, as_rows, check_finite
from .head import Head
from .losses import Loss
from .metrics import Metric
from .model import Sequential
from .splits import Split
from .validation import Validation


class Settings(Protocol):
    """What the checks need of a trainer."""

    model: Sequential
    loss: Loss
    batch_size: int | None
    seed: int
    n_threads: int | None

    @property
    def metrics(self) -> Sequence[Metric] | None: ...


@dataclass(frozen=True, eq=False)
class Job:
    """Checked data.

    Attributes
    ----------
    X, Y : ndarray (n, n_in), (n, n_out) or (n, 1)
        The whole data.
    weight : ndarray (n,) of the model's dtype, or None
    rows : (rows,) int64
        Numbers of the training rows.
    batch : int in [1, rows]
    loss : Loss
        The one that reads Y.
    head : Head
        What the outputs will mean.
    validation : Validation or None
    """

    X: Array
    Y: Array
    weight: Array | None
    rows: NDArray[np.int64]
    batch: int
    loss: Loss
    head: Head
    validation: Validation | None

    @property
    def columns(self) -> tuple[str, ...]:
        """What the history gets for each epoch."""
        measured = () if self.validation is None else self.validation.columns
        return ("epoch", "loss", *measured, "lr", "seconds")


def prepare(settings: Settings, X: Any, y: Any, validation: Any, sample_weight: Any) -> Job:
    """Find whatever is wrong with the arguments of `Trainer.fit`; nothing is changed by it."""
    model, loss = settings.model, settings.loss
    model.network_for(loss.link)  # raises if the last activation does not fit
    X = as_rows(X, model.n_in)
    check_finite(X, "X")
    known = model.head.classes if model.head.link == loss.link else None
    targets = data.targets(y, loss, model.n_out, known)
    data.check_same_rows(X, targets.Y)
    weight = None if sample_weight is None else data.weights(sample_weight, len(X), model.dtype)
    head = Head(loss.link, targets.classes, targets.flat)
    rows, check = _split(settings, X, targets, weight, validation, head)
    if weight is not None and not weight[rows].any():
        raise ValueError("sample_weight is zero for every training row; the other rows went into validation")
    return Job(X, targets.Y, weight, rows, _batch(settings.batch_size, len(rows)), targets.loss, head, check)


def _split(
    settings: Settings, X: Array, targets: data.Targets, weight: Array | None, validation: Any, head: Head
) -> tuple[NDArray[np.int64], Validation | None]:
    """Numbers of the training rows, and what measures other rows."""
    if validation is None:
        if settings.metrics:
            raise ValueError("metrics are measured on validation rows: pass validation=0.2 or validation=(X, y) to fit")
        return np.arange(len(X)), None
    options: dict[str, Any] = {"n_threads": settings.n_threads or 0, "judges": settings.metrics, "head": head}
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        other, answers = _other_rows(settings, validation[0], validation[1], targets.classes)
        return np.arange(len(X)), Validation(settings.model, answers.loss, other, answers.Y, **options)
    if isinstance(validation, Real) and not isinstance(validation, bool):
        training, rest = data.split(len(X), float(validation), settings.seed)
    elif isinstance(validation, Split):
        training, rest = validation.rows(targets.Y, head, settings.seed)
    else:
        kind = type(validation).__name__
        raise TypeError(f"validation must be a fraction in (0, 1), a Split, a pair (X, y) or None, not {kind}")
    return training, Validation(settings.model, targets.loss, X, targets.Y, weight, rest, **options)


def _other_rows(settings: Settings, X: Any, y: Any, classes: Array | None) -> tuple[Array, data.Targets]:
    """The user's own validation rows, checked as the training rows are."""
    model = settings.model
    X = as_rows(X, model.n_in, "validation X")
    check_finite(X, "validation X")
    targets = data.targets(y, settings.loss, model.n_out, classes, "validation y")
    data.check_same_rows(X, targets.Y, "validation X", "validation y")
    return X, targets


def _batch(size: int | None, rows: int) -> int:
    if size is None or size <= rows:
        return size or rows
    warnings.warn(f"batch_size={size} is more than the {rows} training rows: each step uses them all", stacklevel=4)
    return rows
