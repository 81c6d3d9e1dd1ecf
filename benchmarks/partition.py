"""python -m benchmarks.partition: what each of many cores would compute, by the engine's own choice; a simulation.

The engine says how it divides a step: `model.plan(batch, n_threads)`. `phases` models what csrc/engine/train.h does
with that, including the barrier after each phase; if it changes there, only that function changes here. A core is one
of those that were measured: its multiply-adds, its L2, its share of memory. A phase lasts as long as the thread with
most work: its operations, or its bytes if they take longer; a relay, until the last thread has added its rows to the
last band of sums. Not modelled: whatever cores share (L3, clocks, memory of several sockets), and how efficient a
kernel is on few rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import fastgd as gd
from fastgd.engine.plan import Plan

from . import machine
from .summary import microseconds, table
from .workloads import WORKLOADS, Workload

CORES = (1, 2, 4, 16, 64, 128)
REAL = 4  # bytes
L2_BYTES = 1 << 20  # of a core, if the system does not say

# Assumed, because few cores cannot show it: the counter of a barrier moves from core to core, one after the other, and
# that of the bands that a thread has passed on to the next one.
SECONDS_PER_ARRIVAL = 60e-9

# Of csrc/engine/relay.h: layers of at most that many outputs are one band; a thread has at least so many tiles of rows,
# and bands for each thread that waits for its first one.
SMALL_N, MIN_TILES, MIN_BANDS = 4, 4, 4

Part = tuple[int, int]  # rows and columns of a product that one thread computes


def _part(count: int, rank: int, size: int) -> int:
    """The share of thread `rank` of `size` in `count` items."""
    return count * (rank + 1) // size - count * rank // size


@dataclass(frozen=True)
class Split:
    """How threads divide a step; `csrc/engine/partition.h` in Python.

    Attributes
    ----------
    threads : int
    row_groups, columns : int
        Groups of threads with the same rows, and threads of a group, each of which computes other columns of a product;
        threads that are left over have no rows.
    panel : int
        Columns that are not divided further.
    tile : int, default=0
        Rows of a product that are not divided further; 0 if threads never relay a gradient.
    """

    threads: int
    row_groups: int
    columns: int
    panel: int
    tile: int = 0

    def of_product(self, m: int, n: int) -> list[Part]:
        """The parts of a product (m, n) of forward or backward."""
        return self._parts(m, n, self.row_groups, self.columns)

    def of_gradient(self, m: int, n: int) -> list[Part]:
        """The parts of a gradient (m, n) that is applied at once, as in plain gradient descent."""
        grid = (self.row_groups, self.columns) if self.columns > 1 else self._grid_of_gradient(m, n)
        if self._panels(n) % grid[1]:
            grid = self.threads, 1
        return self._parts(m, n, *grid)

    def bands(self, m: int, n: int) -> list[Part]:
        """The parts of a gradient (m, n) that threads pass on one after the other."""
        count = 1 if n <= SMALL_N else -(-m // self.tile)
        return [(_part(m, band, count), n) for band in range(count)]

    def relays(self, workload: Workload) -> bool:
        """Whether threads pass on the sums of gradients instead of reading what others computed for their rows."""
        own = workload.batch // self.threads
        if self.threads == 1 or self.columns > 1 or not self.tile or own < MIN_TILES * self.tile:
            return False
        passed = read = bands = 0
        for m, n in gradients(workload):
            row_groups, columns = self._grid_of_gradient(m, n)
            passed += 2 * m * n
            read += (workload.batch - own) * (m // row_groups + n // columns)
            bands += len(self.bands(m, n))
        return passed < read and bands >= MIN_BANDS * (self.threads - 1)

    def _panels(self, n: int) -> int:
        return -(-n // self.panel)

    def _grid_of_gradient(self, m: int, n: int) -> tuple[int, int]:
        """Row groups and columns with which a thread reads the fewest elements per row of the batch."""
        even = [c for c in range(1, self.threads + 1) if self.threads % c == 0 and self._panels(n) % c == 0]
        grids = [(self.threads // columns, columns) for columns in even]
        return min(grids, key=lambda grid: m // grid[0] + n // grid[1])

    def _parts(self, m: int, n: int, row_groups: int, columns: int) -> list[Part]:
        ends = [min(n, self.panel * (self._panels(n) * rank // columns)) for rank in range(columns + 1)]
        widths = [end - start for start, end in zip(ends, ends[1:], strict=False)]
        parts = [(_part(m, group, row_groups), width) for group in range(row_groups) for width in widths]
        return parts + [(0, 0)] * (self.threads - len(parts))


def gradients(workload: Workload) -> list[Part]:
    """The shape of each dW, with that of b as its last row."""
    return [(n_in + 1, n_out) for n_in, n_out in zip(workload.widths, workload.widths[1:], strict=False)]


def plan_of(workload: Workload, threads: int) -> Plan:
    """How the engine would execute a step."""
    return gd.MLP(*workload.widths, dtype=workload.dtype).plan(workload.batch, threads)


def engine_split(workload: Workload, threads: int) -> Split:
    """The engine's own choice."""
    plan = plan_of(workload, threads)
    row_groups, columns = plan.grid or (threads, 1)
    tile, panel = plan.tile or (0, 1)
    return Split(threads, row_groups, columns, panel, tile)


