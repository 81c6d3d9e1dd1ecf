"""Memory for the long vectors of a network: theta, its gradient, an optimiser's slots."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from .typing import Array

# Bytes of a huge page, of x86-64 and most of ARM.
_PAGE = 1 << 21


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
    """`numpy.zeros`; from 2 MB on in whole huge pages, where the system has them.

    A step reads and writes these vectors from end to end: on pages of 4 KB each page costs a miss of the address cache.
    NumPy asks for huge pages from 4 MB on, and these begin in the middle of one.
    """
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    wanted = count * np.dtype(dtype).itemsize
    if wanted < _PAGE:
        return np.zeros(shape, dtype)
    import mmap  # few need it, and `import fastgd` is to be quick

    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, -(-wanted // _PAGE) * _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype, count).reshape(shape)
