"""Vectors of 2 MB and more behave like ordinary NumPy arrays; what happens where memory is short."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastgd as gd
from fastgd._common.memory import zeros


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [0, 1, 300_000, 600_000, (3, 300_000)])
def test_zeros(shape, dtype):
    vector = zeros(shape, dtype)
    same = np.zeros(shape, dtype)
    assert (vector.shape, vector.dtype, vector.flags.c_contiguous) == (same.shape, same.dtype, True)
    assert vector.flags.writeable
    assert not vector.any()
    vector += 1
    assert (vector == 1).all()


def test_a_large_model_is_copied_and_pickled():
    model = gd.MLP(1000, 1000, seed=0)
    theta = model.theta.copy()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (other.theta == theta).all()
        other.theta[:] = 0
    assert (model.theta == theta).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_its_own_copy():
    """Changes in a forked child do not reach the parent."""
    model = gd.MLP(1000, 1000, seed=0)
    theta = model.theta.copy()
    child = os.fork()
    if child == 0:
        model.theta[:] = 0
        os._exit(0)
    os.waitpid(child, 0)
    assert (model.theta == theta).all()


WITH_LITTLE_MEMORY = """
import resource, sys
import fastgd as gd
model = gd.MLP(1000, 2000, 10, seed=0)
model.save(sys.argv[1])
gd.load(sys.argv[1])
pages = int(open("/proc/self/statm").read().split()[0])
seen, hard = set(), resource.getrlimit(resource.RLIMIT_AS)[1]
for extra in range(0, 40, 4):
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (extra << 20), hard))
    for call in (lambda: gd.load(sys.argv[1]), lambda: gd.MLP(6000, 20000, seed=0)):
        try:
            call()
        except MemoryError as error:
            seen.add(str(error))
print(*seen, sep="\\n")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer reserves terabytes")
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_lack_of_memory_is_called_that(tmp_path, suffix):
    """Not a damaged file, and no other exception."""
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY, tmp_path / f"model{suffix}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert f"there is not enough memory to load {tmp_path}" in run.stdout
    assert "120,020,000 values of float32 need 457.84 MiB of memory, which cannot be allocated" in run.stdout


@pytest.mark.parametrize("widths", [(2**31 - 1, 2**31 - 1), (2**20, 2**31 - 1), (2**31 - 1, 2**31 - 1, 1)])
def test_models_that_no_machine_can_hold(widths):
    for make_one in (
        lambda: gd.MLP(*widths),
        lambda: gd.Sequential(*(gd.Dense(n, m) for n, m in zip(widths, widths[1:], strict=False))),
        lambda: gd.MLP(*widths, dtype="float64"),
    ):
        with pytest.raises(MemoryError, match=r"values of float\d\d need [\d,.]+ TiB of memory"):
            make_one()
