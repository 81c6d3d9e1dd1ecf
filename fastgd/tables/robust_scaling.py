"""Robust scaling: columns around their median, in units of their interquartile range, without outliers; long tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._common.typing import Floats

_FAR = 1e9  # numbers of units beyond which a value is as far as it can be
_TAIL = 6.0  # units beyond which the clipping hides most of the difference between two values ...
_SHARE, _COUNT = 0.01, 10  # ... and how many values there must be to be a tail rather than mistakes


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


@dataclass(frozen=True)
class TailScaling:
    """x -> (x - mean) * factor, where x is first brought into [low, high], for a column with a long tail.

    Robust scaling makes almost the same of all values far from the median.  If they are many, their differences matter,
    as those of long delays do for the delay at arrival.

    Attributes
    ----------
    mean : float
        Of the column; a missing value counts as it.
    factor : float
        1 / (standard deviation).
    low, high : float
        Smallest and largest value of the training.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([0.0] * 50 + [1.0] * 25 + [2.0] * 25 + [100.0] * 20)
    >>> scaling = TailScaling.fit(values, RobustScaling.fit(values[:, None]))
    >>> scaling.apply(np.array([0.0, 50.0, 100.0, 1e9, np.nan])).round(2).tolist()
    [-0.47, 0.88, 2.24, 2.24, 0.0]
    """

    mean: float
    factor: float
    low: float
    high: float

    @classmethod
    def fit(cls, values: Floats, robust: RobustScaling) -> TailScaling | None:
        """Measure the values (rows,), NaN where one is missing, of a column with this scaling; None: no long tail."""
        values = values[~np.isnan(values)]
        n_far = int((np.abs(values - robust.center[0]) * robust.factor[0] > _TAIL).sum())
        if n_far < max(_COUNT, _SHARE * len(values)):
            return None
        return cls(float(values.mean()), float(1 / values.std()), float(values.min()), float(values.max()))

    def apply(self, values: Floats) -> Floats:
        """Scale the values (rows,); without missing values thereafter."""
        scaled: Floats = (np.clip(values, self.low, self.high) - self.mean) * self.factor
        return np.where(np.isnan(values), 0.0, scaled)


def _measure(values: Floats) -> tuple[float, float]:
    """Center and factor of one column."""
    if not len(values):
        return 0.0, 0.0
    low, center, high = np.quantile(values, [0.25, 0.5, 0.75])
    spread = high - low or (values.max() - values.min()) / 2
    return float(center), float(1 / spread) if spread else 0.0
