"""The boundary of the C core rejects arguments that do not fit, with a clear message and without changing anything."""

from dataclasses import replace

import numpy as np
import pytest
from networks import NATIVE, Net, layers_of, run_of

from fastgd import losses
from fastgd.losses import LossNotFinite
from fastgd.optimizers import SGD

WIDTHS = (5, 33, 9, 3)


def unaligned(A):
    """The same values at an address that is not a multiple of their size."""
    memory = memoryview(bytearray(A.nbytes + 1))[1:]
    memory[:] = A.tobytes()
    return memory.cast(A.dtype.char, A.shape)


def read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


TRAIN_REJECTS = [
    ("X", lambda A: A[:, :4], ValueError, r"X must have shape \(rows, 5\), not \(20, 4\)"),
    ("X", lambda A: A[0], ValueError, r"X must have shape \(rows, 5\), not \(5,\)"),
    ("X", lambda A: A[:19], ValueError, "X has 19 rows, but Y has 20"),
    ("X", lambda A: A.astype(complex), TypeError, "X has format 'Zd'"),
    ("X", lambda A: A.astype(">f4"), TypeError, "X has format '>f'"),
    ("X", lambda A: A.astype("uint16"), TypeError, "X has format 'H'"),
    ("X", lambda A: A.astype(object), TypeError, "X has format 'O'"),
    ("X", lambda A: np.asfortranarray(A), ValueError, "the values of a row of X must be contiguous"),
    ("X", unaligned, ValueError, "X is not aligned"),
    ("X", lambda A: A.tolist(), TypeError, "bytes-like object is required, not 'list'"),
    ("Y", lambda A: A[:, 0], ValueError, r"Y must have shape \(rows, 1\), not \(20,\)"),
    ("Y", lambda A: np.ones((20, 3)), ValueError, r"Y must have shape \(rows, 1\), not \(20, 3\)"),
    ("Y", lambda A: A - 1, ValueError, r"Y has a class index outside 0 \.\. n_out - 1"),
    ("Y", lambda A: A + 3, ValueError, r"Y has a class index outside 0 \.\. n_out - 1"),
    ("Y", lambda A: A * np.nan, ValueError, r"Y has a class index outside 0 \.\. n_out - 1"),
    ("weight", lambda A: A[:19], ValueError, r"weight must have shape \(20,\)"),
    ("weight", lambda A: A.astype("float64"), ValueError, "weight must .* format 'f', not .* 'd'"),
    ("weight", lambda A: A.repeat(2)[::2], ValueError, "not C-contiguous"),
    ("order", lambda A: A.astype("int32"), ValueError, "order must .* format 'q', not .* 'i'"),
    ("order", lambda A: np.where(A == 3, 20, A), ValueError, "order has a row index outside the data"),
    ("order", lambda A: np.where(A == 3, -1, A), ValueError, "order has a row index outside the data"),
    ("starts", lambda A: A[:-1], ValueError, r"starts must have shape \(7,\)"),
    ("starts", lambda A: A + 1, ValueError, r"starts must lie within 0 \.\. 40"),
    ("starts", lambda A: A - 1, ValueError, r"starts must lie within 0 \.\. 40"),
    ("starts", lambda A: np.sort(A)[[0, 1, 1, 3, 4, 5, 6]], ValueError, "step 1 has no rows"),
    ("starts", lambda A: A[[0, 3, 2, 1, 4, 5, 6]], ValueError, "step 1 has no rows"),
    ("coefficients", lambda A: A[:, :2].copy(), ValueError, r"coefficients must have shape \(6, 7\)"),
    ("coefficients", lambda A: A[1:], ValueError, r"coefficients must have shape \(6, 7\)"),
    ("state", lambda A: A[:, 1:], ValueError, r"state must have shape \(1, "),
    ("state", lambda A: A[:0], ValueError, r"state must have shape \(1, "),
    ("state", lambda A: A.astype("float64"), ValueError, "state must .* format 'f', not .* 'd'"),
    ("state", read_only, ValueError, "read-only"),
    ("losses", lambda A: A.astype("float32"), ValueError, "losses must .* format 'd', not .* 'f'"),
    ("losses", read_only, ValueError, "read-only"),
]


@pytest.fixture
def net():
    if not NATIVE:
        pytest.skip("built without the C engine")
    return Net(NATIVE[0], "float32", WIDTHS)


@pytest.mark.parametrize(("name", "change", "error", "message"), TRAIN_REJECTS)
def test_train_rejects(net, name, change, error, message):
    good = run_of("cross_entropy", SGD(momentum=0.9), WIDTHS, weighted=True).chunk(net)
    bad = replace(good, **{name: change(getattr(good, name))})
    before = net.theta.copy()
    with pytest.raises(error, match=message):
        net.network.train(bad)
    assert (net.theta == before).all()
    assert (good.state == 0).all()
    net.network.train(good)  # the lock was released
    assert (net.theta != before).any()


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2), (0, 99), (99, 99)])
def test_train_rejects_steps_outside_the_chunk(net, first, last):
    chunk, before = run_of("cross_entropy", SGD(), WIDTHS).chunk(net), net.theta.copy()
    with pytest.raises(IndexError, match="a chunk of 6 steps has none from"):
        net.network.train(chunk, first, last)
    assert (net.theta == before).all()


