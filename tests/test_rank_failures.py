"""What fails on one rank, or is different there, ends on all."""

import faulthandler
import os
import threading

import numpy as np
import pytest
from ranks import Comm, run
from sharded_fits import REGRESSION, X, classifier, fit, part, regressor, y

import fastgd as gd
from fastgd.parallel import Group, RankError


def refused(ranks, program):
    """The messages of the ranks, all of which must have failed."""
    errors = run(ranks, program)
    assert all(isinstance(error, Exception) for error in errors), errors
    return [f"{type(error).__name__}: {error}" for error in errors]


def test_a_bad_value_on_one_rank():
    def program(comm):
        trainer, own = classifier(comm), part(X, comm).copy()
        theta = trainer.model.theta.copy()
        if comm.Get_rank() == 1:
            own[7, 3] = np.nan
        try:
            trainer.fit(own, part(y, comm), epochs=1, verbose=0)
        finally:
            assert (trainer.model.theta == theta).all()
            assert trainer.step == 0

    first, second = refused(2, program)
    assert second.startswith("ValueError: X")
    assert "row 7, column 3" in second
    assert first == f"RankError: rank 1 failed: {second}"


def test_weights_that_would_have_to_be_scaled():
    def program(comm):
        weight = np.full(480, 1e-50 if comm.Get_rank() else 1.0)
        fit(classifier(comm), comm, sample_weight=weight)

    first, second = refused(2, program)
    assert second == "ValueError: sample_weight has 1e-50: scale the weights so that the largest is about 1"
    assert first == f"RankError: rank 1 failed: {second}"


def test_ranks_with_different_rows():
    def program(comm):
        n = 240 - 3 * comm.Get_rank()
        classifier(comm).fit(X[:n], y[:n], epochs=1, verbose=0)

    for message in refused(2, program):
        assert message == (
            "ValueError: each rank must have the same number of training rows, a multiple of its 4 of 8 shards, not "
            "rank 0: 240, rank 1: 237: pass 236 rows on each"
        )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("the settings of the trainer", [{"batch_size": 48}, {"batch_size": 96}]),
        ("the optimizer", [{"optimizer": gd.SGD(lr=0.1)}, {"optimizer": gd.SGD(lr=0.2)}]),
        ("the layers of the model", [{"layers": [gd.Dense(64, 10)]}, {"layers": [gd.Dense(64, 9), gd.Dense(9, 10)]}]),
    ],
)
def test_ranks_with_different_settings(name, settings):
    for message in refused(2, lambda comm: fit(classifier(comm, **settings[comm.Get_rank()]), comm)):
        assert message.startswith(f"ValueError: {name} must be the same on all ranks, but rank 0 has ")


def test_ranks_with_different_weights():
    def program(comm):
        model = gd.MLP(64, 10, seed=comm.Get_rank())
        fit(gd.Trainer(model, loss="cross_entropy", comm=comm, seed=0), comm)

    for message in refused(2, program):
        assert message.startswith(
            "ValueError: theta (pass a seed to the model) must be the same on all ranks, but rank 0"
        )


def test_ranks_with_different_epochs():
    for message in refused(2, lambda comm: fit(classifier(comm), comm, epochs=1 + comm.Get_rank())):
        assert "the number of epochs must be the same on all ranks" in message


@pytest.mark.parametrize("local_steps", [1, 3])
def test_a_custom_loss_that_fails_on_one_rank(local_steps):
    def program(comm):
        calls = []

        def loss(Z, Y):
            calls.append(1)
            if comm.Get_rank() == 1 and len(calls) == 9:
                raise KeyError("lost")
            return float(((Z - Y) ** 2).mean()), 2 * (Z - Y) / Z.size

        trainer = regressor(comm, loss=loss, shards=2, local_steps=local_steps)
        with pytest.raises((KeyError, RankError)) as failure:
            fit(trainer, comm, *REGRESSION)
        return str(failure.value), trainer.step, trainer.model.theta.tobytes()

    (first, steps, theta), (second, other_steps, other_theta) = run(2, program)
    assert first == "rank 1 failed: KeyError: 'lost'"
    assert second == "'lost'"
    assert steps == other_steps == (8 if local_steps == 1 else 6)
    assert theta == other_theta


