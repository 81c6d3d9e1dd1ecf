"""The measurements of the report: one function per section, which returns plain values for JSON."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import footprint, late, loops, machine, rounds
from .peers import CONTENDERS, PREDICTORS, TRAINERS
from .workloads import BATCHES, TRAININGS, VARIANTS, WIDTHS, WORKLOADS, Workload, variants

Result = dict[str, Any]

ROWS_OF_A_CALL = {"digits": (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000), "mnist-big": (1, 16, 256, 4096)}
QUICK_ROWS = 10_000
SCALERS = ("fastgd", "numpy", "torch-manual", "jax-scan")  # contenders where only one size changes


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes
    ----------
    workloads, contenders : tuple of str
        Names of `WORKLOADS` and of `CONTENDERS`.
    seconds : float
        Seconds per turn.
    rounds : int
        Turns per contender.
    quick : bool
        Whether to skip what takes minutes: calls with many rows, building a wheel.
    """

    workloads: tuple[str, ...]
    contenders: tuple[str, ...]
    seconds: float
    rounds: int
    quick: bool = False

    def of(self, names: Sequence[str]) -> list[str]:
        """Those that are selected and installed."""
        return [name for name in names if name in self.contenders and CONTENDERS[name].is_installed]

    @property
    def doublings(self) -> list[int]:
        """1, 2, 4 ... and the number of CPUs."""
        return sorted({min(1 << i, machine.threads()) for i in range(machine.threads().bit_length() + 1)})

    @property
    def threads(self) -> list[int]:
        """One, and the number of CPUs."""
        return sorted({1, machine.threads()})


def training(options: Options) -> Result:
    """Every workload on every contender, with one thread and with all."""
    return _races([TRAININGS[name] for name in options.workloads], options.of(TRAINERS), options)


def comparisons(options: Options) -> Result:
    """The cost of other rules, activations and dtypes: {workload: {its own name or a variant's: result}}."""
    bases = [name for name in VARIANTS if name in options.workloads]
    return {name: _say(name, lambda n=name: _compare(n, options)) for name in bases}


def _compare(base: str, options: Options) -> Result:
    return rounds.comparison(variants(base), options.seconds, options.rounds)


def predictions(options: Options) -> Result:
    """Calls of `predict` with few rows and with many: {workload: [result by number of rows]}."""
    results: Result = {}
    with rounds.workers(options.of(PREDICTORS), options.threads) as field:
        for name in ROWS_OF_A_CALL:
            if name in options.workloads:
                results[name] = _say(f"predict, {name}", lambda n=name: _predict(n, field, options))
    return results


def _predict(name: str, field: list[rounds.Worker], options: Options) -> list[Result]:
    counts = [rows for rows in ROWS_OF_A_CALL[name] if not options.quick or rows <= QUICK_ROWS]
    return [rounds.predictions(WORKLOADS[name], rows, field, options.seconds, options.rounds) for rows in counts]


def scaling(options: Options) -> Result:
    """Speed by width, batch and threads: {"width": [result...], ...}; "rows": seconds per row by rows of the data."""
    few = replace(options, seconds=options.seconds / 2, rounds=min(3, options.rounds))
    tasks = [task for name, task in WORKLOADS.items() if name in options.workloads]
    return {
        "width": list(_races(WIDTHS, few.of(SCALERS), few).values()),
        "batch": list(_races(BATCHES, few.of(SCALERS), few).values()),
        "threads": list(_races(tasks, ["fastgd"], few, few.doublings).values()),
        "rows": _say("rows of the data", footprint.times_by_rows),
    }


def _races(tasks: Sequence[Workload], names: list[str], options: Options, threads: list[int] | None = None) -> Result:
    with rounds.workers(names, threads or options.threads) as field:
        return {
            task.name: _say(task.title, lambda t=task: rounds.training(t, field, options.seconds, options.rounds))
            for task in tasks
        }


def footprints(options: Options) -> Result:
    """Memory of training, import time, sizes on disk."""
    return {
        "memory": _say("memory", lambda: footprint.memory(name for name in options.workloads if name in WORKLOADS)),
        "import": _say("import time", footprint.import_times),
        "size": _say("sizes", lambda: footprint.sizes(with_wheel=not options.quick)),
    }


def custom_loops(options: Options) -> Result:
    """Seconds per call of the parts of a custom training loop, by contender."""
    return _say("custom loops", lambda: loops.measure(options.seconds, options.rounds))


def late_epochs(options: Options) -> Result:
    """Seconds per epoch early in a training and after it has converged, by optimiser and data."""
    return _say("late epochs", lambda: late.measure(options.seconds, options.rounds))


def _say(what: str, measure: Callable[[], Any]) -> Any:
    print(f"measuring {what}", file=sys.stderr, flush=True)
    return measure()


SECTIONS: dict[str, Callable[[Options], Result]] = {
    "training": training,
    "comparisons": comparisons,
    "predictions": predictions,
    "scaling": scaling,
    "footprints": footprints,
    "loops": custom_loops,
    "late": late_epochs,
}
