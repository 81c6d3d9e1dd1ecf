"""What a second core brings: a step on one thread, on all, and on as many as fastgd chooses, in turns in one process.

The same again while another process keeps one of the CPUs busy, where a thread that waits for its time slice would hold
up all others; and in a process that may use only one CPU, as in a small container.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from . import fresh, machine
from .workloads import WORKLOADS, Order, Workload

Turn = Callable[[], float]

BUSY = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"
SETTLE = 0.2  # seconds until the scheduler has seen the busy process


def measure(name: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Seconds per step in each round, by load and by threads.

    Returns
    -------
    dict
        {"idle": {"one": [...], "all": [...], "adaptive": [...]}, "busy": the same without "all", "confined": ...}; the
        last two only on Linux and with several CPUs.
    """
    found = {"title": WORKLOADS[name].title, "idle": _in_process(name, ("one", "all", "adaptive"), seconds, rounds)}
    if machine.threads() == 1 or not hasattr(os, "sched_setaffinity"):
        return found
    few = ("one", "adaptive")
    return {
        **found,
        "busy": _in_process(name, few, seconds, rounds, "busy"),
        "confined": _in_process(name, few, seconds, min(rounds, 3), "confined"),
    }


def _in_process(name: str, teams: tuple[str, ...], seconds: float, rounds: int, load: str = "") -> dict[str, Any]:
    """What `_measure` returns, in a process of its own."""
    return fresh.apart(_measure, name, teams, seconds, rounds, load)


def _measure(name: str, teams: tuple[str, ...], seconds: float, rounds: int, load: str) -> dict[str, list[float]]:
    cpus = sorted(os.sched_getaffinity(0)) if load else []
    if load == "confined":
        os.sched_setaffinity(0, cpus[-1:])  # before the engine looks at it
    turns = dict(_turns(WORKLOADS[name], teams, seconds))
    taken: dict[str, list[float]] = {team: [] for team in teams}
    with busy(cpus[0]) if load == "busy" else nullcontext():
        for number in range(rounds):
            for team in teams[:: -1 if number % 2 else 1]:
                taken[team].append(turns[team]())
    return taken


def _turns(workload: Workload, teams: tuple[str, ...], seconds: float) -> Iterator[tuple[str, Turn]]:
    """For each team, a function that trains for about `seconds`, and returns the seconds per step."""
    X, y = workload.data()
    for team in teams:
        n_threads = {"one": 1, "all": machine.threads(), "adaptive": 0}[team]
        train = _training(workload, X, y, n_threads)
        once = train(workload.order(2))
        once = train(workload.order(max(2, int(seconds / 4 / once))))
        yield team, partial(train, workload.order(max(2, int(seconds / once))))


def _training(workload: Workload, X: Any, y: Any, n_threads: int) -> Callable[[Order], float]:
    """A function that trains in an order, always from the same theta, and returns the seconds per step."""
    model = workload.model()
    theta = model.theta.copy()

    def train(order: Order) -> float:
        model.theta = theta
        chunk = workload.chunk(model, X, y, order, n_threads)
        begun = time.perf_counter()
        model.network.train(chunk)
        return (time.perf_counter() - begun) / len(order)

    return train


@contextmanager
def busy(cpu: int) -> Iterator[None]:
    """Keep a CPU busy meanwhile."""
    spinner = subprocess.Popen([sys.executable, "-c", BUSY, str(cpu)], stdout=subprocess.PIPE)
    try:
        assert spinner.stdout is not None
        spinner.stdout.readline()
        time.sleep(SETTLE)
        yield
    finally:
        spinner.kill()
        spinner.wait()
        spinner.stdout.close()
