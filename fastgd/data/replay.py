"""A memory of the latest rows, from which custom training loops draw at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._common import random
from .._common.checks import check_int, shown
from .._common.explain import explains_arguments
from .._common.memory import zeros
from .._common.typing import Array, Ints
from .arrays import check_model_dtype


@explains_arguments
class ReplayBuffer:
    """The latest `capacity` rows of some fields, in arrays that are allocated once.

    A new row takes the place of the oldest one when the memory is full: the experience of reinforcement learning, or
    the examples of earlier tasks in life-long learning.

    Parameters
    ----------
    capacity : int >= 1
        Largest number of rows.
    seed : int in [0, 2**64) or None, default=None
        Seed of the draws; None draws one.
    dtype : {"float32", "float64"}, default="float32"
        Of fields other than integers and booleans, which keep the dtype that NumPy gives them.

    Attributes
    ----------
    capacity, seed : int
    dtype : numpy.dtype
    draws : int
        Number of calls to `sample`.  The next one is a function of the seed and this number: set it to resume.
    fields : dict of str to ndarray (len(buffer), ...)
        The rows, by reference, in no particular order.

    References
    ----------
    Lin, "Self-improving reactive agents based on reinforcement learning, planning and teaching", Machine Learning 8,
    1992.  Mnih et al., "Human-level control through deep reinforcement learning", Nature 518, 2015.

    Examples
    --------
    >>> import fastgd as gd
    >>> buffer = gd.ReplayBuffer(1000, seed=0)
    >>> buffer.add(state=[0.5, -0.5], action=1, reward=1.0)
    >>> buffer.extend(state=[[0.1, 0.2], [0.3, 0.4]], action=[0, 1], reward=[0.0, 1.0])
    >>> batch = buffer.sample(32)
    >>> batch["state"].shape, batch["action"].dtype
    ((32, 2), dtype('int64'))
    """

    def __init__(self, capacity: int, seed: int | None = None, dtype: DTypeLike = "float32") -> None:
        self.capacity, self.dtype = check_int("capacity", capacity), check_model_dtype(dtype)
        self.seed = random.new_seed() if seed is None else random.check_seed(seed)
        self.draws = 0
        self._arrays: dict[str, Array] = {}
        self._added = 0  # rows since the beginning

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    @property
    def fields(self) -> dict[str, Array]:
        return {name: array[: len(self)] for name, array in self._arrays.items()}

    def add(self, **row: Any) -> None:
        """Add one row; arguments as in `extend`, without the axis of the rows."""
        self.extend(**{name: np.asarray(value)[np.newaxis] for name, value in row.items()})

    def extend(self, **rows: Any) -> None:
        """Add some rows.

        Parameters
        ----------
        **rows : array-like (n, ...)
            Every field, by name.  The first call decides the fields, their shapes and dtypes.

        Raises
        ------
        TypeError, ValueError
            Fields, shapes or numbers of rows differ, or the values are not numbers; nothing was added.
        """
        arrays = {name: self._as_array(values, name) for name, values in rows.items()}
        n = self._check(arrays)
        if not self._arrays:
            self._arrays = {
                name: zeros((self.capacity, *array.shape[1:]), array.dtype) for name, array in arrays.items()
            }
        first = max(0, n - self.capacity)  # rows before it would be overwritten at once
        places = (self._added + np.arange(first, n)) % self.capacity
        for name, array in arrays.items():
            self._arrays[name][places] = array[first:]
        self._added += n

    def sample(self, n: int) -> dict[str, Array]:
        """n rows drawn at random with replacement, each field as a new array (n, ...).

        ValueError if the buffer is empty.
        """
        n = check_int("n", n)
        if not len(self):
            raise ValueError("the buffer is empty: add rows before a sample is drawn")
        rows = self._draw(n)
        self.draws += 1
        return {name: array[rows] for name, array in self._arrays.items()}

    def _draw(self, n: int) -> Ints:
        """The rows of the next sample: the bias of 2^-53 len is negligible."""
        uniform = random.uniform(self.seed, random.REPLAY, self.draws, n)
        return (uniform * len(self)).astype(np.int64)

    def _check(self, arrays: dict[str, Array]) -> int:
        """The number of rows."""
        if not arrays:
            raise TypeError("rows are given by field, as in buffer.add(state=[0.5, -0.5], action=1, reward=1.0)")
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"every field must have the same number of rows, not {counts}")
        if self._arrays and set(arrays) != set(self._arrays):
            raise ValueError(f"the fields must be {', '.join(self._arrays)}, not {', '.join(arrays)}")
        for name, array in arrays.items():
            held = self._arrays.get(name)
            if held is not None and held.shape[1:] != array.shape[1:]:
                raise ValueError(f"rows of {name} must have the shape {held.shape[1:]}, not {array.shape[1:]}")
            if held is not None and not np.can_cast(array.dtype, held.dtype, "same_kind"):
                raise TypeError(f"{name} is {held.dtype} since its first row, which cannot hold {array.dtype}")
        return next(iter(counts.values()))

    def _as_array(self, values: Any, name: str) -> Array:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be numbers or booleans, not {shown(values)}")
        if array.ndim == 0:
            raise ValueError(f"{name} must have the shape (rows, ...), but is the single number {shown(values)}")
        return array.astype(self.dtype, copy=False) if array.dtype.kind == "f" else array
