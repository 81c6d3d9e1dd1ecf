"""L-BFGS on all rows."""

import numpy as np
import pytest
from training import blobs, problem

import fastgd as gd
from fastgd.training import lbfgs

pytest.importorskip("scipy")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_least_squares(engine, weighted, weight_decay, monkeypatch):
    """The minimum of a linear model is that of the normal equations, also block by block."""
    monkeypatch.setattr(lbfgs, "_BLOCK", 17)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    w = np.arange(60) % 3 if weighted else np.ones(60)
    model = gd.MLP(3, 1, seed=0, dtype="float64")
    options = {"sample_weight": w} if weighted else {}
    history = gd.fit_lbfgs(model, X, y, loss="mse", weight_decay=weight_decay, tol=1e-10, **options)
    A = np.column_stack([X, np.ones(60)])
    H = 2 * A.T @ (w[:, np.newaxis] * A) / w.sum() + weight_decay * np.eye(4)
    want = np.linalg.solve(H, 2 * A.T @ (w * y) / w.sum())
    np.testing.assert_allclose(model.theta, want, rtol=1e-8)
    assert (np.diff(history["loss"]) <= 0).all()
    assert history["gradient"][-1] < 1e-8
    assert history["epoch"] == list(range(1, len(history["epoch"]) + 1))


def test_a_classifier(engine):
    X, y = blobs(200)
    names = np.array(["ant", "bee", "cat"])[y]
    model = gd.MLP(4, 8, 3, activation="tanh", seed=0)
    history = gd.fit_lbfgs(model, X, names, loss="cross_entropy", weight_decay=1e-3, epochs=50)
    assert len(history["loss"]) <= 50
    assert (model.predict(X) == names).mean() > 0.95


def test_nothing_changes_if_a_check_fails():
    X, y, _ = problem("mse")
    model = gd.MLP(4, 1, seed=0)
    before = model.theta.copy()
    for options, words in (({"epochs": 0}, "epochs"), ({"tol": -1}, "tol"), ({"weight_decay": -1}, "weight_decay")):
        with pytest.raises(ValueError, match=words):
            gd.fit_lbfgs(model, X, y, loss="mse", **options)
    with pytest.raises(ValueError, match="same number of rows"):
        gd.fit_lbfgs(model, X, y[1:], loss="mse")
    np.testing.assert_array_equal(model.theta, before)


def test_no_row_is_looked_at_twice_for_one_theta(monkeypatch):
    """SciPy evaluates f and its gradient together, and again after each step."""
    thetas, evaluate = [], lbfgs._Objective._evaluate
    monkeypatch.setattr(
        lbfgs._Objective, "_evaluate", lambda self, theta: thetas.append(theta.copy()) or evaluate(self, theta)
    )
    X, y, _ = problem("mse")
    history = gd.fit_lbfgs(gd.MLP(4, 8, 1, seed=0, dtype="float64"), X, y, loss="mse", epochs=20)
    assert len(history["loss"]) == 20 < len(np.unique(thetas, axis=0)) == len(thetas)


def test_a_loss_that_is_not_finite():
    model = gd.MLP(1, 1, seed=0)
    before = model.theta.copy()
    with pytest.raises(FloatingPointError, match="theta is as it was"), np.errstate(all="ignore"):
        gd.fit_lbfgs(model, [[1e30], [-1e30]], [0, 1], loss="mse")
    np.testing.assert_array_equal(model.theta, before)


def test_a_model_at_its_minimum(engine):
    """No step is needed: the history has one row, of epoch 0, with the loss there."""
    X, y, _ = problem("mse")
    model = gd.MLP(4, 1, seed=0, dtype="float64")
    before = gd.fit_lbfgs(model, X, y, loss="mse", tol=1e-6)
    theta = model.theta.copy()
    again = gd.fit_lbfgs(model, X, y, loss="mse", tol=1e-6)
    assert again["epoch"] == [0]
    assert again["loss"] == [pytest.approx(before["loss"][-1], rel=1e-12)]
    np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_ends_it_leaves_the_last_step(engine, monkeypatch, error, k):
    """Also if it ends in the middle of an evaluation, and before the first step."""
    X, y, _ = problem()
    model, steps = gd.MLP(4, 8, 3, seed=0), [gd.MLP(4, 8, 3, seed=0).theta]
    record, add_block = lbfgs._Objective._record, lbfgs._Objective._add_block
    calls = []

    def recorded(objective, *row):
        steps.append(objective._accepted.astype(np.float32))
        record(objective, *row)

    def failing(*args):
        calls.append(args)
        if len(calls) == k:
            raise error
        return add_block(*args)

    monkeypatch.setattr(lbfgs._Objective, "_record", recorded)
    monkeypatch.setattr(lbfgs._Objective, "_add_block", failing)
    if error is KeyboardInterrupt:
        history = gd.fit_lbfgs(model, X, y, loss="cross_entropy")
        assert len(history["loss"]) == len(steps) - 1
    else:
        with pytest.raises(MemoryError):
            gd.fit_lbfgs(model, X, y, loss="cross_entropy")
    np.testing.assert_array_equal(model.theta, steps[-1])
