"""Averages of theta, norms of gradients and steps of several batches, as a user of the trainer meets them."""

import numpy as np
import pytest
from training import EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.callbacks import BestEpoch, StepBudget

T = np.arange(1, 41)


def weights(average, per_epoch=4):
    epoch_times = (T - 1) / per_epoch
    return average.weights(T, epoch_times, T / per_epoch, 10.0)


def averaged(w, thetas):
    mean = 0.0
    for weight, theta in zip(w, thetas, strict=True):
        mean = (1 - weight) * mean + weight * theta
    return mean


def test_ema_starts_as_the_plain_mean():
    thetas = np.random.default_rng(0).normal(size=40)
    w = weights(gd.EMA(0.95))
    assert averaged(w[:20], thetas[:20]) == pytest.approx(thetas[:20].mean())
    np.testing.assert_allclose(w[20:], 0.05, rtol=1e-14)
    assert averaged(w, np.ones(40)) == pytest.approx(1)


def test_ema_without_warmup_starts_as_the_first_theta():
    thetas = np.random.default_rng(0).normal(size=40)
    mean = thetas[0]
    for theta in thetas[1:]:
        mean = 0.95 * mean + 0.05 * theta
    assert averaged(weights(gd.EMA(0.95, warmup=False)), thetas) == pytest.approx(mean)


def test_ema_without_memory_is_theta():
    np.testing.assert_array_equal(weights(gd.EMA(0.0)), 1)


def test_ema_takes_a_schedule():
    w = weights(gd.EMA(gd.Step(0.8, 5, 0.5)))
    np.testing.assert_allclose(w[[10, 19, 20, 39]], [0.2, 0.2, 0.6, 0.6], rtol=1e-14)


@pytest.mark.parametrize(("start", "every"), [(1, 1), (3, 1), (2, 3), (20, 1)])
def test_swa_is_the_mean_at_ends_of_epochs(start, every):
    thetas = np.random.default_rng(0).normal(size=40)
    at_ends = thetas[3::4]  # of epochs 1 to 10
    want = at_ends[start - 1 :: every].mean() if start <= 10 else at_ends[-1]
    assert averaged(weights(gd.SWA(start, every)), thetas) == pytest.approx(want)


def test_the_trainer_averages_its_epochs(engine):
    thetas = []
    trainer = make(optimizer=gd.SGD(lr=0.05, average=gd.SWA(start=2)), dtype="float64")
    fit(trainer, 5, callbacks=[EachEpoch(lambda trainer: thetas.append(trainer.model.theta.copy()))])
    np.testing.assert_allclose(trainer.averaged.theta, np.mean(thetas[1:], axis=0), rtol=1e-13)
    np.testing.assert_array_equal(trainer.model.theta, thetas[-1])


def test_averaging_changes_nothing_else(engine):
    plain, averaging = make(optimizer=gd.Adam(lr=0.01)), make(optimizer=gd.Adam(lr=0.01, average=gd.EMA(0.9)))
    fit(plain)
    fit(averaging)
    np.testing.assert_array_equal(plain.model.theta, averaging.model.theta)
    np.testing.assert_array_equal(plain.optimizer.state, averaging.optimizer.state)


def test_before_the_first_step_the_average_is_theta():
    trainer = make(optimizer=gd.SGD(average=gd.EMA()))
    np.testing.assert_array_equal(trainer.averaged.theta, trainer.model.theta)
    fit(trainer, 1, callbacks=[StepBudget(1)])
    np.testing.assert_array_equal(trainer.averaged.theta, trainer.model.theta)
    swa = make(optimizer=gd.SGD(average=gd.SWA(start=1)))
    first = swa.model.theta.copy()
    fit(swa, 1, callbacks=[StepBudget(2)])
    np.testing.assert_array_equal(swa.averaged.theta, first)


def test_averaged_is_a_copy_with_a_head():
    trainer = make(optimizer=gd.SGD(lr=0.05, average=gd.EMA(0.9)))
    X, y, _ = problem()
    trainer.fit(X, np.array(["ant", "bee", "cat"])[y], epochs=5, verbose=0)
    duplicate = trainer.averaged
    assert set(duplicate.predict(X)) <= {"ant", "bee", "cat"}
    duplicate.theta[:] = 0
    assert (trainer.averaged.theta != 0).any()


def test_no_average():
    with pytest.raises(ValueError, match=r"write SGD\(average=EMA\(0.999\)\)"):
        make().averaged  # noqa: B018


