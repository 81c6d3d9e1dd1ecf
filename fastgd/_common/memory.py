"""Memory for the long vectors of a network: theta, the gradient and the slots of an optimiser."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from .typing import Array

# Bytes of a huge page on x86-64 and most ARM systems.
_HUGE_PAGE = 1 << 21


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
    """`numpy.zeros`, but backed by whole huge pages from 2 MB on where the system has them.

    A step reads and writes these vectors from end to end, and with pages of 4 KB each page costs a TLB miss. NumPy
    requests huge pages only from 4 MB on, and its arrays do not start at the boundary of one.
    """
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    n_bytes = count * np.dtype(dtype).itemsize
    if n_bytes < _HUGE_PAGE:
        return np.zeros(shape, dtype)
    import mmap  # on use: small networks do not need it, and `import fastgd` must stay fast

    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, -(-n_bytes // _HUGE_PAGE) * _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype, count).reshape(shape)
