"""Losses. These NumPy definitions, in float64, are the reference for the C core.

A loss compares the outputs Z of the model (after the activation of the last layer), (B, n_out), with the targets Y.
To add one, write a class in `regression.py`, `multiclass.py`, `binary.py` or `focal.py`, list it in `LOSSES`, and add
its entry to `csrc/tables/losses.h`. Parameters are fields of a dataclass; the C core gets them as `params`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._common.registry import registry, resolve
from .base import Loss, LossNotFinite
from .binary import BCE, Hinge, SquaredHinge
from .custom import Custom
from .focal import BinaryFocal, Focal
from .multiclass import CrossEntropy, KLDiv, SoftCrossEntropy
from .regression import MAE, MSE, Gamma, Huber, LogCosh, Poisson, Quantile

__all__ = [
    "BCE",
    "LOSSES",
    "MAE",
    "MSE",
    "BinaryFocal",
    "CrossEntropy",
    "Custom",
    "Focal",
    "Gamma",
    "Hinge",
    "Huber",
    "KLDiv",
    "LogCosh",
    "Loss",
    "LossNotFinite",
    "Poisson",
    "Quantile",
    "SoftCrossEntropy",
    "SquaredHinge",
    "get",
]

LOSSES: dict[str, type[Loss]] = registry(
    *(MSE, MAE, Huber, LogCosh, Quantile, Poisson, Gamma),
    *(CrossEntropy, SoftCrossEntropy, KLDiv, Focal),
    *(BCE, BinaryFocal, Hinge, SquaredHinge),
)
# Names that scikit-learn, Keras and PyTorch use, with their defaults.
_ALIASES: dict[str, str | Loss] = {
    "mean_squared_error": "mse",
    "squared_error": "mse",
    "l2": "mse",
    "mean_absolute_error": "mae",
    "absolute_error": "mae",
    "l1": "mae",
    "smooth_l1": "huber",
    "logcosh": "log_cosh",
    "pinball": "quantile",
    "poisson_nll": "poisson",
    "log_loss": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "categorical_focal_crossentropy": Focal(alpha=0.25),
    "kl_divergence": "kl_div",
    "kullback_leibler_divergence": "kl_div",
    "binary_cross_entropy": "bce",
    "binary_crossentropy": "bce",
    "bce_with_logits": "bce",
    "sigmoid_focal": BinaryFocal(alpha=0.25),
    "binary_focal_crossentropy": "binary_focal",
}


def get(loss: str | Loss | Callable[..., Any]) -> Loss:
    """Return the loss of this name, the object itself, or `Custom` for a function (Z, Y) -> (loss, dZ).

    Raises
    ------
    ValueError
        The name is unknown; the message lists the names.
    TypeError
        `loss` is neither a name, nor a `Loss`, nor a function of two or three arguments.

    Examples
    --------
    >>> from fastgd import losses
    >>> losses.get("huber")
    Huber()
    """
    if callable(loss) and not isinstance(loss, type):
        return Custom(loss)
    return resolve("loss", loss, Loss, LOSSES, _ALIASES)  # type: ignore[type-abstract]


def __dir__() -> list[str]:
    return __all__
