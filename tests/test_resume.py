"""A run that is stopped and resumed, in memory or from a file, ends in the bits of one that never stopped."""

import os

import numpy as np
import pytest
from training import ROWS, EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.callbacks import Checkpoint, EveryStep, ReduceLROnPlateau, StepBudget
from fastgd.optimizers import OPTIMIZERS

EPOCHS = 6
OPTIMIZER_SETTINGS = {
    "plain": lambda: gd.SGD(lr=0.05),
    "nesterov": lambda: gd.SGD(lr=gd.Cosine(0.05), momentum=0.9, nesterov=True),
    "scheduled": lambda: gd.SGD(lr=gd.Warmup(gd.OneCycle(0.05), 2), momentum=gd.MultiStep(0.9, (1, 4.5), 0.9)),
    "betas": lambda: gd.AdamW(lr=0.01, betas=(gd.Polynomial(0.9, 0.5), 0.99)),
    "amsgrad": lambda: gd.Adam(lr=0.01, amsgrad=True),
    "centered": lambda: gd.RMSprop(lr=0.001, momentum=0.5, centered=True, weight_decay=0.1),
    "limits": lambda: gd.SGD(
        lr=0.05, momentum=0.9, clip_norm=gd.Step(1.0, 2, 0.5), clip_value=0.2, l1=0.01, max_norm=1.0
    ),
    "ema": lambda: gd.Adam(lr=0.01, average=gd.EMA(gd.Polynomial(0.9, 0.5))),
    "swa": lambda: gd.SGD(lr=0.05, average=gd.SWA(start=2, every=2)),
    "groups": lambda: gd.AdamW(
        lr=0.01, groups={"*.bias": {"weight_decay": 0.0}, "0.*": {"lr": gd.Step(0.5, 2), "max_norm": None}}
    ),
    **{name: cls for name, cls in OPTIMIZERS.items()},
}


def check_same(one, other):
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    if one.optimizer.state is not None and one.optimizer.state.size:
        np.testing.assert_array_equal(one.optimizer.state, other.optimizer.state)
    if one.optimizer.averaged_theta is not None:
        np.testing.assert_array_equal(one.optimizer.averaged_theta, other.optimizer.averaged_theta)
    assert (one.epoch, one.step, one.optimizer.steps) == (other.epoch, other.step, other.optimizer.steps)
    for name in set(one.history) - {"seconds"}:
        assert one.history[name] == other.history[name]


def saved_and_loaded(trainer, path):
    trainer.save(path)
    return gd.Trainer.load(path)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("steps", [4, 9, 23])
def test_stopped_at_any_step(engine, steps, suffix, tmp_path):
    """Steps of 16, 16, 16 and 2 rows: after an epoch, within one, before the very last step."""
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    whole = make()
    fit(whole, EPOCHS)
    stopped = make()
    fit(stopped, EPOCHS, callbacks=[StepBudget(steps)])
    assert (stopped.step, stopped.epoch) == (steps, steps // 4)
    assert len(stopped.history["loss"]) == steps // 4
    loaded = saved_and_loaded(stopped, tmp_path / f"run.{suffix}")
    for resumed in (stopped, loaded):
        fit(resumed, None)
        check_same(resumed, whole)
        assert resumed.partial_epoch is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZER_SETTINGS)
def test_every_optimizer_goes_on_from_a_file(engine, name, dtype, tmp_path):
    whole, stopped = (make(optimizer=OPTIMIZER_SETTINGS[name](), dtype=dtype) for _ in range(2))
    fit(whole, EPOCHS, validation=0.2)
    fit(stopped, EPOCHS, validation=0.2, callbacks=[StepBudget(7)])
    loaded = saved_and_loaded(stopped, tmp_path / "run.npz")
    assert repr(loaded.optimizer) == repr(whole.optimizer)
    fit(loaded, None, validation=0.2)
    check_same(loaded, whole)


