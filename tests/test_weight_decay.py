"""Decoupled weight decay, for every optimizer: PyTorch's values where it has them, else the formula."""

import copy

import numpy as np
import pytest
from networks import CASES, NUMPY, close, run_of
from transformed import GROUPS, WIDTHS, train

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS, RULES, SGD, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop

RNG = np.random.default_rng(5)
THETA, GRADIENTS, T = RNG.normal(size=8), RNG.normal(size=(30, 8)), np.arange(1, 31)
LR = np.linspace(0.1, 0.02, 30)

OTHER = {"momentum": SGD(momentum=0.9), "nesterov": SGD(momentum=0.9, nesterov=True), "amsgrad": Adam(amsgrad=True)}
OTHER |= {"rmsprop, momentum": RMSprop(momentum=0.9), "rmsprop, centred": RMSprop(centered=True)}
EACH = {name: cls() for name, cls in OPTIMIZERS.items()} | OTHER | {"lr_decay": Adagrad(lr_decay=0.1)}


def decayed(optimizer, weight_decay, decoupled):
    optimizer = copy.copy(optimizer)
    optimizer.weight_decay, optimizer.decoupled_weight_decay = weight_decay, decoupled
    return optimizer


def steps_of(optimizer, shrink=None):
    """theta after 30 steps; shrink (30,): by how much theta is scaled just before each."""
    theta, state = THETA.copy(), optimizer.bind(8, "float64")
    for i, c in enumerate(optimizer.coefficients(LR, T)):
        theta *= 1 if shrink is None else shrink[i]
        RULES[optimizer.rule](theta, GRADIENTS[i], state, c)
    return theta


@pytest.mark.parametrize("name", EACH)
def test_each_step_first_scales_theta(name):
    """As the rule without weight decay on a theta that was scaled: no rule's step depends on theta itself."""
    shrink = 1 - (LR / (1 + 0.1 * (T - 1)) if name == "lr_decay" else LR) * 0.3
    want = steps_of(decayed(EACH[name], 0.0, False), shrink)
    np.testing.assert_allclose(steps_of(decayed(EACH[name], 0.3, True)), want, rtol=1e-12)


@pytest.mark.parametrize("name", EACH)
def test_it_is_another_decay_but_for_plain_sgd(name):
    coupled, decoupled = (steps_of(decayed(EACH[name], 0.3, decoupled)) for decoupled in (False, True))
    assert np.allclose(coupled, decoupled, rtol=1e-12) == (name == "sgd")


def test_adam_with_it_is_adamw():
    settings = {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.3}
    np.testing.assert_array_equal(steps_of(Adam(decoupled_weight_decay=True, **settings)), steps_of(AdamW(**settings)))
    np.testing.assert_array_equal(steps_of(AdamW(decoupled_weight_decay=False, **settings)), steps_of(Adam(**settings)))


def test_defaults():
    decoupled = {name for name, cls in OPTIMIZERS.items() if cls().decoupled_weight_decay}
    assert decoupled == {"adamw", "lion"} | decoupled & {"muon"}
    with pytest.raises(TypeError, match="decoupled_weight_decay must be True or False, not 'no'"):
        gd.SGD(decoupled_weight_decay="no")


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("groups", [None, GROUPS])
def test_in_fused_steps(engine, dtype, rule, groups):
    cls = OPTIMIZERS[rule]
    settings = {"eps": 0.1} if "eps" in cls.intervals and rule != "muon" else {}
    settings |= {"momentum": 0.5} if "momentum" in cls.intervals else {}
    optimizer = cls(weight_decay=gd.Step(0.5, 1), decoupled_weight_decay=True, groups=groups, **settings)
    run = run_of("mse", optimizer, WIDTHS, epochs=4)
    got, want = train(engine, dtype, optimizer, run), train(NUMPY, "float64", optimizer, run)
    for values, expected in zip(got, want, strict=True):
        close(values, expected, 3000 * np.finfo(dtype).eps)


TORCH = {"adam": Adam, "nadam": NAdam, "radam": RAdam}


@pytest.mark.parametrize("name", [*TORCH, "adamw"])
def test_as_pytorch(engine, name, request):
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of what NAdam remembers
    request.addfinalizer(lambda: torch.set_default_dtype(before))
    model = gd.MLP(3, 4, 2, seed=0, dtype="float64")
    parameter = torch.nn.Parameter(torch.tensor(model.theta.copy()))
    theirs = getattr(torch.optim, {"adam": "Adam", "nadam": "NAdam", "radam": "RAdam", "adamw": "AdamW"}[name])
    options = {} if name == "adamw" else {"decoupled_weight_decay": True}
    other = theirs([parameter], lr=0.01, weight_decay=0.3, **options)
    ours = OPTIMIZERS[name](lr=0.01, weight_decay=0.3, **options)
    for gradient in np.random.default_rng(1).normal(size=(50, model.size)):
        model.grad[:] = gradient
        parameter.grad = torch.tensor(gradient)
        ours.step(model)
        other.step()
    np.testing.assert_allclose(model.theta, parameter.detach().numpy(), rtol=1e-11)


def test_lion_with_a_penalty():
    theta, m = THETA.copy(), 0
    for g, lr in zip(GRADIENTS, LR, strict=True):
        g = g + 0.3 * theta
        theta = theta - lr * np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
    optimizer = Lion(weight_decay=0.3, decoupled_weight_decay=False)
    np.testing.assert_allclose(steps_of(optimizer), theta, rtol=1e-12)
