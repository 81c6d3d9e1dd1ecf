"""Errors and Ctrl-C in a population: which member, what the others have, and how to go on."""

import _thread
import threading

import numpy as np
import pytest
from populations import EPOCHS, X, Y, member, members, same_training

import fastgd as gd

RULE = gd.SGD(lr=0.1)  # of two members


def diverging():
    trainers = members()
    trainers[3].optimizer = gd.SGD(lr=1e30)  # the largest, which begins first
    return trainers


def test_an_error_names_its_member_and_the_others_resume():
    population = gd.Population(diverging(), n_threads=1)
    with pytest.raises(FloatingPointError, match="member 3 of the population: "):
        population.fit(X, Y, EPOCHS, verbose=0)
    assert list(population.errors) == [3]
    population.trainers.pop(3)
    assert population.errors == {}
    population.fit(X, Y, epochs=None, verbose=0)
    for i, trainer in zip((0, 1, 2), population.trainers, strict=True):
        alone = member(i)
        alone.fit(X, Y, EPOCHS, verbose=0)
        assert same_training(trainer, alone)


def test_going_on_after_an_error(tmp_path):
    population = gd.Population(diverging())
    with pytest.warns(RuntimeWarning, match="1 member of the population failed; of member 3: "):
        population.fit(X, Y, 2, verbose=0, on_error="continue")
    assert [trainer.epoch for trainer in population.trainers[:3]] == [2, 2, 2]
    assert population.errors[3].startswith("FloatingPointError: ")
    population.save(tmp_path / "population.npz")
    assert gd.Population.load(tmp_path / "population.npz").errors == population.errors
    others = population.trainers[:3]
    np.testing.assert_allclose(population.predict_proba(X), gd.Population(others).predict_proba(X), rtol=1e-12)


class Custom(Exception):
    pass


class Raise(gd.Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, trainer, logs):
        raise self.error


def test_errors_of_other_classes_keep_them():
    population = gd.Population(members(2))
    with pytest.raises(Custom) as caught:
        population.fit(X, Y, 2, callbacks=lambda i: [Raise(Custom("oh"))] * i, verbose=0)
    assert caught.value.__notes__ == ["in member 1 of the population"]
    with pytest.raises(SystemExit):
        gd.Population(members(2)).fit(X, Y, 2, callbacks=lambda i: [Raise(SystemExit(3))] * i, verbose=0)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_the_training_and_not_the_program(n_threads):
    class Interrupt(gd.Callback):
        def on_epoch_end(self, trainer, logs):
            if trainer.epoch == 3:
                _thread.interrupt_main()

    population = gd.Population(members(), n_threads=n_threads)
    population.fit(X, Y, 2000, callbacks=lambda i: [Interrupt()] * (i == 3), verbose=0)
    assert population.stop_reason == "interrupted"
    assert sum(trainer.epoch for trainer in population.trainers) < 8000
    done = population.trainers[0].epoch
    for trainer in population.trainers:
        trainer.last_epoch = min(trainer.last_epoch, 40)
    assert done < 2000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fastgd-")]


def test_resuming_after_ctrl_c():
    class Interrupt(gd.Callback):
        def on_epoch_end(self, trainer, logs):
            if trainer.epoch == 2:
                _thread.interrupt_main()
                threading.Event().wait(0.2)

    population = gd.Population(members(), n_threads=1)
    population.fit(X, Y, EPOCHS, callbacks=lambda i: [Interrupt()] * (i == 3), verbose=0)
    assert population.stop_reason == "interrupted"
    population.fit(X, Y, epochs=None, verbose=0)
    assert population.stop_reason is None
    for i, trainer in enumerate(population.trainers):
        alone = member(i)
        alone.fit(X, Y, EPOCHS, verbose=0)
        assert same_training(trainer, alone)


def unchanged(population):
    return all(trainer.epoch == 0 and trainer.stop_reason is None for trainer in population.trainers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": X[:, :5]}, "X must have shape"),
        ({"y": Y[:7]}, "same number of rows"),
        ({"y": np.arange(240) % 11}, "member 0 of the population: "),
        ({"rows": [[0, 1]] * 3}, "rows must have one element for each of the 4 members, not 3"),
        ({"rows": [[0], [1], [999], [2]]}, r"rows of member 2 must be in \[0, 240\), the rows of X, but has 999"),
        ({"rows": [0.5, 1.5]}, "must be integers"),
        ({"rows": [[0], [], [1], [2]]}, "rows of member 1 is empty|must be integers"),
        ({"validation": 0.2, "validation_rows": [1]}, "give validation or validation_rows"),
        ({"validation": [0.2, 0.1]}, "validation must have one element for each"),
        ({"validation_rows": np.arange(240)}, "none are left to train on"),
        ({"sample_weight": np.ones((3, 240))}, r"sample_weight must have shape \(rows,\), or \(4, rows\)"),
        ({"sample_weight": -np.ones(240)}, "sample_weight"),
        ({"callbacks": [gd.EarlyStopping()]}, "callbacks must be a function of a member's index"),
        ({"epochs": 0}, "epochs must be"),
        ({"epochs": None}, "epochs=None resumes a run"),
        ({"on_error": "ignore"}, "on_error must be"),
    ],
)
def test_invalid_arguments_change_nothing(arguments, message):
    population = gd.Population(members())
    with pytest.raises((TypeError, ValueError), match=message):
        population.fit(**({"X": X, "y": Y, "epochs": 1, "verbose": 0} | arguments))
    assert unchanged(population)


def test_what_one_member_does_not_take():
    trainers = members()
    trainers[3] = gd.Trainer(gd.MLP(64, 9, seed=0), loss="cross_entropy")
    population = gd.Population(trainers)
    with pytest.raises(ValueError, match="member 3 of the population: "):
        population.fit(X, Y, 1, verbose=0)
    assert unchanged(population)
    with pytest.raises(TypeError, match="unexpected argument 'validaton': did you mean 'validation'"):
        population.rounds(X, Y, 1, validaton=0.2)


class Communicator:
    Get_size = Get_rank = staticmethod(lambda: 1)
    allgather = Allgatherv = Alltoallv = None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: member(0), "a list of trainers"),
        (lambda: [], "at least one trainer"),
        (lambda: [member(0), gd.MLP(64, 10)], "member 1 of a Population must be a Trainer"),
        (
            lambda: [member(0), gd.Trainer(gd.MLP(3, 10), loss="cross_entropy")],
            "member 0 has 64 inputs, but member 1 3",
        ),
        (lambda: [member(0), member(1, comm=Communicator())], r"member 1 has a communicator \(comm=\)"),
        (lambda: [member(0)] * 2, "members 0 and 1 have the same model"),
        (lambda: [member(i, optimizer=RULE) for i in (0, 1)], "members 0 and 1 have the same optimizer"),
    ],
)
def test_invalid_members(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        gd.Population(make())
