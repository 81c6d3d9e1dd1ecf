"""Bundled data sets; sources and licences are in README.md in this folder."""

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = ["digits"]


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load handwritten digits: 1,797 images of 8 x 8 pixels.

    Returns
    -------
    X : ndarray, shape (1797, 64), uint8
        Pixels from 0 (paper) to 16 (ink) in row-major order: `X[0].reshape(8, 8)` is an image.
    y : ndarray, shape (1797,), int64
        The digit, 0 to 9.

    Notes
    -----
    Each call returns new arrays, which may be modified.

    References
    ----------
    Alpaydin, E. & Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository,
    https://doi.org/10.24432/C50P49 (the test set).

    Examples
    --------
    >>> X, y = digits()
    >>> X.shape, int(X.max()), y[:5].tolist()
    ((1797, 64), 16, [0, 1, 2, 3, 4])
    """
    X, y = _digits()
    return X.copy(), y.astype(np.int64)


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    with resources.files(__name__).joinpath("digits.npz").open("rb") as stream, np.load(stream) as arrays:
        pixels, y = arrays["pixels"], arrays["y"]
    X = np.empty(pixels.T.shape, pixels.dtype)
    X[np.argsort(y, kind="stable")] = pixels.T  # stored digit by digit, which compresses better
    return X, y


def __dir__() -> list[str]:
    return __all__


_RENAMED = {"Table": "Table", "read_csv": "read_table"}  # now in fastgd.tables; deprecated since 0.2


def __getattr__(name: str) -> object:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings

    from .. import tables

    new = _RENAMED[name]
    warnings.warn(f"{__name__}.{name} is deprecated: use fastgd.tables.{new}", DeprecationWarning, stacklevel=2)
    value: object = getattr(tables, new)
    return value
