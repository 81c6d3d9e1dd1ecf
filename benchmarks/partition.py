"""python -m benchmarks.partition: what each of many cores would get to do, by the engine's own rule; a simulation.

The rule is `SPLITS[ENGINE]`: if csrc/train.h shares a step in another way, that function changes and nothing else here.
A core is one of those that were measured: its multiply-adds, its L2, its share of memory.  A phase lasts as long as the
thread with most to do: its operations, or its bytes if they take longer.  Not modelled: whatever cores share (L3,
clocks, memory of several sockets); how well a kernel does on few rows.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from . import machine
from .summary import microseconds, table
from .workloads import WORKLOADS, Workload

ENGINE = "rows"
CORES = (1, 2, 16, 64, 128)
REAL, VECTOR = 4, 16  # bytes; numbers of a vector
L2_BYTES = 1 << 20  # of a core; what a phase reads and writes beyond it comes from memory

# Assumed, for few cores cannot show it: the counter of a barrier moves from core to core, one after the other.
SECONDS_OF_ARRIVAL = 60e-9

Part = tuple[int, int]  # rows and columns of a product that are one thread's


def _share(count: int, part: int, parts: int) -> int:
    """How many of `count` things are those of thread `part`: as in csrc/gemm.h."""
    return count * (part + 1) // parts - count * part // parts


def by_rows(m: int, n: int, threads: int) -> list[Part]:
    """The parts of a product (m, n): each thread takes rows."""
    return [(_share(m, part, threads), n) for part in range(threads)]


def by_rows_and_columns(m: int, n: int, threads: int) -> list[Part]:
    """The same in a grid: the one whose largest part is smallest, and nearest to a square, which reads least.

    Columns are shared out in whole vectors.
    """
    vectors = -(-n // VECTOR)

    def largest(grid: Part) -> Part:
        rows, columns = -(-m // grid[0]), -(-vectors // grid[1])
        return rows * columns, rows + VECTOR * columns

    down, across = min(((r, threads // r) for r in range(1, threads + 1) if threads % r == 0), key=largest)
    ends = [min(n, VECTOR * (vectors * part // across)) for part in range(across + 1)]
    widths = [end - start for start, end in zip(ends, ends[1:], strict=False)]
    return [(_share(m, part, down), width) for part in range(down) for width in widths]


@dataclass(frozen=True)
class Split:
    """A rule; `is_row_wise`: a thread's rows need nobody else's up to the loss and back, so that is one phase."""

    parts: Callable[[int, int, int], list[Part]]
    is_row_wise: bool


SPLITS = {"rows": Split(by_rows, True), "rows and columns": Split(by_rows_and_columns, False)}


@dataclass
class Load:
    """What one thread does in one phase, or in a step."""

    flops: float = 0
    bytes: float = 0

    def add(self, m: int, n: int, k: int, extra: float = 0) -> None:
        """A product (m, n) over k: its operations; both factors are read, the result is written."""
        if m and n:
            self.flops += 2.0 * m * n * k
            self.bytes += REAL * (m * k + k * n + m * n + extra)

    def seconds(self, core: "Core") -> float:
        """At the core's speed; bytes that fit into its L2 come from there."""
        rate = core.near if self.bytes <= L2_BYTES else core.far
        return max(self.flops / core.flops, self.bytes / rate)


@dataclass(frozen=True)
class Core:
    """Of one core, a second: operations; bytes from and to its L2 and memory."""

    flops: float
    near: float
    far: float


def phases(workload: Workload, threads: int, split: Split) -> Iterator[list[Load]]:
    """The load of each thread in each phase of a step; a barrier ends a phase."""
    layers = list(zip(workload.widths, workload.widths[1:], strict=False))
    forward = [(workload.batch, n_out, n_in) for n_in, n_out in layers]
    back = [(workload.batch, n_in, n_out) for n_in, n_out in layers[:0:-1]]
    groups = [forward + back] if split.is_row_wise else [[product] for product in forward + back]
    for group in groups:
        yield _loads(group, threads, split, update=False)
    yield _loads([(n_in + 1, n_out, workload.batch) for n_in, n_out in layers], threads, split, update=True)


def _loads(products: list[tuple[int, int, int]], threads: int, split: Split, update: bool) -> list[Load]:
    """Of products (m, n, k); an update reads theta where it is written."""
    loads = [Load() for _ in range(threads)]
    for m, n, k in products:
        for load, (rows, columns) in zip(loads, split.parts(m, n, threads), strict=True):
            load.add(rows, columns, k, rows * columns if update else 0)
    return loads