def test_a_callback_that_fails_on_one_rank():
    def program(comm):
        trainer = classifier(comm)

        class Fails(gd.Callback):
            def on_epoch_end(self, _, logs):
                if comm.Get_rank() == 0 and logs["epoch"] == 2:
                    raise OSError("disk full")

        with pytest.raises((OSError, RankError)) as failure:
            fit(trainer, comm, epochs=4, callbacks=[Fails()])
        return str(failure.value), trainer.epoch, fit(trainer, comm, epochs=None)

    expected, *_ = run(1, lambda comm: fit(classifier(comm), comm, epochs=4))
    (first, epoch, finished), (second, other_epoch, other_finished) = run(2, program)
    assert (first, second) == ("disk full", "rank 0 failed: OSError: disk full")
    assert epoch == other_epoch == 2
    assert finished == other_finished == expected


def test_a_callback_that_is_interrupted_on_one_rank():
    def program(comm):
        class Interrupted(gd.Callback):
            def on_epoch_end(self, _, logs):
                if comm.Get_rank() == 0:
                    raise KeyboardInterrupt

        trainer = classifier(comm)
        with pytest.raises((KeyboardInterrupt, RankError)) as failure:
            fit(trainer, comm, callbacks=[Interrupted()])
        return failure.type, trainer.stop_reason, fit(trainer, comm, epochs=None)

    expected, *_ = run(1, lambda comm: fit(classifier(comm), comm))
    first, second = run(2, program)
    assert first == (KeyboardInterrupt, "interrupted", expected)
    assert second == (RankError, "error", expected)


@pytest.mark.parametrize("local_steps", [1, 3])
def test_a_loss_that_is_not_finite(local_steps):
    def program(comm):
        trainer = regressor(comm, optimizer=gd.SGD(lr=1e6), local_steps=local_steps)
        theta = trainer.model.theta.copy()
        with pytest.raises(FloatingPointError, match="lower lr|lr"):
            fit(trainer, comm, *REGRESSION, epochs=20)
        assert np.isfinite(trainer.model.theta).all()
        assert theta.shape == trainer.model.theta.shape
        return trainer.step, trainer.model.theta.tobytes()

    assert len(set(run(2, program))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"augment": lambda rows, rng: rows}, "augment=<function"),
        ({"validation": gd.Split(0.2, stratify=True)}, "validation=Split"),
    ],
)
def test_what_needs_the_rows_of_all(arguments, message):
    with pytest.raises(ValueError, match=message):
        classifier(None).fit(X, y, epochs=1, verbose=0, **arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 50}, r"batch_size=50 must be a multiple of shards=8"),
        ({"accumulate": 2}, "accumulate=2 cannot be used with shards"),
        ({"shards": 1, "local_steps": 2}, "local_steps=2 needs several shards"),
        ({"shards": 0}, "shards"),
        ({"comm": "world"}, "comm must be a communicator of mpi4py"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        classifier(**{"comm": None} | settings)


def test_single_batches_and_profiles_have_no_ranks():
    trainer = classifier(None)
    for call in (trainer.train_on_batch, trainer.profile):
        with pytest.raises(ValueError, match="does not support shards: use a trainer with shards=1"):
            call(X, y)


def test_a_rank_that_waits_too_long_ends(monkeypatch, capsys):
    ended = threading.Event()
    monkeypatch.setenv("FASTGD_RANK_TIMEOUT", "0.05")
    monkeypatch.setattr(Comm, "Abort", lambda comm, status: None, raising=False)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *args, **options: None)
    monkeypatch.setattr(os, "_exit", lambda status: ended.set())

    def rank(comm):
        group = Group(comm)
        with group.together():
            if comm.Get_rank() == 1:
                ended.wait(10)
            group.exchange(None)

    assert run(2, rank) == [None, None]
    assert ended.is_set()
    assert "rank 0 has waited 0.05 seconds for the others: one of them does not answer" in capsys.readouterr().err


def test_a_limit_does_not_change_a_training(monkeypatch):
    expected = run(2, lambda comm: fit(classifier(comm), comm))
    monkeypatch.setenv("FASTGD_RANK_TIMEOUT", "60")
    assert run(2, lambda comm: fit(classifier(comm), comm)) == expected


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon"])
def test_a_limit_must_be_positive(monkeypatch, text):
    monkeypatch.setenv("FASTGD_RANK_TIMEOUT", text)
    errors = run(2, lambda comm: fit(classifier(comm), comm))
    assert {str(error) for error in errors} == {
        f"FASTGD_RANK_TIMEOUT must be a positive number of seconds, not {text!r}"
    }
