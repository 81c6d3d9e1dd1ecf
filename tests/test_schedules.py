"""Learning-rate schedules give the rates of their formulas."""

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from problems import in_turn

import fastgd as gd
from fastgd import schedules
from fastgd._common import exact_math
from fastgd.optimizers import OPTIMIZERS
from fastgd.schedules.base import Span

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
    assert seen == T.tolist()
    assert all(type(t) is float for t in seen)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_schedule_refuses_bad_rates(value):
    with pytest.raises(ValueError, match=r"gave .* at epoch 2\.5; it must be in \[0, inf\)"):
        schedules.as_schedule(lambda t: value if t == 2.5 else 0.1)(T, 10)
    with pytest.raises(ValueError, match=r"lr must be in \[0, inf\)"):
        schedules.Constant(value)


def test_cosine_needs_a_length():
    with pytest.raises(ValueError, match=r"write Cosine\(0.3, epochs=\.\.\.\)"):
        schedules.Cosine(0.3)(T, math.inf)


def test_exponential_is_smooth():
    np.testing.assert_allclose(schedules.Exponential(0.3, 0.7)(T, 10), 0.3 * 0.7**T, rtol=1e-14)


def test_polynomial_ends_at_final():
    rates = schedules.Polynomial(0.3, 0.1, power=2.5)(T, 10)
    np.testing.assert_allclose(rates, 0.1 + 0.2 * (1 - T / 10) ** 2.5, rtol=1e-14)
    assert schedules.Polynomial(0.3, 0.1, epochs=4)(T, 10)[T >= 4].tolist() == [0.1] * (T >= 4).sum()


def test_restarts():
    """Cycles of 2, 3 and 4.5 epochs."""
    rates = schedules.CosineRestarts(0.3, 2, factor=1.5, final=0.1)(T, 10)
    starts, lengths = np.array([0, 2, 5, 9.5]), np.array([2, 3, 4.5, 6.75])
    cycle = np.searchsorted(starts, T, side="right") - 1
    cosine = 0.1 + 0.2 * (1 + np.cos(np.pi * (T - starts[cycle]) / lengths[cycle])) / 2
    np.testing.assert_allclose(rates, cosine, rtol=1e-14)


@pytest.mark.parametrize("cycles", [1, 4])
def test_cosine_of_the_logarithm(cycles):
    """Cycles end at the shares 1/15, 3/15, 7/15 and 1 for 4 of them."""
    rates = schedules.CosineLog(0.3, cycles)(T, 10)
    expected = 0.15 * (1 - np.cos(2 * np.pi * np.log2(1 + (2**cycles - 1) * T / 10)))
    np.testing.assert_allclose(rates, expected, atol=1e-15)
    ends = (2.0 ** np.arange(cycles + 1) - 1) / (2**cycles - 1)
    np.testing.assert_allclose(schedules.CosineLog(0.3, cycles, epochs=5)(5 * ends, 10), 0, atol=1e-28)


def test_no_rounding_below_zero():
    """A cosine of the last moments before 1 may come out a bit below -1."""
    t = np.nextafter(3.0, 0) * (1 - np.arange(2000) * 2e-16)
    assert (schedules.Cosine(0.3, epochs=3)(t, 3) >= 0).all()
    assert schedules.CosineRestarts(0.3, 3, 1.3)(np.array([6.9]), 10) >= 0


def test_one_cycle():
    rates = schedules.OneCycle(0.5, start=0.1, final=0.2, peak=0.4)(T, 10)
    assert rates[0] == pytest.approx(0.1)
    assert rates[T == 4] == 0.5
    assert rates[-1] == pytest.approx(0.2)
    assert (np.diff(rates[T <= 4]) > 0).all()
    assert (np.diff(rates[T >= 4]) < 0).all()
    default = schedules.OneCycle(0.5, epochs=10)(np.array([0.0, 10.0]), math.inf)
    np.testing.assert_allclose(default, [0.02, 2e-6], rtol=1e-10)


def test_piecewise_values():
    """As in Keras' PiecewiseConstantDecay, but for the boundary itself, which belongs to the value after it."""
    rates = schedules.Piecewise([2, 7.5], [0.3, 0.5, 0.1])(T, 10)
    np.testing.assert_array_equal(rates, np.where(T < 2, 0.3, np.where(T < 7.5, 0.5, 0.1)))


