"""Callbacks: early stopping, hooks, Ctrl-C, progress, history."""

import signal
import sys
import threading

import numpy as np
import pytest
from training import ROWS, Chunks, EachEpoch, fit, make, played, problem

import fastgd as gd
from fastgd.callbacks import ParameterTolerance, Progress
from fastgd.schedules import Constant


def at(epoch, function):
    """A callback that calls the function with the trainer at the end of one epoch."""
    return EachEpoch(lambda trainer: function(trainer) if trainer.epoch == epoch else None)


def raising(error):
    def function(trainer):
        raise error

    return function


@pytest.mark.parametrize(
    ("options", "name", "values", "stopped", "theta"),
    [
        ({"patience": 2}, "validation_loss", [3, 2, 1, 1.5, 1.2, 0], 5, 3),
        ({"patience": 2}, "validation_loss", [3, 2, 1], None, 3),
        ({"patience": 2}, "validation_loss", [1, 2], None, 1),
        ({"patience": 1}, "validation_loss", [1, 1], 2, 1),
        ({"patience": 2, "min_delta": 0.5}, "validation_loss", [3, 2.6, 2.4, 1], None, 4),
        ({"patience": 2, "min_delta": 0.5}, "validation_loss", [3, 2.6, 2.5, 1], 3, 1),
        ({"patience": 2}, "validation_loss", [1, np.nan, np.nan, 0], 3, 1),
        ({"patience": 2}, "validation_accuracy", [0.5, 0.9, 0.8, 0.7, 1], 4, 2),
        ({"patience": 2, "restore_best": False}, "loss", [1, 2, 3], 3, 3),
    ],
)
def test_early_stopping_rule(options, name, values, stopped, theta):
    assert played(gd.EarlyStopping(name, **options), name, values) == (stopped, theta)


def test_early_stopping_restores_the_best_theta(engine):
    thetas = {}
    stopping = gd.EarlyStopping(patience=3)
    noisy = make(optimizer=gd.SGD(lr=1.5))
    history = fit(
        noisy,
        200,
        validation=0.3,
        callbacks=[stopping, EachEpoch(lambda trainer: thetas.update({trainer.epoch: trainer.model.theta.copy()}))],
    )
    best = int(np.argmin(history["validation_loss"])) + 1
    assert (stopping.best_epoch, stopping.best) == (best, min(history["validation_loss"]))
    assert noisy.epoch == best + 3 < 200
    assert f"epoch {best}" in noisy.stop_reason
    np.testing.assert_array_equal(noisy.model.theta, thetas[best])
    assert fit(noisy, 1)["epoch"][-1] == best + 4


def test_early_stopping_starts_anew_in_each_fit(engine):
    stopping, trainer = gd.EarlyStopping("loss", patience=1), make()
    fit(trainer, 2, callbacks=[stopping])
    stopping.best = -np.inf
    fit(trainer, 2, callbacks=[stopping])
    assert stopping.best_epoch == trainer.epoch == 4


@pytest.mark.parametrize(("option", "words"), [({"patience": 0}, "patience"), ({"min_delta": -1}, "min_delta")])
def test_early_stopping_refuses(option, words):
    with pytest.raises(ValueError, match=words):
        gd.EarlyStopping(**option)


def test_training_stops_when_theta_has_converged(engine):
    """The line y = 1 + 2 x in full batches: the changes of theta go to 0."""
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    model = gd.MLP(1, 1, seed=0, dtype="float64")
    trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=0.3), batch_size=None)
    thetas = [model.theta.copy()]
    keep = EachEpoch(lambda trainer: thetas.append(trainer.model.theta.copy()))
    trainer.fit(X, 1 + 2 * X[:, 0], epochs=10_000, callbacks=[keep, ParameterTolerance(1e-6)], verbose=0)
    changes = np.abs(np.diff(thetas, axis=0)).max(axis=1)
    assert changes[-1] <= 1e-6 < changes[:-1].min()
    assert trainer.epoch == len(changes) < 1000
    assert "1e-06" in trainer.stop_reason
    np.testing.assert_allclose(model.theta, [2, 1], atol=1e-5)


