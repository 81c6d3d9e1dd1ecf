"""Which parts of the data a training standardizes; the scaling itself is `data.scaling.Scaling`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.typing import Array
from ..data.scaling import Scaling
from ..losses import Loss
from ..losses.arguments import REAL
from ..losses.link import REGRESSION_LINKS
from ..models.sequential import Sequential

_CHOICES = (False, True, "X", "y")


def check_standardize(standardize: Any) -> bool | str:
    """Return the argument `standardize` of `Trainer`; ValueError if it is none of its values."""
    if not isinstance(standardize, (bool, str)) or standardize not in _CHOICES:
        raise ValueError(f'standardize must be True, False, "X" or "y", not {standardize!r}')
    return standardize


def takes_standardized(loss: Loss) -> bool:
    """Whether the targets of a loss may be standardized: those of any real value."""
    return loss.link == "identity" and loss.target == "rows" and loss.interval == REAL


def what_to_scale(standardize: bool | str, model: Sequential, loss: Loss) -> tuple[bool, bool]:
    """Whether to standardize X and y: on request, and where an earlier training of the model did.

    Raises
    ------
    ValueError
        The loss or the last activation cannot take standardized targets, or the model was trained without.
    """
    takes_y = takes_standardized(loss)
    has_X, has_y = model.inputs.scaling is not None, model.head.scaling is not None
    wants_X = has_X or standardize in (True, "X")
    wants_y = has_y or standardize == "y" or (standardize is True and takes_y)
    if wants_y and not takes_y and (standardize == "y" or loss.link in REGRESSION_LINKS):
        remedy = "train model.fold_standardization() instead" if has_y else 'standardize="X" scales X alone'
        raise ValueError(f"targets of the loss {loss.name!r} cannot be standardized: {remedy}")
    wants_y = wants_y and takes_y
    last = model.layers[-1].activation.name
    if wants_y and last != "identity":
        raise ValueError(
            f"a last layer with the activation {last!r} cannot predict standardized targets: end the model in "
            '"identity", or use standardize="X"'
        )
    if model.inputs.fitted and (wants_X and not has_X or wants_y and not has_y):
        raise ValueError(
            f"the model was trained without standardize={standardize!r}, which would change the meaning of its theta: "
            "call model.reset() first, or use standardize=False"
        )
    return wants_X, wants_y


def check_scaled(values: Array, scaling: Scaling | None, dtype: np.dtype[Any], name: str) -> None:
    """Raise ValueError if `dtype` cannot hold a value once it is standardized; None: nothing is."""
    if scaling is None:
        return
    extremes = np.stack([values.min(axis=0), values.max(axis=0)])
    with np.errstate(over="ignore"):
        scaled = ((extremes.astype(np.float64) - scaling.mean) / scaling.std).astype(dtype)
    if not np.isfinite(scaled).all():
        row, column = np.argwhere(~np.isfinite(scaled))[0]
        raise ValueError(
            f"{name} has {extremes[row, column]:g} in column {column} (counted from 0), which is too far from the mean "
            f"{scaling.mean[column]:g} of the training rows for {dtype}"
        )
