"""The definition of products in bfloat16, `precision="bf16"`, in NumPy.

A bfloat16 is a float32 of 8 significant bits instead of 24: the upper half of its word. Both factors of every product
of a layer are rounded to it, A and W of z = A W + b, dZ and W of dA = dZ W^T, A and dZ of dW = A^T dZ; the sums, and
all else, are float32. An element of a product C is computed as Intel's TDPBF16PS does it. The terms k = 0, 1 ... are
taken in groups of 32, of which the last is filled up with zeros. In each,

    e <- fma(a[k], b[k], e)    for the even k in order, from e = +0,
    o <- fma(a[k], b[k], o)    for the odd ones, from o = +0,
    C <- C + (e + o),

where C starts at +0, or at the sum of the rows before where a gradient is accumulated. Every result is rounded to the
nearest, ties to even; denormal numbers are zeros of their sign, as operands and as results. So the bits do not depend
on how a product is divided into tiles, and any instruction set with fused multiply-add can compute them.

The gradient of a bias is not a product: the values of dZ are added as they are, in one chain per group of 32 rows, and
the sums of the groups in order.

References
----------
Intel, "Architecture Instruction Set Extensions and Future Features Programming Reference", TDPBF16PS and VCVTNEPS2BF16.

Kalamkar et al., "A study of BFLOAT16 for deep learning training", arXiv:1905.12322, 2019.

Micikevicius et al., "Mixed precision training", ICLR 2018: weights and sums in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._common.typing import Array

GROUP = 32  # terms of a product that are added up before they are added to C
_TINY = 2.0**-126  # the smallest normal number of float32
# What lies below rounds to a denormal number of 24 bits, were there any: "tininess after rounding" of IEEE 754.
_LEAST = _TINY - 2.0**-151


def round_to_bf16(x: Array) -> Array:
    """The bfloat16 nearest to each float32, as float32; ties go to the even one.

    Denormal numbers become zeros of their sign, and a NaN stays one.

    Examples
    --------
    >>> round_to_bf16(np.array([1 + 2**-7, 1 + 2**-8, 1 + 3 * 2**-8, 1e-39], np.float32)).tolist()
    [1.0078125, 1.0, 1.015625, 0.0]
    """
    word = np.asarray(x, np.float32).view(np.uint32)
    sign, size = word & 0x80000000, word & 0x7FFFFFFF
    nearest = (word + (0x7FFF + (word >> 16 & 1))) & 0xFFFF0000
    quiet = (word | 0x400000) & 0xFFFF0000
    result = np.where(size < 0x800000, sign, np.where(size > 0x7F800000, quiet, nearest))
    return result.astype(np.uint32, copy=False).view(np.float32)


def matmul(A: Array, B: Array, out: Array | None = None, accumulate: bool = False) -> Array:
    """The product (m, n) of A (m, K) and B (K, n), float32, as the module defines it.

    Parameters
    ----------
    out : ndarray (m, n) float32 or None, default=None
        Receives the product, and is returned.
    accumulate : bool, default=False
        Whether C starts at `out`.
    """
    (m, K), n = A.shape, B.shape[1]
    A, B = round_to_bf16(A), round_to_bf16(B)
    is_exact = _is_exact(A, B)
    dtype = np.dtype(np.float32 if is_exact else np.float64)
    groups = -(-K // GROUP)
    rows, columns = np.zeros((groups * GROUP, m), dtype), np.zeros((groups * GROUP, n), dtype)
    rows[:K], columns[:K] = A.T, B
    shape = groups, GROUP // 2, 2, -1  # k = (group, link of both chains, even or odd)
    C = out.copy() if accumulate and out is not None else np.zeros((m, n), np.float32)
    for a, b in zip(rows.reshape(shape), columns.reshape(shape), strict=True):
        even, odd = _chains(a, b, np.add if is_exact else _add)
        C = _add(C, _add(even, odd))
    if out is None:
        return C
    out[:] = C
    return out


def sum_rows(A: Array, out: Array, accumulate: bool = False) -> None:
    """out (n,) <- the sum of the rows of A (B, n), not rounded; with `accumulate` it starts at `out`."""
    groups = -(-len(A) // GROUP)
    rows = np.zeros((groups * GROUP, A.shape[1]), np.float32)
    rows[: len(A)] = A
    sums = np.zeros((groups, A.shape[1]), np.float32)
    for values in rows.reshape(groups, GROUP, -1).swapaxes(0, 1):
        sums = _add(sums, values)
    total = out.copy() if accumulate else np.zeros_like(out)
    for values in sums:
        total = _add(total, values)
    out[:] = total


def _chains(a: Array, b: Array, add: Callable[[Array, Array], Array]) -> Array:
    """The sums e and o (2, m, n) of a group of products of a (links, 2, m) and b (links, 2, n)."""
    sums = np.zeros((2, a.shape[2], b.shape[2]), np.float32)
    for x, y in zip(a, b, strict=True):
        sums = add(sums, x[:, :, np.newaxis] * y[:, np.newaxis])
    return sums


def _is_exact(A: Array, B: Array) -> bool:
    """Whether float32 holds every product of an element of each, and no sum of such products is denormal.

    They are multiples of 2^-16 times the smallest one, because each factor has 8 bits.
    """
    sizes = [abs(M[M != 0]).astype(np.float64) for M in (A, B)]
    if not all(size.size for size in sizes):
        return True
    least, most = (float(f(sizes[0]) * f(sizes[1])) for f in (np.min, np.max))
    return least * 2.0**-16 >= _TINY and most < 2.0**127


def _add(x: Array, y: Array) -> Array:
    """The float32 nearest to x + y, with zeros for denormal numbers; y is float32, or the exact product in float64.

    The sum in float64 is rounded twice, which makes no difference: 53 bits are more than 2 * 24 + 1.
    """
    total = x.astype(np.float64) + y
    return np.where(abs(total) < _LEAST, np.copysign(0.0, total), total).astype(np.float32)
