"""`Trainer.profile`, and the phases of a chunk that it reads."""

import numpy as np
import pytest

import fastgd as gd
from fastgd import backend
from fastgd.engine.chunk import phase_columns

X, Y = np.random.default_rng(0).standard_normal((50, 6)), np.arange(50) % 3


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("fastgd.training.profile._SECONDS", 0.01)


@pytest.fixture
def native():
    if not any(found.isa for found in backend.available()):
        pytest.skip("built without the C engine")
    with backend.override("native"):
        yield


def trainer_of(**settings):
    return gd.Trainer(gd.MLP(6, 8, 5, 3, seed=0), loss="cross_entropy", batch_size=16, **settings)


@pytest.mark.parametrize("n_threads", [1, 2, None])
def test_profile_has_the_phases_of_a_step(native, n_threads):
    profile = trainer_of(n_threads=n_threads).profile(X, Y)
    layers = [f"forward {l}" for l in range(3)], ["backward 2", "backward 1"], [f"update {l}" for l in range(3)]
    assert list(profile.phases) == ["gather", *layers[0], "loss", *layers[1], *layers[2], "wait"]
    threads = {len(seconds) for seconds in profile.phases.values()}
    assert threads == {1 if n_threads is None else min(n_threads, backend.usable_threads(n_threads))}
    assert all(seconds[0] > 0 for phase, seconds in profile.phases.items() if phase != "wait")
    assert profile.steps > 0
    assert profile.seconds == max(sum(each) for each in zip(*profile.phases.values(), strict=True))


def test_profile_prints_a_table(native):
    lines = str(trainer_of(n_threads=1).profile(X, Y)).splitlines()
    assert lines[0].split() == ["microseconds", "thread", "0"]
    assert [line[:12].strip() for line in lines[1:4]] == ["gather", "forward 0", "forward 1"]
    assert lines[-1].startswith("total")
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": gd.SGD(lr=0.1, clip_norm=1.0, average=gd.EMA(0.9))},
        {"optimizer": gd.Adam(), "accumulate": 2, "standardize": True},
        {"batch_size": None, "grad_norm": True},
    ],
    ids=["transforms", "micro-batches", "full batch"],
)
def test_profile_takes_the_settings_of_the_trainer(native, settings):
    trainer = gd.Trainer(gd.MLP(6, 8, 3), loss="cross_entropy", **{"batch_size": 8, "n_threads": 1} | settings)
    phases = trainer.profile(X, Y, sample_weight=np.arange(50.0)).phases
    assert list(phases)[-2:] == ["transforms", "wait"]


def test_profile_changes_nothing(native):
    profiled, plain = trainer_of(n_threads=1), trainer_of(n_threads=1)
    for trainer in profiled, plain:
        trainer.fit(X, Y, epochs=1, verbose=0)
    profiled.profile(X, Y)
    assert (profiled.epoch, profiled.step) == (plain.epoch, plain.step)
    for trainer in profiled, plain:
        trainer.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_array_equal(profiled.model.theta, plain.model.theta)


def test_profile_checks_its_arguments(native):
    with pytest.raises(ValueError, match="not 50 and 49"):
        trainer_of().profile(X, Y[1:])
    custom = gd.losses.Custom(lambda Z, Y: (float((Z**2).mean()), 2 * Z / Z.size))
    trainer = gd.Trainer(gd.MLP(6, 3), loss=custom)
    with pytest.raises(TypeError, match="built-in losses"):
        trainer.profile(X, np.zeros((50, 3)))


def test_numpy_engine_says_that_it_measures_no_phases():
    with backend.override("numpy"):
        trainer = trainer_of()
        with pytest.raises(RuntimeError, match="the NumPy engine does not measure phases"):
            trainer.profile(X, Y)


def test_phase_columns_are_those_of_the_engine():
    assert sorted(phase_columns(3).values()) == [column for column in range(4 + 3 * 3) if column != 5]
    assert phase_columns(1) == {"gather": 0, "forward 0": 4, "loss": 1, "update 0": 6, "transforms": 2, "wait": 3}
