"""Steps of two ranks on two hosts with a latency between them.

    PYTHONPATH=tests/helpers python -m benchmarks.latency

Prints a table in Markdown: milliseconds of a step of 64-64-10 with 256 rows, with an exchange after each step or
after 16, for latencies of 0, 1 and 5 ms.  The hosts are network namespaces of this machine; needs root on Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import fastgd as gd

LATENCIES, LOCAL_STEPS, WIDTHS, BATCH, STEPS, ROUNDS = (0.0, 0.001, 0.005), (1, 16), (64, 64, 10), 256, 32, 3


def measure_rank() -> None:
    """On each rank: print seconds of a step for each number of local steps, on the first."""
    from mpi4py import MPI

    comm, found = MPI.COMM_WORLD, []
    X = np.random.default_rng(0).standard_normal((BATCH * STEPS // comm.size, WIDTHS[0]), np.float32)
    y = np.arange(len(X)) % WIDTHS[-1]
    for local_steps in LOCAL_STEPS:
        trainer = gd.Trainer(
            gd.MLP(*WIDTHS, seed=0), loss="cross_entropy", optimizer="sgd", batch_size=BATCH, comm=comm, n_threads=1
        )
        trainer.local_steps = local_steps
        times = []
        for _ in range(ROUNDS):
            comm.Barrier()
            began = time.perf_counter()
            trainer.fit(X, y, epochs=4, verbose=0)
            times.append((time.perf_counter() - began) / (4 * STEPS))
        found.append(median(times))
    if comm.rank == 0:
        print(*found)


def main() -> None:
    """Print the table."""
    from hosts import two_hosts

    print("| from one host to the other | an exchange after each step | after 16 steps |")
    print("|---:|---:|---:|")
    for latency in LATENCIES:
        with tempfile.TemporaryDirectory() as folder, two_hosts(Path(folder), latency) as hosts:
            command = hosts.mpirun(sys.executable, "-m", "benchmarks.latency", "rank")
            limited = os.environ | {"FASTGD_RANK_TIMEOUT": "30"}  # no rank outlives the others
            text = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=limited, timeout=120
            ).stdout
        cells = " | ".join(f"{1e3 * float(seconds):.2f} ms" for seconds in text.split())
        print(f"| {1e3 * latency:g} ms | {cells} |")


if __name__ == "__main__":
    measure_rank() if sys.argv[1:] == ["rank"] else main()
