"""The command line on the digits: options, output and exit status; tests/test_cli_tables.py has those of tables."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastgd as gd
from fastgd import cli
from fastgd.cli import console
from fastgd.cli.main import _parser
from fastgd.training import loop

COMMANDS = ("train", "predict", "evaluate", "explain", "info", "bench")
ROOT = Path(gd.__file__).resolve().parents[1]


def process(*arguments, cwd, path=(), **options):
    """A running process; `path` goes before everything else on PYTHONPATH."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, path), str(ROOT)]), "COLUMNS": "80"}
    command = [sys.executable, "-m", "fastgd", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(command, cwd=cwd, env=environment, **pipes)


def run(*arguments, **options):
    """(exit status, stdout, stderr) of a finished process."""
    with process(*arguments, **options) as child:
        try:
            out, error = child.communicate(timeout=120)
        finally:
            child.kill()
    return child.returncode, out, error


def test_digits(tmp_path):
    status, out, error = run("train", cwd=tmp_path)
    assert status == 0, error
    assert out.startswith("digits: 1,797 rows, 1,438 for training and 359 for validation\n")
    assert "target: the digit, 10 classes (0, 1, " in out
    assert "features: 64 columns\nnetwork: 64-64-64-10, relu, 8,970 parameters\n" in out
    assert "training: adam, loss cross_entropy, 30 epochs, batch size 32\n" in out
    assert float(re.search(r"validation accuracy ([\d.]+)% of 359 rows", out)[1]) > 97
    assert max(map(len, out.splitlines())) <= 80
    assert "validation_loss" in error
    X, y = gd.datasets.digits()
    assert (gd.load(tmp_path / "fastgd-model.npz").predict(X) == y).mean() > 0.97


def test_picture(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    cli.main(["train", "--epochs", "2", "--out", "new/folder"])
    out = capsys.readouterr().out
    assert (tmp_path / "new/folder/fastgd-curve.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"wrote new.folder.fastgd-model\.npz\nwrote new.folder.fastgd-curve\.png", out)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["train", "--epochs", "1"], 0, 'no plot of the learning curves: pip install "fastgd[plot]"'),
        (["train", "t.csv", "--target", "y"], 2, 'needs the package polars: pip install "fastgd[table]"'),
    ],
)
def test_without_extras(tmp_path, arguments, status, words):
    for package in ("matplotlib", "polars"):
        (tmp_path / f"{package}.py").write_text("raise ImportError")
    (tmp_path / "t.csv").write_text("a,y\n1,2\n")
    found, out, error = run(*arguments, cwd=tmp_path, path=[tmp_path])
    assert found == status, error
    assert words in (error if status else out)
    assert "Traceback" not in error


def test_quiet(tmp_path, capfd):
    assert cli.main(["train", "--epochs", "1", "--quiet", "--out", str(tmp_path)]) == 0
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "fastgd-model.npz").exists()


def test_same_seed_same_model(tmp_path):
    def theta(folder, *options):
        assert cli.main(["train", "--epochs", "1", "--out", str(tmp_path / folder), "--quiet", *options]) == 0
        return gd.load(tmp_path / folder / "fastgd-model.npz").theta

    first = theta("a", "--threads", "1")
    assert (theta("b", "--threads", "2") == first).all()
    assert (theta("c", "--seed", "1") != first).any()


def test_info_and_version(tmp_path, capsys):
    assert run("--version", cwd=tmp_path)[:2] == (0, f"fastgd {gd.__version__}\n")
    assert cli.main(["info"]) == 0
    assert gd.__version__ in capsys.readouterr().out
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fastgd"] == gd.__version__