@pytest.mark.parametrize("staircase", [False, True])
def test_inverse_time(staircase):
    """Keras' InverseTimeDecay: lr / (1 + decay_rate step / decay_steps), the quotient rounded down for a staircase."""
    elapsed = np.floor(T / 1.6) if staircase else T / 1.6
    rates = schedules.InverseTime(0.3, rate=0.7, every=1.6, staircase=staircase)
    np.testing.assert_allclose(rates(T, 10), 0.3 / (1 + 0.7 * elapsed), rtol=1e-15)
    limited = schedules.InverseTime(0.3, 0.7, 1.6, staircase, final=0.1)(T, 10)
    np.testing.assert_array_equal(limited, np.maximum(rates(T, 10), 0.1))


@pytest.mark.parametrize(
    "make", [lambda f, **k: schedules.Step(0.3, 1, f, **k), lambda f, **k: schedules.Exponential(0.3, f, **k)]
)
def test_a_final_rate_is_the_lowest_or_with_growth_the_highest(make):
    for factor, limit in ((0.7, np.maximum), (1.2, np.minimum)):
        np.testing.assert_array_equal(make(factor, final=0.2)(T, 10), limit(make(factor)(T, 10), 0.2))
        np.testing.assert_array_equal(make(factor, final=None)(T, 10), make(factor)(T, 10))


def test_cycles():
    """Up for 1.5 epochs, down for 2.5."""
    position = T % 4
    height = np.where(position < 1.5, position / 1.5, (4 - position) / 2.5)
    for mode, scale in (("triangular", 1.0), ("triangular2", 0.5 ** np.floor(T / 4)), ("exp_range", 0.8**T)):
        cyclic = schedules.Cyclic(0.5, start=0.1, up=1.5, down=2.5, mode=mode, factor=0.8)
        np.testing.assert_allclose(cyclic(T, 10), 0.1 + 0.4 * height * scale, rtol=1e-14)
    momentum = schedules.Cyclic(0.85, start=0.95, up=2)(T, 10)
    assert momentum.min() == 0.85
    assert momentum.max() == 0.95


