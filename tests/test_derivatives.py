"""Derivatives by the inputs, of single rows, and of second order."""

import copy

import numpy as np
import pytest

import fastgd as gd
from fastgd import losses

CASES = [
    ("mse", "identity", 2, lambda random: random.normal(size=(7, 2))),
    ("cross_entropy", "identity", 3, lambda random: random.integers(0, 3, 7)),
    ("cross_entropy", "softmax", 3, lambda random: random.integers(0, 3, 7)),
    ("bce", "sigmoid", 1, lambda random: random.integers(0, 2, (7, 1)).astype(float)),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    loss, output, n_out, make_targets = request.param
    random = np.random.default_rng(1)
    model = gd.Sequential(
        gd.Dense(4, 5, "tanh"), gd.Dropout(0.5), gd.Dense(5, 4, "silu", bias=False), gd.Dense(4, n_out, output),
        seed=2, dtype="float64",
    )  # fmt: skip
    return model, random.normal(size=(7, 4)), make_targets(random), loss


def mean_loss(model, theta, X, y, loss):
    model = copy.copy(model)
    model.theta = theta
    function = losses.get(loss)
    network, Z = model.network_for(function.link), np.empty((len(X), model.n_out))
    network.forward(X, Z)
    return function.value_and_gradient(Z, y)[0]


def difference(f, x, step=1e-6):
    """The gradient of f by central differences."""
    g = np.empty(x.size)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        g[i] = (f(x + e.reshape(x.shape)) - f(x - e.reshape(x.shape))) / (2 * step)
    return g.reshape(x.shape)


def test_input_gradients_are_those_of_each_row(engine, case):
    model, X, y, loss = case
    found = model.input_gradient(X, y, loss)
    for i in range(len(X)):
        expected = difference(lambda x, i=i: mean_loss(model, model.theta, x, y[i : i + 1], loss), X[i : i + 1])
        np.testing.assert_allclose(found[i : i + 1], expected, rtol=1e-5, atol=1e-8)


def test_the_fisher_diagonal_is_the_mean_of_squared_gradients(engine, case):
    model, X, y, loss = case
    rows = [model._in_float64()._gradient_at(model.theta, X[[i]], y[i : i + 1], losses.get(loss)) for i in range(7)]
    np.testing.assert_allclose(model.fisher_diagonal(X, y, loss), np.square(rows).mean(axis=0), rtol=1e-9, atol=1e-15)


EXPECTED = [
    ("cross_entropy", "identity", 3, np.arange(3)),
    (gd.CrossEntropy(label_smoothing=0.1), "softmax", 3, np.arange(3)),
    ("soft_cross_entropy", "identity", 3, np.eye(3)),
    (gd.Focal(gamma=1.5), "identity", 2, np.arange(2)),
    ("bce", "sigmoid", 1, np.array([[0.0], [1.0]])),
    ("bce", "identity", 2, np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])),
    (gd.BCE(pos_weight=3, label_smoothing=0.2), "identity", 2, np.array([[a, b] for a in (0.0, 1) for b in (0.0, 1)])),
]


@pytest.mark.parametrize(("loss", "output", "n_out", "labels"), EXPECTED)
def test_the_fisher_information_is_an_expectation_over_predicted_labels(engine, loss, output, n_out, labels):
    stack = gd.Scale(4), gd.Dense(4, 5, "tanh"), gd.Dense(5, n_out, output)
    model = gd.Sequential(*stack, seed=2, dtype="float64")
    X = np.random.default_rng(0).normal(size=(6, 4))
    Z = gd.Sequential(*stack[:-1], gd.Dense(5, n_out), seed=2, dtype="float64").forward(X)  # logits
    odds = 1 / (1 + np.exp(-Z))
    expected, of = 0, lambda label: int(np.argmax(label) if label.ndim else label)
    for label in labels:
        binary = losses.get(loss).link == "sigmoid"
        p = np.where(label, odds, 1 - odds).prod(axis=1) if binary else (np.exp(Z).T / np.exp(Z).sum(axis=1))[of(label)]
        for i in range(6):
            expected = expected + p[i] * model.fisher_diagonal(X[[i]], label[None], loss) / 6
    np.testing.assert_allclose(model.fisher_diagonal(X, None, loss, labels="model"), expected, rtol=1e-9, atol=1e-15)


