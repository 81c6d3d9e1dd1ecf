"""The optimizers are the textbook's, and refuse what they cannot use."""

import copy
import math

import numpy as np
import pytest
from networks import elementwise

from fastgd import optimizers, schedules
from fastgd.optimizers import OPTIMIZERS, RULES, SGD, Adadelta, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop

REALS = [np.float32, np.float64]


def steps_of(optimizer, gradients, theta, lr=0.1):
    """theta after one step for each gradient, which the rule must leave as it is."""
    theta, kept = theta.copy(), gradients.copy()
    state = optimizer.bind(theta.size, theta.dtype)
    coefficients = optimizer.coefficients(np.full(len(gradients), lr), np.arange(1, len(gradients) + 1))
    for g, c in zip(gradients, coefficients, strict=True):
        RULES[optimizer.rule](theta, g, state, c.astype(theta.dtype))
    np.testing.assert_array_equal(gradients, kept)
    return theta


THETA, GRADIENTS = np.random.default_rng(10).normal(size=8), np.random.default_rng(11).normal(size=(20, 8))


def test_sgd_formula():
    theta = THETA.copy()
    for g in GRADIENTS:
        theta = theta - 0.1 * (g + 0.3 * theta)
    np.testing.assert_allclose(steps_of(SGD(weight_decay=0.3), GRADIENTS, THETA), theta, rtol=1e-13)


@pytest.mark.parametrize(("dampening", "nesterov"), [(0.0, False), (0.4, False), (0.0, True)])
def test_momentum_formula(dampening, nesterov):
    theta, v = THETA.copy(), None
    for g in GRADIENTS:
        g = g + 0.3 * theta
        v = g if v is None else 0.9 * v + (1 - dampening) * g
        theta = theta - 0.1 * (g + 0.9 * v if nesterov else v)
    optimizer = SGD(momentum=0.9, dampening=dampening, nesterov=nesterov, weight_decay=0.3)
    np.testing.assert_allclose(steps_of(optimizer, GRADIENTS, THETA), theta, rtol=1e-12)


