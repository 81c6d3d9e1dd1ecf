"""Selecting parts, and the measurements that need no peers, for a moment each."""

import json
from argparse import Namespace

import pytest

from . import cores, fits, machine, phases, populations, real, sources
from .__main__ import _measure, _why_incomplete, _without_measured
from .peers import CONTENDERS
from .rounds import Pool
from .sections import SECTIONS, TOO_LONG, Options, parts


@pytest.fixture
def options():
    return Options(Pool(), tuple(CONTENDERS), seconds=1.0, rounds=100)


def test_sections_and_parts_are_selected(options):
    everything = parts(list(SECTIONS), options)
    assert len(everything) > 50
    assert set(TOO_LONG) < everything.keys()
    assert list(parts(["late/digits-adam", "limits"], options)) == [
        "late/digits-adam",
        "limits/fma",
        "limits/bandwidth",
    ]
    with pytest.raises(SystemExit, match=r"unknown: limits/x; choose from limits/fma limits/bandwidth"):
        parts(["limits/x"], options)
    with pytest.raises(SystemExit, match="unknown: x; choose from limits training"):
        parts(["x"], options)


def test_partial_measurements_say_why(options):
    few = Namespace(contenders=("fastgd",), seconds=1.0, rounds=100)
    assert "torch" in _why_incomplete(few)
    if all(entry.is_installed for entry in CONTENDERS.values()):
        assert _why_incomplete(options) == ""
        assert "fewer" in _why_incomplete(Namespace(contenders=tuple(CONTENDERS), seconds=1.0, rounds=1))


def test_a_limited_run_is_resumed(options, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.store.commit", lambda: "abc")
    monkeypatch.setattr("benchmarks.machine.describe", lambda: {"brand": "", "cpus": 1})
    calls = []
    tasks = {f"s/{n}": lambda n=n: calls.append(n) for n in range(3)}
    assert not _measure(tasks, options, tmp_path, limit=1)  # a part is expected to take longer
    assert calls == [0]
    assert list(_without_measured(tasks, tmp_path)) == ["s/1", "s/2"]
    assert _measure(_without_measured(tasks, tmp_path), options, tmp_path, limit=1000)
    assert calls == [0, 1, 2]


def test_teams_train_in_turns(monkeypatch):
    found = cores.measure("tiny", seconds=0.01, rounds=2)
    assert found["idle"].keys() == {"one", "all", "adaptive"}
    assert all(len(times) == 2 and min(times) > 0 for times in found["idle"].values())
    if machine.threads() > 1:
        assert found["busy"].keys() == found["confined"].keys() == {"one", "adaptive"}


def test_phases_are_measured_on_each_thread():
    found = phases.measure_here("tiny")
    assert [len(found["one"]["wait"]), len(found["all"]["wait"])] == [1, machine.threads()]
    assert found["one"].keys() >= {"gather", "forward 0", "loss", "update 1"}


@pytest.mark.parametrize("name", fits.FITS)
def test_fits_are_compared_with_their_steps(name):
    found = fits.measure_here(name, seconds=0, rounds=1)
    assert [one["epochs"] for one in found] == list(fits.EPOCHS)
    assert min(min(one["fit"], one["steps"], one["ratio"]) for one in found) > 0
    assert fits.measure_first(name, rounds=1)["ratio"] > 0


def test_sources_are_compared_with_memory(monkeypatch):
    monkeypatch.setattr(sources, "ROWS", 500)
    monkeypatch.setattr(sources, "ROUNDS", 1)
    found = sources.measure("100-64-2")
    assert found.keys() >= {"memory", "arrays", ".npy files"}
    assert min(found.values()) > 0


def test_many_models_are_trained_in_turns(monkeypatch):
    pytest.importorskip("joblib")
    monkeypatch.setattr(populations, "EPOCHS", 1)
    found = populations.measure_cores(n=2)
    assert found.keys() == {make.__name__ for make in populations.MAKERS}
    assert min(found.values()) > 0


def test_a_program_reaches_its_goal(tmp_path):
    import numpy as np

    file = tmp_path / "digits.npz"
    np.savez(file, **real.PROBLEMS["digits"].arrays())
    run = real.run("with_fastgd", file, seed=0)
    assert run["score"] >= 0.975
    assert 0 < run["training"] < run["total"]
    assert json.dumps(run)


def test_the_table_is_one_hot_and_its_goal_is_below_the_best():
    arrays = real.table()
    codes = arrays["X"][:, : sum(real.CATEGORIES)]
    assert (codes.sum(1) == len(real.CATEGORIES)).all()
    assert len(arrays["X"]) + len(arrays["X_test"]) == real.ROWS
    assert 0.97 < arrays["goal"] < 0.99
