"""Labels of every kind stay distinct, survive files and pickles, and compare as themselves."""

import pickle
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import fastgd as gd
from fastgd import losses
from fastgd.data.targets import read_targets

STRINGS = getattr(np.dtypes, "StringDType", None)  # since NumPy 2


class Color(Enum):
    RED = 1


# Distinct labels of a kind, and the kind of the dtype of predictions.
KINDS: dict[str, tuple[Any, str]] = {
    "text": (["no", "yes", "ä"], "U"),
    "text that ends in NUL": (["a", "a\0", "a\0\0"], "O"),
    "text with odd characters": (["", " ", "\ud800"], "U"),
    "array of text": (np.array(["no", "yes", "maybe"]), "U"),
    "array of bytes": (np.array([b"no", b"yes", b"\xff"]), "S"),
    "list of bytes": ([b"a", b"a\0", b"\xff"], "O"),
    "text and bytes": (["1", b"1", 1], "O"),
    "booleans": ([False, True], "b"),
    "small integers": (np.array([7, -1, 100], np.int8), "i"),
    "big-endian integers": (np.array([7, -1, 100], ">i4"), "i"),
    "large unsigned integers": (np.array([2**63, 2**63 + 1, 2**64 - 1], np.uint64), "u"),
    "integers beyond 64 bits": ([2**64, 2**64 + 1, -(2**70)], "O"),
    "integers that float64 would merge": ([2**53, 2**53 + 1, 0.5], "O"),
    "unsigned and negative": ([2**63, 2**63 + 1, -1], "O"),
    "floats": ([0.1, 0.2, 0.30000000000000004], "f"),
    "halves": (np.array([0.1, 0.2, 65504], np.float16), "f"),
    "decimals": ([Decimal("0.1"), Decimal("0.2"), Decimal("1e-400")], "O"),
    "numbers and text": ([1, "1", "a"], "O"),
    "nested lists of numbers and text": ([[1], ["1"], ["a"]], "O"),
    "dates": ([date(2020, 1, 1), date(2021, 1, 1), date(1, 1, 1)], "O"),
    "times": ([datetime(2020, 1, 1, 5), datetime(2020, 1, 1, 5, 0, 0, 1), datetime(2020, 1, 1)], "O"),
    "times with zones": ([datetime(2020, 1, d, tzinfo=timezone(timedelta(hours=d))) for d in (1, 2, 3)], "O"),
    "datetime64 in nanoseconds": (np.array(["2020-01-01", "2020-01-01T00:00:00.000000001"], "M8[ns]"), "M"),
    "datetime64 in days": (np.array(["2020-01-01", "2020-01-02", "9999-01-01"], "M8[D]"), "M"),
    "timedelta64": (np.array([1, 2, -5], "m8[25s]"), "m"),
    "tuples": ([("a", 1), ("a", "1"), ("b", (1, 2.5))], "O"),
}


def column_of(labels):
    """An array of tuples or of other objects that NumPy would take apart."""
    if not isinstance(labels[0], tuple):
        return labels
    column = np.empty(len(labels), object)
    column[:] = labels
    return column


def taught(labels, path=None):
    """A model that tells each of these labels, and X whose rows have them in turn."""
    n = len(labels)
    X = np.tile(np.eye(n), (20, 1))
    y = np.tile(column_of(labels), 20) if isinstance(column_of(labels), np.ndarray) else list(labels) * 20
    model = gd.MLP(n, n, seed=0)
    gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=1.0)).fit(X, y, epochs=20, verbose=0)
    return model, X[:n]


