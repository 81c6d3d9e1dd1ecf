"""The definition of products in bfloat16, against exact arithmetic with fractions."""

from fractions import Fraction

import numpy as np
import pytest

from fastgd.engine import bf16
from fastgd.engine.bf16 import matmul, round_to_bf16

# Words of float32: every upper half with lower halves at and around the ties.
LOWER = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
WORDS = np.add.outer(np.arange(1 << 16, dtype=np.uint32) << 16, LOWER).ravel()
VALUES = WORDS.view(np.float32)
IS_DENORMAL = (WORDS & 0x7F800000 == 0) & (WORDS & 0x7FFFFF != 0)


def test_rounding_is_to_the_nearest_and_ties_go_to_the_even():
    values = VALUES[np.isfinite(VALUES) & ~IS_DENORMAL]
    below = values.view(np.uint32) & 0xFFFF0000  # words of the neighbours, by size
    above = below + 0x10000
    x, low = values.astype(np.float64), below.view(np.float32).astype(np.float64)
    gap = 2.0 ** (np.frexp(low)[1] - 8) * np.sign(x)  # to the upper neighbour, even where that overflows
    is_low = (abs(x - low) < abs(low + gap - x)) | ((abs(x - low) == abs(low + gap - x)) & (below >> 16 & 1 == 0))
    np.testing.assert_array_equal(round_to_bf16(values).view(np.uint32), np.where(is_low, below, above))


def test_rounding_of_denormal_numbers_infinities_and_nan():
    denormal = round_to_bf16(VALUES[IS_DENORMAL])
    np.testing.assert_array_equal(denormal, 0)
    np.testing.assert_array_equal(np.signbit(denormal), np.signbit(VALUES[IS_DENORMAL]))
    np.testing.assert_array_equal(round_to_bf16(np.array([np.inf, -np.inf, 0.0, -0.0])), [np.inf, -np.inf, 0, 0])
    nan = round_to_bf16(VALUES[np.isnan(VALUES)]).view(np.uint32)
    assert np.isnan(nan.view(np.float32)).all()
    assert (nan & 0x400000).all(), "a quiet NaN"
    assert (nan & 0xFFFF == 0).all()


def test_rounding_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    values = VALUES[~np.isnan(VALUES) & ~IS_DENORMAL]  # PyTorch keeps denormal numbers
    want = torch.from_numpy(values.copy()).to(torch.bfloat16).to(torch.float32).numpy()
    np.testing.assert_array_equal(round_to_bf16(values).view(np.uint32), want.view(np.uint32))


def test_rounding_takes_any_layout():
    A = np.random.default_rng(0).normal(size=(6, 10)).astype("float32")
    want = round_to_bf16(A)
    for view in (A.T, A[::-1], A[:, ::2]):
        np.testing.assert_array_equal(round_to_bf16(view), round_to_bf16(view.copy()))
    np.testing.assert_array_equal(round_to_bf16(want), want)


def round_to_float32(x):
    """The float32 nearest to a fraction, ties to even, as if exponents had no limits; then denormal numbers are 0."""
    if x == 0:
        return x
    exponent = abs(x).numerator.bit_length() - abs(x).denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent  # now 2^exponent <= |x| < 2^(exponent + 1)
    unit = Fraction(2) ** (exponent - 23)
    rounded = round(x / unit) * unit  # Python rounds halves to even
    return rounded if abs(rounded) >= Fraction(2) ** -126 else Fraction(0)


def exact_product(a, b, start=0.0):
    """The definition for one element, in fractions."""
    a, b = ([Fraction(float(x)) for x in round_to_bf16(v)] for v in (a, b))
    total = Fraction(float(start))
    for k in range(0, len(a), 32):
        chains = [Fraction(0), Fraction(0)]
        for i in range(k, min(k + 32, len(a))):
            chains[i % 2] = round_to_float32(chains[i % 2] + a[i] * b[i])
        total = round_to_float32(total + round_to_float32(chains[0] + chains[1]))
    return float(total)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def spread(rng, *shape):
    """Values of all sizes whose products are far from the limits."""
    return (rng.normal(size=shape) * 2.0 ** rng.integers(-40, 41, shape)).astype(np.float32)


