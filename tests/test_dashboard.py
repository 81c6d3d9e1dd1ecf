"""What `Dashboard` shows of a training."""

import base64
import math
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from dashboards import X, data_of, fit, make_trainer, y

import fastgd as gd
from fastgd.callbacks import dashboard as module
from fastgd.data.inputs import InputSpec


@pytest.fixture
def dashboard(capsys):
    dashboard = gd.Dashboard()
    yield dashboard
    dashboard.close()


def test_what_is_shown(dashboard):
    trainer = fit(dashboard, make_trainer(grad_norm=True))
    data = data_of(dashboard.url)
    assert data["status"] == "finished"
    assert data["title"] == "64-32-16-10, 2,778 parameters, Adam"
    assert (data["epoch"], data["last_epoch"], data["step"]) == (3, 3, trainer.step)
    assert data["history"] == {name: list(column) for name, column in trainer.history.items()}
    assert data["recent"]["loss"][-1] == trainer.run.loss
    assert data["recent"]["rows_per_second"][-1] > 0
    layers = data["layers"]
    assert [layer["units"] for layer in layers] == [32, 16, 10]
    assert layers[0]["name"] == '0: Dense(64, 32, "relu")'
    assert layers[2]["dead"] is None  # outputs, which are no units that could die
    weight, bias = trainer.model.parameters()["0.weight"], trainer.model.parameters()["0.bias"]
    assert layers[0]["norm"] == pytest.approx(math.sqrt((weight**2).sum() + (bias**2).sum()), rel=1e-5)


def test_dead_units(dashboard):
    trainer = make_trainer(optimizer="sgd")
    trainer.model.parameters()["0.bias"][:7] = -100
    fit(dashboard, trainer, epochs=1)
    dead = [layer["dead"] for layer in data_of(dashboard.url)["layers"]]
    assert 7 <= dead[0] < 12
    assert dead[1] < 8


def test_change_of_the_weights(dashboard):
    """The length of what an update has moved, by step and by the length of the weights."""
    trainer = make_trainer(64, 10, optimizer=gd.SGD(lr=0.1))
    before = trainer.model.theta.copy()
    fit(dashboard, trainer, epochs=1)
    moved = np.linalg.norm(trainer.model.theta - before) / trainer.step / np.linalg.norm(trainer.model.theta)
    [layer] = data_of(dashboard.url)["layers"]
    assert layer["change"] == pytest.approx(float(moved), rel=1e-5)


def test_pictures_of_weights():
    def pictures(*layers, **options):
        return module._pictures(gd.Sequential(*layers, seed=0, **options))

    model = gd.MLP(64, 40, 10, seed=0)
    found = module._pictures(model)
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.int8).reshape(32, 64)
    assert (found["side"], found["count"], found["of"]) == (8, 32, 40)
    W = model.parameters()["0.weight"][:, :32].T
    np.testing.assert_allclose(pixels / 127 * found["largest"], W, atol=found["largest"] / 250)
    assert module._pictures(gd.MLP(100 * 100, 3, seed=0))["side"] == 25  # every fourth pixel
    assert pictures(gd.Dense(60, 3)) is None
    assert pictures(gd.Dense(16, 3)) is None  # a table of 16 columns
    assert pictures(gd.Scale(64), gd.Dense(64, 3)) is None
    model.inputs = InputSpec(names=np.array([f"column {i}" for i in range(64)], object))
    assert module._pictures(model) is None


def test_long_histories_are_thinned():
    history = gd.callbacks.History()
    history.extend({"epoch": list(range(1, 10_001)), "loss": [1 / n for n in range(1, 10_001)]})
    shown = module._thinned(history)
    assert len(shown["epoch"]) == len(shown["loss"]) <= 401
    assert (shown["epoch"][0], shown["epoch"][-1], shown["loss"][-1]) == (1, 10_000, 1e-4)