CALLS_REJECTED = [
    (lambda n, X, Z: n.predict(X, Z[:3]), r"out must have shape \(4, 3\)"),
    (lambda n, X, Z: n.predict(X, Z.astype("float64")), "out must .* format 'f'"),
    (lambda n, X, Z: n.predict(X, np.asfortranarray(Z)), "not C-contiguous"),
    (lambda n, X, Z: n.predict(X, read_only(Z)), "read-only"),
    (lambda n, X, Z: n.predict(X[:, 1:], Z), r"X must have shape \(rows, 5\)"),
    (lambda n, X, Z: n.forward(X, Z[:3]), r"out must have shape \(4, 3\)"),
    (lambda n, X, Z: n.backward(Z[:3]), r"dZ must have shape \(4, 3\)"),
    (lambda n, X, Z: n.backward(Z.astype("float64")), "dZ must .* format 'f'"),
    (lambda n, X, Z: n.backward(Z, np.zeros((4, 4), "float32")), r"dX must have shape \(4, 5\)"),
    (lambda n, X, Z: n.loss(losses.get("mse"), Z, X, None, np.zeros(4)), r"Y must have shape \(rows, 3\)"),
    (lambda n, X, Z: n.loss(losses.get("mse"), Z, Z, None, np.zeros(3)), r"rows must have shape \(4,\)"),
    (lambda n, X, Z: n.loss(losses.get("mse"), Z, Z, np.ones(4), np.zeros(4)), "weight must .* format 'f'"),
    (lambda n, X, Z: n.loss(losses.get("cross_entropy"), Z, Z[:, :1] + 3, None, np.zeros(4)), "class index outside"),
    (lambda n, X, Z: n.update(SGD(), np.zeros(6), Z[:0]), r"coefficients must have shape \(2,\)"),
    (lambda n, X, Z: n.update(SGD(), np.zeros(2), Z), "state must have shape"),
]


@pytest.mark.parametrize(("call", "message"), CALLS_REJECTED)
def test_other_calls_reject(net, call, message):
    X, Z = np.ones((4, 5), "float32"), np.zeros((4, 3), "float32")
    net.network.forward(X, Z.copy())
    before = net.theta.copy()
    with pytest.raises(ValueError, match=message):
        call(net.network, X, Z)
    assert (net.theta == before).all()
    net.network.backward(Z)  # the activations are still kept


def test_backward_needs_a_forward_pass(net):
    dZ = np.zeros((20, 3), "float32")
    for before in (lambda: None, lambda: run_of("mse", SGD(), WIDTHS).on(net), lambda: net.predict(np.ones((20, 5)))):
        before()
        with pytest.raises(RuntimeError, match="call forward first, with no training in between"):
            net.network.backward(dZ)


@pytest.mark.parametrize(
    ("theta", "grad", "isa", "error", "message"),
    [
        (np.zeros(4), np.zeros(3), None, ValueError, r"theta must have shape \(3,\)"),
        (np.zeros(3), np.zeros(3, "float32"), None, ValueError, "grad must .* format 'd', not .* 'f'"),
        (np.zeros(6)[::2], np.zeros(3), None, ValueError, "not C-contiguous"),
        (np.zeros(3), read_only(np.zeros(3)), None, ValueError, "read-only"),
        (np.zeros(3, int), np.zeros(3, int), None, TypeError, "theta must be float32 or float64"),
        (np.zeros(3), np.zeros(3), "mmx", ValueError, "'mmx' is not available on this CPU; choose from"),
    ],
)
def test_executor_rejects_vectors_that_it_cannot_use(theta, grad, isa, error, message):
    native = pytest.importorskip("fastgd.engine._native", reason="built without the C engine")
    with pytest.raises(error, match=message):
        native.Executor(layers_of((2, 1)), theta, grad, isa)


def test_executor_rejects_layers_that_do_not_fit():
    native = pytest.importorskip("fastgd.engine._native", reason="built without the C engine")
    with pytest.raises(ValueError, match="at least one layer"):
        native.Executor([], np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="layer 1 takes 4 inputs, but layer 0 has 3 outputs"):
        native.Executor([*layers_of((2, 3)), *layers_of((4, 1))], np.zeros(14), np.zeros(14))


@pytest.mark.parametrize(("loss", "value"), [("mse", 1e300), ("cross_entropy", np.inf), ("bce", np.nan)])
def test_a_loss_that_is_not_finite_stops_before_its_step(engine, loss, value):
    run = run_of(loss, SGD(momentum=0.5), WIDTHS)
    run.X[run.order[run.starts[2]]] = value
    run = run.changed(starts=run.starts[:4])
    net, want = Net(engine, "float64", WIDTHS, "identity"), Net(engine, "float64", WIDTHS, "identity")
    with pytest.raises(LossNotFinite, match="lower the learning rate or scale X") as caught:
        run.on(net)
    assert caught.value.step == 2
    run.changed(starts=run.starts[:3]).on(want)
    assert (net.theta == want.theta).all()