@pytest.mark.parametrize("steps", [4, 9])
def test_steps_of_several_batches(engine, steps, tmp_path):
    """Steps of 4, 4, 4 and 1 batches: a run stops between steps, never within one."""
    options = {"batch_size": 4, "accumulate": 4, "grad_norm": True}
    whole, stopped = (make(optimizer=gd.Adam(lr=0.01, average=gd.EMA(0.9)), **options) for _ in range(2))
    fit(whole, EPOCHS)
    fit(stopped, EPOCHS, callbacks=[StepBudget(steps)])
    assert whole.step == 4 * EPOCHS
    loaded = saved_and_loaded(stopped, tmp_path / "run.npz")
    fit(loaded, None)
    check_same(loaded, whole)
    np.testing.assert_array_equal(loaded.averaged.theta, whole.averaged.theta)


def test_many_stops(engine, tmp_path):
    whole, trainer = make(optimizer=gd.NAdam(lr=0.01)), make(optimizer=gd.NAdam(lr=0.01))
    fit(whole, EPOCHS)
    fit(trainer, EPOCHS, callbacks=[StepBudget(1)])
    while trainer.epoch < EPOCHS:
        trainer = saved_and_loaded(trainer, tmp_path / "run.npz")
        fit(trainer, None, callbacks=[StepBudget(5)])
    check_same(trainer, whole)


def watchers():
    return [gd.EarlyStopping(patience=4), ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1)]


@pytest.mark.parametrize("step", [3, 14, 21])
def test_what_callbacks_remember_goes_on_too(engine, step, tmp_path):
    """A checkpoint within the run; the best theta may lie before it."""
    X, y, _ = problem()

    def run(trainer, epochs, *more):
        return trainer.fit(
            X, y, epochs, validation=0.3, tol=1e-9, n_iter_no_change=50, callbacks=[*watchers(), *more], verbose=0
        )

    path = tmp_path / "run.npz"
    whole = make(optimizer=gd.SGD(lr=1.5))
    run(whole, 60, EveryStep(lambda trainer: trainer.step == step and trainer.save(path), step))
    assert whole.stop_reason
    assert whole.optimizer.lr < 1.5
    loaded = gd.Trainer.load(path)
    assert loaded.step == step
    run(loaded, None)
    check_same(loaded, whole)
    assert loaded.stop_reason == whole.stop_reason


@pytest.mark.parametrize("step", [3, 14, 21])
@pytest.mark.parametrize("from_file", [False, True])
def test_a_stop_from_outside_does_not_lose_what_callbacks_remember(engine, step, from_file, tmp_path):
    """After the stop the model is the best one so far, but the run resumes from where it was."""
    X, y, _ = problem()

    def run(trainer, epochs, *more):
        return trainer.fit(X, y, epochs, validation=0.3, callbacks=[*watchers(), *more], verbose=0)

    whole, stopped = (make(optimizer=gd.SGD(lr=1.5)) for _ in range(2))
    run(whole, 60)
    run(stopped, 60, StepBudget(step))
    assert stopped.step == step
    if from_file:
        theta = stopped.model.theta.copy()
        stopped = saved_and_loaded(stopped, tmp_path / "run.npz")
        np.testing.assert_array_equal(stopped.model.theta, theta)
    run(stopped, None)
    check_same(stopped, whole)
    assert stopped.stop_reason == whole.stop_reason


def test_a_run_that_stopped_itself_does_not_go_on(engine, tmp_path):
    """Also if it was killed right after the checkpoint of its last epoch."""
    X, y, _ = problem()

    def run(trainer, epochs, *more):
        return trainer.fit(X, y, epochs, validation=0.3, callbacks=[gd.EarlyStopping(patience=2), *more], verbose=0)

    whole = make(optimizer=gd.SGD(lr=1.5))
    run(whole, 60, Checkpoint(tmp_path / "run.npz"))
    killed = gd.Trainer.load(tmp_path / "run.npz")
    assert killed.epoch == whole.epoch < 60
    for resumed in (killed, whole):
        run(resumed, None)
        assert resumed.epoch == whole.epoch
        assert "was best in epoch" in resumed.stop_reason
        np.testing.assert_array_equal(resumed.model.theta, whole.model.theta)


