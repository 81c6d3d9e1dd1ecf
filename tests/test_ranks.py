"""Training on several ranks gives the same bits for any number of them."""

import numpy as np
import pytest
from ranks import run
from sharded_fits import CASES, WEIGHT, X, classifier, fit, y

import fastgd as gd
from fastgd.training import loop


@pytest.mark.parametrize("case", CASES)
def test_same_bits_on_any_number_of_ranks(case, engine):
    expected, *_ = run(1, CASES[case])
    for ranks in (2,) if case == "six shards" else (2, 4):
        for found in run(ranks, CASES[case]):
            assert found == expected


@pytest.mark.parametrize("case", ["plain", "local"])
def test_shards_without_ranks(case):
    settings = {"local_steps": 3 if case == "local" else 1, "optimizer": "adam"}
    [(theta, *_)] = run(1, lambda comm: fit(classifier(comm, **settings), comm))
    trainer = classifier(None, **settings)
    trainer.fit(X, y, epochs=2, verbose=0)
    assert trainer.model.theta.tobytes() == theta


def test_one_shard_is_training_without_a_group():
    plain, single = gd.MLP(64, 12, 10, seed=3), classifier(None, shards=1)
    trainer = gd.Trainer(plain, loss="cross_entropy", optimizer=gd.SGD(lr=0.1, momentum=0.9), batch_size=48)
    trainer.fit(X, y, epochs=2, validation=0.2, verbose=0)
    single.fit(X, y, epochs=2, validation=0.2, verbose=0)
    assert single.model.theta.tobytes() == plain.theta.tobytes()
    assert single.history["validation_loss"] == trainer.history["validation_loss"]


def test_chunks_that_end_early_change_nothing(monkeypatch):
    expected = run(1, CASES["schedule"])
    monkeypatch.setattr(loop._Loop, "_must_stop", lambda self: lambda: True)
    assert run(2, CASES["schedule"]) == expected * 2


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_gradient_is_that_of_all_rows(weight):
    """With all rows in each step, shards change nothing but the order of sums."""
    settings = {"dtype": "float64", "batch_size": None}
    plain = classifier(None, shards=1, **settings)
    plain.fit(X, y, epochs=5, sample_weight=weight, verbose=0)
    sharded = classifier(None, shards=8, **settings)
    sharded.fit(X, y, epochs=5, sample_weight=weight, verbose=0)
    np.testing.assert_allclose(sharded.model.theta, plain.model.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sharded.history["loss"], plain.history["loss"], rtol=1e-12)


def test_local_steps_are_the_mean_of_separate_trainings():
    """Without momentum and with one round, theta is the mean of what each shard reaches alone."""
    settings = {"optimizer": gd.SGD(lr=0.1), "dtype": "float64", "shuffle": False, "batch_size": 48}
    rounds = classifier(None, shards=4, local_steps=10, **settings)
    rounds.fit(X, y, epochs=1, verbose=0)
    thetas = []
    for rows in np.split(np.arange(480), 4):
        alone = classifier(None, shards=1, **settings | {"batch_size": 12, "optimizer": gd.SGD(lr=0.1)})
        alone.fit(X[rows], y[rows], epochs=1, verbose=0, classes=range(10))
        thetas.append(alone.model.theta)
    np.testing.assert_allclose(rounds.model.theta, np.mean(thetas, axis=0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("before", [1, 2, 4])
@pytest.mark.parametrize("local_steps", [1, 3])
def test_resume_on_another_number_of_ranks(before, local_steps, tmp_path):
    settings = {"local_steps": local_steps, "optimizer": "adam"}
    expected, *_ = run(1, lambda comm: fit(classifier(comm, **settings), comm, epochs=3, sample_weight=WEIGHT))
    stopped_at = 15 if local_steps == 1 else 16  # of 10 steps an epoch: the next mean over the shards
    path = tmp_path / "trainer.npz"

    def begin(comm):
        trainer = classifier(comm, **settings)
        fit(trainer, comm, epochs=3, sample_weight=WEIGHT, callbacks=[gd.StepBudget(15)])
        if comm.Get_rank() == 0:
            trainer.save(path)
        return trainer.step

    def resume(comm):
        return fit(gd.Trainer.load(path, comm=comm), comm, epochs=None, sample_weight=WEIGHT)

    assert set(run(before, begin)) == {stopped_at}
    for ranks in (1, 2, 4):
        for found in run(ranks, resume):
            assert found[:2] == expected[:2]


def test_callbacks_that_write_do_so_once(tmp_path):
    written = []

    class Log(gd.Callback):
        on_rank_0_only = True

        def on_epoch_end(self, trainer, logs):
            written.append(logs["epoch"])

    path = tmp_path / "log.csv"
    results = run(4, lambda comm: fit(classifier(comm), comm, callbacks=[Log(), gd.CSVLogger(path)]))
    assert len(set(results)) == 1
    assert written == [1, 2]
    assert len(path.read_text().splitlines()) == 3


def test_one_rank_prints(capsys):
    run(2, lambda comm: fit(classifier(comm), comm, verbose=1))
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("epoch 2/2") == 1


def test_a_rank_that_stops_stops_all():
    def program(comm):
        trainer = classifier(comm)

        class Stop(gd.Callback):
            def on_epoch_end(self, _, logs):
                if comm.Get_rank() == 2 and logs["epoch"] == 3:
                    trainer.stop("enough")

        fit(trainer, comm, epochs=10, callbacks=[Stop()])
        return trainer.epoch, trainer.stop_reason

    assert run(4, program) == [(3, "enough")] * 4