def test_validation_measures_the_average(engine):
    X, y, _ = problem()
    trainer = make(optimizer=gd.SGD(lr=0.5, average=gd.EMA(0.95)), dtype="float64")
    fit(trainer, 3, validation=(X, y))
    losses = []
    for model in (trainer.averaged, trainer.model):
        Z = model.forward(X)
        losses.append((np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]).mean())
    assert trainer.history["validation_loss"][-1] == pytest.approx(losses[0], rel=1e-12)
    assert abs(losses[1] - losses[0]) > 1e-6 * losses[0]


@pytest.mark.parametrize("callback", [lambda: gd.EarlyStopping(patience=3), BestEpoch], ids=["stop", "best"])
def test_the_best_average_comes_back(engine, callback, tmp_path):
    """With the theta of its epoch, also in a run that was stopped and resumed from a file."""
    kept = {}

    def run(trainer, epochs, *more):
        X, y, _ = problem()
        monitors = [
            callback(),
            EachEpoch(lambda t: kept.update({t.epoch: (t.model.theta.copy(), t.averaged.theta)})),
        ]
        trainer.fit(X, y, epochs, validation=0.3, callbacks=[*monitors, *more], verbose=0)
        return monitors[0]

    def new():
        return make(optimizer=gd.SGD(lr=2.0, average=gd.EMA(0.8)))

    whole, stopped = new(), new()
    best = run(whole, 15).best_epoch
    for got, want in zip((whole.model.theta, whole.averaged.theta), kept[best], strict=True):
        np.testing.assert_array_equal(got, want)
    assert best < max(kept)
    run(stopped, 15, StepBudget(3 * best), EachEpoch(lambda t: t.epoch == best and t.save(tmp_path / "run.npz")))
    loaded = gd.Trainer.load(tmp_path / "run.npz")
    assert run(loaded, None).best_epoch == best
    np.testing.assert_array_equal(loaded.averaged.theta, whole.averaged.theta)


# ---- norms of gradients


def test_grad_norm_is_the_mean_over_the_steps(engine):
    """With one step an epoch: the norm of the gradient at the theta before it."""
    X, y, _ = problem()
    trainer, norms = make(batch_size=None, grad_norm=True, dtype="float64"), []
    duplicate = make(batch_size=None, dtype="float64").model
    for _ in range(3):
        Z = duplicate.forward(X)
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        P[np.arange(len(y)), y] -= 1
        duplicate.backward(P / len(y))
        norms.append(np.linalg.norm(duplicate.grad))
        fit(trainer, 1)
        duplicate.theta = trainer.model.theta
    np.testing.assert_allclose(trainer.history["grad_norm"], norms, rtol=1e-12)


def test_when_there_is_a_norm():
    seen = []
    for options in ({}, {"grad_norm": True}, {"optimizer": gd.SGD(clip_norm=1.0)}):
        trainer = make(**options)
        fit(trainer, 2)
        seen.append("grad_norm" in trainer.history and "grad_norm" in trainer.run.columns)
    assert seen == [False, True, True]
    fit(make(grad_norm=True), 3, callbacks=[gd.EarlyStopping("grad_norm", mode="min")])


def test_measuring_the_norm_changes_nothing(engine):
    plain, measured = make(), make(grad_norm=True)
    fit(plain)
    fit(measured)
    np.testing.assert_array_equal(plain.model.theta, measured.model.theta)


def test_a_norm_that_was_not_measured_is_nan():
    trainer = make()
    fit(trainer, 2, callbacks=[StepBudget(5)])
    trainer.grad_norm = True
    fit(trainer, None)
    assert np.isnan(trainer.history["grad_norm"]).all()


# ---- steps of several batches


@pytest.mark.parametrize(("rows", "steps"), [(50, 2), (30, 1), (31, 2), (5, 1)])
def test_steps_count_updates(rows, steps):
    X, y, _ = problem()
    trainer = make(batch_size=5, accumulate=6, optimizer=gd.SGD(lr=lambda t: 0.1 / (1 + t)))
    trainer.fit(X[:rows], y[:rows], epochs=2, verbose=0)
    assert (trainer.step, trainer.optimizer.steps) == (2 * steps, 2 * steps)
    assert trainer.history["lr"][0] == pytest.approx(0.1 / (1 + (steps - 1) / steps))


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError), (None, TypeError)]
)
def test_accumulate_must_be_a_number_of_batches(value, error):
    with pytest.raises(error, match="accumulate must be"):
        make(accumulate=value)


def test_all_rows_at_once_cannot_accumulate():
    with pytest.raises(ValueError, match="accumulate=4 needs a batch_size"):
        make(batch_size=None, accumulate=4)