ALL = [
    schedules.Step(0.3, 2.5),
    schedules.Step(0.3, 2.5, 0.5, final=0.1),
    schedules.Piecewise((2, 7.5), (0.3, 0.5, 0.1)),
    schedules.InverseTime(0.3, 0.7),
    schedules.Cyclic(0.5, 0.1, 1.5, 2.5, "exp_range", 0.8),
    schedules.MultiStep(0.3, [2, 7.5]),
    schedules.Exponential(0.3, 0.9),
    schedules.Cosine(0.3, 0.1),
    schedules.CosineRestarts(0.3, 3, 1.3),
    schedules.CosineLog(0.3),
    schedules.OneCycle(0.3),
    schedules.Polynomial(0.3, power=0.7),
    schedules.Warmup(schedules.Cosine(0.3), 2),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_rates_do_not_depend_on_the_chunk(schedule):
    np.testing.assert_array_equal(schedule(T, 10), [schedule(T[i : i + 1], 10)[0] for i in range(len(T))])


# ---- every number of a run takes every schedule

EVERY = [*ALL, schedules.Constant(0.3), schedules.Scaled(schedules.Step(0.6, 4), 0.5), lambda t: 0.2 + t / 20]
FIXED = {("nadam", "momentum_decay"), ("adagrad", "initial_accumulator_value")}
NUMBERS = [
    (name, setting)
    for name, cls in OPTIMIZERS.items()
    for setting in cls.intervals
    if setting != "lr" and (name, setting) not in FIXED
]
MOMENTS = np.arange(6) * 1.7 + 0.15


def kind(value):
    return getattr(type(value), "__name__", value)


def at(schedule, i):
    return float(schedules.as_schedule(schedule)(MOMENTS[i : i + 1], 10)[0])


@pytest.mark.parametrize(("name", "setting", "schedule"), [(*n, s) for n, s in in_turn(NUMBERS, EVERY)], ids=kind)
def test_numbers_of_a_rule(name, setting, schedule):
    """The coefficients of each step are those of an optimizer with the number of that moment."""

    def optimizer(value):
        pair = (0.9, value) if name == "nadam" else (value, 0.99)
        return OPTIMIZERS[name](**{setting: pair if setting == "betas" else value})

    lr, t = np.full(6, 0.1), np.arange(1, 7)
    table = optimizer(schedule).coefficients(lr, t, MOMENTS, 10)
    for i in range(6):
        row = optimizer(at(schedule, i)).coefficients(lr[i : i + 1], t[i : i + 1])[0]
        np.testing.assert_array_equal(table[i], row)


TRANSFORMS = {
    **{name: lambda value, name=name: {name: value} for name in ("clip_norm", "clip_value", "l1", "max_norm")},
    "decay": lambda value: {"average": gd.EMA(value)},
    **{f"{n} of a group": lambda value, n=n: {n: 0.5, "groups": {"*": {n: value}}} for n in ("l1", "max_norm")},
}


@pytest.mark.parametrize("schedule", EVERY, ids=kind)
@pytest.mark.parametrize("setting", TRANSFORMS)
def test_transforms_take_schedules(setting, schedule):
    model, t = gd.MLP(2, 1, seed=0), np.arange(1, 7)

    def transforms(value, steps):
        return gd.SGD(**TRANSFORMS[setting](value)).transforms(model, t[steps], MOMENTS[steps] + 1, MOMENTS[steps], 10)

    table = transforms(schedule, slice(None))
    for i in range(6):
        row = transforms(at(schedule, i), slice(i, i + 1))
        np.testing.assert_array_equal(table.per_step[i], row.per_step[0])
        np.testing.assert_array_equal(table.per_group[i], row.per_group[0])


@pytest.mark.parametrize("schedule", EVERY, ids=kind)
@pytest.mark.parametrize("factor", ["lr", "weight_decay"])
def test_factors_of_groups(factor, schedule):
    lr, t = np.full(6, 0.1), np.arange(1, 7)
    optimizer = gd.SGD(weight_decay=0.5, groups={"*.bias": {factor: schedule}})
    table = optimizer.coefficients(lr, t, MOMENTS, 10).reshape(6, 2, 2)
    np.testing.assert_array_equal(table[:, 0], [[0.1, 0.5]] * 6)
    want = np.array([[0.1, 0.5]] * 6)
    want[:, ["lr", "weight_decay"].index(factor)] *= [at(schedule, i) for i in range(6)]
    np.testing.assert_array_equal(table[:, 1], want)


@pytest.mark.parametrize("schedule", EVERY, ids=kind)
def test_the_rate_of_a_run(schedule):
    model = gd.MLP(2, 1, seed=0)
    trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=schedule), batch_size=4)
    trainer.fit(np.ones((8, 2)), np.ones(8), epochs=10, verbose=0)
    want = schedules.as_schedule(schedule)(np.arange(10) + 0.5, 10)
    np.testing.assert_array_equal(trainer.history["lr"], want)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedules.MultiStep(0.1, ()), "milestones must be a sequence"),
        (lambda: schedules.MultiStep(0.1, (3, 2)), r"milestones must increase, not \(3, 2\)"),
        (lambda: schedules.Piecewise((3, 2), (1, 2, 3)), "boundaries must increase"),
        (lambda: schedules.Piecewise((3,), (1, 2, 3)), "values must be one more than boundaries, 2: .*not 3"),
        (lambda: schedules.Piecewise((3,), (1, -2)), r"values\[1\] must be in \[0, inf\), not -2"),
        (lambda: schedules.Cyclic(0.1, 0.01, 0), r"up must be in \(0, inf\)"),
        (lambda: schedules.Cyclic(0.1, 0.01, 2, mode="triangle"), "mode must be one of .*did you mean 'triangular'"),
        (lambda: schedules.InverseTime(0.1, -1), r"rate must be in \[0, inf\)"),
        (lambda: schedules.MultiStep(0.1, (0, 2)), r"milestones\[0\] must be in \(0, inf\)"),
        (lambda: schedules.Exponential(0.1, 0), r"factor must be in \(0, inf\)"),
        (lambda: schedules.CosineLog(0.1, cycles=0), "cycles must be"),
        (lambda: schedules.CosineRestarts(0.1, 2, 0.5), r"factor must be in \[1, inf\)"),
        (lambda: schedules.OneCycle(0.1, peak=1), r"peak must be in \(0, 1\)"),
        (lambda: schedules.OneCycle(0.1, start=-1), r"start must be in \[0, inf\)"),
        (lambda: schedules.Polynomial(0.1, power=0), r"power must be in \(0, inf\)"),
        (lambda: schedules.Polynomial(0.1)(T, math.inf), r"write Polynomial\(0.1, epochs=...\)"),
    ],
)
def test_schedules_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


