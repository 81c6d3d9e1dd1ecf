"""Names of columns: frames are read by name wherever a model takes X, and arrays as they are."""

import copy
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd.data.inputs import column_names

NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def pandas_frame(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars_frame(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def narwhals_frame(columns):
    return pytest.importorskip("narwhals").from_native(polars_frame(columns))


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_batch(columns):
    return pytest.importorskip("pyarrow").record_batch(columns)


@pytest.fixture(params=[pandas_frame, polars_frame, narwhals_frame, arrow_table, arrow_batch], ids=lambda f: f.__name__)
def frame_of(request):
    return request.param


def iris(frame_of, names=NAMES):
    """X of the irises as a frame with columns in the order of `names`, and y."""
    data = pytest.importorskip("sklearn.datasets").load_iris()
    columns = dict(zip(NAMES, ((data.data - data.data.mean(0)) / data.data.std(0)).T, strict=True))
    return frame_of({name: columns[name] for name in names}), data.target_names[data.target]


def trained(frame_of, epochs=20, **options):
    X, y = iris(frame_of)
    trainer = gd.Trainer(gd.MLP(4, 8, 3, seed=0), loss="cross_entropy", optimizer=gd.Adam(lr=0.01), **options)
    trainer.fit(X, y, epochs=epochs, verbose=0)
    return trainer


def test_columns_are_taken_by_name(frame_of):
    trainer = trained(frame_of)
    X, y = iris(frame_of)
    other, _ = iris(frame_of, NAMES[::-1])
    model = trainer.model
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    np.testing.assert_array_equal(model.predict(other), model.predict(X))
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))
    np.testing.assert_array_equal(model.forward(other), model.forward(X))
    assert trainer.evaluate(other, y) == trainer.evaluate(X, y)
    assert trainer.evaluate(X, y)["accuracy"] > 0.9


def test_validation_and_a_second_fit_take_columns_by_name(frame_of):
    X, y = iris(frame_of)
    other, _ = iris(frame_of, NAMES[::-1])
    one, two = trained(frame_of, 2), trained(frame_of, 2)
    one.fit(X, y, epochs=2, validation=(X, y), verbose=0)
    two.fit(other, y, epochs=2, validation=(other, y), verbose=0)
    np.testing.assert_array_equal(one.model.theta, two.model.theta)
    assert one.history["validation_loss"] == two.history["validation_loss"]


