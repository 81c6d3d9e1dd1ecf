"""Random numbers as a function of (seed, purpose, index, element): the same on every machine and NumPy version.

The bit generator is Philox4x64-10. NumPy guarantees its raw words, but not the numbers that `Generator` derives from
them, so only raw words are used here, and everything derived from them is arithmetic whose rounding IEEE 754 fixes.

Layout, for an implementation in another language: the key is (seed, purpose), the counter is (block, index, 0, 0)
starting at block 1, and each block is four 64-bit words. To add a purpose, append a member to `Purpose`; never reuse a
value.

References
----------
Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import operator
import os
from enum import IntEnum
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .exact_math import log, polynomial

_WORDS = 4  # 64-bit words in a block of Philox4x64
# `permutations` sorts up to this many indices; more are mixed, with one factor per round.
_SORT_LIMIT = 1024
_FACTORS = 4 * (0x7FEB352D, 0x846CA68B)
_BLOCK = 2**15  # indices mixed at once, in two buffers of 128 kB; has no effect on the order


class Purpose(IntEnum):
    """What random numbers are used for; two purposes never share numbers."""

    INIT = 0
    SHUFFLE = 1
    SPLIT = 2
    DROPOUT = 3
    NOISE = 4
    AUGMENT = 5
    BIAS = 6
    REPLAY = 7
    SHARD = 8
    BLOCK = 9


INIT, SHUFFLE, SPLIT, DROPOUT, NOISE, AUGMENT, BIAS, REPLAY, SHARD, BLOCK = Purpose


def new_seed() -> int:
    """A seed in [0, 2**64) from the operating system."""
    return int.from_bytes(os.urandom(8), "little")


def check_seed(seed: SupportsIndex) -> int:
    """Return the seed as an int.

    Raises
    ------
    TypeError
        `seed` is not an integer.
    ValueError
        `seed` is outside [0, 2**64).
    """
    if type(seed) is int and 0 <= seed < 2**64:
        return seed  # most seeds: the question whether it has a method takes microseconds
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
        Index of the stream: a layer, an epoch, a step ...
    n : int >= 0
    """
    return _words(seed, purpose, index, 0, n)


