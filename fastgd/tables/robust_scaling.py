"""Robust scaling: columns around their median, in units of their interquartile range, without far outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common.typing import Floats

_FAR = 1e9  # numbers of units beyond which a value is as far as it can be


@dataclass(frozen=True)
class RobustScaling:
    """x -> s / sqrt(1 + (s / 3)^2) with s = (x - center) * factor, so that all values are between -3 and 3.

    Attributes
    ----------
    center : tuple of float
        The median of each column; a missing value counts as it.
    factor : tuple of float
        1 / (interquartile range); where that is 0, 2 / (maximum - minimum); 0 for a constant column.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> scaling = RobustScaling.fit(np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]))
    >>> scaling
    RobustScaling(center=(3.0,), factor=(0.5,))
    >>> scaling.apply(np.array([[3.0], [5.0], [1e9], [np.nan]])).round(2).ravel().tolist()
    [0.0, 0.95, 3.0, 0.0]
    """

    center: tuple[float, ...]
    factor: tuple[float, ...]

    @classmethod
    def fit(cls, columns: Floats) -> RobustScaling:
        """Measure columns (rows, features) of numbers, NaN where one is missing."""
        measured = [_measure(column[~np.isnan(column)]) for column in columns.T]
        return cls(tuple(center for center, _ in measured), tuple(factor for _, factor in measured))

    def apply(self, columns: Floats) -> Floats:
        """Scale columns (rows, features); without missing values thereafter."""
        scaled = (columns - np.array(self.center)) * np.array(self.factor)
        scaled = np.clip(np.where(np.isnan(columns), 0.0, scaled), -_FAR, _FAR)
        clipped: Floats = scaled / np.sqrt(1 + np.square(scaled / 3))
        return clipped


def _measure(values: Floats) -> tuple[float, float]:
    """Center and factor of one column."""
    if not len(values):
        return 0.0, 0.0
    low, center, high = np.quantile(values, [0.25, 0.5, 0.75])
    spread = high - low or (values.max() - values.min()) / 2
    return float(center), float(1 / spread) if spread else 0.0
