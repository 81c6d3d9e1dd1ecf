"""Losses of the user's own: functions of a batch, called from Python between the engine's verbs.

`train` and `measure` do what the engine's verbs of these names do, for every loss: one of `LOSSES` goes to the engine
as it is, a `Custom` through the loop here, on the same rows in the same order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from .base import Loss, set_fields

if TYPE_CHECKING:
    pass

_CALL = "a loss of your own is called as f(Z, Y) or f(Z, Y, weight)"


@dataclass(eq=False, repr=False)
class Custom(Loss):
    """A function (Z, Y) -> (loss, dZ) of the user's own: `Trainer(model, loss=f)` wraps f in it.

    Z (B, n_out) are the model's outputs for a batch, in its dtype; Y (B,) or (B, k) the targets as they were given to
    `fit`, numbers of any kind (NaN included: it may stand for what is not known). What f returns is `loss`, one number:
    the mean over the batch, and dZ (B, n_out), its derivative by Z. f may call NumPy, JAX or anything else, and look
    at all rows of the batch at once. It must not run the model that is being trained forward or backward.

    With a third argument it gets `weight` (B,), the rows' weights (1 without any), and `loss` is
    sum weight * row's loss / sum weight; without one, weights are refused. Batches of weight 0 are not shown to it.

    Parameters
    ----------
    function : callable
        (Z, Y) -> (loss, dZ), or (Z, Y, weight) -> (loss, dZ).

    Examples
    --------
    >>> def mse(Z, Y):
    ...     d = Z - Y.reshape(Z.shape)
    ...     return (d**2).mean(), 2 * d / d.size
    """

    name = "custom"
    target = "any"
    metric = None

    function: Callable[..., Any]
    takes_weight: bool = field(init=False)

    def __post_init__(self) -> None:
        set_fields(self, takes_weight=_takes_weight(self.function))

    @property
    def parameters(self) -> tuple[float, ...]:
        return ()

    def batch(self, Z: Array, Y: NDArray[Any], weight: Array | None = None) -> tuple[float, Array]:
        """The checked answer of the function: the mean loss, and dZ as an engine reads it."""
        arguments = [Z, Y]
        if self.takes_weight:
            arguments.append(np.ones(len(Z), Z.dtype) if weight is None else weight)
        answer = self.function(*arguments)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise TypeError(f"a loss of your own must return (loss, dZ), not {type(answer).__name__}")
        return _number(answer[0]), _derivative(answer[1], Z)

    def rows(self, Z: Array, Y: NDArray[Any]) -> Array:
        """The mean loss, for each row."""
        return np.full(len(Z), self.batch(Z, Y)[0], Z.dtype)

    def gradient(self, Z: Array, Y: NDArray[Any]) -> Array:
        """B dZ"""
        dZ: Array = self.batch(Z, Y)[1] * len(Z)
        return dZ


def _takes_weight(function: Callable[..., Any]) -> bool:
    """Whether it has a third argument for weights: one without a default, or called weight or sample_weight."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not say
        return False
    ordered = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    third = ordered[2] if len(ordered) > 2 else None
    takes = third is not None and (third.default is third.empty or third.name in ("weight", "sample_weight"))
    try:
        signature.bind(*([None] * (3 if takes else 2)))
    except TypeError as problem:
        raise TypeError(f"{_CALL}, but {function!r} takes {signature}: {problem}") from None
    return takes


def _number(loss: Any) -> float:
    value = np.asarray(loss)
    if value.shape not in ((), (1,)):
        raise ValueError(
            f"a loss of your own must return one number, the mean over the batch, not shape {value.shape}: take .mean()"
        )
    if value.dtype.kind not in "fiub":
        raise TypeError(f"a loss of your own must return a real number, not {loss!r}")
    return float(value.reshape(()))


def _derivative(dZ: Any, Z: Array) -> Array:
    slope = np.asarray(dZ)
    if slope.shape != Z.shape:
        raise ValueError(
            f"dZ of a loss of your own must have the shape of Z, (B, n_out) = {Z.shape}, not {slope.shape}"
        )
    if slope.dtype.kind not in "fiub":
        raise TypeError(f"dZ of a loss of your own must hold real numbers, not dtype {slope.dtype}")
    with np.errstate(over="ignore"):
        slope = np.ascontiguousarray(slope, Z.dtype)
    finite = np.isfinite(slope)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"dZ of a loss of your own must be finite, but has {slope[row, column]} in row {row} of the batch, column "
            f"{column} (counted from 0), where Z is {Z[row, column]:g}"
        )
    return slope
