"""A training of several ranks that lasts until it is stopped: mpirun -n 2 python -m endless [N].

After its first epoch, each rank prints its process id.  With N, rank 1 stops itself in that exchange after its first
epoch.
"""

import math
import os
import signal
import sys
from typing import Any

from mpi4py import MPI
from sharded_fits import classifier, fit

import fastgd as gd


class Interrupted(MPI.Intracomm):  # type: ignore[misc, unused-ignore] # Any without mpi4py
    """A communicator that interrupts this process in its last exchange."""

    left: float = math.inf

    def allgather(self, value: Any) -> list[Any]:
        answers: list[Any] = super().allgather(value)
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
        return answers


class Ready(gd.Callback):
    """Says that a rank has begun."""

    def on_epoch_end(self, trainer: Any, logs: dict[str, float]) -> None:
        if trainer.epoch == 1:
            os.write(1, b"<%d %d>\n" % (comm.rank, os.getpid()))
            if comm.rank == 1 and sys.argv[1:]:
                comm.left = int(sys.argv[1])


if __name__ == "__main__":
    signal.alarm(120)  # the end of a rank that mpirun, or a test run that was killed, has left behind
    comm = Interrupted(MPI.COMM_WORLD)
    theta, _, reason = fit(classifier(comm), comm, epochs=10**6, callbacks=[Ready()])
    results = comm.gather((reason, theta))
    if results is not None:
        print("ended", *(reason for reason, _ in results), len(set(results)))
