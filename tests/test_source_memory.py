"""A file on disk trains within a memory that would not hold it."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("resource")

WIDTH = 128
PROGRAM = """
import resource, sys
import numpy as np
import fastgd as gd

path, limit = sys.argv[1], int(sys.argv[2])
trainer = gd.Trainer(gd.MLP(128, 16, 2, seed=0), loss="cross_entropy", batch_size=256, n_threads=1)
warm_up = np.random.default_rng(0).normal(size=(40_000, 128)).astype(np.float32)
options = {"buffer_rows": 20_000}
trainer.fit(gd.ArraySource(warm_up, (warm_up[:, 0] > 0) * 1, **options), epochs=1, verbose=0)
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
trainer.fit(gd.ArraySource(path + "/X.npy", path + "/y.npy", **options), epochs=1, verbose=0)
unit = 1 if sys.platform == "darwin" else 1024
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit, trainer.run.rows_done)
"""


def write(folder, rows):
    """X.npy (rows, 128) float32 and y.npy, part by part."""
    random = np.random.default_rng(0).normal(size=(10_000, WIDTH)).astype(np.float32)
    for name, part, shape in (("X", random, (rows, WIDTH)), ("y", (random[:, 0] > 0) * 1, (rows,))):
        with open(folder / f"{name}.npy", "wb") as file:
            header = {"descr": part.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(rows // len(part)):
                part.tofile(file)


def growth(folder, rows, limit=0):
    """Bytes by which the largest resident set grows in an epoch on a file of so many rows."""
    write(folder, rows)
    try:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder), str(limit)],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        for name in ("X", "y"):
            (folder / f"{name}.npy").unlink()
    assert run.returncode == 0, run.stderr
    grown, rows_done = map(int, run.stdout.split())
    assert rows_done == rows
    return grown


def test_memory_is_bounded(tmp_path):
    """200 MB of rows, of which two windows of 10 MB are held."""
    assert growth(tmp_path, 400_000) < 60e6


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the address space")
def test_four_gigabytes_within_one(tmp_path):
    """As under `ulimit -v`: the address space of the process is limited to 1 GB."""
    assert growth(tmp_path, 8_400_000, limit=1 << 30) < 100e6
