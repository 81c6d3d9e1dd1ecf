"""Every kernel on every engine, on one CPU: products, activations, losses, rules and input types."""

from functools import cache

import numpy as np
import pytest

import fastgd as gd
from fastgd import activations, backend, losses
from fastgd.data.arrays import ENGINE_DTYPES
from fastgd.optimizers import OPTIMIZERS, RULES

from .workloads import TOLERANCE, WORKLOADS, Workload, wrong_share

# In L2, as the activations of a batch; beyond any cache, as theta of large networks.
SIZES = {"L2": 1 << 14, "memory": 1 << 24}
# The others update whole matrices.
RULE_USERS = {name: cls() for name, cls in OPTIMIZERS.items() if not cls.forms} | {"momentum": gd.SGD(momentum=0.9)}
LAYERS = {  # as the workloads have them: "784x128, batch 64"
    f"{n_in}x{n_out}, batch {workload.batch}": (workload.batch, n_in, n_out)
    for workload in WORKLOADS.values()
    for n_in, n_out in zip(workload.widths, workload.widths[1:], strict=False)
    if workload.batch * n_in * n_out < 1e8
}
# One output, so that reading the rows dominates.
LINEAR = Workload("linear", (784, 1), 64, 16384, loss="mse", lr=1e-6)


def close(got, want, sums_of=1):
    """Equal up to float32 rounding: 6e-8 of the largest term in each addition of sums of `sums_of` terms."""
    np.testing.assert_allclose(got, want, rtol=0, atol=(1e-5 + 6e-8 * sums_of) * np.abs(want).max())


class Layer:
    """One layer: A (rows, n_in) to Z (rows, n_out), dZ to dX; `exact` holds W, b, A and dZ in float64."""

    def __init__(self, rows, n_in, n_out, activation="identity"):
        rng = np.random.default_rng(0)
        self.model = gd.Sequential(gd.Dense(n_in, n_out, activation), seed=0)
        self.A = rng.standard_normal((rows, n_in), "float32")
        self.Z, self.dZ = np.empty((rows, n_out), "float32"), rng.standard_normal((rows, n_out), "float32")
        self.dX = np.empty_like(self.A)
        self.exact = [array.astype("float64") for array in (*self.model.parameters().values(), self.A, self.dZ)]

    def forward(self):
        self.model.network.forward(self.A, self.Z, n_threads=1)

    def backward(self, dX=None):
        self.model.network.backward(self.dZ, dX, n_threads=1)


@pytest.fixture
def measure_one(measure):
    """`measure` for calls that run on one thread."""
    return lambda *args, **kwargs: measure(*args, n_threads=1, **kwargs)


@pytest.mark.benchmark(group="product")
@pytest.mark.parametrize("what", ["forward", "dW", "dW and dX"])
@pytest.mark.parametrize("layer", LAYERS)
def test_product(engine, layer, what, measure_one):
    """The three products of a layer, as a custom loop calls them, including copies in and out."""
    rows, n_in, n_out = LAYERS[layer]
    layer = Layer(rows, n_in, n_out)
    W, b, A, dZ = layer.exact
    layer.forward()
    close(layer.Z, A @ W + b, n_in)
    if what == "forward":
        measure_one(layer.forward, flops=2 * rows * n_in * n_out)
        return
    dX = layer.dX if what == "dW and dX" else None
    layer.backward(dX)
    close(layer.model.gradients()["0.weight"], A.T @ dZ, rows)
    if dX is not None:
        close(dX, dZ @ W.T, n_out)
    measure_one(lambda: layer.backward(dX), flops=2 * rows * n_in * n_out * (1 if dX is None else 2))


