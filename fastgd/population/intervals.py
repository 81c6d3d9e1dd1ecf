"""Calibration of the intervals of a regression on rows that were held out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._common.checks import check_scalar
from .._common.typing import Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """How large errors are in units of the spread.

    Attributes
    ----------
    scores : ndarray (rows, columns) float64
        abs(error) / (spread + floor) of each target, in increasing order.
    floor : ndarray (columns,) float64
        What is added to the spread, so that models that agree by chance do not make an interval of width 0.

    Examples
    --------
    >>> calibration = Calibration.of(np.arange(1.0, 20.0)[:, np.newaxis], np.ones((19, 1)))
    >>> calibration.half_widths(np.array([[1.0], [3.0]]), coverage=0.9)
    array([[18.],
           [36.]])
    """

    scores: Floats
    floor: Floats

    @classmethod
    def of(cls, errors: Floats, spread: Floats) -> Calibration:
        """The calibration on rows with these errors and spreads, (rows, columns)."""
        floor = spread.mean(axis=0)
        floor[floor == 0] = 1.0  # a single model: intervals of one width
        return cls(np.sort(np.abs(errors) / (spread + floor), axis=0), floor)

    def half_widths(self, spread: Floats, coverage: float) -> Floats:
        """Half the width of each interval, (rows, columns).

        Raises
        ------
        ValueError
            The calibration has too few rows for this coverage.
        """
        coverage, n = check_scalar("coverage", coverage, "(0, 1)"), len(self.scores)
        rank = _ceil((n + 1) * coverage)
        if rank > n:
            needed = _ceil(coverage / (1 - coverage))
            raise ValueError(f"coverage={coverage} needs calibration on at least {needed} rows, not {n}")
        widths: Floats = self.scores[rank - 1] * (spread + self.floor)
        return widths


def _ceil(x: float) -> int:
    """x rounded up, unless it is above an integer by rounding errors alone."""
    return math.ceil(round(x, 9))
