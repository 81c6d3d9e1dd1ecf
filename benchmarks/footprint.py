"""What fastgd needs besides time: memory, import time, bytes on disk; and how time grows with the number of rows."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .fresh import ROOT, python
from .workloads import WORKLOADS, Workload

ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

# uint8, as of images: the largest file has 640 MB.
COLUMNS = 64

IMPORTS = ("numpy", "fastgd", "sklearn.neural_network", "jax", "torch", "tensorflow")
DISTRIBUTIONS = ("numpy", "scikit-learn", "jax", "jaxlib", "torch", "tensorflow", "tensorflow-cpu")

# What an import is, where it is not all: fastgd loads its modules on first use.
USES = {"fastgd": "fastgd.MLP, fastgd.Trainer, fastgd.SGD"}

# Prints the kB by which training raises the peak memory of a process that already holds model and data.
MEMORY = """
import resource, sys
from benchmarks.workloads import WORKLOADS
workload = WORKLOADS[sys.argv[1]]
X, y = workload.data()
model = workload.model()
chunk = workload.chunk(model, X, y, workload.order(2))
with open("/proc/self/clear_refs", "w") as file: file.write("5")  # resets the peak
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
model.network.train(chunk)
print(peak() - before)
"""

# Prints the seconds per row of one or more epochs of Trainer.fit on rows in a file.
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


def memory() -> dict[str, Any]:
    """Bytes that training needs besides model and data, and what to compare them with; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return {}
    found = {}
    for name, task in WORKLOADS.items():
        taken = 1024 * int(python("-c", MEMORY, name))
        found[name] = {"workspace": taken, "theta": 4 * task.size, "activations": _activations(task)}
    return found


def _activations(task: Workload) -> int:
    """Bytes of the activations of one batch and of their gradients."""
    return 2 * 4 * task.batch * sum(task.widths)


def times_by_rows() -> list[dict[str, float]]:
    """Seconds per row of `Trainer.fit` on 1e3 to 1e7 memory-mapped rows, including checks and shuffling."""
    with TemporaryDirectory(prefix="fastgd-rows-") as folder:
        path = Path(folder, "rows.npy")
        counts = [rows for rows in ROWS if rows * COLUMNS < shutil.disk_usage(folder).free / 2]
        _write_rows(path, counts[-1])
        return [{"rows": rows, "seconds": float(python("-c", FIT, str(path), str(rows)))} for rows in counts]


def _write_rows(path: Path, rows: int) -> None:
    import numpy as np

    rng, block = np.random.default_rng(0), 100_000
    file = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, COLUMNS))
    for start in range(0, rows, block):
        part = file[start : start + block]
        part[:] = rng.integers(17, size=part.shape, dtype=np.uint8)
    file.flush()


def import_times() -> dict[str, float]:
    """Seconds of each import in a fresh process with a warm disk; NumPy is imported before the others."""
    return {name: _import_time(name) for name in IMPORTS if find_spec(name.split(".")[0])}


def _import_time(name: str) -> float:
    first = "" if name == "numpy" else "import numpy;"
    use = USES.get(name, "")
    code = f"import time;{first}t=time.perf_counter();import {name};{use or None};print(time.perf_counter()-t)"
    python("-c", code)  # compiles what is not yet compiled
    return sorted(float(python("-c", code)) for _ in range(5))[2]


def sizes() -> dict[str, Any]:
    """Bytes: {"wheel": of fastgd, "wheel, unpacked": ..., "installed": {distribution: bytes}}."""
    installed = {name: size for name in DISTRIBUTIONS if (size := _installed(name))}
    return {"installed": installed, **_wheel()}


def _installed(name: str) -> int:
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).exists())


def _wheel() -> dict[str, int]:
    """Bytes of a wheel built from a copy of this project; nothing if it cannot be built here (it needs PyPI)."""
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
