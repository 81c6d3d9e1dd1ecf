"""Random numbers as a function of (seed, purpose, index, element): the same on every machine and NumPy version.

Source: Philox4x64-10 of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. NumPy
guarantees the raw words of this bit generator, but not the numbers that its `Generator` makes of them; so only raw
words are used, and all that follows is arithmetic that IEEE 754 rounds in one way.

Layout, for a twin in another language: the key is (seed, purpose), the counter (block, index, 0, 0) from block 1 on,
and each block is four 64-bit words. To add a purpose: a member at the end of `Purpose`; a number once given is never
used again.
"""

from __future__ import annotations

import operator
import secrets
from enum import IntEnum
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ._math import log, polynomial

_WORDS = 4  # of 64 bits in a block of Philox4x64


class Purpose(IntEnum):
    """What numbers are for: two purposes never share numbers."""

    INIT = 0
    SHUFFLE = 1
    SPLIT = 2
    DROPOUT = 3
    NOISE = 4


INIT, SHUFFLE, SPLIT, DROPOUT, NOISE = Purpose


def new_seed() -> int:
    """A seed in [0, 2**64) from the operating system."""
    return secrets.randbits(64)


def check_seed(seed: SupportsIndex) -> int:
    """The seed as an int.

    Raises
    ------
    TypeError
        Not an integer.
    ValueError
        Outside [0, 2**64).
    """
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, SupportsIndex):
        raise TypeError(f"seed must be an integer in [0, 2**64) or None, not {seed!r}")
    value = operator.index(seed)
    if not 0 <= value < 2**64:
        raise ValueError(f"seed must be in [0, 2**64), not {value}")
    return value


def bits(seed: int, purpose: Purpose, index: int, n: int) -> NDArray[np.uint64]:
    """n words of 64 random bits.

    Parameters
    ----------
    seed : int in [0, 2**64)
    purpose : Purpose
    index : int in [0, 2**64)
        Number of the stream: a layer, an epoch, a step ...
    n : int >= 0
    """
    return _words(seed, purpose, index, 0, n)


def uniform(seed: int, purpose: Purpose, index: int, n: int) -> NDArray[np.float64]:
    """n numbers in [0, 1), multiples of 2^-53; parameters as `bits`."""
    return (bits(seed, purpose, index, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, purpose: Purpose, index: int, n: int) -> NDArray[np.float64]:
    """n numbers of the standard normal distribution; parameters as `bits`.

    The inverse distribution function at odd multiples of 2^-53: never 0 or 1, and symmetric around 1/2.
    """
    odd = 2 * (bits(seed, purpose, index, n) >> np.uint64(12)) + np.uint64(1)
    return normal_quantile(odd.astype(np.float64) * 2.0**-53)


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The numbers 0 ... n - 1 in random order, (n,); another one for each seed and epoch. See `permutations`."""
    return permutations(seed, epoch, 1, n).ravel()


def permutations(seed: int, first_epoch: int, n_epochs: int, n: int) -> NDArray[np.int64]:
    """Row i is `permutation(seed, first_epoch + i, n)`.

    Row numbers are sorted by random keys. A key has its row number in its low bits, so no two are equal and every sort
    gives the same order. 64 - log2(n) bits are left to chance: two of a million rows tie in them once in 2^44 pairs.
    Epochs follow each other in one stream, each from the start of a block, so that many are made in one go.

    Parameters
    ----------
    seed : int in [0, 2**64)
    first_epoch : int >= 0
    n_epochs, n : int >= 1

    Returns
    -------
    (n_epochs, n) int64
    """
    blocks = -(-n // _WORDS)
    words = _words(seed, SHUFFLE, 0, first_epoch * blocks, n_epochs * blocks * _WORDS)
    row_bits = np.uint64(2 ** (n - 1).bit_length() - 1)
    keys = words.reshape(n_epochs, -1)[:, :n] & ~row_bits
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort(axis=1)
    keys &= row_bits
    return keys.view(np.int64)


def normal_quantile(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x with P(N(0, 1) <= x) = p, for p in (0, 1); relative error below 2e-15, the same bits on every machine.

    Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988
    (PPND16).
    """
    q = p - 0.5
    x = np.empty_like(q)
    centre = np.abs(q) <= 0.425
    r = 0.180625 - q[centre] ** 2
    x[centre] = q[centre] * polynomial(_CENTRE[0], r) / polynomial(_CENTRE[1], r)

    tails = ~centre
    side, r = np.sign(q[tails]), np.sqrt(-log(np.minimum(p, 1 - p)[tails]))
    near = polynomial(_TAIL[0], r - 1.6) / polynomial(_TAIL[1], r - 1.6)
    far = polynomial(_FAR_TAIL[0], r - 5) / polynomial(_FAR_TAIL[1], r - 5)
    x[tails] = side * np.where(r <= 5, near, far)
    return x


def _words(seed: int, purpose: Purpose, index: int, block: int, n: int) -> NDArray[np.uint64]:
    """n words of stream `index`, from the word 4 * block on."""
    philox = np.random.Philox(key=seed | purpose << 64, counter=block | index << 64)
    return philox.random_raw(n)


# Numerator and denominator of AS 241, from the constant term up.
_CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_FAR_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)
