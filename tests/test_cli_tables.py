"""The command line on tables: what it decides, says, learns and predicts."""

import csv
import re
import sys

import numpy as np
import pytest

import fastgd as gd
from fastgd import cli

pl = pytest.importorskip("polars")


def write(path, **columns):
    """A CSV file of these columns."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Three classes that two columns of very different scales determine."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, 300)
    large, small = 1e6 * kind + random.normal(2e7, 2e5, 300), 1e-4 * (kind == 1) + random.normal(0, 1e-5, 300)
    names = np.array(["rose", 'tu"lip', "pop, py"])[kind]
    folder = tmp_path_factory.mktemp("csv")
    return write(folder / "flowers.csv", large=large, kind=names, small=small, constant=[0.1] * 300)


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    random = np.random.default_rng(1)
    area, year = random.uniform(40, 200, 400), random.integers(1900, 2020, 400)
    price = 3000.0 * area + 500 * (year - 1900) + random.normal(0, 5000, 400)
    return write(tmp_path_factory.mktemp("csv") / "houses.csv", area=area, year=year, price=price)


@pytest.fixture
def fastgd(tmp_path, monkeypatch, capsys):
    """fastgd(*arguments): (exit status, stdout with its lines unwrapped, stderr), run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # pictures take time: see tests/test_cli.py

    def call(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        out, error = capsys.readouterr()
        assert "Traceback" not in error
        return status, out.replace("\n    ", " "), error

    return call


@pytest.fixture
def train(fastgd):
    """train(*arguments): what it reports, and what it warns of; it must succeed."""

    def call(*arguments):
        status, out, error = fastgd("train", *arguments)
        assert status == 0, error
        return out, "\n".join(line for line in error.splitlines() if line.startswith("fastgd: "))

    return call


@pytest.fixture
def predict(fastgd):
    """predict(file, *options): the lines that the model in the folder predicts, and notes; it must succeed."""

    def call(*arguments):
        status, out, error = fastgd("predict", "fastgd-model.npz", *arguments)
        assert status == 0, error
        return [row[0] for row in csv.reader(out.splitlines())], error

    return call


@pytest.fixture
def refuses(fastgd, tmp_path):
    """refuses(words, *arguments): one line on stderr, nothing on stdout, status 2, and no file written."""

    def check(words, *arguments):
        files = sorted(tmp_path.rglob("*"))
        status, out, error = fastgd(*arguments)
        assert (status, out, sorted(tmp_path.rglob("*"))) == (2, "", files)
        assert re.fullmatch(rf"fastgd: error: .*{words}.*\n", error), error

    return check


def test_classification(train, predict, flowers):
    out, warnings = train(flowers, "--target", "kind")
    assert out.startswith("flowers.csv: 300 rows, 240 for training and 60 for validation\n")
    assert "target: 'kind', 3 classes (pop, py, rose, tu\"lip), since the values are text\n" in out
    assert "features: 3 columns: 'large', 'small', 'constant'\n" in out
    assert "column" not in warnings
    assert float(re.search(r"validation accuracy ([\d.]+)%", out)[1]) > 95
    model = gd.load("fastgd-model.npz")
    assert model.head.classes.tolist() == ["pop, py", "rose", 'tu"lip']
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
    assert 4000 < float(re.search(r"\(RMSE\) (\d+)", out)[1]) < 10000
    lines, _ = predict(houses, "--target", "price")
    truth = [float(line.split(",")[2]) for line in houses.read_text().split()[1:]]
    assert np.corrcoef(list(map(float, lines[1:])), truth)[0, 1] > 0.99


@pytest.mark.parametrize("loss", ["poisson", "gamma", "huber", "mae", "log_cosh"])
def test_regression_losses(train, predict, tmp_path, loss):
    """A loss implies the task, whatever the target looks like; counts are not scaled."""
    x = np.arange(200) % 20
    file = write(tmp_path / "t.csv", x=x, count=1 + x // 4)
    out, _ = train(file, "--target", "count", "--loss", loss, "--lr", 0.01, "--epochs", 40, "--hidden", 16)
    assert "target: 'count', a regression\n" in out
    lines, _ = predict(file, "--target", "count")
    assert abs(np.array(lines[1:], float) - 1 - x // 4).mean() < 0.5


def test_linear_model_on_all_rows(train, houses):
    out, _ = train(houses, "--target", "price", "--hidden", 0, "--validation", 0, "--lr", 0.05)
    assert "400 for training and 0 for validation" in out
    assert "training R2 0.99" in out
    weight = gd.load("fastgd-model.npz").fold_standardization().parameters()["0.weight"].ravel()
    assert weight == pytest.approx([3000, 500], rel=0.05)


# -- What a target is

CLASSES, NUMBERS = r"target: 'y', {} classes \({}.*\)", "target: 'y', a regression"
TARGETS = {
    "text": (["u", "v"] * 20, "auto", CLASSES.format(2, "u, v")),
    "leading zeros": (["01", "1"] * 20, "auto", CLASSES.format(2, "01, 1")),
    "truth values": ([True, False] * 20, "auto", CLASSES.format(2, "False, True")),
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
    "NA in numbers": ([*range(100, 120), "NA"], "auto", r"missing values in the target 'y': 'NA' in line 22; remove"),
    "? in numbers": (["?", *range(100, 120)], "regression", r"missing values in the target 'y': '\?' in line 2;"),
    "NA in text": (["u", "v", "NA"] * 7, "auto", r"'NA' in line 4, 7, 10, and 4 more; remove these rows"),
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
        r"a regression needs numbers: t\.csv, line 3, column 'y': 'x' is not",
    ),
    "text, told": (["u", "v"], "regression", r"a regression needs numbers: column 'y' has 'u'"),
    "identifiers": (
        [f"n{i}" for i in range(30)],
        "auto",
        "30 different texts in 30 rows, as an identifier has; if they",
    ),
    "nearly identifiers": (["Li", *"abcdefghi", "Li"], "auto", "10 different texts in 11 rows"),
    "codes": ([f"{i:03}" for i in range(30)], "auto", "30 different texts in 30 rows"),
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
    assert "features: 1 column: 'a'\n" in out
    assert "column 1 of t.csv is taken for an index, as pandas writes it, and is not a feature" in warnings
    assert float(re.search(r"validation accuracy ([\d.]+)%", out)[1]) < 80
    columns["Unnamed: 0"] = columns.pop("")
    _, warnings = train(write(tmp_path / "t.csv", **dict(sorted(columns.items()))), "--target", "y", "--epochs", 1)
    assert "column 'Unnamed: 0' of t.csv is taken for an index" in warnings


def test_identifiers_are_warned_of_and_dropped(train, refuses, tmp_path):
    columns = {"id no": [7 * i + 3 for i in range(40)], "name": [f"n{i}" for i in range(40)], "a": [1, 2.5] * 20}
    file = write(tmp_path / "t.csv", **columns, y=["u", "v"] * 20)
    refuses("has text in column 'name' .*; to leave out this column: --drop name", "train", file, "--target", "y")
    out, warnings = train(file, "--target", "y", "--drop", "name", "--epochs", 1)
    assert "features: 2 columns: 'id no', 'a'\nleft out: 'name'\n" in out
    assert "'id no' has a different integer in every row; if it is an identifier: --drop 'id no'" in warnings
    out, warnings = train(file, "--target", "y", "--drop", "name", "--drop", "id no", "--epochs", 1)
    assert "features: 1 column: 'a'\nleft out: 'name', 'id no'\n" in out
    assert "identifier" not in warnings


BAD_FILES = {
    "no number": ("a,y\n1,2\nx,3\n", r"t\.csv, line 3, column 'a': 'x' is not a number; to leave out .*: --drop a"),
    "missing": ("a b,y\n1,2\n,3\n", r"column 'a b' \(empty in line 3\).*; to leave out .*: --drop 'a b'"),
    "overflow": ("a,y\n" + "1e308,0.5\n-1e308,1.5\n" * 5, "column 'a' has values beyond 1e150"),
    "overflow of y": ("a,y\n" + "0.5,1e308\n1.5,-1e308\n1,0.5\n" * 5, "column 'y' has values beyond 1e150"),
    "two rows": ("a,y\n1,0.5\n2,1.5\n", "--validation 0.2 of 2 rows leaves no validation rows"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(refuses, tmp_path, case):
    """More of them: tests/test_tables.py."""
    text, words = BAD_FILES[case]
    (tmp_path / "t.csv").write_text(text)
    refuses(words, "train", "t.csv", "--target", "y")


def test_missing_values_are_what_the_user_says(train, refuses, tmp_path):
    file = write(tmp_path / "t.csv", a=[1, -999] * 10, y=["NA", "US"] * 10)
    refuses("'NA' in line 2, 4, 6, and 7 more", "train", file, "--target", "y")
    out, _ = train(file, "--target", "y", "--epochs", 1, "--missing", "")
    assert "2 classes (NA, US)" in out
    refuses("'-999' in line 3, 5", "train", file, "--target", "y", "--missing=-999,none")


def test_how_a_file_was_read(train, tmp_path):
    (tmp_path / "t.csv").write_text("a;y\n" + "1,5;u\n2,5;v\n" * 10)
    assert (
        "; values separated by semicolons, with decimal commas\n" in train("t.csv", "--target", "y", "--epochs", 1)[0]
    )


def test_advice_is_a_line(train, tmp_path):
    """Python would show where in fastgd a warning comes from."""
    file = write(tmp_path / "t.csv", a=[1, 2] * 20, y=["u", "v"] * 20)
    _, warnings = train(file, "--target", "y", "--epochs", 1)
    assert re.search("^fastgd: warning: 8 of 8 validation rows are training rows too: .*", warnings, re.MULTILINE)
    assert train(file, "--target", "y", "--epochs", 1, "--quiet") == ("", "")


# -- Predictions


@pytest.fixture
def trained(train, flowers):
    """A model of kinds of flowers, and the columns of the file."""
    train(flowers, "--target", "kind", "--epochs", 5)
    names, *rows = csv.reader(flowers.read_text().splitlines())
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def test_columns_are_matched_by_name(predict, trained, flowers, tmp_path):
    """In another order, with an index, and without the target or with gaps in it."""
    assert gd.load("fastgd-model.npz").feature_names_in_.tolist() == ["large", "small", "constant"]
    expected, notes = predict(flowers)
    assert (expected[0], len(expected)) == ("prediction", 301)
    assert "fastgd: note: flowers.csv has columns that fastgd-model.npz does not take: 'kind'\n" in notes
    features = {name: trained[name] for name in ("small", "constant", "large")}
    others = {"": range(300), "id": [f"n{i}" for i in range(300)], "kind": ["NA"] * 300}
    for columns in (features, others | features, {"Unnamed: 0": range(300)} | features):
        lines, notes = predict(write(tmp_path / "t.csv", **columns))
        assert lines == expected
        assert ("note" in notes) == ("id" in columns)
    assert "'id'" not in predict(write(tmp_path / "t.csv", **features), "--target", "kind")[1]
    frame = pl.DataFrame({name: list(map(float, values)) for name, values in features.items()})
    assert gd.load("fastgd-model.npz").predict(frame).tolist() == expected[1:]


def test_columns_that_do_not_match(refuses, trained, tmp_path):
    del trained["kind"]
    for name, other in [("small", "Small"), ("large", "big")]:
        renamed = {other if old == name else old: values for old, values in trained.items()}
        words = f"t.csv lacks '{name}', which the model was trained on" + (
            "; did you mean 'Small'?" * (name == "small")
        )
        refuses(re.escape(words), "predict", "fastgd-model.npz", write(tmp_path / "t.csv", **renamed))
    for value, words in [
        ("?", r"missing values in column 'small' \('\?' in line 2\)"),
        ("low", "'low' is not a number"),
    ]:
        file = write(tmp_path / "t.csv", **trained | {"small": [value, *trained["small"][1:]]})
        refuses(words, "predict", "fastgd-model.npz", file)


def test_a_model_without_names(predict, refuses, houses, tmp_path):
    gd.MLP(2, 1, seed=0).save(tmp_path / "fastgd-model.npz")
    hint = "exclude the target with --target COLUMN"
    refuses(f"model.npz takes 2 columns, but houses.csv has 3; {hint}", "predict", "fastgd-model.npz", houses)
    lines, notes = predict(houses, "--target", "price")
    assert (lines[0], len(lines)) == ("price", 401)
    assert (
        "fastgd: note: fastgd-model.npz has no names of columns: those of houses.csv are taken in their order" in notes
    )


def test_several_outputs(fastgd, houses, tmp_path):
    gd.MLP(3, 2, seed=0).save(tmp_path / "m.npz")
    _, out, _ = fastgd("predict", "m.npz", houses)
    assert re.match(r"prediction_0,prediction_1\n[-\d.e]{1,14},[-\d.e]{1,14}\n", out)  # float32 needs 9 digits
    assert np.loadtxt(out.splitlines(), delimiter=",", skiprows=1).shape == (400, 2)