def least_flops() -> float:
    """Operations of a phase that are worth a thread, as csrc/team.h says."""
    text = (Path(__file__).resolve().parents[1] / "csrc" / "team.h").read_text()
    [least] = re.findall(r"^#define FLOPS_OF_PHASE (\S+)", text, re.MULTILINE)
    return float(least)


def started(workload: Workload, cores: int) -> int:
    """Threads that the engine would start."""
    return max(1, min(cores, int(2 * workload.batch * workload.size / least_flops())))


@dataclass(frozen=True)
class Prediction:
    """Of one step on some threads."""

    threads: int
    barriers: int
    flops: float  # of the thread that has most to do
    balance: float  # mean operations of a thread / flops
    bytes: float  # of the thread that moves most
    seconds: float


def predict(workload: Workload, threads: int, split: Split, core: Core) -> Prediction:
    """What a step of this workload would be."""
    steps = list(phases(workload, threads, split))
    barriers = len(steps) if threads > 1 else 0
    most = sum(max(load.flops for load in loads) for loads in steps)
    total = sum(load.flops for loads in steps for load in loads)
    moved = max(sum(loads[part].bytes for loads in steps) for part in range(threads))
    seconds = sum(max(load.seconds(core) for load in loads) for loads in steps)
    seconds += barriers * threads * SECONDS_OF_ARRIVAL
    return Prediction(threads, barriers, most, total / threads / most, moved, seconds)


HEAD = """# Many cores

What each thread would get to do on 16, 64 and 128 cores: **a simulation**, for the measurements of
[README.md](README.md) are of {cpus} cores. [partition.py](../../benchmarks/partition.py) shares out one step by the
engine's own rule (each thread takes rows of the batch up to the loss and back; a barrier; rows of every dW; a barrier)
and adds up operations and bytes. A core is taken to do {flops:.0f} GFLOP/s, {near:.0f} GB/s from and to its L2 and
{far:.0f} GB/s from and to memory, as one alone does here; a phase lasts as long as its busiest thread. A barrier is
*assumed* to cost {arrival:.0f} ns for each thread that arrives. Not modelled is what cores share: memory, L3, clocks.

- *threads*: how many the engine starts; each must have some {least:,.0f} operations to do in a phase.
- *busiest*: operations and bytes of the thread with most to do; *balance*: the mean over the busiest.
- *speed-up* over one thread; *efficiency*: that, over the threads started. With *grid* each product would be shared by
  rows and columns: threads read less, but wait for each other after each product.
"""


def report(limits: dict[str, Any], measured: dict[str, Any] | None = None) -> str:
    """docs/performance/many-cores.md.

    Parameters
    ----------
    limits : dict
        Of one core, as of `machine.limits`.
    measured : dict or None
        The training section of results.json, to be compared with where it can be.
    """
    flops, bandwidth = limits["fma"]["float32"], limits["bandwidth"]
    core = Core(1e9 * flops["1"], 1e9 * bandwidth["L2"]["1"], 1e9 * bandwidth["memory"]["1"])
    head = HEAD.format(cpus=max(flops, key=int), flops=core.flops / 1e9, near=core.near / 1e9, far=core.far / 1e9,
                       arrival=SECONDS_OF_ARRIVAL * 1e9, least=least_flops())  # fmt: skip
    lines = [head.strip()]
    for workload in WORKLOADS.values():
        lines += [f"\n## {workload.title}\n", *table(_header(), _rows(workload, core, measured or {}))]
    return "\n".join(lines) + "\n"


def _header() -> tuple[str, ...]:
    work = ("cores", "threads", "barriers", "busiest, MFLOP", "busiest, MB", "balance")
    return (*work, "µs", "measured µs", "speed-up", "efficiency", "speed-up, grid")


def _rows(workload: Workload, core: Core, measured: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    alone = predict(workload, 1, SPLITS[ENGINE], core)
    runs = measured.get(workload.name, {}).get("runs", {})
    for cores in CORES:
        one = predict(workload, started(workload, cores), SPLITS[ENGINE], core)
        grid = predict(workload, one.threads, SPLITS["rows and columns"], core)
        run = runs.get(f"fastgd/{cores}", {}).get("seconds")
        speed_up = alone.seconds / one.seconds
        yield (
            str(cores),
            str(one.threads),
            str(one.barriers),
            f"{one.flops / 1e6:.3g}",
            f"{one.bytes / 1e6:.3g}",
            f"{one.balance:.0%}",
            microseconds(one.seconds),
            microseconds(median(run)) if run else "",
            f"{speed_up:.1f}",
            f"{speed_up / one.threads:.0%}",
            f"{alone.seconds / grid.seconds:.1f}",
        )


def main() -> None:
    print(report(machine.limits()), end="")


if __name__ == "__main__":
    main()
