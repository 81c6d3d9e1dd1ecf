"""The number of threads that this process may use: the minimum of CPU affinity, cgroup quota and the user's setting.

Containers limit a process by a quota of CPU time that `os.cpu_count` does not see: threads in excess of it only wait.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from os.path import join

from .._common.cgroups import cgroup_folders, read_text

VARIABLES = ("FASTGD_NUM_THREADS", "OMP_NUM_THREADS")  # the first that is set takes effect


def available(root: str = "/") -> int:
    """Number of threads, at least 1, that can run at the same time.

    Parameters
    ----------
    root : str, default="/"
        Folder that contains `proc` and `sys`; another one in tests.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        The environment variable is not an integer >= 1.
    """
    limits = [_affinity(), *(math.ceil(quota) for quota in _quotas(root)), *_requested()]
    return max(1, min(limits))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _requested() -> Iterator[int]:
    for variable in VARIABLES:
        text = os.environ.get(variable, "").split(",")[0].strip()  # OMP_NUM_THREADS=4,2 sets nested levels too
        if not text:
            continue
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"the environment variable {variable} must be an integer >= 1, not {text!r}")
        yield int(text)
        return


def _quotas(root: str) -> Iterator[float]:
    """CPU time quotas, in CPUs, of this process's cgroup and of each of its parents; cgroups v2 and v1.

    References
    ----------
    Linux kernel documentation, "Control Group v2", section "CPU Interface Files" (cpu.max), and "CFS Bandwidth Control"
    (cpu.cfs_quota_us).
    """
    for folder, is_v1 in cgroup_folders("cpu", root):
        yield from _quota_v1(folder) if is_v1 else _quota_v2(folder)


def _quota_v2(folder: str) -> Iterator[float]:
    quota, _, period = read_text(join(folder, "cpu.max")).partition(" ")
    if quota.isdecimal():
        yield int(quota) / int(period)


def _quota_v1(folder: str) -> Iterator[float]:
    quota, period = (
        read_text(join(folder, "cpu.cfs_quota_us")).strip(),
        read_text(join(folder, "cpu.cfs_period_us")).strip(),
    )
    if quota.isdecimal():  # -1: no limit
        yield int(quota) / int(period)
