"""Denormals are zero inside the C core, as operands and as results, and nowhere else in the process."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import ENGINES, NATIVE, NUMPY, REALS, Net, close, name_of, run_of
from problems import LOSS_CASES

from fastgd import SGD, Adam, RMSprop, losses
from fastgd.losses import LossNotFinite

CASES = [pytest.param(engine, dtype, id=f"{name_of(engine)}-{dtype}") for engine in NATIVE for dtype in REALS]
WIDTHS = (37, 65, 19, 3)


def denormal(x):
    """Whether each element is denormal in its dtype."""
    return (x != 0) & (abs(x) < np.finfo(x.dtype).tiny)


def mixed(dtype, *shape, seed=0):
    """Random values, two of three of them denormal; and the same with zeros of the same signs instead."""
    rng, limits = np.random.default_rng(seed), np.finfo(dtype)
    x = rng.standard_normal(shape).astype(dtype)
    small = rng.random(shape) < 2 / 3
    tiny = (limits.smallest_subnormal * rng.integers(1, 1000, shape).astype(dtype)).astype(dtype)
    return np.where(small, np.copysign(tiny, x), x), np.where(small, np.copysign(dtype(0), x), x)


def same(a, b):
    return (np.asarray(a) == np.asarray(b)).all()


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_forward_backward_and_predict(engine, dtype, rows):
    real, results = np.dtype(dtype).type, []
    for X, dZ in zip(mixed(real, rows, 37), mixed(real, rows, 3, seed=1), strict=True):
        net, dX = Net(engine, dtype, WIDTHS, "relu"), np.empty_like(X)
        Z = net.forward(X)
        net.network.backward(dZ, dX)
        results.append([Z, net.predict(X), net.predict(X.astype("float64")), net.grad, dX])
    for got, want in zip(*results, strict=True):
        assert same(got, want)
        assert not denormal(got).any()


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("loss", LOSS_CASES)
def test_losses(engine, dtype, loss):
    loss, real, results = LOSS_CASES[loss], np.dtype(dtype).type, []
    Y = np.ones((40, 3)) if loss.target != "labels" else np.ones((40, 1), "int64")
    for Z, weight in zip(mixed(real, 40, 3), mixed(real, 40, seed=1), strict=True):
        net, values, dZ = Net(engine, dtype, (1, 3)), np.empty(40), np.empty_like(Z)
        net.network.loss(loss, Z, Y, weight, values, dZ)
        results.append([values, dZ])
        assert not denormal(dZ).any()
    assert all(map(same, *results))


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dtype", REALS)
def test_the_same_bits_on_every_instruction_set_and_number_of_threads(dtype):
    real = np.dtype(dtype).type
    run = run_of("cross_entropy", "adam", WIDTHS, rows=300, batch=128, weighted=True)
    results = []
    for engine, threads in itertools.product([e for e in NATIVE if e.isa != "scalar"], (1, 2, 3)):
        for X, theta in zip(mixed(real, 300, 37), mixed(real, Net(engine, dtype, WIDTHS).theta.size), strict=True):
            net = Net(engine, dtype, WIDTHS)
            net.theta[:] = theta
            values, state = run.changed(X=X).on(net, n_threads=threads)
            results.append(np.concatenate([net.theta, state.ravel(), values]))
    assert all(same(result, results[0]) for result in results)


OPTIMIZERS = {
    "momentum": SGD(momentum=0.9),
    "decay": SGD(weight_decay=1.0),
    "rmsprop": RMSprop(alpha=0.9, momentum=0.5, centered=True),
    "adam": Adam(betas=(0.9, 0.95)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
def test_weights_that_no_longer_get_a_gradient(engine, name):
    """Their slots, and with a weight decay they themselves, become zero instead of denormal on the C core."""
    widths, optimizer = (4, 5, 2), OPTIMIZERS[name]
    net, state = Net(engine, "float32", widths), np.zeros((optimizer.slots, 4 * 5 + 5 + 5 * 2), "float32")
    run = run_of("mse", optimizer, widths, epochs=100)
    net.network.train(run.chunk(net, state=state))
    run.X[:, 1:] = 0
    found = False
    for _ in range(30):
        net.network.train(run.chunk(net, state=state))
        found |= denormal(net.theta).any() or denormal(state).any()
    assert found == (engine == NUMPY)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
def test_the_numpy_engine_keeps_them_and_agrees(engine, dtype):
    """What a denormal would have contributed is below what either engine rounds off."""
    X, _ = mixed(np.dtype(dtype).type, 40, 37)
    want = Net(NUMPY, "float64", WIDTHS).forward(X.astype("float64"))
    close(Net(engine, dtype, WIDTHS).forward(X), want, 1e-5 if dtype == "float32" else 1e-13)


# ---- other code


def arithmetic_keeps_denormals():
    tiny, one = np.array([5e-324, 2.0**-1022]), np.array([1.0, 0.5])
    return float("5e-324") * len("1") > 0 and (tiny * one > 0).all()


def fail(call, error):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_arithmetic_after_a_call(engine, dtype, threads):
    net, widths = Net(engine, dtype, WIDTHS), WIDTHS
    run = run_of("cross_entropy", SGD(momentum=0.9), widths, rows=300, batch=100)
    X, Z, values = run.X.astype(dtype), np.zeros((300, 3), dtype), np.zeros(300)
    infinite, no_class = np.full_like(X, np.inf), np.full_like(run.Y, 3)
    state = np.zeros((1, net.theta.size), dtype)
    mse, coefficients = losses.get("cross_entropy"), run.optimizer.coefficients(np.ones(1), np.ones(1, int))[0]
    calls = [
        lambda: net.predict(X, threads),
        lambda: net.predict(X[:1], threads),
        lambda: fail(lambda: net.predict(infinite, threads), ValueError),
        lambda: net.forward(X, threads),
        lambda: net.network.backward(Z, np.empty_like(X), threads),
        lambda: net.network.loss(mse, Z, run.Y, None, values),
        lambda: fail(lambda: net.network.loss(mse, Z, no_class, None, values), ValueError),
        lambda: net.network.update(run.optimizer, coefficients, state),
        lambda: run.on(net, n_threads=threads),
        lambda: fail(lambda: run.changed(X=infinite).on(net, n_threads=threads), LossNotFinite),
        lambda: fail(lambda: run.changed(Y=no_class).on(net, n_threads=threads), ValueError),
    ]
    for number, call in enumerate(calls):
        call()
        assert arithmetic_keeps_denormals(), number


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_arithmetic_in_other_threads(engine):
    net, X = Net(engine, "float32", WIDTHS), np.ones((2000, 37), "float32")

    def predict_and_look(_):
        net.predict(X, n_threads=2)
        return arithmetic_keeps_denormals()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(predict_and_look, range(40)))
    assert arithmetic_keeps_denormals()
