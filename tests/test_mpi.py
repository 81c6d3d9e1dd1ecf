"""Processes of a real MPI: mpirun of MPICH or Open MPI, with mpi4py."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from example_runs import EXAMPLES, is_png
from gallery_results import RESULTS
from pages import blocks
from ranks import run
from sharded_fits import CASES

import fastgd as gd

pytest.importorskip("mpi4py", reason="needs mpi4py")
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
pytestmark = pytest.mark.skipif(MPIRUN is None, reason="needs mpirun")

HELPERS = Path(__file__).parent / "helpers"
SECONDS = 60

# A training that lasts until it is stopped; after its first epoch, each rank prints its process id.  With a number,
# rank 1 stops itself in that exchange after its first epoch.
ENDLESS = """
import math
import os
import signal
import sys
from mpi4py import MPI
import fastgd as gd
from sharded_fits import classifier, fit


class Interrupted(MPI.Intracomm):
    left = math.inf

    def allgather(self, value):
        answers = super().allgather(value)
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
        return answers


class Ready(gd.Callback):
    def on_epoch_end(self, trainer, logs):
        if trainer.epoch == 1:
            os.write(1, b"<%d %d>\\n" % (comm.rank, os.getpid()))
            if comm.rank == 1 and sys.argv[1:]:
                comm.left = int(sys.argv[1])


comm = Interrupted(MPI.COMM_WORLD)

theta, _, reason = fit(classifier(comm), comm, epochs=10**6, callbacks=[Ready()])
results = comm.gather((reason, theta))
if comm.rank == 0:
    print("ended", *(reason for reason, _ in results), len(set(results)))
"""


def start(ranks, *command):
    """mpirun of a Python program, which may run as root and on fewer cores."""
    settings = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PYTHONHASHSEED": "0"}
    settings |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    path = os.pathsep.join([str(HELPERS), *sys.path])
    environment = os.environ | settings | {"PYTHONPATH": path, "FASTGD_NUM_THREADS": "1"}
    command = [MPIRUN, "-n", str(ranks), sys.executable, *command]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=environment, **streams)


def output_of(process):
    """What it prints until it ends, within some seconds."""
    try:
        return process.communicate(timeout=SECONDS)[0]
    finally:
        process.kill()


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
    process = start(2, "-c", ENDLESS)
    try:
        text = ""
        while len(found := re.findall(r"<(\d+) (\d+)>", text)) < 2:  # mpirun may mix the lines of ranks
            line = process.stdout.readline()
            assert line, text
            text += line
        pids = {int(rank): int(pid) for rank, pid in found}
        yield process, pids
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
    process = start(2, "-c", ENDLESS, str(exchange))
    assert re.sub(r"<\d+ \d+>", "", output_of(process)).split() == ["ended", "interrupted", "interrupted", "1"]


def test_the_death_of_a_rank_ends_all(endless):
    process, pids = endless
    os.kill(pids[1], signal.SIGKILL)
    output = output_of(process)
    assert process.returncode != 0
    assert "ended" not in output
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
