"""The last line of defence of the NumPy engine: nothing has changed when these raise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.typing import Array, Ints
from ..optimizers.transforms import Transforms
from .chunk import Chunk


def check_array(name: str, array: Array, shape: tuple[int, ...], dtype: Any = None) -> None:
    """Raise TypeError or ValueError if this is not an array of that shape and, unless it is None, dtype."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be an ndarray, not {type(array).__name__}")
    if array.shape != shape or (dtype is not None and array.dtype != dtype):
        expected = "" if dtype is None else f" and dtype {np.dtype(dtype)}"
        raise ValueError(f"{name} must have shape {shape}{expected}, not {array.shape} and {array.dtype}")


def checked_order(chunk: Chunk, steps: slice) -> Ints:
    """The row indices of some steps of a chunk, all of which exist."""
    if not 0 <= steps.start <= steps.stop <= chunk.n_steps:
        raise IndexError(f"a chunk of {chunk.n_steps} steps has none from {steps.start} to {steps.stop}")
    n, order, starts = len(chunk.X), chunk.order, chunk.starts[steps.start : steps.stop + 1]
    if starts[0] < 0 or starts[-1] > len(order) or (np.diff(starts) < 1).any():
        raise ValueError(f"starts must be strictly increasing within 0 ... {len(order)}")
    order = order[starts[0] : starts[-1]]
    if order.size and not (order.min() >= 0 and order.max() < n):
        raise ValueError(f"order must hold row indices in 0 ... {n - 1}, not {order.min()} ... {order.max()}")
    return order


def check_transforms(transforms: Transforms | None, steps: int, theta: Array, parts: int) -> None:
    """Raise TypeError or ValueError if transforms do not fit the number of steps and of parts of theta."""
    if transforms is None:
        return
    check_array("per_step", transforms.per_step, (steps, 2), np.float64)
    check_array("per_group", transforms.per_group, (steps, 3 * transforms.n_groups), np.float64)
    check_array("group", transforms.group, (parts,), np.int64)
    if transforms.group.min() < 0 or transforms.group.max() >= transforms.n_groups:
        raise ValueError(f"group must hold indices in 0 ... {transforms.n_groups - 1}, not {transforms.group}")
    if transforms.average is not None:
        check_array("average", transforms.average, (theta.size,), theta.dtype)
    if transforms.norm is not None:
        check_array("norm", transforms.norm, (steps,), np.float64)
    if transforms.micro_batch < 1:
        raise ValueError(f"micro_batch must be 1 or more, not {transforms.micro_batch}")
