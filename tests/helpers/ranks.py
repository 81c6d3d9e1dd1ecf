"""Ranks of a group as threads of one process: what mpi4py does between processes, without MPI."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SECONDS = 30  # after which a rank that waits for the others gives up


class Comm:
    """The part of `mpi4py.MPI.Comm` that fastgd uses, for one of several threads."""

    def __init__(self, rank: int, barrier: threading.Barrier, values: list[Any]) -> None:
        self._rank, self._barrier, self._values = rank, barrier, values

    def Get_rank(self) -> int:
        return self._rank

    def Get_size(self) -> int:
        return len(self._values)

    def allgather(self, value: Any) -> list[Any]:
        self._values[self._rank] = value
        self._barrier.wait(SECONDS)
        values = list(self._values)
        self._barrier.wait(SECONDS)
        return values

    def Allgatherv(self, sent: Any, received: Any) -> None:
        array, counts = received
        assert len(sent) == counts[self._rank]
        array[:] = np.concatenate(self.allgather(sent.copy()))

    def Alltoallv(self, sent: Any, received: Any) -> None:
        (array, counts), (out, out_counts) = sent, received
        parts = [part.copy() for part in np.split(array, np.cumsum(counts)[:-1])]
        own = [of_rank[self._rank] for of_rank in self.allgather(parts)]
        assert [len(part) for part in own] == out_counts
        out[:] = np.concatenate(own)


def run(n: int, function: Callable[[Comm], Any]) -> list[Any]:
    """The results, or exceptions, of function(comm) on n ranks."""
    barrier = threading.Barrier(n)
    values: list[Any] = [None] * n

    def call(rank: int) -> Any:
        try:
            return function(Comm(rank, barrier, values))
        except Exception as error:
            return error

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(call, range(n)))
