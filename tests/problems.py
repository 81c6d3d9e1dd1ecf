"""Problems that several tests pose to the definitions and to the engines."""

import numpy as np

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
