"""Test cases shared by the tests of definitions and engines."""

from itertools import cycle

import numpy as np

from fastgd import losses
from fastgd.activations import ACTIVATIONS, ELU, LeakyReLU
from fastgd.losses import LOSSES
from fastgd.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, RMSprop

# With default and with other parameters.
EACH_ACTIVATION = [*(cls() for cls in ACTIVATIONS.values()), LeakyReLU(0.3), ELU(0.7)]

H = 1e-6  # step of the central differences: their error is about H^2 + eps / H, so 1e-8 leaves a factor of 50
DERIVATIVE_TOLERANCE = 1e-8


# Every loss with its defaults, and with settings that change the computation.
LOSS_CASES = {
    **{name: losses.get(name) for name in LOSSES},
    "huber, small delta": losses.Huber(0.25),
    "three quantiles": losses.Quantile((0.1, 0.5, 0.75)),
    "smoothed cross_entropy": losses.CrossEntropy(label_smoothing=0.1),
    "smoothed soft_cross_entropy": losses.SoftCrossEntropy(label_smoothing=0.25),
    "focal, weights": losses.Focal(1.5, (0.25, 1.0, 2.0)),
    "focal, flat": losses.Focal(0.0),
    "smoothed focal": losses.Focal(label_smoothing=0.1),
    "smoothed focal, weights": losses.Focal(0.5, (0.25, 1.0, 2.0), 0.25),
    "smoothed focal, flat": losses.Focal(0.0, label_smoothing=0.1),
    "weighted bce": losses.BCE(pos_weight=3.0),
    "bce, weights": losses.BCE(pos_weight=(0.5, 2.0, 4.0)),
    "smoothed bce": losses.BCE(label_smoothing=0.1),
    "smoothed bce, weights": losses.BCE((0.5, 2.0, 4.0), 0.25),
    "binary_focal, weights": losses.BinaryFocal(0.5, 0.25),
    "binary_focal, flat": losses.BinaryFocal(0.0),
    "smoothed binary_focal": losses.BinaryFocal(1.5, 0.25, 0.1),
}

# Every rule; eps is well above the rounding errors of a gradient that is 0.
RULE_USERS = {
    "momentum": SGD(momentum=0.9, dampening=0.5),
    "nesterov": SGD(momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop_momentum": RMSprop(momentum=0.5, eps=1e-2),
    "rmsprop_centered": RMSprop(momentum=0.5, eps=1e-2, centered=True),
    "amsgrad": Adam(amsgrad=True),
    **{name: cls() for name, cls in OPTIMIZERS.items()},
    "rmsprop": RMSprop(eps=1e-3),
    "adagrad": Adagrad(eps=1e-3),
}

# Every loss with two rules, the second time on weighted rows, and every rule with several losses, with alternating
# activations; a bounded one where outputs are exponents.  No table of the engines has an entry for a pair.
TRAININGS = [
    (
        "tanh" if loss in ("poisson", "gamma") else EACH_ACTIVATION[(i + j) % len(EACH_ACTIVATION)],
        loss,
        list(RULE_USERS)[(i + j) % len(RULE_USERS)],
        j > 0,
    )
    for i, loss in enumerate(LOSS_CASES)
    for j in (0, len(RULE_USERS) // 2)
]


def in_turn(many, few):
    """Each of `many` with one of `few`: enough where they are independent, because no code belongs to a pair."""
    return list(zip(many, cycle(few), strict=False))


def targets(rng, loss, rows, n_out):
    """Targets Y for the loss: class indices, counts, amounts, -1 and 1, or rows of probabilities."""
    if loss.target == "labels":
        return rng.integers(n_out, size=(rows, 1))
    if loss.link == "sign":
        return rng.choice([-1.0, 1.0], size=(rows, n_out))
    if loss.link == "log":
        return rng.poisson(2, (rows, n_out)) + (0.5 if loss.interval[0] == "(" else 0.0)
    Y = rng.random((rows, n_out))
    return Y / Y.sum(axis=1, keepdims=True)


def derivatives(f, x):
    """Gradient of the scalar f(x) by central differences."""
    result = np.empty_like(x)
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before + H
        above = f(x)
        x[i] = before - H
        result[i] = (above - f(x)) / (2 * H)
        x[i] = before
    return result
