"""The learning-rate range test."""

import copy

import numpy as np
import pytest
from training import ROWS, blobs, problem

import fastgd as gd
from fastgd._common import random
from fastgd.training import lr_finder


def find(loss="cross_entropy", batch_size=16, **options):
    X, y, n_out = problem(loss)
    model = gd.MLP(4, 8, n_out, activation="tanh", seed=0, dtype="float64")
    return model, gd.lr_finder(model, X, y, loss=loss, batch_size=batch_size, **options)


@pytest.mark.parametrize("optimizer", ["sgd", gd.SGD(momentum=0.9), "adam", "lion"], ids=str)
def test_it_is_a_training_with_rising_rates(engine, optimizer):
    """A custom loop over the same rows and rates has the same losses; model and optimizer are unchanged."""
    kept = copy.deepcopy(optimizer)
    model, test = find(optimizer=optimizer, start=1e-4, end=0.1, steps=30, seed=2)
    assert repr(optimizer) == repr(kept)
    assert getattr(optimizer, "steps", 0) == 0
    np.testing.assert_array_equal(model.theta, gd.MLP(4, 8, 3, activation="tanh", seed=0, dtype="float64").theta)
    np.testing.assert_allclose(test.rates, np.geomspace(1e-4, 0.1, 30)[: len(test.rates)], rtol=1e-13)
    X, y, _ = problem()
    own = gd.optimizers.get(copy.deepcopy(optimizer))
    own.lr = lambda step: test.rates[int(step)]
    loss, step = gd.CrossEntropy(), 0
    for epoch in range(8):
        order = random.permutation(2, epoch, ROWS)
        for start in range(0, ROWS, 16):
            if step == len(test.rates):
                return
            rows = order[start : start + 16]
            Z, Y = model.forward(X[rows]), y[rows].reshape(-1, 1)
            assert loss.per_row(Z, Y).mean() == pytest.approx(test.losses[step], rel=1e-9)
            model.backward(loss.gradient(Z, Y) / len(rows))
            own.step(model)
            step += 1


def test_it_ends_where_the_loss_bursts():
    """Full batches, whose losses do not fluctuate."""
    _, test = find("mse", None, start=1e-4, end=1e6, steps=100)
    assert 10 < len(test.rates) < 90
    assert test.rates[0] < test.suggestion <= test.rates[test.smooth.argmin()]
    assert (test.smooth <= 4 * np.minimum.accumulate(test.smooth)).all()
    assert f"{test.suggestion:.2g}" in repr(test)


def test_its_picture():
    pytest.importorskip("matplotlib").use("agg")
    _, test = find()
    ax = test.plot()
    assert ax.get_xscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), test.rates)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 0}, r"start must be in \(0, inf\)"),
        ({"start": 1.0, "end": 0.1}, "start must be below end"),
        ({"steps": 1}, "steps must be 2 or more"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"start": 1e300, "end": 1e301}, "the loss is not finite"),
    ],
)
def test_it_refuses(options, words):
    with pytest.raises(ValueError, match=words), np.errstate(all="ignore"):
        find("mse", **options)


def test_other_schedules_cover_the_test(engine):
    """A momentum that depends on the length of the run goes through all of its values, in epochs as in a training."""
    X, y = blobs(90)
    momentum = gd.OneCycle(0.5, start=0.9, final=0.9)
    seen = []
    original = gd.OneCycle.rates

    def recorded(schedule, t, total_epochs):
        seen.append(np.asarray(t) / total_epochs)
        return original(schedule, t, total_epochs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gd.OneCycle, "rates", recorded)
        options = {"optimizer": gd.SGD(momentum=momentum), "steps": 30, "end": 1e-3, "batch_size": 16}
        gd.lr_finder(gd.MLP(4, 8, 3, seed=0), X, y, loss="cross_entropy", **options)
    np.testing.assert_allclose(np.concatenate(seen), np.arange(30) / 30, rtol=1e-12)


def test_the_suggestion_suits_the_optimizer():
    """As docs/training.md uses it: with momentum, the suggestion for SGD without is too high."""
    X, y = gd.datasets.digits()
    model, loss = gd.MLP(64, 32, 10, seed=0), "cross_entropy"
    plain, test = (gd.lr_finder(model, X / 16, y, loss=loss, optimizer=gd.SGD(momentum=m), seed=0) for m in (0.0, 0.9))
    assert test.suggestion < plain.suggestion / 2
    trainer = gd.Trainer(model, loss=loss, optimizer=gd.SGD(lr=gd.OneCycle(test.suggestion), momentum=0.9), seed=0)
    history = trainer.fit(X / 16, y, epochs=20, validation=0.2, verbose=0)
    assert history["validation_accuracy"][-1] > 0.95


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_ends_it_has_changed_nothing(error, monkeypatch):
    X, y = blobs(90)
    model, optimizer = gd.MLP(4, 8, 3, seed=0), gd.Adam()
    theta = model.theta.copy()

    def fail(*arguments):
        raise error

    monkeypatch.setattr(lr_finder, "train_chunk", fail)
    with pytest.raises(error):
        gd.lr_finder(model, X, y, loss="cross_entropy", optimizer=optimizer)
    np.testing.assert_array_equal(model.theta, theta)
    assert (optimizer.steps, optimizer.state) == (0, None)


@pytest.mark.parametrize("name", ["batch_size", "n_threads", "seed"])
@pytest.mark.parametrize("value", ["many", -1, 1.5, 10**40])
def test_bad_settings_are_refused(name, value):
    X, y = blobs(20)
    with pytest.raises((TypeError, ValueError), match=name):
        gd.lr_finder(gd.MLP(4, 3), X, y, loss="cross_entropy", **{name: value})
