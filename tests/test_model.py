"""Models: shapes, views, predictions, copies and files."""

import copy
import math
import pickle
from dataclasses import fields

import numpy as np
import pytest

import fastgd as gd
from fastgd import backend, threads
from fastgd.activations import ACTIVATIONS
from fastgd.head import Head
from fastgd.initializers import INITIALIZERS


def model_of(*widths, seed=0, **options):
    return gd.MLP(*(widths or (3, 4, 2)), seed=seed, **options)


def trained(labels, n_out=2, loss="cross_entropy"):
    """A model whose head knows the labels, and rows to predict."""
    X = np.random.default_rng(0).standard_normal((len(labels), 3))
    model = model_of(3, 4, n_out)
    gd.Trainer(model, loss=loss, batch_size=None).fit(X, labels, epochs=1, verbose=0)
    return model, X


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


def test_theta_assignment_copies_and_checks():
    model = model_of()
    network, values = model.network, np.arange(model.size, dtype=float)
    model.theta = values
    values[:] = 0
    assert model.theta[-1] == model.size - 1 and model.network is network
    model.theta += 1
    assert model.theta[0] == 1
    before = model.theta.copy()
    with pytest.raises(ValueError, match=rf"shape \({model.size},\), not \(3,\)"):
        model.theta = [1, 2, 3]
    with pytest.raises(ValueError, match="theta must be finite"):
        model.theta = np.full(model.size, 1e300)  # more than float32 holds
    np.testing.assert_array_equal(model.theta, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [name for name, f in ACTIVATIONS.items() if not f.whole_rows])
def test_forward_is_the_formula(engine, activation, dtype):
    model = model_of(3, 5, 2, activation=activation, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((7, 3))
    W0, b0, W1, b1 = (p.astype(float) for p in model.parameters().values())
    b0 += 0.1
    model.parameters()["0.bias"][:] = b0
    want = ACTIVATIONS[activation]().forward(X @ W0 + b0) @ W1 + b1
    tolerance = 1e-5 if dtype == "float32" else 1e-12  # some ten roundings
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
    numbers = {field.name: 0.5 for field in fields(INITIALIZERS[init])}
    model = model_of(50, 40, init=INITIALIZERS[init](**numbers) if numbers else init)
    weight = model.parameters()["0.weight"]
    assert not model.parameters()["0.bias"].any()
    assert np.isfinite(weight).all() and (weight.any() or init == "zeros")


def test_reset_is_a_new_start():
    model, X = trained(["a", "b"] * 5)
    model.reset()
    np.testing.assert_array_equal(model.theta, model_of().theta)
    assert model.head.classes is None
    model.reset(seed=1)
    np.testing.assert_array_equal(model.theta, model_of(seed=1).theta)


@pytest.mark.parametrize(
    "call, error, words",
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
        (lambda: gd.Sequential(gd.Dense(3, 4), gd.Dense(5, 2)), ValueError, "layer 1 takes 5 columns.*gives 4"),
    ],
)
def test_bad_models_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    "X, error, words",
    [
        ([1.0, 2.0, 3.0], ValueError, r"reshape\(1, -1\)"),
        (np.zeros((2, 4)), ValueError, r"\(rows, 3\).*\(2, 4\)"),
        (np.zeros((0, 3)), ValueError, "empty"),
        (np.zeros((2, 2, 3)), ValueError, "reshape"),
        ([[1.0, np.nan, 2.0]], ValueError, "row 0, column 1"),
        (np.array([[1.0, 2.0, np.inf]], np.float32), ValueError, "row 0, column 2"),
        ([["a", "b", "c"]], TypeError, "numbers"),
        (np.zeros((2, 3), complex), TypeError, "real"),
    ],
)
def test_predict_names_what_is_wrong(engine, X, error, words):
    model = model_of()
    for method in (model.predict, model.predict_proba, model.forward):
        with pytest.raises(error, match=words):
            method(X)


