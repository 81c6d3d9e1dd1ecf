"""Searches over populations have the results of scikit-learn's searches."""

import _thread
import threading

import numpy as np
import pytest
from estimators import DIABETES, IRIS, NAMED, classifier, regressor

import fastgd as gd
from fastgd import backend

pytest.importorskip("sklearn")

import sklearn.experimental.enable_halving_search_cv  # noqa: F401
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastgd.sklearn import HalvingPopulationSearchCV, LinearClassifier, PopulationSearchCV, threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GRID = {"learning_rate_init": [0.003, 0.03], "solver": ["adam", gd.SGD(lr=0.1)], "early_stopping": [False, True]}


class Rates:
    """A distribution."""

    def rvs(self, random_state):
        return 10 ** random_state.uniform(-3, -1)


DISTRIBUTIONS = {"learning_rate_init": Rates(), "hidden_layer_sizes": [(4,), (8, 4)]}


def assert_same_search(one, other, names=("best_params_", "best_score_", "best_index_", "n_splits_")):
    for name in names:
        assert str(getattr(one, name)) == str(getattr(other, name)), name
    assert list(one.cv_results_) == list(other.cv_results_)
    for name, column in one.cv_results_.items():
        if "time" not in name:
            assert str(column) == str(other.cv_results_[name]), name
            if np.asarray(column).dtype.kind == "f":
                assert column.tobytes() == other.cv_results_[name].tobytes(), name
    assert [W.tobytes() for W in weights(one)] == [W.tobytes() for W in weights(other)]


def weights(search):
    best = search.best_estimator_
    return (best[-1] if hasattr(best, "steps") else best).coefs_


@pytest.mark.parametrize("n_threads", [None, 1, 3])
def test_a_grid(n_threads):
    options = {"cv": 3, "return_train_score": True}
    search = PopulationSearchCV(classifier(), GRID, n_threads=n_threads, **options).fit(*NAMED)
    assert_same_search(search, GridSearchCV(classifier(), GRID, **options).fit(*NAMED))
    assert len(search.cv_results_["params"]) == 8
    assert search.score(*NAMED) == np.mean(search.predict(NAMED[0]) == NAMED[1])


def test_random_candidates():
    options = {"n_iter": 5, "random_state": 1, "cv": 2, "scoring": "neg_mean_absolute_error"}
    search = PopulationSearchCV(regressor(), DISTRIBUTIONS, **options).fit(*DIABETES)
    assert_same_search(search, RandomizedSearchCV(regressor(), DISTRIBUTIONS, **options).fit(*DIABETES))


@pytest.mark.parametrize("resource", ["max_iter", "n_samples"])
def test_halving(resource):
    options = {"resource": resource, "min_resources": 5 if resource == "max_iter" else 20, "random_state": 2, "cv": 2}
    model = classifier(max_iter=45)
    search = HalvingPopulationSearchCV(model, DISTRIBUTIONS, n_candidates=6, **options).fit(*IRIS)
    limit = 45 if resource == "max_iter" else "auto"
    reference = HalvingRandomSearchCV(model, DISTRIBUTIONS, n_candidates=6, max_resources=limit, **options).fit(*IRIS)
    names = ("best_params_", "best_score_", "n_resources_", "n_candidates_", "n_iterations_", "max_resources_")
    assert_same_search(search, reference, names)
    assert search.max_resources == "auto"


def test_pipelines_weights_groups_and_several_scores():
    pipeline = make_pipeline(StandardScaler(), classifier())
    grid = {"mlpclassifier__alpha": [0.0, 1.0, 10.0]}
    weight, groups = np.linspace(0.5, 2, 150), np.arange(150) % 7
    options = {"cv": GroupKFold(3), "scoring": ["accuracy", "f1_macro"], "refit": "f1_macro"}
    arguments = {"mlpclassifier__sample_weight": weight, "groups": groups}
    search = PopulationSearchCV(pipeline, grid, **options).fit(*IRIS, **arguments)
    assert_same_search(search, GridSearchCV(pipeline, grid, **options).fit(*IRIS, **arguments))


