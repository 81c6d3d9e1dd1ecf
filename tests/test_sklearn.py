"""What fastgd's estimators do beyond scikit-learn's."""

import pickle

import numpy as np
import pytest
from estimators import CANCER, DIABETES, IRIS, LABELS, NAMED, classifier, regressor
from sklearn import datasets, linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import fastgd as gd
from fastgd.sklearn import LinearClassifier, LinearRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    "loss", ["focal", gd.CrossEntropy(label_smoothing=0.1), "bce", "hinge", "squared_hinge", "binary_focal"]
)
def test_losses_of_a_classifier(loss):
    model = classifier(loss=loss, max_iter=30, learning_rate_init=0.01).fit(*CANCER)
    assert model.score(*CANCER) > 0.95
    margins = model.decision_function(CANCER[0])
    np.testing.assert_array_equal(model.predict(CANCER[0]), (margins > 0).astype(int))
    assert hasattr(model, "predict_proba") == ("hinge" not in str(loss))


@pytest.mark.parametrize(
    ("loss", "data", "words"),
    [
        ("mse", IRIS, "is for regression"),
        ("bce", IRIS, "y has 3 classes"),
        ("cross_entropy", LABELS, "5 labels per row"),
    ],
)
def test_losses_that_do_not_fit(loss, data, words):
    with pytest.raises(ValueError, match=words):
        classifier(loss=loss).fit(*data)
    with pytest.raises(ValueError, match="is for classes"):
        regressor(loss="hinge").fit(*DIABETES)


def test_losses_of_a_regressor():
    for loss in ("mae", gd.Huber(0.5), lambda Z, Y: (((Z - Y[:, None]) ** 2).mean(), 2 * (Z - Y[:, None]) / Z.size)):
        model = regressor(loss=loss, max_iter=30, learning_rate_init=0.02).fit(*DIABETES)
        assert model.score(*DIABETES) > 0.4
    bands = regressor(loss=gd.Quantile((0.1, 0.5, 0.9)), max_iter=60, learning_rate_init=0.01).fit(*DIABETES)
    low, _, high = bands.predict(DIABETES[0]).T
    assert (low < high).mean() > 0.9


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "lion", gd.Muon(lr=0.01), gd.Adam(lr=gd.Cosine(0.02))])
def test_solvers(solver):
    model = classifier(solver=solver, max_iter=40, learning_rate_init=0.01, batch_size=16).fit(*NAMED)
    assert model.score(*NAMED) > 0.9
    assert clone(model).fit(*NAMED).score(*NAMED) == model.score(*NAMED)
    if isinstance(solver, gd.optimizers.Optimizer):
        assert solver.steps == 0  # the parameter stays as it was


def test_schedules():
    model = classifier(learning_rate=gd.Cosine(0.01)).fit(*IRIS)
    assert model.history_["lr"][0] > model.history_["lr"][-1]
    halved = regressor(solver="sgd", learning_rate=lambda epoch: 0.1 * 0.5**epoch, batch_size=442).fit(*DIABETES)
    np.testing.assert_allclose(np.divide(halved.history_["lr"][1:], halved.history_["lr"][:-1]), 0.5)
    with pytest.raises(ValueError, match=r"give the schedule Cosine\(.*\) to the optimizer: Adam\(lr="):
        classifier(solver=gd.Adam(), learning_rate=gd.Cosine(0.01)).fit(*IRIS)


def test_an_average_is_what_predicts():
    model = classifier(solver=gd.Adam(lr=0.01, average=gd.EMA(0.9)), max_iter=30).fit(*IRIS)
    np.testing.assert_array_equal(model.network_.theta, model._trainer.averaged.theta)
    assert not np.array_equal(model.network_.theta, model._trainer.model.theta)


