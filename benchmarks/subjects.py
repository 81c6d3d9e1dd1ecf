"""What the pages show of a CPU, subject by subject: rows of a table, with one cell per CPU."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import bf16, late, real
from .summary import Best, Result, best, fastest_peer, fixed_team, microseconds, paired, share, table, times
from .targets import targets

Rows = dict[str, str]  # cells by the first column

MISSING = "–"


@dataclass(frozen=True)
class Subject:
    """A section of a page.

    Attributes
    ----------
    title, text : str
        Heading and introduction, Markdown.
    tables : dict
        Functions that return the rows for one CPU, by the header of the first column.
    after : str
        Text below the tables.
    """

    title: str
    text: str
    tables: dict[str, Callable[[Result], Rows]]
    after: str = ""

    def lines(self, cpus: dict[str, Result]) -> Iterator[str]:
        """Markdown, with a column for each CPU; nothing if none of them has been measured."""
        found = {header: {cpu: rows(one) for cpu, one in cpus.items()} for header, rows in self.tables.items()}
        if not any(rows for columns in found.values() for rows in columns.values()):
            return
        yield from ("", f"## {self.title}", "", self.text.strip())
        for header, columns in found.items():
            labels = list(dict.fromkeys(label for rows in columns.values() for label in rows))
            if labels:
                cells = [(label, *(rows.get(label, MISSING) for rows in columns.values())) for label in labels]
                yield from ("", *table((header, *columns), cells))
        if self.after:
            yield from ("", self.after.strip())


def machine_rows(results: Result) -> Rows:
    """The machine, its limits, versions and dates."""
    facts, limits = results["machine"], results.get("limits", {})
    rows = {"CPU": facts["brand"], "cores": str(facts["cpus"]), "instruction set": facts["engine"].split(",")[0]}
    rows |= {"bfloat16 products by": facts["bf16"]} if "bf16" in facts else {}
    rows |= {f"{level} cache": _binary(size) for level, size in facts["caches"].items()}
    for dtype, rates in limits.get("fma", {}).items():
        rows[f"peak, {dtype}, GFLOP/s on {' / '.join(rates)} cores"] = " / ".join(f"{r:,.0f}" for r in rates.values())
    for level, rates in limits.get("bandwidth", {}).items():
        rows[f"{level}, GB/s on {' / '.join(rates)} cores"] = " / ".join(f"{r:,.0f}" for r in rates.values())
    dates = sorted(how["date"][:10] for how in results["measured"].values())
    commits = dict.fromkeys(how["commit"] for how in results["measured"].values() if how["commit"])
    rows["measured"] = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    rows["fastgd"] = f"{facts['versions']['fastgd']} ({', '.join(commits)})"
    return rows


def _binary(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} kB"


def target_rows(results: Result) -> Rows:
    """Measured values and targets; those missed are in bold."""
    rows = {}
    for one in targets(results):
        rows[one.what] = f"{one.reached if one.is_met else f'**{one.reached}**'} ({one.target})"
    return rows


def _fastgd(section: Result) -> Iterator[tuple[Result, Best]]:
    for race in section.values():
        if "fastgd" in best(race):
            yield race, best(race)["fastgd"]


def speed_rows(results: Result) -> Rows:
    return _factors(results.get("training", {}))


def double_rows(results: Result) -> Rows:
    return _factors(results.get("float64", {}))


def _factors(section: Result) -> Rows:
    return {race["title"]: _factor(race, ours) for race, ours in _fastgd(section)}


def _factor(race: Result, ours: Best) -> str:
    """1.46x (JAX, epochs in one jit)."""
    peer = fastest_peer(race)
    return f"{times(peer.seconds / ours.seconds)} ({peer.label})" if peer else MISSING


def eager_rows(results: Result) -> Rows:
    races = _fastgd(results.get("training", {}))
    return {
        race["title"]: times(best(race)["torch"].seconds / ours.seconds)
        for race, ours in races
        if "torch" in best(race)
    }


def avx2_rows(results: Result) -> Rows:
    """The AVX2 engine on a CPU that has AVX-512, against peers that use AVX-512."""
    section = results.get("training", {})
    return {
        race["title"]: _factor(race, best(race)["fastgd-avx2"])
        for race, _ in _fastgd(section)
        if "fastgd-avx2" in best(race)
    }


def time_rows(results: Result) -> Rows:
    """µs per step, and the share of the peak."""
    races = _fastgd(results.get("training", {}))
    return {race["title"]: f"{microseconds(ours.seconds)} µs, {share(race, ours.seconds):.0%}" for race, ours in races}


def bf16_rows(results: Result) -> Rows:
    """How many times faster steps and predictions in bf16 are than the fastest peer with float32 weights."""
    return {what: cells[2] for what, *cells in bf16.rows(results.get("bf16", {}))}


def core_rows(results: Result) -> Rows:
    """Speed-up over one thread by all threads, and by as many as fastgd chooses."""
    rows = {}
    for loads in results.get("cores", {}).values():
        idle = loads["idle"]
        all_threads, adaptive = paired(idle, "one", "all"), paired(idle, "one", "adaptive")
        rows[loads["title"]] = f"{all_threads:.2f}x, {adaptive:.2f}x"
    return rows


def load_rows(results: Result) -> Rows:
    """Time relative to one thread, where fewer CPUs are free."""
    rows = {}
    for load, text in (("busy", "one core busy"), ("confined", "confined to one core")):
        for loads in results.get("cores", {}).values():
            if load in loads:
                rows[f"{loads['title']}, {text}"] = f"{paired(loads[load], 'adaptive', 'one'):.2f}"
    return rows


def choice_rows(results: Result) -> Rows:
    """Time with as many threads as fastgd chooses, relative to the best number of threads."""
    rows = {}
    for loads in results.get("cores", {}).values():
        idle = loads["idle"]
        rows[loads["title"]] = f"{paired(idle, 'adaptive', fixed_team(idle)):.2f}"
    return rows


def fit_rows(results: Result) -> Rows:
    """The time of an epoch of `Trainer.fit`, relative to the engine's part of it."""
    rows = {}
    for name, found in results.get("fit", {}).items():
        if name.endswith("-first"):
            milliseconds = f"{found['first'] * 1e3:.3g} ms and {found['later'] * 1e3:.3g} ms"
            rows[f"{name.removesuffix('-first')}, first fit of a process and a later one, {found['epochs']} epochs"] = (
                milliseconds
            )
            continue
        for one in found:
            what = f"{name}, {one['epochs']} epoch{'s' * (one['epochs'] > 1)} per call"
            rows[what] = f"{microseconds(one['fit'])} µs, {one['ratio']:.2f}"
    return rows


