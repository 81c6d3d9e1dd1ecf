"""What an update does besides its rule: mask, clipping, L1 penalty, max-norm constraint, average of theta.

These NumPy definitions, combined in `update`, are the reference for `csrc/engine/transforms.h`. The order of one step,
with g the mean gradient:

    1. g <- g mask
    2. g <- g min(1, clip_norm / (|g| + 1e-6))        |g| over all parameters
    3. g <- min(max(g, -clip_value), clip_value)
    4. g <- g + l1 sign(theta)
    5. the rule (`rules.py`, `orthogonal.py`) with the coefficients of the parameter's group: it adds weight_decay theta
    6. column w of each W (n_in, n_out): w <- w min(1, max_norm / |w|)
    7. theta <- theta mask
    8. average <- (1 - weight) average + weight theta

Clipping thus limits the gradient of the data, never the penalties: l1 and weight_decay (L2) both follow it, and
together they are the elastic net. Their strength is per step and independent of the number of rows, because the
gradient is a mean over rows.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array, Floats
from .orthogonal import MATRIX_RULES, STEPS
from .rules import Rule

WHOLE_STEP = sys.maxsize

# A parameter in the flat vectors: where it is, and the shape (n_in, n_out) of a W; None for any other.
Part = tuple[slice, tuple[int, int] | None]


@dataclass(frozen=True, eq=False)
class Transforms:
    """The values that one call of an engine needs for its steps, computed once for either engine.

    Attributes
    ----------
    per_step : (steps, 2) float64
        clip_norm (inf: none) and the weight of the new theta in the average.
    per_group : (steps, 3 groups) float64
        clip_value (inf: none), l1 and max_norm (inf: none) of each group.
    group : (parts,) int64
        The group of each parameter of the input layers, then of W and of b of each dense layer.
    mask : (size,) of theta's dtype, or None
        0 for the elements of theta that stay 0, 1 for the others.
    average : (size,) of theta's dtype, or None
        Average of theta, updated in place.
    norm : (steps,) float64 or None
        Output: the norm of each step's gradient before clipping.
    micro_batch : int
        Rows that pass through the network at a time: a larger step accumulates its gradient over several passes.
    """

    per_step: Floats
    per_group: Floats
    group: NDArray[np.int64]
    average: Array | None = None
    norm: Floats | None = None
    micro_batch: int = WHOLE_STEP
    mask: Array | None = None

    @property
    def n_groups(self) -> int:
        return int(self.per_group.shape[1]) // 3

    def of(self, step: int) -> Transforms:
        """The transforms of one of these steps."""
        s = slice(step, step + 1)
        norm = None if self.norm is None else self.norm[s]
        return Transforms(
            self.per_step[s], self.per_group[s], self.group, self.average, norm, self.micro_batch, self.mask
        )


def global_norm(g: Array) -> float:
    """|g| = sqrt(sum g^2) over all parameters; squares and sum in float64."""
    g = g.astype(np.float64, copy=False)
    return float(np.sqrt(np.dot(g, g)))


def clip_by_norm(g: Array, norm: float, clip_norm: float) -> Array:
    """g min(1, clip_norm / (norm + 1e-6)): the same direction, no longer than clip_norm.

    The 1e-6 is that of `torch.nn.utils.clip_grad_norm_`.

    References
    ----------
    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
    """
    factor = clip_norm / (norm + 1e-6)
    clipped: Array = g * g.dtype.type(factor if factor < 1 else 1)
    return clipped


def clip_by_value(g: Array, clip_value: float) -> Array:
    """g with each element clipped to [-clip_value, clip_value]; as `torch.nn.utils.clip_grad_value_`."""
    return np.clip(g, g.dtype.type(-clip_value), g.dtype.type(clip_value))


def add_l1(g: Array, theta: Array, l1: float) -> Array:
    """g + l1 sign(theta): a subgradient of the penalty l1 |theta|_1; sign(0) = 0.

    Weights come close to 0 but seldom reach it.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", J. Royal Statistical Society B 58, 1996.
    Zou & Hastie, "Regularization and variable selection via the elastic net", J. Royal Statistical Society B 67, 2005:
    with weight_decay.
    """
    penalized: Array = g + g.dtype.type(l1) * np.sign(theta)
    return penalized


def clip_column_norms(W: Array, max_norm: float) -> None:
    """W (n_in, n_out): scale each column w, the weights into one unit, by min(1, max_norm / |w|), in place.

    Biases are not constrained, as with Keras' `kernel_constraint=MaxNorm(axis=0)`.

    References
    ----------
    Srebro & Shraibman, "Rank, trace-norm and max-norm", COLT 2005.
    Srivastava et al., "Dropout", JMLR 15, 2014, section 5.1.
    """
    length = np.sqrt(np.square(W, dtype=np.float64).sum(axis=0))
    longer = length > max_norm
    W[:, longer] *= (max_norm / length[longer]).astype(W.dtype)


def update_average(average: Array, theta: Array, weight: float) -> None:
    """average <- (1 - weight) average + weight theta, in place; see `averaging.py`."""
    average *= average.dtype.type(1 - weight)
    average += average.dtype.type(weight) * theta


def update(
    transforms: Transforms,
    s: int,
    rule: Rule,
    c: Floats,
    theta: Array,
    grad: Array,
    slots: Array,
    parts: Sequence[Part],
) -> None:
    """Do step s: theta, slots and the average change in place, grad (size,) does not.

    Parameters
    ----------
    c : (groups n,) float64
        The coefficients of the rule, group by group.
    parts : sequence of Part
        The parameters of the input layers, then W and b of each dense layer; the b of a layer without bias is empty.
    """
    clip_norm, weight = transforms.per_step[s]
    per_group, c = transforms.per_group[s].reshape(-1, 3), c.reshape(transforms.n_groups, -1).astype(theta.dtype)
    mask = transforms.mask
    grad = grad if mask is None else grad * mask
    norm = global_norm(grad) if transforms.norm is not None or clip_norm < np.inf else 0.0
    if transforms.norm is not None:
        transforms.norm[s] = norm
    g = clip_by_norm(grad, norm, clip_norm)
    for (place, shape), group in zip(parts, transforms.group, strict=True):
        clip_value, l1, max_norm = per_group[group]
        part = theta[place]
        part_g = add_l1(clip_by_value(g[place], clip_value), part, l1)
        if shape and rule.__name__ in MATRIX_RULES and c[group][STEPS] > 0:
            # Slots of a part are no contiguous block: views of their rows are.
            matrices = [slot[place].reshape(shape) for slot in slots]
            MATRIX_RULES[rule.__name__](part.reshape(shape), part_g.reshape(shape), matrices, c[group])
        else:
            rule(part, part_g, slots[:, place], c[group])
        if shape and max_norm < np.inf:
            clip_column_norms(part.reshape(shape), max_norm)
    if mask is not None:
        theta *= mask
    if transforms.average is not None and weight > 0:
        update_average(transforms.average, theta, weight)
