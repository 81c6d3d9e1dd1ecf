"""python -m benchmarks.partition: what each of many cores would get to do, by the engine's own choice; a simulation.

How a step is shared is asked of the engine, `model.plan(batch, n_threads).grid`; what csrc/engine/train.h does with
that, a barrier after each phase included, is in `phases`, and if it changes there, that function changes and nothing
else here.
A core is one of those that were measured: its multiply-adds, its L2, its share of memory.  A phase lasts as long as the
thread with most to do: its operations, or its bytes if they take longer.  Not modelled: whatever cores share (L3,
clocks, memory of several sockets); how well a kernel does on few rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import fastgd as gd
from fastgd.layers.stack import table

from . import machine
from .summary import microseconds
from .workloads import WORKLOADS, Workload

CORES = (1, 2, 16, 64, 128)
REAL = 4  # bytes
NARROW = 4  # outputs whose gradient is computed transposed: SMALL_N in csrc/engine/gradient.h
L2_BYTES = 1 << 20  # of a core; what a phase reads and writes beyond it comes from memory

# Assumed, for few cores cannot show it: the counter of a barrier moves from core to core, one after the other.
SECONDS_OF_ARRIVAL = 60e-9

Part = tuple[int, int]  # rows and columns of a product that are one thread's


def _share(count: int, part: int, parts: int) -> int:
    """How many of `count` things are those of thread `part`: as in csrc/kernels/range.h."""
    return count * (part + 1) // parts - count * part // parts


@dataclass(frozen=True)
class Split:
    """How threads share a step: as csrc/engine/partition.h does.

    bands, columns : int
        Bands of rows, and the threads of each, which make other columns of a product; a thread beyond them has none.
    panel : int
        Columns that are not shared out further.
    """

    threads: int
    bands: int
    columns: int
    panel: int

    def of_pass(self, m: int, n: int) -> list[Part]:
        """The parts of a product (m, n) of forward or back."""
        return self._parts(m, n, self.bands, self.columns)

    def of_update(self, m: int, n: int) -> list[Part]:
        """The parts of a gradient (m, n), as a plain descent has it."""
        bands, columns = (self.bands, self.columns) if self.columns > 1 else self._grid_of_block(m, n)
        if n <= NARROW or self._panels(n) % columns:
            bands, columns = self.threads, 1
        return self._parts(m, n, bands, columns)

    def _panels(self, n: int) -> int:
        return -(-n // self.panel)

    def _grid_of_block(self, m: int, n: int) -> tuple[int, int]:
        """Bands and columns by which a thread reads the fewest numbers of a row of the batch."""
        even = [c for c in range(1, self.threads + 1) if self.threads % c == 0 and self._panels(n) % c == 0]
        grids = [(self.threads // columns, columns) for columns in even]
        return min(grids, key=lambda grid: m // grid[0] + n // grid[1])

    def _parts(self, m: int, n: int, bands: int, columns: int) -> list[Part]:
        ends = [min(n, self.panel * (self._panels(n) * part // columns)) for part in range(columns + 1)]
        widths = [end - start for start, end in zip(ends, ends[1:], strict=False)]
        parts = [(_share(m, band, bands), width) for band in range(bands) for width in widths]
        return parts + [(0, 0)] * (self.threads - len(parts))


def engines_split(workload: Workload, threads: int) -> Split:
    """The engine's own choice."""
    plan = gd.MLP(*workload.widths, dtype=workload.dtype).plan(workload.batch, threads)
    bands, columns = plan.grid or (threads, 1)
    return Split(threads, bands, columns, plan.tile[1] if plan.tile else 1)


def by_rows(workload: Workload, threads: int) -> Split:
    """What it would be if threads shared rows only."""
    return Split(threads, threads, 1, max(workload.widths))


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


@dataclass
class Phase:
    """The load of each thread, and how many wait for each other at its end."""

    loads: list[Load]
    waiting: int


def phases(workload: Workload, split: Split) -> Iterator[Phase]:
    """A step: rows that are a thread's own need no others up to the loss and back; a band waits after each product."""
    layers = list(zip(workload.widths, workload.widths[1:], strict=False))
    forward = [(workload.batch, n_out, n_in) for n_in, n_out in layers]
    back = [(workload.batch, n_in, n_out) for n_in, n_out in layers[:0:-1]]
    groups = [forward + back] if split.columns == 1 else [[product] for product in forward + back]
    for number, group in enumerate(groups, 1):
        loads = [Load() for _ in range(split.threads)]
        for m, n, k in group:
            for load, (rows, columns) in zip(loads, split.of_pass(m, n), strict=True):
                load.add(rows, columns, k)
        yield Phase(loads, split.threads if number == len(groups) else split.columns)
    loads = [Load() for _ in range(split.threads)]
    for n_in, n_out in layers:
        for load, (rows, columns) in zip(loads, split.of_update(n_in + 1, n_out), strict=True):
            load.add(rows, columns, workload.batch, rows * columns)  # theta is read where it is written
    yield Phase(loads, split.threads)