def data_rows(problem: str) -> Callable[[Result], Rows]:
    """Seconds to the goal from the start of the process, from the first call, and epochs."""

    def rows(results: Result) -> Rows:
        runs = results.get("data", {}).get(problem, {}).get("runs", {})
        return {
            real.PROGRAMS[name]: f"{run['total']:.2f} s, {run['training']:.3g} s, {run['epochs']:.0f}"
            for name, run in runs.items()
            if "failed" not in run
        }

    return rows


def one_row_rows(results: Result) -> Rows:
    """µs to predict one row, and the fastest peer's."""
    calls = [call for call in results.get("predictions", {}).values() if call["rows"] == 1]
    return {f"one row, network of {call['network']}": _beside_peer(call) for call in calls if "fastgd" in best(call)}


def _beside_peer(race: Result) -> str:
    ours, peer = best(race)["fastgd"], fastest_peer(race)
    beside = f"; {peer.label}: {microseconds(peer.seconds)} µs" if peer else ""
    return f"{microseconds(ours.seconds)} µs{beside}"


def prediction_rows(results: Result) -> Rows:
    """Share of the peak, and the speed-up over the fastest peer."""
    rows = {}
    for call in results.get("predictions", {}).values():
        if call["rows"] > 1 and "fastgd" in best(call):
            ours, peer = best(call)["fastgd"].seconds, fastest_peer(call)
            beside = f", {times(peer.seconds / ours)}" if peer else ""
            rows[f"{call['rows']:,} rows, network of {call['network']}"] = f"{share(call, ours):.0%}{beside}"
    return rows


def growth_rows(what: str) -> Callable[[Result], Rows]:
    """Share of the peak, and the speed-up over the fastest peer, by width or batch."""

    def rows(results: Result) -> Rows:
        found = {}
        for size, race in results.get(what, {}).items():
            if "fastgd" in best(race):
                ours, peer = best(race)["fastgd"].seconds, fastest_peer(race)
                beside = f", {times(peer.seconds / ours)}" if peer else ""
                found[f"{int(size):,}"] = f"{share(race, ours):.0%}{beside}"
        return found

    return rows


