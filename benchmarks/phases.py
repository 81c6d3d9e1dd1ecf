"""python -m benchmarks.phases: where the time of a training step goes, on one thread and on several.

Each column is one thread; the engine stamps the time when it enters a phase (`Trainer.profile`).
"""

import argparse

import fastgd as gd
from fastgd.training.profile import Profile

from . import machine
from .workloads import WORKLOADS, Workload


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
