"""A group of processes that train together, through the communicator of mpi4py; or one process, through none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from .._common.typing import Array, Floats
from .tree import Node, cover, total_of_parts
from .watchdog import Watchdog, timeout

# Bytes of a vector up to which every process receives all vectors and adds them up. Beyond, each adds up its share of
# the elements, which takes two exchanges but moves no more data than a process has.
_SMALL = 1 << 16
_METHODS = ("Get_rank", "Get_size", "allgather", "Allgatherv", "Alltoallv")


class RankError(RuntimeError):
    """Another process of the group has failed; its own exception is the message."""


class Group:
    """The processes that share a training, and the shards of its rows.

    All methods but the constructor are collective: every process of the group calls them, in the same order.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm or None, default=None
        None: this process alone.
    shards : int >= 1 or None, default=None
        Number of shards, a multiple of the number of processes; None: one for each process.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm or None
    rank, size : int
        Index of this process, and number of processes.
    shards : int
    own : range
        The shards that this process holds.

    Raises
    ------
    TypeError
        `comm` is not a communicator of mpi4py.
    ValueError
        The processes cannot have the same number of shards each.
    """

    def __init__(self, comm: Any = None, shards: int | None = None) -> None:
        if comm is not None and not all(hasattr(comm, name) for name in _METHODS):
            raise TypeError(f"comm must be a communicator of mpi4py, such as MPI.COMM_WORLD, or None, not {comm!r}")
        self.comm = comm
        self.rank: int = 0 if comm is None else comm.Get_rank()
        self.size: int = 1 if comm is None else comm.Get_size()
        self.shards = self.size if shards is None else shards
        if self.shards % self.size:
            raise ValueError(
                f"shards={self.shards} is not a multiple of the {self.size} ranks: each must have the same number"
            )
        per_rank = self.shards // self.size
        self.own = range(self.rank * per_rank, (self.rank + 1) * per_rank)
        self._has_failed = False
        self._waiting: AbstractContextManager[None] = nullcontext()  # around each exchange

    @property
    def is_trivial(self) -> bool:
        """Whether there is one process with one shard: training as without a group."""
        return self.shards == 1

    def share(self, n: int) -> slice:
        """The rows of this rank among n rows that all ranks have: as many for each shard, and the last few for none."""
        per_rank = n // self.shards * len(self.own)
        return slice(self.rank * per_rank, (self.rank + 1) * per_rank)

    def part(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The rows of this rank of arrays that all ranks have, divided among them as equally as they go."""
        return tuple(np.array_split(array, self.size)[self.rank] for array in arrays)

    def batch_size(self, rows: int) -> int:
        """About `rows` rows for a step of all ranks, as many for each shard."""
        return max(1, rows // self.shards) * self.shards

    def nodes(self, rank: int | None = None) -> list[Node]:
        """The nodes of the tree of sums that a process, or this one, adds up alone."""
        rank, per_rank = self.rank if rank is None else rank, len(self.own)
        return cover(self.shards, rank * per_rank, (rank + 1) * per_rank)

    def exchange(self, value: Any) -> list[Any]:
        """The values of all ranks.

        Raises
        ------
        RankError
            Another rank is in `fail` instead.
        """
        if self.comm is None:
            return [value]
        with self._waiting:
            answers = self.comm.allgather((None, value))
        self._raise_failures([failure for failure, _ in answers])
        return [answer for _, answer in answers]

    def failure(self) -> RankError:
        """What the ranks that are in `together` with an exception report."""
        try:
            self.exchange(None)
        except RankError as error:
            return error
        return RankError("another rank failed")

    def concatenate(self, array: Array) -> Array:
        """The rows of all ranks, in their order."""
        return array if self.size == 1 else np.concatenate(self.exchange(array))

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that fails on all ranks if it fails on one: the others raise RankError at their next exchange."""
        self._has_failed = False
        with self._limited():
            try:
                yield
            except BaseException as error:
                self._fail(error)
                raise

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """A block in which no exchange may take longer than the environment says."""
        if self.comm is None or math.isinf(seconds := timeout()):
            yield
            return
        watchdog = self._waiting = Watchdog(self.comm, seconds)
        try:
            with watchdog.watching():
                yield
        finally:
            self._waiting = nullcontext()

    def _fail(self, error: BaseException) -> None:
        """Tell the others, unless they know."""
        if self.comm is None or self._has_failed:
            return
        self._has_failed = True
        with self._waiting:
            self.comm.allgather((f"{type(error).__name__}: {error}", None))

    def _raise_failures(self, failures: Sequence[str | None]) -> None:
        found = [f"rank {rank} failed: {failure}" for rank, failure in enumerate(failures) if failure is not None]
        if found:
            self._has_failed = True
            raise RankError("; ".join(found))

    def sum(self, head: Floats, parts: dict[Node, Array], out: Array) -> Floats:
        """out (n,) <- the sum over all shards, in the order of the tree; returns the heads of all ranks.

        Parameters
        ----------
        head : (k,) float64
            Some numbers for all ranks.
        parts : dict of Node to (n,) array
            The sums of `nodes()`, of the dtype of `out`; they may be overwritten.
        out : (n,) array

        Returns
        -------
        ndarray (ranks, k) float64
        """
        if self.comm is None:
            np.copyto(out, total_of_parts(self.shards, parts))
            return head[np.newaxis]
        if out.nbytes <= _SMALL:
            return self._sum_whole(head, parts, out)
        heads = self._gather(head, [len(head)] * self.size).reshape(self.size, -1)
        self._sum_slices(parts, out)
        return heads

    def _sum_whole(self, head: Floats, parts: dict[Node, Array], out: Array) -> Floats:
        """`sum` by one exchange of everything."""
        sent = np.concatenate([head.view(np.uint8), *(part.view(np.uint8) for part in parts.values())])
        nodes = [self.nodes(rank) for rank in range(self.size)]
        counts = [head.nbytes + len(of_rank) * out.nbytes for of_rank in nodes]
        received, heads, parts = self._gather(sent, counts), np.empty((self.size, len(head))), {}
        for rank, of_rank in enumerate(nodes):
            message = received[sum(counts[:rank]) :][: counts[rank]]
            heads[rank] = message[: head.nbytes].copy().view(np.float64)
            for i, node in enumerate(of_rank):
                start = head.nbytes + i * out.nbytes
                parts[node] = message[start : start + out.nbytes].copy().view(out.dtype)
        np.copyto(out, total_of_parts(self.shards, parts))
        return heads

    def _sum_slices(self, parts: dict[Node, Array], out: Array) -> None:
        """`sum` in two exchanges: each rank adds up its slice of the elements, then all receive the sums."""
        ends = [len(out) * rank // self.size for rank in range(self.size + 1)]
        lengths = np.diff(ends).tolist()
        nodes = [self.nodes(rank) for rank in range(self.size)]
        sent = np.concatenate([part[ends[i] : ends[i + 1]] for i in range(self.size) for part in parts.values()])
        own = lengths[self.rank]
        received = np.empty(sum(map(len, nodes)) * own, out.dtype)
        with self._waiting:
            self.comm.Alltoallv(
                [sent, [len(parts) * length for length in lengths]],
                [received, [len(of_rank) * own for of_rank in nodes]],
            )
        flat = [node for of_rank in nodes for node in of_rank]
        slices = {node: received[i * own : (i + 1) * own] for i, node in enumerate(flat)}
        np.copyto(out, self._gather(total_of_parts(self.shards, slices), lengths))

    def _gather(self, sent: Array, counts: list[int]) -> Array:
        received = np.empty(sum(counts), sent.dtype)
        with self._waiting:
            self.comm.Allgatherv(sent, [received, counts])
        return received
