"""How many threads this process may use: the least of its CPU affinity, its cgroup's quota and what the user says.

Containers limit a process by a quota of CPU time that `os.cpu_count` does not see: threads beyond it only wait.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from os.path import dirname, join

VARIABLES = ("FASTGD_NUM_THREADS", "OMP_NUM_THREADS")  # the first that is set counts


def available(root: str = "/") -> int:
    """Threads worth starting, >= 1.

    Parameters
    ----------
    root : str, default="/"
        Where `proc` and `sys` are; another folder in tests.

    Raises
    ------
    ValueError
        The environment variable is not a whole number >= 1.
    """
    limits = [_affinity(), *(math.ceil(quota) for quota in _quotas(root)), *_wanted()]
    return max(1, min(limits))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _wanted() -> Iterator[int]:
    for variable in VARIABLES:
        text = os.environ.get(variable, "").split(",")[0].strip()  # OMP_NUM_THREADS=4,2 sets nested levels too
        if not text:
            continue
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"the environment variable {variable} must be a whole number >= 1, not {text!r}")
        yield int(text)
        return


def _quotas(root: str) -> Iterator[float]:
    """CPUs' worth of time for this process's cgroup and each of its parents, of cgroups v2 and v1."""
    for line in _read(join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = join(root, "sys/fs/cgroup/cpu" if controllers else "sys/fs/cgroup")
        folder = join(mount, path.strip("/")).rstrip("/")
        while folder.startswith(mount):
            yield from _quota_v1(folder) if controllers else _quota_v2(folder)
            folder = dirname(folder)


def _quota_v2(folder: str) -> Iterator[float]:
    quota, _, period = _read(join(folder, "cpu.max")).partition(" ")
    if quota.isdecimal():
        yield int(quota) / int(period)


def _quota_v1(folder: str) -> Iterator[float]:
    quota, period = _read(join(folder, "cpu.cfs_quota_us")).strip(), _read(join(folder, "cpu.cfs_period_us")).strip()
    if quota.isdecimal():  # -1: no limit
        yield int(quota) / int(period)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
