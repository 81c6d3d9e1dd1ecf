"""`fastgd train` on tables: files of every format, settings, reports, and what it writes."""

import json
import re
import sys

import pytest
from dashboards import ask

import fastgd as gd
from fastgd.tables import TableModel
from fastgd.tables.member import MemberFit

pytest.importorskip("polars")


def test_other_files(train, predict, flowers, tmp_path):
    """TSV, gzip, Parquet and standard input give the same model."""
    import gzip

    import polars as pl

    expected = train(flowers, "--target", "kind", "--epochs", 3, "--hidden", 8)[0].partition("\n")[2]
    frame = pl.read_csv(flowers)
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(flowers.read_bytes()))
    predictions = predict(flowers)[0]
    for name in ("t.tsv", "t.parquet", "t.csv.gz"):
        out, _ = train(tmp_path / name, "--target", "kind", "--epochs", 3, "--hidden", 8)
        assert out.partition("\n")[2] == expected
        assert predict(tmp_path / name)[0] == predictions


def test_validation_file(train, houses, tmp_path):
    lines = houses.read_text().splitlines()
    parts = {"a.csv": lines[:301], "b.csv": [lines[0], *lines[301:]]}
    for name, rows in parts.items():
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    out, _ = train("a.csv", "--target", "price", "--valid", "b.csv", "--epochs", 60, "--batch-size", 32)
    assert "a.csv: 400 rows, 300 for training and 100 for validation" in out
    assert float(re.search(r"validation R2 ([\d.]+)", out)[1]) > 0.98


def test_settings_of_the_training(train, flowers):
    options = ("--hidden", 16, 8, "--dropout", 0.1, "--weight-decay", 0.01, "--class-weight", "balanced")
    out, _ = train(flowers, "--target", "kind", *options, "--epochs", 5, "--ensemble", 2, "--seed", 3)
    assert "2 networks: 2-16-8-3, selu, 481 parameters\n" in out
    model = TableModel.load("fastgd-model.npz")
    assert len(model.members) == 2
    assert [noise is not None for noise in model.members[0].noises] == [False, False, False, True, True]
    assert (model.members[0].theta != model.members[1].theta).any()
    train(flowers, "--target", "kind", *options, "--epochs", 5, "--random-state", 3, "--num-threads", 2)
    assert (TableModel.load("fastgd-model.npz").members[0].theta == model.members[0].theta).all()


def test_patience_and_metric(train, houses):
    out, _ = train(houses, "--target", "price", "--patience", 2, "--metric", "mape", "--epochs", 90, "--hidden", 16)
    assert re.search(r"^validation mape [\d.]+$", out, re.MULTILINE)
    assert TableModel.load("fastgd-model.npz").metadata["epochs"] < 90


def test_a_missing_file_is_the_first_error(refuses, flowers, train):
    """Before the model file that exists, and before the table is read."""
    train(flowers, "--target", "kind", "--epochs", 1)
    refuses("nofile.csv: No such file", "train", "nofile.csv", "--target", "kind")
    refuses("nofile.csv: No such file", "train", flowers, "--target", "kind", "--valid", "nofile.csv")


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_a_missing_file_comes_before_a_missing_package(refuses, flowers, train, monkeypatch, command):
    train(flowers, "--target", "kind", "--epochs", 1)
    monkeypatch.setitem(sys.modules, "polars", None)
    refuses("nofile.csv: No such file", command, "fastgd-model.npz", "nofile.csv")


def test_precision(train, flowers, tmp_path):
    """--precision bf16 reaches each training, and is told."""
    for file in (["--max-iter", 2], [flowers, "--target", "kind", "--epochs", 2]):
        out, _ = train(*file, "--precision", "bf16")
        assert ", bf16 products\n" in out
    assert TableModel.load("fastgd-model.npz").metadata["precision"] == "bf16"
    models = {}
    for precision in ("f32", "bf16"):
        train(flowers, "--target", "kind", "--epochs", 2, "--precision", precision)
        models[precision] = TableModel.load("fastgd-model.npz").members[0].theta
    assert (models["f32"] != models["bf16"]).any()


@pytest.mark.parametrize("table", [False, True])
def test_watch(train, flowers, table):
    """The address is printed once, and the page ends with the command."""
    data = [flowers, "--target", "kind", "--ensemble", 2] if table else []
    _, err = train(*data, "--epochs", 2, "--watch")
    [url] = re.findall("watch the training at (http.*)", err)
    with pytest.raises(ConnectionError):
        ask(url)


class Interrupting(gd.Callback):
    """Ends the training after an epoch as Ctrl-C does."""

    def on_epoch_end(self, trainer, logs):
        trainer.stop("interrupted")


@pytest.mark.parametrize("watch", [[], ["--watch"]])
def test_interrupted(fastgd, houses, monkeypatch, watch):
    """What was trained so far is a model: of networks that train at the same time, and of those that are watched."""
    monkeypatch.setattr(MemberFit, "_best_epoch", lambda *arguments: [Interrupting()])
    data = [houses, "--target", "price", "--ensemble", 3, "--epochs", 3, "--hidden", 8, "--threads", 1]
    status, out, _ = fastgd("train", *data, *watch)
    assert status == 130
    assert "wrote fastgd-model.npz, the best epoch until the interruption" in out
    assert len(TableModel.load("fastgd-model.npz").members) == 1


def test_networks_are_trained_at_the_same_time(train, houses, monkeypatch):
    """To the bits that each has alone."""
    trained = []
    original = MemberFit.fit_all

    def fit_all(*arguments, **options):
        trained.extend(original(*arguments, **options))
        return trained

    monkeypatch.setattr(MemberFit, "fit_all", fit_all)
    options = ["--epochs", 3, "--hidden", 8, "--seed", 5]
    out, _ = train(houses, "--target", "price", *options, "--ensemble", 2)
    assert "2 networks" in out
    members = TableModel.load("fastgd-model.npz").members
    assert [member.theta.tolist() for member in members] == [trainer.model.theta.tolist() for trainer in trained]
    train(houses, "--target", "price", *options)
    assert TableModel.load("fastgd-model.npz").members[0].theta.tolist() == members[0].theta.tolist()


def test_a_model_is_not_replaced(fastgd, refuses, train, houses):
    train(houses, "--target", "price", "--epochs", 1, "--out", "h.npz")
    refuses(
        "h.npz exists; --force replaces it", "train", houses, "--target", "price", "--epochs", "1", "--out", "h.npz"
    )


def test_safetensors(train, predict, fastgd, houses):
    pytest.importorskip("safetensors")
    train(houses, "--target", "price", "--epochs", 2, "--hidden", 8, "--out", "h.safetensors")
    train(houses, "--target", "price", "--epochs", 2, "--hidden", 8)
    assert fastgd("predict", "h.safetensors", houses)[1].splitlines() == predict(houses)[0]


def test_report_as_json(fastgd, houses, flowers):
    status, out, _ = fastgd("train", houses, "--target", "price", "--epochs", 5, "--json", "--out", "h.npz", "--quiet")
    report = json.loads(out)
    assert status == 0
    assert report["task"] == "regression"
    assert report["scores"]["rows"] == 80
    assert {"r2", "rmse", "mae"} <= set(report["scores"])
    assert report["model"] == "h.npz"
    _, out, _ = fastgd("train", flowers, "--target", "kind", "--epochs", 5, "--json", "--out", "f.npz")
    scores = json.loads(out)["scores"]
    assert sum(map(sum, scores["confusions"])) == scores["rows"] == 60
    assert set(scores["classes"]) == {"rose", 'tu"lip', "pop, py"}
