"""Two hosts on this machine: network namespaces, and between them a cable with a latency.  Needs root on Linux.

Each namespace has a TUN device, an interface whose packets a process reads and writes; threads hand them on after the
latency.  The kernel's own `netem` does the same, but not every kernel has it.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

from mpi_processes import MPIRUN

ADDRESSES = ("10.77.0.1", "10.77.0.2")
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MTU = 9000  # bytes of a packet, as networks of clusters have

# Starts a command on a host for mpirun, as `ssh HOST COMMAND` would; NAMESPACES are by address.
_LAUNCHER = """#!{python}
import os
import sys
arguments = [argument for argument in sys.argv[1:] if argument != "-x"]
os.execvp("ip", ["ip", "netns", "exec", {namespaces}[arguments[0]], "sh", "-c", " ".join(arguments[1:])])
"""


def missing() -> str:
    """What two hosts lack here; "" if nothing."""
    if not sys.platform.startswith("linux") or os.geteuid():
        return "needs root on Linux"
    if shutil.which("ip") is None:
        return "needs ip of iproute2"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun"
    made = subprocess.run(["ip", "netns", "add", _namespace("probe")], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", _namespace("probe")], capture_output=True)
    return f"needs network namespaces: {made.stderr.strip()}" if made.returncode else ""


class Cable:
    """What connects the hosts.

    Attributes
    ----------
    is_cut : bool
        Whether packets are lost.
    """

    def __init__(self, ends: tuple[int, int], latency: float) -> None:
        self._latency, self.is_cut, self._is_over = latency, False, False
        self._threads: list[threading.Thread] = []
        for source, target in (ends, ends[::-1]):
            packets: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            self._threads.append(threading.Thread(target=self._read, args=(source, packets), daemon=True))
            self._threads.append(threading.Thread(target=self._write, args=(target, packets), daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads: afterwards the ends may be closed."""
        self._is_over = True
        for thread in self._threads:
            thread.join()

    def _read(self, source: int, packets: SimpleQueue[tuple[float, bytes]]) -> None:
        while not self._is_over:
            if select.select([source], [], [], 0.1)[0]:
                packet = os.read(source, _MTU + 64)
                packets.put((time.monotonic() + self._latency, packet))
        packets.put((0.0, b""))

    def _write(self, target: int, packets: SimpleQueue[tuple[float, bytes]]) -> None:
        while (item := packets.get())[1]:
            time.sleep(max(0.0, item[0] - time.monotonic()))
            if not self.is_cut:
                with suppress(OSError):  # the interface is down
                    os.write(target, item[1])


class Hosts:
    """Two hosts; see `two_hosts`."""

    def __init__(self, cable: Cable, launcher: Path) -> None:
        self.cable, self._launcher = cable, launcher

    def mpirun(self, *command: str, **environment: str) -> list[str]:
        """The command line that starts a rank on each host, with these environment variables."""
        settings = {"UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "fastgd0"} | environment
        options = ["-localhost", ADDRESSES[0], "-launcher", "ssh", "-launcher-exec", str(self._launcher)]
        variables = [f"{name}={value}" for name, value in settings.items()]
        ranks = ["-n", "2", "-ppn", "1", "-hosts", ",".join(ADDRESSES)]
        return ["ip", "netns", "exec", _namespace(0), "env", *variables, str(MPIRUN), *options, *ranks, *command]

    def set_down(self) -> None:
        """Switch the interface of the second host off."""
        _run("ip", "-n", _namespace(1), "link", "set", "fastgd0", "down")


@contextmanager
def two_hosts(folder: Path, latency: float = 0.0) -> Iterator[Hosts]:
    """Two new hosts, removed at the end.

    Parameters
    ----------
    folder : Path
        For the launcher of mpirun.
    latency : float, default=0
        Seconds from one host to the other.
    """
    launcher = folder / "launcher"
    namespaces = {address: _namespace(i) for i, address in enumerate(ADDRESSES)}
    launcher.write_text(_LAUNCHER.format(python=sys.executable, namespaces=namespaces))
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    with ExitStack() as on_exit:
        ends = []
        for address, namespace in namespaces.items():
            _run("ip", "netns", "add", namespace)
            on_exit.callback(_run, "ip", "netns", "del", namespace)
            ends.append(_device(namespace, address))
            on_exit.callback(os.close, ends[-1])
        cable = Cable((ends[0], ends[1]), latency)
        on_exit.callback(cable.close)
        yield Hosts(cable, launcher)


def _device(namespace: str, address: str) -> int:
    """The file of a new TUN device in a namespace."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    name = f"fgd{os.getpid()}"
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    _run("ip", "link", "set", name, "netns", namespace)
    inside = "ip", "-n", namespace
    _run(*inside, "link", "set", name, "name", "fastgd0", "mtu", str(_MTU))
    _run(*inside, "addr", "add", f"{address}/24", "dev", "fastgd0")
    for each in ("lo", "fastgd0"):
        _run(*inside, "link", "set", each, "up")
    return device


def _namespace(host: int | str) -> str:
    return f"fastgd-{os.getpid()}-{host}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
