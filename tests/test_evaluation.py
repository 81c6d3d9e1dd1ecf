"""`Trainer.evaluate` measures what validation in `fit` does."""

import numpy as np
import pytest
from training import ROWS, EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.losses import LOSSES
from fastgd.metrics import Metric

WEIGHT = 1.0 + np.arange(ROWS) % 3


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_last_row_of_the_history(engine, loss, weight):
    X, y, _ = problem(loss)
    other = (X, y) if weight is None else (X, y, weight)
    trainer = make(loss)
    history = trainer.fit(X, y, epochs=2, validation=other, verbose=0)
    columns = [name for name in history if name.startswith("validation_")]
    assert trainer.evaluate(*other) == {name.removeprefix("validation_"): history[name][-1] for name in columns}


def test_metrics_and_average_are_those_of_the_trainer():
    X, y, _ = problem()
    rows = Metric("rows", lambda y_true, y_pred: len(y_true))
    trainer = make(optimizer=gd.SGD(lr=0.1, average=gd.EMA(0.5)), metrics=["accuracy", rows])
    history = trainer.fit(X, y, epochs=2, validation=(X, y), verbose=0)
    measured = trainer.evaluate(X, y)
    assert list(measured) == ["loss", "accuracy", "rows"]
    assert measured["loss"] == history["validation_loss"][-1]
    assert measured["rows"] == ROWS


def test_before_any_training():
    X, y, _ = problem()
    names = np.array(["ant", "bee", "cat"])[y]
    trainer = make()
    assert 0 <= trainer.evaluate(X, names)["accuracy"] <= 1
    assert trainer.model.head.classes is None
    assert trainer.history["epoch"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((3, 5)), [0, 1, 2]), "5 columns where 4 are expected"),
        ((np.ones((3, 4)), [0, 1]), "the same number of rows, not 3 and 2"),
        ((np.full((3, 4), np.nan), [0, 1, 2]), "X must be finite"),
        ((np.ones((3, 4)), [0, 1, 7]), "7"),
        ((np.ones((3, 4)), [0, 1, 2], np.zeros(3)), "sample_weight is zero for every row"),
    ],
)
def test_bad_input_changes_nothing(arguments, words):
    X, y, _ = problem()
    trainer = make()
    trainer.fit(X, y, epochs=1, verbose=0)
    before = trainer.model.theta.copy()
    with pytest.raises(ValueError, match=words):
        trainer.evaluate(*arguments)
    np.testing.assert_array_equal(trainer.model.theta, before)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": gd.SGD(lr=0.1)},
        {"optimizer": gd.SGD(lr=0.1, momentum=0.9, clip_norm=0.5, average=gd.EMA(0.5)), "grad_norm": True},
        {"optimizer": gd.Adam(lr=gd.Cosine(0.1)), "train_metrics": True, "metrics": ["accuracy", "balanced_accuracy"]},
    ],
    ids=["plain", "average", "train_metrics"],
)
def test_what_is_measured_does_not_depend_on_chunks(engine, options):
    """Several epochs are measured within a chunk, unless something of the user must be called after each."""
    within, after = (make(**{**options, "optimizer": options["optimizer"].copy()}) for _ in range(2))
    for trainer, callbacks in ((within, []), (after, [EachEpoch(lambda trainer: None)])):
        fit(trainer, 4, validation=0.2, callbacks=callbacks)
        fit(trainer, 3, validation=problem()[:2], callbacks=callbacks)
    np.testing.assert_array_equal(within.model.theta, after.model.theta)
    assert list(within.history) == list(after.history)
    for name in after.history:
        assert name == "seconds" or within.history[name] == after.history[name]


def test_epochs_that_diverge_within_a_chunk_are_undone(engine):
    trainer = make("mse", gd.SGD(lr=0.01))
    fit(trainer, 3, validation=0.2)
    theta = trainer.model.theta.copy()
    trainer.optimizer.lr = 1e30
    with pytest.raises(FloatingPointError):
        fit(trainer, 20, validation=0.2)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert (trainer.epoch, trainer.step, trainer.optimizer.steps) == (3, 9, 9)
    assert {len(column) for column in trainer.history.values()} == {3}
