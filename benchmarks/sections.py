"""The sections of the report: each has parts that can be measured one at a time, and return plain values for JSON."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import bf16, cores, fits, footprint, fresh, late, loops, machine, phases, populations, real, rounds, sources
from .peers import BF16, BF16_PREDICTORS, CONTENDERS, DOUBLERS, PREDICTORS, SCALERS, TRAINERS
from .worker import Worker
from .workloads import BATCHES, DOUBLES, LARGE, TRAININGS, VARIANTS, WIDTHS, WORKLOADS, Workload, variants

Parts = dict[str, Callable[[], Any]]

ROWS_OF_A_CALL = {"digits": (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000), "mnist-big": (1, 16, 256, 4096)}


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes
    ----------
    pool : Pool
        Has the workers.
    contenders : tuple of str
        Names of `CONTENDERS`.
    seconds : float
        Seconds per turn.
    rounds : int
        Turns per contender.
    """

    pool: rounds.Pool
    contenders: tuple[str, ...]
    seconds: float
    rounds: int

    def field(self, names: Sequence[str], threads: Iterable[int] = ()) -> list[Worker]:
        """Workers for the names that are selected and installed, by default on one thread and on all."""
        chosen = [name for name in names if name in self.contenders and CONTENDERS[name].is_installed]
        return self.pool.field(chosen, threads or self.threads)

    @property
    def threads(self) -> list[int]:
        """One, and the number of CPUs."""
        return sorted({1, machine.threads()})

    @property
    def few(self) -> "Options":
        """Fewer and shorter turns, where many sizes are measured."""
        return replace(self, seconds=self.seconds / 2, rounds=min(3, self.rounds))


def _race(task: Workload, names: Sequence[str], options: Options, threads: Iterable[int] = ()) -> Any:
    """A race on these threads; by default on one and on all, or on all where a step is large."""
    if task.flops > LARGE:
        threads = threads or [machine.threads()]
    return rounds.training(task, options.field(names, threads), options.seconds, options.rounds)


def _races(tasks: dict[str, Workload], names: Sequence[str], options: Options) -> Parts:
    return {part: partial(_race, task, names, options) for part, task in tasks.items()}


def _limits(options: Options) -> Parts:
    return {"fma": machine.fma_limits, "bandwidth": machine.bandwidth_limits}


def _training(options: Options) -> Parts:
    return _races(TRAININGS, TRAINERS, options)


def _float64(options: Options) -> Parts:
    return _races(DOUBLES, DOUBLERS, options)


def _comparisons(options: Options) -> Parts:
    """The cost of other rules, activations and dtypes: of each workload, {its own name or a variant's: result}."""
    return {base: partial(_compare, base, options) for base in VARIANTS}


def _compare(base: str, options: Options) -> Any:
    tasks = variants(base)
    field = options.field(["fastgd"] * len(tasks), [machine.threads()])
    return rounds.comparison(tasks, field, options.seconds, options.rounds)


def _cores(options: Options) -> Parts:
    return {name: partial(cores.measure, name, options.seconds, options.rounds) for name in WORKLOADS}


def _phases(options: Options) -> Parts:
    return {name: partial(phases.measure, name) for name in WORKLOADS}


def _fit(options: Options) -> Parts:
    parts: Parts = {name: partial(fits.measure, name, options.seconds, options.rounds) for name in fits.FITS}
    return parts | {f"{name}-first": partial(fits.measure_first, name, options.rounds) for name in fits.FITS}


def _data(options: Options) -> Parts:
    return {name: partial(real.measure, name) for name in real.PROBLEMS}


def _predictions(options: Options) -> Parts:
    """Calls of `predict` with few rows and with many."""
    calls = [(name, rows) for name, counts in ROWS_OF_A_CALL.items() for rows in counts]
    return {f"{name}-{rows}": partial(_predict, name, rows, options) for name, rows in calls}


def _predict(name: str, rows: int, options: Options, names: Sequence[str] = PREDICTORS) -> Any:
    return rounds.predictions(WORKLOADS[name], rows, options.field(names), options.seconds, options.rounds)


def _bf16(options: Options) -> Parts:
    parts = _races(bf16.TRAININGS, BF16, options)
    return parts | {
        f"{name}-predict": partial(_predict, name, bf16.ROWS, options, BF16_PREDICTORS) for name in bf16.NAMES
    }


def _width(options: Options) -> Parts:
    return {str(task.widths[0]): partial(_race, task, SCALERS, options.few, options.threads) for task in WIDTHS}


def _batch(options: Options) -> Parts:
    return {str(task.batch): partial(_race, task, SCALERS, options.few, options.threads) for task in BATCHES}


def _threads(options: Options) -> Parts:
    """fastgd on 1, 2, 4 ... and all CPUs."""
    count = machine.threads()
    counts = sorted({min(1 << i, count) for i in range(count.bit_length() + 1)})
    return {name: partial(_race, task, ["fastgd"], options.few, counts) for name, task in WORKLOADS.items()}


def _rows(options: Options) -> Parts:
    return {"fit": footprint.times_by_rows}


def _footprints(options: Options) -> Parts:
    """Memory of training, import times, sizes on disk."""
    return {"memory": footprint.memory, "import": footprint.import_times, "size": footprint.sizes}


def _loops(options: Options) -> Parts:
    return {"digits": partial(loops.measure, options.seconds, options.rounds)}


def _many(_: Options) -> Parts:
    """Many models at once."""
    measures = {"population": populations.measure_cores, "search": populations.measure_search}
    return {part: partial(fresh.apart, measure) for part, measure in measures.items()}


def _sources(_: Options) -> Parts:
    """Data beyond memory."""
    return {name: partial(fresh.apart, sources.measure, name) for name in sources.NETWORKS}


def _late(options: Options) -> Parts:
    return {name: partial(late.measure, name, options.seconds, options.rounds) for name in late.COURSES}


SECTIONS: dict[str, Callable[[Options], Parts]] = {
    "limits": _limits,
    "training": _training,
    "float64": _float64,
    "bf16": _bf16,
    "comparisons": _comparisons,
    "cores": _cores,
    "phases": _phases,
    "fit": _fit,
    "data": _data,
    "predictions": _predictions,
    "width": _width,
    "batch": _batch,
    "threads": _threads,
    "rows": _rows,
    "footprints": _footprints,
    "loops": _loops,
    "late": _late,
    "many": _many,
    "sources": _sources,
}
QUICK = ("limits", "training", "comparisons")
TOO_LONG = ("training/wide", "training/full-batch")  # for a quick look


def parts(names: Sequence[str], options: Options) -> Parts:
    """The parts "section/part" of the names, each a section or one of its parts.

    Raises
    ------
    SystemExit
        There is no such section or part.
    """
    known = {f"{name}/{part}": task for name, section in SECTIONS.items() for part, task in section(options).items()}
    chosen: Parts = {}
    for name in names:
        found = {key: task for key, task in known.items() if key == name or key.startswith(f"{name}/")}
        if not found:
            near = [key for key in known if key.startswith(f"{name.split('/')[0]}/")]
            raise SystemExit(f"unknown: {name}; choose from {' '.join(near or SECTIONS)}")
        chosen |= found
    return chosen
