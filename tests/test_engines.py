"""Every engine computes what the NumPy engine computes in float64."""

import functools
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import CASES, NATIVE, NUMPY, REALS, Net, close, elementwise, name_of, numbers, run_of
from problems import LOSS_CASES, RULE_USERS, TRAININGS, targets

from fastgd import losses
from fastgd.data.arrays import ENGINE_DTYPES
from fastgd.optimizers import RULES, SGD

WIDTHS = (5, 33, 9, 3)

# Sums of up to 1025 products of values near 1, and functions of them, have errors below 300 eps.
TOLERANCE = {dtype: 300 * np.finfo(dtype).eps for dtype in REALS}


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize(("activation", "loss", "optimizer", "weighted"), TRAININGS)
def test_training_is_that_of_the_definitions(engine, dtype, activation, loss, optimizer, weighted):
    run = run_of(LOSS_CASES[loss], RULE_USERS[optimizer], WIDTHS, weighted=weighted)
    net, reference = Net(engine, dtype, WIDTHS, activation), Net(NUMPY, "float64", WIDTHS, activation)
    (got_losses, got_state), (want_losses, want_state) = run.on(net), run.on(reference)
    # The others divide by the root of a mean of squares that may be as small as their eps, which magnifies errors.
    tolerance = TOLERANCE[dtype] * (1 if optimizer in ("sgd", "momentum", "nesterov") else 30)
    close(net.theta, reference.theta, tolerance)
    close(got_state, want_state, tolerance)
    close(got_losses, want_losses, tolerance)


def test_every_rule_is_trained():
    assert {optimizer.rule for optimizer in RULE_USERS.values()} == set(RULES)


# Around the engines' constants: vectors of 1 to 16 elements, tiles of 4 to 14 rows and 2 vectors, blocks of 512 or 1024
# products and of 336 rows, 126 rows that predict computes at once.
ROWS = [*range(1, 16), 28, 29, 125, 126, 127, 335, 336, 337]
SIZES = [*range(1, 18), 31, 32, 33, 65]
DEEP = [(15, 513, 33), (5, 1024, 4), (15, 1025, 33), (5, 2049, 3), (513, 3, 17), (1025, 3, 17), (2049, 2, 5)]


def passes(engine, dtype, rows, n_in, n):
    """Results of forward, predict and backward of n_in -> n -> n_in, in which each product has each shape."""
    rng, net = np.random.default_rng(rows), Net(engine, dtype, (n_in, n, n_in))
    X, dZ, dX = numbers(rng, rows, n_in), numbers(rng, rows, n_in), net.empty(rows, n_in)
    Z = net.forward(X, n_threads=1 + rows % 3)
    net.network.backward(dZ.astype(net.dtype), dX, 1 + n % 3)
    return Z, net.predict(X), net.grad, dX


reference_passes = functools.cache(functools.partial(passes, NUMPY, "float64"))


def check_passes(engine, dtype, *shape):
    results = passes(engine, dtype, *shape)
    for got, want in zip(results, reference_passes(*shape), strict=True):
        close(got, want, TOLERANCE[dtype])
    if engine.backend == "native":
        assert (results[0] == results[1]).all()


@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_products_of_all_shapes(engine, dtype):
    """Every number of rows with a third of the widths and the reverse; csrc/tests/products.h has every pair."""
    for (i, n), (j, rows) in itertools.product(enumerate(SIZES), enumerate(ROWS)):
        if (i + j) % 3 == 0:
            check_passes(engine, dtype, rows, 7, n)


@pytest.mark.parametrize(("rows", "n_in", "n"), DEEP)
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_products_of_many_terms(engine, dtype, rows, n_in, n):
    check_passes(engine, dtype, rows, n_in, n)