@pytest.mark.benchmark(group="activation")
@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activation(engine, name, way, measure_one):
    """A layer of one input, so that its activation dominates."""
    layer, f = Layer(64, 1, SIZES["L2"] // 64, name), activations.get(name)
    W, b, A, dZ = layer.exact
    layer.forward()
    Z = A @ W + b
    close(layer.Z, f.forward(Z))
    if way == "forward":
        measure_one(layer.forward, moved=layer.Z.nbytes, level="L2")
        return
    layer.backward()
    close(layer.model.gradients()["0.bias"], f.backward(Z if f.saved == "z" else f.forward(Z), dZ).sum(axis=0), 64)
    measure_one(layer.backward, moved=2 * layer.Z.nbytes, level="L2")


@pytest.mark.benchmark(group="loss")
@pytest.mark.parametrize("n_out", [1, 10, 1000])
@pytest.mark.parametrize("name", losses.LOSSES)
def test_loss(engine, name, n_out, measure_one):
    """Losses and gradients of the rows of Z."""
    loss, rng = losses.get(name), np.random.default_rng(0)
    if loss.link == "softmax" and n_out == 1:
        pytest.skip("a softmax needs two classes")
    Z = rng.standard_normal((SIZES["L2"] // n_out, n_out), "float32")
    is_labels = loss.target == "labels"
    Y = rng.integers(n_out, size=(len(Z), 1)) if is_labels else rng.dirichlet(np.ones(max(n_out, 2)), len(Z))[:, :n_out]
    Y = Y if is_labels else np.ascontiguousarray(Y, "float32")
    rows, dZ = np.empty(len(Z)), np.empty_like(Z)
    network = gd.MLP(1, n_out, seed=0).network
    network.loss(loss, Z, Y, None, rows, dZ)
    close(rows, loss.per_row(Z.astype("float64"), Y), n_out)
    close(dZ, loss.gradient(Z.astype("float64"), Y), n_out)
    measure_one(lambda: network.loss(loss, Z, Y, None, rows, dZ), moved=Z.nbytes + Y.nbytes + dZ.nbytes, level="L2")


@pytest.mark.benchmark(group="rule")
@pytest.mark.parametrize("level", SIZES)
@pytest.mark.parametrize("name", RULE_USERS)
def test_rule(engine, name, level, measure_one):
    """One pass over theta and state: theta and slots in and out, the gradient in."""
    optimizer, size = RULE_USERS[name], SIZES[level]
    model = gd.Sequential(gd.Dense(size // 64, 64, bias=False), seed=0)
    model.grad[:] = np.random.default_rng(0).standard_normal(model.size, "float32")
    state = np.zeros((optimizer.slots, model.size), "float32")
    (c,) = optimizer.coefficients(np.full(1, 1e-3), np.ones(1, np.int64))
    few = slice(SIZES["L2"])
    expected = model.theta[few].astype("float64")
    RULES[optimizer.rule](expected, model.grad[few].astype("float64"), state[:, few].astype("float64"), c)
    model.network.update(optimizer, c, state)
    close(model.theta[few], expected)
    moved = (3 + 2 * optimizer.slots) * model.theta.nbytes
    measure_one(lambda: model.network.update(optimizer, c, state), moved=moved, level=level)


@pytest.mark.benchmark(group="gather")
@pytest.mark.parametrize("dtype", sorted(map(str, ENGINE_DTYPES)))
def test_gather(engine, dtype, measure_one):
    """Batches of shuffled rows of every type, in the training of a linear model: bytes of the rows."""
    X, y = linear_data()
    X, steps = X.astype(dtype), LINEAR.rows // LINEAR.batch
    model, exact = LINEAR.model(), LINEAR.model("float64")
    first = model.theta.copy()
    model.network.train(LINEAR.chunk(model, X, y, LINEAR.order(4), n_threads=1))
    with backend.override("numpy"):
        exact.network.train(LINEAR.chunk(exact, X, y, LINEAR.order(4)))
    assert wrong_share(model.theta, first, exact.theta) < TOLERANCE
    chunk = LINEAR.chunk(model, X, y, LINEAR.order(steps), n_threads=1)
    measure_one(lambda: model.network.train(chunk), per=steps, moved=LINEAR.batch * X.strides[0], level="memory")


@cache
def linear_data():
    """Data of LINEAR that every type can hold, beyond any cache."""
    X, y = LINEAR.data()
    return np.abs(10 * X), y
