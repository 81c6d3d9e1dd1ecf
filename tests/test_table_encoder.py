"""Tables of every library and kind of column as a matrix: values, names, findings, errors and configurations."""

import datetime
import json

import numpy as np
import pytest

from fastgd.tables import TableEncoder

N = 40
RNG = np.random.default_rng(0)
COLUMNS = {
    "size": RNG.normal(10, 3, N).round(2).tolist(),
    "rooms": RNG.integers(1, 6, N).tolist(),
    "colour": RNG.choice(["red", "green", "blue"], N).tolist(),
    "sold": (RNG.random(N) < 0.5).tolist(),
    "built": [
        datetime.datetime(2020, 1, 1) + datetime.timedelta(days=int(d), hours=int(d) % 24)
        for d in RNG.integers(0, 900, N)
    ],
}
KINDS = {"size": "number", "rooms": "number", "colour": "category", "sold": "boolean", "built": "date"}


def with_gaps(columns):
    return {
        name: [None if i % 7 == k else value for i, value in enumerate(values)]
        for k, (name, values) in enumerate(columns.items())
    }


def pandas_frame(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars_frame(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_stream(columns):
    """What is neither a frame of pandas nor of polars, but can be read by the protocol of Arrow."""
    frame = polars_frame(columns)

    class Stream:
        __arrow_c_stream__ = frame.__arrow_c_stream__

    return Stream()


FRAMES = [dict, pandas_frame, polars_frame, arrow_table, arrow_stream]


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("frame_of", FRAMES)
def test_every_library_gives_the_same_matrix(frame_of, gaps):
    columns = with_gaps(COLUMNS) if gaps else COLUMNS
    expected, encoder = TableEncoder(), TableEncoder()
    matrix = encoder.fit_transform(frame_of(columns))
    assert encoder.kinds == KINDS
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()
    assert np.abs(matrix).max() <= 3
    assert matrix.shape == (N, len(encoder.feature_names))
    np.testing.assert_array_equal(matrix, expected.fit_transform(columns))
    assert encoder.feature_names == expected.feature_names
    assert json.dumps(encoder.to_config()) == json.dumps(expected.to_config())


def test_names_of_features():
    encoder = TableEncoder().fit(with_gaps(COLUMNS))
    names = encoder.feature_names
    assert names[:7] == (
        "size",
        "size is missing",
        "rooms",
        "rooms is missing",
        "colour=blue",
        "colour=green",
        "colour=red",
    )
    assert names[7:10] == ("colour is missing", "sold", "sold is missing")
    assert names[10:12] == ("built", "built: sine of the year")
    assert len(set(names)) == len(names)


def findings(encoder):
    return {finding.column: finding.kind for finding in encoder.findings}


def test_columns_that_are_left_out():
    table = {
        "Unnamed: 0": range(N),
        "id": range(100, 100 + N),
        "code": [f"A{i:05}" for i in range(N)],
        "comment": [f"this is number {i}" for i in range(N)],
        "unit": ["cm"] * N,
        "empty": [None] * N,
        "size": COLUMNS["size"],
        "again": COLUMNS["size"],
        "gaps only": [None, 1] * (N // 2),
    }
    encoder = TableEncoder().fit(table)
    assert findings(encoder) == {
        **{"Unnamed: 0": "index", "id": "identifier", "code": "identifier", "comment": "text"},
        **{"unit": "constant", "empty": "constant", "again": "duplicate"},
    }
    assert all(finding.dropped for finding in encoder.findings)
    assert encoder.kinds == {"size": "number", "gaps only": "number"}
    assert encoder.unknown_columns({**table, "later": [1] * N}) == ["later"]
    kept = TableEncoder(kinds={"id": "number", "code": "category"}, drop=["comment"]).fit(table)
    assert kept.kinds == {"id": "number", "code": "category", "size": "number", "gaps only": "number"}


def test_text_that_holds_numbers():
    """Different numbers are numbers, though a frame has them as text; codes and few values stay categories."""
    numbers = RNG.normal(100, 10, N).round(3)
    table = {
        "price": [None if i == 3 else str(v) for i, v in enumerate(numbers)],
        "rating": RNG.choice(["1", "2", "3"], N),
        "zip": [f"0{i:04}" for i in range(N)],
        "count": [str(i) for i in range(N)],
    }
    encoder = TableEncoder().fit(table)
    assert encoder.kinds == {"price": "number", "rating": "category"}
    assert findings(encoder) == {"zip": "identifier", "count": "identifier"}
    as_numbers = TableEncoder().fit_transform({"price": np.where(np.arange(N) == 3, np.nan, numbers)})
    np.testing.assert_array_equal(encoder.transform(table)[:, :2], as_numbers)


def test_columns_of_arrays_are_no_identifiers():
    X = np.column_stack([np.arange(N), RNG.normal(size=N)])
    encoder = TableEncoder().fit(X)
    assert encoder.feature_names == ("x0", "x1")
    assert not encoder.has_names


def test_warnings_of_identifiers_and_leaks():
    y = RNG.normal(size=N)
    labels = RNG.choice(["no", "yes"], N)
    table = {
        "id": RNG.permutation(N) * 3,
        "fahrenheit": 32 + 1.8 * y,
        "answer": np.where(labels == "yes", "Y", "N"),
        "x": RNG.normal(size=N),
    }
    assert findings(TableEncoder().fit(table, y)) == {"id": "unique", "fahrenheit": "leak"}
    assert findings(TableEncoder().fit(table, labels)) == {"id": "unique", "answer": "leak"}
    assert findings(TableEncoder().fit(table)) == {"id": "unique"}


def test_columns_are_taken_by_name():
    encoder = TableEncoder()
    expected = encoder.fit_transform(COLUMNS)
    shuffled = {name: COLUMNS[name] for name in reversed(COLUMNS)} | {"more": [0] * N}
    np.testing.assert_array_equal(encoder.transform(shuffled), expected)
    np.testing.assert_array_equal(encoder.transform({name: v[3:4] for name, v in COLUMNS.items()}), expected[3:4])


@pytest.mark.parametrize("table", [COLUMNS, with_gaps(COLUMNS)])
def test_configurations(table):
    encoder = TableEncoder(kinds={"rooms": "category"}, drop=["sold"], max_one_hot=3)
    expected = encoder.fit_transform(table)
    copy = TableEncoder.from_config(json.loads(json.dumps(encoder.to_config())))
    assert copy.to_config() == encoder.to_config()
    assert copy.feature_names == encoder.feature_names
    np.testing.assert_array_equal(copy.transform(table), expected)


def test_configurations_without_tails_and_codes_are_read():
    encoder = TableEncoder()
    expected = encoder.fit_transform(COLUMNS)
    config = {name: value for name, value in encoder.to_config().items() if name != "embed"}
    copy = TableEncoder.from_config(config | {"format": "fastgd table encoder 1"})
    np.testing.assert_array_equal(copy.transform(COLUMNS), expected)


@pytest.mark.parametrize("change", [{"format": "other"}, {"columns": [{}]}, {"max_one_hot": "x"}, {"columns": "long"}])
def test_damaged_configurations(change):
    config = TableEncoder().fit(COLUMNS).to_config()
    if change == {"columns": "long"}:
        change = {"columns": [config["columns"][0] | {"center": [0, 0]}]}
    with pytest.raises((ValueError, TypeError, KeyError)):
        TableEncoder.from_config(config | change)


def test_files(tmp_path):
    pl = pytest.importorskip("polars")
    columns = with_gaps(COLUMNS) | {"zip": [f"{i % 3:05}" for i in range(N)]}
    frame = pl.DataFrame(columns)
    frame.write_csv(tmp_path / "t.csv", separator=";")
    frame.write_parquet(tmp_path / "t.parquet")
    expected = TableEncoder().fit_transform(columns)
    for name in ("t.csv", "t.parquet"):
        encoder = TableEncoder()
        np.testing.assert_array_equal(encoder.fit_transform(tmp_path / name), expected)
        assert encoder.kinds == KINDS | {"zip": "category"}


def test_a_file_in_which_categories_happen_to_be_numbers(tmp_path):
    pytest.importorskip("polars")
    encoder = TableEncoder().fit({"grade": ["1", "02", "A"] * 5})
    path = tmp_path / "t.csv"
    path.write_text("grade\n1\n02\n")
    np.testing.assert_array_equal(encoder.transform(path), encoder.transform({"grade": ["1", "02"]}))


def test_other_forms_than_those_of_fit():
    encoder = TableEncoder(kinds={"k": "category"}).fit({"x": [1, 2, 3], "k": [1, 2, 3], "b": [True, False, True]})
    expected = encoder.transform({"x": [1.0, 2.0], "k": [1.0, np.nan], "b": [1, 0]})
    other = {"x": ["1", "2.0"], "k": ["1", None], "b": ["True", "false"]}
    np.testing.assert_array_equal(encoder.transform(other), expected)


ERRORS = {
    "lacks 'colour', which fit has seen (did you mean 'color'?)": lambda e: e.transform(
        {"color" if n == "colour" else n: v for n, v in COLUMNS.items()}
    ),
    "column 'size' must hold numbers, but row 1 is 'large'": lambda e: e.transform(
        COLUMNS | {"size": ["1", "large"] + ["2"] * (N - 2)}
    ),
    "column 'size' must hold finite numbers, but row 2 is inf": lambda e: e.transform(
        COLUMNS | {"size": [1, 2, np.inf] + [0] * (N - 3)}
    ),
    "column 'built' must hold dates": lambda e: e.transform(COLUMNS | {"built": [1.5] * N}),
    "column 'sold' must hold true and false, or 1 and 0, not 2": lambda e: e.transform(COLUMNS | {"sold": [2] * N}),
    "must have column names": lambda e: e.transform(np.zeros((3, 5))),
    "'size' has 40 and 'rooms' 1": lambda e: e.transform(COLUMNS | {"rooms": [1]}),
    "must have rows": lambda e: e.transform({name: [] for name in COLUMNS}),
    "must have columns": lambda e: e.fit({}),
    "no column 'colours' (did you mean 'colour'?)": lambda e: TableEncoder(drop=["colours"]).fit(COLUMNS),
    "kinds['size'] must be": lambda e: TableEncoder(kinds={"size": "float"}),
    "drop must be a list": lambda e: TableEncoder(drop="size"),
    "no column to learn from: 'a' has only one value": lambda e: TableEncoder().fit({"a": [1, 1]}),
    "y must have as many rows as the table, 40, not 3": lambda e: TableEncoder().fit(COLUMNS, [1, 2, 3]),
    "(rows, columns), not (3,)": lambda e: TableEncoder().fit(np.zeros(3)),
    "column 'a' has values of type list": lambda e: TableEncoder().fit({"a": np.array([[1], [2, 3]], object)}),
    "column 'a' has values of type complex128": lambda e: TableEncoder().fit({"a": np.array([1j, 2])}),
    "column 'a' must be an array, series or list of values, not 3": lambda e: TableEncoder().fit({"a": 3}),
    "must see a table first": lambda e: TableEncoder().transform(COLUMNS),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message):
    encoder = TableEncoder().fit(COLUMNS)
    before = encoder.to_config()
    with pytest.raises((ValueError, TypeError, RuntimeError)) as info:
        ERRORS[message](encoder)
    assert message in str(info.value)
    assert encoder.to_config() == before


def test_arrays_have_as_many_columns_as_in_fit():
    encoder = TableEncoder().fit(RNG.normal(size=(5, 3)))
    with pytest.raises(ValueError, match="must have 3 columns, as in fit, not 2"):
        encoder.transform(np.zeros((2, 2)))


def test_huge_numbers_stay_finite():
    encoder = TableEncoder()
    matrix = encoder.fit_transform({"x": [-1e150, 0, 1e150, 1, 2, 3], "y": [1e-300, 2e-300, 0, 3e-300, 1, 5e-300]})
    assert np.isfinite(matrix).all()
