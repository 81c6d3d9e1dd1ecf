"""How many epochs `fit` trains if it is not told, and stopping by the training loss."""

import warnings

import numpy as np
import pytest
from test_resume import check_same
from training import EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.callbacks import StepBudget
from fastgd.training import stopping
from fastgd.training.diagnostics import AdviceWarning


def played(losses, tol, n_iter_no_change):
    """The epoch after which the callback stops a training with these losses; None if it does not."""
    trainer = make()
    callback = stopping.LossTolerance(tol, n_iter_no_change)
    callback.on_fit_begin(trainer)
    for epoch, loss in enumerate(losses, start=1):
        callback.on_epoch_end(trainer, {"loss": loss})
        if trainer.stop_reason:
            return epoch
    return None


@pytest.mark.parametrize(
    ("losses", "tol", "n", "stopped"),
    [
        ([3, 2, 1, 1, 1], 0.0, 2, 5),
        ([3, 2, 1, 1, 0.5], 0.0, 2, None),
        ([3, 2.9, 2.85, 2.7], 0.2, 2, 3),
        ([3, 2.9, 2.7, 2.6], 0.2, 2, None),  # what falls slowly falls, too
        ([1, 2, 3], 0.0, 1, 2),
        ([1, 0.9375, 0.875], 0.0625, 1, 2),  # by more than tol
    ],
)
def test_the_rule(losses, tol, n, stopped):
    assert played(losses, tol, n) == stopped


def test_auto_is_until_the_loss_no_longer_falls(engine):
    X, y, _ = problem()
    trainer, same = (make(optimizer=gd.SGD(lr=0.1, momentum=0.9)) for _ in range(2))
    trainer.fit(X, y, verbose=0)
    assert 20 < trainer.epoch < 200
    assert trainer.stop_reason == "the loss has not fallen by more than 0.0001 for 20 epochs"
    fit(same, 200, tol=1e-4, n_iter_no_change=20)
    check_same(trainer, same)
    assert trainer.stop_reason == same.stop_reason


def test_auto_has_an_end():
    X, y, _ = problem("mse")
    trainer = make("mse", gd.SGD(lr=1e-4))
    trainer.fit(X, y, "auto", verbose=0)
    assert (trainer.epoch, trainer.stop_reason) == (200, None)


def test_a_number_of_epochs_is_that_number():
    trainer = make(optimizer=gd.SGD(lr=1e-30))
    fit(trainer, 50)
    assert trainer.epoch == 50


@pytest.mark.parametrize("options", [{"epochs": "auto"}, {"epochs": 60, "tol": 1e-2, "n_iter_no_change": 7}])
@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("steps", [10, 57])
def test_a_run_that_resumes_keeps_its_tolerance(steps, from_file, options, tmp_path):
    """Without being told it again."""
    X, y, _ = problem()
    whole, trainer = (make(optimizer=gd.SGD(lr=0.1, momentum=0.9)) for _ in range(2))
    whole.fit(X, y, verbose=0, **options)
    trainer.fit(X, y, verbose=0, callbacks=[StepBudget(steps)], **options)
    if from_file:
        trainer.save(tmp_path / "run.npz")
        trainer = gd.Trainer.load(tmp_path / "run.npz")
    fit(trainer, None)
    check_same(trainer, whole)
    assert trainer.stop_reason == whole.stop_reason
    assert whole.stop_reason.startswith("the loss has not fallen")
    fit(trainer, None)
    assert trainer.epoch == whole.epoch


def test_a_warm_up_is_not_the_end():
    """Its first steps change nothing."""
    trainer = make(optimizer=gd.SGD(lr=gd.Warmup(0.1, 5)))
    fit(trainer, 30, tol=1e-4, n_iter_no_change=10)
    assert trainer.epoch == 30


def test_tol_alone_says_that_its_meaning_has_changed():
    trainer = make()
    with pytest.warns(DeprecationWarning, match=r"ParameterTolerance\(0.001\)") as caught:
        fit(trainer, 3, tol=1e-3)
    assert caught[0].filename.endswith("training.py")  # of tests/helpers, which calls fit


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": "all"}, ValueError, "epochs must be an integer of 1 or more, 'auto' or None, not 'all'"),
        ({"epochs": 5, "n_iter_no_change": 3}, ValueError, "n_iter_no_change=3 needs a tol"),
        ({"tol": 1e-4, "n_iter_no_change": 0}, ValueError, "n_iter_no_change"),
        ({"tol": 1e-4, "n_iter_no_change": 1.5}, TypeError, "n_iter_no_change"),
        ({"tol": np.nan, "n_iter_no_change": 3}, ValueError, "tol"),
    ],
)
def test_bad_arguments(options, error, message):
    X, y, _ = problem()
    trainer = make()
    with pytest.raises(error, match=message):
        trainer.fit(X, y, **{"epochs": 5, "verbose": 0, **options})
    assert trainer.step == 0


def advice(trainer, epochs, **options):
    X, y, _ = problem(trainer.loss.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(X, y, epochs, **options)
    return [str(w.message) for w in caught if issubclass(w.category, AdviceWarning) and w.filename == __file__]


@pytest.mark.usefixtures("capsys")
def test_a_loss_that_still_falls_is_reported():
    slow = gd.SGD(lr=0.005)
    (text,) = advice(make(optimizer=slow), 12)
    assert "the training loss was still falling at the end" in text
    (text,) = advice(make(optimizer=gd.SGD(lr=0.005)), 12, validation=0.3)
    assert "the validation loss was still falling at the end" in text
    for optimizer, epochs, options in (
        (gd.SGD(lr=0.005), 9, {}),  # a first trial
        (gd.SGD(lr=0.005), 12, {"verbose": 0}),
        (gd.SGD(lr=0.1, momentum=0.9), 100, {}),  # has converged
        (gd.SGD(lr=gd.Cosine(0.1)), 20, {}),  # the schedule has ended
        (gd.SGD(lr=0.005), 20, {"callbacks": [EachEpoch(lambda trainer: trainer.epoch == 15 and trainer.stop("."))]}),
    ):
        assert advice(make(optimizer=optimizer), epochs, **options) == []
