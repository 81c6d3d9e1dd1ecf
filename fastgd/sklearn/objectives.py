"""What an estimator minimizes: a loss of fastgd, and how its scale differs from that of scikit-learn's.

scikit-learn halves squared errors, and sums gradients over the outputs where fastgd takes their mean.  A constant
factor on the gradient is the same as other settings of the optimizer (`solvers.py`), so the engine need not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses
from .._common.typing import Array, Floats
from ..losses import Loss
from ..losses.link import BINARY_LINKS, REGRESSION_LINKS

# scikit-learn's names of the functions that are applied to the outputs.
OUT_ACTIVATIONS = {
    "identity": "identity",
    "log": "exp",
    "softmax": "softmax",
    "sigmoid": "logistic",
    "sign": "identity",
}


@dataclass(frozen=True)
class Objective:
    """A loss of fastgd, with what turns its values and gradients into scikit-learn's.

    Attributes
    ----------
    loss : Loss
    n_outputs : int
        Number of outputs of the network.
    gradient_scale : float
        The gradient in scikit-learn's scale, divided by that of `loss`.
    scale, offset : float
        A value in scikit-learn's scale is scale * value + offset.
    """

    loss: Loss
    n_outputs: int
    gradient_scale: float = 1.0
    scale: float = 1.0
    offset: float = 0.0

    def reported(self, value: float) -> float:
        """A value of the loss as `loss_` and `loss_curve_` have it."""
        return self.scale * value + self.offset


def classification(loss: Any, n_labels: int, is_multilabel: bool) -> Objective:
    """The objective of a classifier.

    Parameters
    ----------
    loss : str or Loss
        "log_loss": the log-loss in scikit-learn's scale.
    n_labels : int
        Number of classes, or of labels if a row may have several.
    is_multilabel : bool

    Raises
    ------
    ValueError
        The loss is not one for such targets.
    """
    one_of_many = n_labels > 2 and not is_multilabel
    if isinstance(loss, str) and loss == "log_loss":
        if one_of_many:
            return Objective(losses.CrossEntropy(), n_labels)
        n_outputs = n_labels if is_multilabel else 1
        return Objective(losses.BCE(), n_outputs, gradient_scale=n_outputs, scale=n_outputs)
    chosen = losses.get(loss)
    if chosen.link in REGRESSION_LINKS:
        raise ValueError(f"the loss {chosen!r} is for regression: a classifier needs log_loss, focal, hinge ...")
    if chosen.link in BINARY_LINKS and one_of_many:
        raise ValueError(f"the loss {chosen!r} is for two classes, but y has {n_labels} classes: use cross_entropy")
    if chosen.link not in BINARY_LINKS and is_multilabel:
        raise ValueError(f"the loss {chosen!r} is for one class per row, but y has {n_labels} labels per row: use bce")
    is_single = chosen.link in BINARY_LINKS and not is_multilabel
    return Objective(chosen, 1 if is_single else max(2, n_labels))


def regression(loss: Any, y: Array, weight: Floats | None) -> Objective:
    """The objective of a regressor for targets y (n,) or (n, targets) with these weights.

    Parameters
    ----------
    loss : str, Loss or callable
        "squared_error" and "poisson": half the squared error and half the deviance, in scikit-learn's scale.

    Raises
    ------
    ValueError
        The loss is one for classes.
    """
    n = 1 if y.ndim == 1 else y.shape[1]
    if isinstance(loss, str) and loss == "squared_error":
        return Objective(losses.MSE(), n, gradient_scale=n / 2, scale=0.5)
    if isinstance(loss, str) and loss == "poisson":
        # The deviance of each row includes what depends on y alone: y log y - y, with 0 log 0 = 0.
        constant = np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y
        offset = float(np.average(constant.reshape(len(y), -1).sum(axis=1), weights=weight))
        return Objective(losses.Poisson(), n, gradient_scale=n, scale=n, offset=offset)
    chosen = losses.get(loss)
    if chosen.link not in REGRESSION_LINKS:
        raise ValueError(f"the loss {chosen!r} is for classes: a regressor needs squared_error, huber, quantile ...")
    return Objective(chosen, n * int(np.size(getattr(chosen, "quantiles", 1))))