def by_rows(workload: Workload, threads: int) -> Split:
    """What it would be if threads divided only rows."""
    return Split(threads, threads, 1, max(workload.widths))


@dataclass
class Load:
    """The work of one thread in a phase, or in a step."""

    flops: float = 0
    bytes: float = 0

    def add(self, m: int, n: int, k: int, extra: float = 0) -> None:
        """Add a product (m, n) over k: its operations; both factors are read, the result is written."""
        if m and n:
            self.flops += 2.0 * m * n * k
            self.bytes += REAL * (m * k + k * n + m * n + extra)

    def seconds(self, core: "Core") -> float:
        """At the core's speed; bytes that fit into its L2 come from there."""
        rate = core.l2 if self.bytes <= core.l2_bytes else core.memory
        return max(self.flops / core.flops, self.bytes / rate)


@dataclass(frozen=True)
class Core:
    """Of one core, per second: operations; bytes from and to its L2 and memory. And the bytes that its L2 holds.

    What a phase reads and writes beyond its L2 comes from memory.
    """

    flops: float
    l2: float
    memory: float
    l2_bytes: int = L2_BYTES


@dataclass
class Phase:
    """The load of each thread, and how many threads wait for each other at its end; 0: for nobody."""

    loads: list[Load]
    waiting: int

    def seconds(self, core: Core) -> float:
        """Until all threads have done their part and waited."""
        return self._busy(core) + self.waiting * SECONDS_PER_ARRIVAL

    def _busy(self, core: Core) -> float:
        return max(load.seconds(core) for load in self.loads)


@dataclass
class Relay(Phase):
    """The load of each thread is also divided into bands, each of which the thread before it has to pass on."""

    bands: list[list[Load]]

    def _busy(self, core: Core) -> float:
        passed = [0.0] * len(self.bands[0])
        for loads in self.bands:
            now = 0.0
            for band, load in enumerate(loads):
                now = max(now, passed[band]) + load.seconds(core)
                passed[band] = now + SECONDS_PER_ARRIVAL
        return now


def phases(workload: Workload, split: Split) -> Iterator[Phase]:
    """A step: a thread's own rows need no others up to the loss and back; a row group waits after each product."""
    layers = list(zip(workload.widths, workload.widths[1:], strict=False))
    forward = [(workload.batch, n_out, n_in) for n_in, n_out in layers]
    back = [(workload.batch, n_in, n_out) for n_in, n_out in layers[:0:-1]]
    groups = [forward + back] if split.columns == 1 else [[product] for product in forward + back]
    team = split.threads if split.threads > 1 else 0
    relays = split.relays(workload)
    for number, group in enumerate(groups, 1):
        loads = [Load() for _ in range(split.threads)]
        for m, n, k in group:
            for load, (rows, columns) in zip(loads, split.of_product(m, n), strict=True):
                load.add(rows, columns, k)
        is_last = number == len(groups)
        yield Phase(loads, split.columns if not is_last else 0 if relays else team)
    yield relay(workload, split) if relays else updates(workload, split)


def updates(workload: Workload, split: Split) -> Phase:
    """Each thread takes a part of every dW, over all rows."""
    loads = [Load() for _ in range(split.threads)]
    for gradient in gradients(workload):
        for load, (rows, columns) in zip(loads, split.of_gradient(*gradient), strict=True):
            load.add(rows, columns, workload.batch, rows * columns)  # theta is read where it is written
    return Phase(loads, split.threads if split.threads > 1 else 0)


def relay(workload: Workload, split: Split) -> Relay:
    """Each thread adds its rows to every band of dW, and passes it on; the last one updates theta."""
    total, in_bands = [], []
    for rank in range(split.threads):
        own = _part(workload.batch, rank, split.threads)
        loads = []
        for gradient in gradients(workload):
            for rows, columns in split.bands(*gradient):
                sums = rows * columns * ((rank > 0) + (rank == split.threads - 1))  # received; theta
                loads.append(Load())
                loads[-1].add(rows, columns, own, sums)
        in_bands.append(loads)
        total.append(Load(sum(load.flops for load in loads), sum(load.bytes for load in loads)))
    return Relay(total, split.threads, in_bands)


def started(workload: Workload, cores: int) -> int:
    """Threads that the engine would start on a machine with that many cores."""
    min_flops = plan_of(workload, cores).min_flops
    return max(1, min(cores, int(2 * workload.batch * workload.size / min_flops))) if min_flops else cores


