"""What is measured for the report: one function for each section, each returns plain numbers for JSON."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import footprint, machine, rounds
from .peers import CONTENDERS, PREDICTORS, TRAINERS
from .workloads import BATCHES, FULL_BATCH, VARIANTS, WIDTHS, WORKLOADS, Workload, variants

Result = dict[str, Any]

ROWS_OF_A_CALL = {"digits": (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000), "mnist-big": (1, 16, 256, 4096)}
SCALERS = ("fastgd", "numpy", "torch-manual", "jax-scan")  # who takes part where one size alone changes


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes
    ----------
    workloads, peers : tuple of str
        Names of `WORKLOADS` and of `CONTENDERS`.
    seconds : float
        Of one turn.
    rounds : int
        Turns of each contender.
    """

    workloads: tuple[str, ...]
    peers: tuple[str, ...]
    seconds: float
    rounds: int

    def of(self, names: Sequence[str]) -> list[str]:
        """Those that are asked for and installed."""
        return [name for name in names if name in self.peers and CONTENDERS[name].is_installed]

    @property
    def threads(self) -> list[int]:
        """One, and as many as there are CPUs."""
        return sorted({1, machine.threads()})


def training(options: Options) -> Result:
    """Every workload by every contender, on one thread and on all; the network of SimpleChains.jl too."""
    tasks = [*(WORKLOADS[name] for name in options.workloads), FULL_BATCH]
    return _races(tasks, options.of(TRAINERS), options)


def comparisons(options: Options) -> Result:
    """What other rules, activations and dtypes cost: {workload: {its own name or a variant's: result}}."""
    bases = [name for name in VARIANTS if name in options.workloads]
    return {name: _say(name, lambda n=name: _compare(n, options)) for name in bases}


def _compare(base: str, options: Options) -> Result:
    return rounds.comparison(variants(base), options.seconds, options.rounds)


def predictions(options: Options) -> Result:
    """Calls of `predict` with few rows and with many: {workload: [result for each number of rows]}."""
    results: Result = {}
    with rounds.workers(options.of(PREDICTORS), options.threads) as field:
        for name in ROWS_OF_A_CALL:
            if name in options.workloads:
                results[name] = _say(f"predict, {name}", lambda n=name: _predict(n, field, options))
    return results


def _predict(name: str, field: list[rounds.Worker], options: Options) -> list[Result]:
    counts = ROWS_OF_A_CALL[name]
    return [rounds.predictions(WORKLOADS[name], rows, field, options.seconds, options.rounds) for rows in counts]


def scaling(options: Options) -> Result:
    """Speed by width and by batch: {"width": [result...], "batch": ...}; seconds a row by rows of the data."""
    few = Options(options.workloads, options.peers, options.seconds / 2, min(3, options.rounds))
    return {
        "width": list(_races(WIDTHS, few.of(SCALERS), few).values()),
        "batch": list(_races(BATCHES, few.of(SCALERS), few).values()),
        "rows": _say("rows of the data", footprint.rows_of_the_data),
    }


def _races(tasks: Sequence[Workload], names: list[str], options: Options) -> Result:
    with rounds.workers(names, options.threads) as field:
        return {
            task.name: _say(task.title, lambda t=task: rounds.training(t, field, options.seconds, options.rounds))
            for task in tasks
        }


def footprints(options: Options) -> Result:
    """Memory of a training, time of an import, sizes on disk."""
    return {
        "memory": _say("memory", lambda: footprint.memory(options.workloads)),
        "import": _say("import time", footprint.import_times),
        "size": _say("sizes", footprint.sizes),
    }


def _say(what: str, measure: Callable[[], Any]) -> Any:
    print(f"measuring {what}", file=sys.stderr, flush=True)
    return measure()


SECTIONS: dict[str, Callable[[Options], Result]] = {
    "training": training,
    "comparisons": comparisons,
    "predictions": predictions,
    "scaling": scaling,
    "footprints": footprints,
}
