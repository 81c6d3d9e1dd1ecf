"""What becomes of a column: scaling, long tails, gaps, categories, codes and dates."""

import datetime
import json

import numpy as np
import pytest

from fastgd.tables import TableEncoder
from fastgd.tables.encodings import Codes
from fastgd.tables.robust_scaling import RobustScaling
from fastgd.tables.values import read_values

RNG = np.random.default_rng(0)


def test_numbers_are_scaled_by_median_and_quartiles():
    x = np.array([0.0, 1, 2, 3, 4, 1000])
    q1, q2, q3 = np.quantile(x, [0.25, 0.5, 0.75])
    s = (x - q2) / (q3 - q1)
    encoded = TableEncoder().fit_transform({"x": x})
    np.testing.assert_allclose(encoded[:, 0], s / np.sqrt(1 + (s / 3) ** 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "center", "factor"),
    [
        ([1, 2, 3, 4, 5], 3, 1 / 2),
        ([0] * 9 + [8], 0, 1 / 4),  # the quartiles are equal: half the range
        ([7] * 5, 7, 0),
        ([np.nan] * 3, 0, 0),
        ([np.nan, 1, 2, 3, 4, 5, np.nan], 3, 1 / 2),
    ],
)
def test_robust_scaling(values, center, factor):
    scaling = RobustScaling.fit(np.array(values, np.float64)[:, None])
    assert (scaling.center, scaling.factor) == ((center,), (factor,))


def test_long_tails_are_a_feature():
    """Values that the clipping would make equal keep their differences, within the range of the training."""
    x = np.concatenate([RNG.normal(size=900), [np.nan] * 10, RNG.uniform(10, 500, 100)])
    encoder = TableEncoder()
    expected = encoder.fit_transform({"x": x})
    assert encoder.feature_names == ("x", "x is missing", "x: long tail")
    tail = encoder.transform({"x": [100, 300, 1e9, -1e9, None]})[:, 2]
    values = np.array([100, 300, np.nanmax(x), np.nanmin(x), np.nanmean(x)])
    np.testing.assert_allclose(tail, (values - np.nanmean(x)) / np.nanstd(x), rtol=1e-6, atol=1e-6)
    copy = TableEncoder.from_config(json.loads(json.dumps(encoder.to_config())))
    np.testing.assert_array_equal(copy.transform({"x": x}), expected)


@pytest.mark.parametrize("n_far", [1, 9])
def test_a_few_outliers_are_no_tail(n_far):
    x = np.concatenate([RNG.normal(size=500), [1e6] * n_far])
    assert TableEncoder().fit({"x": x}).feature_names == ("x",)


def test_many_categories_as_codes():
    values = [f"v{i}" for i in range(40) for _ in range(40 - i)] + [None] * 5
    table = {"few": ["a", "b", "c"] * 275, "many": values, "x": RNG.normal(size=825)}
    encoder = TableEncoder(embed=True).fit(table)
    assert encoder.feature_names == ("few=a", "few=b", "few=c", "many", "x")
    assert encoder.cardinalities == {3: 40}  # v0 to v37, the rarer ones, and missing values
    assert encoder.numbers == (4,)
    codes = encoder.columns[1].encoding
    assert isinstance(codes, Codes)
    matrix = encoder.transform({"few": ["a"] * 5, "many": ["v0", "v37", "v39", "new", None], "x": [0] * 5})
    assert matrix[:, 3].tolist() == [0, codes.categories.index("v37"), 38, 38, 39]
    copy = TableEncoder.from_config(json.loads(json.dumps(encoder.to_config())))
    np.testing.assert_array_equal(copy.transform(table), encoder.transform(table))
    without_gaps = TableEncoder(embed=True).fit({"many": values[:-5]})
    assert without_gaps.cardinalities == {0: 39}
    assert without_gaps.transform({"many": [None, "new"]}).tolist() == [[38], [38]]


def test_gaps_in_numbers_are_the_median_and_a_feature():
    encoder = TableEncoder()
    matrix = encoder.fit_transform({"x": [1.0, None, 2.0, 3.0, float("nan"), 4.0]})
    assert encoder.feature_names == ("x", "x is missing")
    np.testing.assert_array_equal(matrix[[1, 4], 0], 0)
    assert len(set(matrix[[1, 4], 1])) == 1
    assert matrix[0, 1] != matrix[1, 1]


def test_categories():
    encoder = TableEncoder()
    train = encoder.fit_transform({"c": list("aabbccc"), "two": list("xyxyxyx")})
    assert encoder.feature_names == ("c=a", "c=b", "c=c", "two=y")
    other = encoder.transform({"c": ["a", "new", None], "two": ["x", "z", None]})
    np.testing.assert_array_equal(other[0], train[0])
    np.testing.assert_array_equal(other[1, :3], other[2, :3])  # neither is any of the categories
    assert train[0, 3] < other[1, 3] < train[1, 3]  # half-way between two categories
    assert other[1, 3] == other[2, 3]


def test_rare_and_unseen_categories_share_a_feature():
    values = [f"v{i}" for i in range(10) for _ in range(20 - i)]
    encoder = TableEncoder(max_one_hot=4)
    train = encoder.fit_transform({"c": values})
    assert encoder.feature_names == ("c=v0", "c=v1", "c=v2", "c: other")
    np.testing.assert_array_equal(encoder.transform({"c": ["v9", "unseen"]}), train[[-1, -1]])


def test_dates_in_text_and_as_objects():
    texts = ["2024-02-29", "2023-12-31 18:30", "2024-07-01T06:00:00.5Z", None]
    times = [
        datetime.date(2024, 2, 29),
        datetime.datetime(2023, 12, 31, 18, 30),
        datetime.datetime(2024, 7, 1, 6, 0, 0, 500000),
        None,
    ]
    zone = datetime.timezone(datetime.timedelta(hours=2))
    zoned = [
        None if t is None else datetime.datetime(t.year, t.month, t.day, tzinfo=datetime.UTC).astimezone(zone)
        for t in times
    ]
    encoder = TableEncoder()
    expected = encoder.fit_transform({"t": texts})
    assert encoder.kinds == {"t": "date"}
    np.testing.assert_array_equal(
        encoder.transform({"t": np.array([str(t) if t else "NaT" for t in times], "datetime64[us]")}), expected
    )
    np.testing.assert_array_equal(encoder.transform({"t": zoned})[0], expected[0])
    assert TableEncoder().fit({"t": ["2024-13-01", "2024-01-01", "2024-01-01"]}).kinds == {"t": "category"}


def test_parts_of_dates():
    days = np.arange("2019-01-01", "2021-01-01", dtype="datetime64[D]")
    encoder = TableEncoder(kinds={"t": "date"}).fit({"t": days})
    assert encoder.feature_names == (
        "t",
        *(f"t: {part} of the {p}" for p in ("year", "week") for part in ("sine", "cosine")),
    )
    raw = encoder.columns[0].encoding.encode(
        *_values(np.array(["2019-01-01", "2019-01-07", "2019-07-03"], "datetime64[D]"))
    )
    np.testing.assert_allclose(raw[0, 1:3], [0, 1], atol=1e-12)
    np.testing.assert_allclose(raw[1, 3:], [0, 1], atol=1e-12)  # a Monday
    np.testing.assert_allclose(raw[2, 1:3], [0, -1], atol=1e-12)  # day 183 of 366


def _values(column):
    return read_values(column, "t"), "t"
