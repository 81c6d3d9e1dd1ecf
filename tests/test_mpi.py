"""Processes of a real MPI: mpirun of MPICH or Open MPI, with mpi4py."""

import hashlib
import os
import re
import signal
import sys

import pytest
from example_runs import EXAMPLES, is_png
from gallery_results import RESULTS
from mpi_processes import MPIRUN, ids_of_endless, output_of, started
from pages import blocks
from ranks import run
from sharded_fits import CASES

import fastgd as gd

pytest.importorskip("mpi4py", reason="needs mpi4py")
pytestmark = pytest.mark.skipif(MPIRUN is None, reason="needs mpirun")


def start(ranks, *command):
    """mpirun of a Python program."""
    return started(MPIRUN, "-n", str(ranks), sys.executable, *command)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("case", ["validation", "local"])
def test_same_bits_in_processes(case, ranks):
    [(theta, history, _)] = run(1, CASES[case])
    expected = hashlib.sha256(theta + history.encode()).hexdigest()
    assert output_of(start(ranks, "-m", "sharded_fits", case)).split() == [expected] * ranks


def test_the_page_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.py").write_text(blocks("docs/many-machines.md")[0])
    models = []
    for ranks in (1, 2):
        output = output_of(start(ranks, "digits.py"))
        assert float(re.search(r"^0\.\d{4}$", output, re.MULTILINE)[0]) > 0.93
        models.append(gd.load("digits.npz").theta)
    assert (models[0] == models[1]).all()


def test_the_example_reaches_its_result(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    result = RESULTS["mpi"]
    printed = output_of(start(2, EXAMPLES / "mpi.py")).splitlines()
    assert printed[0] == "2 processes, 4 shards"
    found = re.fullmatch(rf"result: {result.name} (\S+)", printed[-1])
    assert float(found[1]) >= result.stated - result.margin
    assert is_png(tmp_path / "mpi.png")


def test_the_command_line_trains_on_ranks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["-m", "fastgd", "train", "--epochs", "3", "--shards", "4", "--no-plot", "--class-weight", "balanced"]
    for ranks in (1, 2):
        output = output_of(start(ranks, *command, "--out", f"{ranks}.npz"))
        assert output.count(f"wrote {ranks}.npz") == 1, output
    one, two = gd.load("1.npz"), gd.load("2.npz")
    assert (one.theta == two.theta).all()


def test_the_command_line_fails_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = start(2, "-m", "fastgd", "train", "absent.csv", "--target", "y")
    assert output_of(process).splitlines()[0] == "fastgd: error: absent.csv: No such file or directory"
    assert process.returncode == 2


@pytest.fixture
def endless():
    """Two ranks in the midst of a training, and their process ids."""
    process = start(2, "-m", "endless")
    try:
        yield process, ids_of_endless(process)
    finally:
        process.kill()
        process.wait()


def test_an_interrupt_of_one_rank_ends_all(endless):
    process, pids = endless
    os.kill(pids[1], signal.SIGINT)
    assert output_of(process).split() == ["ended", "interrupted", "interrupted", "1"]
    assert process.returncode == 0


@pytest.mark.parametrize("exchange", [1, 2, 3, 4])
def test_an_interrupt_in_an_exchange_ends_all(exchange):
    process = start(2, "-m", "endless", str(exchange))
    assert re.sub(r"<\d+ \d+>", "", output_of(process)).split() == ["ended", "interrupted", "interrupted", "1"]


def test_the_death_of_a_rank_ends_all(endless):
    process, pids = endless
    os.kill(pids[1], signal.SIGKILL)
    output = output_of(process)
    assert process.returncode != 0
    assert "ended" not in output
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
