"""`fastgd train --stream` and `evaluate`: tables that are read in parts."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from commands import write

from fastgd.cli import encoded_file, memory, sampling, sources, streaming
from fastgd.tables import TableModel

pytest.importorskip("polars")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Many parts of small files, of which not all rows are in the sample."""
    monkeypatch.setattr(sources, "_PART_BYTES", 8000)
    monkeypatch.setattr(sources, "_PART_ROWS", 300)
    monkeypatch.setattr(sampling, "_ROWS", 500)


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """Sorted by the target, with gaps, a counter, dates, and categories of which one is rare and comes last."""
    random, n = np.random.default_rng(0), 1500
    size = np.sort(random.normal(100, 20, n)).round(2)
    shop = [f"s{i % 40}" for i in range(n - 2)] + ["rare"] * 2
    grade = np.where(size > 100, "high", "low").astype(object)
    grade[-1] = "top"
    gaps = [None if i % 7 == 0 else value for i, value in enumerate(random.normal(size=n).round(3))]
    day = (np.datetime64("2024-01-01") + random.integers(0, 700, n)).astype(str)
    columns = {"id": np.arange(n), "size": size, "shop": shop, "gaps": gaps, "day": day, "grade": grade}
    return write(
        tmp_path_factory.mktemp("csv") / "orders.csv", **columns, price=(3 * size + random.normal(0, 1, n)).round(2)
    )


OPTIONS = ["--epochs", 4, "--hidden", 16, "--batch-size", 32]


def test_a_sorted_table(train, fastgd, orders):
    """All parts of it are trained on, and held out; scores are as good as of the table as a whole."""
    scores = []
    for stream in ("--stream", "--no-stream"):
        out, warnings = train(orders, "--target", "price", "--drop", "grade", *OPTIONS, stream)
        assert "orders.csv: 1,500 rows, 1,200 for training and 300 for validation" in out
        assert "column 'id' counts the rows and is left out as an identifier; to use it anyway: --kind id=" in warnings
        scores.append(float(re.search(r"validation R2 ([\d.]+)", out)[1]))
        model = TableModel.load("fastgd-model.npz")
        assert model.encoder.kinds == {"size": "number", "shop": "category", "gaps": "number", "day": "date"}
        status, out, _ = fastgd("evaluate", "fastgd-model.npz", orders, "--json")
        assert status == 0
        assert json.loads(out)["rows"] == 1500
        scores.append(json.loads(out)["r2"])
    assert min(scores) > 0.95
    assert np.ptp(scores) < 0.03


def test_classes_of_which_one_is_rare(train, predict, orders):
    """It is a class, wherever it is; balanced weights count the rows of the whole table."""
    options = ["--drop", "price", *OPTIONS, "--stream", "--class-weight", "balanced", "--ensemble", 2, "--valid", 0]
    out, _ = train(orders, "--target", "grade", *options)
    assert "3 classes (high, low, top)" in out
    assert "1,500 for training and 0 for validation" in out
    assert float(re.search(r"training accuracy ([\d.]+)%", out)[1]) > 85
    assert len(TableModel.load("fastgd-model.npz").members) == 2
    assert {"high", "low"} <= set(predict(orders)[0]) <= {"prediction", "high", "low", "top"}


def test_every_kind_of_file_gives_the_same_model(train, orders, tmp_path):
    import gzip

    import polars as pl

    frame = pl.read_csv(orders, infer_schema=False)
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(orders.read_bytes()))
    thetas, options = [], ["--epochs", 1, "--hidden", 4, "--stream", "--kind", "gaps=category"]
    for file in (orders, tmp_path / "t.parquet", tmp_path / "t.tsv", tmp_path / "t.csv.gz"):
        train(file, "--target", "price", "--valid", orders, *options)
        thetas.append(TableModel.load("fastgd-model.npz").members[0].theta.tolist())
        assert len(thetas[-1]) == len(thetas[0])
    assert thetas[0] == thetas[2] == thetas[3]


