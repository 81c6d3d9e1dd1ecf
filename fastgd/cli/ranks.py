"""`mpirun -n 4 fastgd train ...`: the processes that were started together train one network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from .. import backend
from ..parallel import Group

# What MPICH and its relatives, Open MPI and MVAPICH tell a process: of the ranks on all machines and on its own.
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
_LOCAL_SIZE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")


def launched_group(shards: int | None) -> Group:
    """The processes that the launcher has started; this one alone if it has not been started by mpirun or the like.

    Raises
    ------
    ImportError
        There are several, and mpi4py is not installed.
    ValueError
        They cannot have the same number of shards each.
    """
    if _told(_SIZE, 1) == 1:
        return Group(None, shards)
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
        raise ImportError(f'mpirun needs the package mpi4py: pip install "fastgd[mpi]" ({error})') from None
    return Group(MPI.COMM_WORLD, shards)


def threads_of_rank() -> int | None:
    """A share of the processors if several ranks run on this machine, else None."""
    ranks = _told(_LOCAL_SIZE, 1)
    return None if ranks == 1 else max(1, backend.default_threads() // ranks)


@contextmanager
def only_first_rank_prints() -> Iterator[None]:
    """Print nothing in the block on any other rank."""
    if _told(_RANK, 0) == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _told(names: tuple[str, ...], default: int) -> int:
    """The integer that the first of these variables holds which is set."""
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.isdecimal()), default)
