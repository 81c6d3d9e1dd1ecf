"""Activations and their derivatives to any number of digits (mpmath), and arguments to test them with.

Each function takes z and the parameters of the activation; it shares no code with the definitions.
"""

import mpmath
import numpy as np
from mpmath import erfc, exp, expm1, log1p, mpf, pi, sqrt, tanh


def sigmoid(z):
    return 1 / (1 + exp(-z)) if z > 0 else exp(z) / (1 + exp(z))


def normal_cdf(z):
    """Distribution function of N(0, 1)."""
    return erfc(-z / sqrt(2)) / 2 if abs(z) < 1e4 else mpf(int(z > 0))


def two_u(z):
    return sqrt(8 / pi) * (z + mpf("0.044715") * z**3)


def softplus(z):
    return max(z, 0) + log1p(exp(-abs(z)))


def between(low, z, high):
    return int(low < z < high)


SELU = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")

EXACT = {  # name: (f, f')
    "identity": (lambda z: z, lambda z: 1),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "hard_sigmoid": (lambda z: min(max(z + 3, 0), 6) / 6, lambda z: between(-3, z, 3) / mpf(6)),
    "tanh": (tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "hard_tanh": (lambda z: min(max(z, -1), 1), lambda z: between(-1, z, 1)),
    "relu": (lambda z: max(z, 0), lambda z: int(z > 0)),
    "leaky_relu": (lambda z, slope: z if z > 0 else slope * z, lambda z, slope: 1 if z > 0 else slope),
    "relu6": (lambda z: min(max(z, 0), 6), lambda z: between(0, z, 6)),
    "elu": (lambda z, alpha: z if z > 0 else alpha * expm1(z), lambda z, alpha: 1 if z > 0 else alpha * exp(z)),
    "selu": (
        lambda z: SELU[0] * (z if z > 0 else SELU[1] * expm1(z)),
        lambda z: SELU[0] * (1 if z > 0 else SELU[1] * exp(z)),
    ),
    "softplus": (softplus, sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "hard_swish": (
        lambda z: z * min(max(z + 3, 0), 6) / 6,
        lambda z: 0 if z <= -3 else (1 if z >= 3 else z / 3 + mpf(1) / 2),
    ),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * exp(-z * z / 2) / sqrt(2 * pi)),
    "gelu_tanh": (
        lambda z: z * sigmoid(two_u(z)),
        lambda z: sigmoid(two_u(z)) * (1 + z * sigmoid(-two_u(z)) * sqrt(8 / pi) * (1 + 3 * mpf("0.044715") * z * z)),
    ),
    "mish": (
        lambda z: z * tanh(softplus(z)),
        lambda z: tanh(softplus(z)) + z * (1 - tanh(softplus(z)) ** 2) * sigmoid(z),
    ),
}


# Where a piece of a function, or of its implementation, ends.
MARKS = np.array([1, 3, 6, 8, 20, 22, 24, 40, 50])


def arguments(dtype, count, seed=0):
    """Normal values of all magnitudes and both signs, including the extremes; dense where a function changes."""
    rng, limits = np.random.default_rng(seed), np.finfo(dtype)
    tail = 110 if dtype == "float32" else 760
    sizes = np.exp2(rng.uniform(limits.minexp, limits.maxexp - 1, count // 4)), rng.uniform(0, tail, count // 4)
    near = rng.uniform(0, 4, count // 4), rng.uniform(0, 40, count // 4)
    marks = MARKS.astype(dtype)
    ends = [0, limits.tiny, limits.eps, limits.max / 2, limits.max]
    x = np.concatenate([*sizes, *near, marks, np.nextafter(marks, 0), np.nextafter(marks, 99), ends]).astype(dtype)
    return np.concatenate([x, -x])


def values(function, parameters, z, digits=40):
    """`function` at each element of z, as long doubles, whose rounding is far below the errors to detect."""
    parameters = [mpf(parameter) for parameter in parameters]
    with mpmath.workdps(digits):
        # a long double from two doubles: the nearest one, and the remainder
        exact = [mpf(function(mpf(float(x)), *parameters)) for x in z]
        high = np.array([float(x) for x in exact], np.longdouble)
        low = [float(x - mpf(float(h))) if np.isfinite(h) else 0.0 for x, h in zip(exact, high, strict=True)]
    return high + np.array(low, np.longdouble)
