"""Images that are turned, moved, zoomed and sheared at random: augmentation for small images in rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .._common.checks import check_int, check_scalar, check_sequence, shown
from .._common.exact_math import cos_pi
from .._common.explain import explains_arguments
from .._common.registry import format_call
from .._common.typing import Array, Floats

Interval: TypeAlias = tuple[float, float]

_CONSTANT = (0.0, 0.0)  # the interval of what is not drawn
_BLOCK = 2**15  # elements of the images that are transformed together, so that all that this takes stays in the cache


@explains_arguments
class RandomAffine:
    """Turns, moves, zooms and shears each image of a batch at random, for `fit(augment=RandomAffine(...))`.

    A pixel of the result has the brightness of the place from which the transform takes it, by bilinear interpolation
    between the four pixels around that place.  The transforms are about the centre of the image.

    Parameters
    ----------
    degrees : float or (low, high), default=0
        Angles, clockwise, in [-180, 180]; a number d means (-d, d).
    translate : (horizontal, vertical), default=None
        Largest shifts to either side, as fractions of width and height in [0, 1].
    scale : (low, high), default=None
        Factors of the size, above 0.
    shear : float, (low, high) or (low, high, low, high), default=None
        Angles in degrees, in (-90, 90), by which columns are inclined, and rows by the last two; a number s means
        (-s, s).
    shape : (height, width) or (height, width, channels)
        Of the image whose values a row of X holds, channels last.
    fill : float or sequence of one per channel, default=0
        Brightness outside the image.

    Notes
    -----
    All distributions are uniform.  Every image takes six numbers of `rng`, whichever settings are used, so one setting
    does not change what another draws.  The transforms and their order are those of torchvision's `RandomAffine`, which
    moves by whole pixels and takes the nearest pixel unless it is told to interpolate.

    References
    ----------
    Simard, Steinkraus & Platt, "Best practices for convolutional neural networks applied to visual document analysis",
    ICDAR 2003.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> distort = gd.RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), shape=(8, 8))
    >>> distort(X[:5], np.random.default_rng(0)).shape
    (5, 64)
    >>> trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy")
    >>> history = trainer.fit(X / 16, y, epochs=1, augment=distort, verbose=0)
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 0.0,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        *,
        shape: Sequence[int],
        fill: float | Sequence[float] = 0.0,
    ) -> None:
        self.degrees, self.translate, self.scale, self.shear = degrees, translate, scale, shear
        self.shape, self.fill = shape, fill
        height, width, channels = self._image_shape = _check_shape(shape)
        self._fill = _check_fill(fill, channels)
        (angle,) = _angles("degrees", degrees, "[-180, 180]", 2)
        right, down = _CONSTANT if translate is None else _numbers("translate", translate, "[0, 1]", 2)
        moves = (-right * width, right * width), (-down * height, down * height)
        (zoom,) = [(1.0, 1.0)] if scale is None else _intervals("scale", scale, "(0, inf)", 2)
        shears = [] if shear is None else _angles("shear", shear, "(-90, 90)", 2, 4)
        shear_x, shear_y = (*shears, _CONSTANT, _CONSTANT)[:2]
        self._low, self._high = np.array([*moves, zoom, angle, shear_x, shear_y]).T

    def __call__(self, batch: Array, rng: np.random.Generator) -> Array:
        """Transform the images of a batch, each in its own way.

        Parameters
        ----------
        batch : ndarray, shape (n, height * width * channels) or (n, height, width[, channels])
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of the same shape, float32 or float64

        Raises
        ------
        TypeError, ValueError
            `rng` is not a generator, or the rows do not have the size of the images.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a numpy.random.Generator, not {shown(rng)}")
        images = self._as_images(batch)
        draws = self._low + (self._high - self._low) * rng.random((len(images), 6))
        maps = _maps_to_sources(draws, self._image_shape).astype(images.dtype)
        result, fill = np.empty_like(images), np.array(self._fill, images.dtype)
        step = max(1, _BLOCK // math.prod(self._image_shape))
        for first in range(0, len(images), step):
            block = slice(first, first + step)
            result[block] = _sample(images[block], maps[block], fill)
        return result.reshape(np.shape(batch))

    def _as_images(self, batch: Array) -> Array:
        """The batch as (n, height, width, channels), of a floating-point dtype."""
        batch, size = np.asarray(batch), math.prod(self._image_shape)
        if batch.ndim < 2 or math.prod(batch.shape[1:]) != size:
            raise ValueError(f"images of shape {self.shape} are rows of {size} values, not a batch {batch.shape}")
        return batch.reshape(-1, *self._image_shape).astype(np.result_type(batch.dtype, np.float32), copy=False)

    def __repr__(self) -> str:
        return format_call(self)


def _maps_to_sources(draws: Floats, image_shape: tuple[int, int, int]) -> Floats:
    """The affine maps (n, 2, 3) from (row, column, 1) of a pixel of the result to its place in the image.

    The transform is x -> centre + move + zoom R Y X (x - centre), with x = (column, row), the rotation R and the shears
    Y and X of rows and columns.  Its inverse follows from det(R Y X) = 1.

    Parameters
    ----------
    draws : ndarray, shape (n, 6)
        Move to the right, move down, zoom, angles of R, X and Y.
    """
    right, down, zoom = draws.T[:3]
    (cos, *cosines), (sin, *sines) = _cos_sin(draws.T[3:])
    tan_x, tan_y = np.divide(sines, cosines)
    a, c = cos + sin * tan_y, sin - cos * tan_y  # R Y X = [[a, b], [c, d]]
    b, d = -a * tan_x - sin, -c * tan_x + cos
    rows, columns = np.array([a, -c]) / zoom, np.array([-b, d]) / zoom  # factors of (row, column)
    middle_row, middle_column = (image_shape[0] - 1) / 2, (image_shape[1] - 1) / 2
    row, column = middle_row + down, middle_column + right
    offset_row = middle_row - rows[0] * row - rows[1] * column
    offset_column = middle_column - columns[0] * row - columns[1] * column
    return np.stack([*rows, offset_row, *columns, offset_column], axis=1).reshape(-1, 2, 3)


def _sample(images: Array, maps: Array, fill: Array) -> Array:
    """Brightness (n, height, width, channels) at the places that the maps give, by bilinear interpolation."""
    n, height, width, channels = images.shape
    framed = np.empty((n, height + 2, width + 2, channels), images.dtype)
    framed[:] = fill
    framed[:, 1:-1, 1:-1] = images
    i, down = _split(maps[:, 0], height, width, height)
    j, right = _split(maps[:, 1], height, width, width)
    before = (width + 2) * i + j + np.arange(n)[:, np.newaxis, np.newaxis] * ((height + 2) * (width + 2))
    pixels = framed.reshape(-1, channels)
    a, b, c, d = (pixels.take(before + k, axis=0) for k in (0, 1, width + 2, width + 3))  # the four around each place
    upper, lower = a + right * (b - a), c + right * (d - c)
    return np.asarray(upper + down * (lower - upper))


def _split(maps: Array, height: int, width: int, size: int) -> tuple[Array, Array]:
    """Index (n, height, width) of the pixel before each place along an axis, in the frame, and the rest (..., 1)."""
    of_row, of_column, offset = maps.T[:, :, np.newaxis, np.newaxis]
    rows = np.arange(height, dtype=maps.dtype)[:, np.newaxis]
    columns = np.arange(width, dtype=maps.dtype)
    places = (of_row * rows + (offset + 1)) + of_column * columns
    np.clip(places, 0, size + 1, out=places)
    index = np.minimum(places.astype(np.intp), size)
    return index, (places - index.astype(maps.dtype))[..., np.newaxis]


def _cos_sin(degrees: Floats) -> tuple[Floats, Floats]:
    """Cosines and sines of angles in [-180, 180], with the same bits on every machine."""
    turns = np.abs(degrees) / 180
    cosines, sines = cos_pi(np.stack([turns, np.abs(turns - 0.5)]))
    return cosines, np.copysign(sines, degrees)


def _check_shape(shape: Any) -> tuple[int, int, int]:
    """Height, width and channels."""
    sizes = tuple(shape) if np.ndim(shape) == 1 else ()
    if len(sizes) not in (2, 3):
        raise ValueError(f"shape must be (height, width) or (height, width, channels), not {shown(shape)}")
    height, width, channels = (check_int(f"shape[{i}]", size) for i, size in enumerate((*sizes, 1)[:3]))
    return height, width, channels


def _check_fill(fill: Any, channels: int) -> tuple[float, ...]:
    if np.ndim(fill) == 0:
        return (check_scalar("fill", fill, "(-inf, inf)"),)
    return _numbers("fill", fill, "(-inf, inf)", channels)


def _numbers(name: str, value: Any, interval: str, *lengths: int) -> tuple[float, ...]:
    """A sequence of numbers in `interval`, of one of the lengths."""
    values = check_sequence(name, value, interval)
    if len(values) not in lengths:
        raise ValueError(f"{name} must be of length {' or '.join(map(str, lengths))}, not {shown(value)}")
    return values


def _intervals(name: str, value: Any, interval: str, *lengths: int) -> list[Interval]:
    """`_numbers` as pairs (low, high)."""
    values = _numbers(name, value, interval, *lengths)
    pairs = list(zip(values[::2], values[1::2], strict=True))
    if any(low > high for low, high in pairs):
        raise ValueError(f"{name} must be given as low, high with low <= high, not {shown(value)}")
    return pairs


def _angles(name: str, value: Any, interval: str, *lengths: int) -> list[Interval]:
    """`_intervals`, or a single number d for the interval (-d, d)."""
    if np.ndim(value):
        return _intervals(name, value, interval, *lengths)
    limit = check_scalar(name, value, "[0" + interval[interval.index(",") :])
    return [(-limit, limit)]