@pytest.mark.parametrize("arguments", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_fits_a_terminal(capsys, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: fastgd ")
    assert max(map(len, lines)) <= 80


def test_help_names_the_choices(capsys):
    cli.main(["train", "--help"])
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert {*gd.optimizers.OPTIMIZERS, "relu", "mish", "focal", "gamma"} <= words


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(capsys, command):
    """Each is a call that the parser of the command accepts."""
    cli.main([command, "--help"])
    examples = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    assert examples
    for example in examples:
        words = shlex.split(example.partition("  on the ")[0].partition("  text, ")[0].partition(">")[0])
        words = words[words.index("fastgd") + 1 :]
        assert _parser().parse_args(words[: words.index("|")] if "|" in words else words).command


# -- Options

# One value beyond each end, and what is no number of the kind.
BAD_INTEGERS = ["0", "-1", "1.5", "1e3", "x", "", "nan", "1_000", "٣", "9" * 30, "9" * 5000]
BAD_RATES = ["0", "-1", "nan", "inf", "1e400", "x", "", "1_0"]
BAD_VALUES = {
    "--epochs": [*BAD_INTEGERS, "2147483648"],
    "--batch-size": [*BAD_INTEGERS, "2147483648"],
    "--threads": [*BAD_INTEGERS, "2147483648"],
    "--seed": [*BAD_INTEGERS[1:], str(2**64)],
    "--lr": BAD_RATES,
    "--valid": ["-1", "nan", "inf", "1e400", "", "1_0", "1", "1.5"],
    "--dropout": [*BAD_RATES[1:], "1"],
    "--weight-decay": [*BAD_RATES[1:]],
    "--patience": [*BAD_INTEGERS[1:], "2147483648"],
    "--kind": ["", "a", "a=", "=number", "a=numeric"],
    "--metric": ["acuracy", ""],
    "--class-weight": ["Balanced", ""],
    "--hidden": ["-1", "64,", ",64", "64,,64", "64,0", "64,x", "1.5", "", "64,2147483648", "9" * 5000],
    "--activation": ["rely", "", "softmax"],
    "--optimizer": ["Adam ", ""],
    "--loss": ["mean", "quantile"],
    "--task": ["class"],
}


@pytest.fixture
def refuses(tmp_path, monkeypatch, capsys):
    """refuses(words, *arguments): one line on stderr, nothing on stdout, status 2, and no file written."""
    monkeypatch.chdir(tmp_path)

    def check(words, *arguments):
        files = sorted(tmp_path.rglob("*"))
        status = cli.main(arguments)
        out, error = capsys.readouterr()
        assert (status, out) == (2, "")
        assert re.fullmatch(rf"fastgd: error: .*{words}.*\n", error), error
        assert sorted(tmp_path.rglob("*")) == files

    return check


@pytest.mark.parametrize("option", BAD_VALUES)
def test_bad_values_are_refused_under_the_name_of_the_option(refuses, option):
    for value in BAD_VALUES[option]:
        refuses(f"argument {option}: .*{re.escape(repr(value)[:20])}", "train", f"{option}={value}")


@pytest.mark.parametrize(
    "extreme", ["--seed=18446744073709551615", "--seed=0", "--batch-size=2147483647", "--hidden=1"]
)
def test_extreme_values(tmp_path, extreme):
    assert cli.main(["train", "--epochs", "1", "--quiet", "--out", str(tmp_path), extreme]) == 0


REFUSED = {
    "no such file": (["predict", "no.npz", "t.csv"], "no.npz: No such file or directory"),
    "not a model": (["predict", "t.npz", "t.csv"], "t.npz is not a fastgd model file"),
    "target without a file": (["train", "--target", "y"], "--target needs a file"),
    "drop without a file": (["train", "--drop", "y"], "--drop needs a file"),
    "no target": (["train", "t.csv"], "which column should be predicted.*--target COLUMN"),
    "loss of numbers": (["train", "--loss", "mse"], "the digits are classes; a regression needs a file"),
    "loss and task": (
        ["train", "--task", "regression", "--loss", "focal"],
        "--loss focal is for a classification, but",
    ),
    "small share": (["train", "--validation", "1e-7"], "--valid 1e-07 of 1,797 rows leaves no validation rows"),
    "large share": (
        ["train", "--validation-fraction", "0.9999"],
        "--valid 0.9999 of 1,797 rows leaves no training rows",
    ),
    "folder is a file": (["train", "--out", "t"], "t: Not a directory"),
    "model exists": (["train", "--out", "t.npz"], "t.npz exists; --force replaces it, --out writes another file"),
    "valid without a file": (["train", "--valid", "t.csv"], "--valid FILE needs a file to train on"),
    "no folder for the plot": (["train", "--plot", "no/t.png"], "no: No such file or directory"),
    "below a file": (["train", "--out", "t.npz/x"], "t.npz/x: Not a directory"),
    "model is a folder": (["train", "--out", "folder"], "folder.fastgd-model.npz: Is a directory"),
    "unknown option": (["train", "--fast"], "unrecognized arguments: --fast .see fastgd --help"),
    "unknown command": (["fit"], "invalid choice: 'fit'"),
    "no command": ([], "required"),
    "memory": (["train", "--hidden", "2147483647", "--quiet"], "memory"),
    "diverging": (["train", "--optimizer", "sgd", "--lr", "1e30", "--quiet"], "not finite at step"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, refuses, case):
    arguments, words = REFUSED[case]
    (tmp_path / "t.npz").write_text("no archive")
    (tmp_path / "t").write_text("no folder")
    (tmp_path / "folder" / "fastgd-model.npz").mkdir(parents=True)
    refuses(words, *arguments)


def test_a_folder_that_cannot_be_written(refuses, monkeypatch):
    def deny(**arguments):
        raise PermissionError(13, "Permission denied", "/tmp/x")

    monkeypatch.setattr("fastgd.cli.train.tempfile.TemporaryFile", deny)
    refuses(r"\.: Permission denied", "train", "--out", ".")


def test_an_error_in_a_separate_process(tmp_path):
    status, out, error = run("train", "--epochs", "0", cwd=tmp_path)
    assert (status, out) == (2, "")
    assert re.fullmatch(r"fastgd: error: argument --epochs: .* \(see fastgd train --help\)\n", error)


# -- Ctrl-C, and output that nobody reads


def test_interrupted_before_the_first_step(tmp_path, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._Loop, "_execute", interrupt)
    assert cli.main(["train", "--out", str(tmp_path)]) == 130
    assert "interrupted before the first step: no model was written" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupted(tmp_path):
    with process("train", "--epochs", 10**8, cwd=tmp_path) as child:
        assert any("training:" in line for line in iter(child.stdout.readline, ""))
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        try:
            out, error = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 130
    assert "Traceback" not in error
    is_saved = "the best epoch until the interruption" in " ".join(out.split())
    assert is_saved == (tmp_path / "fastgd-model.npz").exists()
    assert is_saved or "interrupted" in out + error  # on a busy machine, before the first step


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["info"], 2, "fastgd: error: standard output: No space left on device\n"),
        (["train", "--epochs", "1", "--quiet"], 0, ""),
        (["train", "--epochs", "1"], 0, None),  # it has written the model, whether or not anyone reads that
    ],
)
def test_full_output(tmp_path, arguments, status, words):
    with open("/dev/full", "w") as full:
        found, _, error = run(*arguments, cwd=tmp_path, stdout=full)
    assert found == status
    assert words is None or error == words
    assert "Traceback" not in error


def test_nobody_reads_the_report(tmp_path):
    with process("train", "--epochs", 1, cwd=tmp_path, stderr=subprocess.DEVNULL) as child:
        child.stdout.close()
        assert child.wait(60) == 0
    assert (tmp_path / "fastgd-model.npz").exists()


def test_output_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["train", "--epochs", "1", "--quiet", "--out", str(tmp_path)]) == 0
    assert cli.main(["train", "--epochs", "0"]) == 2
    with pytest.raises(OSError, match="closed"):
        console.write("x")


def test_names_that_the_terminal_cannot_show(monkeypatch, tmp_path):
    with open(tmp_path / "out.txt", "w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console.report("target: größe")
    assert (tmp_path / "out.txt").read_text() == "target: gr\\xf6\\xdfe\n"
