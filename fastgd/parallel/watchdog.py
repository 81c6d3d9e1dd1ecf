"""A limit on how long a rank waits for the others, which may be unreachable."""

from __future__ import annotations

import faulthandler
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

VARIABLE = "FASTGD_RANK_TIMEOUT"  # seconds
_SECONDS_TO_PRINT = 0.2  # in which mpirun may pass the message on, before it ends, too
_SECONDS_TO_ABORT = 2.0


def timeout() -> float:
    """Seconds that a rank waits for the others; infinite unless the environment says otherwise.

    Raises
    ------
    ValueError
        The variable holds something else than a positive number.
    """
    text = os.environ.get(VARIABLE) or "inf"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise ValueError(f"{VARIABLE} must be a positive number of seconds, not {text!r}")
    return seconds


class Watchdog:
    """Ends this process if an exchange takes longer than `seconds`.

    A call of MPI whose partner is out of reach does not return, for minutes or for ever: only another thread can end
    it.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
    seconds : float > 0
    """

    def __init__(self, comm: Any, seconds: float) -> None:
        self._comm, self._rank = comm, comm.Get_rank()
        self._seconds, self._deadline = seconds, math.inf
        self._is_over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A block of which each exchange is watched."""
        thread = threading.Thread(target=self._run, name="fastgd watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def __enter__(self) -> None:
        """Begin an exchange."""
        self._deadline = time.monotonic() + self._seconds

    def __exit__(self, *exception: object) -> None:
        """End the exchange."""
        self._deadline = math.inf

    def _run(self) -> None:
        while not self._is_over.wait(min(1.0, self._seconds / 10)):
            if time.monotonic() > self._deadline:
                self._end()
                return

    def _end(self) -> None:
        """Say so, and end the ranks that MPI reaches; this one in any case."""
        text = f"rank {self._rank} has waited {self._seconds:g} seconds for the others: one of them does not answer"
        with suppress(OSError):  # mpirun, which reads it, may have ended
            print(f"fastgd: {text} ({VARIABLE})", file=sys.stderr, flush=True)
        time.sleep(_SECONDS_TO_PRINT)
        with open(os.devnull, "w") as nowhere:  # `Abort` may wait for what is out of reach, and keep the GIL
            faulthandler.dump_traceback_later(_SECONDS_TO_ABORT, exit=True, file=nowhere)
            self._comm.Abort(1)  # which may return, where mpirun is out of reach
            os._exit(1)
