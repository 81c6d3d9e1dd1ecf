"""The command line on tables: what it decides, says and learns; tests/test_cli_predict.py has what it does then."""

import csv
import re

import numpy as np
import pytest
from commands import write

from fastgd.tables import TableModel

pytest.importorskip("polars")


def test_classification(train, predict, flowers):
    out, warnings = train(flowers, "--target", "kind")
    assert out.startswith("flowers.csv: 300 rows, 240 for training and 60 for validation\n")
    assert "target: 'kind', 3 classes (pop, py, rose, tu\"lip), since the values are text\n" in out
    assert "features: 2 columns, encoded as 2 numbers: 'large', 'small'\n" in out
    assert warnings == "fastgd: note: column 'constant' has only one value and is left out"
    assert float(re.search(r"validation accuracy ([\d.]+)%", out)[1]) > 95
    model = TableModel.load("fastgd-model.npz")
    assert model.classes.tolist() == ["pop, py", "rose", 'tu"lip']
    lines, _ = predict(flowers, "--target", "kind")
    truth = [row[1] for row in csv.reader(flowers.read_text().splitlines())]
    assert lines[0] == "kind"
    assert np.mean([a == b for a, b in zip(lines, truth, strict=True)]) > 0.95


def test_regression(train, predict, houses):
    options = ("--epochs", 60, "--hidden", "32", "--lr", 0.01, "--optimizer", "adamw", "--activation", "tanh")
    out, _ = train(houses, "--target", "price", *options)
    assert "target: 'price', a regression, since there are 400 different numbers" in out
    # the noise has a standard deviation of 5,000, so no model does better
    assert float(re.search(r"validation R2 ([\d.]+), typical error \(RMSE\)", out)[1]) > 0.99
    assert 4000 < float(re.search(r"\(RMSE\) ([\d,.]+),", out)[1].replace(",", "")) < 10000
    lines, _ = predict(houses, "--target", "price")
    truth = [float(line.split(",")[2]) for line in houses.read_text().split()[1:]]
    assert np.corrcoef(list(map(float, lines[1:])), truth)[0, 1] > 0.99


