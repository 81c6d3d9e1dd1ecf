"""Fixtures that run the command line on small tables."""

import csv
import re
import sys

import numpy as np
import pytest

from fastgd import cli


def write(path, **columns):
    """A CSV file of these columns."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture(scope="session")
def flowers(tmp_path_factory):
    """Three classes that two columns of very different scales determine."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, 300)
    large, small = 1e6 * kind + random.normal(2e7, 2e5, 300), 1e-4 * (kind == 1) + random.normal(0, 1e-5, 300)
    names = np.array(["rose", 'tu"lip', "pop, py"])[kind]
    folder = tmp_path_factory.mktemp("csv")
    return write(folder / "flowers.csv", large=large, kind=names, small=small, constant=[0.1] * 300)


@pytest.fixture(scope="session")
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
        status, out, error = fastgd("train", *arguments, "--force")
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