def tiny(rng, *shape):
    """Values whose products lie around the smallest normal number, so that sums of them cancel to denormal ones."""
    return (rng.normal(size=shape) * 2.0 ** rng.integers(-72, -58, shape)).astype(np.float32)


@pytest.mark.parametrize("values", [normal, spread, tiny])
@pytest.mark.parametrize("K", [1, 2, 31, 32, 33, 64, 70])
def test_every_element_is_the_exact_chain(values, K):
    rng = np.random.default_rng(K)
    A, B = values(rng, 7, K), values(rng, K, 5)
    want = [[exact_product(a, b) for b in B.T] for a in A]
    np.testing.assert_array_equal(matmul(A, B), np.array(want, np.float32))


@pytest.mark.parametrize("values", [normal, spread, tiny])
def test_the_sum_of_an_earlier_product_is_resumed(values):
    rng = np.random.default_rng(1)
    A, B = values(rng, 4, 100), values(rng, 100, 3)
    out = np.empty((4, 3), np.float32)
    assert matmul(A[:, :64], B[:64], out) is out
    want = [
        [exact_product(a[64:], b[64:], c) for b, c in zip(B.T, row, strict=True)] for a, row in zip(A, out, strict=True)
    ]
    assert matmul(A[:, 64:], B[64:], out, accumulate=True) is out
    np.testing.assert_array_equal(out, np.array(want, np.float32))
    np.testing.assert_array_equal(out, matmul(A, B))


def test_a_result_just_below_the_normal_numbers_is_rounded_before_it_is_flushed():
    """2^-126 - 2^-151 is a tie of 24-bit numbers, which goes up to the smallest normal one; less is 0."""
    least = 2.0**-126
    A = np.array([[1, 1], [1, 1], [1, -1]], np.float32)
    B = np.array([[least], [0]], np.float32)
    np.testing.assert_array_equal(matmul(A, B), np.full((3, 1), least, np.float32))
    # Exact products below the range of float32, added to a normal number by a fused multiply-add.
    x, y = np.float32(2.0**-70), np.float32(2.0**-81)
    row, column = np.array([[2.0**-63, 0, -x]], np.float32), np.array([[2.0**-63], [0], [y]], np.float32)
    np.testing.assert_array_equal(matmul(row, column), [[np.float32(least)]])
    column[2] = 3 * y
    np.testing.assert_array_equal(matmul(row, column), [[0.0]])


def test_a_product_beyond_float32_is_fused_with_its_sum():
    a, b = np.array([[-(2.0**63), 0, 2.0**64]], np.float32), np.array([[2.0**64], [0], [2.0**64]], np.float32)
    np.testing.assert_array_equal(matmul(a, b), [[2.0**127]])


def test_infinities_and_nan():
    A = np.array([[np.inf, 1], [np.nan, 1], [3e38, 3e38], [1, 1]], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        got = matmul(A, np.array([[2, 0], [2, 1]], np.float32))
    large = round_to_bf16(A[2:3, :1]).item()
    np.testing.assert_array_equal(got, [[np.inf, np.nan], [np.nan, np.nan], [np.inf, large], [4, 1]])


def test_the_rows_of_dz_are_added_in_groups():
    dz = normal(np.random.default_rng(2), 200, 1)
    want = np.float32(0)
    for k in range(0, 200, 32):
        group = np.float32(0)
        for value in dz[k : k + 32, 0]:
            group += value
        want += group
    out = np.empty(1, np.float32)
    bf16.sum_rows(dz[:64], out)
    bf16.sum_rows(dz[64:], out, accumulate=True)
    np.testing.assert_array_equal(out, [want])


def test_products_are_near_those_of_float32():
    """Each factor is wrong by up to 2^-9 of itself, in random directions."""
    rng = np.random.default_rng(3)
    A, B = normal(rng, 30, 500), normal(rng, 500, 20)
    error = np.linalg.norm(matmul(A, B) - A @ B) / np.linalg.norm(A @ B)
    assert 2.0**-11 < error < 2.0**-8
