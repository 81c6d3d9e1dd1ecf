"""Random numbers and the arithmetic below them: right, and the same for ever."""

import math

import numpy as np
import pytest

from fastgd import backend, initializers, schedules
from fastgd._common import exact_math, random
from fastgd.optimizers import Adam

# Functions of IEEE arithmetic


def test_log_is_within_3_ulp():
    x = np.concatenate([np.logspace(-300, 300, 5001), np.linspace(0.3, 3, 5000), [5e-324, 1, np.finfo(float).max]])
    expected = np.array([math.log(v) for v in x])
    assert (abs(exact_math.log(x) - expected) <= 3 * np.spacing(abs(expected))).all()


def test_cos_pi_is_close_and_exact_at_the_ends():
    x = np.linspace(0, 1, 10001)
    np.testing.assert_allclose(exact_math.cos_pi(x), np.cos(np.pi * x), rtol=0, atol=4e-16)
    assert exact_math.cos_pi(np.array([0, 0.5, 1])).tolist() == [1, 0, -1]


@pytest.mark.parametrize("base", [0.0, 0.1, 0.9, 0.999, 1.0])
def test_power(base):
    n = np.array([0, 1, 2, 3, 10, 1000, 2**40])
    np.testing.assert_allclose(exact_math.power(base, n), [base ** int(k) for k in n], rtol=1e-12)
    assert n[-1] == 2**40


@pytest.mark.parametrize("base", [0.0, 0.1, 0.9, 0.999, 1.0])
def test_few_powers_have_the_bits_of_many(base):
    n = np.arange(3000, dtype=np.int64)
    many = exact_math.power(base, n)
    few = [exact_math.power(base, part) for part in np.split(n, 300)]
    np.testing.assert_array_equal(np.concatenate(few), many)


# Random numbers


def philox4x64(counter, key):
    """One block of Philox4x64-10, written from Salmon et al. (2011), section 3."""
    mask, (c0, c1, c2, c3), (k0, k1) = 2**64 - 1, counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c2, 2**64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return [c0, c1, c2, c3]


def test_bits_are_philox_with_the_layout_that_the_file_states():
    known = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]  # Random123's kat_vectors
    assert philox4x64((0, 0, 0, 0), (0, 0)) == known
    for seed, purpose, index in ((0, random.INIT, 0), (2**64 - 1, random.NOISE, 2**64 - 1), (7, random.DROPOUT, 5)):
        blocks = [philox4x64((block, index, 0, 0), (seed, purpose)) for block in (1, 2, 3)]
        assert random.bits(seed, purpose, index, 10).tolist() == sum(blocks, [])[:10]


def test_random_numbers_never_change():
    """Recorded once: a change here breaks every seed that users have written down."""
    assert random.bits(1, random.NOISE, 2, 3).tolist() == [
        12483249002852033336,
        11238618367694719078,
        3040150727717535804,
    ]
    assert random.permutation(1, 2, 12).tolist() == [8, 1, 3, 11, 0, 5, 6, 10, 4, 9, 2, 7]
    assert random.permutation(1, 2, 1437)[:4].tolist() == [545, 1395, 951, 237]
    assert random.permutation(1, 2, 10**6)[:4].tolist() == [12391, 59294, 885478, 163563]


@pytest.mark.parametrize(
    ("numbers", "recorded"),
    [
        (
            random.uniform(1, random.INIT, 0, 3),
            ["0x1.36da89edd58a0p-2", "0x1.b289f407757c1p-1", "0x1.3fc3972bb8304p-3"],
        ),
        (
            random.normal(1, random.INIT, 0, 6),
            [
                "-0x1.0740bdbfeba2ap-1",
                "0x1.07e9ca910c318p+0",
                "-0x1.02ae3eccf376ep+0",
                "-0x1.dd61edf146acbp+0",
                "0x1.48781c1891829p+0",
                "-0x1.a008fd46218b1p+0",
            ],
        ),
        (
            initializers.get("glorot_normal").weights(2, 2, 3, 1),
            ["-0x1.1dc781673ad0bp-2", "0x1.60c69956fb226p-2", "0x1.3badbdb8c1cb9p-1", "0x1.5989131768b22p+0"],
        ),
        (
            schedules.Cosine(0.3, 0.1)(np.array([0.1, 1, 3.3, 9.9]), 10),
            ["0x1.332643c85d01bp-2", "0x1.2e302d0a74433p-2", "0x1.00ed03e9fba2ep-2", "0x1.99cd5744f25fbp-4"],
        ),
        (
            Adam().coefficients(np.array([0.1]), np.array([10]))[0, [0, 6]],
            ["0x1.3a7007bfa70eap-3", "0x1.40b8734fb3f78p+3"],
        ),
    ],
    ids=["uniform", "normal", "weights", "cosine", "adam"],
)
def test_floats_that_both_engines_share_never_change(numbers, recorded):
    assert [x.hex() for x in numbers.ravel().tolist()] == recorded


