"""Attributions by gradients: complete, in the units of the user, and against finite differences."""

import numpy as np
import pytest
from inspected import LABELS, classification, regression, rows

import fastgd as gd
from fastgd.inspection import input_gradients, integrated_gradients


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attributions_are_complete(engine, activation, dtype):
    """They sum up to the difference of the outputs."""
    X = rows(40)
    model = gd.MLP(4, 8, 8, 3, activation=activation, seed=1, dtype=dtype)
    tolerance = 1e-3 if activation == "relu" else 1e-5
    for target in range(3):
        result = integrated_gradients(model, X, target=target, steps=200)
        difference = model.predict(X)[:, target] - model.predict(np.zeros((1, 4)))[0, target]
        assert result.outputs - result.baseline_outputs == pytest.approx(difference, abs=1e-5)
        assert result.attributions.sum(axis=1) == pytest.approx(difference, abs=tolerance)
        assert abs(result.convergence_delta).max() < tolerance


def test_attributions_in_the_units_of_the_target():
    trainer, X, y = regression()
    result = integrated_gradients(trainer, X)
    assert result.outputs == pytest.approx(trainer.model.predict(X), rel=1e-4)
    assert result.baseline_outputs == pytest.approx(trainer.model.predict(X.mean(axis=0, keepdims=True))[0], rel=1e-4)
    assert result.attributions[:, 0] == pytest.approx(20 * (X[:, 0] - X[:, 0].mean()), abs=15)
    assert abs(result.convergence_delta).max() < 1e-3


def test_derivatives_in_the_units_of_the_columns(engine):
    trainer, X, _ = regression("float64")
    gradients = input_gradients(trainer, X[:5])
    for j, step in enumerate([1e-5, 1e-4, 1e-6, 1e-5]):
        moved = X[:5].copy()
        moved[:, j] += step
        change = trainer.model.predict(moved) - trainer.model.predict(X[:5])
        assert gradients[:, j] == pytest.approx(change / step, rel=1e-3, abs=1e-3)


def test_classes_are_explained_by_their_labels():
    trainer, X, _ = classification()
    model = trainer.model
    every = {label: integrated_gradients(trainer, X, target=str(label)) for label in model.head.classes}
    for i, label in enumerate(model.head.classes):
        assert every[label].outputs == pytest.approx(model.forward(X)[:, i], abs=1e-5)
    predicted = model.predict(X)
    default = integrated_gradients(trainer, X)
    mixed = integrated_gradients(trainer, X, target=predicted)
    assert (default.attributions == mixed.attributions).all()
    assert all((default.attributions[i] == every[label].attributions[i]).all() for i, label in enumerate(predicted))


def test_binary_outputs_are_log_odds():
    trainer, X, _ = classification(2, "bce")
    result = integrated_gradients(trainer, X, target=trainer.model.head.classes[1])
    p = trainer.model.predict_proba(X)[:, 1]
    assert result.outputs == pytest.approx(np.log(p / (1 - p)), abs=1e-2)
    with pytest.raises(ValueError, match="its output is for 'low'"):
        integrated_gradients(trainer, X, target=trainer.model.head.classes[0])


def test_baselines():
    trainer, X, _ = regression()
    one = integrated_gradients(trainer, X, baseline=X[0])
    each = integrated_gradients(trainer, X, baseline=np.repeat(X[:1], len(X), axis=0))
    assert (one.attributions == each.attributions).all()
    assert one.attributions[0] == pytest.approx(0)
    with pytest.raises(ValueError, match="baseline must have 1 row or 300, as X has, not 2"):
        integrated_gradients(trainer, X, baseline=X[:2])


def test_the_model_is_left_as_it_was():
    trainer, X, _ = classification()
    model = trainer.model
    model.forward(X[:2])
    model.backward(np.ones((2, 3)))
    before = model.grad.copy(), model.theta.copy(), model.passes
    integrated_gradients(trainer, X)
    input_gradients(trainer, X)
    assert (model.grad == before[0]).all()
    assert (model.theta == before[1]).all()
    assert model.passes == before[2]
    model.backward(np.ones((2, 3)))  # of the user's own rows
    assert (model.grad == before[0]).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gradients_of_an_estimator():
    pytest.importorskip("sklearn")
    from fastgd.sklearn import MLPClassifier

    X = rows()
    classifier = MLPClassifier(max_iter=20, n_iter_no_change=40, random_state=0).fit(
        X, LABELS[(X[:, 0] > 0).astype(int)]
    )
    result = integrated_gradients(classifier, X, target="low")
    assert abs(result.convergence_delta).max() < 0.02
    assert np.abs(result.attributions).mean(axis=0).argmax() == 0


class Predicts:
    def predict(self, X):
        return X


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t, X, y: integrated_gradients(t, X, target="none"), ValueError, "target has the label 'none'"),
        (lambda t, X, y: integrated_gradients(t, X, target=["low", "odd"]), ValueError, "one for each of the 300 rows"),
        (lambda t, X, y: integrated_gradients(t, X, steps=0), ValueError, "steps must be 1 or more"),
        (lambda t, X, y: integrated_gradients(Predicts(), X), TypeError, "gradients need a model of fastgd"),
        (lambda t, X, y: integrated_gradients(gd.MLP(4, 2), X), ValueError, "has 2 outputs: pass target="),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(*classification())
