"""Data sets that come with the package; sources and licences are in README.md beside this file."""

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from .table import Table, read_csv

__all__ = ["Table", "digits", "read_csv"]


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Handwritten digits: 1,797 images of 8 x 8 pixels.

    Returns
    -------
    X : ndarray, shape (1797, 64), uint8
        Pixels 0 (paper) to 16 (ink), the rows of each image one after another: `X[0].reshape(8, 8)`.
    y : ndarray, shape (1797,), int64
        The digit, 0 to 9.

    The arrays are the caller's own and may be written to.

    References
    ----------
    Alpaydin, E. & Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository,
    https://doi.org/10.24432/C50P49 (the test part of that data set).

    Examples
    --------
    >>> X, y = digits()
    >>> X.shape, int(X.max()), y[:5].tolist()
    ((1797, 64), 16, [0, 1, 2, 3, 4])
    """
    X, y = _read("digits.npz")
    return X.copy(), y.astype(np.int64)


@cache
def _read(file: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    with resources.files(__name__).joinpath(file).open("rb") as stream, np.load(stream) as arrays:
        return arrays["X"], arrays["y"]