def test_purposes_and_streams_differ():
    streams = {tuple(random.bits(0, p, i, 4).tolist()) for p in random.Purpose for i in range(3)}
    assert len(streams) == 3 * len(random.Purpose)


# Permutations


def philox_words(seed, epoch, blocks):
    """The words of the blocks that belong to this epoch, as Python integers."""
    counters = range(epoch * blocks + 1, (epoch + 1) * blocks + 1)
    return [w for block in counters for w in philox4x64((block, 0, 0, 0), (seed, random.SHUFFLE))]


def permutation_by_the_docstring(seed, epoch, n):
    k = (n - 1).bit_length()
    if n <= 1024:
        halves = [half for w in philox_words(seed, epoch, -(-n // 8)) for half in (w % 2**32, w >> 32)]
        return sorted(range(n), key=lambda i: halves[i] >> k << k | i)
    numbers = [mixed(i, philox_words(seed, epoch, 2), k) for i in range(2**k)]
    return [i for i in numbers if i < n]


def mixed(i, words, k):
    for w, c in zip(words, 4 * [0x7FEB352D, 0x846CA68B], strict=True):
        i = (i + w) * c % 2**k
        i ^= i >> (k - 1) // 2
    return i


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 150, 1024, 1025, 1437, 2048, 2049, 33_000])
def test_permutation_is_what_its_docstring_says(n):
    epoch, seed = 3, 2**64 - 5
    assert random.permutation(seed, epoch, n).tolist() == permutation_by_the_docstring(seed, epoch, n)


@pytest.mark.parametrize("engine", backend.available(), ids=str)
def test_every_engine_has_the_same_orders(engine):
    sizes = [*range(1, 70), 150, 1000, 1023, 1024, 1025, 1437, 2047, 2048, 2049, 6400, 32_769, 70_000, 10**6]
    for seed, n in enumerate(sizes, 2**64 - 100):
        order, epoch = np.zeros((3 if n < 10**5 else 1, n), np.int64), seed % 7 * 10**9
        expected = random.permutations(seed, epoch, *order.shape)
        engine.fill_orders(order, seed, epoch)
        np.testing.assert_array_equal(order, expected)
        rows = 3 * np.arange(n)[::-1].copy()
        engine.fill_orders(order, seed, epoch, rows)
        np.testing.assert_array_equal(order, rows[expected])


@pytest.mark.parametrize("engine", backend.available(), ids=str)
def test_orders_and_rows_must_fit_together(engine):
    if engine.backend == "numpy":
        pytest.skip("NumPy checks its arguments itself")
    order = np.zeros((2, 5), np.int64)
    for wrong in (order.T, order.astype(np.int32), np.zeros((2, 5), np.uint64)):
        with pytest.raises((ValueError, BufferError), match="order|contiguous"):
            engine.fill_orders(wrong, 0, 0)
    for rows in (np.arange(4), np.arange(5, dtype=np.int32), np.arange(10)[::2]):
        with pytest.raises((ValueError, BufferError), match="rows|contiguous"):
            engine.fill_orders(order, 0, 0, rows)
    assert not order.any()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 63, 64, 65, 1024, 1025, 2047, 2048, 32_768, 32_769, 70_000])
def test_permutations_are_permutations_and_the_same_one_by_one(n):
    many = random.permutations(3, 5, 7, n)
    assert many.shape == (7, n)
    assert many.dtype == np.int64
    assert many.flags.c_contiguous
    for i, row in enumerate(many):
        np.testing.assert_array_equal(np.sort(row), np.arange(n))
        np.testing.assert_array_equal(row, random.permutation(3, 5 + i, n))


