"""python -m benchmarks.instructions: instructions of one training step, which no other load on the machine changes.

A plain step (4-16-3, ReLU, cross-entropy, SGD, batch 16) on the AVX2 engine and one thread, counted by valgrind's
callgrind: the difference of two runs with different numbers of steps, so that the start of Python cancels.  The network
is so small that whatever a step does beside its arithmetic shows: this is the guard that features which are not used
cost nothing.  The count depends on the compiler; `instructions.json` holds the accepted one for each.

Exit status 1: more instructions than accepted.  `--accept` writes the new number, to be committed with its reason.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fastgd import backend

from .workloads import WORKLOADS

ACCEPTED = Path(__file__).with_suffix(".json")
ISA = "avx2"  # the best that valgrind 3.19 knows
CHUNK, FEW, MANY = 1000, 1, 11  # steps of a call; calls of the two runs
TOLERANCE = 0.02  # two runs differ by some 0.2 %; a branch on every row of the batch is 1 %

COUNTER = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
# One thread each, or idle pools would be counted while they spin; no random order of Python's own sets and dicts.
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def run(calls: int) -> None:
    """The work to count: `calls` calls of the engine, each of `CHUNK` steps."""
    workload = WORKLOADS["tiny"]
    model = workload.model()
    chunk = workload.chunk(model, *workload.data(), workload.order(CHUNK), n_threads=1)
    for _ in range(calls):
        model.network.train(chunk)


def count() -> int:
    """Instructions of one step."""
    return round((_instructions(MANY) - _instructions(FEW)) / ((MANY - FEW) * CHUNK))


def _instructions(calls: int) -> int:
    program = f"from benchmarks.instructions import run; run({calls})"
    command = [*COUNTER, sys.executable, "-c", program]
    environment = os.environ | QUIET | {"FASTGD_BACKEND": "native", "FASTGD_ISA": ISA}
    done = subprocess.run(command, env=environment, cwd=ACCEPTED.parents[1], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(found[1])


def _cannot() -> str | None:
    """Why nothing can be counted here."""
    if shutil.which(COUNTER[0]) is None:
        return f"there is no {COUNTER[0]} (Debian: apt install {COUNTER[0]})"
    if all(engine.isa != ISA for engine in backend.available()):
        return f"there is no {ISA} engine"
    return None


def check(found: int, accepted: int | None, compiler: str) -> str | None:
    """Print how `found` compares with what is accepted; what is wrong, if something is."""
    advice = "python -m benchmarks.instructions --accept"
    if accepted is None:
        print(f"instructions: {found:,} a step; none accepted for {compiler} yet: {advice}")
        return None
    change = found / accepted - 1
    print(f"instructions: {found:,} a step, {change:+.1%} of the {accepted:,} that are accepted for {compiler}")
    if change < -TOLERANCE:
        print(f"instructions: fewer than accepted; hold the gain: {advice}")
    if change <= TOLERANCE:
        return None
    return (
        f"a plain training step takes {change:.1%} more instructions than accepted ({found:,}, not {accepted:,}).\n"
        "A feature that is not used must cost nothing: look for work that was added to every step or every row\n"
        "(callgrind_annotate shows where). If it is worth its price, accept the new number and commit it with the\n"
        f"reason: {advice}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true", help=f"write what is counted to {ACCEPTED.name}")
    arguments = parser.parse_args()
    reason = _cannot()
    if reason:
        print(f"instructions: skipped, {reason}")
        return
    with backend.override("native", ISA):
        compiler = backend.config()["compiler"]
    accepted, found = json.loads(ACCEPTED.read_text()), count()
    if arguments.accept:
        ACCEPTED.write_text(json.dumps(dict(sorted((accepted | {compiler: found}).items())), indent=2) + "\n")
        print(f"instructions: {found:,} a step are accepted for {compiler}")
    else:
        sys.exit(check(found, accepted.get(compiler), compiler))


if __name__ == "__main__":
    main()