WRONG = {
    "one is missing": (NAMES[:3], r"in any order, but lacks 'petal width'$"),
    "one has another name": ([*NAMES[:3], "petal  width"], "lacks 'petal width' and also has 'petal  width'$"),
    "one more": ([*NAMES, "species"], "also has 'species'$"),
    "none is known": (list("abcdefg"), "lacks 'sepal length', .* and also has 'a', 'b', 'c', 'd', 'e' and 2 more$"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_columns_are_refused(frame_of, case):
    names, words = WRONG[case]
    trainer = trained(frame_of)
    X = frame_of({name: np.zeros(3) for name in names})
    theta = trainer.model.theta.copy()
    y = ["setosa", "virginica", "setosa"]
    right = iris(frame_of)
    calls = {
        "X": [
            lambda: trainer.model.predict(X),
            lambda: trainer.model.predict_proba(X),
            lambda: trainer.model.forward(X),
            lambda: trainer.evaluate(X, y),
            lambda: trainer.fit(X, y, epochs=1, verbose=0),
        ],
        "validation X": [lambda: trainer.fit(*right, epochs=1, validation=(X, y), verbose=0)],
    }
    for name, calls_of in calls.items():
        for call in calls_of:
            with pytest.raises(ValueError, match=f"^{name} must have the columns .*{words}"):
                call()
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.epoch == 20


def test_arrays_are_taken_as_they_are(frame_of):
    X, y = iris(frame_of)
    trainer = trained(frame_of)
    array = gd.data.arrays.as_rows(X, 4)
    np.testing.assert_array_equal(trainer.model.predict(array), trainer.model.predict(X))
    trainer.fit(array, y, epochs=1, verbose=0)
    assert trainer.model.feature_names_in_.tolist() == NAMES
    trainer = gd.Trainer(gd.MLP(4, 3, seed=0), loss="cross_entropy")
    trainer.fit(array, y, epochs=1, verbose=0)
    assert trainer.model.feature_names_in_ is None
    trainer.fit(X, y, epochs=1, verbose=0)
    np.testing.assert_array_equal(trainer.model.feature_names_in_, NAMES)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_files_and_copies_keep_the_names(frame_of, tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    trainer, path = trained(frame_of), tmp_path / f"model.{suffix}"
    X, _ = iris(frame_of, NAMES[::-1])
    expected = trainer.model.predict_proba(X)
    trainer.model.save(path)
    models = [gd.load(path)]
    trainer.save(path)
    models += [gd.Trainer.load(path).model, copy.copy(trainer.model), copy.deepcopy(trainer.model)]
    models += [pickle.loads(pickle.dumps(trainer.model)), pickle.loads(pickle.dumps(trainer)).model]
    for model in models:
        assert model.feature_names_in_.tolist() == NAMES
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    trainer.model.reset()
    assert trainer.model.feature_names_in_ is None


def test_labels_that_are_no_names():
    pandas = pytest.importorskip("pandas")
    assert column_names(pandas.DataFrame(np.zeros((2, 3)))) is None
    assert column_names(pandas.DataFrame(np.zeros((2, 2)), columns=[("a", 1), ("a", 2)])) is None
    assert column_names(pandas.DataFrame(np.zeros((2, 2)), columns=np.array(["a", "b"]))).tolist() == ["a", "b"]
    assert column_names(np.zeros((2, 2))) is None
    assert column_names([[1, 2]]) is None
    with pytest.raises(TypeError, match=r"all be named by text, or none, but 1 is of type int: .*X\.to_numpy\(\)"):
        column_names(pandas.DataFrame([[1, 2]], columns=["a", 1]))


def test_columns_of_the_same_name():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.arange(8.0).reshape(4, 2), columns=["a", "a"])
    trainer = gd.Trainer(gd.MLP(2, 1, seed=0), loss="mse")
    trainer.fit(X, [0.0, 1, 2, 3], epochs=1, verbose=0)
    # On the NumPy engine, the last bits depend on the order in memory.
    np.testing.assert_allclose(trainer.model.predict(X), trainer.model.predict(X.to_numpy()), rtol=1e-6)
    trainer = gd.Trainer(gd.MLP(2, 1, seed=0), loss="mse")
    trainer.fit(pandas.DataFrame({"a": [1.0], "b": [2.0]}), [0.0], epochs=1, verbose=0)
    with pytest.raises(ValueError, match="several columns of the same name"):
        trainer.model.predict(pandas.DataFrame([[1.0, 2.0, 3.0]], columns=["b", "a", "a"]))


def test_frames_of_other_types_of_numbers(frame_of):
    """Columns of integers and booleans too; a missing value is named by its row and column."""
    trainer = gd.Trainer(gd.MLP(3, 1, seed=0), loss="mse", standardize=True)
    X = frame_of({"count": [1, 2, 3, 4], "flag": [True, False, True, True], "size": [0.5, 1.5, 2.5, 0.0]})
    trainer.fit(X, [1.0, 2, 3, 4], epochs=1, verbose=0)
    with pytest.raises(ValueError, match="X must be finite, but has nan in row 1, column 'count'"):
        trainer.model.predict(frame_of({"size": [0.5, 1.0], "count": [1, None], "flag": [True, False]}))
    with pytest.raises(TypeError, match="X must hold numbers, but column 'flag' has dtype .*; encode or drop it"):
        trainer.model.predict(frame_of({"count": [1], "flag": ["yes"], "size": [0.5]}))