def test_activation_of_each_layer_and_dropout():
    model = classifier(hidden_layer_sizes=(8, 4), activation=["tanh", gd.LeakyReLU(0.1)], dropout=0.2).fit(*IRIS)
    assert [layer.activation.name for layer in model.network_.layers] == ["tanh", "leaky_relu", "identity"]
    assert [noise and noise.p for noise in model.network_.noises] == [None, 0.2, 0.2]
    with pytest.raises(ValueError, match="one entry for each of 2 hidden layers"):
        classifier(hidden_layer_sizes=(8, 4), activation=["tanh"]).fit(*IRIS)
    with pytest.raises(ValueError, match="deterministic loss"):
        classifier(solver="lbfgs", dropout=0.2).fit(*IRIS)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weight_is_a_weight_of_rows(solver):
    weight = np.where(IRIS[1] == 2, 5.0, 1.0)
    a = classifier(solver=solver, class_weight={2: 5.0}).fit(*IRIS)
    b = classifier(solver=solver).fit(*IRIS, sample_weight=weight)
    np.testing.assert_array_equal(a.network_.theta, b.network_.theta)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all rows"):
        classifier(class_weight="balanced").partial_fit(*IRIS, classes=[0, 1, 2])


def test_eval_set():
    model = classifier().fit(*NAMED, eval_set=(NAMED[0][:50], NAMED[1][:50]))
    assert len(model.history_["validation_accuracy"]) == 5
    assert model.validation_scores_ is None
    model = classifier(early_stopping=True, max_iter=50, n_iter_no_change=3, learning_rate_init=0.02)
    model.fit(*NAMED, eval_set=(*NAMED, np.ones(150)))
    assert max(model.validation_scores_) == model.best_validation_score_ == model.score(*NAMED)
    for wrong, error in ((NAMED[0], TypeError), ((NAMED[0][:, :2], NAMED[1]), ValueError)):
        with pytest.raises(error, match=r"eval_set|features"):
            classifier().fit(*NAMED, eval_set=wrong)


@pytest.mark.parametrize("scoring", ["loss", "f1_macro", "balanced_accuracy", "neg_log_loss"])
def test_early_stopping_on_any_metric(scoring):
    model = classifier(early_stopping=True, scoring=scoring, max_iter=20).fit(*NAMED)
    assert len(model.validation_scores_) == model.n_iter_
    name = "validation_loss" if scoring == "loss" else f"validation_{scoring}"
    sign = -1 if scoring == "loss" else 1
    np.testing.assert_allclose(model.validation_scores_, sign * np.array(model.history_[name]))


def test_early_stopping_asks_for_a_direction():
    def sevens(y_true, y_pred):
        return 0.0

    with pytest.raises(ValueError, match="it is unknown whether lower or higher values of 'sevens' are better"):
        classifier(early_stopping=True, scoring=sevens).fit(*IRIS)


def test_callbacks_of_fastgd():
    model = classifier(max_iter=50, callbacks=[gd.StepBudget(3)]).fit(*IRIS)
    assert model._trainer.step == 3
    with pytest.raises(ValueError, match="solver='lbfgs' has no epochs, so callbacks needs another solver"):
        classifier(solver="lbfgs", callbacks=[gd.StepBudget(3)]).fit(*IRIS)


def test_several_labels_per_row():
    X, Y = LABELS
    model = classifier(max_iter=100, early_stopping=True, learning_rate_init=0.01).fit(X, Y)
    assert model.out_activation_ == "logistic"
    assert model.predict(X).shape == model.predict_proba(X).shape == model.decision_function(X).shape == Y.shape
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-6)
    with pytest.raises(ValueError, match="y must have one label per row"):
        classifier().fit(X, np.column_stack([Y[:, 0], Y.sum(axis=1)]))


def test_several_targets():
    X, Y = scale(datasets.load_linnerud().data), scale(datasets.load_linnerud().target)
    model = regressor(solver="lbfgs", max_iter=200, hidden_layer_sizes=20, tol=1e-3).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.9


def test_one_class():
    model = classifier().fit(IRIS[0], ["only"] * 150)
    assert model.predict(IRIS[0][:2]).tolist() == ["only", "only"]
    np.testing.assert_array_equal(model.predict_proba(IRIS[0][:2]), [[1], [1]])
    np.testing.assert_array_equal(model.predict_log_proba(IRIS[0][:2]), [[0], [0]])


