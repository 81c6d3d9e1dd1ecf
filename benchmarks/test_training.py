"""Steps of every workload, on every engine of this machine beside the NumPy engine."""

from dataclasses import replace
from functools import cache

import pytest

from fastgd import activations

from .workloads import TOLERANCE, WORKLOADS, Workload, reference, wrong_share

# Where a step of the slowest engines would take a minute.
TOO_LONG = {"wide": ("scalar", None)}
LEAST_FLOPS = 2e7  # of one call: its overhead does not show


@cache
def problem(workload: Workload):
    """Data, and theta after the first steps as it should be."""
    X, y = workload.data()
    return X, y, reference(workload, X, y)


def train(workload, measure):
    """Check some steps on the chosen engine, then time them."""
    X, y, expected = problem(workload)
    model = workload.model()
    first = model.theta.copy()
    model.network.train(workload.chunk(model, X, y, workload.order(workload.check_steps)))
    assert wrong_share(model.theta, first, expected) < TOLERANCE

    steps = max(1, round(LEAST_FLOPS / workload.flops))
    chunk = workload.chunk(model, X, y, workload.order(steps))
    measure(lambda: model.network.train(chunk), per=steps, flops=workload.flops)


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize("name", WORKLOADS)
def test_training(engine, name, measure):
    if engine.isa in TOO_LONG.get(name, ()):
        pytest.skip("a step would take a minute")
    train(WORKLOADS[name], measure)


@pytest.mark.benchmark(group="training, by activation")
@pytest.mark.parametrize("activation", [n for n, f in activations.ACTIVATIONS.items() if not f.rowwise])
def test_activation(engine, activation, measure):
    train(replace(WORKLOADS["tabular"], name=activation, activation=activation), measure)
