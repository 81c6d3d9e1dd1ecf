"""Every row of the tables of losses, rules and activations, on every engine: GB/s of what they read and write."""

import numpy as np
import pytest

import fastgd as gd
from fastgd import activations, losses
from fastgd.optimizers import OPTIMIZERS, RULES

# In L2, as outputs of a batch are; theta of small networks lives there too, that of large ones in memory.
NUMBERS = {"L2": 1 << 14, "memory": 1 << 23}
RULE_USERS = {name: cls() for name, cls in OPTIMIZERS.items()} | {"momentum": gd.SGD(momentum=0.9)}


def close(got, want):
    """float32 rounds to 6e-8; no row adds up more than a thousand numbers."""
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.benchmark(group="activation, forward")
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activation(engine, name, measure):
    """A layer of one input, so that the activation is most of its work."""
    rows, n_out = 64, NUMBERS["L2"] // 64
    model = gd.Sequential(gd.Dense(1, n_out, name), seed=0)
    X, Z = np.linspace(-4, 4, rows, dtype="float32")[:, np.newaxis], np.empty((rows, n_out), "float32")
    model.network.predict(X, Z)
    W, b = (parameter.astype("float64") for parameter in model.parameters().values())
    close(Z, activations.get(name).forward(X @ W + b))
    measure(lambda: model.network.predict(X, Z), moved=Z.nbytes, level="L2")


@pytest.mark.benchmark(group="loss")
@pytest.mark.parametrize("n_out", [1, 10, 1000])
@pytest.mark.parametrize("name", losses.LOSSES)
def test_loss(engine, name, n_out, measure):
    """Losses and slopes of the rows of Z."""
    loss, rng = losses.get(name), np.random.default_rng(0)
    if loss.link == "softmax" and n_out == 1:
        pytest.skip("one class is no choice")
    Z = rng.standard_normal((NUMBERS["L2"] // n_out, n_out), "float32")
    is_labels = loss.target == "labels"
    Y = rng.integers(n_out, size=(len(Z), 1)) if is_labels else rng.dirichlet(np.ones(max(n_out, 2)), len(Z))[:, :n_out]
    Y = Y if is_labels else np.ascontiguousarray(Y, "float32")
    rows, dZ = np.empty(len(Z)), np.empty_like(Z)
    network = gd.MLP(1, n_out, seed=0).network
    network.loss(loss, Z, Y, None, rows, dZ)
    close(rows, loss.rows(Z.astype("float64"), Y))
    close(dZ, loss.gradient(Z.astype("float64"), Y))
    measure(lambda: network.loss(loss, Z, Y, None, rows, dZ), moved=Z.nbytes + Y.nbytes + dZ.nbytes, level="L2")


@pytest.mark.benchmark(group="rule")
@pytest.mark.parametrize("level", NUMBERS)
@pytest.mark.parametrize("name", RULE_USERS)
def test_rule(engine, name, level, measure):
    """theta and state from a gradient, in one pass: theta and slots in and out, the gradient in."""
    optimizer, size = RULE_USERS[name], NUMBERS[level]
    model = gd.Sequential(gd.Dense(size // 64, 64, bias=False), seed=0)
    model.grad[:] = np.random.default_rng(0).standard_normal(model.size, "float32")
    state = np.zeros((optimizer.slots, model.size), "float32")
    (c,) = optimizer.coefficients(np.full(1, 1e-3), np.ones(1, np.int64))
    expected = model.theta.astype("float64")
    RULES[optimizer.rule](expected, model.grad.astype("float64"), state.astype("float64"), c)
    model.network.update(optimizer, c, state)
    close(model.theta, expected)
    moved = (3 + 2 * optimizer.slots) * model.theta.nbytes
    measure(lambda: model.network.update(optimizer, c, state), moved=moved, level=level)
