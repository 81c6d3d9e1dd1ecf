"""The number of threads: affinity, cgroups, environment; and training in a forked process."""

import os
import subprocess
import sys

import pytest

from fastgd.engine import threads

MANY = 64


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with many CPUs and no settings."""
    monkeypatch.setattr(threads, "_affinity", lambda: MANY)
    for variable in threads.VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def tree(root, cgroup, **files):
    """Create a file system with /proc/self/cgroup and files in /sys/fs/cgroup; returns its root."""
    contents = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return str(root)


V1 = "7:cpuset:/\n4:cpu,cpuacct:/docker/a\n1:name=systemd:/docker/a"


def v1(folder, quota, period=100_000):
    return {f"{folder}/cpu.cfs_quota_us": str(quota), f"{folder}/cpu.cfs_period_us": str(period)}


@pytest.mark.parametrize(
    ("cgroup", "files", "want"),
    [
        pytest.param("0::/", {}, MANY, id="v2, no quota"),
        pytest.param("0::/", {"cpu.max": "200000 100000"}, 2, id="v2, in a container"),
        pytest.param("0::/a/b", {"a/b/cpu.max": "250000 100000"}, 3, id="v2, rounded up"),
        pytest.param("0::/a/b", {"a/b/cpu.max": "10000 100000"}, 1, id="v2, less than one"),
        pytest.param("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 50000"}, 6, id="v2, of a parent"),
        pytest.param(
            "0::/a/b", {"a/b/cpu.max": "200000 100000", "a/cpu.max": "max 100000"}, 2, id="v2, parent has none"
        ),
        pytest.param("0::/a/b", {"a/b/cpu.max": "500000 100000", "cpu.max": "400000 100000"}, 4, id="v2, least of all"),
        pytest.param("0::/a", {"b/cpu.max": "100000 100000"}, MANY, id="v2, of another group"),
        pytest.param(V1, v1("cpu/docker/a", 150_000), 2, id="v1"),
        pytest.param(V1, v1("cpu/docker/a", -1), MANY, id="v1, no quota"),
        pytest.param(V1, v1("cpu/docker/a", -1) | v1("cpu/docker", 300_000), 3, id="v1, of a parent"),
        pytest.param(V1, v1("cpu", 200_000), 2, id="v1, seen from inside a container"),
        pytest.param("3:memory:/a", v1("memory/a", 100_000), MANY, id="v1, without the cpu controller"),
        pytest.param(V1 + "\n0::/x", v1("cpu/docker/a", 400_000) | {"x/cpu.max": "300000 100000"}, 3, id="v1 and v2"),
    ],
)
def test_cgroups(tmp_path, cgroup, files, want):
    assert threads.available(tree(tmp_path, cgroup, **files)) == want


def test_no_cgroups(tmp_path):
    assert threads.available(str(tmp_path)) == MANY


@pytest.mark.parametrize(
    ("environment", "want"),
    [
        ({"FASTGD_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"FASTGD_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"FASTGD_NUM_THREADS": "", "OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": " 4 , 2"}, 4),
        ({"FASTGD_NUM_THREADS": str(MANY + 1)}, MANY),
    ],
)
def test_environment(tmp_path, monkeypatch, environment, want):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert threads.available(str(tmp_path)) == want


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two", "²"])
@pytest.mark.parametrize("variable", threads.VARIABLES)
def test_environment_that_is_not_an_integer(tmp_path, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} must be an integer >= 1, not '{value}'"):
        threads.available(str(tmp_path))


# ---- in processes

TRAIN = """
import os, sys
import numpy as np
import fastgd as gd

def train(n_threads=None):
    rng = np.random.default_rng(0)
    model = gd.MLP(64, 64, 10, seed=0)
    gd.Trainer(model, loss="mse", optimizer="sgd", batch_size=64, n_threads=n_threads, seed=0).fit(
        rng.random((640, 64)), rng.random((640, 10)), epochs=5, verbose=0)
    return model.theta

def running():
    return len(os.listdir("/proc/self/task"))
"""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def run(script, timeout=30, **environment):
    """The output of a Python process; an error if it fails or takes longer than `timeout` seconds."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment  # so that all other threads are ours
    command = [sys.executable, "-c", TRAIN + script]
    return subprocess.run(
        command, env=environment, timeout=timeout, check=True, text=True, capture_output=True
    ).stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_and_its_child_train_after_fork(engine):
    """A child has lost OpenMP's threads and must not wait for them."""
    script = """
import signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # about fork in a process with threads, which is what this tests
want = train(2)

def descend(generations):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # in case it waits for ever
        same = all((train(n) == want).all() for n in (2, None))
        if generations > 1:
            descend(generations - 1)
        os._exit(0 if same else 3)
    status = os.waitpid(child, 0)[1]
    if status:
        os._exit(4)

descend(2)
assert (train(2) == want).all()
print("trained")
"""
    chosen = {"FASTGD_BACKEND": engine.backend, "FASTGD_ISA": engine.isa or ""}
    assert run(script, timeout=60, **chosen) == ["trained"]


@on_linux
def test_one_cpu_is_one_thread():
    script = """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
train()
print(gd.backend.default_threads(), running())
"""
    assert run(script) == ["1", "1"]


@on_linux
def test_the_environment_limits_training():
    before_and_after = "print(running()); train(); print(running())"
    assert run(before_and_after, FASTGD_NUM_THREADS="1") == ["1", "1"]


@on_linux
def test_two_cpus_are_two_threads():
    """This shows that the tests above would see threads."""
    if len(os.sched_getaffinity(0)) < 2 or threads.available("/") < 2:
        pytest.skip("this machine has one CPU")
    pytest.importorskip("fastgd.engine._native", reason="built without the C engine")
    assert run("train(2); print(running())") == ["2"]
