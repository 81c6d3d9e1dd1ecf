"""Problems that several tests pose to the definitions and to the engines."""

import numpy as np

from fastgd import losses
from fastgd.activations import ACTIVATIONS, ELU, LeakyReLU
from fastgd.losses import LOSSES

# With the numbers that they have by default, and with others.
EACH_ACTIVATION = [*(cls() for cls in ACTIVATIONS.values()), LeakyReLU(0.3), ELU(0.7)]

H = 1e-6  # step of the central differences: their error is about H^2 + eps / H, so 1e-8 leaves a factor of 50
SLOPE_TOLERANCE = 1e-8


# Every loss as its name gives it, and with settings that change what is computed.
LOSS_CASES = {
    **{name: losses.get(name) for name in LOSSES},
    "huber, small delta": losses.Huber(0.25),
    "three quantiles": losses.Quantile((0.1, 0.5, 0.75)),
    "smoothed cross_entropy": losses.CrossEntropy(label_smoothing=0.1),
    "smoothed soft_cross_entropy": losses.SoftCrossEntropy(label_smoothing=0.25),
    "focal, weights": losses.Focal(1.5, (0.25, 1.0, 2.0)),
    "focal, flat": losses.Focal(0.0),
    "weighted bce": losses.BCE(pos_weight=3.0),
    "bce, weights": losses.BCE(pos_weight=(0.5, 2.0, 4.0)),
    "binary_focal, weights": losses.BinaryFocal(0.5, 0.25),
}


def targets(rng, loss, rows, n_out):
    """Y of the kind that the loss takes: class numbers, counts, amounts, -1 and 1, or rows of probabilities."""
    if loss.target == "labels":
        return rng.integers(n_out, size=(rows, 1))
    if loss.link == "sign":
        return rng.choice([-1.0, 1.0], size=(rows, n_out))
    if loss.link == "log":
        return rng.poisson(2, (rows, n_out)) + (0.5 if loss.interval[0] == "(" else 0.0)
    Y = rng.random((rows, n_out))
    return Y / Y.sum(axis=1, keepdims=True)


def slopes(f, x):
    """Central differences of the number f(x) by each element of x."""
    result = np.empty_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + H
        above = f(x)
        x[i] = kept - H
        result[i] = (above - f(x)) / (2 * H)
        x[i] = kept
    return result
