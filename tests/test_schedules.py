"""Learning-rate schedules give the rates of their formulas."""

import math

import numpy as np
import pytest

from fastgd import schedules

T = np.linspace(0, 10, 41)


def test_schedule_values():
    np.testing.assert_array_equal(schedules.Constant(0.3)(T, 10), np.full(41, 0.3))
    np.testing.assert_allclose(schedules.Step(0.3, every=2.5)(T, 10), 0.3 * 0.1 ** np.floor(T / 2.5), rtol=1e-14)
    cosine = 0.1 + 0.2 * (1 + np.cos(np.pi * T / 10)) / 2
    np.testing.assert_allclose(schedules.Cosine(0.3, final=0.1)(T, 10), cosine, rtol=1e-15)
    np.testing.assert_allclose(schedules.Cosine(0.3, 0.1, epochs=10)(T, math.inf), cosine, rtol=1e-15)
    np.testing.assert_array_equal(schedules.Cosine(0.3, 0.1, epochs=5)(T, 10)[T >= 5], 0.1)
    warm = schedules.Warmup(schedules.Cosine(0.3), epochs=4, start=0.1)(T, 10)
    np.testing.assert_allclose(warm[T <= 4], 0.1 + 0.2 * T[T <= 4] / 4, rtol=1e-15)
    np.testing.assert_array_equal(warm[T >= 4], schedules.Cosine(0.3)(T[T >= 4] - 4, 6))


def test_cosine_ends_exactly():
    assert schedules.Cosine(0.3, 0.1)(np.array([0.0, 5.0, 10.0]), 10).tolist() == [0.1 + (0.3 - 0.1), 0.2, 0.1]


@pytest.mark.parametrize("inner", [0.3, schedules.Cosine(0.3), lambda t: 0.3])
def test_warmup_may_fill_the_whole_run(inner):
    np.testing.assert_allclose(schedules.Warmup(inner, epochs=20)(T, 10), 0.3 * T / 20, rtol=1e-15)


def test_rate_may_be_a_number_a_schedule_or_a_function():
    assert schedules.as_schedule(0.1) == schedules.Constant(0.1)
    step = schedules.Step(0.1, 3)
    assert schedules.as_schedule(step) is step
    seen = []
    rates = schedules.as_schedule(lambda t: seen.append(t) or 0.1 * t)(T, 10)
    np.testing.assert_array_equal(rates, 0.1 * T)
    assert seen == T.tolist() and all(type(t) is float for t in seen)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_schedule_refuses_bad_rates(value):
    with pytest.raises(ValueError, match=r"gave lr=.* at epoch 2\.5; it must be in \[0, inf\)"):
        schedules.as_schedule(lambda t: value if t == 2.5 else 0.1)(T, 10)
    with pytest.raises(ValueError, match=r"lr must be in \[0, inf\)"):
        schedules.Constant(value)


def test_cosine_needs_a_length():
    with pytest.raises(ValueError, match=r"write Cosine\(0.3, epochs=\.\.\.\)"):
        schedules.Cosine(0.3)(T, math.inf)