@pytest.mark.parametrize("n", [1025, 5000, 16_384])
def test_blocks_change_no_order(monkeypatch, n):
    whole = random.permutations(3, 5, 40, n)
    monkeypatch.setattr(random, "_BLOCK", 2**11)
    np.testing.assert_array_equal(random.permutations(3, 5, 40, n), whole)


@pytest.mark.parametrize("k", [11, 16, 31, 32, 33, 40, 63, 64])
def test_mixing_is_exact_up_to_64_bits(k):
    """The words that are wide enough for k bits give the numbers that Python's integers give."""
    words = philox_words(7, 0, 2)
    dtype = np.uint32 if k <= 32 else np.uint64
    i = [0, 1, 2, 2**k // 3, 2**k - 2, 2**k - 1]
    x = np.array([i], dtype)
    random._mix(x, np.empty_like(x), np.array([words], np.uint64).astype(dtype), k)
    assert x[0].tolist() == [mixed(number, words, k) for number in i]


def assert_uniform(counts, freedom):
    """Pearson's chi-square below a bound that chance passes once in a million (Laurent & Massart 2000, lemma 1)."""
    expected, t = counts.mean(), math.log(1e6)
    assert ((counts - expected) ** 2 / expected).sum() < freedom + 2 * math.sqrt(freedom * t) + 2 * t


def assert_mean(samples, expected):
    """Within five standard errors."""
    assert abs(samples.mean() - expected) < 5 * samples.std() / math.sqrt(len(samples))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_all_orders_are_equally_likely(n):
    orders = math.factorial(n)
    rows, counts = np.unique(random.permutations(0, 0, 1000 * orders, n), axis=0, return_counts=True)
    assert len(rows) == orders
    assert_uniform(counts, orders - 1)


@pytest.mark.parametrize(("n", "bins"), [(2, 2), (3, 3), (5, 5), (16, 16), (150, 150), (1437, 479), (2048, 256)])
def test_each_row_is_equally_likely_at_each_position(n, bins):
    width = n // bins
    P = random.permutations(1, 0, max(100, 30 * bins // width), n) // width
    cells = P + bins * (np.arange(n) // width)
    assert_uniform(np.bincount(cells.ravel(), minlength=bins * bins), (bins - 1) ** 2)


SIZES = [16, 150, 1000, 1437, 2048]  # up to 1024 sorted, above mixed; 2048 keeps all that is mixed


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("distance", [1, 2, 15])
def test_rows_that_follow_each_other_are_uncorrelated(n, distance):
    P = random.permutations(2, 0, 2000, n) - (n - 1) / 2
    correlation = (P * np.roll(P, distance, axis=1)).mean(axis=1) * 12 / (n**2 - 1)
    assert_mean(correlation, -1 / (n - 1))


@pytest.mark.parametrize("n", SIZES)
def test_rows_are_as_far_from_home_as_chance_has_it(n):
    P = random.permutations(3, 0, 2000, n)
    fixed = (np.arange(n) == P).sum(axis=1)
    assert_mean(fixed, 1)
    assert_mean(fixed * (fixed - 1.0), 1)  # Poisson's: exactly 1 for a permutation, too
    assert_mean(abs(P - np.arange(n)).mean(axis=1), (n - 1 / n) / 3)


@pytest.mark.parametrize("n", SIZES)
def test_runs_are_as_long_as_chance_has_them(n):
    P = random.permutations(4, 0, 4000, n)
    up = P[:, 1:] > P[:, :-1]
    ascending = up  # as many rows as `length`, from each position
    for length in (2, 3, 4, 5):
        assert_mean(ascending.sum(axis=1), (n - length + 1) / math.factorial(length))
        ascending = ascending[:, :-1] & up[:, length - 1 :]
    a, b, c, d = P[:, : n // 4 * 4].reshape(-1, 4).T
    code = sum((x < y) << i for i, (x, y) in enumerate(((a, b), (a, c), (a, d), (b, c), (b, d), (c, d))))
    counts = np.bincount(code)
    assert_uniform(counts[counts > 0], 23)


@pytest.mark.parametrize("k", [11, 12, 14])
def test_differences_are_those_of_chance(k):
    """What too few rounds get wrong first: i and i ^ d land the same distance apart for too many i.

    The N / 2 pairs {i, i ^ d} of a random permutation of N = 2^k agree two by two with probability 1 / (N - 3).
    """
    N = 2**k
    epochs = 2**21 // N
    P = random.permutations(5, 0, epochs, N)
    for d in [1, 3, *(2**j for j in range(1, k)), N - 1]:
        i = np.arange(N)
        i = i[i < i ^ d]
        difference = P[:, i] ^ P[:, i ^ d]
        counts = np.bincount((difference + N * np.arange(epochs)[:, None]).ravel(), minlength=epochs * N)
        agreeing = (counts * (counts - 1)).reshape(epochs, N).sum(axis=1)
        assert_mean(agreeing, N / 2 * (N / 2 - 1) / (N - 3))


@pytest.mark.parametrize("n", [1000, 1437])
def test_batches_are_balanced(n):
    P = random.permutations(6, 0, 4000, n)
    batches = P[:, : n // 32 * 32].reshape(len(P), -1, 32)
    for rows in (np.arange(n // 10), np.arange(1, n, 2), np.arange(0, n, 8)):
        kind, share = np.isin(batches, rows), len(rows) / n
        excess = kind.sum(axis=2) - 32 * share
        assert_mean(excess.mean(axis=1), 0)
        assert_mean((excess**2).mean(axis=1), 32 * share * (1 - share) * (n - 32) / (n - 1))  # hypergeometric
    batch = np.argsort(P, axis=1) // 32
    for d in (1, 2, 3, 8, 32, 512):
        together = (batch[:, d:] == batch[:, :-d]) & (batch[:, d:] < n // 32)  # the last batch is smaller
        assert_mean(together.sum(axis=1), (n - d) * (n // 32) * 32 * 31 / (n * (n - 1)))


@pytest.mark.parametrize("n", SIZES)
def test_epochs_and_seeds_are_independent(n):
    P = random.permutations(8, 0, 2000, n)
    seeds = np.concatenate([random.permutations(seed, 0, 1, n) for seed in range(500)])
    for a, b in ((P[1:], P[:-1]), (P[2:], P[:-2]), (P[32:], P[:-32]), (seeds[1:], seeds[:-1])):
        centre = (n - 1) / 2
        assert_mean((a == b).sum(axis=1), 1)
        assert_mean(((a - centre) * (b - centre)).mean(axis=1) * 12 / (n**2 - 1), 0)
        assert_mean(((a - centre) * (b[:, ::-1] - centre)).mean(axis=1) * 12 / (n**2 - 1), 0)


# Uniform and normal numbers


def test_uniform_and_normal_have_their_moments():
    """Bounds are five standard errors."""
    n = 200_000
    u, x = random.uniform(0, random.NOISE, 0, n), random.normal(0, random.NOISE, 1, n)
    error = 5 / math.sqrt(n)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < error * math.sqrt(1 / 12)
    assert abs(u.var() - 1 / 12) < error * math.sqrt(1 / 180)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - moment) < error * math.sqrt(variance)


def test_normal_quantile_against_scipy():
    stats = pytest.importorskip("scipy.stats")
    p = np.concatenate([np.logspace(-300, -1, 3001), np.linspace(0.001, 0.999, 9981), 1 - np.logspace(-15, -1, 500)])
    np.testing.assert_allclose(random.normal_quantile(p), stats.norm.ppf(p), rtol=2e-15, atol=1e-16)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int32(7), np.uint64(2**63)])
def test_seed_may_be_any_integer_of_64_bits(seed):
    assert random.check_seed(seed) == int(seed)
    assert type(random.check_seed(seed)) is int


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (2**64, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError)]
)
def test_seed_is_checked(seed, error):
    with pytest.raises(error, match=r"seed must be .*\[0, 2\*\*64\)"):
        random.check_seed(seed)


def test_new_seeds_differ():
    assert len({random.check_seed(random.new_seed()) for _ in range(10)}) == 10
