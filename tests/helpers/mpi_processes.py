"""Processes that mpirun starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HELPERS = Path(__file__).parent
SECONDS = 60  # after which what does not end is killed
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def environment() -> dict[str, str]:
    """For ranks that may run as root, on fewer cores, and import the helpers of tests."""
    settings = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PYTHONHASHSEED": "0"}
    settings |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    settings |= {"PYTHONPATH": os.pathsep.join([str(HELPERS), *sys.path]), "FASTGD_NUM_THREADS": "1"}
    return os.environ | settings


def started(*command: str, **variables: str) -> subprocess.Popen[str]:
    """A command, whose output is read."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env=environment() | variables, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def output_of(process: subprocess.Popen[str]) -> str:
    """What it prints until it ends, within some seconds."""
    try:
        return process.communicate(timeout=SECONDS)[0]
    finally:
        process.kill()


def ids_of_endless(process: subprocess.Popen[str]) -> dict[int, int]:
    """The process ids of the ranks of an `endless` training, once both have begun."""
    text = ""
    found: list[tuple[str, str]] = []
    assert process.stdout is not None
    while len(found) < 2:  # mpirun may mix the lines of ranks
        line = process.stdout.readline()
        assert line, text
        text += line
        found = re.findall(r"<(\d+) (\d+)>", text)
    return {int(rank): int(pid) for rank, pid in found}
