"""The commands that take a trained model: predict, evaluate, explain and info."""

import csv
import gzip
import io
import json
import re

import numpy as np
import pytest
from commands import write

import fastgd as gd
from fastgd import cli
from fastgd.cli import sources
from fastgd.tables import MISSING, TableModel

pl = pytest.importorskip("polars")


# -- Predictions


@pytest.fixture
def trained(train, flowers):
    """A model of kinds of flowers, and the columns of the file."""
    train(flowers, "--target", "kind", "--epochs", 5, "--hidden", 16)
    names, *rows = csv.reader(flowers.read_text().splitlines())
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def test_columns_are_matched_by_name(predict, trained, flowers, tmp_path):
    """In another order, with an index, and without the target or with gaps in it."""
    assert list(TableModel.load("fastgd-model.npz").encoder.kinds) == ["large", "small"]
    expected, notes = predict(flowers)
    assert (expected[0], len(expected)) == ("prediction", 301)
    assert notes == ""
    features = {name: trained[name] for name in ("small", "constant", "large")}
    others = {"": range(300), "id": [f"n{i}" for i in range(300)], "kind": ["NA"] * 300}
    for columns in (features, others | features, {"Unnamed: 0": range(300)} | features):
        lines, notes = predict(write(tmp_path / "t.csv", **columns))
        assert lines == expected
        assert ("t.csv has columns that fastgd-model.npz does not use: 'id'" in notes) == ("id" in columns)
    assert "'id'" not in predict(write(tmp_path / "t.csv", **others | features), "--target", "id")[1]
    frame = pl.DataFrame({name: list(map(float, values)) for name, values in features.items()})
    assert TableModel.load("fastgd-model.npz").predict(frame).tolist() == expected[1:]


def test_columns_that_do_not_match(refuses, trained, tmp_path):
    del trained["kind"]
    for name, other in [("small", "Small"), ("large", "big")]:
        renamed = {other if old == name else old: values for old, values in trained.items()}
        words = f"t.csv lacks '{name}', which the model was trained on" + " (did you mean 'Small'?)" * (name == "small")
        refuses(re.escape(words), "predict", "fastgd-model.npz", write(tmp_path / "t.csv", **renamed))
    file = write(tmp_path / "t.csv", **trained | {"small": ["low", *trained["small"][1:]]})
    refuses("t.csv, line 2, column 'small': 'low' is not a number", "predict", "fastgd-model.npz", file)
    file = write(tmp_path / "t.csv", **trained)
    refuses("t.csv has no column 'no'", "predict", "fastgd-model.npz", file, "--id", "no")
    refuses("no.csv: No such file or directory", "predict", "fastgd-model.npz", "no.csv")


def test_probabilities_and_identifiers(fastgd, trained, tmp_path):
    columns = {"code": [f"{i:04}" for i in range(300)], **trained}
    file = write(tmp_path / "t.csv", **columns)
    status, out, _ = fastgd("predict", "fastgd-model.npz", file, "--proba", "--id", "code", "--target", "guess")
    assert status == 0
    names, *rows = csv.reader(out.splitlines())
    assert names == ["code", "guess", "p(pop, py)", "p(rose)", 'p(tu"lip)']
    assert rows[7][0] == "0007"
    p = np.array([row[2:] for row in rows], float)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert [names[2 + i] for i in p.argmax(axis=1)] == [f"p({row[1]})" for row in rows]
    status, shown, _ = fastgd("predict", "fastgd-model.npz", file, "--proba", "--id", "code", "-o", "p.csv")
    assert (status, shown) == (0, "wrote p.csv, 300 predictions\n")
    assert (tmp_path / "p.csv").read_text().splitlines()[1:] == out.splitlines()[1:]


def test_tables_in_parts(fastgd, trained, flowers, tmp_path, monkeypatch):
    """Of any format; quoted line breaks do not end a part, and errors name the lines of the file."""
    rows = [f"row\n{i}" for i in range(300)]
    file = write(tmp_path / "t.csv", name=rows, **trained)
    pl.read_csv(file).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    expected = fastgd("predict", "fastgd-model.npz", file, "--id", "name")
    monkeypatch.setattr(sources, "_PART_BYTES", 1000)
    monkeypatch.setattr(sources, "_PART_ROWS", 70)
    assert len(list(sources.read_parts(file, MISSING))) > 10
    for name in ("t.csv", "t.csv.gz", "t.parquet"):
        status, out, _ = fastgd("predict", "fastgd-model.npz", name, "--id", "name")
        assert (status, out) == (0, expected[1])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert fastgd("predict", "fastgd-model.npz", "-", "--id", "name")[1] == expected[1]
    lines = flowers.read_text().splitlines()
    lines[250] = lines[250].replace("e", "e,e", 1)
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n")
    status, out, error = fastgd("predict", "fastgd-model.npz", "bad.csv", "-o", "no.csv")
    assert (status, out) == (2, "")
    assert re.search("bad.csv, line 251: ", error)
    assert not (tmp_path / "no.csv").exists()


def test_evaluate(fastgd, trained, flowers, houses, train):
    status, out, _ = fastgd("evaluate", "fastgd-model.npz", flowers)
    assert status == 0
    assert re.match(r"flowers.csv accuracy [\d.]+% of 300 rows, balanced [\d.]+%, log loss [\d.]+; ", out)
    assert "predicted as" in out
    assert max(map(len, out.splitlines())) <= 160  # unwrapped
    status, out, _ = fastgd("evaluate", "fastgd-model.npz", flowers, "--json", "--metric", "mse")
    assert status == 2  # mse of labels
    train(houses, "--target", "price", "--epochs", 40, "--batch-size", 32, "--hidden", 32)
    status, out, _ = fastgd("evaluate", "fastgd-model.npz", houses, "--json", "--metric", "mape")
    scores = json.loads(out)
    table = pl.read_csv(houses)
    predicted = TableModel.load("fastgd-model.npz").predict(table)
    assert scores["rmse"] == pytest.approx(gd.metrics.rmse(table["price"], predicted))
    assert scores["mae"] == pytest.approx(gd.metrics.mae(table["price"], predicted))
    assert scores["metrics"]["mape"] == pytest.approx(gd.metrics.mape(table["price"], predicted))


