"""Input X: layouts that are read without a copy, conversions, and error messages."""

import numpy as np
import pytest

from fastgd.data.arrays import _BLOCK, ENGINE_DTYPES, as_numeric, as_rows, check_finite

NAMES = sorted(dtype.name for dtype in ENGINE_DTYPES)


@pytest.fixture(params=NAMES)
def table(request):
    return np.arange(24).reshape(6, 4).astype(request.param)


def read_only(X):
    X.flags.writeable = False
    return X


VIEWS = {
    "itself": lambda X: X,
    "read-only": read_only,
    "every other row": lambda X: X[::2],
    "rows backwards": lambda X: X[::-1],
    "left columns": lambda X: X[:, :3],
    "one row for all": lambda X: np.broadcast_to(X[0], X.shape),
}


@pytest.mark.parametrize("view", VIEWS)
def test_readable_arrays_are_not_copied(table, view):
    X = VIEWS[view](table)
    rows = as_rows(X, X.shape[1])
    assert np.shares_memory(rows, X)
    assert rows.strides == X.strides
    assert rows.dtype == X.dtype


def test_memory_maps_are_not_copied(tmp_path):
    X = np.memmap(tmp_path / "X", dtype="float32", mode="w+", shape=(5, 3))
    assert np.shares_memory(as_rows(X, 3), X)


COPIES = {
    "columns first": np.asfortranarray,
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "columns backwards": lambda X: X[:, ::-1][:, ::-1].copy()[:, ::-1],
    "other byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "list": np.ndarray.tolist,
    "not aligned": lambda X: _misaligned(X),
}


def _misaligned(X):
    """The values of X as fields after a byte, so that wider ones are misaligned."""
    record = np.zeros(X.shape[0], dtype=[("byte", "u1"), ("x", X.dtype, X.shape[1:])])
    record["x"] = X
    return record["x"]


@pytest.mark.parametrize("how", COPIES)
def test_other_layouts_are_converted(table, how):
    X = COPIES[how](table)
    rows = as_rows(X, 4)
    assert rows.dtype in ENGINE_DTYPES
    assert rows.strides[1] == rows.itemsize
    assert rows.flags.aligned
    np.testing.assert_array_equal(rows, np.array(X, dtype=rows.dtype))


def test_a_single_column_of_a_table_is_contiguous(table):
    rows = as_rows(table[:, 1:2].T.T, 1)
    assert rows.strides[1] == rows.itemsize
    np.testing.assert_array_equal(rows, table[:, 1:2])


@pytest.mark.parametrize(
    ("dtype", "becomes", "value"),
    [
        ("uint16", "int32", 2**16 - 1),
        ("uint32", "int64", 2**32 - 1),
        ("uint64", "float64", 2**53),
        ("longdouble", "float64", 0.5),
    ],
)
def test_other_dtypes_keep_their_values(dtype, becomes, value):
    rows = as_rows(np.full((2, 2), value, dtype), 2)
    assert rows.dtype == becomes
    assert (rows == value).all()


def test_masked_array_without_masked_values():
    assert as_rows(np.ma.array([[1, 2]], mask=False), 2).tolist() == [[1, 2]]


