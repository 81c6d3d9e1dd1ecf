"""Input y and sample_weight, and the split into training and validation rows."""

import numpy as np
import pytest

from fastgd import datasets, losses
from fastgd.data.sample_weights import row_weights
from fastgd.data.splits import split_rows
from fastgd.data.targets import check_same_rows, read_targets

CROSS_ENTROPY, BCE, MSE = losses.get("cross_entropy"), losses.get("bce"), losses.get("mse")


LABELS = {
    "class indices": ([2, 0, 1], [2, 0, 1], [0, 1, 2]),
    "not every class index": ([2, 0, 2], [2, 0, 2], [0, 1, 2]),
    "other integers": (np.array([7, -1, 7], "int8"), [1, 0, 1], [-1, 7]),
    "floats": ([0.5, 1.5, 0.5], [0, 1, 0], [0.5, 1.5]),
    "bools": ([True, False, True], [1, 0, 1], [False, True]),
    "text": (["b", "a", "c"], [1, 0, 2], ["a", "b", "c"]),
    "an array of text": (np.array(["b", "a", "b"]), [1, 0, 1], ["a", "b"]),
    "objects in order": (np.array(["b", "a", "b"], object), [1, 0, 1], ["a", "b"]),
    "mixed types, in order of appearance": (["b", 1, "b", b"b"], [0, 1, 0, 2], ["b", 1, b"b"]),
    "a column": ([[1], [0]], [1, 0], [0, 1, 2]),
    "16 bits": (np.array([1, 2], ">u2"), [1, 2], [0, 1, 2]),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_become_class_indices(case):
    y, index, classes = LABELS[case]
    read = read_targets(y, CROSS_ENTROPY, 3)
    assert read.Y.dtype == np.int64
    assert read.Y.flags.c_contiguous
    assert read.Y.tolist() == [[i] for i in index]
    assert read.classes.tolist() == classes
    assert read.loss is CROSS_ENTROPY
    again = read_targets(y, CROSS_ENTROPY, 3, read.classes)
    assert again.Y.tolist() == read.Y.tolist()
    assert again.classes.tolist() == classes


def test_tuples_are_labels_in_an_array_of_objects():
    y = np.empty(2, object)
    y[:] = [(1, 2), (0, 1)]
    assert read_targets(y, CROSS_ENTROPY, 2).Y.tolist() == [[1], [0]]


def test_labels_with_classes_known_before():
    classes = np.array(["a", "b", "c"])
    assert read_targets(["c", "b", "c"], CROSS_ENTROPY, 3, classes).Y.tolist() == [[2], [1], [2]]
    with pytest.raises(
        ValueError, match=r"y has the label 'd' in row 1, but the model knows only 3 classes \('a', 'b'"
    ):
        read_targets(["c", "d"], CROSS_ENTROPY, 3, classes)
    with pytest.raises(ValueError, match="the label 3 in row 2"):
        read_targets([0, 1, 3], CROSS_ENTROPY, 3, np.arange(3))


def test_rows_of_probabilities():
    y = [[0.25, 0.75], [1, 0]]
    read = read_targets(y, CROSS_ENTROPY, 2)
    assert (read.loss.name, read.Y.tolist(), read.classes.tolist()) == ("soft_cross_entropy", y, [0, 1])
    assert not read.squeeze
    assert read_targets(y, losses.get("soft_cross_entropy"), 2).Y.tolist() == y


def test_one_hot_bytes_are_not_copied():
    Y = np.eye(3, dtype=np.uint8)
    assert np.shares_memory(read_targets(Y, CROSS_ENTROPY, 3).Y, Y)


BINARY = {
    "0 and 1": ([0, 1, 1], [0, 1, 1], [0, 1]),
    "floats 0 and 1": ([0.0, 1.0], [0, 1], [0.0, 1.0]),
    "bools": ([True, False], [1, 0], [False, True]),
    "probabilities": ([0.2, 0.9], [0.2, 0.9], [0.0, 1.0]),
    "-1 and 1": ([-1, 1], [0, 1], [-1, 1]),
    "text": (["no", "yes", "no"], [0, 1, 0], ["no", "yes"]),
    "all 1": ([1, 1], [1, 1], [0, 1]),
    "a column": ([[1], [0]], [1, 0], [0, 1]),
}


@pytest.mark.parametrize("case", BINARY)
def test_two_classes_with_one_output(case):
    y, index, classes = BINARY[case]
    read = read_targets(y, BCE, 1)
    assert read.Y.ravel().tolist() == index
    assert read.Y.shape == (len(y), 1)
    assert read.classes.tolist() == classes
    again = read_targets(y, BCE, 1, read.classes)
    assert again.Y.tolist() == read.Y.tolist()
    assert again.classes.tolist() == classes


def test_a_fit_on_one_of_two_known_classes():
    classes = np.array([-1, 1])
    assert read_targets([1, 1], BCE, 1, classes).Y.tolist() == [[1], [1]]
    with pytest.raises(ValueError, match="the label 0 in row 0"):
        read_targets([0, 1], BCE, 1, classes)


def test_several_labels_per_row():
    y = [[1, 0, 1], [0, 0, 0]]
    read = read_targets(y, BCE, 3)
    assert (read.Y.tolist(), read.classes, read.squeeze) == (y, None, False)


def test_numbers():
    vector = read_targets([1.5, 2.5], MSE, 1)
    assert (vector.Y.tolist(), vector.squeeze, vector.classes) == ([[1.5], [2.5]], True, None)
    rows = read_targets([[1, 2], [3, 4]], MSE, 2)
    assert (rows.Y.tolist(), rows.squeeze) == ([[1, 2], [3, 4]], False)
    Y = np.ones((3, 2), np.float32)
    assert np.shares_memory(read_targets(Y, MSE, 2).Y, Y)


BAD = {
    "empty": ([], CROSS_ENTROPY, 3, ValueError, r"y is empty: it has shape \(0,\)"),
    "a number": (1, CROSS_ENTROPY, 3, ValueError, r"shape \(rows,\) or \(rows, outputs\), not \(\)"),
    "too many classes": (list("abcd"), CROSS_ENTROPY, 3, ValueError, "4 classes .* 3 outputs: give the last layer 4"),
    "class index too high": ([0, 1, 2, 3], CROSS_ENTROPY, 3, ValueError, "4 classes .* give the last layer 4"),
    "floats as classes": ([0.1, 0.2, 0.3, 0.4], CROSS_ENTROPY, 3, ValueError, "for a regression use loss='mse'"),
    "one output": ([0, 1], CROSS_ENTROPY, 1, ValueError, "one output per class; for a single output use loss='bce'"),
    "None": (["a", None, "b"], CROSS_ENTROPY, 3, ValueError, r"y has no label in row 1 \(None\)"),
    "NaN among floats": ([0.0, np.nan], CROSS_ENTROPY, 3, ValueError, "has nan in row 1"),
    "NaN among text": (["a", np.nan], CROSS_ENTROPY, 3, ValueError, r"no label in row 1 \(nan\)"),
    "not hashable": (
        np.array(["a", {}], object),
        CROSS_ENTROPY,
        3,
        TypeError,
        r"y has \{\} \(dict\) in row 1; convert",
    ),
    "objects": ([1, object()], CROSS_ENTROPY, 3, TypeError, r"y has <object .*> \(object\) in row 1"),
    "two labels per row": ([[1, 0], [0, 1]], CROSS_ENTROPY, 3, ValueError, r"one label per row.*not \(2, 2\)"),
    "sum": ([[0.5, 0.5], [0.5, 0.6]], CROSS_ENTROPY, 2, ValueError, "row 1 sums to 1.1.*loss='bce'"),
    "below 0": (
        [[0.5, 0.5], [-0.5, 1.5]],
        CROSS_ENTROPY,
        2,
        ValueError,
        r"in \[0, 1\] for the loss .*, but is -0.5 in row 1, column 0",
    ),
    "NaN in rows": ([[0.5, 0.5], [np.nan, 1]], CROSS_ENTROPY, 2, ValueError, "has nan in row 1, column 0"),
    "three classes": ([1, 2, 3], BCE, 1, ValueError, r"two classes .* has 3 classes \(1, 2, 3\); for more"),
    "one class of text": (["a", "a"], BCE, 1, ValueError, r"two classes .* has 1 class "),
    "labels beyond 1": (
        [[1, 2]],
        BCE,
        2,
        ValueError,
        r"must be in \[0, 1\] .*, but is 2 in row 0, column 1",
    ),
    "1-D for two outputs": ([1, 0], BCE, 2, ValueError, r"shape \(rows, 2\), one column per output"),
    "text as numbers": (["a", "b"], MSE, 1, TypeError, "for the loss 'mse', not 'a'.*loss='cross_entropy'"),
    "text as rows": ([["a", "b"]], MSE, 2, TypeError, "for the loss 'mse', not 'a'"),
    "None as number": ([1.0, None], MSE, 1, TypeError, "y must hold numbers.*None"),
    "1-D for two": (
        [1.0, 2.0],
        MSE,
        2,
        ValueError,
        r"shape \(rows, 2\), one column per output of the model, not \(2,",
    ),
    "too wide": ([[1.0, 2.0]], MSE, 1, ValueError, "2 columns where 1 are expected"),
    "not finite": ([1.0, np.inf], MSE, 1, ValueError, "y must be finite, but has inf in row 1"),
    "complex": ([1j, 2.0], MSE, 1, TypeError, "real numbers, not complex128"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_targets(case):
    y, loss, n_out, error, message = BAD[case]
    with pytest.raises(error, match=message):
        read_targets(y, loss, n_out)


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    return pytest.importorskip(request.param)


def test_series_and_frames(frames):
    labels = frames.Series(["b", "a", "b"])
    assert read_targets(labels, CROSS_ENTROPY, 2).classes.tolist() == ["a", "b"]
    assert read_targets(frames.DataFrame({"y": ["b", "a"]}), CROSS_ENTROPY, 2).Y.tolist() == [[1], [0]]
    assert read_targets(frames.Series([1.5, 2.5]), MSE, 1).squeeze
    assert (
        read_targets(frames.DataFrame({"u": [1, 0], "v": [0, 1]}), CROSS_ENTROPY, 2).loss.name == "soft_cross_entropy"
    )
    with pytest.raises(ValueError, match="no label in row 1"):
        read_targets(frames.Series(["b", None, "b"]), CROSS_ENTROPY, 2)


def test_categories_of_pandas():
    pandas = pytest.importorskip("pandas")
    assert read_targets(pandas.Series(["b", "a"], dtype="category"), CROSS_ENTROPY, 2).Y.tolist() == [[1], [0]]
    with pytest.raises(ValueError, match="no label in row 0"):
        read_targets(pandas.Series([None, "a"], dtype="string"), CROSS_ENTROPY, 2)


@pytest.mark.parametrize("values", [[0, 1, 2], np.array([0, 1, 2], ">f4"), np.array([0, 1, 2], object)], ids=repr)
def test_weights(values):
    read = row_weights(values, 3)
    assert read.dtype == np.float64
    assert read.tolist() == [0, 1, 2]


@pytest.mark.parametrize("factor", [1e-300, 1e-50, 1e30, 1e300, 2.0**1000])
def test_weights_keep_their_ratios_at_any_scale(factor):
    read = row_weights(np.array([0, 1, 1, 2]) * factor, 4)
    assert 0.5 <= read.max() < 2**31
    assert (read[1:] / read[1]).tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([1, 2], ValueError, r"shape \(3,\), one weight per row of X, not \(2,\)"),
        ([[1], [2], [3]], ValueError, r"not \(3, 1\)"),
        ([1, -2, 3], ValueError, "must be >= 0, but is -2 in row 1"),
        ([1, np.nan, 3], ValueError, "must be finite, but has nan in row 1"),
        ([0, 0, 0], ValueError, "zero for every row"),
        (["a", "b", "c"], TypeError, "sample_weight must hold numbers"),
        ([1, 2, np.inf], ValueError, "must be finite, but has inf in row 2"),
        ([1, 2, 10**400], ValueError, "sample_weight has an integer beyond the range of float64"),
    ],
)
def test_bad_weights(values, error, words):
    with pytest.raises(error, match=words):
        row_weights(values, 3)


def test_same_rows():
    check_same_rows(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="X and y must have the same number of rows, not 3 and 4"):
        check_same_rows(np.zeros((3, 2)), np.zeros(4))


@pytest.mark.parametrize(("n", "fraction", "held"), [(10, 0.2, 2), (7, 0.5, 4), (1797, 0.2, 359), (2, 0.4, 1)])
def test_split(n, fraction, held):
    train, validation = split_rows(n, fraction, seed=3)
    assert len(validation) == held
    assert sorted([*train, *validation]) == list(range(n))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    np.testing.assert_array_equal(split_rows(n, fraction, seed=3)[1], validation)


def test_splits_differ_by_seed_and_are_uniform():
    held = np.concatenate([split_rows(100, 0.2, seed)[1] for seed in range(500)])
    counts = np.bincount(held, minlength=100)
    # binomial(500, 0.2): mean 100, standard deviation 9; five deviations are exceeded by chance once in 17,000 runs
    assert counts.min() > 55
    assert counts.max() < 145


@pytest.mark.parametrize(
    ("n", "fraction", "words"),
    [
        (10, 0, r"fraction in \(0, 1\) or a pair"),
        (10, 1.0, "not 1.0"),
        (10, -0.1, "not -0.1"),
        (10, float("nan"), "not nan"),
        (10, 0.01, "0.01 of 10 rows leaves no validation rows"),
        (10, 0.99, "leaves no training rows"),
        (1, 0.3, "leaves no validation rows"),
    ],
)
def test_bad_splits(n, fraction, words):
    with pytest.raises(ValueError, match=words):
        split_rows(n, fraction, seed=0)


def test_digits():
    X, y = datasets.digits()
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((1797, 64), np.uint8, (1797,), np.int64)
    assert (X.min(), X.max()) == (0, 16)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    X[:], y[:] = 0, 0
    again, labels = datasets.digits()
    assert again.any()
    assert labels.any()
