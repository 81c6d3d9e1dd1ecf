"""Rows whose label cross-entropy ignores take no part in training and measuring."""

import numpy as np
import pytest
from networks import ENGINES, name_of

import fastgd as gd
from fastgd import backend

IGNORED = gd.CrossEntropy(ignore_index=-1)


def problem():
    """Rows, labels 0 to 2, and weights; every fourth row has no label."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), rng.integers(3, size=40)
    return X, np.where(np.arange(40) % 4 == 1, -1, y), rng.random(40) + 0.5


def trained(X, y, loss, dtype, **arguments):
    model = gd.MLP(5, 8, 3, seed=0, dtype=dtype)
    trainer = gd.Trainer(model, loss=loss, optimizer=gd.SGD(lr=0.1), batch_size=8, shuffle=False)
    trainer.fit(X, y, epochs=3, verbose=0, **arguments)
    return trainer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
@pytest.mark.parametrize("weights", ["", "rows", "classes", "both"])
def test_training_is_that_on_the_other_rows(engine, dtype, weights):
    X, y, weight = problem()
    kept = y >= 0
    with backend.override(engine.backend, engine.isa):
        class_weight = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}} if weights in ("classes", "both") else {}
        of_rows = weights in ("rows", "both")
        with_all = trained(X, y, IGNORED, dtype, **class_weight, sample_weight=weight if of_rows else None)
        alone = trained(X[kept], y[kept], "cross_entropy", dtype, **class_weight,
                        sample_weight=weight[kept] if of_rows else None)  # fmt: skip
    np.testing.assert_allclose(with_all.model.theta, alone.model.theta, rtol=1e-6 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(with_all.history["loss"], alone.history["loss"], rtol=1e-6)
    assert with_all.evaluate(X, y) == pytest.approx(alone.evaluate(X[kept], y[kept]))
    assert with_all.model.head.classes.tolist() == [0, 1, 2]


def test_a_step_on_all_rows_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    X, y, _ = problem()
    model = gd.MLP(5, 3, seed=0, dtype="float64")
    W, b = (torch.tensor(np.array(p), requires_grad=True) for p in model.parameters().values())
    value = torch.nn.functional.cross_entropy(torch.tensor(X) @ W + b, torch.tensor(y), ignore_index=-1)
    value.backward()
    trainer = gd.Trainer(model, loss=IGNORED, optimizer=gd.SGD(lr=0.5), batch_size=None)
    trainer.fit(X, y, epochs=1, verbose=0)
    assert trainer.history["loss"][0] == pytest.approx(value.item(), rel=1e-14)
    np.testing.assert_allclose(model.parameters()["0.weight"], (W - 0.5 * W.grad).detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(model.parameters()["0.bias"], (b - 0.5 * b.grad).detach().numpy(), atol=1e-14)


def test_validation_leaves_them_out():
    X, y, _ = problem()
    trainer = trained(X, y, IGNORED, "float64", validation=(X[:12], y[:12]))
    kept = y[:12] >= 0
    measured = trainer.evaluate(X[:12][kept], y[:12][kept])
    assert trainer.history["validation_loss"][-1] == pytest.approx(measured["loss"])
    assert trainer.history["validation_accuracy"][-1] == pytest.approx(measured["accuracy"])
    trained(X, y, IGNORED, "float64", validation=0.25, class_weight="balanced")


def test_nothing_left():
    X, y, _ = problem()
    with pytest.raises(ValueError, match="every label of y is one that the loss ignores, .*-1"):
        trained(X, np.full(40, -1), IGNORED, "float64")
    with pytest.raises(ValueError, match="every label of validation y"):
        trained(X, y, IGNORED, "float64", validation=(X[:2], [-1, -1]))
    with pytest.raises(ValueError, match="validation y has the label -2"):
        trained(X, y, IGNORED, "float64", validation=(X[:2], [-1, -2]))


def test_files_keep_it(tmp_path):
    X, y, _ = problem()
    trained(X, y, IGNORED, "float64").save(tmp_path / "run.npz")
    assert gd.Trainer.load(tmp_path / "run.npz").loss == IGNORED


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
@pytest.mark.parametrize("ignore_index", [-1, 1])
def test_custom_loops_ignore_them(engine, dtype, ignore_index):
    rng = np.random.default_rng(0)
    Z, Y, weight = rng.normal(size=(9, 3)).astype(dtype), rng.integers(3, size=9), rng.random(9).astype(dtype)
    Y[[2, 5]] = ignore_index
    kept, loss = Y != ignore_index, gd.CrossEntropy(ignore_index=ignore_index)
    with backend.override(engine.backend, engine.isa):
        for w in (None, weight):
            value, dZ = loss.value_and_gradient(Z, Y, w)
            alone, dZ_alone = gd.CrossEntropy().value_and_gradient(Z[kept], Y[kept], None if w is None else w[kept])
            assert value == pytest.approx(alone, rel=1e-6)
            np.testing.assert_allclose(dZ[kept], dZ_alone, rtol=1e-6)
            assert not dZ[~kept].any()
        assert loss.value_and_gradient(Z[:1], [ignore_index])[0] == 0