@pytest.mark.parametrize("saved", [False, True])
def test_the_average_goes_on_from_where_it_was(engine, saved, tmp_path):
    """Early stopping restores the best epoch's theta and average; a run that resumes uses neither."""
    whole, stopped = (make(optimizer=gd.SGD(lr=0.05, average=gd.EMA(0.9))) for _ in range(2))
    fit(whole, EPOCHS, validation=0.3, callbacks=[gd.EarlyStopping()])
    fit(stopped, EPOCHS, validation=0.3, callbacks=[gd.EarlyStopping(), StepBudget(8)])
    assert stopped.partial_epoch is not None
    assert (stopped.resume_theta[1] != stopped.averaged.theta).any()
    if saved:
        stopped.save(tmp_path / "run.npz")
        stopped = gd.Trainer.load(tmp_path / "run.npz")
    fit(stopped, None, validation=0.3, callbacks=[gd.EarlyStopping()])
    assert stopped.history["validation_loss"] == whole.history["validation_loss"]
    np.testing.assert_array_equal(stopped.model.theta, whole.model.theta)
    np.testing.assert_array_equal(stopped.averaged.theta, whole.averaged.theta)


def test_a_theta_of_ones_own_is_what_a_stopped_run_goes_on_from(engine):
    trainer, other = make(), make()
    for each in (trainer, other):
        fit(each, 4, callbacks=[StepBudget(6)])
    trainer.model.theta = trainer.model.theta * 0.5
    assert trainer.resume_theta is None
    fit(trainer, None)
    fit(other, None)
    assert (trainer.model.theta != other.model.theta).any()


def test_checkpoints_are_what_a_killed_run_goes_on_from(engine, tmp_path):
    whole, killed = make(), make()
    fit(whole, EPOCHS)

    def kill(trainer):
        if trainer.epoch == 5:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fit(killed, EPOCHS, callbacks=[Checkpoint(tmp_path / "e{epoch}.npz", epochs=2), EachEpoch(kill)])
    assert sorted(os.listdir(tmp_path)) == ["e2.npz", "e4.npz"]
    loaded = gd.Trainer.load(tmp_path / "e4.npz")
    fit(loaded, None)
    check_same(loaded, whole)


def test_settings_come_back(tmp_path):
    trainer = make(
        batch_size=7,
        shuffle=False,
        seed=5,
        n_threads=1,
        accumulate=2,
        grad_norm=True,
        optimizer=gd.Lion(lr=gd.Step(1e-3, 2)),
    )
    loaded = saved_and_loaded(trainer, tmp_path / "run.npz")
    for name in (
        "batch_size",
        "shuffle",
        "seed",
        "n_threads",
        "accumulate",
        "grad_norm",
        "epoch",
        "step",
        "partial_epoch",
        "loss",
    ):
        assert getattr(loaded, name) == getattr(trainer, name)
    assert loaded.optimizer.lr == trainer.optimizer.lr
    assert loaded.model.dtype == trainer.model.dtype


def test_labels_come_back(tmp_path):
    X, y, _ = problem()
    trainer = make()
    trainer.fit(X, np.array(["ant", "bee", "cat"])[y], epochs=2, verbose=0)
    loaded = saved_and_loaded(trainer, tmp_path / "run.npz")
    np.testing.assert_array_equal(loaded.model.predict(X), trainer.model.predict(X))


def test_other_data_begin_the_epoch_again(engine):
    X, y, _ = problem()
    trainer = make()
    fit(trainer, 2, callbacks=[StepBudget(5)])
    assert trainer.partial_epoch.rows == ROWS
    trainer.fit(X[:40], y[:40], epochs=1, verbose=0)
    assert (trainer.epoch, trainer.step, trainer.partial_epoch) == (2, 5 + 3, None)


def test_there_must_be_a_run_to_finish():
    trainer = make()
    with pytest.raises(ValueError, match="there is none"):
        fit(trainer, None)
    fit(trainer, 2)
    with pytest.raises(ValueError, match="there is none"):
        fit(trainer, None)


class Mine(gd.SGD):
    pass


@pytest.mark.parametrize(
    "optimizer",
    [gd.SGD(lr=lambda t: 0.1), gd.SGD(lr=gd.Warmup(lambda t: 0.1, 2)), Mine()],
    ids=["lr", "inner", "class"],
)
def test_code_cannot_be_saved(optimizer, tmp_path):
    trainer = make(optimizer=optimizer)
    with pytest.raises(TypeError, match=r"a custom \w+ cannot be saved|user-defined code"):
        trainer.save(tmp_path / "run.npz")
    assert os.listdir(tmp_path) == []