def test_fits_that_fail():
    grid = {"learning_rate_init": [0.01, 1e200], "solver": ["sgd"]}
    search = PopulationSearchCV(classifier(), grid, cv=2)
    with pytest.warns(match="2 fits failed"), pytest.warns(match="are non-finite"):
        search.fit(*IRIS)
    assert np.isnan(search.cv_results_["mean_test_score"][1])
    assert search.best_index_ == 0
    with pytest.raises(ValueError, match="non-finite"):
        PopulationSearchCV(classifier(), grid, cv=2, error_score="raise").fit(*IRIS)
    search = PopulationSearchCV(classifier(), grid, cv=2, error_score=0.0, refit=False)
    with pytest.warns(match="2 fits failed"):
        assert search.fit(*IRIS).best_score_ > 0


def test_fits_have_one_core_each_and_the_best_all():
    seen = []

    class Look(gd.Callback):
        def __deepcopy__(self, memo):  # by `clone`
            return self

        def on_fit_begin(self, trainer):
            seen.append((backend.usable_threads(None), threading.current_thread() is threading.main_thread()))

    PopulationSearchCV(classifier(callbacks=[Look()]), {"alpha": [0, 1]}, cv=2, n_threads=2).fit(*IRIS)
    n = max(1, min(2, backend.default_threads()) // 2)
    assert seen[-1] == (0, True)
    assert {threads for threads, _ in seen[:-1]} == {n}
    assert backend.default_threads() == 1 or {is_main for _, is_main in seen[:-1]} == {False}


class InSecondFit(gd.Callback):
    """Press Ctrl-C, or raise an error, as soon as a second fit has begun; the first would never end."""

    def __init__(self, is_ctrl_c):
        self.is_ctrl_c, self.trainers = is_ctrl_c, []

    def __deepcopy__(self, memo):  # by `clone`
        return self

    def on_chunk_end(self, trainer):
        if trainer in self.trainers:
            return
        self.trainers.append(trainer)
        if len(self.trainers) == 2 and self.is_ctrl_c:
            _thread.interrupt_main()
        elif len(self.trainers) == 2:
            raise ZeroDivisionError


@pytest.mark.skipif(backend.default_threads() == 1, reason="needs two cores")
@pytest.mark.parametrize("is_ctrl_c", [True, False])
def test_a_search_that_is_given_up_ends_its_fits(is_ctrl_c):
    before, look = threading.enumerate(), InSecondFit(is_ctrl_c)
    endless = classifier(max_iter=10**9, tol=0.0, n_iter_no_change=10**9, callbacks=[look])
    search = PopulationSearchCV(endless, {"alpha": np.arange(50.0)}, cv=2, n_threads=2, error_score="raise")
    with pytest.raises(KeyboardInterrupt if is_ctrl_c else ZeroDivisionError):
        search.fit(*IRIS)
    assert len(look.trainers) <= 4
    assert threading.enumerate() == before


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_ends_with_its_thread(solver, monkeypatch):
    monkeypatch.setattr(threads._thread, "stop", threading.Event(), raising=False)
    model = classifier(solver=solver).fit(*IRIS)
    threads._thread.stop.set()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*IRIS)


def test_settings_are_kept_and_checked():
    search = PopulationSearchCV(classifier(), GRID, n_iter=0, n_threads=2)
    assert str(clone(search).get_params()) == str(search.get_params())
    assert list(search.get_params(deep=False)) == sorted(search.get_params(deep=False))
    with pytest.raises(ValueError, match="n_iter must be"):
        search.fit(*IRIS)
    with pytest.raises(ValueError, match="n_threads must be"):
        search.set_params(n_iter=1, n_threads=0).fit(*IRIS)
    with pytest.raises(ValueError, match="'beta'"):
        PopulationSearchCV(LinearClassifier(), {"beta": [1]}, cv=2, error_score="raise").fit(*IRIS)
    with pytest.raises(ValueError, match="Cannot use resource=max_iter"):
        HalvingPopulationSearchCV(make_pipeline(classifier()), {"memory": [None]}).fit(*IRIS)