def test_hessian_vector_products(engine, case):
    model, X, y, loss = case
    v = np.random.default_rng(3).normal(size=model.size)

    def directional(theta):
        function = losses.get(loss)
        return model._in_float64()._gradient_at(theta, X, y, function) @ v

    expected = difference(directional, model.theta, 1e-5)
    np.testing.assert_allclose(model.hessian_vector_product(X, y, loss, v), expected, rtol=1e-4, atol=1e-7)


def test_the_hessian_is_symmetric(engine):
    model = gd.MLP(3, 4, 2, activation="tanh", seed=0)
    random = np.random.default_rng(0)
    X, y, (u, v) = random.normal(size=(9, 3)), random.integers(0, 2, 9), random.normal(size=(2, model.size))
    uHv = u @ model.hessian_vector_product(X, y, "cross_entropy", v)
    assert uHv == pytest.approx(v @ model.hessian_vector_product(X, y, "cross_entropy", u), rel=1e-6)
    assert not model.hessian_vector_product(X, y, "cross_entropy", 0 * v).any()


def test_float32(engine):
    model, X, y = gd.MLP(4, 6, 3, seed=0), np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    twin = gd.MLP(4, 6, 3, seed=0, dtype="float64")
    twin.theta = model.theta
    for name in ("input_gradient", "fisher_diagonal"):
        found = getattr(model, name)(X, y, "cross_entropy")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, getattr(twin, name)(X, y, "cross_entropy"), rtol=2e-4, atol=1e-7)


def test_nothing_else_changes(engine):
    model, X, y = gd.MLP(4, 6, 3, seed=0), np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    other = copy.copy(model)
    for each in (model, other):
        dZ = each.forward(X)
    theta = model.theta.copy()
    model.input_gradient(X[:3], y[:3], "cross_entropy")
    model.fisher_diagonal(X, y, "cross_entropy")
    model.hessian_vector_product(X, y, "cross_entropy", theta)
    np.testing.assert_array_equal(model.backward(dZ), other.backward(dZ))
    np.testing.assert_array_equal(model.grad, other.grad)
    np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m, X: m.input_gradient(X, [0, 3], "cross_entropy"), "3"),
        (lambda m, X: m.input_gradient(X[:, :3], [0, 1], "cross_entropy"), "4"),
        (lambda m, X: m.fisher_diagonal(X, [0], "cross_entropy"), "2"),
        (lambda m, X: m.fisher_diagonal([[np.nan] * 4], [0], "cross_entropy"), "row 0"),
        (lambda m, X: m.fisher_diagonal(X, [0, 1], "cross_entropy", labels="model"), "y must be None"),
        (lambda m, X: m.fisher_diagonal(X, None, "cross_entropy", labels="own"), "labels"),
        (lambda m, X: m.fisher_diagonal(X, None, "mse", labels="model"), "'mse' defines no probabilities"),
        (lambda m, X: m.hessian_vector_product(X, [0, 1], "cross_entropy", [1.0]), r"\(17,\)|\(15,\), not \(1,\)"),
        (lambda m, X: m.hessian_vector_product(X, [0, 1], "cross_entropy", [np.inf] * 15), "vector"),
        (lambda m, X: m.hessian_vector_product(X, [0, 1], "entropy", [0.0] * 15), "entropy"),
    ],
)
def test_refused(engine, call, text):
    with pytest.raises(ValueError, match=text):
        call(gd.MLP(4, 3, seed=0), np.ones((2, 4)))