@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_adam_formula(cls):
    theta, m, v = THETA.copy(), 0, 0
    for t, g in enumerate(GRADIENTS, 1):
        if cls is AdamW:
            theta = theta * (1 - 0.1 * 0.3)
        else:
            g = g + 0.3 * theta
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        theta = theta - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6)
    optimizer = cls(betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3)
    np.testing.assert_allclose(steps_of(optimizer, GRADIENTS, THETA), theta, rtol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lion_formula(weight_decay):
    """Algorithm 2 of Chen et al. (2023)."""
    theta, m = THETA.copy(), 0
    for g in GRADIENTS:
        update = np.sign(0.9 * m + (1 - 0.9) * g)
        m = 0.98 * m + (1 - 0.98) * g
        theta = theta - 0.1 * (update + weight_decay * theta)
    optimizer = Lion(betas=(0.9, 0.98), weight_decay=weight_decay)
    np.testing.assert_allclose(steps_of(optimizer, GRADIENTS, THETA), theta, rtol=1e-12)


def test_lion_stands_still_without_a_gradient():
    np.testing.assert_array_equal(steps_of(Lion(), np.zeros((3, 8)), THETA), THETA)


def test_adagrad_starts_from_its_first_sum():
    assert (Adagrad(initial_accumulator_value=0.5).bind(3, "float32") == 0.5).all()


def test_a_variance_that_rounding_makes_negative_is_zero():
    state = np.array([[1.0], [1.0 + 1e-15], [0.0]])
    theta = np.zeros(1)
    RULES["rmsprop_centered"](theta, np.zeros(1), state, np.array([0.1, 0, 1, 0, 1e-8, 0.9, 1]))
    assert theta == 0


SCHEDULED = [
    SGD(
        momentum=schedules.OneCycle(0.85, start=0.95, final=0.95, epochs=4),
        weight_decay=schedules.Cosine(0.1, epochs=4),
    ),
    RMSprop(alpha=lambda t: 0.9 + t / 50, momentum=schedules.Step(0.9, 2, 0.5)),
    Adagrad(weight_decay=schedules.Cosine(0.1, epochs=4), eps=schedules.Step(1e-2, 1)),
    Adadelta(rho=lambda t: 0.9 - t / 50),
    AdamW(betas=(lambda t: 0.9 - t / 50, schedules.Constant(0.99)), weight_decay=schedules.Cosine(0.1, epochs=4)),
    NAdam(betas=(0.9, lambda t: 0.9 + t / 100)),
    RAdam(betas=(0.9, lambda t: 0.9 + t / 100)),
    Lion(betas=(lambda t: 0.9 - t / 50, 0.99)),
]


@pytest.mark.parametrize("optimizer", SCHEDULED, ids=lambda o: o.name)
def test_any_number_may_be_a_schedule(optimizer):
    """The coefficients of each step are those of an optimizer with the numbers of that moment."""
    epoch_times, t, lr = np.arange(4) + 0.5, np.arange(1, 5), np.full(4, 0.1)
    table = optimizer.coefficients(lr, t, epoch_times, 4)
    for i in range(4):
        now = copy.copy(optimizer)
        for name in set(optimizer.intervals) - {"lr"}:
            value = getattr(optimizer, name)
            if name == "betas":
                now.betas = tuple(float(schedules.as_schedule(beta)(epoch_times[i], 4)) for beta in value)
            else:
                setattr(now, name, float(schedules.as_schedule(value)(epoch_times[i], 4)))
        np.testing.assert_array_equal(now.coefficients(lr[i : i + 1], t[i : i + 1])[0], table[i])


def test_a_schedule_must_stay_in_the_interval():
    optimizer = SGD(momentum=lambda t: 0.5 + 0.1 * t)
    with pytest.raises(ValueError, match=r"momentum=.* gave 1 at epoch 5; it must be in \[0, 1\)"):
        optimizer.coefficients(np.full(9, 0.1), np.arange(1, 10))


@pytest.mark.parametrize(
    "make",
    [
        lambda f: NAdam(betas=(f, 0.9)),
        lambda f: NAdam(momentum_decay=f),
        lambda f: Adagrad(initial_accumulator_value=f),
    ],
)
def test_a_number_that_must_be_a_number(make):
    with pytest.raises(ValueError, match="number"):
        make(schedules.Cosine(0.5))


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_goes_down_and_keeps_dtype(name, dtype):
    optimizer, theta = optimizers.get(name), THETA.astype(dtype)
    state = optimizer.bind(theta.size, dtype)
    assert state.dtype == dtype
    assert state.shape == (optimizer.slots, theta.size)
    lr = schedules.Cosine({"adagrad": 1.0, "adadelta": 200.0}.get(name, 0.1))(np.arange(300.0), 300)
    for c in elementwise(optimizer, optimizer.coefficients(lr, np.arange(1, 301))):
        RULES[optimizer.rule](theta, theta.copy(), state, c.astype(dtype))  # gradient of |theta|^2 / 2
    assert theta.dtype == dtype
    assert abs(theta).max() < 1e-2 * abs(THETA).max()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_coefficients_do_not_depend_on_the_chunk(name):
    optimizer, lr, t = optimizers.get(name), np.linspace(0.1, 0.01, 9), np.arange(1, 10)
    whole = optimizer.coefficients(lr, t)
    parts = np.concatenate([optimizer.coefficients(lr[:4], t[:4]), optimizer.coefficients(lr[4:], t[4:])])
    assert whole.dtype == np.float64
    assert whole.flags.c_contiguous
    np.testing.assert_array_equal(whole, parts)


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (SGD, {"lr": 0}, r"lr must be in \(0, inf\), not 0"),
        (SGD, {"lr": -1.0}, r"lr must be in \(0, inf\)"),
        (SGD, {"lr": math.nan}, r"lr must be in \(0, inf\), not nan"),
        (SGD, {"lr": math.inf}, r"lr must be in \(0, inf\), not inf"),
        (SGD, {"momentum": 1.0}, r"momentum must be in \[0, 1\), not 1.0"),
        (SGD, {"momentum": -0.1}, r"momentum must be in \[0, 1\)"),
        (SGD, {"momentum": 0.9, "dampening": 1}, r"dampening must be in \[0, 1\)"),
        (SGD, {"weight_decay": -1e-9}, r"weight_decay must be in \[0, inf\)"),
        (SGD, {"nesterov": True}, "nesterov=True needs momentum"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov=True needs momentum"),
        (Adam, {"betas": (0.9, 1.0)}, r"betas\[1\] must be in \[0, 1\), not 1.0"),
        (Adam, {"betas": (0.9,)}, "betas must be a pair of numbers"),
        (Adam, {"betas": 0.9}, "betas must be a pair of numbers"),
        (Adam, {"eps": -1e-8}, r"eps must be in \(0, inf\)"),
        (RMSprop, {"alpha": 1.0}, r"alpha must be in \[0, 1\)"),
        (RMSprop, {"momentum": 1.0}, r"momentum must be in \[0, 1\)"),
        (Adagrad, {"lr_decay": -1.0}, r"lr_decay must be in \[0, inf\)"),
        (Adagrad, {"initial_accumulator_value": -1.0}, "initial_accumulator_value must be in"),
        (Adadelta, {"rho": -0.1}, r"rho must be in \[0, 1\)"),
        (NAdam, {"momentum_decay": -1.0}, "momentum_decay must be in"),
        (RAdam, {"eps": 0.0}, r"eps must be in \(0, inf\)"),
        (Lion, {"betas": (0.9, 1.0)}, r"betas\[1\] must be in \[0, 1\)"),
        (AdamW, {"weight_decay": math.inf}, r"weight_decay must be in \[0, inf\)"),
    ],
)
def test_optimizer_refuses_bad_numbers(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(**settings)


@pytest.mark.parametrize("lr", ["0.1", None, True, [0.1]])
def test_optimizer_refuses_what_is_no_rate(lr):
    with pytest.raises(TypeError, match="lr must be a number"):
        SGD(lr=lr)


class Parameters:
    """The least model that an optimizer can step."""

    def __init__(self, theta):
        self.theta, self.grad = theta, np.ones_like(theta)

    def parameters(self):
        return {"0.weight": self.theta}

    def apply(self, optimizer, coefficients, state, regime):
        RULES[optimizer.rule](self.theta, self.grad, state, elementwise(optimizer, coefficients))


def test_step_counts_steps_as_epochs_of_a_schedule():
    model, optimizer = Parameters(np.zeros(2)), SGD(lr=lambda t: 1 + t)
    for _ in range(3):
        optimizer.step(model)
    np.testing.assert_array_equal(model.theta, [-6, -6])  # 1 + 2 + 3
    assert optimizer.steps == 3


def test_step_refuses_a_gradient_that_is_not_finite():
    model, optimizer = Parameters(np.zeros(2)), SGD(momentum=0.9)
    optimizer.step(model)
    theta, state = model.theta.copy(), optimizer.state.copy()
    model.grad[1] = np.inf
    with pytest.raises(FloatingPointError, match="gradient of step 2 is not finite"):
        optimizer.step(model)
    np.testing.assert_array_equal(model.theta, theta)
    np.testing.assert_array_equal(optimizer.state, state)
    assert optimizer.steps == 1


@pytest.mark.parametrize("other", [np.zeros(3), np.zeros(2, np.float32)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_belongs_to_one_model(name, other):
    optimizer = optimizers.get(name)
    optimizer.step(Parameters(np.zeros(2)))
    with pytest.raises(ValueError, match=f"make a new {type(optimizer).__name__}"):
        optimizer.step(Parameters(other))
    assert optimizer.steps == 1


def test_late_steps_of_nadam_continue_its_product():
    """Its bits are those of the product from the first step on, wherever the steps before ended."""
    whole = NAdam().coefficients(np.full(2000, 0.1), np.arange(1, 2001))
    optimizer, at = NAdam(), 0
    for count in (1, 3, 57, 500, 1439):
        part = optimizer.coefficients(np.full(count, 0.1), np.arange(at + 1, at + count + 1))
        np.testing.assert_array_equal(part, whole[at : at + count])
        at += count
    optimizer.betas = (0.8, 0.999)
    other = NAdam(betas=(0.8, 0.999)).coefficients(np.full(9, 0.1), np.arange(1992, 2001))
    np.testing.assert_array_equal(optimizer.coefficients(np.full(9, 0.1), np.arange(1992, 2001)), other)
    np.testing.assert_array_equal(NAdam().coefficients(np.full(9, 0.1), np.arange(5, 14)), whole[4:13])
