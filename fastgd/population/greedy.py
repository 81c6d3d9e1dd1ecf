"""The greedy choice of an ensemble on validation rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._common.typing import Array, Floats, Ints


def choose_greedily(values: Array, size: int, badness: Callable[[Array], Floats]) -> Ints:
    """How often each candidate is in the ensemble.

    It begins empty; of all candidates, the one that makes the mean of the ensemble best is added, again and again, and
    may be added several times.  The result is the best ensemble on this way, the smaller one of two that are as good.

    Parameters
    ----------
    values : ndarray (candidates, rows, columns)
        What is averaged.
    size : int >= 1
        Number of steps.
    badness : callable (means (candidates, rows, columns)) -> (candidates,)
        What is to be small.

    Returns
    -------
    ndarray (candidates,) of int64

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble selection from libraries of models", ICML 2004.

    Examples
    --------
    >>> values = np.array([1.0, 4.0, 9.0]).reshape(3, 1, 1)
    >>> choose_greedily(values, 4, lambda means: np.abs(means - 2.0)[:, 0, 0]).tolist()
    [2, 1, 0]
    """
    counts, total = np.zeros(len(values), np.int64), np.zeros(values.shape[1:])
    best, best_counts = np.inf, counts.copy()
    for done in range(size):
        found = np.nan_to_num(badness((total + values) / (done + 1)), nan=np.inf)
        chosen = int(np.argmin(found))
        counts[chosen] += 1
        total += values[chosen]
        if done == 0 or found[chosen] < best:
            best, best_counts = float(found[chosen]), counts.copy()
    return best_counts
