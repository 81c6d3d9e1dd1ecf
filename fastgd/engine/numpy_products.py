"""How the NumPy engine computes the sums over products and rows that a layer consists of, in each precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._common.typing import Array
from . import bf16


class Products(NamedTuple):
    """One precision.

    Attributes
    ----------
    matmul : callable (A, B, out=None, accumulate=False) -> (m, n)
        The product of A (m, K) and B (K, n), in `out` or a new array; added to `out` if `accumulate`.
    sum_rows : callable (A, out, accumulate=False) -> None
        out (n,) <- the sum of the rows of A (B, n), or += if `accumulate`.
    group : int
        A step may be divided into micro-batches of multiples of this many rows.
    """

    matmul: Callable[..., Array]
    sum_rows: Callable[..., None]
    group: int

    def affine(self, A: Array, W: Array, b: Array) -> Array:
        """A W + b; b is empty for none."""
        z = self.matmul(A, W)
        return z + b if b.size else z

    def micro_batch(self, rows: int) -> int:
        """At least `rows`, the next multiple of `group`."""
        return -(-rows // self.group) * self.group


def _matmul(A: Array, B: Array, out: Array | None = None, accumulate: bool = False) -> Array:
    product: Array = np.matmul(A, B, out=None if accumulate else out)
    return np.add(out, product, out=out) if accumulate and out is not None else product


def _sum_rows(A: Array, out: Array, accumulate: bool = False) -> None:
    np.add(out if accumulate else 0, A.sum(axis=0), out=out)


PRODUCTS = {"f32": Products(_matmul, _sum_rows, 1), "bf16": Products(bf16.matmul, bf16.sum_rows, bf16.GROUP)}