def test_recent_values_are_thinned(dashboard, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", math.inf)
    monkeypatch.setattr(module, "_POINTS", 8)
    each = gd.callbacks.EveryStep(lambda trainer: None, n=1)
    make_trainer().fit(X, y, epochs=3, callbacks=[each, dashboard], verbose=0)
    recent = data_of(dashboard.url)["recent"]
    assert all(5 <= len(column) <= 9 for column in recent.values())
    assert recent["epoch"] == sorted(recent["epoch"])
    assert recent["epoch"][-1] == 3


def test_updates_are_rare(dashboard, monkeypatch):
    """A slow update is followed by a pause two hundred times as long."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    published = []

    def update(record, trainer, status):
        published.append(now[0])
        now[0] += 1.0
        return {}

    monkeypatch.setattr(module._Record, "update", update)

    class Clock(gd.Callback):
        def on_chunk_end(self, trainer):
            now[0] += 0.6

    steps = gd.callbacks.EveryStep(lambda trainer: None)
    make_trainer().fit(X, y, epochs=40, callbacks=[steps, Clock(), dashboard], verbose=0)
    assert min(np.diff(published[:-1])) >= 200  # the last one is the end of the fit
    assert len(published) == 2 + int(260 * 0.6 / 101)


def test_values_that_are_not_finite(dashboard):
    trainer = make_trainer(optimizer=gd.SGD(lr=1e30))
    with pytest.raises(FloatingPointError):
        fit(dashboard, trainer)
    assert data_of(dashboard.url)["status"] == "error"
    history = {"loss": [math.nan, 1.0], "lr": [math.inf]}
    assert module._plain(history) == {"loss": [None, 1.0], "lr": [None]}


def test_early_ends(dashboard):
    trainer = make_trainer()
    trainer.fit(X, y, epochs=5, callbacks=[dashboard, gd.StepBudget(30)], verbose=0)
    data = data_of(dashboard.url)
    assert data["status"] == "the budget of 30 steps is used up"
    assert data["epoch"] == pytest.approx(2 + 4 * 32 / 400)  # 13 steps make an epoch

    def interrupt(trainer):
        raise KeyboardInterrupt

    trainer.fit(X, y, epochs=5, callbacks=[gd.callbacks.EveryEpoch(interrupt), dashboard], verbose=0)
    assert data_of(dashboard.url)["status"] == "interrupted"


def test_the_data_are_forgotten(dashboard):
    """A trainer that is kept does not keep them."""
    assert fit(dashboard).run.sample_inputs is None


def test_the_training_is_the_same(dashboard):
    a, b = fit(dashboard), make_trainer()
    b.fit(X, y, epochs=3, validation=0.2, verbose=0)
    assert (a.model.theta == b.model.theta).all()


def page_of(url, tmp_path, screenshot):
    """What Chromium makes of the page, as HTML."""
    if shutil.which("chromium") is None:
        pytest.skip("needs Debian's chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1260,960"]
    options += ["--virtual-time-budget=3000", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *options, "--dump-dom", f"--screenshot={screenshot}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "CONSOLE" not in done.stderr
    assert 'data-version="' in done.stdout
    return done.stdout


def test_in_a_browser(dashboard, tmp_path):
    """The page draws a training without an error; FASTGD_SCREENSHOT=file.png keeps what it looks like."""
    shot = Path(os.environ.get("FASTGD_SCREENSHOT", tmp_path / "dashboard.png"))
    fit(dashboard, make_trainer(grad_norm=True, train_metrics=True), epochs=20)
    page = page_of(dashboard.url, tmp_path, shot)
    assert page.count("<path") == 7  # loss 2, accuracy 2, learning rate, norm, rows per second
    assert page.count("<canvas") == 32
    assert "20 of 20" in page
    assert shot.stat().st_size > 10_000


def test_gaps_in_a_browser(dashboard, tmp_path):
    """A value that is not finite interrupts the curve."""

    class Gap(gd.Callback):
        def on_epoch_end(self, trainer, logs):
            if trainer.epoch == 5:
                trainer.history["validation_loss"][-1] = math.nan

    trainer = make_trainer(64, 10)
    trainer.fit(X, y, epochs=9, validation=0.2, callbacks=[Gap(), dashboard], verbose=0)
    paths = re.findall(r'<path class="curve" d="([^"]*)"', page_of(dashboard.url, tmp_path, tmp_path / "gap.png"))
    assert [path.count("M") for path in paths][:2] == [1, 2]
    assert paths[1].count("L") == 9 - 1 - 2
