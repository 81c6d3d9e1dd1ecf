"""Steps of several processes, and what their number would bring on many machines.

    mpirun -n 2 python -m benchmarks.ranks

Prints three tables in Markdown: seconds of an exchange of gradients, and of a step of one process and of all ranks, as
measured here with one thread per rank; and the rows/s that a model of these parts predicts for 1 to 1,024 machines.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import fastgd as gd
from fastgd.parallel import Group

WIDTHS = {"64-64-10": (64, 64, 10), "784-128-10": (784, 128, 10), "784-512-512-10": (784, 512, 512, 10)}
BATCHES = (256, 1024)  # rows of a step of all ranks
ROWS = (32, 64, 128, 256, 512, 1024)  # of a step of one process, from which the cost per row is found
EXCHANGED = (1_000, 10_000, 100_000, 669_706)  # float32 values
NODES = (1, 2, 4, 16, 64, 256, 1024)
SMALL = 1 << 16  # bytes up to which vectors are exchanged whole: `parallel.group`


@dataclass(frozen=True)
class Network:
    """What connects machines.

    Attributes
    ----------
    latency : float
        Seconds of a message without data.
    bandwidth : float
        Bytes per second.
    """

    name: str
    latency: float
    bandwidth: float

    def seconds(self, nodes: int, size: int) -> float:
        """Of an exchange of `size` bytes: whole vectors by recursive doubling, or slices and then a ring of sums."""
        if nodes == 1:
            return 0.0
        if size <= SMALL:
            return math.ceil(math.log2(nodes)) * self.latency + (nodes - 1) * size / self.bandwidth
        return nodes * self.latency + 2 * (nodes - 1) / nodes * size / self.bandwidth


NETWORKS = (Network("10 Gbit/s, 20 us", 20e-6, 1.25e9), Network("100 Gbit/s, 2 us", 2e-6, 12.5e9))


def median_seconds(function: Callable[[], Any], rounds: int = 7, seconds: float = 0.2) -> float:
    """Of a call, from rounds of about as many seconds; the number of calls is that of the first rank."""
    function()
    began = time.perf_counter()
    function()
    calls = max(1, int(seconds / (time.perf_counter() - began)))
    calls = COMM.bcast(calls)
    times = []
    for _ in range(rounds):
        COMM.Barrier()
        began = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - began) / calls)
    return median(times)


def exchange_seconds(size: int) -> float:
    """Of one sum of float32 vectors over all ranks."""
    group = Group(COMM)
    out, part = np.empty(size, np.float32), np.ones(size, np.float32)
    return median_seconds(lambda: group.sum(np.zeros(2), {node: part.copy() for node in group.nodes()}, out))


def step_seconds(widths: tuple[int, ...], batch: int, comm: Any) -> float:
    """Of one step of `batch` rows, by one process or by the ranks of `comm`."""
    ranks = 1 if comm is None else comm.Get_size()
    rng = np.random.default_rng(0)
    X = rng.standard_normal((max(4096, batch) // ranks, widths[0]), np.float32)
    y = np.arange(len(X)) % widths[-1]
    model = gd.MLP(*widths, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer="sgd", batch_size=batch, comm=comm, n_threads=1)
    steps = len(X) * ranks // batch
    return median_seconds(lambda: trainer.fit(X, y, epochs=4, verbose=0), rounds=5) / (4 * steps)


def cost_of_rows(widths: tuple[int, ...]) -> tuple[float, float]:
    """Seconds of a step of a rank, besides the exchange, as a + b rows: by least squares of relative errors."""
    times = np.array([step_seconds(widths, rows, COMM_SELF) for rows in ROWS])
    A = np.column_stack([np.ones(len(ROWS)), ROWS]) / times[:, np.newaxis]
    a, b = np.linalg.lstsq(A, np.ones(len(ROWS)), rcond=None)[0]
    return max(float(a), 0.0), float(b)


def measured() -> Iterator[str]:
    """The lines of the tables of what is measured."""
    yield f"| values | an exchange of {COMM.size} ranks |"
    yield "|---:|---:|"
    for size in EXCHANGED:
        yield f"| {size:,} | {exchange_seconds(size) * 1e6:,.0f} us |"
    yield ""
    yield f"| network | batch size | one process | {COMM.size} ranks | ratio |"
    yield "|---|---:|---:|---:|---:|"
    for name, widths in WIDTHS.items():
        for batch in BATCHES:
            one, all_ranks = step_seconds(widths, batch, None), step_seconds(widths, batch, COMM)
            yield f"| {name} | {batch:,} | {one * 1e6:,.0f} us | {all_ranks * 1e6:,.0f} us | {one / all_ranks:.2f} |"


def modelled(name: str = "784-512-512-10", rows: int = 256) -> Iterator[str]:
    """The lines of the table of the model: millions of rows/s, with this many rows on each machine in a step."""
    widths = WIDTHS[name]
    a, b = cost_of_rows(widths)
    size = 4 * gd.MLP(*widths, seed=0).theta.size
    local = exchange_seconds(size // 4)
    columns = [f"{network.name}{every}" for network in NETWORKS for every in ("", ", 16 local steps")]
    yield f"| machines | rows of a step | {' | '.join(columns)} |"
    yield "|---:|---:|" + "---:|" * len(columns)
    for nodes in NODES:
        cells = []
        for network in NETWORKS:
            compute, exchange = a + b * rows, 0.0 if nodes == 1 else local + network.seconds(nodes, size)
            cells += [nodes * rows / (compute + exchange / steps) for steps in (1, 16)]
        yield f"| {nodes:,} | {nodes * rows:,} | {' | '.join(f'{cell / 1e6:.2f}' for cell in cells)} |"


def main() -> None:
    """Print the tables on the first rank."""
    for line in (*measured(), "", *modelled()):
        if COMM.rank == 0:
            print(line, flush=True)


if __name__ == "__main__":
    from mpi4py import MPI

    COMM, COMM_SELF = MPI.COMM_WORLD, MPI.COMM_SELF
    main()