def test_a_tolerance_of_zero_needs_exact_convergence(engine):
    trainer = make("mse", gd.SGD(lr=Constant(0.0)))
    fit(trainer, 5, callbacks=[ParameterTolerance(0.0)])
    assert trainer.epoch == 1
    trainer = make("mse")
    fit(trainer, 5, callbacks=[ParameterTolerance(0.0)])
    assert trainer.epoch == 5
    assert trainer.stop_reason is None


def test_any_callback_may_stop(engine):
    trainer = make()
    fit(trainer, 10, callbacks=[at(3, lambda trainer: trainer.stop("enough"))])
    assert (trainer.epoch, trainer.step, trainer.stop_reason) == (3, 12, "enough")
    fit(trainer, 1)
    assert trainer.stop_reason is None


def test_hooks_come_in_order(engine):
    calls = []

    class Recorder(gd.Callback):
        def on_fit_begin(self, trainer):
            calls.append(("begin", trainer.run.first_epoch, trainer.run.last_epoch, trainer.run.rows))

        def on_epoch_end(self, trainer, logs):
            assert logs == {name: trainer.history[name][-1] for name in trainer.run.columns}
            calls.append(("epoch", logs["epoch"]))

        def on_fit_end(self, trainer):
            calls.append(("end", trainer.stop_reason))

    fit(make(), 2, validation=0.1, callbacks=[Recorder()])
    assert calls == [("begin", 0, 2, 45), ("epoch", 1), ("epoch", 2), ("end", None)]


@pytest.mark.parametrize("error", [RuntimeError("mine"), SystemExit()])
def test_a_callbacks_error_goes_through(engine, error):
    """It reaches the user; finished epochs are kept, and on_fit_end of the other callbacks is called."""
    ends = []

    class Ending(gd.Callback):
        def on_fit_end(self, trainer):
            ends.append(trainer.stop_reason)

    trainer = make()
    stopping = gd.EarlyStopping("lr", mode="min")
    with pytest.raises(type(error)):
        fit(trainer, 5, callbacks=[Ending(), stopping, at(2, raising(error))])
    assert ends == ["error"]
    assert trainer.epoch == 2
    assert len(trainer.history["loss"]) == 2
    same = make()
    fit(same, 2)
    np.testing.assert_array_equal(trainer.model.theta, same.model.theta)


def check_usable_after(trainer, epochs):
    """Model, history and optimizer are in the state after `epochs` epochs, and the training resumes from there."""
    assert trainer.stop_reason == "interrupted"
    assert (trainer.epoch, len(trainer.history["loss"])) == (epochs, epochs)
    fit(trainer, 2)
    same = make()
    fit(same, epochs + 2)
    np.testing.assert_array_equal(trainer.model.theta, same.model.theta)
    assert trainer.history["loss"] == same.history["loss"]


def test_ctrl_c_in_a_callback(engine):
    trainer = make()
    history = fit(trainer, 5, callbacks=[at(2, raising(KeyboardInterrupt()))])
    assert history is trainer.history
    check_usable_after(trainer, 2)


def test_ctrl_c_in_a_call_of_the_engine(engine, monkeypatch):
    """The signal arrives before the call returns; its steps and the epoch that they end are counted."""
    trainer = make()
    network = trainer.model.network
    before = signal.getsignal(signal.SIGINT)

    class Interrupted:
        def train(self, *arguments):
            signal.raise_signal(signal.SIGINT)
            network.train(*arguments)

    monkeypatch.setattr(gd.Sequential, "network_for", lambda model, link, precision: Interrupted())
    fit(trainer, 5, callbacks=[EachEpoch(lambda trainer: None)])
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer.step == trainer.optimizer.steps == 4
    check_usable_after(trainer, 1)


def test_ctrl_c_in_the_middle_of_long_work(engine):
    """A real signal at an arbitrary moment: counters and history agree, and the training resumes."""
    X, y, _ = problem()
    trainer = make(optimizer=gd.SGD(lr=1e-3))
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    trainer.fit(X, y, epochs=10**7, verbose=0)
    timer.join()
    assert trainer.stop_reason == "interrupted"
    assert 0 < trainer.epoch < 10**7
    assert trainer.epoch == len(trainer.history["loss"]) == trainer.history["epoch"][-1]
    assert trainer.step == trainer.optimizer.steps
    assert trainer.epoch == trainer.step // 4
    assert np.isfinite(trainer.fit(X, y, epochs=1, verbose=0)["loss"][-1])