@pytest.mark.parametrize("loss", LOSS_CASES)
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_losses_of_all_shapes(engine, dtype, loss):
    loss, rng = LOSS_CASES[loss], np.random.default_rng(2)
    for rows, n_out in itertools.product([1, 7, 16, 33], [1, 2, 3, 9, 17]):  # csrc/tests has every pair of edges
        net = Net(engine, dtype, (1, n_out))
        Z, Y = 3 * numbers(rng, rows, n_out), targets(rng, loss, rows, n_out).astype("float32")
        weight = rng.integers(0, 9, rows) / 8
        want, want_dZ = (f(Z, Y.astype("float64")) for f in (loss.row_losses, loss.row_gradients))
        for w in (None, weight):
            got, dZ, alone = np.empty(rows), net.empty(rows, n_out), np.empty(rows)
            arguments = loss, Z.astype(dtype), Y, None if w is None else w.astype(dtype)
            net.network.loss(*arguments, got, dZ)
            net.network.loss(*arguments, alone, None)
            factor = np.ones(rows) if w is None else w
            np.testing.assert_allclose(got, factor * want, rtol=0, atol=TOLERANCE[dtype] * max(1, abs(want).max()))
            atol = TOLERANCE[dtype] * max(1, abs(want_dZ).max())
            np.testing.assert_allclose(dZ, factor[:, np.newaxis] * want_dZ, rtol=0, atol=atol)
            np.testing.assert_array_equal(got, alone)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_a_measurement_is_a_prediction_with_its_losses(engine, dtype, loss):
    rng, net, loss = np.random.default_rng(3), Net(engine, dtype, WIDTHS), losses.get(loss)
    net.theta[:] = np.round(net.theta)  # so that some rows have several largest outputs
    X, Y = np.round(numbers(rng, 300, 5)), targets(rng, loss, 300, 3)
    weight, Z, got, want = rng.random(300).astype(dtype), net.empty(300, 3), np.empty(300), np.empty(300)
    correct = net.network.measure(loss, X, Y, weight, Z, got, 2)
    np.testing.assert_array_equal(Z, net.predict(X))
    net.network.loss(loss, Z, Y, weight, want)
    np.testing.assert_array_equal(got, want)
    assert correct == (np.count_nonzero(Z.argmax(axis=1) == Y[:, 0]) if loss.target == "labels" else -1)
    net.theta[-1] = np.inf
    assert net.network.measure(loss, X, Y, None, Z, got) == -1


def test_losses_that_are_not_finite_are_returned_row_by_row(engine):
    net, got = Net(engine, "float32", (1, 1)), np.empty(20)
    Z = np.arange(20, dtype="float32")[:, np.newaxis]
    Z[[3, 7], 0] = np.inf, np.nan
    net.network.loss(losses.get("mse"), Z, np.zeros((20, 1)), None, got, None)
    np.testing.assert_array_equal(got, Z[:, 0].astype("float64") ** 2)


@pytest.mark.parametrize("optimizer", RULE_USERS)
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_update_is_the_rule(engine, dtype, optimizer):
    optimizer, rng = RULE_USERS[optimizer], np.random.default_rng(3)
    coefficients = elementwise(optimizer, optimizer.coefficients(np.full(3, 0.1), np.arange(1, 4)))
    for size in SIZES:
        net = Net(engine, dtype, (1, size, 1))
        theta, gradients = net.theta.astype("float64"), numbers(rng, 3, net.theta.size)
        state = np.zeros((optimizer.slots, theta.size), dtype)
        want = state.astype("float64")
        for g, c in zip(gradients, coefficients, strict=True):
            net.grad[:] = g
            net.network.update(optimizer, c, state)
            RULES[optimizer.rule](theta, g, want, c)
        close(net.theta, theta, TOLERANCE[dtype])
        close(state, want, TOLERANCE[dtype])


# ---- weights


@pytest.mark.parametrize("loss", LOSS_CASES)
def test_a_weight_of_two_is_a_row_twice(engine, loss):
    weight = np.array([1, 2, 0, 3, 1, 0, 2, 1, 1, 2])
    run = run_of(LOSS_CASES[loss], SGD(), WIDTHS, rows=10, batch=10, epochs=1).changed(order=np.arange(10))
    weighted, repeated = Net(engine, "float64", WIDTHS), Net(engine, "float64", WIDTHS)
    order = np.arange(10).repeat(weight)
    got = run.changed(weight=weight).on(weighted)[0]
    want = run.changed(order=order, starts=np.array([0, len(order)])).on(repeated)[0]
    np.testing.assert_allclose(got, want, rtol=1e-13)
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=0, atol=1e-14)


def test_a_step_of_rows_of_weight_zero_changes_nothing(engine):
    net = Net(engine, "float32", WIDTHS)
    before = net.theta.copy()
    got, _ = run_of("mse", SGD(), WIDTHS).changed(weight=np.zeros(20)).on(net)
    assert (got == 0).all()
    assert (net.theta == before).all()


# ---- memory layouts and dtypes of X and Y


