"""fastgd's estimators in the tools of scikit-learn."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from estimators import IRIS, NAMED, classifier

import fastgd as gd

pytest.importorskip("sklearn")

import joblib
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_import_loads_scikit_learn_on_use():
    program = """
import sys
import fastgd.sklearn
assert "sklearn" not in sys.modules and "scipy" not in sys.modules
import sklearn.model_selection, scipy.optimize
before = {name.split(".")[0] for name in sys.modules}
from fastgd.sklearn import LinearRegressor, MLPClassifier
print(*{name.split(".")[0] for name in sys.modules} - before)
"""
    run = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(vars(gd.sklearn), "MLPClassifier", raising=False)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[sklearn\]"'):
        gd.sklearn.MLPClassifier  # noqa: B018
    with pytest.raises(AttributeError, match="it has HalvingPopulationSearchCV, Linear"):
        gd.sklearn.Perceptron  # noqa: B018


def test_sparse_rows_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"Use '\.toarray\(\)'"):
        classifier().fit(sparse.csr_array(IRIS[0]), IRIS[1])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), "joblib"])
def test_copies_continue_alone(duplicate):
    def through_joblib(model):
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        return joblib.load(file)

    model = classifier().fit(*IRIS)
    other = (through_joblib if duplicate == "joblib" else duplicate)(model)
    theta = model.network_.theta.copy()
    other.partial_fit(*IRIS)
    np.testing.assert_array_equal(model.network_.theta, theta)
    model.partial_fit(*IRIS)
    np.testing.assert_array_equal(model.network_.theta, other.network_.theta)
    other.coefs_[0][:] = 0
    assert not other.network_.parameters()["0.weight"].any()


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_searches(backend):
    search = GridSearchCV(classifier(), {"solver": ["adam", gd.SGD(lr=0.1)]}, cv=2, n_jobs=2)
    with joblib.parallel_backend(backend):
        search.fit(*NAMED)
    assert len(search.cv_results_["params"]) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_pipelines_of_frames():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(IRIS[0], columns=list("abcd"))
    columns = ColumnTransformer([("scaled", StandardScaler(), list("ab"))], remainder="passthrough")
    pipeline = make_pipeline(columns, classifier(max_iter=50, learning_rate_init=0.02)).set_output(transform="pandas")
    assert cross_val_score(pipeline, X, NAMED[1], cv=3).mean() > 0.8
    names = pipeline.fit(X, NAMED[1])[-1].feature_names_in_.tolist()
    assert names == ["scaled__a", "scaled__b", "remainder__c", "remainder__d"]


def test_metadata_routing():
    weight = np.where(IRIS[1] == 2, 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model).fit(
            *IRIS, sample_weight=weight
        )
    alone = classifier().fit(StandardScaler().fit_transform(IRIS[0]), IRIS[1], sample_weight=weight)
    np.testing.assert_array_equal(routed[-1].network_.theta, alone.network_.theta)


def test_the_network_is_free_of_scikit_learn():
    model = classifier().fit(*NAMED)
    file = io.BytesIO()
    model.network_.save(file)
    file.seek(0)
    np.testing.assert_array_equal(gd.load(file).predict(NAMED[0]), model.predict(NAMED[0]))


class Recorder:
    """A callback of scikit-learn that stops after some epochs."""

    def __init__(self, stop_after):
        self.stop_after, self.events, self.scores = stop_after, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.scores.append(fitted_estimator.score(X, y))
        return len(self.scores) == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_of_scikit_learn(solver):
    pytest.importorskip("sklearn.callback")
    recorder = Recorder(stop_after=2)
    model = classifier(solver=solver).set_callbacks(recorder).fit(*IRIS)
    assert model.n_iter_ == 2
    epochs = ["begin epoch", "end epoch"] * 3  # the third was not trained
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.scores[-1] == model.score(*IRIS)


def test_progress_bars_of_scikit_learn(capsys):
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    search = GridSearchCV(classifier(), {"alpha": [1e-4, 1.0]}, cv=2).set_callbacks(callback.ProgressBar(None))
    search.fit(*IRIS)
    assert "MLPClassifier - fit" in capsys.readouterr().out
