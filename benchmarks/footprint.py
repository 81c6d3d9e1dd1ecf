"""What fastgd takes beside time: memory, seconds of an import, bytes on disk; and how all of it grows with the rows."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .workloads import WORKLOADS, Workload

ROOT = Path(__file__).resolve().parents[1]
ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

# Of the largest file of rows, uint8 as images come: 640 MB.
COLUMNS = 64

IMPORTS = ("numpy", "fastgd", "sklearn.neural_network", "jax", "torch", "tensorflow")
DISTRIBUTIONS = ("numpy", "scikit-learn", "jax", "jaxlib", "torch", "tensorflow", "tensorflow-cpu")

# Prints the kB by which a workload's training raises the highest memory of a process that holds model and data.
MEMORY = """
import resource, sys
from benchmarks.workloads import WORKLOADS
workload = WORKLOADS[sys.argv[1]]
X, y = workload.data()
model = workload.model()
chunk = workload.chunk(model, X, y, workload.order(2))
with open("/proc/self/clear_refs", "w") as file: file.write("5")  # the highest so far is forgotten
def highest():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = highest()
model.network.train(chunk)
print(highest() - before)
"""

# Prints the seconds per row of one or more epochs of Trainer.fit on rows in a file, and the kB as above.
FIT = """
import sys, time
import numpy as np
import fastgd as gd
path, rows = sys.argv[1], int(sys.argv[2])
X, y = np.load(path, mmap_mode="r")[:rows], np.arange(rows) % 10
model = gd.MLP(64, 64, 10, seed=0)
trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=1e-4), batch_size=32)
trainer.fit(X[:1000], y[:1000], epochs=20, verbose=0)
epochs = max(1, 500_000 // rows)
times = []
for _ in range(3):
    begun = time.perf_counter()
    trainer.fit(X, y, epochs=epochs, verbose=0)
    times.append(time.perf_counter() - begun)
print(min(times) / epochs / rows)
"""


def memory(names: Iterable[str]) -> dict[str, Any]:
    """Bytes that training takes beyond model and data, and what they are to be compared with; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return {}
    found = {}
    for name in names:
        task = WORKLOADS[name]
        taken = 1024 * int(_python(MEMORY, name))
        found[name] = {"workspace": taken, "theta": 4 * task.size, "activations": _activations(task)}
    return found


def _activations(task: Workload) -> int:
    """Bytes of the activations of one batch and of their gradients."""
    return 2 * 4 * task.batch * sum(task.widths)


def rows_of_the_data() -> list[dict[str, float]]:
    """Seconds per row of `Trainer.fit` on more and more memory-mapped rows: checks and order of rows included."""
    with TemporaryDirectory(prefix="fastgd-rows-") as folder:
        path = Path(folder, "rows.npy")
        most = [rows for rows in ROWS if rows * COLUMNS < shutil.disk_usage(folder).free / 2]
        _write_rows(path, most[-1])
        return [{"rows": rows, "seconds": float(_python(FIT, str(path), str(rows)))} for rows in most]


def _write_rows(path: Path, rows: int) -> None:
    import numpy as np

    rng, block = np.random.default_rng(0), 100_000
    file = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, COLUMNS))
    for start in range(0, rows, block):
        part = file[start : start + block]
        part[:] = rng.integers(17, size=part.shape, dtype=np.uint8)
    file.flush()


def import_times() -> dict[str, float]:
    """Seconds, each in a fresh process with a warm disk; NumPy is there before the others."""
    return {name: _import_time(name) for name in IMPORTS if find_spec(name.split(".")[0])}


def _import_time(name: str) -> float:
    first = "" if name == "numpy" else "import numpy;"
    code = f"import time;{first}t=time.perf_counter();import {name};print(time.perf_counter()-t)"
    _python(code)  # compiles what is not
    return sorted(float(_python(code)) for _ in range(5))[2]


def sizes(with_wheel: bool) -> dict[str, Any]:
    """Bytes: {"wheel": of fastgd, "wheel, unpacked": ..., "installed": {distribution: bytes}}; building a wheel takes
    half a minute.
    """
    installed = {name: size for name in DISTRIBUTIONS if (size := _installed(name))}
    return {"installed": installed, **(_wheel() if with_wheel else {})}


def _installed(name: str) -> int:
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).exists())


def _wheel() -> dict[str, int]:
    """Of a wheel built from a copy of this project; nothing if it cannot be built here (it needs PyPI)."""
    with TemporaryDirectory(prefix="fastgd-wheel-") as folder:
        copy = Path(folder, "project")
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.so", "__pycache__", "docs", "tests")
        )
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(copy)]
        if subprocess.run(command, capture_output=True).returncode:
            return {}
        [wheel] = Path(folder).glob("fastgd-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        return {"wheel": wheel.stat().st_size, "wheel, unpacked": unpacked}


def _python(code: str, *arguments: str) -> str:
    """What a fresh Python prints; it may keep what it compiles, as an installation does."""
    command = [sys.executable, "-c", code, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
