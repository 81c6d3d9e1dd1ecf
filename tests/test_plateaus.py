"""`ReduceLROnPlateau` and `EarlyStopping` against the rules of Keras, and what all monitors share."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from training import fit, make, played

import fastgd as gd
from fastgd import callbacks
from fastgd.metrics import Metric


def keras_rates(values, patience, cooldown, factor, min_lr, min_delta, lower):
    """The rates after each epoch by the rule of `keras.callbacks.ReduceLROnPlateau`, written down once more."""
    rate, best, waited, cooling, rates = 1.0, math.inf if lower else -math.inf, 0, 0, []
    for value in values:
        if cooling:
            cooling, waited = cooling - 1, 0
        if value < best - min_delta if lower else value > best + min_delta:
            best, waited = value, 0
        elif not cooling:
            waited += 1
            if waited >= patience and rate > min_lr:
                rate, cooling, waited = max(rate * factor, min_lr), cooldown, 0
        rates.append(rate)
    return rates


def rates_of(plateau, values, name="loss"):
    optimizer, history, rates = gd.SGD(lr=1.0), gd.History(), []
    run = SimpleNamespace(columns=("epoch", name))
    trainer = SimpleNamespace(run=run, optimizer=optimizer, history=history, epoch=0, stop_reason=None)
    plateau.on_fit_begin(trainer)
    for value in values:
        trainer.epoch += 1
        history.extend({"epoch": [trainer.epoch], name: [value]})
        plateau.on_epoch_end(trainer, {name: value})
        rates.append(optimizer.lr)
    return rates


@pytest.mark.parametrize("cooldown", [0, 1, 2, 5])
@pytest.mark.parametrize("patience", [1, 2, 4])
@pytest.mark.parametrize(("min_lr", "min_delta"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.25)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_sequence_of_rates_is_that_of_keras(patience, cooldown, min_lr, min_delta, mode):
    rng = np.random.default_rng(patience + 10 * cooldown)
    for _ in range(20):
        values = rng.integers(0, 9, 40) / 4
        plateau = gd.ReduceLROnPlateau("loss", 0.5, patience, cooldown, min_lr, min_delta, mode)
        expected = keras_rates(values, patience, cooldown, 0.5, min_lr, min_delta, mode == "min")
        assert rates_of(plateau, values) == expected
        assert rates_of(plateau, values) == expected  # used again


def test_a_plateau_with_a_cooldown_step_by_step():
    """After a reduction, the last epoch of the cooldown is the first that counts again."""
    assert rates_of(gd.ReduceLROnPlateau("loss", 0.5, 2, 3), [1.0] * 9) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def keras_stop(values, patience, min_delta, baseline, start_from_epoch):
    """Epochs of the stop and of the best theta by the rule of `keras.callbacks.EarlyStopping`, written once more."""
    best, best_epoch, waited = math.inf, 0, 0
    for epoch, value in enumerate(values):
        if epoch < start_from_epoch:
            continue
        waited += 1
        if value + min_delta < best:
            best, best_epoch = value, epoch + 1
            if baseline is None or value + min_delta < baseline:
                waited = 0
            continue
        if waited >= patience:
            return epoch + 1, best_epoch
    return None, best_epoch


@pytest.mark.parametrize("start_from_epoch", [0, 3])
@pytest.mark.parametrize("baseline", [None, 0.5, -1.0])
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (4, 0.25)])
def test_early_stopping_is_that_of_keras(patience, min_delta, baseline, start_from_epoch):
    rng = np.random.default_rng(patience)
    for _ in range(20):
        values = [*rng.integers(0, 9, 12) / 4, *rng.integers(2, 9, 12) / 4]
        stopping = gd.EarlyStopping(
            "loss", patience, min_delta, baseline=baseline, start_from_epoch=start_from_epoch, mode="min"
        )
        stopped, best = keras_stop(values, patience, min_delta, baseline, start_from_epoch)
        assert played(stopping, "loss", values) == (stopped, best if best else len(values))


def test_a_baseline_that_is_never_beaten_is_named():
    assert played(gd.EarlyStopping("loss", patience=3, baseline=-1.0), "loss", [5, 4, 3, 2, 1]) == (None, 5)
    noisy = make(optimizer=gd.SGD(lr=1.5))
    fit(noisy, 60, callbacks=[gd.EarlyStopping("loss", patience=3, baseline=-1.0)])
    assert "not better than the baseline -1" in noisy.stop_reason


NEVER = Metric("never", lambda y, p: float("nan"), lower_is_better=True)


@pytest.mark.parametrize(
    "callback",
    [
        gd.EarlyStopping("validation_never", patience=2),
        callbacks.BestEpoch("validation_never"),
        gd.ReduceLROnPlateau("validation_never"),
        "checkpoint",
    ],
    ids=str,
)
def test_a_column_that_never_has_a_value_is_warned_of(callback, tmp_path):
    if callback == "checkpoint":
        callback = callbacks.Checkpoint(tmp_path / "best.npz", best="validation_never")
    trainer, name = make(metrics=[NEVER]), type(callback).__name__
    with pytest.warns(RuntimeWarning, match=f"{name} found only NaN or infinity in 'validation_never'") as warned:
        fit(trainer, 4, validation=0.2, callbacks=[callback])
    assert warned[0].filename.endswith("training.py")
    if isinstance(callback, gd.EarlyStopping) and not isinstance(callback, callbacks.BestEpoch):
        assert trainer.stop_reason == "validation_never has had no value for 2 epochs"
    assert list(tmp_path.iterdir()) == []


def test_a_value_in_one_epoch_is_enough():
    values = iter([float("nan")] * 2 + [1.0] + [float("nan")] * 9)
    metric = Metric("rare", lambda y, p, weight: next(values), "encoded", lower_is_better=True)
    stopping = gd.EarlyStopping("validation_rare", patience=4)
    trainer = make(metrics=[metric])
    fit(trainer, 10, validation=0.2, callbacks=[stopping])
    assert (stopping.best_epoch, stopping.best, trainer.epoch) == (3, 1.0, 7)


def test_early_stopping_of_a_resumed_warm_up(engine, tmp_path):
    """`start_from_epoch` counts from the beginning of the run, not from where it was resumed."""
    options = {"patience": 4, "start_from_epoch": 3}
    whole, stopped = make(optimizer=gd.SGD(lr=1.5)), make(optimizer=gd.SGD(lr=1.5))
    fit(whole, 60, callbacks=[gd.EarlyStopping("loss", **options)])
    fit(stopped, 60, callbacks=[gd.EarlyStopping("loss", **options), callbacks.StepBudget(10)])
    stopped.save(tmp_path / "run.npz")
    loaded = gd.Trainer.load(tmp_path / "run.npz")
    fit(loaded, None, callbacks=[gd.EarlyStopping("loss", **options)])
    assert (loaded.epoch, loaded.stop_reason) == (whole.epoch, whole.stop_reason)
    np.testing.assert_array_equal(loaded.model.theta, whole.model.theta)
