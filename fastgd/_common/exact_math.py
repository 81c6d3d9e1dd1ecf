"""Mathematical functions shared by the definitions.

The functions up to `softmax` are written so that nothing overflows. Those from `polynomial` on compute values that must
have the same bits in both engines and on every machine (learning rates, initial weights), so they use only operations
whose rounding IEEE 754 fixes: +, -, *, /, comparisons, and access to the exponent. NumPy's `log`, `cos` and `pow` come
from the system's libm or from SIMD code of its own, and differ in the last bit between machines.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .typing import Array

# ln 2 in two parts. The first has 32 significant bits, so its product with an exponent is exact (fdlibm's split).
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_LN2 = 1.4426950408889634
# e^r = 1 + r + r^2/2! + ...: with |r| <= ln(2) / 2 the first omitted term is below 2^-57.
_EXP = tuple(1 / math.factorial(k) for k in range(14))
# 2 atanh(s) = 2 s (1 + s^2/3 + s^4/5 + ...): with |s| <= 0.1716 the first omitted term is below 2^-60.
_ATANH = tuple(1 / (2 * k + 1) for k in range(11))
# sin(u) = u (1 - u^2/3! + u^4/5! - ...): with |u| <= pi/2 the first omitted term is below 2^-59.
_SIN = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(11))

_FEW = 16  # powers that take less time one by one than as an array
_ROWS = 64  # rows orthogonalized at a time: their products stay in the cache

_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has no erfc


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), to full relative accuracy in both tails; shape and dtype of z."""
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e))


def softplus(z: Array) -> Array:
    """log(1 + e^z), to full relative accuracy in both tails; shape and dtype of z."""
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def above_minus_inf(z: Array) -> Array:
    """z with the lowest finite number in place of -inf, whose product with 0 is 0; NaN stays."""
    return np.asarray(np.maximum(z, np.finfo(z.dtype).min))


def finite(z: Array) -> Array:
    """z with the largest and lowest finite number in place of inf and -inf, whose products with 0 are 0; NaN stays."""
    limits = np.finfo(z.dtype)
    return np.asarray(np.clip(z, limits.min, limits.max))


def exp_or_inf(z: Array) -> Array:
    """e^z, and inf without a warning where it overflows; shape and dtype of z."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(z))


def normal_cdf(z: Array) -> Array:
    """Distribution function of N(0, 1), erfc(-z / sqrt 2) / 2, accurate in both tails; shape and dtype of z."""
    half: Array = 0.5 * np.asarray(_erfc(z * -math.sqrt(0.5))).astype(z.dtype)
    return half


def log_softmax(Z: Array) -> Array:
    """z_j - log sum_k e^(z_k) along the last axis; shape and dtype of Z."""
    shifted = Z - Z.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(Z: Array) -> Array:
    """e^(z_j) / sum_k e^(z_k) along the last axis; shape and dtype of Z."""
    e = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule."""
    result = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        result *= x
        result += c
    return result


def log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of finite x > 0, within 3 ulp, with the same bits on every machine.

    x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)).
    """
    m, k = np.frexp(x)
    small = m < math.sqrt(0.5)
    m = np.where(small, 2 * m, m)
    k = k - small
    s = (m - 1) / (m + 1)
    log_m = 2 * s * polynomial(_ATANH, s * s)
    return np.asarray(k * _LN2_HIGH + (k * _LN2_LOW + log_m))


def exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """e^x for finite x, within 2 ulp where the result is a normal number, with the same bits on every machine.

    x = k ln 2 + r with |r| <= ln(2) / 2; e^r by its series. Above 709 the result is inf; far below 0 it is 0.
    """
    k = np.rint(np.clip(x, -2000.0, 2000.0) * _INVERSE_LN2)
    r = np.clip(x, -2000.0, 2000.0) - k * _LN2_HIGH - k * _LN2_LOW
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(polynomial(_EXP, r), k.astype(np.int64)))


def cos_pi(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """cos(pi x) for x in [0, 1], within 4e-16, with the same bits on every machine.

    cos(pi x) = sin(u) with u = pi (1/2 - x), so 1/2 gives exactly 0 and the ends give exactly 1 and -1.
    """
    u = math.pi * (0.5 - x)
    return u * polynomial(_SIN, u * u)


def power(base: float | NDArray[np.float64], exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    """base^n for integers n >= 0, by repeated squaring, with the same bits on every machine.

    Parameters
    ----------
    base : float or float64 array with the shape of `exponents`
    exponents : int64 array, any shape
    """
    if exponents.size <= _FEW and isinstance(base, float):
        few = [_power(base, n) for n in exponents.ravel().tolist()]
        return np.array(few, np.float64).reshape(exponents.shape)
    result = np.ones(exponents.shape)
    for bit in range(int(exponents.max(initial=0)).bit_length()):
        result *= np.where(exponents >> bit & 1, base, 1.0)
        base = base * base
    return result


def _power(base: float, n: int) -> float:
    """base^n by the same products as `power`."""
    result = 1.0
    while n:
        if n & 1:
            result *= base
        base *= base
        n >>= 1
    return result


def orthonormal_rows(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that span what the rows of A (m, n) span, m <= n, each orthogonal to those before it and of length 1.

    The modified Gram-Schmidt process, with the same bits on every machine: sums are made in a fixed order, so neither
    BLAS nor LAPACK can help. For random A of m = n = 1000, products of rows are within 1e-12 of 0 and 1.
    """
    Q = A.copy()
    for i, row in enumerate(Q):
        row /= np.sqrt(_sum_rows(row[np.newaxis] ** 2))
        for start in range(i + 1, len(Q), _ROWS):
            later = Q[start : start + _ROWS]
            later -= _sum_rows(later * row)[:, np.newaxis] * row
    return Q


def _sum_rows(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each row of A (m, n), which is overwritten: halves are added until one column is left."""
    n = A.shape[1]
    while n > 1:
        half = n // 2
        A[:, :half] += A[:, n - half : n]
        n -= half
    return A[:, 0].copy()
