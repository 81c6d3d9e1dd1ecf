"""Callbacks that monitor a column, count steps or time, or write files."""

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from training import Chunks, fit, make, played

import fastgd as gd
from fastgd import callbacks
from fastgd.schedules import Constant


@pytest.mark.parametrize(
    ("name", "mode", "lower_is_better"),
    [
        ("loss", None, True),
        ("validation_rmse", None, True),
        ("validation_mean_absolute_error", None, True),
        ("validation_accuracy", None, False),
        ("validation_r2", None, False),
        ("mine", "min", True),
        ("loss", "max", False),
    ],
)
def test_which_columns_should_decrease(name, mode, lower_is_better):
    stopping = gd.EarlyStopping(name, patience=1, mode=mode)
    assert played(stopping, name, [2, 1, 2, 1])[0] == (3 if lower_is_better else 2)


def test_best_epoch_never_stops():
    values = [3, 1, *[2] * 40]
    assert played(callbacks.BestEpoch("loss"), "loss", values) == (None, 2)


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 2, 2], [1, 1, 1, 0.1, 0.1, 0.01]),
        ({"patience": 1, "factor": 0.5}, [3, 4, 5, 1, 2], [1, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, [3, 4, 5, 5, 5], [1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "factor": 0.5, "min_lr": 0.4}, [3, 4, 5, 5], [1, 0.5, 0.4, 0.4]),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.7, 2.4], [1, 0.1, 0.1]),
    ],
)
@pytest.mark.parametrize("scheduled", [False, True])
def test_reduce_lr_on_plateau_rule(options, values, rates, scheduled):
    """Also if each epoch is a new fit: earlier epochs are read from the history."""
    optimizer = gd.SGD(lr=Constant(1.0) if scheduled else 1.0)
    history, got = gd.History(), []
    trainer = SimpleNamespace(
        run=SimpleNamespace(columns=("epoch", "loss")), optimizer=optimizer, history=history, epoch=0
    )
    for value in values:
        plateau = gd.ReduceLROnPlateau("loss", **options)
        plateau.on_fit_begin(trainer)
        trainer.epoch += 1
        history.extend({"epoch": [trainer.epoch], "loss": [value]})
        plateau.on_epoch_end(trainer, {"loss": value})
        got.append(float(optimizer.schedule(np.array([0.5]), 1)[0]))
    np.testing.assert_allclose(got, rates, rtol=1e-15)


def test_reduce_lr_on_plateau_changes_the_next_epoch(engine):
    trainer = make(optimizer=gd.SGD(lr=Constant(1e-30)))
    history = fit(trainer, 4, callbacks=[gd.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=1.0)])
    assert history["lr"] == [1e-30, 1e-30, 5e-31, 2.5e-31]


@pytest.mark.parametrize(
    ("make_one", "words"),
    [
        (lambda: gd.ReduceLROnPlateau(factor=1.0), r"factor must be in \(0, 1\)"),
        (lambda: gd.ReduceLROnPlateau(patience=0), "patience"),
        (lambda: gd.ReduceLROnPlateau(cooldown=-1), "cooldown"),
        (lambda: gd.ReduceLROnPlateau(min_lr=-1), "min_lr"),
        (lambda: gd.EarlyStopping(mode="down"), "mode must be"),
        (lambda: callbacks.TimeBudget(0), "seconds"),
        (lambda: callbacks.StepBudget(0), "steps"),
        (lambda: callbacks.EveryStep(print, 0), "n must be"),
        (lambda: callbacks.Checkpoint("a.pt"), "path must end in .npz"),
        (lambda: callbacks.Checkpoint("{name}.npz"), "no other braces"),
        (lambda: callbacks.Checkpoint("a.npz", minutes=0), "minutes"),
        (lambda: callbacks.Checkpoint("a.npz", epochs=0), "epochs"),
    ],
)
def test_callbacks_refuse_bad_values(make_one, words):
    with pytest.raises(ValueError, match=words):
        make_one()


def test_every_n_steps(engine):
    """At exactly these steps, over two fits, without changing a bit."""
    seen, trainer, plain = [], make(), make()

    def record(t):
        seen.append((t.step, t.optimizer.steps, t.partial_epoch and len(t.partial_epoch.losses)))

    every = callbacks.EveryStep(record, 3)
    fit(trainer, 2, callbacks=[every])
    fit(trainer, 2, callbacks=[every])
    fit(plain, 4)
    assert seen == [(3, 3, 3), (6, 6, 2), (9, 9, 1), (12, 12, None), (15, 15, 3)]
    np.testing.assert_array_equal(trainer.model.theta, plain.model.theta)
    assert trainer.history["loss"] == plain.history["loss"]
    with pytest.raises(TypeError, match="f must be a function"):
        callbacks.EveryStep("f")


def test_every_epoch():
    seen = []
    fit(make(), 5, callbacks=[callbacks.EveryEpoch(lambda t: seen.append(t.epoch), 2)])
    assert seen == [2, 4]


