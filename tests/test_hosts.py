"""Ranks on two hosts, which are network namespaces: `pytest -m netns`, some seconds; needs root on Linux."""

import hashlib
import os
import sys
import time
from contextlib import suppress

import pytest
from hosts import missing, two_hosts
from mpi_processes import MPIRUN, ids_of_endless, output_of, started
from ranks import run
from sharded_fits import CASES

pytest.importorskip("mpi4py", reason="needs mpi4py")
pytestmark = [pytest.mark.netns, pytest.mark.skipif(MPIRUN is None, reason="needs mpirun")]

LIMIT = {"FASTGD_RANK_TIMEOUT": "3"}


@pytest.fixture
def hosts(tmp_path):
    """Two hosts with 1 ms from one to the other."""
    if reason := missing():
        pytest.skip(reason)
    with two_hosts(tmp_path, 0.001) as found:
        yield found


@pytest.fixture
def endless(hosts):
    """Two ranks in the midst of a training, and their process ids."""
    process = started(*hosts.mpirun(sys.executable, "-m", "endless", **LIMIT))
    ids = {}
    try:
        ids = ids_of_endless(process)
        yield process, ids
    finally:
        process.kill()
        process.wait()
        for pid in ids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, 9)


def has_ended(pid):
    """Whether a process ends within some seconds."""
    for _ in range(100):
        with suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return True
    return False


@pytest.mark.parametrize("case", ["validation", "local"])
def test_same_bits_on_two_hosts(hosts, case):
    [(theta, history, _)] = run(1, CASES[case])
    expected = hashlib.sha256(theta + history.encode()).hexdigest()
    output = output_of(started(*hosts.mpirun(sys.executable, "-m", "sharded_fits", case)))
    assert output.split() == [expected] * 2


def test_the_death_of_a_rank_ends_the_other(endless):
    process, ids = endless
    os.kill(ids[1], 9)
    output = output_of(process)
    assert process.returncode != 0
    assert "ended" not in output
    assert has_ended(ids[0])


@pytest.mark.parametrize("is_cut", [True, False], ids=["the cable is cut", "the interface is down"])
def test_the_loss_of_the_network_ends_both(endless, hosts, is_cut):
    process, ids = endless
    if is_cut:
        hosts.cable.is_cut = True
    else:
        hosts.set_down()
    output = output_of(process)
    assert process.returncode != 0
    assert "rank 0 has waited 3 seconds for the others" in output
    assert has_ended(ids[0])
    assert has_ended(ids[1])