def test_training_works_outside_the_main_thread(engine):
    trainer, other = make(), make()
    thread = threading.Thread(target=fit, args=(trainer, 3))
    thread.start()
    thread.join()
    fit(other, 3)
    np.testing.assert_array_equal(trainer.model.theta, other.model.theta)


def test_verbose_0_is_silent(capfd):
    trainer = make()
    fit(trainer, 3, validation=0.2, callbacks=[at(2, raising(KeyboardInterrupt()))])
    fit(trainer, 3, callbacks=[at(4, lambda trainer: trainer.stop("enough"))])
    assert capfd.readouterr() == ("", "")


def shown(capsys, trainer, epochs, **options):
    X, y, _ = problem()
    trainer.fit(X, y, epochs=epochs, **options)
    out, err = capsys.readouterr()
    assert out == ""
    return err


EACH_EPOCH = EachEpoch(lambda *arguments: None)  # ends a chunk with each epoch, however fast they are


def test_progress_in_a_file_is_a_line_per_tenth(capsys):
    options = {"validation": 0.2, "callbacks": [EACH_EPOCH]}
    lines = shown(capsys, make(optimizer=gd.SGD(lr=1e-6)), 20, **options).splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("epoch 20/20  loss 1.")
    for part in ("validation_loss ", "validation_accuracy ", " rows/s"):
        assert part in lines[0]
    assert len(shown(capsys, make(), 3, **options).splitlines()) == 3


def test_progress_counts_on_in_the_next_fit(capsys):
    trainer = make()
    fit(trainer, 2)
    lines = shown(capsys, trainer, 2, validation=0.2, callbacks=[EACH_EPOCH]).splitlines()
    assert [line.split()[1] for line in lines] == ["3/4", "4/4"]


def test_progress_does_not_cut_the_chunks(capsys):
    chunks = Chunks()
    trainer = make(optimizer=gd.SGD(lr=1e-6))
    shown(capsys, trainer, 1000, callbacks=[chunks])
    assert chunks.count < 100


def test_progress_says_why_it_ended(capsys):
    trainer = make()
    text = shown(capsys, trainer, 5, callbacks=[at(2, raising(KeyboardInterrupt()))])
    assert text.endswith("interrupted after epoch 2; the model keeps its current parameters\n")
    text = shown(capsys, trainer, 5, callbacks=[at(3, lambda trainer: trainer.stop("it is late"))])
    assert text.endswith("stopped after epoch 3: it is late\n")


@pytest.mark.parametrize("tqdm", [True, False])
def test_progress_on_a_terminal_is_drawn_in_place(capsys, monkeypatch, tqdm):
    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(Progress, "_SECONDS", 0)
    text = shown(capsys, make(), 3, validation=0.2, callbacks=[EACH_EPOCH])
    assert text.count("\n") == 1
    assert text.endswith("\n")
    for part in ("epoch 3/3", "validation_loss ", "rows/s"):
        assert part in text
    assert ("100%" in text) == tqdm
    assert tqdm or "epoch 1/3" in text  # tqdm itself skips updates in quick succession


def test_history_is_a_mapping_of_lists():
    trainer = make()
    history = fit(trainer, 10)
    assert set(history) == {"epoch", "loss", "lr", "seconds"}
    assert len(history) == 4
    assert all(len(column) == 10 for column in history.values())
    lines = repr(history).splitlines()
    assert lines[0].split() == list(history)
    assert [line.split()[0] for line in lines[1:]] == [*"123", "...", *"89", "10"]


def test_a_column_that_is_not_in_the_history():
    history = fit(make(), 1)
    with pytest.raises(KeyError, match="it has epoch, loss, lr, seconds"):
        history["val_loss"]
    assert history.get("val_loss") is None
    assert "val_loss" not in history


def test_history_as_a_frame():
    pandas = pytest.importorskip("pandas")
    history = fit(make(), 3)
    frame = history.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["loss"].tolist() == history["loss"]


def test_history_is_plotted():
    pytest.importorskip("matplotlib").use("agg")
    figure = fit(make(), 3, validation=0.2).plot()
    assert len(figure.axes) == 2
    assert figure.axes[0].lines[0].get_ydata().shape == (3,)


def test_rows_of_the_run():
    trainer = make()
    fit(trainer, 3, validation=0.2)
    assert trainer.run.rows == 40
    assert trainer.run.rows_done == 120
    assert ROWS == 50
