"""The length of schedules that are given none: from the first epoch of a run to its last, over its interruptions."""

import numpy as np
import pytest
from test_resume import check_same
from training import EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.callbacks import StepBudget

# Each setting that may be a schedule, with one that covers the run.
SETTINGS = {
    "lr": lambda: {"optimizer": gd.SGD(lr=gd.Cosine(0.1))},
    "warm-up": lambda: {"optimizer": gd.SGD(lr=gd.Warmup(gd.Polynomial(0.1), 1))},
    "momentum": lambda: {"optimizer": gd.SGD(lr=0.05, momentum=gd.OneCycle(0.5, start=0.9, final=0.9))},
    "clipping": lambda: {"optimizer": gd.SGD(lr=0.1, clip_norm=gd.Cosine(1.0, 0.1))},
    "average": lambda: {"optimizer": gd.SGD(lr=0.1, average=gd.EMA(gd.Polynomial(0.9, 0.5)))},
    "group": lambda: {"optimizer": gd.SGD(lr=0.1, groups={"0.*": {"lr": gd.Cosine(1.0)}})},
    "dropout": lambda: {"noise": gd.Dropout(gd.Polynomial(0.5, 0.1))},
    "noise": lambda: {"noise": gd.GaussianNoise(gd.Cosine(0.5))},
}


def trainer_with(optimizer=None, noise=None):
    layers = gd.Dense(4, 8, "tanh"), *(() if noise is None else (noise,)), gd.Dense(8, 3)
    model = gd.Sequential(*layers, seed=0)
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer or gd.SGD(lr=0.1), batch_size=16)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_schedule_starts_again_when_a_run_is_finished(engine, setting):
    """A second fit does what a new trainer does whose counters begin at 0, as far as these do not matter."""
    rates = []
    original = gd.schedules.Schedule.__call__

    def recorded(schedule, t, total_epochs):
        values = original(schedule, t, total_epochs)
        if schedule.covers_run:
            rates.append(values.copy())
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gd.schedules.Schedule, "__call__", recorded)
        trainer = trainer_with(**SETTINGS[setting]())
        for _ in range(3):
            fit(trainer, 4)
    thirds = np.array_split(np.concatenate(rates), 3)
    assert len(np.unique(thirds[0])) > 4
    for other in thirds[1:]:
        np.testing.assert_allclose(other, thirds[0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("stops", [[5], [1, 6, 20], [13, 2]])
@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_that_was_stopped_goes_on_in_its_span(setting, from_file, stops, tmp_path):
    """Also if it is the second run of the trainer."""
    whole, trainer = (trainer_with(**SETTINGS[setting]()) for _ in range(2))
    for each in (whole, trainer):
        fit(each, 3)
    fit(whole, 6)
    epochs = 6
    for steps in stops:
        fit(trainer, epochs, callbacks=[StepBudget(steps)])
        epochs = None
        assert (trainer.span.start, trainer.span) == (3, 9)
        if from_file:
            trainer.save(tmp_path / "run.npz")
            trainer = gd.Trainer.load(tmp_path / "run.npz")
    if trainer.epoch < 9:
        fit(trainer, None)
    check_same(trainer, whole)


def spans(*fits):
    """The spans after fits, each (epochs, steps after which it is stopped or None); an epoch has 4 steps."""
    trainer, seen = make(), []
    for epochs, steps in fits:
        fit(trainer, epochs, callbacks=[] if steps is None else [StepBudget(steps)])
        seen.append((int(trainer.span.start), int(trainer.span)))
    return seen


def test_spans():
    assert spans((4, None), (3, None), (1, None)) == [(0, 4), (4, 7), (7, 8)]  # each finished: another begins
    assert spans((4, 6), (None, None), (2, None)) == [(0, 4), (0, 4), (4, 6)]  # stopped, resumed, another
    assert spans((4, 4), (2, None), (2, None)) == [(0, 4), (0, 4), (0, 5)]  # continued within, then beyond its end
    assert spans((4, 4), (6, None), (2, None)) == [(0, 4), (0, 7), (7, 9)]  # extended to the end of the later fit


def test_early_stopping_leaves_a_span_unfinished():
    X, y, _ = problem()
    trainer = make(optimizer=gd.SGD(lr=gd.Cosine(0.1)))
    stop = EachEpoch(lambda trainer: trainer.epoch == 3 and trainer.stop("enough"))
    history = trainer.fit(X, y, epochs=8, callbacks=[stop], verbose=0)
    trainer.fit(X, y, epochs=5, verbose=0)
    assert history["lr"] == pytest.approx(gd.Cosine(0.1)(np.arange(8) + 0.75, 8).tolist(), rel=1e-15)


@pytest.mark.parametrize("lr", [0.1, gd.Cosine(0.1, epochs=6), gd.Step(0.1, 2), gd.Warmup(0.1, 3)], ids=str)
def test_two_fits_are_one_where_the_run_has_no_say(engine, lr):
    once, twice = (make(optimizer=gd.SGD(lr=lr)) for _ in range(2))
    fit(once, 6)
    fit(twice, 2)
    fit(twice, 4)
    check_same(twice, once)


def test_files_without_a_span(tmp_path):
    """Those of the previous release: it began with epoch 0."""
    from fastgd.models import files
    from fastgd.training import checkpoint

    whole, trainer = (make(optimizer=gd.SGD(lr=gd.Cosine(0.1))) for _ in range(2))
    fit(whole, 6)
    fit(trainer, 6, callbacks=[StepBudget(9)])
    config, arrays = checkpoint.contents(trainer._settings, trainer._state)
    del config["span"]
    files.save_arrays(tmp_path / "old.npz", config, arrays)
    loaded = gd.Trainer.load(tmp_path / "old.npz")
    assert (loaded.span.start, loaded.span) == (0, 6)
    fit(loaded, None)
    check_same(loaded, whole)
