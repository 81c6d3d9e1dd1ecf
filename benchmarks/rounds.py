"""Rounds: every contender is timed once in each, so that a slow minute of the machine affects all of them."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import machine
from .peers import CONTENDERS
from .worker import Failure, Process, Worker
from .workloads import Workload, write_problem

Result = dict[str, Any]
Peak = dict[str, float]  # GFLOP/s by number of threads

# Seconds between two turns, until the thread pools of the last contender stop spinning; OpenBLAS takes about 20 ms.
PAUSE = 0.05


class Pool:
    """Processes of contenders, started when they are first needed; they wait for work until the pool is closed."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, int, int], Process] = {}

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.close()

    def field(self, names: Sequence[str], threads: Iterable[int]) -> list[Worker]:
        """A worker for each name and number of threads; a name that is repeated gets another worker."""
        seats = [(name, count, names[:number].count(name)) for number, name in enumerate(names) for count in threads]
        return [Worker(*seat, self._process(*seat)) for seat in seats]

    def _process(self, name: str, threads: int, number: int) -> Process:
        """That of the contender's library, or of the contender if it is fastgd."""
        home = (CONTENDERS[name].library or name, threads, number)
        if home not in self._processes:
            self._processes[home] = Process(name, threads)
        return self._processes[home]


def training(workload: Workload, field: list[Worker], seconds: float, rounds: int) -> Result:
    """Time one workload on all workers that can train it.

    Returns
    -------
    dict
        "title", "flops" and "bytes" of a step; "peak", the better of two measurements before and after the rounds; and
        "runs": for each worker's key {"seconds": per step in each round; "steps" per turn; "wrong"}, or
        {"failed": reason}.
    """
    field = [worker for worker in field if worker.ask("can", workload)]
    runs, peak = _race([(worker, workload) for worker in field], seconds, rounds)
    named = {worker.key: run for worker, run in zip(field, runs, strict=True)}
    return {**_facts(workload), "peak": peak[workload.dtype], "runs": named}


def comparison(workloads: list[Workload], field: list[Worker], seconds: float, rounds: int) -> dict[str, Result]:
    """Time each workload on a worker of its own in the same rounds: results by name, as of `training`."""
    runs, peak = _race(list(zip(field, workloads, strict=True)), seconds, rounds)
    return {
        task.name: {**_facts(task), "peak": peak[task.dtype], "runs": {worker.key: run}}
        for task, worker, run in zip(workloads, field, runs, strict=True)
    }


def _race(seats: list[tuple[Worker, Workload]], seconds: float, rounds: int) -> tuple[list[Result], dict[str, Peak]]:
    """A turn in each round for all seats; the run of each, and the machine's peak by dtype."""
    tasks = {task for _, task in seats}
    threads, dtypes = sorted({worker.threads for worker, _ in seats}), sorted({task.dtype for task in tasks})
    before = {dtype: _peak(dtype, threads) for dtype in dtypes}
    with TemporaryDirectory(prefix="fastgd-problem-") as folder:
        problems = {task: Path(folder, str(number)) for number, task in enumerate(tasks)}
        for task, place in problems.items():
            place.mkdir()
            write_problem(task, place)
        runs = [_try(lambda w=worker, t=task: _prepare(w, t, problems[t], seconds)) for worker, task in seats]
    _rounds([(run, worker) for run, (worker, _) in zip(runs, seats, strict=True)], rounds, lambda w: w.ask("turn"))
    return runs, {dtype: _higher(before[dtype], _peak(dtype, threads)) for dtype in dtypes}


def _facts(workload: Workload) -> Result:
    facts = {"title": workload.title, "width": workload.widths[0], "batch": workload.batch}
    return {**facts, "flops": workload.flops, "bytes": workload.bytes}


def predictions(workload: Workload, rows: int, field: list[Worker], seconds: float, rounds: int) -> Result:
    """Time predictions of `rows` rows: "network", "rows", "flops" of a call, "peak"; "runs" as above, per call."""
    prepare = "prepare_predictions", workload, rows
    runs = {worker.key: _try(lambda w=worker: {"seconds": [], **w.ask(*prepare)}) for worker in field}
    _rounds([(runs[worker.key], worker) for worker in field], rounds, lambda worker: worker.ask("predictions", seconds))
    peak = {str(n): machine.fma_peak(workload.dtype, n) for n in sorted({worker.threads for worker in field})}
    flops = 2 * rows * sum(workload.weights)
    return {"network": workload.name, "rows": rows, "flops": flops, "peak": peak, "runs": runs}


def _prepare(worker: Worker, workload: Workload, folder: Path, seconds: float) -> Result:
    check = worker.ask("prepare", workload, folder)
    return {"seconds": [], "steps": worker.ask("calibrate", seconds), **check}


def _rounds(entries: list[tuple[Result, Worker]], rounds: int, turn: Callable[[Worker], float]) -> None:
    """Run the rounds, every other one backwards, so that no contender always follows the same one."""
    for number in range(rounds):
        for run, worker in entries[:: -1 if number % 2 else 1]:
            if "failed" not in run:
                time.sleep(PAUSE)
                answer = _try(lambda w=worker: {"seconds": turn(w)})
                run.update(answer) if "failed" in answer else run["seconds"].append(answer["seconds"])


def _try(task: Callable[[], Result]) -> Result:
    try:
        return task()
    except Failure as failure:
        return {"failed": str(failure)}


def _peak(dtype: str, threads: Iterable[int]) -> Peak:
    machine.fma_peak.cache_clear()
    return {str(n): machine.fma_peak(dtype, n) for n in threads}


def _higher(one: Peak, other: Peak) -> Peak:
    """The better of two measurements of the peak, which can only be underestimated."""
    return {threads: max(rate, other[threads]) for threads, rate in one.items()}
