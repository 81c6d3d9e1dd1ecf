"""Predictions of few rows and of many on every engine of this machine."""

import numpy as np
import pytest

from .workloads import WORKLOADS, outputs

CALLS = [("digits", rows) for rows in (1, 32, 1_000, 30_000, 1_000_000)]
CALLS += [("mnist-big", rows) for rows in (1, 128, 4096)]
SLOW = ("scalar", None)  # engines that predict at most MAX_ROWS here
MAX_ROWS = 100_000


@pytest.mark.benchmark(group="prediction")
@pytest.mark.parametrize(("name", "rows"), CALLS)
def test_predict(engine, name, rows, measure):
    if rows > MAX_ROWS and engine.isa in SLOW:
        pytest.skip("a call would take seconds")
    workload = WORKLOADS[name]
    model = workload.model()
    X = np.random.default_rng(0).standard_normal((rows, workload.widths[0]), "float32")
    few = X[:256]
    np.testing.assert_allclose(model.predict(few), outputs(workload, model.theta, few), rtol=0, atol=1e-4)
    measure(lambda: model.predict(X), flops=2 * rows * sum(workload.weights))
