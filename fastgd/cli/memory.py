"""How much memory there is for a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from os.path import join
from pathlib import Path

from .._common.cgroups import cgroup_folders, read_text

# Bytes of memory that training takes for each byte of a file: of text, and of Parquet and gzip, which are compressed.
_PER_BYTE_OF_TEXT, _PER_COMPRESSED_BYTE = 8, 40


def memory_for(source: Path) -> int:
    """About how much memory the training on a table takes that is read as a whole, in bytes."""
    with open(source, "rb") as file:
        is_compressed = file.read(4)[:2] in (b"\x1f\x8b", b"PA")
    return source.stat().st_size * (_PER_COMPRESSED_BYTE if is_compressed else _PER_BYTE_OF_TEXT)


def available_memory(root: str = "/") -> int | None:
    """Bytes of memory that this process may still take; None where the system does not tell.

    Parameters
    ----------
    root : str, default="/"
        Folder that contains `proc` and `sys`; another one in tests.
    """
    return min([*_free(root), *_unused_of_cgroups(root), *_unused_addresses(root)], default=None)


def _free(root: str) -> Iterator[int]:
    for line in read_text(join(root, "proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            yield int(value.split()[0]) * 1024
            return
    with suppress(ValueError, OSError, AttributeError):  # macOS tells only how much there is
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _unused_of_cgroups(root: str) -> Iterator[int]:
    """What the limits of this process's cgroup and of its parents leave, without what the system would take back.

    References
    ----------
    Linux kernel documentation, "Control Group v2", section "Memory Interface Files"; "Memory Resource Controller" (v1).
    """
    for folder, is_v1 in cgroup_folders("memory", root):
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if is_v1 else ("memory.max", "memory.current")
        limit, used = (read_text(join(folder, name)).strip() for name in names)
        if limit.isdecimal() and used.isdecimal():
            yield max(0, int(limit) - int(used) + _reclaimable(folder))


def _reclaimable(folder: str) -> int:
    """Bytes of files that have been read and are kept only as long as nothing else needs the memory."""
    fields = (line.split() for line in read_text(join(folder, "memory.stat")).splitlines())
    return sum(int(value) for name, value in fields if name == "inactive_file")


def _unused_addresses(root: str) -> Iterator[int]:
    """What `ulimit -v` leaves."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = read_text(join(root, "proc/self/statm")).split()
    if limit != resource.RLIM_INFINITY and pages:
        yield max(0, limit - int(pages[0]) * resource.getpagesize())