def row_rows(results: Result) -> Rows:
    rows = results.get("rows", {}).get("fit", [])
    return {f"{row['rows']:,}": f"{row['seconds'] * 1e9:.0f} ns" for row in rows}


def late_rows(results: Result) -> Rows:
    stages = results.get("late", {})
    return {name: f"{one['ratio']:.2f}" for name, one in stages.items()}


def import_rows(results: Result) -> Rows:
    found: dict[str, Any] = results.get("footprints", {}).get("import", {})
    return {f"import {name}": f"{seconds * 1e3:,.0f} ms" for name, seconds in found.items()}


TARGETS = Subject(
    "Targets",
    "What was measured and, in parentheses, the target; misses are in bold. Targets for speed-up and share of peak "
    "differ by vendor, because the caches do.",
    {"": target_rows},
)
TRAINING = Subject(
    "Training",
    "A step is everything that a batch takes: gathering its rows, forward, loss, backward, update; in float32, with "
    "plain SGD unless stated. The tables say how many times faster fastgd is than the fastest Python peer of the same "
    "run (named in parentheses) and than eager PyTorch, and how long a step takes.",
    {"than the fastest peer": speed_rows, "than eager PyTorch": eager_rows, "time, and share of peak": time_rows},
)
DOUBLES = Subject(
    "float64 and AVX2",
    "The same in float64, and in float32 with fastgd restricted to AVX2 while its peers use whatever the CPU has:",
    {"float64, than the fastest peer": double_rows, "AVX2 engine, than the fastest peer": avx2_rows},
)
BF16 = Subject(
    "bfloat16",
    'Steps and predictions with `precision="bf16"` ([precision.md](../precision.md)): how many times faster they are '
    "than those of the fastest peer of any precision whose weights are float32.",
    {"": bf16_rows},
)
CORES = Subject(
    "The second core",
    "Speed-up over one thread: with all cores, and with as many threads as fastgd chooses while it trains.",
    {
        "all cores, chosen": core_rows,
        "time with the chosen threads, relative to the best fixed number": choice_rows,
        "time with the chosen threads, relative to one thread": load_rows,
    },
)
FIT = Subject(
    "`Trainer.fit`",
    "Time of an epoch, and that relative to the engine's part of it: *tiny* with 6,400 rows, and *digits* with 1,797 "
    "rows of which a fifth is validated after each epoch.",
    {"": fit_rows},
)
DATA = Subject(
    "Time to a goal on data",
    "Whole programs ([benchmarks/programs](../../benchmarks/programs)) that import a library, load the data, train, "
    "and predict the held-out rows after each epoch until they reach the goal: seconds from the start of the process, "
    "seconds from the first call that trains (which compiles what must be compiled), and epochs; medians over seeds. "
    "All have the same network, initial weights, optimizer, batch size and learning rate.",
    {f"{one.goal}: {one.title}": data_rows(name) for name, one in real.PROBLEMS.items()},
)
PREDICTION = Subject(
    "Prediction",
    "Time to predict one row, and share of peak and speed-up over the fastest peer for more of them:",
    {"": one_row_rows, "share of peak, speed-up": prediction_rows},
)
GROWTH = Subject(
    "Growth",
    "Share of peak and speed-up over the fastest peer by width and by batch; the time that `Trainer.fit` takes per row "
    "of a memory-mapped file of 64 uint8 columns (64-64-10, batch 32).",
    {
        "width n of n-n-10, batch 128": growth_rows("width"),
        "batch, 256-256-10": growth_rows("batch"),
        "rows of the data": row_rows,
    },
)
LATE = Subject(
    "Late epochs",
    "Time of an epoch when training has converged, relative to one early in the same training; where an optimizer's "
    f"memory of dead weights becomes denormal, CPUs slow down unless told otherwise. {late.HIDDEN} hidden units, batch "
    f"{late.BATCH}, one thread.",
    {"": late_rows},
)
IMPORTS = Subject(
    "Import",
    "In a fresh process, after NumPy, with a warm disk; of fastgd, until a model, trainer and optimizer can be made:",
    {"": import_rows},
)
