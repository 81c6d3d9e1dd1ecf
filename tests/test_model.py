"""Models: shapes, views, copies and files."""

import copy
import pickle

import numpy as np
import pytest
from training import model_of, trained

import fastgd as gd
from fastgd import backend
from fastgd.activations import ACTIVATIONS
from fastgd.initializers import INITIALIZERS


def test_theta_is_weight_then_bias_layer_by_layer():
    model = model_of(3, 4, 2)
    parameters = model.parameters()
    assert list(parameters) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert [p.shape for p in parameters.values()] == [(3, 4), (4,), (4, 2), (2,)]
    assert model.size == 3 * 4 + 4 + 4 * 2 + 2
    np.testing.assert_array_equal(np.concatenate([p.ravel() for p in parameters.values()]), model.theta)


def test_parameters_write_through():
    model = model_of()
    model.parameters()["1.bias"][:] = 7
    assert (model.theta[-2:] == 7).all()
    model.gradients()["0.weight"][0, 1] = 5
    assert model.grad[1] == 5


def test_grad_assignment_copies_and_checks():
    model = model_of()
    grad, values = model.grad, np.arange(model.size, dtype=float)
    model.grad = values
    model.grad += 1
    np.testing.assert_array_equal(grad, values + 1)
    assert model.grad is grad
    with pytest.raises(ValueError, match="grad must have shape"):
        model.grad = [1.0]


def test_theta_assignment_copies_and_checks():
    model = model_of()
    network, values = model.network, np.arange(model.size, dtype=float)
    model.theta = values
    values[:] = 0
    assert model.theta[-1] == model.size - 1
    assert model.network is network
    model.theta += 1
    assert model.theta[0] == 1
    before = model.theta.copy()
    with pytest.raises(ValueError, match=rf"shape \({model.size},\), not \(3,\)"):
        model.theta = [1, 2, 3]
    with pytest.raises(ValueError, match="theta must be finite"):
        model.theta = np.full(model.size, 1e300)  # too large for float32
    np.testing.assert_array_equal(model.theta, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [name for name, f in ACTIVATIONS.items() if not f.rowwise])
