"""The NumPy engine combines the definitions correctly: gradients by finite differences, steps one by one."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from problems import DERIVATIVE_TOLERANCE, EACH_ACTIVATION, LOSS_CASES, derivatives, in_turn, targets

from fastgd import activations, losses, optimizers
from fastgd.activations import Activation
from fastgd.data.arrays import ENGINE_DTYPES
from fastgd.engine import numpy_engine
from fastgd.engine.chunk import Chunk
from fastgd.optimizers import OPTIMIZERS, SGD


def network(activation, widths=(3, 5, 4, 2), dtype="float64", seed=0):
    """An executor whose second layer has no bias and whose last layer is linear, with theta and grad."""
    rng = np.random.default_rng(seed)
    functions = [activations.get(activation)] * (len(widths) - 2) + [activations.get("identity")]
    layers = [
        SimpleNamespace(n_in=n_in, n_out=n_out, activation=f, bias=i != 1)
        for i, (n_in, n_out, f) in enumerate(zip(widths[:-1], widths[1:], functions, strict=True))
    ]
    size = sum((layer.n_in + layer.bias) * layer.n_out for layer in layers)
    theta = rng.normal(size=size).astype(dtype)
    grad = np.full_like(theta, np.nan)
    return numpy_engine.Executor(layers, theta, grad), theta, grad


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "activation"), in_turn(LOSS_CASES, EACH_ACTIVATION))
def test_backward_is_the_gradient_by_theta_and_x(activation, loss, weighted):
    net, theta, grad = network(activation)
    loss, rng, B = LOSS_CASES[loss], np.random.default_rng(5), 7
    X, Y = rng.normal(size=(B, 3)), targets(rng, loss, B, 2)
    weight = rng.random(B) if weighted else None
    Z, dZ, dX, rows = np.empty((B, 2)), np.empty((B, 2)), np.empty((B, 3)), np.empty(B)

    def total(_):
        net.forward(X, Z)
        net.loss(loss, Z, Y, weight, rows, None)
        return rows.sum()

    net.forward(X, Z)
    net.loss(loss, Z, Y, weight, rows, dZ)
    net.backward(dZ, dX)
    scale = abs(grad).max()
    np.testing.assert_allclose(grad, derivatives(total, theta), rtol=0, atol=DERIVATIVE_TOLERANCE * scale)
    np.testing.assert_allclose(dX, derivatives(total, X), rtol=0, atol=DERIVATIVE_TOLERANCE * scale)


class Square(Activation):
    """a = z^2: its derivative is not a function of a, so the engine must keep z."""

    name, saved = "square", "z"

    def forward(self, z):
        return z * z

    def backward(self, x, g):
        return 2 * x * g


def test_the_engine_keeps_z_for_activations_that_read_it():
    net, theta, grad = network(Square())
    X, Z, dZ = np.random.default_rng(6).normal(size=(4, 3)), np.empty((4, 2)), np.ones((4, 2))

    def total(_):
        net.forward(X, Z)
        return Z.sum()

    total(theta)
    net.backward(dZ)
    np.testing.assert_allclose(grad, derivatives(total, theta), rtol=0, atol=DERIVATIVE_TOLERANCE * abs(grad).max())


def chunk(net, theta, loss, optimizer, X, Y, weight=None, order=None, starts=None, lr=0.05):
    """Train on one chunk of steps; returns the losses."""
    order = np.arange(len(X)) if order is None else order
    starts = np.array([0, len(order)]) if starts is None else starts
    steps = len(starts) - 1
    coefficients = optimizer.coefficients(np.full(steps, lr), np.arange(1, steps + 1))
    state, result = optimizer.bind(theta.size, theta.dtype), np.full(steps, np.nan)
    net.train(Chunk(X, Y, order, starts, losses.get(loss), optimizer, coefficients, state, result, weight))
    return result


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_train_is_forward_loss_backward_update(optimizer):
    """Three batches of different sizes in random order, with weights; one batch of weight 0."""
    rng = np.random.default_rng(7)
    X, Y, weight = rng.normal(size=(10, 3)), rng.integers(2, size=(10, 1)), rng.random(10)
    order, starts = rng.permutation(10), np.array([0, 4, 6, 10])
    weight[order[4:6]] = 0
    net, theta, _ = network("tanh")
    got = chunk(net, theta, "cross_entropy", optimizers.get(optimizer), X, Y, weight, order, starts)

    rule, loss = optimizers.get(optimizer), losses.get("cross_entropy")
    coefficients = rule.coefficients(np.full(3, 0.05), np.arange(1, 4))
    other, expected, _ = network("tanh")
    for s in range(3):
        rows = order[starts[s] : starts[s + 1]]
        Z, dZ, values = np.empty((len(rows), 2)), np.empty((len(rows), 2)), np.empty(len(rows))
        other.forward(X[rows], Z)
        other.loss(loss, Z, Y[rows], weight[rows], values, dZ)
        divisor = weight[rows].sum() or 1
        other.backward(dZ / divisor)
        other.update(rule, coefficients[s], rule.bind(expected.size, expected.dtype))
        assert got[s] == pytest.approx(values.sum() / divisor, rel=1e-14)
    np.testing.assert_allclose(theta, expected, rtol=1e-13)


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("dtype", sorted(ENGINE_DTYPES, key=str), ids=str)
def test_train_and_predict_read_every_dtype_and_stride(dtype, real):
    raw = np.random.default_rng(8).integers(0, 2, size=(24, 3))
    X = raw.astype(dtype)[::-2]
    Y = X[:, :2]
    results = []
    for A, T in ((X, Y), (X.astype(real), Y.astype(real))):
        net, theta, _ = network("relu", dtype=real)
        chunk(net, theta, "mse", SGD(momentum=0.5), A, T, starts=np.array([0, 5, 12]))
        out = np.empty((12, 2), real)
        net.predict(A, out)
        results.append((theta, out))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("rows", [0, 1, numpy_engine._BLOCK - 1, numpy_engine._BLOCK, numpy_engine._BLOCK + 1])
def test_predict_in_blocks_is_forward(rows):
    net, *_ = network("sigmoid")
    X = np.random.default_rng(9).normal(size=(rows, 3))
    predicted, forward = np.full((rows, 2), np.nan), np.full((rows, 2), np.nan)
    net.predict(X, predicted)
    net.forward(X, forward)
    np.testing.assert_allclose(predicted, forward, rtol=1e-12)


def test_forward_keeps_its_own_copy_of_x():
    net, _, grad = network("tanh")
    X, Z, dZ = np.ones((4, 3)), np.empty((4, 2)), np.ones((4, 2))
    net.forward(X, Z)
    net.backward(dZ)
    expected = grad.copy()
    net.forward(X, Z)
    X[:] = 9
    net.backward(dZ)
    np.testing.assert_array_equal(grad, expected)


def test_train_stops_before_the_update_of_a_step_whose_loss_is_not_finite():
    net, theta, _ = network("identity")
    start = theta.copy()
    X, Y = np.ones((6, 3)), np.ones((6, 2))
    X[4:] = 1e200
    with pytest.raises(losses.LossNotFinite, match="lower the learning rate or scale X") as caught:
        chunk(net, theta, "mse", SGD(), X, Y, starts=np.array([0, 2, 4, 6]), lr=1e-3)
    assert caught.value.step == 2
    expected = network("identity")
    chunk(expected[0], expected[1], "mse", SGD(), X, Y, starts=np.array([0, 2, 4]), lr=1e-3)
    np.testing.assert_array_equal(theta, expected[1])
    assert (theta != start).any()


class Interferer(Activation):
    """While the network computes, it uses the same network from another thread."""

    name = "interferer"

    def __init__(self, interfere):
        self.interfere = interfere

    def forward(self, z):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.interfere).result()
        return z

    def backward(self, x, g):
        return g


def test_two_threads_on_one_network_get_an_error_but_may_predict():
    X, Z, values, work = np.ones((4, 3)), np.empty((4, 2)), np.empty(4), []
    net, theta, _ = network(Interferer(lambda: work[-1]()), widths=(3, 3, 2))
    plain = network("identity", widths=(3, 3, 2))[0]
    optimizer = SGD()
    state, c = optimizer.bind(theta.size, theta.dtype), np.array([0.1, 0])
    for forbidden in (
        lambda: net.forward(X, Z),
        lambda: net.backward(Z),
        lambda: net.update(optimizer, c, state),
        lambda: chunk(net, theta, "mse", SGD(), X, np.ones((4, 2))),
    ):
        work.append(forbidden)
        with pytest.raises(RuntimeError, match="in use by another thread"):
            net.forward(X, Z)
    work.append(lambda: net.loss(losses.get("mse"), np.ones((4, 2)), np.ones((4, 2)), None, values, None))
    net.forward(X, Z)
    work.append(lambda: plain.predict(X, Z))
    net.predict(X, Z)


def test_backward_needs_forward():
    with pytest.raises(RuntimeError, match="call forward first"):
        network("relu")[0].backward(np.ones((1, 2)))


def test_backward_needs_a_forward_after_training():
    net, theta, _ = network("relu")
    net.forward(np.ones((4, 3)), np.empty((4, 2)))
    chunk(net, theta, "mse", SGD(), np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(np.ones((4, 2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.ones((6, 4))}, "X must have shape"),
        ({"Y": np.ones((5, 1), int)}, "Y must have shape"),
        ({"Y": np.full((6, 1), 2)}, r"class indices must be in 0 \.\.\. 1"),
        ({"Y": np.full((6, 1), -1)}, r"class indices must be in 0 \.\.\. 1"),
        ({"Y": np.full((6, 1), np.nan)}, r"class indices must be in 0 \.\.\. 1"),
        ({"weight": np.ones(5)}, "weight must have shape"),
        ({"weight": np.ones(6, np.float32)}, "weight must have shape .* float64"),
        ({"order": np.array([0, 6])}, "order must hold row indices"),
        ({"order": np.array([-1, 0])}, "order must hold row indices"),
        ({"starts": np.array([0, 7])}, "starts must be strictly increasing"),
        ({"starts": np.array([0, 2, 2])}, "starts must be strictly increasing"),
    ],
)
def test_train_rejects_what_does_not_fit(change, message):
    net, theta, _ = network("relu")
    start = theta.copy()
    data = {"X": np.ones((6, 3)), "Y": np.zeros((6, 1), int), "weight": None, "order": None, "starts": None} | change
    with pytest.raises(ValueError, match=message):
        chunk(net, theta, "cross_entropy", SGD(), **data)
    np.testing.assert_array_equal(theta, start)


def test_executor_rejects_vectors_that_it_cannot_use():
    layers = [SimpleNamespace(n_in=2, n_out=1, activation=activations.get("relu"), bias=True)]
    good, frozen = np.zeros(3), np.zeros(3)
    frozen.flags.writeable = False
    for theta, grad, message in (
        (np.zeros(4), good, "theta must have shape"),
        (good, np.zeros(3, np.float32), "grad must have shape .* float64"),
        (np.zeros(6)[::2], good, "C-contiguous"),
        (frozen, good, "writable"),
        (np.zeros(3, int), np.zeros(3, int), "float32 or float64"),
    ):
        with pytest.raises(ValueError, match=message):
            numpy_engine.Executor(layers, theta, grad)
    with pytest.raises(ValueError, match="isa must be None"):
        numpy_engine.Executor(layers, good, np.zeros(3), "avx2")
