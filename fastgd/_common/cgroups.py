"""The control groups of this process, by which Linux limits CPU time and memory; on other systems there are none.

References
----------
Linux kernel documentation, "Control Group v2" and "CGROUPS" (v1).
"""

from collections.abc import Iterator
from os.path import dirname, join


def cgroup_folders(controller: str, root: str) -> Iterator[tuple[str, bool]]:
    """The folder of this process's cgroup and of each of its parents, and whether it is one of version 1.

    Parameters
    ----------
    controller : str
        Such as "cpu" or "memory".
    root : str
        Folder that contains `proc` and `sys`.
    """
    for line in read_text(join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = join(root, "sys/fs/cgroup", controller if controllers else "").rstrip("/")
        folder = join(mount, path.strip("/")).rstrip("/")
        while folder.startswith(mount):
            yield folder, bool(controllers)
            folder = dirname(folder)


def read_text(path: str) -> str:
    """What a file of the kernel says; nothing if it cannot be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
