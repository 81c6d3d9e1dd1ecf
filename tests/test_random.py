"""Random numbers, first weights and the arithmetic below them: right, and the same for ever."""

import inspect
import math

import numpy as np
import pytest

from fastgd import _math, activations, initializers, random, schedules
from fastgd.activations import ACTIVATIONS
from fastgd.initializers import INITIALIZERS
from fastgd.optimizers import Adam

# Functions of IEEE arithmetic


def test_log_is_within_3_ulp():
    x = np.concatenate([np.logspace(-300, 300, 5001), np.linspace(0.3, 3, 5000), [5e-324, 1, np.finfo(float).max]])
    expected = np.array([math.log(v) for v in x])
    assert (abs(_math.log(x) - expected) <= 3 * np.spacing(abs(expected))).all()


def test_cos_pi_is_close_and_exact_at_the_ends():
    x = np.linspace(0, 1, 10001)
    np.testing.assert_allclose(_math.cos_pi(x), np.cos(np.pi * x), rtol=0, atol=4e-16)
    assert _math.cos_pi(np.array([0, 0.5, 1])).tolist() == [1, 0, -1]


@pytest.mark.parametrize("base", [0.0, 0.1, 0.9, 0.999, 1.0])
def test_power(base):
    n = np.array([0, 1, 2, 3, 10, 1000, 2**40])
    np.testing.assert_allclose(_math.power(base, n), [base ** int(k) for k in n], rtol=1e-12)
    assert n[-1] == 2**40


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
    assert random.permutation(1, 2, 12).tolist() == [8, 10, 2, 9, 4, 3, 6, 7, 0, 5, 11, 1]


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


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 63, 64, 65, 1000])
def test_permutations_are_permutations_and_the_same_one_by_one(n):
    many = random.permutations(3, 5, 7, n)
    assert many.shape == (7, n) and many.dtype == np.int64 and many.flags.c_contiguous
    for i, row in enumerate(many):
        np.testing.assert_array_equal(np.sort(row), np.arange(n))
        np.testing.assert_array_equal(row, random.permutation(3, 5 + i, n))


def test_permutations_are_all_equally_likely():
    rows, counts = np.unique(random.permutations(0, 0, 24_000, 4), axis=0, return_counts=True)
    assert len(rows) == 24
    assert ((counts - 1000) ** 2 / 1000).sum() < 49.7  # chi-square of 23 degrees of freedom: 1 in 1000


def test_permutations_differ_by_epoch_and_seed():
    rows = np.concatenate([random.permutations(seed, 0, 5, 50) for seed in range(5)])
    assert len(np.unique(rows, axis=0)) == 25


def test_uniform_and_normal_have_their_moments():
    """Bounds are five standard errors."""
    n = 200_000
    u, x = random.uniform(0, random.NOISE, 0, n), random.normal(0, random.NOISE, 1, n)
    error = 5 / math.sqrt(n)
    assert u.min() >= 0 and u.max() < 1
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
    assert random.check_seed(seed) == int(seed) and type(random.check_seed(seed)) is int


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (2**64, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError)]
)
def test_seed_is_checked(seed, error):
    with pytest.raises(error, match=r"seed must be .*\[0, 2\*\*64\)"):
        random.check_seed(seed)


def test_new_seeds_differ():
    assert len({random.check_seed(random.new_seed()) for _ in range(10)}) == 10


# Initialisers


def initializer(name):
    """An object of this row; numbers without a default are 0.25."""
    cls = INITIALIZERS[name]
    needed = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return cls(*[0.25] * len(needed))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_are_a_function_of_seed_and_layer(name):
    init = initializer(name)
    W = init.weights(5, 3, 1, 2)
    assert W.shape == (5, 3) and W.dtype == np.float64
    np.testing.assert_array_equal(W, init.weights(5, 3, 1, 2))
    if np.ptp(W) > 0:
        assert (W != init.weights(5, 3, 2, 2)).all() and (W != init.weights(5, 3, 1, 3)).all()


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if "_" in name])
def test_weights_have_their_variance(name):
    """Bounds are five standard errors of the sample variance."""
    n_in, n_out = 400, 200
    family, shape = name.split("_")
    variance = {"he": 2 / n_in, "glorot": 2 / (n_in + n_out), "lecun": 1 / n_in}[family]
    W = initializer(name).weights(n_in, n_out, 0, 0)
    assert abs(W.mean()) < 5 * math.sqrt(variance / W.size)
    assert W.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / W.size))
    bound = math.sqrt(3 * variance)
    if shape == "uniform":
        assert abs(W).max() <= bound and abs(W).max() == pytest.approx(bound, rel=1e-3)
    else:
        assert abs(W).max() > 2 * bound


def test_constant_weights():
    assert (initializers.Zeros().weights(2, 3, 0, 0) == 0).all()
    assert (initializers.Constant(-1.5).weights(2, 3, 0, 0) == -1.5).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_an_initializer(name):
    assert initializers.default_for(activations.get(name)).name == ACTIVATIONS[name].init