def test_rows_without_a_target_are_left_out(train, fastgd, tmp_path):
    x = np.random.default_rng(0).normal(size=600)
    file = write(tmp_path / "t.csv", x=x, y=[None if i % 3 == 0 else np.sin(value) for i, value in enumerate(x)])
    out, warnings = train(file, "--target", "y", *OPTIONS, "--stream", "--task", "regression")
    assert re.search(r"t.csv: 400 rows, 3\d\d for training", out)
    assert warnings == "fastgd: warning: 200 rows of t.csv without a value of 'y' are left out"
    _, _, warnings = fastgd("evaluate", "fastgd-model.npz", file)
    assert "200 rows of t.csv without a value of 'y' are left out" in warnings


def test_errors(refuses, tmp_path, monkeypatch):
    x = list(map(str, range(400)))
    strays = write(tmp_path / "strays.csv", x=[*x[:-1], "many"], y=np.sin(np.arange(400)))
    begin = ("train", strays, "--target", "y", "--stream")
    refuses(r"strays\.csv, (row 400|line 401), column 'x': 'many' is not a number; .*--drop x", *begin)
    refuses("strays.csv has no column 'z', only 'x', 'y'", *begin, "--drop", "x", "--target", "z")
    refuses("no columns are left to predict from", *begin, "--drop", "x")
    refuses("leaves no training rows", *begin, "--kind", "x=category", "--valid", 0.9999)
    refuses(
        "--stream reads the table twice, so it needs a file, not standard", "train", "-", "--target", "y", "--stream"
    )
    refuses("--stream is for one process: leave out --stream, or mpirun and --shards", *begin, "--shards", 2)
    good = write(tmp_path / "good.csv", x=np.arange(400) % 9, y=np.sin(np.arange(400)))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6 // 1000))
    refuses(r"\. has 0 MB of space left, but the encoded rows of good.csv take 0 MB", "train", good, *begin[2:])


def test_a_full_disk(refuses, orders, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(encoded_file, "tempfile", SimpleNamespace(TemporaryFile=lambda dir: Full()))
    refuses(r"\.: No space left on device", "train", orders, "--target", "price", "--drop", "id", "--stream")


def test_streams_if_there_is_too_little_memory(train, orders, monkeypatch):
    arguments = [orders, "--target", "price", "--epochs", 1, "--hidden", 4]
    assert "in parts" not in train(*arguments)[1]
    monkeypatch.setattr(streaming, "available_memory", lambda: 10**5)
    words = "note: orders.csv is read in parts, as training on all of it would take about 1 MB of memory, and 0 MB are"
    assert words in train(*arguments)[1]
    assert "in parts" not in train(*arguments, "--no-stream")[1]


FOLDERS = {
    "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n",
    "proc/self/cgroup": "0::/user/job\n",
    "sys/fs/cgroup/user/memory.max": "3000000\n",
    "sys/fs/cgroup/user/memory.current": "1000000\n",
    "sys/fs/cgroup/user/memory.stat": "anon 5\ninactive_file 500\n",
    "sys/fs/cgroup/user/job/memory.max": "max\n",
}


def test_available_memory(tmp_path):
    for name, content in FOLDERS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert memory.available_memory(str(tmp_path)) == 2_000_500
    (tmp_path / "sys/fs/cgroup/user/memory.max").write_text("max\n")
    assert memory.available_memory(str(tmp_path)) == 4_096_000


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_file_that_does_not_fit_into_the_address_space(tmp_path):
    """300 MB of text: as a whole they would take 2 GB besides the 1 GB of addresses that the libraries reserve."""
    random, n = np.random.default_rng(0), 200_000
    x = random.normal(size=(n, 12))
    rows = "\n".join(",".join(f"{value:.17f}" for value in (*row, row.sum())) for row in x) + "\n"
    with open(tmp_path / "t.csv", "w") as file:
        file.write(",".join([*map("x{}".format, range(12)), "y"]) + "\n")
        file.writelines([rows] * 6)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1_700_000_000,) * 2); "
        "from fastgd.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["--target", "y", "--hidden", "8", "--epochs", "1", "--no-plot", "--threads", "1"]
    environment = os.environ | {
        "POLARS_MAX_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }  # each thread reserves addresses
    command = [sys.executable, "-c", code, "train", "t.csv", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "t.csv is read in parts" in done.stderr
    assert "1,200,000 rows, 1,068,928 for training and 131,072 for validation" in " ".join(done.stdout.split())