def test_predict_reads_any_rows(engine):
    """The short way in `_input` gives what the long way gives, and large numbers do not look like infinity."""
    model = model_of()
    X = np.random.default_rng(0).integers(-9, 9, (6, 3))
    want = model.predict(X.astype(np.float32))
    read_only = X.astype(np.float64)
    read_only.flags.writeable = False
    for same in (X.tolist(), X.astype(np.int8), X.astype(float), np.asfortranarray(X.astype(float)), read_only):
        np.testing.assert_array_equal(model.predict(same), want)
    np.testing.assert_array_equal(model.predict(X[::-2].astype(np.float32)), want[::-2])
    assert np.isfinite(model.predict(np.full((1, 3), 1e30, np.float32))).all()


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes", "no", "yes"],
        [True, False, True, True],
        np.array([3, 7, 7, 3], np.uint8),
        np.array([0.5, 1.5, 0.5, 0.5]),
        ["1", 1, 1, "1"],
        [("a", 1), ("b", 2), ("a", 1), ("b", 2)],
    ],
    ids=str,
)
@pytest.mark.parametrize("n_out, loss", [(2, "cross_entropy"), (1, "bce")])
def test_predictions_are_the_users_labels(labels, n_out, loss):
    if isinstance(labels[0], tuple):
        column = np.empty(len(labels), object)
        column[:] = labels
        labels = column
    model, X = trained(labels, n_out, loss)
    predicted = model.predict(X)
    assert predicted.shape == (4,)
    assert set(predicted.tolist()) <= set(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    p = model.predict_proba(X)
    assert p.shape == (4, 2) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert model.head.classes[p.argmax(axis=1)].tolist() == predicted.tolist()


@pytest.mark.parametrize("rows", [1, 5])
def test_predictions_in_a_buffer(engine, rows):
    model, X = model_of(), np.random.default_rng(0).standard_normal((rows, 3)).astype("float32")
    out = np.full((rows, 2), np.nan, "float32")
    assert model.predict(X, out=out) is out
    np.testing.assert_array_equal(out, model.predict(X))
    out.fill(np.nan)
    model.predict(X.tolist(), out=out)
    np.testing.assert_array_equal(out, model.predict(X))


@pytest.mark.parametrize("widths", [(40, 40), (40, 50, 40)], ids=str)
@pytest.mark.parametrize("rows", [1, 20, 300])
def test_a_buffer_may_be_where_the_rows_are(engine, widths, rows):
    model = gd.MLP(*widths, seed=0)
    memory = np.random.default_rng(0).standard_normal((rows + 1, 40)).astype("float32")
    for X, out in ((memory[1:], memory[1:]), (memory[1:], memory[:-1]), (memory[:-1], memory[1:])):
        want = model.predict(X)
        np.testing.assert_array_equal(model.predict(X, out=out), want)


def test_a_buffer_gets_the_outputs_of_a_classifier(engine):
    model, X = trained(["no", "yes", "yes"])
    out = np.empty((3, 2), "float32")
    np.testing.assert_array_equal(model.predict(X, out=out), model.predict(X))
    np.testing.assert_array_equal(out.argmax(axis=1), model.head.classes.searchsorted(model.predict(X)))
    np.testing.assert_array_equal(model.predict_proba(X, out=out), model.predict_proba(X))


def test_a_buffer_must_fit(engine):
    X = np.ones((2, 3), "float32")
    for out in (np.empty((2, 3), "float32"), np.empty((3, 2), "float32"), np.empty((2, 2), "float64")):
        with pytest.raises(ValueError, match="out must have shape"):
            model_of().predict(X, out=out)
    with pytest.raises(TypeError, match="out must be an ndarray .* not list"):
        model_of().predict(X, out=[[0.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (299, 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_finds_what_is_not_finite(engine, place, value, dtype):
    X = np.zeros((300, 3), dtype)
    with np.errstate(over="ignore"):
        X[place] = value
    where = f"row {place[0]}, column {place[1]}" if not np.isfinite(X[place]) else "not finite in the dtype"
    with pytest.raises(ValueError, match=where):
        model_of().predict(X)


def test_plan_says_what_will_run(engine):
    plan = gd.MLP(784, 128, 10).plan(batch_size=64)
    assert engine.backend in plan.engine and (engine.isa or "numpy") in plan.engine
    assert plan.flops == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert plan.workspace >= 4 * 64 * (784 + 2 * (128 + 10))  # activations, and gradients of all but the inputs
    assert 1 <= plan.threads <= plan.most
    assert f"{plan.threads} of {plan.most}" in str(plan) and "MiB" in str(plan)
    assert gd.MLP(4, 3).plan(1).threads == (plan.most if engine.backend == "numpy" else 1)
    with pytest.raises(ValueError, match="batch_size"):
        gd.MLP(4, 3).plan(0)


@pytest.mark.skipif(threads.available() == 1, reason="one thread has nobody to share with")
def test_plan_for_more_threads_than_rows(engine):
    """Few rows for many weights: threads share rows and split columns; many rows: each thread has its own."""
    if engine.backend == "numpy":
        return
    few, many = (gd.MLP(784, 512, 10).plan(rows, n_threads=64) for rows in (32, 100_000))
    assert few.threads == many.threads == 64 and many.grid == (64, 1)
    assert few.grid[1] > 1 and few.grid[0] * few.grid[1] <= 64
    assert "threads share the same rows" in str(few) and "share" not in str(many)


def test_fewer_labels_than_outputs():
    head = Head("softmax", np.array(["a", "b"]))
    Z = np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 9.0]])
    assert head.predict(Z).tolist() == ["b", "a"]
    assert head.predict_proba(Z).shape == (2, 2)


def test_predictions_of_a_regression_have_the_shape_of_the_targets():
    X = np.random.default_rng(0).standard_normal((8, 3))
    for y, shape in ((X[:, 0], (8,)), (X[:, :1], (8, 1)), (X[:, :2], (8, 2))):
        model = model_of(3, 4, math.prod(shape[1:]))
        assert model.predict(X).shape == (8, model.n_out)
        gd.Trainer(model, loss="mse", batch_size=4).fit(X, y, epochs=1, verbose=0)
        assert model.predict(X).shape == shape
        with pytest.raises(ValueError, match="needs a classifier"):
            model.predict_proba(X)


def test_several_questions_at_once():
    X = np.random.default_rng(0).standard_normal((8, 3))
    model = model_of(3, 4, 3)
    gd.Trainer(model, loss="bce", batch_size=4).fit(X, (X > 0).astype(int), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert model.predict(X).shape == (8, 3) and set(np.unique(model.predict(X))) <= {0, 1}


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_stand_alone(engine, clone):
    model, X = trained(["a", "b"] * 5)
    model.forward(X)
    twin = clone(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert (twin.seed, twin.dtype, repr(twin)) == (model.seed, model.dtype, repr(model))
    twin.theta[:] = 0
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