def test_forward_is_the_formula(engine, activation, dtype):
    model = model_of(3, 5, 2, activation=activation, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((7, 3))
    W0, b0, W1, b1 = (p.astype(float) for p in model.parameters().values())
    b0 += 0.1
    model.parameters()["0.bias"][:] = b0
    want = ACTIVATIONS[activation]().forward(X @ W0 + b0) @ W1 + b1
    tolerance = 1e-5 if dtype == "float32" else 1e-12  # about ten roundings
    for Z in (model.forward(X), model.predict(X)):
        assert Z.dtype == dtype
        np.testing.assert_allclose(Z, want, rtol=tolerance, atol=tolerance)


def test_backward_is_the_slope(engine):
    model = model_of(3, 5, 2, activation="tanh", dtype="float64")
    rng = np.random.default_rng(0)
    X, dZ, h = rng.standard_normal((6, 3)), rng.standard_normal((6, 2)), 1e-6
    model.forward(X)
    dX = model.backward(dZ)
    d = rng.standard_normal(model.size)
    theta, slope = model.theta.copy(), model.grad @ d
    ends = []
    for sign in (1, -1):
        model.theta = theta + sign * h * d
        ends.append((model.predict(X) * dZ).sum())
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(slope, rel=1e-6)
    model.theta = theta
    D = rng.standard_normal(X.shape)
    slope_X = ((model.predict(X + h * D) - model.predict(X - h * D)) * dZ).sum() / (2 * h)
    assert slope_X == pytest.approx((dX * D).sum(), rel=1e-6)


def test_backward_refuses_what_does_not_fit(engine):
    model = model_of()
    with pytest.raises(RuntimeError, match="forward"):
        model.backward(np.zeros((4, 2)))
    model.forward(np.ones((4, 3)))
    model.grad[:] = 1
    with pytest.raises(ValueError, match="dZ"):
        model.backward(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="columns"):
        model.backward(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="dZ must be finite"):
        model.backward(np.full((4, 2), np.inf))
    assert (model.grad == 1).all()


def test_same_seed_same_weights_on_every_engine():
    thetas = []
    for e in backend.available():
        with backend.override(e.backend, e.isa):
            thetas.append(model_of(seed=5).theta)
    for theta in thetas[1:]:
        np.testing.assert_array_equal(theta, thetas[0])
    assert (model_of(seed=6).theta != thetas[0]).any()
    assert model_of(seed=None).seed != model_of(seed=None).seed


@pytest.mark.parametrize("init", INITIALIZERS)
def test_initializers_fill_the_weights_alone(init):
    model = model_of(50, 40, init=INITIALIZERS[init](0.5) if init == "constant" else init, bias_init="zeros")
    weight = model.parameters()["0.weight"]
    assert not model.parameters()["0.bias"].any()
    assert np.isfinite(weight).all()
    assert weight.any() or init == "zeros"


def test_reset_is_a_new_start():
    model, X = trained(["a", "b"] * 5)
    model.reset()
    np.testing.assert_array_equal(model.theta, model_of().theta)
    assert model.head.classes is None
    model.reset(seed=1)
    np.testing.assert_array_equal(model.theta, model_of(seed=1).theta)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gd.MLP(3), ValueError, "inputs and outputs"),
        (lambda: gd.MLP(3, 0), ValueError, "n_out must be 1 or more"),
        (lambda: gd.MLP(3, 2.5), TypeError, "n_out must be an integer"),
        (lambda: gd.MLP(3, True), TypeError, "n_out must be an integer"),
        (lambda: gd.MLP(3, 2**31), ValueError, "at most 2147483647"),
        (lambda: gd.MLP(3, 2, output="rleu"), ValueError, "relu"),
        (lambda: gd.MLP(3, 2, dtype="float16"), ValueError, "float32"),
        (lambda: gd.MLP(3, 2, seed=-1), ValueError, "seed"),
        (lambda: gd.Sequential(), ValueError, "at least one layer"),
        (lambda: gd.Sequential("relu"), TypeError, "layer 0 must be a Dense"),
        (
            lambda: gd.Sequential(gd.Dense(3, 4), gd.Dense(5, 2)),
            ValueError,
            "layer 1 takes 5.*layer 0 has 4 outputs",
        ),
    ],
)
def test_bad_models_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_plan_says_what_will_run(engine):
    plan = gd.MLP(784, 128, 10).plan(batch_size=64)
    assert engine.backend in plan.engine
    assert (engine.isa or "numpy") in plan.engine
    assert plan.flops == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert plan.workspace >= 4 * 64 * (784 + 2 * (128 + 10))  # activations, and gradients of all but the inputs
    assert 1 <= plan.threads <= plan.max_threads
    assert f"{plan.threads} of {plan.max_threads}" in str(plan)
    assert "MiB" in str(plan)
    with pytest.warns(DeprecationWarning, match="use Plan.max_threads"):
        assert plan.most == plan.max_threads
    assert gd.MLP(4, 3).plan(1).threads == (plan.max_threads if engine.backend == "numpy" else 1)
    with pytest.raises(ValueError, match="batch_size"):
        gd.MLP(4, 3).plan(0)


def test_plan_for_more_threads_than_rows(engine):
    """With few rows for many weights threads share rows and split columns; with many rows each thread has its own."""
    if engine.backend == "numpy":
        return
    few, many = (gd.MLP(784, 512, 10).plan(rows, n_threads=64) for rows in (32, 100_000))
    assert few.threads == many.threads == 64
    assert many.grid == (64, 1)
    assert few.grid[1] > 1
    assert few.grid[0] * few.grid[1] <= 64
    assert "threads share the same rows" in str(few)
    assert "share" not in str(many)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_stand_alone(engine, clone):
    model, X = trained(["a", "b"] * 5)
    model.forward(X)
    duplicate = clone(model)
    np.testing.assert_array_equal(duplicate.predict(X), model.predict(X))
    np.testing.assert_array_equal(duplicate.predict_proba(X), model.predict_proba(X))
    assert (duplicate.seed, duplicate.dtype, repr(duplicate)) == (model.seed, model.dtype, repr(model))
    duplicate.theta[:] = 0
    assert model.theta.any()


def test_the_engine_follows_the_choice():
    model = model_of()
    with backend.override("numpy"):
        first = model.network
        assert model.network is first
    with backend.override("numpy"):
        assert model.network is not first


def test_table():
    lines = repr(gd.Sequential(gd.Dense(3, 4, "relu", bias=False), gd.Dense(4, 1))).splitlines()
    assert lines[0] == "Sequential, 17 parameters, float32"
    assert lines[2].split() == ["0", "relu", "(3,", "4)", "-", "12"]
    assert lines[3].split() == ["1", "identity", "(4,", "1)", "(1,)", "5"]
    assert repr(gd.Dense(3, 4, "relu", bias=False)) == 'Dense(3, 4, "relu", bias=False)'


def test_a_wrong_activation_is_one_even_if_no_layer_has_it():
    with pytest.raises(ValueError, match="unknown activation 'rleu': did you mean 'relu'"):
        gd.MLP(3, 2, activation="rleu")
