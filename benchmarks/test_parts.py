"""What the report computes from measurements."""

import numpy as np
import pytest

from fastgd import backend

from . import bf16, late
from .instructions import check
from .partition import CORES, Core, Load, Relay, Split, by_rows, engine_split, predict
from .targets import LATE, SPEEDS, targets
from .workloads import WORKLOADS

CORE = Core(flops=1e11, l2=1e11, memory=1e10)


@pytest.mark.parametrize("threads", [*CORES, 7])
@pytest.mark.parametrize("columns", [1, 3])
def test_parts_cover_the_product(columns, threads):
    split = Split(threads, max(1, threads // columns), min(columns, threads), panel=32)
    for m, n in ((1, 1), (16, 3), (128, 512), (785, 10)):
        for parts in (split.of_product(m, n), split.of_gradient(m, n)):
            assert len(parts) == threads
            assert sum(rows * columns for rows, columns in parts) == m * n


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_one_thread_does_everything(workload):
    one = predict(workload, engine_split(workload, 1), CORE)
    biases = 2 * workload.batch * sum(workload.widths[1:])  # whose gradients are a row of each dW
    assert (one.flops, one.balance, one.barriers) == (workload.flops + biases, 1, 0)


def test_more_threads_compute_less_each_and_read_more_in_total():
    workload = WORKLOADS["mnist-big"]
    few, many = (predict(workload, by_rows(workload, count), CORE) for count in (2, 64))
    assert many.flops < few.flops / 25
    assert 64 * many.bytes > 4 * 2 * few.bytes


@pytest.mark.skipif(backend.choose().backend == "numpy", reason="NumPy's BLAS divides its products itself")
def test_many_threads_share_the_rows_of_a_small_batch():
    workload = WORKLOADS["mnist-big"]
    rows_only, grid = (predict(workload, split(workload, 64), CORE) for split in (by_rows, engine_split))
    assert grid.split.columns > 1
    assert grid.bytes < rows_only.bytes / 2


@pytest.mark.skipif(backend.choose().backend == "numpy", reason="NumPy's threads do not relay")
def test_few_threads_relay_the_gradients_of_many_rows():
    workload = WORKLOADS["tabular"]
    alone, few, many = (predict(workload, engine_split(workload, threads), CORE) for threads in (1, 2, 16))
    assert few.split.relays(workload)
    assert not many.split.relays(workload)
    assert few.barriers == 1  # instead of two
    assert few.flops == alone.flops / 2
    assert 1.7 * few.seconds < alone.seconds


def test_a_thread_of_a_relay_waits_for_each_band():
    short, long = Load(flops=1e5), Load(flops=2e5)  # a microsecond, and two
    relay = Relay([], 0, [[short, long, short], [short, short, short]])
    assert relay.seconds(CORE) == pytest.approx(5e-6, rel=0.05)


@pytest.mark.parametrize(("found", "is_wrong"), [(1000, False), (1015, False), (1030, True), (900, False)])
def test_only_more_instructions_are_wrong(found, is_wrong):
    assert (check(found, 1000, "a compiler") is not None) == is_wrong


@pytest.mark.parametrize(
    ("vendor", "expected"), [("AMD", [("5x", False), ("250x", True)]), ("Intel", [("5x", True)]), ("", [])]
)
def test_targets_are_those_of_the_vendor(vendor, expected):
    """A step of 1 µs, a peer's of 5 and PyTorch's of 250."""
    seconds = {"fastgd/1": 1e-6, "fastgd/2": 2e-6, "jax-scan/1": 5e-6, "torch/1": 250e-6}
    runs = {key: {"seconds": [value] * 3} for key, value in seconds.items()}
    race = {"runs": runs, "flops": 1e3, "peak": {"1": 100.0}}
    found = list(targets({"machine": {"vendor": vendor}, "training": {"tiny": race}}))
    assert SPEEDS["Intel"]["tiny"].peer == 5 < SPEEDS["AMD"]["tiny"].peer
    assert [(one.reached, one.is_met) for one in found] == expected


def test_teams_are_compared_round_by_round():
    """All threads take half the time of one in each round, of which one was slow; the chosen ones 4 % more."""
    idle = {"one": [2.0, 8.0, 2.0], "all": [1.0, 4.0, 1.0], "adaptive": [1.04, 4.16, 1.04]}
    busy = {"one": [2.0] * 3, "adaptive": [2.6] * 3}
    found = list(targets({"cores": {"mnist": {"title": "", "idle": idle, "busy": busy}}}))
    assert [(one.reached, one.is_met) for one in found] == [("2.00x", True), ("1.04x", False), ("1.30x", False)]


def test_first_fits_and_epochs_of_a_fit_have_targets():
    fit = [
        {"epochs": 1, "fit": 2e-3, "steps": 1e-3, "ratio": 2.0},
        {"epochs": 10, "fit": 1e-3, "steps": 1e-3, "ratio": 1.0},
    ]
    first = {"epochs": 10, "first": 1.2e-3, "later": 1e-3, "ratio": 1.2}
    found = list(targets({"fit": {"tiny": fit, "tiny-first": first}}))
    assert [(one.reached, one.is_met) for one in found] == [("2.00x", False), ("1.00x", True), ("1.20x", False)]


@pytest.mark.parametrize("ratio", [1.0, 1.2])
def test_late_epochs_are_compared_with_early_ones(ratio):
    (target,) = targets({"late": {"digits, Adam": {"epochs": 2500, "early": 1e-3, "late": 1e-3, "ratio": ratio}}})
    assert (target.reached, target.is_met) == (f"{ratio:.2f}x", ratio <= LATE)


def test_every_course_is_measured_at_both_stages(monkeypatch):
    monkeypatch.setattr(late, "ROUND", 5)
    for name in late.COURSES:
        stages = late.measure_course(name, seconds=0, rounds=2, epochs=2)
        assert stages["epochs"] == 2
        assert min(stages["early"], stages["late"], stages["ratio"]) > 0


def test_the_table_has_a_one_per_variable_and_rare_columns():
    X, y = late.one_hot()
    assert (X.sum(1) == len(late.CATEGORIES)).all()
    occurrences = X.sum(0)
    assert (occurrences[occurrences > 0] <= 2).sum() >= 10
    assert len(np.unique(y)) == late.CLASSES
    for one, other in zip((X, y), late.one_hot(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("engine", "reached"), [("amx, gcc", ["6x", "1.20x"]), ("avx512, gcc", ["2.00x", "2.00x"])])
def test_bfloat16_is_compared_with_peers_or_with_float32(engine, reached):
    """With tiles of AMX with peers that keep weights in float32; without, with fastgd in float32."""
    seconds = {"fastgd/1": 12e-6, "fastgd-bf16/1": 6e-6, "torch-autocast/1": 36e-6, "torch-bf16-weights/1": 1e-6}
    slower = {key: 1.2 * value for key, value in seconds.items()}
    section = {
        f"mnist-{name}": {"title": name, "runs": {key: {"seconds": [value]} for key, value in of.items()}}
        for name, of in (("sgd", seconds), ("adam", slower))
    }
    found = targets({"machine": {"engine": engine}, "bf16": section})
    assert [one.reached for one in found] == reached
    assert [(cells[1], cells[2], cells[3][:4]) for _, *cells in bf16.rows(section)] == [
        ("2.00x", "6.00x (PyTorch, autocast bf16)", "0.17"),
        ("2.00x", "6.00x (PyTorch, autocast bf16)", "0.17"),
    ]
