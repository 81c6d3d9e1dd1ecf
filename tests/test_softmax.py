"""Softmax as output: probabilities outside, logits for the losses that are made for it, on every engine."""

import numpy as np
import pytest
from problems import DERIVATIVE_TOLERANCE, derivatives

import fastgd as gd

REALS = ["float32", "float64"]
X, y = gd.datasets.digits()
X, y = X[:300] / 16, y[:300]


def model_of(output="softmax", dtype="float64", widths=(64, 16, 10)):
    return gd.MLP(*widths, activation="tanh", output=output, seed=0, dtype=dtype)


def trained(output, dtype="float64", loss="cross_entropy", targets=y, **options):
    model = model_of(output, dtype)
    trainer = gd.Trainer(model, loss=loss, optimizer="adam", seed=1)
    return model, trainer.fit(X, targets, epochs=3, verbose=0, **options)


@pytest.mark.parametrize("dtype", REALS)
def test_forward_and_predict_give_probabilities(engine, dtype):
    model, logits = model_of(dtype=dtype), model_of("identity", dtype).forward(X).astype("float64")
    want = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for got in (model.forward(X), model.predict(X), model.predict_proba(X)):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=20 * np.finfo(dtype).eps)


def test_backward_is_the_slope(engine):
    model, rng = model_of(widths=(5, 4, 3)), np.random.default_rng(2)
    A, g = rng.normal(size=(6, 5)), rng.normal(size=(6, 3))
    model.forward(A)
    dX, grad = model.backward(g), model.grad.copy()

    def total(_):
        return (g * model.forward(A)).sum()

    np.testing.assert_allclose(grad, derivatives(total, model.theta), rtol=0, atol=DERIVATIVE_TOLERANCE)
    np.testing.assert_allclose(dX, derivatives(total, A), rtol=0, atol=DERIVATIVE_TOLERANCE)


@pytest.mark.parametrize("dtype", REALS)
def test_training_is_that_of_logits(engine, dtype):
    (with_it, history), (without, plain) = (trained(f, dtype, validation=0.2) for f in ("softmax", "identity"))
    assert (with_it.theta == without.theta).all()
    for column in ("loss", "validation_loss", "validation_accuracy"):
        assert list(history[column]) == list(plain[column])
    assert (with_it.predict(X) == without.predict(X)).all()
    assert (with_it.predict_proba(X) == without.predict_proba(X)).all()
    np.testing.assert_allclose(with_it.forward(X), without.predict_proba(X), rtol=20 * np.finfo(dtype).eps)


def test_rows_of_probabilities_as_targets(engine):
    (with_it, _), (without, _) = (trained(f, targets=np.eye(10)[y]) for f in ("softmax", "identity"))
    assert (with_it.theta == without.theta).all()


def test_other_losses_see_probabilities(engine):
    model, history = trained("softmax", loss="mse", targets=np.eye(10)[y])
    assert history["loss"][-1] < history["loss"][0] < 0.1  # logits would start far above
    assert model.predict(X).sum(axis=1) == pytest.approx(np.ones(300))


def test_full_batch_and_lr_finder_take_logits(engine):
    pytest.importorskip("scipy")
    thetas = []
    for output in ("softmax", "identity"):
        model = model_of(output)
        gd.fit_lbfgs(model, X, y, loss="cross_entropy", epochs=3)
        thetas.append(model.theta.copy())
        thetas.append(gd.lr_finder(model, X, y, loss="cross_entropy", steps=20).losses)
    np.testing.assert_array_equal(thetas[0], thetas[2])
    np.testing.assert_array_equal(thetas[1], thetas[3])


def test_sigmoid_goes_with_binary_cross_entropy_in_the_same_way(engine):
    answers = (y[:, None] == np.arange(10)).astype(float)
    (with_it, _), (without, _) = (trained(f, loss="bce", targets=answers) for f in ("sigmoid", "identity"))
    assert (with_it.theta == without.theta).all()
    assert (with_it.predict(X) == without.predict(X)).all()
    assert (with_it.predict_proba(X) == without.predict_proba(X)).all()
    np.testing.assert_allclose(with_it.forward(X), without.predict_proba(X), rtol=1e-14)


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_saved_and_loaded(ending, tmp_path):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")
    for model in (model_of(), trained("softmax")[0]):
        model.save(tmp_path / f"model{ending}")
        again = gd.load(tmp_path / f"model{ending}")
        assert (again.predict(X) == model.predict(X)).all()
        assert (again.predict_proba(X) == model.predict_proba(X)).all()


def test_only_the_last_layer_may_have_it():
    message = "layer 0 has the activation softmax, which is for the last layer only"
    for make in (
        lambda: gd.MLP(4, 3, 2, activation="softmax"),
        lambda: gd.Sequential(gd.Dense(4, 3, gd.Softmax()), gd.Dense(3, 2)),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize(("output", "loss"), [("softmax", "bce"), ("sigmoid", "cross_entropy")])
def test_a_loss_of_another_kind_is_refused(output, loss):
    model = model_of(output)
    before = model.theta.copy()
    targets = np.eye(10)[y] if loss == "bce" else y
    with pytest.raises(ValueError, match=f'logits does not fit a model that ends in "{output}": end it in "identity"'):
        gd.Trainer(model, loss=loss).fit(X, targets, verbose=0)
    assert (model.theta == before).all()


def test_one_thread_at_a_time_on_both_sides_of_the_softmax(engine):
    model = model_of()
    model.forward(X)
    logits = model.network_for("softmax")
    assert logits is not model.network
    assert model.network_for("identity") is model.network
    with model._executors._lock, pytest.raises(RuntimeError, match="in use by another thread"):
        logits.forward(X, np.empty((300, 10)))
    with model._executors._lock, pytest.raises(RuntimeError, match="in use by another thread"):
        model.forward(X)
