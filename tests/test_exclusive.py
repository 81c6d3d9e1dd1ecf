"""A model takes part in one training at a time; what a callback may change during one."""

import copy
import threading

import numpy as np
import pytest
from training import ROWS, EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.training import exclusive

REFUSED = "this model is being trained"


def trainings(trainer):
    """Ways to train the trainer's model."""
    X, y, _ = problem()
    other = gd.Trainer(trainer.model, loss="cross_entropy", optimizer="adam")
    yield lambda: fit(trainer)
    yield lambda: fit(copy.copy(trainer))
    yield lambda: other.fit(X, y, epochs=1, verbose=0)
    yield lambda: gd.fit_lbfgs(trainer.model, X, y, loss="cross_entropy", epochs=1)
    yield lambda: setattr(trainer, "model", gd.MLP(4, 3))


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("in_thread", [False, True])
def test_a_model_in_training_is_not_trained(which, in_thread):
    pytest.importorskip("scipy")
    whole, trainer, errors = make(), make(), []

    def train(trainer):
        try:
            list(trainings(trainer))[which]()
        except RuntimeError as error:
            errors.append(str(error))

    def intrude(trainer):
        thread = threading.Thread(target=train, args=(trainer,))
        (thread.start if in_thread else thread.run)()
        if in_thread:
            thread.join()

    fit(whole)
    fit(trainer, callbacks=[EachEpoch(intrude)])
    assert len(errors) == 3
    assert all(error.startswith(REFUSED) for error in errors)
    np.testing.assert_array_equal(trainer.model.theta, whole.model.theta)
    assert (trainer.epoch, trainer.step, trainer.stop_reason) == (3, 12, None)
    assert not exclusive._training


def test_a_custom_loss_cannot_train_the_model_either():
    X, y, _ = problem("mse")

    def intruding(Z, Y):
        trainer.fit(X, y, epochs=1, verbose=0)
        return 0.0, Z

    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss=intruding)
    with pytest.raises(RuntimeError, match=REFUSED):
        trainer.fit(X, y, epochs=1, verbose=0)
    assert trainer.step == 0


def test_other_models_and_measurements_are_free():
    X, y, _ = problem()
    trainer, seen = make(), []

    def use(trainer):
        seen.append(trainer.evaluate(X, y)["accuracy"])
        trainer.model.predict(X)
        fit(make(), 1)
        gd.lr_finder(trainer.model, X, y, loss="cross_entropy", steps=5)

    whole = make()
    fit(whole)
    fit(trainer, callbacks=[EachEpoch(use)])
    assert len(seen) == 3
    np.testing.assert_array_equal(trainer.model.theta, whole.model.theta)


def test_the_model_is_free_after_an_error():
    X, y, _ = problem()
    trainer = make()
    for bad in (X[:, :2], X * np.nan):
        with pytest.raises(ValueError, match="X"):
            trainer.fit(bad, y, epochs=1, verbose=0)
    fit(trainer)
    assert trainer.epoch == 3


def test_another_optimizer_takes_over_at_once(engine):
    """As if the training had been stopped there and continued with the other one."""

    def replace(trainer):
        if trainer.epoch == 2:
            trainer.optimizer = gd.Adam(lr=0.01, average=gd.EMA(0.9))

    trainer, parts = make(), make()
    fit(trainer, 5, callbacks=[EachEpoch(replace)])
    fit(parts, 2)
    parts.optimizer = gd.Adam(lr=0.01, average=gd.EMA(0.9))
    fit(parts, 3)
    np.testing.assert_array_equal(trainer.model.theta, parts.model.theta)
    np.testing.assert_array_equal(trainer.averaged.theta, parts.averaged.theta)
    assert trainer.optimizer.steps == 3 * 4


def test_other_settings_take_effect_in_the_next_fit(engine):
    def change(trainer):
        trainer.batch_size, trainer.shuffle, trainer.loss = ROWS, False, "focal"

    trainer, whole = make(), make()
    fit(whole)
    fit(trainer, callbacks=[EachEpoch(change)])
    np.testing.assert_array_equal(trainer.model.theta, whole.model.theta)
    change(whole)
    for each in (trainer, whole):
        fit(each, 1)
    assert trainer.step == 3 * 4 + 1
    np.testing.assert_array_equal(trainer.model.theta, whole.model.theta)