def test_evaluate_needs_known_classes(refuses, fastgd, trained, flowers, tmp_path):
    other = write(tmp_path / "t.csv", **trained | {"kind": ["daisy", *trained["kind"][1:]]})
    refuses(
        r"t.csv, row 1, column 'kind': the model knows no class 'daisy', only pop, py",
        "evaluate",
        "fastgd-model.npz",
        other,
    )
    del trained["kind"]
    refuses("t.csv has no column 'kind'", "evaluate", "fastgd-model.npz", write(tmp_path / "t.csv", **trained))


def test_explain(fastgd, trained, flowers):
    status, out, _ = fastgd("explain", "fastgd-model.npz", flowers, "--rows", 200)
    assert status == 0
    assert out.startswith("flowers.csv, 200 rows: accuracy ")
    assert re.search(r"^  large +0\.\d+ \+- ", out, re.MULTILINE)
    assert 'no picture: pip install "fastgd[plot]"' in out
    _, out, _ = fastgd("explain", "fastgd-model.npz", flowers, "--column", "small", "--json")
    found = json.loads(out)
    assert set(found["importances"]) == {"large", "small"}
    assert set(found["partial_dependence"]["small"]) == {"values", "pop, py", "rose", 'tu"lip'}


def test_explain_draws_a_picture(trained, flowers, tmp_path, monkeypatch):
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    path = tmp_path / "e.png"
    assert cli.main(["explain", str(tmp_path / "fastgd-model.npz"), str(flowers), "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_info_of_a_model(fastgd, trained, tmp_path):
    status, out, _ = fastgd("info", "fastgd-model.npz")
    assert status == 0
    assert "target: 'kind' of flowers.csv, 'pop, py', 'rose', 'tu\"lip'\n2 columns:\n" in out.replace(
        "columns: ", "columns:\n"
    )
    assert "trained on 240 rows, 5 epochs" in out
    assert json.loads(fastgd("info", "fastgd-model.npz", "--json")[1])["columns"] == {
        "large": "number",
        "small": "number",
    }
    gd.MLP(2, 1, seed=0).save(tmp_path / "m.npz")
    assert "Sequential, 3 parameters" in fastgd("info", "m.npz")[1]


def test_bench(fastgd):
    status, out, _ = fastgd("bench", "--seconds", 0.01)
    assert status == 0
    assert re.search(r"^  mnist 784-128-10 +64 +[\d.,]+ +[\d,]+ +[\d.]+$", out, re.MULTILINE)
    assert json.loads(fastgd("bench", "--seconds", 0.01, "--json")[1])["workloads"]["tiny"]["us_per_step"] > 0


# -- Models without an encoder: networks of the user, and tables of numbers in earlier releases


def test_a_model_of_an_earlier_release(predict, fastgd, refuses, tmp_path):
    """It has names of columns, and its inputs and targets are standardized."""
    X = np.random.default_rng(0).normal(5, 3, (200, 2))
    y = np.where(X[:, 0] > 5, "high", "low")
    model = gd.MLP(2, 8, 2, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", standardize=True)
    trainer.fit(pl.DataFrame({"a": X[:, 0], "b": X[:, 1]}), y, epochs=20, verbose=0)
    model.save(tmp_path / "fastgd-model.npz")
    file = write(tmp_path / "t.csv", b=X[:, 1], id=range(200), a=X[:, 0], y=y)
    lines, notes = predict(file, "--target", "y")
    assert lines == ["y", *model.predict(X)]
    assert "t.csv has columns that fastgd-model.npz does not use: 'id'" in notes
    accuracy = gd.metrics.accuracy(y, model.predict(X))
    assert (
        f"t.csv accuracy {accuracy:.2%} of 200 rows" in fastgd("evaluate", "fastgd-model.npz", file, "--target", "y")[1]
    )
    assert fastgd("explain", "fastgd-model.npz", file, "--target", "y")[0] == 0
    refuses("does not say which column is the target: --target", "evaluate", "fastgd-model.npz", file)


def test_a_model_without_names(predict, refuses, houses, tmp_path):
    gd.MLP(2, 1, seed=0).save(tmp_path / "fastgd-model.npz")
    hint = "exclude the target with --target COLUMN"
    refuses(f"model.npz takes 2 columns, but houses.csv has 3; {hint}", "predict", "fastgd-model.npz", houses)
    lines, notes = predict(houses, "--target", "price")
    assert (lines[0], len(lines)) == ("price", 401)
    assert "fastgd: note: fastgd-model.npz has no column names: the columns of houses.csv are taken in order" in notes


def test_several_outputs(fastgd, houses, tmp_path):
    gd.MLP(3, 2, seed=0).save(tmp_path / "m.npz")
    _, out, _ = fastgd("predict", "m.npz", houses)
    assert re.match(r"prediction_0,prediction_1\n[-\d.e]{1,14},[-\d.e]{1,14}\n", out)  # float32 needs 9 digits
    assert np.loadtxt(out.splitlines(), delimiter=",", skiprows=1).shape == (400, 2)