def same(one, other):
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "pickle"])
@pytest.mark.parametrize("case", KINDS)
def test_labels_are_predicted_as_they_are(case, suffix, tmp_path):
    labels, kind = KINDS[case]
    model, X = taught(labels)
    predicted = model.predict(X)
    wanted = [label[0] if isinstance(label, list) else label for label in labels]
    assert predicted.dtype.kind == kind
    assert all(got == want for got, want in zip(predicted, wanted, strict=True))
    assert len(model.head.classes) == len(labels)
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    if suffix == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / f"model.{suffix}")
        loaded = gd.load(tmp_path / f"model.{suffix}")
    again = loaded.predict(X)
    assert again.dtype == predicted.dtype
    assert all(map(same, again.tolist(), predicted.tolist()))
    trainer = gd.Trainer(loaded, loss="cross_entropy")
    assert trainer.evaluate(X, column_of(labels))["accuracy"] == 1
    trainer.fit(X, column_of(labels), epochs=1, verbose=0)
    assert len(loaded.head.classes) == len(labels)


@pytest.mark.skipif(STRINGS is None, reason="needs NumPy 2")
@pytest.mark.parametrize("options", [{}, {"na_object": np.nan}, {"coerce": False}], ids=str)
def test_variable_length_strings(options, tmp_path):
    labels = np.array(["no", "yes", "a\0"], STRINGS(**options))
    model, X = taught(labels)
    model.save(tmp_path / "model.npz")
    for each in (model, gd.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert each.predict(X).dtype == STRINGS()
        assert each.predict(X).tolist() == ["no", "yes", "a\0"]


@pytest.mark.skipif(STRINGS is None, reason="needs NumPy 2")
def test_a_missing_string():
    labels = np.array(["no", np.nan], STRINGS(na_object=np.nan))
    with pytest.raises(ValueError, match=r"y has no label in row 1"):
        read_targets(labels, losses.get("cross_entropy"), 2)


REFUSED = {
    "enumeration": ([Color.RED, "a"], TypeError, r"but y has <Color.RED: 1> \(Color\) in row 0; convert it to text"),
    "fraction": ([Fraction(1, 3), 1], TypeError, r"Fraction\(1, 3\)"),
    "complex": ([1j, 1], TypeError, "y has dtype complex128"),
    "long double": (np.array([0.1, 0.2], np.longdouble) + np.longdouble(1e-18), TypeError, "y has dtype (float128|g)"),
    "fields": (np.zeros(2, "i4,f4"), TypeError, "labels must be text, .* but y has dtype"),
    "NaT": (np.array(["2020-01-01", "NaT"], "M8[s]"), ValueError, r"y has no label in row 1 \(NaT\)"),
    "NaN": ([1.0, np.nan], ValueError, "y must be finite, but has nan in row 1"),
    "infinity": ([1.0, np.inf], ValueError, "y must be finite, but has inf in row 1"),
    "decimal NaN": ([Decimal("NaN"), Decimal(1)], ValueError, "y has no label in row 0"),
    "in a tuple": (column_of([("a", None), ("a", 1)]), ValueError, r"y has no label in row 0 \(None\)"),
    "a set": ([{1}, {2}], TypeError, r"y has \{1\} \(set\) in row 0"),
    "lazy": (None, TypeError, r"y is a LazyFrame, whose values are not computed yet; pass y\.collect\(\)"),
    "timestamps": (None, TypeError, r"\(Timestamp\) in row 0; convert it to text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_labels_are_refused_before_the_training(case):
    y, error, words = REFUSED[case]
    if case == "lazy":
        y = pytest.importorskip("polars").LazyFrame({"y": ["a", "b"]})
    if case == "timestamps":
        y = pytest.importorskip("pandas").Series([1, 2]).astype("datetime64[s, UTC]").astype(object)
    if case == "long double" and np.dtype(np.longdouble) == np.float64:
        pytest.skip("long double is float64 here")
    trainer = gd.Trainer(gd.MLP(2, 2, seed=0), loss="cross_entropy")
    theta = trainer.model.theta.copy()
    with pytest.raises(error, match=words):
        trainer.fit(np.eye(2), y, epochs=1, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.model.head.classes is None


def pandas_series(values, dtype):
    return pytest.importorskip("pandas").Series(values, dtype=dtype)


def polars_series(values, dtype):
    polars = pytest.importorskip("polars")
    return polars.Series(values, dtype=getattr(polars, dtype) if dtype else None)


def arrow_array(values, dtype):
    arrow = pytest.importorskip("pyarrow")
    array = arrow.array(values)
    return array.dictionary_encode() if dtype == "dictionary" else arrow.chunked_array([array[:1], array[1:]])


def torch_tensor(values, dtype):
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=getattr(torch, dtype))


SERIES = {
    "pandas text": (pandas_series, ["b", "a", "b"], "str"),
    "pandas strings": (pandas_series, ["b", "a", "b"], "string"),
    "pandas category": (pandas_series, ["b", "a", "b"], "category"),
    "pandas integer category": (pandas_series, [5, 3, 5], "category"),
    "pandas nullable": (pandas_series, [5, 3, 5], "Int64"),
    "pandas boolean": (pandas_series, [True, False, True], "boolean"),
    "pandas dates": (pandas_series, ["2020-01-01", "2021-01-01", "2020-01-01"], "datetime64[ns]"),
    "polars text": (polars_series, ["b", "a", "b"], None),
    "polars category": (polars_series, ["b", "a", "b"], "Categorical"),
    "polars boolean": (polars_series, [True, False, True], None),
    "polars date": (polars_series, [date(2020, 1, 1), date(2021, 1, 1), date(2020, 1, 1)], None),
    "polars decimal": (polars_series, [Decimal("0.5"), Decimal("1.5"), Decimal("0.5")], None),
    "arrow text": (arrow_array, ["b", "a", "b"], None),
    "arrow dictionary": (arrow_array, ["b", "a", "b"], "dictionary"),
    "arrow boolean": (arrow_array, [True, False, True], None),
    "arrow binary": (arrow_array, [b"b", b"a", b"b"], None),
    "torch": (torch_tensor, [5, 3, 5], "int64"),
    "torch bool": (torch_tensor, [True, False, True], "bool"),
    "torch half": (torch_tensor, [0.5, 1.5, 0.5], "float16"),
}


@pytest.mark.parametrize("case", SERIES)
def test_labels_of_series_and_tensors(case, tmp_path):
    function, values, dtype = SERIES[case]
    y = function(values, dtype)
    model = gd.MLP(2, 2, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=1.0))
    X = np.array([[1.0, 0], [0, 1], [1, 0]])
    trainer.fit(X, y, epochs=50, verbose=0)
    model.save(tmp_path / "model.npz")
    loaded = gd.load(tmp_path / "model.npz")
    assert loaded.predict(X).dtype == model.predict(X).dtype
    assert (loaded.predict(X) == np.asarray(y)).all()
    assert gd.Trainer(loaded, loss="cross_entropy").evaluate(X, y)["accuracy"] == 1


def test_a_tensor_that_records_its_gradient_is_refused_in_words():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"X \(Tensor\) cannot be read as an array: .*detach"):
        gd.MLP(2, 2, seed=0).predict(torch.ones(3, 2, requires_grad=True))


def test_units_of_dates_are_compared_and_other_numbers_are_not_dates():
    days = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    classes = read_targets(days, losses.get("cross_entropy"), 2).classes
    seconds = days.astype("M8[s]")
    assert read_targets(seconds[::-1], losses.get("cross_entropy"), 2, classes).Y.tolist() == [[1], [0]]
    with pytest.raises(
        ValueError, match=r"the label 18262 in row 0, but the model knows only 2 classes \('2020-01-01'"
    ):
        read_targets(np.array([18262]), losses.get("cross_entropy"), 2, classes)


def test_two_classes_with_one_output(tmp_path):
    for labels in ([b"n", b"y"], [Decimal(0), Decimal("0.5")], np.array(["2020", "2021"], "M8[Y]"), ["n", "n\0"]):
        model = gd.MLP(1, 1, seed=0)
        y = list(labels) * 10
        gd.Trainer(model, loss="bce", optimizer=gd.SGD(lr=1.0)).fit([[0.0], [1.0]] * 10, y, epochs=30, verbose=0)
        model.save(tmp_path / "model.npz")
        assert (
            gd.load(tmp_path / "model.npz").predict([[0.0], [1.0]]).tolist() == np.asarray(model.head.classes).tolist()
        )