def layouts(A, tmp_path):
    """The same rows in every memory layout that engines read."""
    rows, width = A.shape
    wide = np.full((rows, width + 3), 1, A.dtype)
    wide[:, 1:-2] = A
    frozen = A.copy()
    frozen.flags.writeable = False
    mapped = np.memmap(tmp_path / f"rows of {width}", A.dtype, "w+", shape=A.shape)
    mapped[:] = A
    yield "part of wider rows", wide[:, 1:-2]
    yield "reversed", A[::-1].copy()[::-1]
    yield "every third row", A.repeat(3, axis=0)[::3]
    yield "read-only", frozen
    yield "mapped from a file", mapped


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("dtype", sorted(ENGINE_DTYPES, key=str), ids=str)
def test_x_and_y_are_read_in_place(engine, dtype, real, tmp_path):
    run = run_of("mse", SGD(), WIDTHS)
    X, Y = (np.random.default_rng(4).integers(0, 2, size=A.shape).astype(dtype) for A in (run.X, run.Y))
    want = Net(engine, real, WIDTHS)
    want_losses, _ = run.changed(X=X.astype(real), Y=Y.astype(real)).on(want)
    for (what, X_there), (_, Y_there) in zip(layouts(X, tmp_path), layouts(Y, tmp_path), strict=True):
        net = Net(engine, real, WIDTHS)
        got_losses, _ = run.changed(X=X_there, Y=Y_there).on(net)
        assert (net.theta == want.theta).all(), what
        assert (got_losses == want_losses).all(), what
        assert (net.predict(X_there) == want.predict(X.astype(real))).all(), what


def test_one_row_repeated(engine):
    net, row = Net(engine, "float32", WIDTHS), numbers(np.random.default_rng(5), 1, 5)
    same = np.broadcast_to(row, (40, 5))
    np.testing.assert_array_equal(net.predict(same), net.predict(same.copy()))


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("dtype", sorted(ENGINE_DTYPES, key=str), ids=str)
def test_every_value_is_converted_as_by_numpy(engine, dtype, real):
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype == np.dtype(bool):
            x = np.array([False, True])
        elif dtype.itemsize <= 2:
            x = np.arange(256**dtype.itemsize, dtype=f"uint{8 * dtype.itemsize}").view(dtype)
        elif dtype.kind == "i":
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            x = np.array([low, low + 1, -(2**24) - 1, -1, 0, 1, 2**24 + 1, high - 1, high], dtype)
        else:
            x = np.array([0, 1 / 3, -1e-30, 3.5e38, -1e300, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny], dtype)
        net = Net(engine, real, (1, 1))
        net.theta[:] = 1, 0
        np.testing.assert_array_equal(net.forward(x[:, np.newaxis])[:, 0], x.astype(real))


def test_no_rows(engine):
    net = Net(engine, "float32", WIDTHS)
    net.predict(np.ones((0, 5)))
    net.forward(np.ones((0, 5)))


# ---- threads


@pytest.mark.parametrize("threads", [4, 100_000, 2**31 - 1])
def test_more_threads_than_cpus(engine, threads):
    """n_threads is a maximum: no call starts more threads than the machine, or the user's limit, allows."""
    run, rows = run_of("mse", "sgd", (300, 400, 3), rows=200, batch=100), numbers(np.random.default_rng(3), 200, 300)
    results = []
    for n in (1, threads):
        net, dX = Net(engine, "float64", (300, 400, 3)), np.empty_like(rows)
        outputs = net.predict(rows, n), net.forward(rows, n)
        net.network.backward(outputs[0], dX, n)
        results.append([*outputs, dX, net.grad.copy(), run.on(net, n_threads=n)[0], net.theta])
        assert net.network.plan(100, n).threads >= 1
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_many_threads_may_predict_on_one_network(engine):
    net, X = Net(engine, "float32", WIDTHS), numbers(np.random.default_rng(6), 300, 5)
    want = net.predict(X)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: net.predict(X, n_threads=2), range(100)):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_one_thread_at_a_time_may_change_a_network(engine):
    net, optimizer = Net(engine, "float32", WIDTHS), SGD()
    run, short = (run_of("mse", optimizer, WIDTHS, epochs=epochs) for epochs in (20_000, 1))
    state, still = np.empty((0, net.theta.size), "float32"), np.zeros(2)
    chunk = run.chunk(net)
    training = threading.Thread(target=net.network.train, args=(chunk,))
    training.start()
    while np.isnan(chunk.losses[0]):
        time.sleep(1e-4)
    for forbidden in (
        lambda: net.forward(run.X),
        lambda: net.network.backward(net.empty(20, 3)),
        lambda: net.network.update(optimizer, still, state),
        lambda: short.on(net),
    ):
        with pytest.raises(RuntimeError, match="in use by another thread: wait until it has finished, or train a copy"):
            forbidden()
    net.predict(run.X)
    net.network.loss(run.loss, net.empty(20, 3), run.Y, None, np.empty(20), None)
    assert training.is_alive(), "the training was too short to be interrupted"
    training.join()
    short.on(net)