def test_parameters_are_checked_in_fit():
    wrong = {
        "hidden_layer_sizes": 0, "activation": "swosh", "solver": "adem", "alpha": -1, "batch_size": "all",
        "learning_rate": "slow", "learning_rate_init": 0, "max_iter": 0, "tol": -1, "momentum": 2, "dropout": 1,
        "n_iter_no_change": 0, "class_weight": "equal", "callbacks": [print], "n_threads": 0, "verbose": -1,
        "validation_fraction": 1, "scoring": "f7", "precision": "half",
    }  # fmt: skip
    for name, value in wrong.items():
        model = classifier(**{name: value})
        with pytest.raises((TypeError, ValueError), match=name.replace("scoring", "metric")[:7]):
            model.fit(*IRIS)
        assert not hasattr(model, "network_")


def test_partial_fit_continues():
    """Two calls are two epochs of one training."""
    a, b = classifier(shuffle=False), classifier(shuffle=False, max_iter=2)
    for _ in range(2):
        a.partial_fit(*NAMED, classes=np.unique(NAMED[1]))
    b.fit(*NAMED)
    np.testing.assert_array_equal(a.network_.theta, b.network_.theta)
    assert a.t_ == b.t_ == 300
    for classes, words in ((None, "must be passed"), (["setosa"], "classes not in")):
        with pytest.raises(ValueError, match=words):
            classifier().partial_fit(*NAMED, classes=classes)


def test_warm_start_needs_the_same_network():
    model = classifier(warm_start=True).fit(*IRIS)
    with pytest.raises(ValueError, match="cannot be trained further"):
        model.set_params(hidden_layer_sizes=11).fit(*IRIS)


def test_parameters_may_be_set_by_hand():
    model = regressor().fit(*DIABETES)
    before = model.predict(DIABETES[0])
    model.intercepts_[-1] += 1
    model.coefs_[0] = np.zeros_like(model.coefs_[0])
    assert not np.allclose(model.predict(DIABETES[0]), before)
    assert np.ptp(model.predict(DIABETES[0])) == 0
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(DIABETES[0]), model.predict(DIABETES[0]))


def test_results_do_not_depend_on_the_number_of_threads():
    a, b = (classifier(hidden_layer_sizes=200, n_threads=n).fit(*CANCER) for n in (1, 2))
    np.testing.assert_array_equal(a.network_.theta, b.network_.theta)


def test_divergence():
    with pytest.raises(ValueError, match=r"non-finite parameter weights.* \(the loss was not finite at step"):
        regressor(solver="sgd", learning_rate_init=1e6, activation="identity").fit(*DIABETES)
    settings = {"solver": "sgd", "learning_rate_init": 1, "activation": "identity", "early_stopping": True}
    with pytest.warns(ConvergenceWarning, match="The training diverged"):
        model = regressor(**settings, max_iter=200).fit(IRIS[0], IRIS[1])
    assert np.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.predict(IRIS[0])).all()


def test_a_linear_classifier_is_logistic_regression():
    for data in (IRIS, CANCER):
        model = LinearClassifier(alpha=1, tol=1e-7).fit(*data)
        reference = linear_model.LogisticRegression(C=1, tol=1e-9, max_iter=5000).fit(*data)
        np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(model.predict_proba(data[0]), reference.predict_proba(data[0]), atol=1e-3)
    assert LinearClassifier(loss="hinge", solver="adam", learning_rate_init=0.01).fit(*CANCER).score(*CANCER) > 0.97


def test_a_linear_regressor_is_least_squares():
    X, y = DIABETES
    model = LinearRegressor(alpha=1, tol=1e-8).fit(X, y)
    reference = linear_model.Ridge(alpha=1).fit(X, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-4)
    assert model.intercept_ == pytest.approx(reference.intercept_, abs=1e-6)
    through_0 = LinearRegressor(fit_intercept=False).fit(X, y + 1)
    assert through_0.intercept_ == 0
    np.testing.assert_allclose(through_0.predict(X), X @ through_0.coef_)
    assert LinearRegressor().fit(X, np.column_stack([y, -y])).coef_.shape == (2, 10)
