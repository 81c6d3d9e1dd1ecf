"""Custom losses: functions of a batch, called from Python between the engine's forward and backward passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.registry import set_fields
from .._common.typing import Array
from .base import Loss

_CALL = "a custom loss is called as f(Z, Y) or f(Z, Y, weight)"


@dataclass(eq=False, repr=False)
class Custom(Loss):
    """A user-defined function (Z, Y) -> (loss, dZ); `Trainer(model, loss=f)` wraps f in it.

    Z (B, n_out) holds the model's outputs for a batch, in its dtype; Y (B,) or (B, k) the targets as passed to `fit`,
    numbers of any kind (NaN included: it may mark unknown targets). The function returns `loss`, one number: the
    mean over the batch, and dZ (B, n_out), its derivative with respect to Z. It may call NumPy, JAX or anything else,
    and see all rows of the batch at once. It must not run the model that is being trained forward or backward.

    With a third parameter it also gets `weight` (B,), the weights of the rows (1 if there are none), and `loss` is
    sum(weight * loss of the row) / sum(weight); without one, weights are an error. Batches of total weight 0 are
    skipped.

    Parameters
    ----------
    function : callable
        (Z, Y) -> (loss, dZ), or (Z, Y, weight) -> (loss, dZ).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.losses import Custom
    >>> def mse(Z, Y):
    ...     d = Z - Y.reshape(Z.shape)
    ...     return (d**2).mean(), 2 * d / d.size
    >>> Custom(mse).batch(np.array([[1.0], [3.0]]), np.array([1.0, 1.0]))
    (2.0, array([[0.],
           [2.]]))
    """

    name = "custom"
    target = "any"
    metric = None

    function: Callable[..., Any]
    takes_weight: bool = field(init=False)

    def __post_init__(self) -> None:
        set_fields(self, takes_weight=_takes_weight(self.function))

    @property
    def params(self) -> tuple[float, ...]:
        return ()

    def batch(self, Z: Array, Y: NDArray[Any], weight: Array | None = None) -> tuple[float, Array]:
        """The checked result of the function: the mean loss, and dZ as an engine reads it."""
        arguments = [Z, Y]
        if self.takes_weight:
            arguments.append(np.ones(len(Z), Z.dtype) if weight is None else weight)
        result = self.function(*arguments)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"a custom loss must return (loss, dZ), not {type(result).__name__}")
        return _check_loss(result[0]), _check_derivative(result[1], Z)

    def value_and_gradient(
        self, Z: Any, Y: Any, sample_weight: Any = None, out: Array | None = None
    ) -> tuple[float, Array]:
        """The checked result of the function, as for a built-in loss; 0 for a batch of total weight 0."""
        Z = np.asarray(Z)
        value, dZ = (0.0, np.zeros_like(Z)) if _has_no_weight(sample_weight) else self.batch(Z, Y, sample_weight)
        if out is None:
            return value, dZ
        np.copyto(out, dZ)
        return value, out

    def row_losses(self, Z: Array, Y: NDArray[Any]) -> Array:
        """The mean loss, repeated for each row."""
        return np.full(len(Z), self.batch(Z, Y)[0], Z.dtype)

    def row_gradients(self, Z: Array, Y: NDArray[Any]) -> Array:
        """The derivative of the sum over the batch, B dZ."""
        dZ: Array = self.batch(Z, Y)[1] * len(Z)
        return dZ


def _has_no_weight(sample_weight: Any) -> bool:
    return sample_weight is not None and not np.any(sample_weight)


def _takes_weight(function: Callable[..., Any]) -> bool:
    """Whether it has a third parameter for weights: one without a default, or named weight or sample_weight."""
    import inspect  # on use: most trainings have a built-in loss

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return False
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    third = positional[2] if len(positional) > 2 else None
    takes = third is not None and (third.default is third.empty or third.name in ("weight", "sample_weight"))
    try:
        signature.bind(*([None] * (3 if takes else 2)))
    except TypeError as problem:
        raise TypeError(f"{_CALL}, but {function!r} takes {signature}: {problem}") from None
    return takes


def all_finite(array: Array) -> bool:
    """Whether all elements are finite: the sum of their squares is, in most cases."""
    return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())


def _check_loss(loss: Any) -> float:
    if isinstance(loss, float):  # np.float64 is one, too
        return float(loss)
    value = np.asarray(loss)
    if value.shape not in ((), (1,)):
        raise ValueError(
            f"a custom loss must return one number, the mean over the batch, not shape {value.shape}: take .mean()"
        )
    if value.dtype.kind not in "fiub":
        raise TypeError(f"a custom loss must return a real number, not {loss!r}")
    return float(value.reshape(()))


def _check_derivative(dZ: Any, Z: Array) -> Array:
    is_plain = type(dZ) is np.ndarray and dZ.dtype == Z.dtype and dZ.shape == Z.shape and dZ.flags.c_contiguous
    if is_plain and all_finite(dZ):
        return dZ  # type: ignore[no-any-return]
    dZ = np.asarray(dZ)
    if dZ.shape != Z.shape:
        raise ValueError(f"dZ of a custom loss must have the shape of Z, (B, n_out) = {Z.shape}, not {dZ.shape}")
    if dZ.dtype.kind not in "fiub":
        raise TypeError(f"dZ of a custom loss must hold real numbers, not dtype {dZ.dtype}")
    with np.errstate(over="ignore"):
        dZ = np.ascontiguousarray(dZ, Z.dtype)
    finite = np.isfinite(dZ)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"dZ of a custom loss must be finite, but has {dZ[row, column]} in row {row} of the batch, column {column} "
            f"(counted from 0), where Z is {Z[row, column]:g}"
        )
    checked: Array = dZ
    return checked
