"""Data augmentation: a user function that changes each batch before its step, e.g. by shifts or noise."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._common import random
from .._common.typing import Array
from .arrays import as_numeric, check_finite

# Quoted because naming np.random makes NumPy import it, which takes half as long as importing all of fastgd.
Function: TypeAlias = Callable[[Array, "np.random.Generator"], Any]


class Augmentation:
    """Augments the rows of several steps ahead, batch by batch, so that the engine still does many steps per call.

    Parameters
    ----------
    function : callable (X_batch, rng) -> X_batch
        Called with a copy of the rows (B, n_in) of a step, in the dtype of X, and a `numpy.random.Generator` that
        depends on seed and step only; returns rows of the same shape.
    seed : int
    dtype : dtype
        Dtype to which the rows are converted: that of the model, or float64 if they will be standardized.

    Raises
    ------
    TypeError
        `function` is not callable.
    """

    def __init__(self, function: Function, seed: int, dtype: DTypeLike) -> None:
        if not callable(function):
            raise TypeError(f"augment must be a function (X_batch, rng) -> X_batch or None, not {function!r}")
        self._function, self._seed, self._dtype = function, seed, np.dtype(dtype)

    def apply(self, X: Array, order: NDArray[np.int64], starts: NDArray[np.int64], step: int) -> Array:
        """Augment X[order] for the steps from number `step` on.

        Parameters
        ----------
        X : ndarray, shape (n, n_in)
        order : ndarray, shape (rows,), int64
            Indices of the rows in the order of use.
        starts : ndarray, shape (steps + 1,), int64
            Step number `step` + s uses the rows order[starts[s]:starts[s + 1]].
        step : int
            Number of the first step.

        Returns
        -------
        ndarray, shape (rows, n_in), of the dtype

        Raises
        ------
        TypeError, ValueError
            The function did not return finite numbers in the shape of its batch.
        """
        augmented = np.empty((len(order), X.shape[1]), self._dtype)
        for s, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            rng = random.generator(self._seed, random.AUGMENT, step + s)
            batch = X[order[start:stop]]
            shape = batch.shape
            result = as_numeric(self._function(batch, rng), "the result of augment")
            if result.shape != shape:
                raise ValueError(f"augment must return rows of the shape of its batch, {shape}, not {result.shape}")
            with np.errstate(over="ignore"):
                augmented[start:stop] = result
        check_finite(augmented, "the result of augment")
        return augmented
