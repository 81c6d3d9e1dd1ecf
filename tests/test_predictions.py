"""Predictions: accepted inputs, results, and output buffers."""

import math

import numpy as np
import pytest
from training import model_of, trained

import fastgd as gd
from fastgd.data.outputs import OutputSpec


@pytest.mark.parametrize(
    ("X", "error", "words"),
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
    """The fast path in `_outputs` agrees with the general one, and large values do not count as infinite."""
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
@pytest.mark.parametrize(("n_out", "loss"), [(2, "cross_entropy"), (1, "bce")])
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
    assert p.shape == (4, 2)
    assert p.dtype == np.float32
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
def test_a_buffer_may_overlap_the_rows(engine, widths, rows):
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
def test_predict_rejects_values_that_are_not_finite(engine, place, value, dtype):
    X = np.zeros((300, 3), dtype)
    with np.errstate(over="ignore"):
        X[place] = value
    where = (
        f"row {place[0]}, column {place[1]}"
        if not np.isfinite(X[place])
        else "1e\\+39 in row .* which float32 cannot hold"
    )
    with pytest.raises(ValueError, match=where):
        model_of().predict(X)


def test_fewer_labels_than_outputs():
    outputs = OutputSpec("softmax", np.array(["a", "b"]))
    Z = np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 9.0]])
    assert outputs.predict(Z).tolist() == ["b", "a"]
    assert outputs.predict_proba(Z).shape == (2, 2)


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
    assert model.predict(X).shape == (8, 3)
    assert set(np.unique(model.predict(X))) <= {0, 1}


@pytest.mark.parametrize("rows", [1, 3, 300])
def test_outputs_that_overflow_are_refused(engine, rows):
    """They would be class 0, or NaN, without a word."""
    model = gd.Sequential(gd.Dense(3, 4, "relu"), gd.Dense(4, 2), seed=0)
    gd.Trainer(model, loss="cross_entropy").fit(np.eye(3), [0, 1, 1], epochs=1, verbose=0)
    X = np.ones((rows, 3), np.float32)
    assert model.predict(1e15 * X).shape == (rows,)
    X[-1] = 1e30
    model.theta = np.full(model.size, 1e10)
    for method in (model.predict, model.predict_proba):
        with pytest.raises(
            FloatingPointError, match=rf"output 0 for row {rows - 1} of X .* is inf: it overflows float32"
        ):
            method(X)
        method(X[:-1]) if rows > 1 else None


def test_large_outputs_that_do_not_overflow(engine):
    model = gd.MLP(1, 1, seed=0)
    model.theta = [1e30, 0.0]
    assert model.predict([[1e8]]).tolist() == [[np.float32(1e30) * np.float32(1e8)]]


def test_a_buffer_must_not_be_theta(engine):
    model = gd.MLP(3, 4, 2, seed=0)
    theta = model.theta.copy()
    for out in (model.theta[:4].reshape(2, 2), model.parameters()["1.weight"][:2]):
        with pytest.raises(ValueError, match="out shares memory with theta"):
            model.predict(np.ones((2, 3)), out=out)
    np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize("n_threads", [1, 2, 7, 100_000, np.int64(2)])
def test_the_number_of_threads_changes_nothing(engine, n_threads):
    model = model_of()
    gd.Trainer(model, loss="cross_entropy").fit(np.eye(3), [0, 1, 1], epochs=1, verbose=0)
    X = np.random.default_rng(0).standard_normal((1000, 3))
    np.testing.assert_array_equal(model.predict(X, n_threads=n_threads), model.predict(X))
    np.testing.assert_array_equal(model.predict_proba(X, n_threads=n_threads), model.predict_proba(X))


@pytest.mark.parametrize(
    ("n_threads", "error"),
    [(0, ValueError), (-1, ValueError), (2**31, ValueError), (1.5, TypeError), (True, TypeError)],
)
def test_bad_numbers_of_threads(n_threads, error):
    for method in (model_of().predict, model_of().predict_proba):
        with pytest.raises(error, match="n_threads must be"):
            method(np.eye(3), n_threads=n_threads)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("rows", [1, 2, 3, 20, 300])
def test_threads_share_few_rows_of_wide_layers(engine, rows, dtype):
    model = gd.Sequential(gd.Dense(300, 331, "relu"), gd.Dense(331, 260, "tanh"), gd.Dense(260, 70, "softmax"), seed=0)
    X = np.random.default_rng(0).integers(-9, 9, (rows, 300)).astype(dtype)
    for method in (model.predict, model.predict_proba):
        want = method(X, n_threads=1)
        for n_threads in (2, 3, None):
            np.testing.assert_array_equal(method(X, n_threads=n_threads), want)


@pytest.mark.parametrize("rows", [1, 3, 300])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_every_thread_reports_what_is_not_finite(engine, rows, n_threads):
    model = gd.MLP(300, 331, 260, seed=0)
    X = np.ones((rows, 300), "float32")
    model.parameters()["1.bias"][-1] = 3e38
    model.parameters()["1.weight"][:, -1] = 1e38
    X[:-1] = 0
    model.parameters()["0.weight"][:] = 1
    with pytest.raises(FloatingPointError, match=f"output 259 for row {rows - 1} "):
        model.predict(X, n_threads=n_threads)
    X[0, 299] = np.nan
    with pytest.raises(ValueError, match="row 0, column 299"):
        model.predict(X, n_threads=n_threads)
