"""The multilayer perceptrons take the place of scikit-learn's: they do the same steps, and pass its own tests."""

import importlib.util
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import datasets, neural_network
from sklearn.preprocessing import scale

import fastgd.sklearn as ours

# Tests of scikit-learn that must fail here, and why.
_PRIVATE = "looks at a private attribute of scikit-learn's class"
_SPARSE = "a sparse X is refused, with the advice to make it dense"
EXPECTED_FAILURES = {
    "test_gradient": _PRIVATE,
    "test_learning_rate_warmstart": _PRIVATE,
    "test_adaptive_learning_rate": _PRIVATE,
    "test_sparse_matrices": _SPARSE,
    "test_predict_proba_multilabel": "logarithms tell probabilities apart that are both rounded to 1",
    "test_early_stopping_stratified": "the message has the label of the user, not True",
}


def installed_tests():
    """The installed tests of scikit-learn's own classes, with those of fastgd in their place."""
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if spec is None:
        return {}
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLPClassifier", "MLPRegressor"):
            patch.setattr(neural_network, name, getattr(ours, name))
        spec.loader.exec_module(module)
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    for name, reason in EXPECTED_FAILURES.items():
        tests[name] = pytest.mark.xfail(reason=reason, strict=True)(tests[name])
    return {name: pytest.mark.filterwarnings("ignore")(test) for name, test in tests.items()}


globals().update(installed_tests())


@pytest.fixture
def global_random_seed():
    return 42


X, y = datasets.load_digits(return_X_y=True)
DIGITS = X[:300] / 16, y[:300]
CANCER = scale(datasets.load_breast_cancer().data), datasets.load_breast_cancer().target
DIABETES = scale(datasets.load_diabetes().data), scale(datasets.load_diabetes().target)
LABELS = datasets.make_multilabel_classification(random_state=0)
TARGETS = scale(datasets.load_linnerud().data), scale(datasets.load_linnerud().target)
DATA = {
    "three or more classes": ("MLPClassifier", DIGITS),
    "two classes": ("MLPClassifier", CANCER),
    "several labels": ("MLPClassifier", LABELS),
    "one target": ("MLPRegressor", DIABETES),
    "several targets": ("MLPRegressor", TARGETS),
}
SETTINGS = {
    "sgd": {"solver": "sgd"},
    "momentum and penalty": {"solver": "sgd", "nesterovs_momentum": False, "alpha": 1.0},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.03, "n_iter_no_change": 2},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "activation": "tanh", "power_t": 0.2},
    "adam": {"solver": "adam", "alpha": 0.1, "batch_size": 64},
    "early stopping": {"solver": "adam", "early_stopping": True, "activation": "logistic"},
    "lbfgs": {"solver": "lbfgs", "alpha": 0.1},
}


def both(name, data, **settings):
    """fastgd's estimator and scikit-learn's, trained with the same settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [getattr(module, name)(**settings).fit(*data) for module in (ours, neural_network)]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("data", DATA)
def test_the_same_steps(data, settings):
    """Initial values, validation rows, steps and the end are scikit-learn's; only the order of shuffled rows is not.

    Its epsilon is added before the correction of Adam's bias, so it is 0 here.
    """
    if data == "several targets" and settings["solver"] == "lbfgs":
        pytest.skip("scikit-learn's loss and gradient of several targets do not belong together")
    common = {"hidden_layer_sizes": (20, 10), "random_state": 3, "shuffle": False, "epsilon": 1e-30}
    a, b = both(*DATA[data], **common, max_iter=15, learning_rate_init=0.01, **settings)
    assert a.n_iter_ == b.n_iter_
    for mine, theirs in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(a.loss_, b.loss_, rtol=1e-2)  # the penalty is estimated within an epoch
    if settings["solver"] != "lbfgs":
        np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-2)
        assert (a.validation_scores_ is None) == (b.validation_scores_ is None)
        np.testing.assert_allclose(a.validation_scores_ or 0, b.validation_scores_ or 0)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_same_weights_of_rows(solver):
    weight = np.random.default_rng(0).uniform(0.5, 2, len(DIGITS[0]))
    settings = {"solver": solver, "shuffle": False, "random_state": 0, "max_iter": 5, "epsilon": 1e-30, "alpha": 0}
    a, b = both("MLPClassifier", (*DIGITS, weight), **settings)
    np.testing.assert_allclose(a.coefs_[0], b.coefs_[0], rtol=1e-6, atol=1e-9)


def test_the_same_losses_without_a_penalty():
    a, b = both("MLPClassifier", DIGITS, alpha=0, shuffle=False, random_state=0, max_iter=5, epsilon=1e-30)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_the_same_signature_and_attributes(name):
    """Every parameter with its default, every attribute and every method."""
    a, b = both(name, DIGITS if name == "MLPClassifier" else DIABETES, max_iter=1)
    theirs = b.get_params()
    assert {parameter: a.get_params()[parameter] for parameter in theirs} == theirs
    assert {attribute for attribute in vars(b) if attribute.endswith("_")} <= set(vars(a))
    methods = {method for method in dir(b) if not method.startswith("_") and callable(getattr(b, method))}
    assert methods <= set(dir(a))