def uniform(seed: int, purpose: Purpose, index: int, n: int) -> NDArray[np.float64]:
    """n uniform numbers in [0, 1), multiples of 2^-53; parameters as in `bits`."""
    return (bits(seed, purpose, index, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, purpose: Purpose, index: int, n: int) -> NDArray[np.float64]:
    """n numbers from the standard normal distribution; parameters as in `bits`.

    The inverse distribution function at odd multiples of 2^-53, which are never 0 or 1 and symmetric about 1/2.
    """
    odd = 2 * (bits(seed, purpose, index, n) >> np.uint64(12)) + np.uint64(1)
    return normal_quantile(odd.astype(np.float64) * 2.0**-53)


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The integers 0 ... n - 1 in a random order that depends on seed and epoch, (n,); see `permutations`."""
    return permutations(seed, epoch, 1, n).ravel()


def permutations(seed: int, first_epoch: int, n_epochs: int, n: int) -> NDArray[np.int64]:
    """Row i is `permutation(seed, first_epoch + i, n)`.

    Up to 1024 indices are sorted by random 32-bit keys. The low bits of a key are the index itself, so no two keys are
    equal and every sorting algorithm gives the same order. (At least 22 bits are random: one pair in 2^22 ties in
    them.) The keys are the halves of the epoch's words, low half first.

    More indices are mixed. Let 2^k be the smallest power of two >= n. Each i = 0, 1, ... 2^k - 1 passes through the
    rounds

        i <- (i + w[r]) c[r] mod 2^k;  i <- i ^ (i >> (k - 1) // 2)      r = 0 ... 7

    where w are the epoch's 8 words and c alternates between 7FEB352D and 846CA68B (hexadecimal); the results below n,
    in this order, are the permutation. Every operation is invertible, so no index occurs twice. For k = 10 to 14,
    6 rounds passed all tests of differences, correlations and orders; 5 rounds did not.

    Epoch e reads blocks e m + 1 ... e m + m of stream 0, with m = ceil(n / 8) for sorting and m = 2 for mixing.

    Parameters
    ----------
    seed : int in [0, 2**64)
    first_epoch : int >= 0
    n_epochs, n : int >= 1

    Returns
    -------
    (n_epochs, n) int64

    References
    ----------
    Mitchell, Stokes, Frank & Holmes, "Bandwidth-optimal random shuffling for GPUs", ACM Transactions on Parallel
    Computing 9, 2022: a bijection on 2^k, of which the values below n are kept (there a Feistel network, Luby &
    Rackoff 1988).
    Kensler, "Correlated multi-jittered sampling", Pixar technical memo 13-01, 2013: a bijection made of additions,
    multiplications, xors and shifts mod 2^k.
    Wellons, "Prospecting for hash functions", 2018: the factors, those of lowbias32.
    """
    make, n_words = (_sort_keys, -(-n // 2)) if n <= _SORT_LIMIT else (_mix_indices, len(_FACTORS))
    blocks = -(-n_words // _WORDS)
    words = _words(seed, SHUFFLE, 0, first_epoch * blocks, n_epochs * blocks * _WORDS)
    return make(words.reshape(n_epochs, -1), n)


def _sort_keys(words: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    index_mask = np.uint32(2 ** (n - 1).bit_length() - 1)
    keys = words.astype("<u8", copy=False).view("<u4")[:, :n] & ~index_mask
    keys |= np.arange(n, dtype=np.uint32)
    keys.sort(axis=1)
    keys &= index_mask
    return keys.astype(np.int64)


def _mix_indices(words: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """Works in blocks that fit in the cache: several short epochs at once, or a part of one long epoch."""
    k = (n - 1).bit_length()
    keys = words.astype(np.uint32 if k <= 32 else np.uint64)  # enough bits for arithmetic mod 2^k
    epochs, width = max(1, _BLOCK >> k), min(_BLOCK, 2**k)
    indices = np.arange(width, dtype=keys.dtype)
    buffers = np.empty((2, epochs, width), keys.dtype)
    result, done = np.empty(len(keys) * n, np.int64), 0
    for e in range(0, len(keys), epochs):
        some = keys[e : e + epochs]
        x, spare = buffers[:, : len(some)]
        for first in range(0, 2**k, width):
            np.add(indices, keys.dtype.type(first), out=x)
            _mix(x, spare, some, k)
            kept = np.compress((x < n).ravel(), x)
            result[done : done + len(kept)] = kept
            done += len(kept)
    return result.reshape(-1, n)


def _mix(x: NDArray[Any], spare: NDArray[Any], keys: NDArray[Any], k: int) -> None:
    """The rounds of `permutations`, in place: x, spare (epochs, width), keys (epochs, 8), all of one unsigned dtype."""
    word = x.dtype.type
    for key, factor in zip(keys.T[:, :, np.newaxis], _FACTORS, strict=True):
        np.add(x, key, out=x)
        np.multiply(x, word(factor), out=x)
        np.bitwise_and(x, word(2**k - 1), out=x)
        np.right_shift(x, word((k - 1) // 2), out=spare)
        np.bitwise_xor(x, spare, out=x)


def normal_quantile(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x with P(N(0, 1) <= x) = p, for p in (0, 1); relative error below 2e-15, the same bits on every machine.

    References
    ----------
    Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988 (PPND16).
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


def generator(seed: int, purpose: Purpose, index: int) -> np.random.Generator:
    """A NumPy generator on stream `index`, for user functions; its numbers may depend on the version of NumPy."""
    return np.random.Generator(np.random.Philox(key=seed | purpose << 64, counter=index << 64))


def philox4x32(counters: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """Blocks (n, 4) of 32-bit words from counters (n, 4) and the key `seed`, both with the lowest 32 bits first.

    Philox4x32-10 of the paper above, cheap enough for the hot loops of the C core (`csrc/kernels/philox.h`): dropout
    needs a word or two per input and step.
    """
    c = [column.astype(np.uint64) for column in counters.T]
    low, k0, k1 = np.uint64(2**32 - 1), seed % 2**32, seed >> 32
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [q >> np.uint64(32) ^ c[1] ^ np.uint64(k0), q & low, p >> np.uint64(32) ^ c[3] ^ np.uint64(k1), p & low]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(c, axis=1).astype(np.uint32)


def groups(seed: int, stream: int, n: int) -> NDArray[np.uint32]:
    """The first n groups of 64 words of a stream of Philox4x32, (n, 64).

    Group g consists of blocks 16 g to 16 g + 15, whose counters are (block, stream), 64 bits each. Words 0 and 1 of the
    blocks come first, alternating, then words 2 and 3: in this order the C core stores them without a shuffle.
    """
    block = np.arange(16 * n, dtype=np.uint64)
    high = np.uint64(32)
    counters = np.stack(
        [block, block >> high, np.full_like(block, stream % 2**32), np.full_like(block, stream >> 32)], axis=1
    )
    words = philox4x32((counters & np.uint64(2**32 - 1)).astype(np.uint32), seed).reshape(n, 16, 2, 2)
    return words.transpose(0, 2, 1, 3).reshape(n, 64)


def _words(seed: int, purpose: Purpose, index: int, block: int, n: int) -> NDArray[np.uint64]:
    """n words of stream `index`, starting at word 4 * block."""
    philox = np.random.Philox(key=seed | purpose << 64, counter=block | index << 64)
    return philox.random_raw(n)


# Numerators and denominators of AS 241, constant term first.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
