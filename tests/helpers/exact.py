"""Activations and their derivatives to as many digits as one asks for (mpmath), and the arguments to ask them for.

Each takes z and the numbers of the activation; what is written here shares nothing with the definitions.
"""

import mpmath
import numpy as np
from mpmath import erfc, exp, expm1, log1p, mpf, pi, sqrt, tanh


def sigmoid(z):
    return 1 / (1 + exp(-z)) if z > 0 else exp(z) / (1 + exp(z))


def below(z):
    """The share of N(0, 1) below z."""
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
    "gelu": (lambda z: z * below(z), lambda z: below(z) + z * exp(-z * z / 2) / sqrt(2 * pi)),
    "gelu_tanh": (
        lambda z: z * sigmoid(two_u(z)),
        lambda z: sigmoid(two_u(z)) * (1 + z * sigmoid(-two_u(z)) * sqrt(8 / pi) * (1 + 3 * mpf("0.044715") * z * z)),
    ),
    "mish": (
        lambda z: z * tanh(softplus(z)),
        lambda z: tanh(softplus(z)) + z * (1 - tanh(softplus(z)) ** 2) * sigmoid(z),
    ),
}


MARKS = np.array(
    [1, 3, 6, 8, 20, 22, 24, 40, 50]
)  # where something of the functions, or of how they are computed, ends


def arguments(dtype, count, seed=0):
    """Numbers of all sizes and both signs, the extremes among them; dense where something happens."""
    rng, limits = np.random.default_rng(seed), np.finfo(dtype)
    tail = 110 if dtype == "float32" else 760
    sizes = np.exp2(rng.uniform(limits.minexp, limits.maxexp - 1, count // 4)), rng.uniform(0, tail, count // 4)
    near = rng.uniform(0, 4, count // 4), rng.uniform(0, 40, count // 4)
    marks = MARKS.astype(dtype)
    ends = [0, limits.smallest_subnormal, limits.tiny, limits.eps, limits.max / 2, limits.max]
    x = np.concatenate([*sizes, *near, marks, np.nextafter(marks, 0), np.nextafter(marks, 99), ends]).astype(dtype)
    return np.concatenate([x, -x])


def values(function, numbers, z, digits=40):
    """`function` at each number of z, as long doubles: the rounding of those is far below the errors looked for."""
    numbers = [mpf(number) for number in numbers]
    with mpmath.workdps(digits):
        # long double from two doubles: the nearest one, and the rest
        exact = [mpf(function(mpf(float(x)), *numbers)) for x in z]
        high = np.array([float(x) for x in exact], np.longdouble)
        low = [float(x - mpf(float(h))) if np.isfinite(h) else 0.0 for x, h in zip(exact, high, strict=True)]
    return high + np.array(low, np.longdouble)