@pytest.mark.parametrize("loss", ["poisson", "gamma", "huber", "mae", "log_cosh"])
def test_regression_losses(train, predict, tmp_path, loss):
    """A loss implies the task, whatever the target looks like; counts are not scaled."""
    x = np.arange(200) % 20
    file = write(tmp_path / "t.csv", x=x, count=1 + x // 4)
    out, _ = train(
        file, "--target", "count", "--loss", loss, "--lr", 0.01, "--epochs", 40, "--hidden", 16, "--batch-size", 16
    )
    assert "target: 'count', a regression\n" in out
    lines, _ = predict(file, "--target", "count")
    assert abs(np.array(lines[1:], float) - 1 - x // 4).mean() < 0.5


def test_linear_model_on_all_rows(train, houses):
    out, _ = train(houses, "--target", "price", "--hidden", 0, "--valid", 0, "--lr", 0.05, "--batch-size", 32)
    assert "400 for training and 0 for validation" in out
    assert "training R2 0.99" in out
    assert "network: 2-1, 3 parameters" in out
    assert [layer.n_out for layer in TableModel.load("fastgd-model.npz").members[0].layers] == [1]


# -- What a target is

CLASSES, NUMBERS = r"target: 'y', {} classes \({}.*\)", "target: 'y', a regression"
TARGETS = {
    "text": (["u", "v"] * 20, "auto", CLASSES.format(2, "u, v")),
    "leading zeros": (["01", "1"] * 20, "auto", CLASSES.format(2, "01, 1")),
    "booleans": ([True, False] * 20, "auto", CLASSES.format(2, "False, True")),
    "few integers": ([3, 4, 5, 6] * 10, "auto", CLASSES.format(4, "3, 4, 5, 6")),
    "few integers with points": (["3.0", "4.0"] * 20, "auto", CLASSES.format(2, "3.0, 4.0")),
    "few integers, told": ([3, 4, 5, 6] * 10, "regression", NUMBERS),
    "0 and 1": (["0.0", "1.0"] * 20, "auto", CLASSES.format(2, "0.0, 1.0")),
    "0 and 1, told": (["0.0", "1.0"] * 20, "regression", NUMBERS),
    "0 and 1, few rows": ([0, 1, 0, 1, 1, 0, 0, 1], "auto", CLASSES.format(2, "0, 1")),
    "large integers": ([2**62, 2**62 + 1] * 20, "auto", CLASSES.format(2, f"{2**62}, {2**62 + 1}")),
    "larger integers": ([2**63, 2**63 + 1] * 20, "auto", CLASSES.format(2, f"{2**63}, {2**63 + 1}")),
    "many integers": ([i * i for i in range(40)], "auto", NUMBERS),
    "many integers, told": ([i % 21 for i in range(42)], "classification", CLASSES.format(21, "0, 1")),
    "two fractions": ([0.5, 1.5] * 20, "auto", NUMBERS),
    "fractions, told": ([0.5, 1.5] * 20, "classification", CLASSES.format(2, "0.5, 1.5")),
    "ranges": (["0", "1", "2+"] * 14, "auto", CLASSES.format(3, r"0, 1, 2\+")),
    "names, told": ([f"n{i}" for i in range(10)], "classification", CLASSES.format(10, "n0, n1")),
    "counter, told": (list(range(40)), "regression", NUMBERS),
}


@pytest.mark.parametrize("case", TARGETS)
def test_what_a_target_is_taken_for(train, predict, tmp_path, case):
    values, task, words = TARGETS[case]
    file = write(tmp_path / "t.csv", a=[i % 7 / 2 for i in range(len(values))], y=values)
    out, _ = train(file, "--target", "y", "--task", task, "--epochs", 1)
    assert re.search(rf"^{words}", out, re.MULTILINE), out
    assert ("since" in out) == (task == "auto")
    predicted = set(predict(file, "--target", "y")[0][1:])
    assert words == NUMBERS or predicted <= set(map(str, values))


BAD_TARGETS = {
    "no values": (["NA", ""] * 10, "auto", "column 'y' of t.csv has no values: nothing to learn from"),
    "text in numbers": (
        [0.5, "x", *range(100, 140)],
        "auto",
        r"line 3, column 'y': 'x' is not a number; if the values",
    ),
    "separators": (
        ["1,000", *range(100, 140)],
        "auto",
        r"line 2, column 'y': '1,000' has thousands separators; remove",
    ),
    "underscore": (["12_34", *range(100, 140)], "auto", r"'12_34' is not a number; if the values are classes: --task"),
    "stray, told": (
        [0.5, "x", 1.5],
        "regression",
        r"a regression needs numbers: t\.csv, row 2, column 'y': 'x' is not",
    ),
    "text, told": (["u", "v"], "regression", r"a regression needs numbers: column 'y' has 'u'"),
    "identifiers": (
        [f"n{i}" for i in range(30)],
        "auto",
        "30 different strings in 30 rows, like an identifier; if they",
    ),
    "nearly identifiers": (["Li", *"abcdefghi", "Li"], "auto", "10 different strings in 11 rows"),
    "codes": ([f"{i:03}" for i in range(30)], "auto", "30 different strings in 30 rows"),
    "counter": (range(5, 45), "auto", "column 'y' counts the rows from 5 to 44, .*--task regression"),
    "shuffled counter": ([*range(20, 40), *range(20)], "auto", "column 'y' counts the rows from 0 to 39"),
    "one text": (["u"] * 9, "auto", "column 'y' has the value 'u' in every row: there is nothing to learn"),
    "one number": ([2.5] * 9, "regression", "column 'y' has the value 2.5 in every row"),
    "negative counts": ([-1, 2] * 20, "regression --loss poisson", r"y must be in \[0, inf\)"),
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_bad_targets(refuses, tmp_path, case):
    values, task, words = BAD_TARGETS[case]
    file = write(tmp_path / "t.csv", a=[i % 7 / 2 for i in range(len(values))], y=values)
    refuses(words, "train", file, "--target", "y", "--quiet", "--task", *task.split())


# -- What is a feature


def test_an_index_is_no_feature(train, tmp_path):
    """The rows are sorted by the target: their numbers would determine it."""
    n = 100
    columns = {"": range(n), "a": [i % 7 for i in range(n)], "y": ["u"] * (n // 2) + ["v"] * (n // 2)}
    out, warnings = train(write(tmp_path / "t.csv", **columns), "--target", "y", "--epochs", 30)
    assert "features: 1 column, encoded as 1 numbers: 'a'\n" in out
    assert "the first column, which has no name, is taken for an index and is left out" in warnings
    assert float(re.search(r"validation accuracy ([\d.]+)%", out)[1]) < 80
    columns["Unnamed: 0"] = columns.pop("")
    _, warnings = train(write(tmp_path / "t.csv", **dict(sorted(columns.items()))), "--target", "y", "--epochs", 1)
    assert "column 'Unnamed: 0' is taken for an index" in warnings


def test_identifiers_are_warned_of(train, tmp_path):
    counter, other = range(40), np.random.default_rng(0).permutation(40) * 7
    columns = {"id no": counter, "code": other, "name": [f"n{i}" for i in range(40)], "a": [1, 2.5] * 20}
    columns["note"] = [f"see page {i}" for i in range(40)]
    file = write(tmp_path / "t.csv", **columns, y=["u", "v"] * 20)
    out, warnings = train(file, "--target", "y", "--epochs", 1)
    assert "features: 2 columns, encoded as 2 numbers: 'code', 'a'\n" in out
    for words in (
        "'id no' counts the rows and is left out as an identifier; to use it anyway: --kind 'id no=number'",
        "'code' has a different integer in almost every row, as an identifier has; if it is an identifier: --drop code",
        "'name' has 40 different strings in 40 rows and is left out as an identifier; .*: --kind name=category",
        "'note' has 40 different strings in 40 rows and is left out as free text; .*: --kind note=category",
        "'a' determines the target in every row, so the scores will be too good to be true; .*: --drop a",
    ):
        assert re.search(f"^fastgd: warning: column {words}$", warnings, re.MULTILINE), warnings
    out, warnings = train(
        file, "--target", "y", "--drop", "name", "--drop", "code", "--kind", "id no=number", "--epochs", 1
    )
    assert "numbers: 'id no', 'a'\nleft out: 'name', 'code'\n" in out
    assert "id no" not in warnings
    assert train(file, "--target", "y", "--drop", "name", "--quiet", "--epochs", 1) == ("", "")


def test_columns_of_every_kind(train, predict, tmp_path):
    n, random = 200, np.random.default_rng(0)
    size = [None if i % 10 == 0 else round(float(x), 3) for i, x in enumerate(random.normal(size=n))]
    columns = {
        "size": size,
        "zip": [f"{x:05}" for x in random.integers(0, 9, n)],
        "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(n)],
        "new": ["true", "false"] * (n // 2),
        "grade": random.integers(1, 4, n),
        "empty": [None] * n,
    }
    y = [None if i % 50 == 7 else "small" if (s or 0) < 0 else "large" for i, s in enumerate(size)]
    file = write(tmp_path / "t.csv", **columns, y=y)
    out, warnings = train(file, "--target", "y", "--kind", "grade=category", "--epochs", 60, "--hidden", 32)
    assert "4 rows of t.csv without a value of 'y' are left out" in warnings
    assert "column 'empty' has no values and is left out" in warnings
    assert "t.csv: 196 rows" in out
    for words in ("numbers: 'size'", "categories: 'zip', 'grade'", "dates: 'day'", "yes or no: 'new'"):
        assert words in out
    assert float(re.search(r"validation accuracy ([\d.]+)%", out)[1]) > 85
    lines, notes = predict(file)
    assert len(lines) == n + 1
    assert set(lines[1:]) == {"small", "large"}
    assert "note" not in notes
    unseen = {name: values[:3] for name, values in columns.items()} | {"zip": ["99999", "", "00001"]}
    assert len(predict(write(tmp_path / "new.csv", **unseen))[0]) == 4


BAD_FILES = {
    "no number": ("a,y\n" + "1,2\n" * 20 + "x,3\n", r"t\.csv, line 22, column 'a': 'x' is not a number; .*: --drop a"),
    "quoted": ("a b,y\n" + "1,2\n" * 20 + "x,3\n", "to leave out this column: --drop 'a b'"),
    "overflow": ("a,y\n" + "1e308,0.5\n-1e308,1.5\n" * 5, "t.csv: column 'a' must hold finite numbers"),
    "overflow of y": ("a,y\n" + "0.5,1e308\n1.5,-1e308\n1,0.5\n" * 5, r"column 'y' has values beyond 1e\+150"),
    "two rows": ("a,y\n1,0.5\n2,1.5\n", "--valid 0.2 of 2 rows leaves no validation rows"),
    "only a target": ("y\n1\n2\n", "t.csv has no columns besides the target"),
    "nothing to learn from": ("a,y\n" + "1,2\n1,3\n" * 10, "no column to learn from: 'a' has only one value"),
    "too many values": ("a,y\n1,2\n1,2,3\n", "t.csv, line 3: 3 values where the header has 2"),
    "no such column": ("a,z\n1,2\n", "t.csv has no column 'y', only 'a', 'z'"),
    "empty": ("", "t.csv is empty"),
    "binary": ("a,y\n1,\0\n", "t.csv is not text"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(refuses, tmp_path, case):
    """More of them: tests/test_tables.py."""
    text, words = BAD_FILES[case]
    (tmp_path / "t.csv").write_text(text)
    refuses(words, "train", "t.csv", "--target", "y", "--quiet")


REFUSED_OPTIONS = {
    "drop": (["--drop", "B"], "t.csv has no column 'B', only 'a', 'b', 'y'; did you mean 'b'"),
    "kind": (["--kind", "c=number"], "t.csv has no column 'c'"),
    "drop of all": (["--drop", "a", "--drop", "b"], "no columns are left to predict from: drop fewer"),
    "class weights of numbers": (["--task", "regression", "--class-weight", "balanced"], "--class-weight balanced is"),
    "no validation file": (["--valid", "no.csv"], "no.csv: No such file or directory"),
    "metric of classes": (["--metric", "r2"], "the metric 'r2' cannot be measured here: y_true must hold numbers"),
}


@pytest.mark.parametrize("case", REFUSED_OPTIONS)
def test_refused_options(refuses, tmp_path, case):
    options, words = REFUSED_OPTIONS[case]
    file = write(tmp_path / "t.csv", a=[1, 2, 3, 4] * 10, b=[1, 1, 2, 3, 5] * 8, y=["u", "v", "v", "u"] * 10)
    if case == "class weights of numbers":
        file = write(tmp_path / "t.csv", a=[1, 2, 3, 4] * 10, y=[1.5, 2, 3.5, 4] * 10)
    refuses(words, "train", file, "--target", "y", "--quiet", *options)


def test_missing_values_are_what_the_user_says(train, fastgd, tmp_path):
    file = write(tmp_path / "t.csv", a=[1, 2, -999, 3] * 10, y=["NA", "US"] * 20)
    out, _ = train(file, "--target", "y", "--epochs", 20, "--missing=-999")
    assert "2 classes (NA, US)" in out
    assert "encoded as 2" in out  # the value, and whether it is missing
    first, second, other = (
        fastgd("predict", "fastgd-model.npz", file, "--proba", *options)[1]
        for options in ([], ["--missing=-999"], ["--missing", ""])
    )
    assert first == second != other  # the default is that of the training


def test_decimal_commas(train, tmp_path):
    (tmp_path / "t.csv").write_text("a;y\n" + "1,5;u\n2,5;v\n" * 10)
    assert "numbers: 'a'" in train("t.csv", "--target", "y", "--epochs", 1)[0]


def test_advice_is_a_line(train, tmp_path):
    """Python would show where in fastgd a warning comes from."""
    file = write(tmp_path / "t.csv", a=[1, 2] * 20, y=["u", "v"] * 20)
    _, warnings = train(file, "--target", "y", "--epochs", 1)
    assert re.search("^fastgd: warning: 8 of 8 validation rows are training rows too: .*", warnings, re.MULTILINE)
    assert train(file, "--target", "y", "--epochs", 1, "--quiet") == ("", "")