def test_step_budget_is_of_each_fit(engine):
    trainer, budget = make(), callbacks.StepBudget(6)
    fit(trainer, 100, callbacks=[budget])
    assert (trainer.step, trainer.epoch) == (6, 1)
    assert "6 steps" in trainer.stop_reason
    fit(trainer, None, callbacks=[budget])
    assert (trainer.step, trainer.epoch, trainer.last_epoch) == (12, 3, 100)


def test_time_budget():
    trainer = make(optimizer=gd.SGD(lr=1e-3))
    started = time.perf_counter()
    fit(trainer, 10**7, callbacks=[callbacks.TimeBudget(0.2)])
    assert 0.2 <= time.perf_counter() - started < 5
    assert "0.2 seconds" in trainer.stop_reason
    assert trainer.epoch > 0


def test_csv_logger_writes_the_history(tmp_path):
    trainer, logger = make(), callbacks.CSVLogger(tmp_path / "log.csv")
    fit(trainer, 2, validation=0.2, callbacks=[logger])
    fit(trainer, 1, validation=0.2, callbacks=[logger])
    table = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert list(table.dtype.names) == list(trainer.history)
    for name in table.dtype.names:
        assert table[name].tolist() == trainer.history[name]
    with pytest.raises(ValueError, match="has the columns epoch, loss, validation_loss"):
        fit(trainer, 1, callbacks=[logger])
    assert trainer.epoch == 3


def test_checkpoint_by_minutes(tmp_path):
    fit(make(), 2, callbacks=[callbacks.Checkpoint(tmp_path / "{step}.npz", minutes=1e-9), callbacks.EveryStep(id)])
    assert len(list(tmp_path.iterdir())) == 8
    fit(make(), 2, callbacks=[callbacks.Checkpoint(tmp_path / "late.npz", minutes=1e9)])
    assert not (tmp_path / "late.npz").exists()


def test_a_checkpoint_that_cannot_be_saved_is_refused_before_the_training(tmp_path, monkeypatch):
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    for trainer, path, error, words in (
        (make(), tmp_path / "none" / "{epoch}.npz", FileNotFoundError, "there is no folder"),
        (make(), tmp_path / "a.safetensors", ImportError, r"fastgd\[safetensors\]"),
        (make(optimizer=gd.SGD(lr=lambda epoch: 0.1)), tmp_path / "a.npz", TypeError, "user-defined code"),
    ):
        with pytest.raises(error, match=words):
            fit(trainer, 1, callbacks=[callbacks.Checkpoint(path)])
        assert trainer.step == 0


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("val_loss", "did you mean 'validation_loss'"),
        ("accuracy", "did you mean 'validation_accuracy'"),
        ("mine", "but this fit records epoch, loss, validation_loss, validation_accuracy, lr, seconds$"),
    ],
)
def test_missing_columns(monitor, message):
    with pytest.raises(ValueError, match=message):
        fit(make(), 1, validation=0.2, callbacks=[gd.EarlyStopping(monitor)])


def test_invalid_callbacks():
    with pytest.raises(TypeError, match=r"write EarlyStopping\(\)"):
        fit(make(), 1, callbacks=[gd.EarlyStopping])
    with pytest.raises(TypeError, match=r"write callbacks.EveryEpoch\(f\)"):
        fit(make(), 1, callbacks=[id])


def test_the_seconds_of_an_epoch_include_validation():
    slow = gd.metrics.Metric("slow", lambda y, p: time.sleep(0.05) or 0.0)
    assert fit(make(metrics=[slow]), 2, validation=0.2)["seconds"][-1] >= 0.05


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    fit(make(), 2, validation=0.2, callbacks=[callbacks.TensorBoard(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training", "validation"]


def test_tensorboard_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"fastgd\[tensorboard\]"):
        fit(make(), 2, callbacks=[callbacks.TensorBoard(tmp_path)])


def test_functions_per_step_cut_chunks_only_where_they_are_called():
    chunks = Chunks()
    fit(make("mse", gd.SGD(lr=0.001)), 1000, callbacks=[chunks, callbacks.EveryStep(id, 4000)])
    assert chunks.count < 100


def test_the_old_name_of_parameter_tolerance():
    with pytest.warns(DeprecationWarning, match="use fastgd.callbacks.ParameterTolerance"):
        assert getattr(callbacks, "Movement") is callbacks.ParameterTolerance  # noqa: B009 (unknown to type checkers)
    with pytest.raises(AttributeError, match="no attribute 'Moovement'"):
        getattr(callbacks, "Moovement")  # noqa: B009


def test_trainer_files_of_the_previous_release_say_movement(tmp_path, monkeypatch):
    class Movement(callbacks.ParameterTolerance):
        pass

    trainer, restored = make(), []
    fit(trainer, 3, callbacks=[Movement(0.0), callbacks.StepBudget(2)])
    trainer.save(tmp_path / "run.npz")
    monkeypatch.setattr(callbacks.ParameterTolerance, "restore", lambda *arguments: restored.append(arguments[2]))
    fit(gd.Trainer.load(tmp_path / "run.npz"), None, callbacks=[callbacks.ParameterTolerance(0.0)])
    assert [list(state) for state in restored] == [["before"]]
