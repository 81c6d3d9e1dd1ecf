"""Memory for the long vectors of a network: theta, the gradient and the slots of an optimizer."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .typing import Array

# Bytes of a huge page on x86-64 and most ARM systems.
_HUGE_PAGE = 1 << 21


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> Array:
    """`numpy.zeros`, but backed by whole huge pages from 2 MB on where the system has them.

    A step reads and writes these vectors from end to end, and with pages of 4 KB each page costs a TLB miss. NumPy
    requests huge pages only from 4 MB on, and its arrays do not start at the boundary of one.

    Raises
    ------
    MemoryError
        There is not as much memory, or no machine could address it; the message states the size.
    """
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    n_bytes = count * np.dtype(dtype).itemsize
    if n_bytes < _HUGE_PAGE:
        return np.zeros(shape, dtype)
    try:
        if n_bytes > sys.maxsize - _HUGE_PAGE:
            raise OverflowError("more than any machine can address")
        memory = _huge_pages(n_bytes)
        return np.zeros(shape, dtype) if memory is None else np.frombuffer(memory, dtype, count).reshape(shape)
    except (MemoryError, OSError, OverflowError) as error:
        needed = f"{count:,} values of {np.dtype(dtype)} need {_format_size(n_bytes)} of memory"
        raise MemoryError(f"{needed}, which cannot be allocated: {error}") from None


def _huge_pages(n_bytes: int) -> Any:
    """A map of at least this many bytes, or None where the system has no huge pages."""
    import mmap  # on use: small networks do not need it, and `import fastgd` must stay fast

    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    memory = mmap.mmap(-1, -(-n_bytes // _HUGE_PAGE) * _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _format_size(n_bytes: int) -> str:
    """A number of bytes for readers: "1.50 MiB", "4,096.00 TiB"."""
    power = min(max(0, (n_bytes.bit_length() - 1) // 10), 4)
    return f"{n_bytes / 1024**power:,.2f} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
