"""Problems that several tests pose to the definitions and to the engines."""

import numpy as np

from fastgd.activations import ACTIVATIONS, ELU, LeakyReLU
from fastgd.losses import LOSSES

# With the numbers that they have by default, and with others.
EACH_ACTIVATION = [*(cls() for cls in ACTIVATIONS.values()), LeakyReLU(0.3), ELU(0.7)]
# Each activation with one loss, each loss with one activation: what either does does not depend on the other.
ACTIVATIONS_AND_LOSSES = [(f, "mse") for f in EACH_ACTIVATION] + [("tanh", loss) for loss in LOSSES]

H = 1e-6  # step of the central differences: their error is about H^2 + eps / H, so 1e-8 leaves a factor of 50
SLOPE_TOLERANCE = 1e-8


def targets(rng, loss, rows, n_out):
    """Y of the kind that the loss takes: class numbers, or rows of probabilities."""
    if loss.target == "labels":
        return rng.integers(n_out, size=(rows, 1))
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
