"""What the report computes, beside what it measures."""

import pytest

from .instructions import check
from .partition import CORES, SPLITS, Core, predict
from .targets import SPEEDS, targets
from .workloads import WORKLOADS

CORE = Core(flops=1e11, near=1e11, far=1e10)


@pytest.mark.parametrize("threads", [*CORES, 7])
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_parts_make_the_whole(split, threads):
    for m, n in ((1, 1), (16, 3), (128, 512), (785, 10)):
        parts = split.parts(m, n, threads)
        assert len(parts) == threads
        assert sum(rows * columns for rows, columns in parts) == m * n


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_one_thread_does_all(workload):
    one = predict(workload, 1, SPLITS["rows"], CORE)
    biases = 2 * workload.batch * sum(workload.widths[1:])  # their gradients are a row of each dW
    assert (one.flops, one.balance, one.barriers) == (workload.flops + biases, 1, 0)


def test_more_threads_do_less_each_and_read_more_in_all():
    few, many = (predict(WORKLOADS["mnist-big"], count, SPLITS["rows"], CORE) for count in (2, 64))
    assert many.flops < few.flops / 25
    assert 64 * many.bytes > 4 * 2 * few.bytes


@pytest.mark.parametrize("found, is_wrong", [(1000, False), (1015, False), (1030, True), (900, False)])
def test_only_more_instructions_are_wrong(found, is_wrong):
    assert (check(found, 1000, "a compiler") is not None) == is_wrong


def test_targets_are_judged():
    """A step of 1 µs beside a peer's of 5 and PyTorch's of 250."""
    seconds = {"fastgd/1": 1e-6, "fastgd/2": 2e-6, "jax-scan/1": 5e-6, "torch/1": 250e-6}
    runs = {key: {"seconds": [value] * 3} for key, value in seconds.items()}
    found = list(targets({"training": {"tiny": {"runs": runs, "flops": 1e3, "peak": {"1": 100.0}}}}))
    assert SPEEDS["tiny"].peer > 5
    assert [(one.reached, one.is_met) for one in found] == [("5x", False), ("250x", True)]
