"""What every loss is: a number for each row of outputs and targets."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .._common.checks import in_interval
from .._common.registry import Definition
from .._common.typing import Array

REAL = "(-inf, inf)"


class LossNotFinite(FloatingPointError):
    """The mean loss of a training step is inf or NaN.

    Attributes
    ----------
    step : int
        Index of the step in the call of `train` that raised it; its update was not done.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"the loss of step {self.step} of this call is not finite; lower the learning rate or scale X"


class Loss(Definition):
    """A number for each row of outputs and targets; training makes its mean over the rows small.

    Attributes
    ----------
    target : {"labels", "rows", "any"}
        "labels": Y (B, 1) holds class numbers 0 ... n_out - 1; "rows": Y (B, n_out) holds a number for each output;
        "any": Y (B,) or (B, k) are the user's numbers.
    interval : str
        Where the numbers of "rows" must lie, as mathematics writes it: "[0, inf)".
    link : {"identity", "log", "softmax", "sigmoid", "sign"}
        How outputs become predictions: see `fastgd.head.OutputSpec`.
    metric : {"r2", "accuracy"} or None
        What validation measures beside the loss if nothing else is asked for.
    kernels : tuple of str
        Rows of the table in C that compute it, one or another by its settings.
    """

    target: ClassVar[Literal["labels", "rows", "any"]] = "rows"
    interval: ClassVar[str] = REAL
    link: ClassVar[Literal["identity", "log", "softmax", "sigmoid", "sign"]] = "identity"
    metric: ClassVar[Literal["r2", "accuracy"] | None] = "r2"
    c_names: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def rows(self, Z: Array, Y: NDArray[Any]) -> Array:
        """The loss of each row, shape (B,), dtype of Z."""

    @abstractmethod
    def gradient(self, Z: Array, Y: NDArray[Any]) -> Array:
        """d rows[i] / d Z[i, j], shape (B, n_out), dtype of Z."""

    @property
    def c_name(self) -> str:
        """The row of the table in C that computes it."""
        return self.name

    def outputs_per_target(self, n_out: int) -> int:
        """Outputs, of n_out, that belong to one and the same target; ValueError if so many cannot be."""
        return 1


def set_fields(loss: Loss, **settings: Any) -> None:
    """Give a frozen loss its settings after their checks; for `__post_init__`."""
    for name, value in settings.items():
        object.__setattr__(loss, name, value)


def check_scalars(name: str, value: Any, interval: str) -> tuple[float, ...]:
    """One number or several, all in an interval, as a tuple: for settings with a number for each output.

    Raises TypeError for what is no number or sequence of numbers, ValueError for an empty one or a number outside.
    """
    try:
        values = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number in {interval} or a sequence of such, not {value!r}") from None
    if values.ndim > 1 or not values.size or not in_interval(values, interval).all():
        raise ValueError(f"{name} must be a number in {interval} or a sequence of such, not {value!r}")
    return tuple(values.reshape(-1).tolist())


def for_each(numbers: float | tuple[float, ...] | None, n_out: int, dtype: Any) -> Array:
    """Numbers taken in turn by n_out outputs, (n_out,)."""
    return np.resize(np.array(numbers, dtype), n_out)


def check_count(name: str, numbers: float | tuple[float, ...], n_out: int) -> None:
    """Raise ValueError unless there is one number for all outputs, or one for each."""
    if np.size(numbers) not in (1, n_out):
        raise ValueError(
            f"{name} has {np.size(numbers)} numbers, but the model has {n_out} outputs: give one for each, or one for "
            "all"
        )