BAD_VALUES = {
    "text": ([["1", "2"]], TypeError, "numbers, not dtype <U1"),
    "complex": (np.ones((2, 2), complex), TypeError, r"real numbers, not complex128.*X\.real"),
    "None": ([[1, 2], [3, None]], TypeError, "has None in row 1, column 1"),
    "text in objects": (np.array([[1, "a"]], object), TypeError, "has 'a' in row 0, column 1"),
    "huge objects": (np.array([[1, 10**400]], object), ValueError, "X has an integer beyond the range of float64"),
    "fields": (np.zeros(3, "f8,f8"), TypeError, r"X has the fields f0, f1.*structured_to_unstructured\(X\)"),
    "dates": (np.zeros((2, 2), "datetime64[s]"), TypeError, "not dtype datetime64"),
    "ragged": ([[1, 2], [3]], ValueError, "same length, but row 0 has 2 values and row 1 has 1"),
    "uneven": ([[1, [2]], [3, 4]], ValueError, "nested to different depths"),
    "masked": (np.ma.array([[1, 2]], mask=[[0, 1]]), ValueError, r"masked values.*X\.filled"),
    "a row": ([1, 2], ValueError, r"shape \(rows, 2\), not \(2,\); for one row pass X\.reshape\(1, -1\)"),
    "a number": (5, ValueError, r"shape \(rows, 2\), not \(\)"),
    "images": (np.zeros((3, 2, 2)), ValueError, r"not \(3, 2, 2\); flatten each row: X\.reshape\(len\(X\), -1\)"),
    "no rows": (np.zeros((0, 2)), ValueError, r"X is empty: it has shape \(0, 2\)"),
    "an empty list": ([], ValueError, "X is empty"),
    "too wide": (np.zeros((3, 3)), ValueError, "3 columns where 2 are expected"),
    "nothing": (None, TypeError, "has None"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values(case):
    X, error, words = BAD_VALUES[case]
    with pytest.raises(error, match=words):
        as_rows(X, 2)


def test_one_feature_as_a_1d_array():
    with pytest.raises(ValueError, match=r"for one column pass x\.reshape\(-1, 1\)"):
        as_rows(np.zeros(5), 1, "x")


def test_sparse_matrix():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"X is sparse.*X\.toarray\(\)"):
        as_rows(sparse.eye(3), 3)


def test_numeric_arrays_of_any_shape():
    assert as_numeric([1.5, 2], "x").tolist() == [1.5, 2]
    assert as_numeric(np.ones((2, 3, 4), "uint16"), "x").shape == (2, 3, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("rows", "columns"), [(3, 2), (_BLOCK, 3), (5, _BLOCK + 1), (2 * _BLOCK, 1)])
def test_the_first_value_that_is_not_finite_is_named(bad, rows, columns):
    X = np.zeros((rows, columns), np.float32)
    check_finite(X, "X")
    X[-1, -1] = bad
    with pytest.raises(ValueError, match=rf"has {bad} in row {rows - 1}, column {columns - 1} "):
        check_finite(X, "X")
    X[1, 0] = bad
    with pytest.raises(ValueError, match=r"in row 1, column 0 "):
        check_finite(X, "X")


def test_finite_weights_and_integers():
    with pytest.raises(ValueError, match=r"w must be finite, but has nan in row 2 \("):
        check_finite(np.array([0, 1, np.nan]), "w")
    check_finite(np.arange(5), "w")
    check_finite(np.zeros((0, 3)), "w")


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    return pytest.importorskip(request.param)


def test_frames(frames):
    frame = frames.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": [True, False]})
    assert as_rows(frame, 3).tolist() == [[1, 0.5, 1], [2, 1.5, 0]]


def test_frames_of_one_type_keep_it(frames):
    frame = frames.DataFrame({"a": np.array([1, 2], "uint8"), "b": np.array([3, 4], "uint8")})
    assert as_rows(frame, 2).dtype == "uint8"


@pytest.mark.parametrize("column", [["x", "y"], [b"x", b"y"], np.array(["2020-01-01", "2021-01-01"], "datetime64[ms]")])
def test_a_column_that_is_not_numeric_is_named(frames, column):
    with pytest.raises(TypeError, match="column 'height' has dtype"):
        as_rows(frames.DataFrame({"a": [1, 2], "height": column}), 2)


def test_missing_values_in_frames_are_found(frames):
    frame = frames.DataFrame({"a": [1, 2, None], "b": [True, False, True]})
    with pytest.raises(ValueError, match="has nan in row 2, column 0"):
        check_finite(as_rows(frame, 2), "X")


def test_nullable_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    columns = {"a": pandas.array([1, None], dtype="Int64"), "b": pandas.array([True, None], dtype="boolean")}
    rows = as_rows(pandas.DataFrame(columns), 2)
    np.testing.assert_array_equal(rows, [[1, 1], [np.nan, np.nan]])


def test_tables_are_not_series(frames):
    with pytest.raises(ValueError, match=r"not \(2,\)"):
        as_rows(frames.Series([1, 2]), 2)