@dataclass(frozen=True)
class Prediction:
    """A step on some threads."""

    split: Split
    barriers: int
    flops: float  # of the busiest thread
    balance: float  # mean operations of a thread / flops
    bytes: float  # of the thread that moves most
    seconds: float


def predict(workload: Workload, split: Split, core: Core) -> Prediction:
    """Simulate a step of this workload."""
    steps = list(phases(workload, split))
    busiest = sum(max(load.flops for load in phase.loads) for phase in steps)
    total = sum(load.flops for phase in steps for load in phase.loads)
    moved = max(sum(phase.loads[rank].bytes for phase in steps) for rank in range(split.threads))
    seconds = sum(phase.seconds(core) for phase in steps)
    barriers = sum(phase.waiting > 0 for phase in steps)
    return Prediction(split, barriers, busiest, total / split.threads / busiest, moved, seconds)


HEAD = """# Many cores

What each thread would compute on 4, 16, 64 and 128 cores: **a simulation**, because the measurements of
[README.md](README.md) are from {cpus} cores. [partition.py](../../../benchmarks/partition.py) divides a step as the
engine says that it would, and adds up operations and bytes: groups of rows go through the network up to the loss and
back, each on one thread or, where rows are few, on several threads that compute different columns of every product and
wait for each other after each; a barrier; rows or columns of every dW; a barrier. Where rows are many and weights few,
threads relay every dW instead, without the first barrier: each adds its rows to the sums that the one before passes on,
a band at a time. A core is assumed to do {flops:.0f} GFLOP/s, to move {l2:.0f} GB/s from and to its L2 of {size:.0f} MB
and {memory:.0f} GB/s from and to memory, as a single one of {cpu} does. A phase lasts as long as its busiest thread, a
relay until the last thread has added its rows to the last band. A barrier is *assumed* to cost {arrival:.0f} ns per
arriving thread, a band that is passed on as much. Not modelled: what cores share (memory, L3, clocks), how slowly
lines arrive that another core has just written, of which a relay needs fewer, and that its threads begin the next step
while the last one still updates theta.

- *threads*: how many the engine starts; each needs some {min_flops:,.0f} operations in a phase.
- *grid*: row groups x threads per group, and whether they relay; *barriers*: per step, including those within a row
  group.
- *busiest*: operations and bytes of the busiest thread; *balance*: the mean relative to the busiest.
- *speed-up* over one thread; *efficiency*: that divided by the number of threads; *by rows*: the speed-up if threads
  divided only rows.
"""


def report(results: dict[str, Any]) -> str:
    """docs/performance/<cpu>/many-cores.md.

    Parameters
    ----------
    results : dict
        Of one CPU: its limits, and its training section, to be compared with where it can be.
    """
    flops, bandwidth = results["limits"]["fma"]["float32"], results["limits"]["bandwidth"]
    l2_bytes = results["machine"]["caches"].get("L2", L2_BYTES)
    core = Core(1e9 * flops["1"], 1e9 * bandwidth["L2"]["1"], 1e9 * bandwidth["memory"]["1"], l2_bytes)
    min_flops = plan_of(WORKLOADS["tiny"], 1).min_flops
    head = HEAD.format(cpu=results["machine"]["cpu"], cpus=max(flops, key=int), flops=core.flops / 1e9,
                       l2=core.l2 / 1e9, memory=core.memory / 1e9, arrival=SECONDS_PER_ARRIVAL * 1e9,
                       min_flops=min_flops, size=core.l2_bytes / 2**20)  # fmt: skip
    lines = [head.strip()]
    for workload in WORKLOADS.values():
        lines += [f"\n## {workload.title}\n", *table(_header(), _rows(workload, core, results.get("training", {})))]
    return "\n".join(lines) + "\n"


def _header() -> tuple[str, ...]:
    work = ("cores", "threads", "grid", "barriers", "busiest, MFLOP", "busiest, MB", "balance")
    return (*work, "µs", "measured µs", "speed-up", "efficiency", "speed-up by rows")


def _rows(workload: Workload, core: Core, measured: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    alone = predict(workload, engine_split(workload, 1), core)
    runs = measured.get(workload.name, {}).get("runs", {})
    for cores in CORES:
        threads = started(workload, cores)
        one = predict(workload, engine_split(workload, threads), core)
        rows_only = predict(workload, by_rows(workload, threads), core)
        run = runs.get(f"fastgd/{cores}", {}).get("seconds")
        speed_up = alone.seconds / one.seconds
        yield (
            str(cores),
            str(threads),
            f"{one.split.row_groups} x {one.split.columns}" + ", relay" * one.split.relays(workload),
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
    limits = {"fma": machine.fma_limits(), "bandwidth": machine.bandwidth_limits()}
    print(report({"machine": machine.describe(), "limits": limits}), end="")


if __name__ == "__main__":
    main()
