"""Fixtures of `pytest benchmarks`: engines and a timer; at the end, a table of rates relative to the peak."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
from networks import engine  # noqa: F401  (tests/helpers, which pyproject.toml puts on the path)

from . import machine
from .summary import microseconds

TABLE = pytest.StashKey[list[tuple[str, ...]]]()
TURN = 0.02  # seconds per measurement
TURNS = 5


@pytest.fixture
def measure(benchmark, request):
    """measure(call, per=, flops=, moved=, level=, n_threads=): time a call, and record its rates."""

    def measure(
        call: Callable[[], Any],
        per: int = 1,
        flops: float = 0,
        moved: float = 0,
        level: str = "memory",
        n_threads: int | None = None,
    ) -> None:
        """Record the median over some turns.

        Parameters
        ----------
        call : callable
            The code to time.
        per : int
            Steps per call.
        flops, moved : float
            Operations per step, and bytes per step from and to `level` ("L1", "L2", "memory").
        n_threads : int or None
            Number of CPUs with whose limits the rates are compared; None: all.
        """
        benchmark.pedantic(call, rounds=TURNS, iterations=_calls(call, benchmark.disabled), warmup_rounds=1)
        if benchmark.disabled:
            return
        seconds = benchmark.stats["median"] / per
        facts = {"µs": seconds * 1e6}
        if flops:
            rate = flops / seconds / 1e9
            facts |= {"GFLOP/s": rate, "of peak": rate / machine.fma_peak("float32", n_threads)}
        if moved:
            rate = moved / seconds / 1e9
            facts |= {"GB/s": rate, f"of {level}": rate / machine.bandwidth(level, n_threads)}
        benchmark.extra_info |= facts
        request.config.stash[TABLE].append((request.node.name, *_formatted(facts)))

    return measure


def _calls(call: Callable[[], Any], disabled: bool) -> int:
    """Calls per turn."""
    if disabled:
        return 1
    call()
    begun = perf_counter()
    call()
    return max(1, int(TURN / max(perf_counter() - begun, 1e-7)))


def _formatted(facts: dict[str, float]) -> tuple[str, ...]:
    rates = [
        f"{value:.0%} {name}" if name.startswith("of ") else f"{value:.3g} {name}" for name, value in facts.items()
    ]
    return microseconds(facts["µs"] / 1e6), *rates[1:]


def pytest_configure(config):
    config.stash[TABLE] = []


def pytest_terminal_summary(terminalreporter, config):
    """Print the rates, which pytest-benchmark only writes to its JSON."""
    rows = config.stash[TABLE]
    if not rows:
        return
    terminalreporter.section("rates")
    terminalreporter.write_line("of peak, L2, memory: relative to these limits; in test_kernels, to those of one CPU:")
    for line in machine.limit_lines():
        terminalreporter.write_line(f"  {line}")
    width = max(len(row[0]) for row in rows)
    for name, time, *rates in rows:
        terminalreporter.write_line(f"{name:{width}}  {time:>9} µs  " + "".join(f"{rate:>16}" for rate in rates))
