"""What custom training loops pass to models and losses: any kind of array, or an error that changes nothing."""

import numpy as np
import pytest

import fastgd as gd
from fastgd import losses
from fastgd.losses import LOSSES

ROWS = 50
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 5)).astype("float32")


def plain():
    return gd.MLP(5, 9, 3, activation="tanh", seed=1)


# ---- any kind of array


def read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


KINDS = {
    "list": lambda A: A.tolist(),
    "float64": lambda A: A.astype("float64"),
    "float16": lambda A: A.astype("float16"),
    "columns first": np.asfortranarray,
    "every second": lambda A: np.repeat(A, 2, axis=0)[::2],
    "reversed": lambda A: A[::-1].copy()[::-1],
    "read-only": read_only,
    "big-endian": lambda A: A.astype(">f4"),
    "frame": lambda A: pytest.importorskip("pandas").DataFrame(A),
    "polars": lambda A: pytest.importorskip("polars").DataFrame(A),
    "subclass": lambda A: np.ma.array(A),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_array(engine, kind):
    rows = X[:7].astype("float16").astype("float32")
    model, loss = plain(), gd.losses.get("mse")
    dZ = np.ones((7, 3), "float32") / 4
    Z, (value, gradient) = model.forward(rows), loss.value_and_gradient(dZ, 2 * dZ)
    dX, grad = model.backward(dZ), model.grad.copy()
    change = KINDS[kind]
    np.testing.assert_array_equal(model.forward(change(rows)), Z)
    np.testing.assert_array_equal(model.backward(change(dZ)), dX)
    np.testing.assert_array_equal(model.grad, grad)
    got = loss.value_and_gradient(dZ, change(2 * dZ))
    np.testing.assert_array_equal(got[1], gradient)
    assert got[0] == value


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "uint16", "int32", "uint32", "int64", "uint64"])
def test_labels_of_any_integer_type(engine, dtype):
    Z, Y = RNG.normal(size=(6, 3)).astype("float32"), np.array([0, 1, 1, 0, 1, 0])
    want = gd.CrossEntropy().value_and_gradient(Z, Y)
    for labels in (Y.astype(dtype), Y.astype(dtype)[:, np.newaxis], np.repeat(Y.astype(dtype), 3)[::3]):
        value, dZ = gd.CrossEntropy().value_and_gradient(Z, labels)
        assert value == want[0]
        np.testing.assert_array_equal(dZ, want[1])


def test_outputs_go_where_they_are_wanted(engine):
    model = plain()
    Z, dX = np.empty((ROWS, 3), "float32"), np.empty((ROWS, 5), "float32")
    want = model.forward(X)
    assert model.forward(X, out=Z) is Z
    np.testing.assert_array_equal(Z, want)
    assert model.backward(Z, out=dX) is dX
    np.testing.assert_array_equal(dX, model.backward(Z))
    grad = model.grad.copy()
    assert model.backward(Z, input_gradient=False) is None
    np.testing.assert_array_equal(model.grad, grad)


# ---- errors

