"""Microseconds of a training step of every workload, on every engine of this machine."""

import pytest

from fastgd import backend

from .workloads import TOLERANCE, WORKLOADS, Chunk, reference, wrong_share

# The widest network takes a minute a step on the slow engines.
CASES = [
    pytest.param(engine, workload, id=f"{workload.name}-{engine.isa or engine.backend}")
    for workload in WORKLOADS.values()
    for engine in backend.available()
    if workload.name != "wide" or engine.isa not in (None, "scalar")
]


@pytest.mark.parametrize("engine, workload", CASES)
def test_training(benchmark, engine, workload):
    X, y = workload.data()
    with backend.override(engine.backend, engine.isa):
        model = workload.model()
        first = model.theta.copy()
        Chunk(workload, model, X, y, workload.order(workload.check_steps)).train()
        assert wrong_share(model.theta, first, reference(workload, X, y)) < TOLERANCE

        steps = max(1, round(2e7 / workload.flops))
        chunk = Chunk(workload, model, X, y, workload.order(steps))
        benchmark(chunk.train)
    seconds = benchmark.stats["median"] / steps
    benchmark.extra_info |= {"µs per step": seconds * 1e6, "GFLOP/s": workload.flops / seconds / 1e9}