def least_flops() -> float:
    """Operations of a phase that are worth a thread, as csrc/engine/tuner.h says."""
    text = (Path(__file__).resolve().parents[1] / "csrc" / "engine" / "tuner.h").read_text()
    [least] = re.findall(r"^#define MIN_FLOPS_OF_PHASE (\S+)", text, re.MULTILINE)
    return float(least)


def started(workload: Workload, cores: int) -> int:
    """Threads that the engine would start."""
    return max(1, min(cores, int(2 * workload.batch * workload.size / least_flops())))


@dataclass(frozen=True)
class Prediction:
    """Of one step on some threads."""

    split: Split
    barriers: int
    flops: float  # of the thread that has most to do
    balance: float  # mean operations of a thread / flops
    bytes: float  # of the thread that moves most
    seconds: float


def predict(workload: Workload, split: Split, core: Core) -> Prediction:
    """What a step of this workload would be."""
    steps = list(phases(workload, split))
    most = sum(max(load.flops for load in phase.loads) for phase in steps)
    total = sum(load.flops for phase in steps for load in phase.loads)
    moved = max(sum(phase.loads[part].bytes for phase in steps) for part in range(split.threads))
    seconds = sum(max(load.seconds(core) for load in phase.loads) for phase in steps)
    if split.threads > 1:
        seconds += sum(phase.waiting for phase in steps) * SECONDS_OF_ARRIVAL
    barriers = len(steps) if split.threads > 1 else 0
    return Prediction(split, barriers, most, total / split.threads / most, moved, seconds)


HEAD = """# Many cores

What each thread would get to do on 16, 64 and 128 cores: **a simulation**, for the measurements of
[README.md](README.md) are of {cpus} cores. [partition.py](../../benchmarks/partition.py) shares out one step as the
engine says that it would, and adds up operations and bytes: bands of rows go through the network up to the loss and
back, each by one thread, or where rows are few by several that make other columns of every product and wait for each
other after each; a barrier; rows or columns of every dW; a barrier. A core is taken to do {flops:.0f} GFLOP/s,
{near:.0f} GB/s from and to its L2 and {far:.0f} GB/s from and to memory, as one alone does here; a phase lasts as long
as its busiest thread. A barrier is *assumed* to cost {arrival:.0f} ns for each thread that arrives. Not modelled is
what cores share: memory, L3, clocks.

- *threads*: how many the engine starts; each must have some {least:,.0f} operations to do in a phase.
- *grid*: bands of rows x threads of each; *barriers*: of a step, those of a band included.
- *busiest*: operations and bytes of the thread with most to do; *balance*: the mean over the busiest.
- *speed-up* over one thread; *efficiency*: that, over the threads started; *by rows*: the speed-up if threads shared
  rows only.
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
    work = ("cores", "threads", "grid", "barriers", "busiest, MFLOP", "busiest, MB", "balance")
    return (*work, "µs", "measured µs", "speed-up", "efficiency", "speed-up by rows")


def _rows(workload: Workload, core: Core, measured: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    alone = predict(workload, engines_split(workload, 1), core)
    runs = measured.get(workload.name, {}).get("runs", {})
    for cores in CORES:
        threads = started(workload, cores)
        one = predict(workload, engines_split(workload, threads), core)
        rows_only = predict(workload, by_rows(workload, threads), core)
        run = runs.get(f"fastgd/{cores}", {}).get("seconds")
        speed_up = alone.seconds / one.seconds
        yield (
            str(cores),
            str(threads),
            f"{one.split.bands} x {one.split.columns}",
            str(one.barriers),
            f"{one.flops / 1e6:.3g}",
            f"{one.bytes / 1e6:.3g}",
            f"{one.balance:.0%}",
            microseconds(one.seconds),
            microseconds(median(run)) if run else "",
            f"{speed_up:.1f}",
            f"{speed_up / threads:.0%}",
            f"{alone.seconds / rows_only.seconds:.1f}",
        )


def main() -> None:
    print(report(machine.limits()), end="")


if __name__ == "__main__":
    main()
