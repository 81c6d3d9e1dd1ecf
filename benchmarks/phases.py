"""python -m benchmarks.phases: where the time of a training step goes, on one thread and on several.

Each column is one thread; the engine stamps the time when it enters a phase (`Trainer.profile`).
"""

import argparse
from typing import Any

import fastgd as gd
from fastgd.training.profile import Profile

from . import fresh, machine
from .workloads import WORKLOADS, Workload


def measure(name: str) -> dict[str, Any]:
    """{"title": ..., "one": {phase: seconds by thread} on one thread, "all": on all}, in a process of its own."""
    return fresh.apart(measure_here, name)


def measure_here(name: str) -> dict[str, Any]:
    """What `measure` returns, in this process."""
    workload = WORKLOADS[name]
    teams = {"one": 1, "all": machine.threads()}
    found = {team: profile(workload, n_threads).phases for team, n_threads in teams.items()}
    return {"title": workload.title, **found}


def profile(workload: Workload, n_threads: int) -> Profile:
    """A profile of the workload's steps."""
    settings = {"loss": workload.loss, "optimizer": workload.rule(), "batch_size": workload.batch}
    return gd.Trainer(workload.model(), n_threads=n_threads, **settings).profile(*workload.data())


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.phases", description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, machine.threads()}))
    arguments = parser.parse_args()
    for name in arguments.workloads:
        for n_threads in arguments.threads:
            print(f"{WORKLOADS[name].title}, threads: {n_threads}", flush=True)
            print(profile(WORKLOADS[name], n_threads), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