Z0 = np.ones((4, 3), "float32")
INF = np.where(np.arange(12).reshape(4, 3) == 7, np.inf, 1).astype("float32")
REFUSED = [
    (lambda m: m.forward(X[:, 1:]), r"X must have shape \(rows, 5\), not \(50, 4\)"),
    (lambda m: m.forward(X[0]), r"for one row pass X.reshape\(1, -1\)"),
    (lambda m: m.forward(X[:0]), "X is empty"),
    (lambda m: m.forward(np.where(X == X[3, 2], np.nan, X)), "X must be finite, but has nan in row 3, column 2"),
    (
        lambda m: m.forward(np.where(X == X[3, 2], 1e300, X.astype("float64"))),
        r"X has 1e\+300 in row 3, column 2 .*which float32 cannot hold",
    ),
    (lambda m: m.forward(X.astype(complex)), "X must hold real numbers"),
    (lambda m: m.forward(X.astype(str)), "X must hold numbers"),
    (lambda m: m.forward(X, out=[1]), r"out must be an ndarray \(50, 3\) of float32, not list"),
    (lambda m: m.forward(X, out=Z0), r"out must have shape \(50, 3\) and dtype float32, not \(4, 3\)"),
    (lambda m: m.forward(X, out=np.ones((50, 3))), "and dtype float32, not .* float64"),
    (lambda m: m.forward(X, out=read_only(np.ones((50, 3), "f4"))), "out must be C-contiguous, aligned and writable"),
    (lambda m: m.forward(X[:7], out=X.reshape(-1)[:21].reshape(7, 3)), "out must not share memory with X"),
    (lambda m: m.forward(X[:7], out=m.theta[:21].reshape(7, 3)), "out must not share memory with theta"),
    (lambda m: m.forward(X[:7], out=m.grad[9:30].reshape(7, 3)), "out must not share memory with grad"),
    (lambda m: m.backward(Z0[:3]), r"dZ must have shape \(4, 3\)"),
    (lambda m: m.backward(Z0[:, 1:]), r"dZ must have shape \(rows, 3\), not \(4, 2\)"),
    (lambda m: m.backward(INF), "dZ must be finite, but has inf in row 2, column 1"),
    (lambda m: m.backward(INF, input_gradient=False), "dZ must be finite, but has inf in row 2, column 1"),
    (lambda m: m.backward(Z0, out=m.theta[:20].reshape(4, 5)), "dX must not share memory with theta"),
    (lambda m: m.backward(Z0, out=m.grad[:20].reshape(4, 5)), "dX must not share memory with grad"),
    (lambda m: m.backward(Z0, out=Z0), r"out must have shape \(4, 5\)"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_passes_refuse(engine, call, message):
    model = plain()
    model.forward(X[:4])
    model.backward(Z0)
    theta, grad, rows = model.theta.copy(), model.grad.copy(), X.copy()
    with pytest.raises((TypeError, ValueError), match=message):
        call(model)
    np.testing.assert_array_equal(model.theta, theta)
    np.testing.assert_array_equal(model.grad, grad)
    np.testing.assert_array_equal(X, rows)
    model.backward(Z0)  # the activations are still there
    np.testing.assert_array_equal(model.grad, grad)


def value_of(name, *arguments, **options):
    return lambda: losses.get(name).value_and_gradient(*arguments, **options)


SHARED = np.ones((6, 3), "float32")
LOSS_REFUSED = [
    (value_of("cross_entropy", Z0, [0, 1, 2, 3]), "class indices from 0 to 2, but has 3 in row 3"),
    (value_of("cross_entropy", Z0, np.array([0, 1, -1, 0])), "class indices from 0 to 2, but has -1 in row 2"),
    (value_of("cross_entropy", Z0, np.zeros(4)), "Y must hold class indices, integers from 0 to 2, not float64"),
    (value_of("cross_entropy", Z0, np.zeros(3, int)), r"Y must have the 4 rows of Z, not the shape \(3,\)"),
    (value_of("cross_entropy", Z0, np.zeros((4, 2), int)), r"one class index per row, .* not \(4, 2\)"),
    (value_of("cross_entropy", Z0, np.eye(4)[:, :3]), "for rows of probabilities use SoftCrossEntropy"),
    (value_of("mse", np.ones((4, 1)), np.ones((4, 2))), r"Y must have shape \(4, 1\), not \(4, 2\)"),
    (value_of("mse", Z0, np.ones(4)), r"Y must have shape \(4, 3\), not \(4,\)"),
    (value_of("mse", Z0, INF), "Y must be finite, but has inf in row 2, column 1"),
    (value_of("mse", INF, Z0), "Z must be finite, but has inf in row 2, column 1"),
    (value_of("hinge", Z0, INF), "Y must be finite, but has inf in row 2, column 1"),
    (value_of("bce", Z0, 2 * Z0), r"Y must be in \[0, 1\] for the loss 'bce', but is 2.0 in row 0, column 0"),
    (value_of("poisson", Z0, -Z0), r"Y must be in \[0, inf\) for the loss 'poisson'"),
    (value_of("gamma", Z0, 0 * Z0), r"Y must be in \(0, inf\) for the loss 'gamma'"),
    (value_of("mse", Z0[0], Z0[0]), r"Z must have shape \(rows, outputs\), not \(3,\)"),
    (value_of("mse", Z0, Z0, np.ones(3)), r"sample_weight must have shape \(4,\)"),
    (value_of("mse", Z0, Z0, -np.ones(4, "f4")), "sample_weight must be >= 0, but is -1.0 in row 0"),
    (value_of("mse", Z0, Z0, np.full(4, np.nan, "f4")), "sample_weight must be finite"),
    (value_of("mse", Z0, Z0, out=np.ones((4, 2), "f4")), "out must have the shape and dtype of Z"),
    (value_of("mse", SHARED[:4], Z0, out=SHARED[2:]), "out must not share memory with Z"),
    (value_of("mse", Z0, SHARED[:4], out=SHARED[2:]), "out must not share memory with Y"),
]


@pytest.mark.parametrize(("call", "message"), LOSS_REFUSED)
def test_losses_refuse(engine, call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_loss_that_overflows_is_an_error(engine):
    with pytest.raises(FloatingPointError, match="the mean loss is not finite"):
        gd.losses.get("mse").value_and_gradient(1e30 * Z0, -1e30 * Z0)


def test_every_loss_has_bounds_that_an_engine_understands():
    from fastgd.engine.contract import bounds_of

    assert all(low < high for low, high in (bounds_of(loss.interval) for loss in LOSSES.values()))
