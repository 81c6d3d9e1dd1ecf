"""Settings of callbacks: checked wherever they are assigned, shown by repr, forgotten by the next fit."""

from typing import Any

import numpy as np
import pytest
from training import EachEpoch, fit, make, problem

import fastgd as gd
from fastgd import callbacks

CALLBACKS = {
    "early": lambda **options: gd.EarlyStopping(**options),
    "best": lambda **options: callbacks.BestEpoch(**options),
    "plateau": lambda **options: gd.ReduceLROnPlateau(**options),
    "checkpoint": lambda **options: callbacks.Checkpoint(**({"path": "a.npz"} | options)),
    "csv": lambda **options: callbacks.CSVLogger(**({"path": "a.csv"} | options)),
    "board": lambda **options: callbacks.TensorBoard(**options),
    "time": lambda **options: callbacks.TimeBudget(**({"seconds": 1.0} | options)),
    "steps": lambda **options: callbacks.StepBudget(**({"steps": 1} | options)),
    "tol": lambda **options: callbacks.ParameterTolerance(**({"tol": 0.0} | options)),
    "epoch": lambda **options: callbacks.EveryEpoch(**({"f": print} | options)),
    "step": lambda **options: callbacks.EveryStep(**({"f": print} | options)),
}
COUNT = [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError), ("3", TypeError), (2**64, ValueError)]
NAN, INF = float("nan"), float("inf")
POSITIVE = [
    (0, ValueError),
    (-1.0, ValueError),
    (NAN, ValueError),
    (INF, ValueError),
    ("1", TypeError),
    (10**400, ValueError),
]
COLUMN = [(5, TypeError), (None, TypeError), (["loss"], TypeError)]
MODE = [("down", ValueError), ("auto", ValueError), (1, TypeError)]
FLAG = [("no", TypeError), (1, TypeError), (None, TypeError)]
PATH = [(5, TypeError), (None, TypeError), (b"a.npz", TypeError)]
BAD: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    *[(kind, name, COUNT) for kind, name in (("early", "patience"), ("plateau", "patience"), ("steps", "steps"))],
    *[(kind, "n", COUNT) for kind in ("epoch", "step")],
    ("checkpoint", "epochs", COUNT),
    *[(kind, name, COUNT[1:]) for kind, name in (("plateau", "cooldown"), ("early", "start_from_epoch"))],
    *[(kind, name, POSITIVE) for kind, name in (("time", "seconds"), ("checkpoint", "minutes"))],
    *[(kind, "min_delta", POSITIVE[1:]) for kind in ("early", "best", "plateau")],
    ("plateau", "min_lr", POSITIVE[1:]),
    ("tol", "tol", POSITIVE[1:]),
    ("plateau", "factor", [*POSITIVE, (1, ValueError), (2.0, ValueError)]),
    ("early", "baseline", [(NAN, ValueError), (INF, ValueError), ("1", TypeError), (True, TypeError)]),
    *[(kind, "monitor", COLUMN) for kind in ("early", "best", "plateau")],
    *[(kind, "mode", MODE) for kind in ("early", "best", "plateau", "checkpoint")],
    ("checkpoint", "best", [(5, TypeError), (["loss"], TypeError)]),
    ("early", "restore_best", FLAG),
    ("csv", "append", FLAG),
    ("checkpoint", "path", [*PATH, ("a.pt", ValueError), ("{name}.npz", ValueError), ("{epoch:q}.npz", ValueError)]),
    *[(kind, name, PATH) for kind, name in (("csv", "path"), ("board", "folder"))],
    *[(kind, "f", [("f", TypeError), (None, TypeError), (dict, TypeError)]) for kind in ("epoch", "step")],
]


@pytest.mark.parametrize(
    ("kind", "name", "value", "error"),
    [(kind, name, value, error) for kind, name, values in BAD for value, error in values],
    ids=lambda value: str(value)[:20],
)
def test_bad_settings_are_refused_wherever_they_enter(kind, name, value, error):
    with pytest.raises(error, match=name):
        CALLBACKS[kind](**{name: value})
    callback = CALLBACKS[kind]()
    before = getattr(callback, name)
    with pytest.raises(error, match=name):
        setattr(callback, name, value)
    assert getattr(callback, name) == before


