"""The command line, run in a separate process, or in this one where many runs are needed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgd as gd
from fastgd import cli
from fastgd.training import loop

ROOT = Path(gd.__file__).resolve().parents[1]


def run(*arguments, cwd, path=()):
    """The finished process; `path` goes before everything else on PYTHONPATH."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, path), str(ROOT)])}
    command = [sys.executable, "-m", "fastgd", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def write(path, header, columns):
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows, ""]))
    return path


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Three classes that two columns of very different scales determine."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, 300)
    large, small = 1e6 * kind + random.normal(2e7, 2e5, 300), 1e-4 * (kind == 1) + random.normal(0, 1e-5, 300)
    names = np.array(["rose", "tulip", "poppy"])[kind]
    return write(
        tmp_path_factory.mktemp("csv") / "flowers.csv", "large,kind,small,constant", [large, names, small, [0.1] * 300]
    )


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    random = np.random.default_rng(1)
    area, year = random.uniform(40, 200, 400), random.integers(1900, 2020, 400)
    price = 3000.0 * area + 500 * (year - 1900) + random.normal(0, 5000, 400)
    return write(tmp_path_factory.mktemp("csv") / "houses.csv", "area,year,price", [area, year, price])


def test_digits(tmp_path):
    done = run("train", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1,797 rows, 64 columns, 10 classes; 1,438 rows to train on" in done.stdout
    assert float(re.search(r"validation accuracy ([\d.]+)% of 359 rows", done.stdout)[1]) > 97
    assert "validation_loss" in done.stderr
    assert "rows/s" in done.stderr
    X, y = gd.datasets.digits()
    assert (gd.load(tmp_path / "fastgd-model.npz").predict(X) == y).mean() > 0.97


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    done = run("train", "--epochs", 2, "--out", "new/folder", cwd=tmp_path)
    assert (tmp_path / "new/folder/fastgd-curve.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"wrote new.folder.fastgd-model\.npz\nwrote new.folder.fastgd-curve\.png", done.stdout)


def test_no_picture_without_matplotlib(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    done = run("train", "--epochs", 1, cwd=tmp_path, path=[tmp_path])
    assert done.returncode == 0, done.stderr
    assert 'no plot of the learning curves: pip install "fastgd[plot]"' in done.stdout
    assert not list(tmp_path.glob("*.png"))


def test_quiet(tmp_path):
    done = run("train", "--epochs", 1, "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "fastgd-model.npz").exists()


def test_same_seed_same_model(tmp_path):
    def theta(folder, *options):
        assert run("train", "--epochs", 1, "--out", folder, "--quiet", *options, cwd=tmp_path).returncode == 0
        return gd.load(tmp_path / folder / "fastgd-model.npz").theta

    first = theta("a", "--threads", 1)
    assert (theta("b", "--threads", 2) == first).all()
    assert (theta("c", "--seed", 1) != first).any()


def test_classification(tmp_path, flowers):
    done = run("train", flowers, "--target", "kind", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "300 rows, 3 columns, 3 classes" in done.stdout
    assert float(re.search(r"validation accuracy ([\d.]+)%", done.stdout)[1]) > 95
    model = gd.load(tmp_path / "fastgd-model.npz")
    assert model.head.classes.tolist() == ["poppy", "rose", "tulip"]

    predicted = run("predict", "fastgd-model.npz", flowers, "--target", "kind", cwd=tmp_path)
    truth = [line.split(",")[1] for line in flowers.read_text().split()]
    lines = predicted.stdout.split()
    assert lines[0] == "kind"
    assert len(lines) == 301
    assert np.mean([a == b for a, b in zip(lines, truth, strict=True)]) > 0.95


def test_regression(tmp_path, houses):
    options = ("--epochs", 60, "--hidden", "32", "--lr", 0.01, "--optimizer", "adamw", "--activation", "tanh")
    done = run("train", houses, "--target", "price", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 columns, a regression" in done.stdout
    # the noise has a standard deviation of 5,000, so no model does better
    assert float(re.search(r"validation R2 ([\d.]+), typical error \(RMSE\)", done.stdout)[1]) > 0.99
    assert 4000 < float(re.search(r"\(RMSE\) (\d+)", done.stdout)[1]) < 10000
    predicted = run("predict", "fastgd-model.npz", houses, "--target", "price", cwd=tmp_path).stdout.split()
    truth = [float(line.split(",")[2]) for line in houses.read_text().split()[1:]]
    assert np.corrcoef(list(map(float, predicted[1:])), truth)[0, 1] > 0.99


@pytest.mark.parametrize("loss", ["poisson", "gamma", "huber", "mae", "log_cosh"])
def test_regression_losses(tmp_path, capsys, loss):
    """A loss implies the task, whatever the target looks like; counts are not scaled."""
    x = np.arange(200) % 20
    file = write(tmp_path / "t.csv", "x,count", [x, 1 + x // 4])
    options = ("--target", "count", "--loss", loss, "--lr", "0.01", "--epochs", "40", "--hidden", "16")
    assert cli.main(["train", str(file), *options, "--out", str(tmp_path), "--quiet"]) == 0
    assert cli.main(["predict", str(tmp_path / "fastgd-model.npz"), str(file), "--target", "count"]) == 0
    predicted = np.array(capsys.readouterr().out.split()[1:], float)
    assert abs(predicted - 1 - x // 4).mean() < 0.5


def test_linear_model_on_all_rows(tmp_path, houses):
    done = run("train", houses, "--target", "price", "--hidden", 0, "--validation", 0, "--lr", 0.05, cwd=tmp_path)
    assert "400 rows to train on\ntraining R2 0.99" in done.stdout, done.stderr
    weight = gd.load(tmp_path / "fastgd-model.npz").parameters()["0.weight"].ravel()
    assert weight == pytest.approx([3000, 500], rel=0.05)


@pytest.mark.parametrize(
    ("task", "kind"), [("auto", "4 classes"), ("regression", "a regression"), ("classification", "4 classes")]
)
def test_few_integers_are_classes_unless_told_otherwise(tmp_path, capsys, task, kind):
    file = write(tmp_path / "t.csv", "a,b", [range(40), [i // 10 for i in range(40)]])
    options = ("--target", "b", "--task", task, "--epochs", "1", "--out", str(tmp_path))
    assert cli.main(["train", str(file), *options]) == 0
    assert kind in capsys.readouterr().out


def test_info_and_version(tmp_path):
    assert run("--version", cwd=tmp_path).stdout == f"fastgd {gd.__version__}\n"
    assert gd.__version__ in run("info", cwd=tmp_path).stdout


TABLES = {
    "no number": ("a,y\n1,2\nx,3\n", r"t\.csv, line 3, column 'a': 'x' is not a finite number"),
    "missing": ("a,y\n1,2\n,3\n", r"t\.csv, line 3, column 'a': the value is missing"),
    "missing target": ("a,y\n1,2\n1,\n", r"t\.csv, line 3, column 'y': the value is missing"),
    "nan": ("a,y\n1,2\nnan,3\n", r"line 3, column 'a': 'nan' is not a finite number"),
    "infinite target": ("a,y\n1,2\n\n1,inf\n", r"line 4, column 'y': 'inf' is not a finite number"),
    "short row": ("a,b,y\n1,2,3\n1,2\n", r"line 3: 2 values where the header has 3"),
    "no header": ("1,2\n3,4\n", r"line 1: expected column names, not numbers \(1, 2\)"),
    "same names": ("a,a,y\n1,2,3\n", r"line 1: duplicate column 'a'"),
    "no rows": ("a,y\n", "has a header but no rows"),
    "empty": ("", "is empty; its first line must name the columns"),
    "one column": ("y\n1\n", "has only the column 'y'"),
    "other target": ("a,why\n1,2\n", r"no column 'y', only 'a', 'why'"),
    "semicolons": ("a;y\n1;2\n", "no column 'y', only 'a;y'; values must be separated by commas"),
    "overflow": ("a,y\n" + "1e308,0.5\n-1e308,1.5\n" * 5, "a column has values beyond 1e150"),
    "one class": ("a,y\n1,u\n2,u\n", "has the value 'u' in every row"),
    "two rows": ("a,y\n1,0.5\n2,1.5\n", "leaves no validation rows"),
    "open quote": ('a,y\n"1,2\n', "line 2: unexpected end of data"),
}


@pytest.fixture
def refuses(tmp_path, monkeypatch, capsys):
    """refuses(words, *arguments): one line on stderr, nothing on stdout, status 2, and no file written."""
    monkeypatch.chdir(tmp_path)

    def check(words, *arguments):
        files = sorted(tmp_path.rglob("*"))
        try:
            status = cli.main(arguments)
        except SystemExit as exit:
            status = exit.code
        out, error = capsys.readouterr()
        assert (status, out) == (2, "")
        assert re.fullmatch(rf"fastgd: error: .*{words}.*\n", error), error
        assert sorted(tmp_path.rglob("*")) == files

    return check


def test_a_user_error_in_a_separate_process(tmp_path):
    done = run("train", "no.csv", "--target", "y", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastgd: error: no.csv: No such file or directory\n"


@pytest.mark.parametrize("case", TABLES)
def test_bad_tables(tmp_path, refuses, case):
    text, words = TABLES[case]
    (tmp_path / "t.csv").write_text(text)
    refuses(words, "train", "t.csv", "--target", "y")


def test_bad_encoding(tmp_path, refuses):
    (tmp_path / "t.csv").write_bytes("größe,y\n1,2\n".encode("latin-1"))
    refuses("not UTF-8 text", "train", "t.csv", "--target", "y")


def test_files_of_spreadsheets(tmp_path, capsys):
    """They start with a byte order mark and end lines with CR LF; text may be quoted."""
    rows = "".join(f'"{i}", {i % 2}\r\n' for i in range(20))
    (tmp_path / "t.csv").write_bytes(f"\ufeffa, y\r\n{rows}".encode())
    options = ("--target", "y", "--epochs", "1", "--out", str(tmp_path))
    assert cli.main(["train", str(tmp_path / "t.csv"), *options]) == 0
    assert "20 rows, 1 columns, 2 classes" in capsys.readouterr().out


def test_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["train", "--help"])
    assert "--batch-size N" in capsys.readouterr().out


def test_interrupted_at_once(tmp_path, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train_chunk", interrupt, raising=True)
    assert cli.main(["train", "--out", str(tmp_path)]) == 0
    assert "no epoch was completed" in capsys.readouterr().out
    assert (tmp_path / "fastgd-model.npz").exists()


OPTIONS = {
    "no such file": (["train", "no.csv", "--target", "y"], "no.csv: No such file or directory"),
    "no target": (["train", "t.csv"], "which column should be predicted.*--target COLUMN"),
    "target without a file": (["train", "--target", "y"], "--target needs a file"),
    "text to regress on": (
        ["train", "t.csv", "--target", "y", "--task", "regression"],
        "needs numbers, but column 'y' has 'u'",
    ),
    "loss and task": (
        ["train", "n.csv", "--target", "a", "--task", "classification", "--loss", "mae"],
        "--loss mae is for a regression, but --task says classification",
    ),
    "loss of numbers for digits": (["train", "--loss", "mse"], "the digits are classes; a regression needs a file"),
    "counts below 0": (["train", "n.csv", "--target", "a", "--loss", "poisson", "--quiet"], r"y must be in \[0, inf\)"),
    "hidden": (["train", "--hidden", "64,x"], "integers like 64,64"),
    "activation": (["train", "--activation", "rely"], "invalid choice: 'rely'"),
    "epochs": (["train", "--epochs", "0"], "argument --epochs: must be an integer >= 1"),
    "rate": (["train", "--lr", "-1"], "lr must be"),
    "batch": (["train", "--batch-size", "0"], "argument --batch-size: must be an integer >= 1"),
    "validation": (["train", "--validation", "2"], r"fraction in \(0, 1\)"),
    "seed": (["train", "--seed", "-1"], "seed must be"),
    "threads": (["train", "--threads", "0"], "argument --threads: must be an integer >= 1"),
    "folder": (["train", "--out", "t.csv"], "t.csv: File exists"),
    "unknown option": (["train", "--fast"], "unrecognized arguments: --fast"),
    "no command": ([], "required"),
    "no model": (["predict", "no.npz", "t.csv"], "no.npz: No such file or directory"),
    "not a model": (["predict", "t.npz", "t.csv"], "t.npz is not a fastgd model file"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_options(tmp_path, refuses, case):
    arguments, words = OPTIONS[case]
    (tmp_path / "t.csv").write_text("a,y\n" + "1,u\n2,v\n" * 10)
    (tmp_path / "n.csv").write_text("a,b\n" + "-1,2\n2,3\n" * 10)
    (tmp_path / "t.npz").write_text("no archive")
    refuses(words, *arguments)


def test_a_diverging_run(refuses):
    refuses("not finite at step", "train", "--optimizer", "sgd", "--lr", "1e30", "--quiet")


def test_predict_counts_columns(tmp_path, houses, refuses):
    gd.MLP(2, 1).save(tmp_path / "m.npz")
    refuses(
        "m.npz takes 2 columns, but houses.csv has 3; exclude .* with --target COLUMN", "predict", "m.npz", str(houses)
    )
