"""The machine: its measured limits, and the installed software."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastgd import backend

from . import cpus

HERE = Path(__file__).parent

# Working set per CPU: well within the cache of that level on CPUs since 2015, or beyond any cache.
LEVELS = {"L1": 18 << 10, "L2": 160 << 10, "memory": 384 << 20}

# Clocks drop by about a tenth when all CPUs work; a lower share of one CPU's rate than this has another reason.
BUSY = 0.75

PACKAGES = ("numpy", "torch", "jax", "jaxlib", "tensorflow", "tensorflow-cpu", "scikit-learn", "onnxruntime")


def threads() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _folder() -> TemporaryDirectory[str]:
    """Folder for compiled programs; deleted when this process ends."""
    return TemporaryDirectory(prefix="fastgd-peak-")


@cache
def _program(real: str) -> Path:
    """peak.c, compiled for this CPU; RuntimeError without a C compiler."""
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        raise RuntimeError(
            f"benchmarks/peak.c measures the machine's peak and needs a C compiler, but {compiler!r} is not found"
        )
    program = Path(_folder().name) / real
    flags = ("-O3", "-march=native", "-ffp-contract=fast", "-fopenmp", f"-DREAL={real}")
    subprocess.run([compiler, *flags, "-o", program, HERE / "peak.c"], check=True)
    return program


def _run(real: str, *arguments: object) -> float:
    command = [str(_program(real)), *map(str, arguments)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@cache
def fma_peak(dtype: str = "float32", n_threads: int | None = None) -> float:
    """GFLOP/s of fused multiply-adds in registers on n_threads CPUs; None: all."""
    return _run({"float32": "float", "float64": "double"}[dtype], "fma", n_threads or threads())


@cache
def bandwidth(level: str = "memory", n_threads: int | None = None) -> float:
    """GB/s of two reads and a write from and to "L1", "L2" or "memory" on n_threads CPUs; None: all."""
    count = n_threads or threads()
    return _run("float", "bytes", count, LEVELS[level] * (1 if level == "memory" else count))


def fma_limits() -> dict[str, dict[str, float]]:
    """GFLOP/s by dtype and number of CPUs: {"float32": {"1": ..., "2": ...}, ...}."""
    return {dtype: {str(n): fma_peak(dtype, n) for n in _counts()} for dtype in ("float32", "float64")}


def bandwidth_limits() -> dict[str, dict[str, float]]:
    """GB/s by level and number of CPUs."""
    return {level: {str(n): bandwidth(level, n) for n in _counts()} for level in LEVELS}


def _counts() -> list[int]:
    return sorted({1, threads()})


def limit_lines() -> Iterator[str]:
    """One line per limit, and a warning if the machine was too busy for reliable limits."""
    fma = fma_limits()
    for unit, rows in (("GFLOP/s", fma), ("GB/s", bandwidth_limits())):
        for name, rates in rows.items():
            by_count = ", ".join(
                f"{rate:.0f} {unit} on {count} CPU{'s' * (count != '1')}" for count, rate in rates.items()
            )
            yield f"{name}: {by_count}"
    one, *_, every = fma["float32"].values()
    if every < BUSY * threads() * one:
        yield "BUSY: all CPUs together are much slower than one CPU suggests: other work is running, so repeat later"


def describe() -> dict[str, Any]:
    """CPU, system, and versions by package."""
    facts = backend.config()
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        **cpus.this_cpu().facts,
        "cpus": threads(),
        "caches": cpus.caches(),
        "system": platform.platform(),
        "bf16": facts["bf16"],
        "engine": f"{facts['isa'] or facts['engine']}, {facts['compiler'] or 'no compiler'}",
        "versions": {"python": sys.version.split()[0], "fastgd": facts["fastgd"], **versions},
    }