def test_good_settings_are_converted():
    stopping = gd.EarlyStopping(patience=np.int64(3), min_delta=np.float32(0.5), restore_best=np.True_)
    assert (type(stopping.patience), type(stopping.min_delta), type(stopping.restore_best)) == (int, float, bool)
    stopping.patience = np.uint8(7)
    assert (stopping.patience, type(stopping.patience)) == (7, int)
    assert callbacks.StepBudget(10**12).steps == 10**12
    checkpoint = callbacks.Checkpoint("a.npz", minutes=5)
    checkpoint.minutes, checkpoint.epochs = None, 2
    assert (checkpoint.minutes, checkpoint.epochs) == (None, 2)


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (gd.EarlyStopping(patience=5), "EarlyStopping(monitor='validation_loss', patience=5)"),
        (gd.EarlyStopping(), "EarlyStopping(monitor='validation_loss')"),
        (callbacks.BestEpoch("loss", mode="min"), "BestEpoch(monitor='loss', mode='min')"),
        (gd.ReduceLROnPlateau(factor=0.5), "ReduceLROnPlateau(monitor='validation_loss', factor=0.5)"),
        (callbacks.Checkpoint("a.npz", minutes=2), "Checkpoint(path='a.npz', minutes=2.0)"),
        (callbacks.Checkpoint("a.npz", best="loss"), "Checkpoint(path='a.npz', best='loss')"),
        (callbacks.CSVLogger("~/a.csv"), "CSVLogger(path='~/a.csv')"),
        (callbacks.Dashboard(), "Dashboard()"),
        (callbacks.Dashboard(port=8000), "Dashboard(port=8000)"),
        (callbacks.TensorBoard(), "TensorBoard(folder='runs')"),
        (callbacks.TimeBudget(60), "TimeBudget(seconds=60.0)"),
        (callbacks.StepBudget(60), "StepBudget(steps=60)"),
        (callbacks.ParameterTolerance(1e-4), "ParameterTolerance(tol=0.0001)"),
        (callbacks.EveryEpoch(print, 3), "EveryEpoch(f=print, n=3)"),
        (callbacks.EveryStep(fit), "EveryStep(f=fit)"),
        (callbacks.Progress(), "Progress()"),
        (EachEpoch(fit), "EachEpoch(function=fit)"),
    ],
)
def test_reprs_are_calls(callback, text):
    assert repr(callback) == text


def test_a_callback_of_the_user_may_hold_anything():
    class Mine(gd.Callback):
        def __init__(self, X, patience=-1, *others, **more):
            self.X, self.patience = X, patience

    assert repr(Mine(np.zeros(2), 4)).split("<locals>.")[1] == "Mine(X=array([0., 0.]), patience=4)"
    assert repr(gd.Callback()) == "Callback()"


@pytest.mark.parametrize("callbacks_given", [5, None, True])
def test_callbacks_must_be_a_sequence(callbacks_given):
    with pytest.raises(TypeError, match="callbacks must be a sequence"):
        fit(make(), 1, callbacks=callbacks_given)


def test_a_callback_must_not_be_listed_twice():
    stopping = gd.EarlyStopping("loss")
    with pytest.raises(ValueError, match=r"listed twice: EarlyStopping\(monitor='loss'\)"):
        fit(make(), 1, callbacks=[stopping, callbacks.StepBudget(3), stopping])
    with pytest.raises(TypeError, match=r"write callbacks=\[EarlyStopping\(monitor='loss'\)\]"):
        fit(make(), 1, callbacks=stopping)


def reused():
    """A callback of each kind that may stop or change a training."""
    return [
        gd.EarlyStopping("validation_loss", patience=3),
        callbacks.BestEpoch(),
        gd.ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1),
        callbacks.ParameterTolerance(1e-9),
        callbacks.StepBudget(200),
    ]


def test_the_same_callbacks_in_every_fold(engine):
    """As new ones would do: nothing is left from the fold before, whether it ended by itself or was interrupted."""
    shared, (X, y, _) = reused(), problem()
    for fold in range(3):
        runs = []
        for given in (shared, reused()):
            trainer = make(optimizer=gd.SGD(lr=1.5))
            rows = np.arange(50) % 3 != fold
            trainer.fit(X[rows], y[rows], 60, validation=(X[~rows], y[~rows]), callbacks=given, verbose=0)
            runs.append((trainer.epoch, trainer.stop_reason, trainer.optimizer.lr, trainer.model.theta.tolist()))
            runs[-1] += tuple(repr(callback) for callback in given)
        assert runs[0] == runs[1]
        with pytest.raises(RuntimeError, match="fold"):
            fit(make(), 5, validation=0.3, callbacks=[*shared, callbacks.EveryEpoch(failing, 2)])


def failing(trainer):
    raise RuntimeError("fold")
