"""The base class of losses, and helpers for their parameters."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_float32, check_sequence
from .._common.explain import ExplainsAttributes
from .._common.registry import Definition
from .._common.typing import Array
from .arguments import REAL, as_outputs, as_targets


class LossNotFinite(FloatingPointError):
    """The mean loss of a training step is inf or NaN.

    Attributes
    ----------
    step : int
        Index of the step within the call of `train` that raised it; its update was not done.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"the loss of step {self.step} of this call is not finite; lower the learning rate or scale X"


class Loss(Definition, ExplainsAttributes):
    """A loss for each row of outputs and targets; training minimizes its mean over the rows.

    Attributes
    ----------
    target : {"labels", "rows", "any"}
        "labels": Y (B, 1) holds class numbers 0 ... n_out - 1; "rows": Y (B, n_out) holds a value for each output;
        "any": Y (B,) or (B, k) holds whatever the user passed.
    interval : str
        Interval of the values of "rows", in mathematical notation: "[0, inf)".
    link : {"identity", "log", "softmax", "sigmoid", "sign"}
        How outputs become predictions; see `fastgd.data.outputs.OutputSpec`.
    metric : {"r2", "accuracy"} or None
        The metric that validation reports along with the loss by default.
    c_names : tuple of str
        Entries of the C table that compute this loss, depending on its parameters; empty: the one named `name`.
    """

    target: ClassVar[Literal["labels", "rows", "any"]] = "rows"
    interval: ClassVar[str] = REAL
    link: ClassVar[Literal["identity", "log", "softmax", "sigmoid", "sign"]] = "identity"
    metric: ClassVar[Literal["r2", "accuracy"] | None] = "r2"
    c_names: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def row_losses(self, Z: Array, Y: NDArray[Any]) -> Array:
        """What `per_row` returns, without its checks: the definition, which the NumPy engine calls."""

    @abstractmethod
    def row_gradients(self, Z: Array, Y: NDArray[Any]) -> Array:
        """What `gradient` returns, without its checks: the definition, which the NumPy engine calls."""

    def per_row(self, Z: Any, Y: Any) -> Array:
        """The loss of each row, (B,), in the dtype of Z.

        Parameters
        ----------
        Z : array (B, n_out)
            Outputs, float32 or float64; other numbers become float64.
        Y : array
            Class indices (B,) or (B, 1), or values (B, n_out), as `target` says; (B,) for a single output.

        Raises
        ------
        TypeError, ValueError
            Shapes do not fit, a class index is outside 0 ... n_out - 1, or a value is outside `interval`.
        """
        Z = as_outputs(Z)
        return self.row_losses(Z, as_targets(self, Y, Z))

    def gradient(self, Z: Any, Y: Any) -> Array:
        """d per_row(Z, Y)[i] / d Z[i, j], (B, n_out), in the dtype of Z; arguments and errors as in `per_row`."""
        Z = as_outputs(Z)
        return self.row_gradients(Z, as_targets(self, Y, Z))

    def ignored(self, Y: Array) -> NDArray[np.bool_] | None:
        """Which rows of the class indices Y (B, 1) have no influence, (B,); None if no label means that."""
        return None

    def value_and_gradient(
        self, Z: Any, Y: Any, sample_weight: Any = None, out: Array | None = None
    ) -> tuple[float, Array]:
        """The mean loss of a batch and dL/dZ, for custom training loops; computed by the engine in use.

        It has the bits of the same step in `Trainer.fit`.

        Parameters
        ----------
        Z : array (B, n_out)
            Outputs: logits, where the loss applies a link. float32 or float64, which is also the dtype of the results.
        Y : array (B,) or (B, 1) of integers, or (B, n_out)
            Class indices 0 ... n_out - 1 or a value for each output, as `target` says; (B,) is enough for one output.
        sample_weight : array (B,), default=None
            Weights >= 0 of the rows; the mean is sum weight * loss / sum weight, and 0 if all weights are.
        out : ndarray (B, n_out) of the dtype of Z, default=None
            Receives the derivative, and is returned. It must not share memory with another argument.

        Returns
        -------
        value : float
        dZ : ndarray (B, n_out)

        Raises
        ------
        TypeError, ValueError
            An argument does not fit the loss or another argument.
        FloatingPointError
            The mean loss is inf or NaN.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd as gd
        >>> gd.losses.get("mse").value_and_gradient(np.array([[1.0], [3.0]]), [1.0, 1.0])
        (2.0, array([[0.],
               [2.]]))
        """
        engine = _engine()
        try:
            is_plain = sample_weight is None or type(sample_weight) is np.ndarray
            if is_plain and type(Z) is np.ndarray and type(Y) is np.ndarray:
                dZ = np.empty(Z.shape, Z.dtype) if out is None else out
                return engine.losses.mean(self, Z, Y, sample_weight, dZ), dZ
        except (TypeError, ValueError, FloatingPointError):
            pass  # the engine cannot read them as they are: convert them, or raise the precise error, below
        value_and_gradient: tuple[float, Array] = engine.loss_of_batch(self, Z, Y, sample_weight, out)
        return value_and_gradient

    def rows(self, Z: Array, Y: NDArray[Any]) -> Array:
        """Deprecated name of `per_row`."""
        import warnings

        warnings.warn("Loss.rows is deprecated: use Loss.per_row", DeprecationWarning, stacklevel=2)
        return self.per_row(Z, Y)

    @property
    def c_name(self) -> str:
        """The entry of the C table that computes this loss."""
        return self.name

    def outputs_per_target(self, n_out: int) -> int:
        """The number of outputs, out of n_out, that predict one target; ValueError if the loss cannot have n_out."""
        return 1


_backend: Any = None


def _engine() -> Any:
    """The engine in use, a `fastgd.backend.Engine`; engines are above this room, hence the import on use."""
    global _backend
    if _backend is None:
        from .. import backend

        _backend = backend
    return _backend.choose()


def check_scalars(name: str, value: Any, interval: str) -> tuple[float, ...]:
    """Return one number or several, all in `interval`, as a tuple; for parameters with a value for each output.

    Raises
    ------
    TypeError, ValueError
        As `check_float32` and `check_sequence`.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Real):
        return (check_float32(name, value, interval),)
    return check_sequence(name, value, interval, check_float32)


def cycle_over_outputs(values: float | tuple[float, ...] | None, n_out: int, dtype: Any) -> Array:
    """The values repeated cyclically to one for each output, (n_out,)."""
    return np.resize(np.array(values, dtype), n_out)


def check_length(name: str, values: float | tuple[float, ...], n_out: int) -> None:
    """Raise ValueError unless there is one value for all outputs, or one for each."""
    if np.size(values) not in (1, n_out):
        raise ValueError(
            f"{name} has {np.size(values)} values, but the model has {n_out} outputs: give one for each, or one for all"
        )


def smooth_answers(Y: Array, label_smoothing: float) -> Array:
    """Targets in [0, 1] of binary losses, with label smoothing e: (1 - e) y + e / 2."""
    smoothed: Array = (1 - label_smoothing) * Y + label_smoothing / 2
    return smoothed