RECORDS: list[Any] = EVERY[:-1]
NUMBERS_OF_SCHEDULES = [(type(schedule), name) for schedule in RECORDS for name in schedule.intervals]


@pytest.mark.parametrize(("cls", "name"), NUMBERS_OF_SCHEDULES, ids=str)
def test_every_number_is_checked(cls, name):
    example = next(schedule for schedule in RECORDS if type(schedule) is cls)
    settings = vars(example)
    for bad in (10**400, math.nan, -1):
        with pytest.raises(ValueError, match=f"^{name} must be "):
            cls(**settings | {name: bad})
    for bad in ("3", True, [1], 1j):
        with pytest.raises(TypeError, match=f"^{name} must be a number in "):
            cls(**settings | {name: bad})
    assert cls(**settings | {name: np.float32(0.5) if name != "factor" else 1}) is not None


@pytest.mark.parametrize("bad", ["30", 30, None, {30: 1}, (1, "2"), (1, True), (1, math.nan), (1, 10**400), ()])
def test_sequences_are_checked(bad):
    for make in (lambda bad: schedules.MultiStep(0.1, bad), lambda bad: schedules.Piecewise(bad, (1, 2))):
        with pytest.raises((TypeError, ValueError), match=r"^(milestones|boundaries)(\[1\])? must be "):
            make(bad)
    assert schedules.MultiStep(0.1, np.array([1, 2])).milestones == (1.0, 2.0)


def test_exp_is_close_and_saturates():
    x = np.linspace(-700, 700, 20_001)
    expected = np.array([math.exp(v) for v in x])
    assert (abs(exact_math.exp(x) - expected) <= 2 * np.spacing(expected)).all()
    assert exact_math.exp(np.array([0.0, 800.0, -800.0])).tolist() == [1, math.inf, 0]


COVERING = {  # schedules whose length is that of the run
    "cosine": gd.Cosine(0.1),
    "polynomial": gd.Polynomial(0.1, 0.01, power=2),
    "one cycle": gd.OneCycle(0.1),
    "cosine of the logarithm": gd.CosineLog(0.1),
    "warm-up": gd.Warmup(gd.Cosine(0.1), 2),
    "reduced": schedules.scaled(gd.Cosine(0.1), 0.5),
}
ABSOLUTE = {  # schedules that are functions of the epoch alone
    "constant": gd.Warmup(0.1, 3),
    "cosine": gd.Cosine(0.1, epochs=7),
    "one cycle": gd.Warmup(gd.OneCycle(0.1, epochs=5), 2),
    "restarts": gd.CosineRestarts(0.1, 3),
    "step": gd.Step(0.1, 2),
    "function": schedules.as_schedule(lambda epoch: 0.1 / (1 + epoch)),
}


@pytest.mark.parametrize("schedule", COVERING.values(), ids=COVERING)
def test_a_schedule_without_a_length_covers_its_span(schedule):
    assert schedule.covers_run
    t = np.linspace(0, 8, 33)
    first, second = schedule(t, Span(8)), schedule(t + 16, Span(24, 16))
    np.testing.assert_array_equal(first, schedule(t, 8))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("schedule", ABSOLUTE.values(), ids=ABSOLUTE)
def test_a_schedule_with_a_length_knows_no_span(schedule):
    assert not schedule.covers_run
    t = np.linspace(16, 24, 33)
    np.testing.assert_array_equal(schedule(t, Span(24, 16)), schedule(t, 24))


def test_a_span_is_a_number_that_can_be_copied():
    span = Span(24, 16)
    for other in (pickle.loads(pickle.dumps(span)), copy.deepcopy(span)):
        assert (other, other.start) == (24.0, 16.0)
