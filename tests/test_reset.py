"""`Trainer.reset`, its representation, and metrics of training rows."""

import copy

import numpy as np
import pytest
from test_resume import check_same
from training import EachEpoch, blobs, fit, make, problem

import fastgd as gd
from fastgd import metrics
from fastgd.callbacks import ReduceLROnPlateau, StepBudget
from fastgd.data.splits import split_rows

NOISY = gd.Dense(4, 8, "tanh"), gd.Dropout(0.2), gd.Dense(8, 3)


def new(seed=0, **options):
    optimizer = gd.SGD(lr=1.5, momentum=0.5, average=gd.EMA(0.9))
    return gd.Trainer(gd.Sequential(*NOISY, seed=seed), loss="cross_entropy", optimizer=optimizer, **options)


def run(trainer, **options):
    return fit(trainer, 20, validation=0.2, callbacks=[ReduceLROnPlateau(patience=1), gd.EarlyStopping()], **options)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("seed", [None, 5])
def test_reset_is_a_new_trainer(engine, seed, stopped):
    """Also after a run that was stopped within an epoch, and whose learning rate was reduced."""
    trainer, fresh = new(), new(seed or 0)
    run(trainer)
    assert trainer.optimizer.lr < 1.5
    if stopped:
        fit(trainer, 8, callbacks=[StepBudget(3)])
    trainer.reset(seed)
    np.testing.assert_array_equal(trainer.model.theta, fresh.model.theta)
    assert (trainer.epoch, trainer.step, trainer.last_epoch, trainer.optimizer.lr) == (0, 0, 0, 1.5)
    assert (trainer.partial_epoch, trainer.stop_reason, trainer.resume_theta) == (None, None, None)
    assert trainer.seed == fresh.seed
    assert trainer.model.head.classes is None
    assert dict(trainer.history) == {"epoch": []}
    run(trainer)
    run(fresh)
    check_same(trainer, fresh)


def test_reset_keeps_a_seed_of_ones_own():
    trainer = new(seed=1)
    trainer.seed = 7
    trainer.reset(2)
    assert (trainer.seed, trainer.model.seed) == (7, 2)


def test_reset_is_refused_during_a_fit():
    trainer, whole = make(), make()
    with pytest.raises(RuntimeError, match="being trained"):
        fit(trainer, callbacks=[EachEpoch(lambda trainer: trainer.reset())])
    fit(trainer, None)
    fit(whole)
    check_same(trainer, whole)


def test_reset_refuses_a_bad_seed():
    trainer = make()
    fit(trainer)
    theta = trainer.model.theta.copy()
    with pytest.raises(ValueError, match="seed"):
        trainer.reset(-1)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.epoch == 3


def test_a_trainer_shows_its_settings():
    trainer = make(metrics=["accuracy", "rmse"], seed=3, shuffle=False)
    text = repr(trainer)
    assert text == (
        "Trainer(<Sequential 4-8-3>, optimizer=SGD(lr=0.05, momentum=0.9), loss=CrossEntropy(), batch_size=16, "
        "shuffle=False, seed=3, metrics=['accuracy', 'rmse'])"
    )
    assert "0x" not in repr(copy.copy(trainer))


@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "bce"])
def test_training_metrics(engine, loss, validation):
    """Those of the model at the end of each epoch, on the rows that it is trained on; training is the same."""
    X, y, _ = problem(loss)
    plain, trainer, scores = make(loss), make(loss, train_metrics=True), []
    name = trainer.loss.metric

    def measure(trainer):
        rows = np.setdiff1d(np.arange(len(X)), held_out)
        scores.append(trainer.evaluate(X[rows], y[rows])[name])

    held_out = [] if validation is None else split_rows(len(X), validation, 0)[1]
    history = fit(trainer, 3, validation=validation, callbacks=[EachEpoch(measure)])
    fit(plain, 3, validation=validation)
    np.testing.assert_array_equal(trainer.model.theta, plain.model.theta)
    measured = [] if validation is None else ["validation_loss", f"validation_{name}"]
    assert list(history) == ["epoch", "loss", name, *measured, "lr", "seconds"]
    assert history[name] == scores


def test_training_metrics_can_be_monitored_and_weighted(engine, tmp_path):
    X, y = blobs(60)
    weight = 1.0 + np.arange(60) % 3
    trainer = make(train_metrics=True, metrics=["accuracy", metrics.Metric("count", lambda y, p, w: len(y), "encoded")])
    trainer.save(tmp_path / "run.npz")
    trainer = gd.Trainer.load(tmp_path / "run.npz", metrics=trainer.metrics)
    assert trainer.train_metrics
    stop = gd.EarlyStopping("accuracy", patience=2)
    history = trainer.fit(X, y, 30, sample_weight=weight, class_weight={0: 5.0}, callbacks=[stop], verbose=0)
    assert trainer.epoch < 30
    assert set(history["count"]) == {60}
    guess = trainer.model.predict(X)
    assert max(history["accuracy"]) == pytest.approx(np.average(guess == y, weights=weight))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_metrics": "yes"}, "train_metrics must be True or False"),
        ({"loss": "quantile"}, "nothing to measure"),
        ({"metrics": []}, "nothing to measure"),
    ],
)
def test_bad_training_metrics(options, message):
    if options.get("loss") == "quantile":
        options = {"loss": gd.Quantile((0.1, 0.9))}
    with pytest.raises((TypeError, ValueError), match=message):
        gd.Trainer(gd.MLP(4, 3), **{"loss": "mse", "train_metrics": True, **options})
