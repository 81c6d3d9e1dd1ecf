"""Batches that a function of the user's changes before each step: shifted images, other noise, missing columns."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._common import random
from .._common.typing import Array
from .arrays import as_numbers, check_finite

# In quotes, as NumPy imports np.random when it is first named: that is half as long as all else that fastgd imports.
Function: TypeAlias = Callable[[Array, "np.random.Generator"], Any]

# Bytes of changed rows that are made ahead of one call of the engine.
_BYTES = 1 << 24


class Augmentation:
    """Makes the rows of a chunk of steps, batch by batch, so that the engine still does many steps in one call.

    Parameters
    ----------
    function : callable (X_batch, rng) -> X_batch
        Gets a copy of the rows (B, n_in) of a step in the dtype of X, and a `numpy.random.Generator` that is a function
        of seed and step; gives rows of the same shape.
    seed : int
    dtype : dtype
        Of the model: what the rows become.

    Raises
    ------
    TypeError
        `function` cannot be called.
    """

    def __init__(self, function: Function, seed: int, dtype: DTypeLike) -> None:
        if not callable(function):
            raise TypeError(f"augment must be a function (X_batch, rng) -> X_batch or None, not {function!r}")
        self._function, self._seed, self._dtype = function, seed, np.dtype(dtype)

    def most_steps(self, rows: int, n_in: int) -> int:
        """How many steps of `rows` rows may be made ahead."""
        return max(1, _BYTES // (rows * n_in * self._dtype.itemsize))

    def rows(self, X: Array, order: NDArray[np.int64], starts: NDArray[np.int64], step: int) -> Array:
        """The rows X[order], changed: those of step number `step` + s at starts[s] to starts[s + 1].

        Raises
        ------
        TypeError, ValueError
            The function gave something else than finite numbers in the shape of its batch.
        """
        made = np.empty((len(order), X.shape[1]), self._dtype)
        for s, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            rng = random.generator(self._seed, random.AUGMENT, step + s)
            batch = X[order[start:stop]]
            shape = batch.shape
            given = as_numbers(self._function(batch, rng), "the result of augment")
            if given.shape != shape:
                raise ValueError(f"augment must give rows of the shape it was given, {shape}, not {given.shape}")
            with np.errstate(over="ignore"):
                made[start:stop] = given
        check_finite(made, "the result of augment")
        return made
