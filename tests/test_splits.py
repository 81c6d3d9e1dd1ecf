"""Splits by columns of any kind: every row has a value, and no kind fails raw."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from training import problem

import fastgd as gd
from fastgd.data.outputs import OutputSpec
from fastgd.data.splits import Split

N = 100
SPEC = OutputSpec("identity")
RANK = np.random.default_rng(0).permutation(N)


def held_out(split, n=N):
    return split.rows(np.zeros((n, 1)), SPEC, 0)[1]


TIMES = {
    "integers": RANK,
    "floats": RANK / 7,
    "datetime64": np.datetime64("2020-01-01") + RANK,
    "timedelta64": RANK.astype("m8[s]"),
    "text": [f"2020-{rank // 28 + 1:02}-{rank % 28 + 1:02}" for rank in RANK],
    "objects": [datetime(2020, 1, 1) + timedelta(days=int(rank)) for rank in RANK],
    "decimals": [Decimal(int(rank)) / 3 for rank in RANK],
}


@pytest.mark.parametrize("case", TIMES)
def test_the_future_is_held_out(case):
    np.testing.assert_array_equal(held_out(Split(0.3, time=TIMES[case])), np.sort(np.argsort(RANK)[70:]))


def test_times_of_pandas_with_a_zone():
    pandas = pytest.importorskip("pandas")
    times = pandas.Series(pandas.date_range("2020", periods=N, tz="Europe/Berlin"))
    np.testing.assert_array_equal(held_out(Split(0.3, time=times)), np.arange(70, 100))
    times[5] = None
    with pytest.raises(ValueError, match=r"time has no value in 1 of 100 rows, the first of which is row 5 \(NaT\)"):
        Split(0.3, time=times)


def with_gaps(values, gap):
    values = np.array(values, object) if gap is None else np.array(values)
    values[[3, 8]] = gap
    return values


@pytest.mark.parametrize("name", ["time", "groups", "stratify"])
@pytest.mark.parametrize("column", [
    with_gaps(RANK.astype(float), np.nan),
    with_gaps(TIMES["datetime64"], np.datetime64("NaT")),
    with_gaps(TIMES["timedelta64"], np.timedelta64("NaT")),
    with_gaps(TIMES["text"], None),
    with_gaps(TIMES["objects"], None),
], ids=["NaN", "NaT", "NaT of durations", "None among text", "None among dates"])  # fmt: skip
def test_rows_without_a_value_are_named(name, column):
    with pytest.raises(ValueError, match=rf"^{name} has no value in 2 of 100 rows, the first of which is row 3 "):
        Split(0.3, **{name: column})


BAD = {
    "a name": ({"time": "date"}, TypeError, r"time must be True, False or an array \(rows,\), not 'date'"),
    "a name of groups": ({"groups": "patient"}, TypeError, r"groups must be an array \(rows,\), not 'patient'"),
    "a number": ({"stratify": 1}, TypeError, r"stratify must be True, False or an array \(rows,\), not 1"),
    "None": ({"stratify": None}, TypeError, "stratify must be True, False or an array"),
    "times of two kinds": ({"time": ["a", 1]}, TypeError, "the values of time must have an order"),
    "two columns": ({"groups": np.zeros((3, 2))}, ValueError, r"groups must have shape \(rows,\), not \(3, 2\)"),
    "two of them": ({"stratify": [1, 2], "time": True}, ValueError, "give only one of stratify, groups and time"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    options, error, words = BAD[case]
    with pytest.raises(error, match=words):
        Split(0.2, **options)


@pytest.mark.parametrize("kind", [list, np.array, lambda y: np.array(y, object)], ids=["list", "array", "objects"])
def test_stratify_takes_an_array_as_scikit_learn_does(kind):
    labels = ["rare" if i % 10 == 0 else "common" for i in range(N)]
    rest = held_out(Split(0.3, stratify=kind(labels)))
    assert len(rest) == 30
    assert sum(labels[row] == "rare" for row in rest) == 3


def test_stratify_by_y_itself():
    X, y, _ = problem()
    trainers = [gd.Trainer(gd.MLP(4, 3, seed=0), loss="cross_entropy") for _ in range(2)]
    for trainer, stratify in zip(trainers, (True, y), strict=True):
        trainer.fit(X, y, epochs=1, validation=Split(0.3, stratify=stratify), verbose=0)
    np.testing.assert_array_equal(trainers[0].model.theta, trainers[1].model.theta)
    bins = np.digitize(X[:, 0], [-1, 1])  # of a regression, which has no classes of its own
    gd.Trainer(gd.MLP(4, 1, seed=0), loss="mse").fit(X, X[:, 0], 1, validation=Split(0.3, stratify=bins), verbose=0)
    with pytest.raises(ValueError, match="stratify must have one value per row of X, 50, not 49"):
        trainers[0].fit(X, y, epochs=1, validation=Split(0.3, stratify=y[1:]), verbose=0)


def test_groups_of_mixed_kinds():
    groups = [(i % 7 if i % 2 else f"g{i % 7}") for i in range(N)]
    rest = set(held_out(Split(0.3, groups=groups)))
    assert not {groups[i] for i in rest} & {groups[i] for i in range(N) if i not in rest}


def test_repr():
    assert repr(Split(0.2)) == "Split(0.2)"
    assert repr(Split(0.2, stratify=True)) == "Split(0.2, stratify=True)"
    assert repr(Split(0.25, groups=RANK)) == "Split(0.25, groups=...)"
