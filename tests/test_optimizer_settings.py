"""Every setting of an optimizer is checked where it enters: constructed, assigned, from a file."""

import json
import math
import zipfile
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from training import EachEpoch, fit, make

import fastgd as gd
from fastgd import schedules
from fastgd.optimizers import OPTIMIZERS
from fastgd.optimizers.settings import TRANSFORM_INTERVALS

NUMBERS = [(cls, name) for cls in OPTIMIZERS.values() for name in (*cls.intervals, *TRANSFORM_INTERVALS)]
FLAGS = [(cls, f.name) for cls in OPTIMIZERS.values() for f in fields(cls) if isinstance(f.default, bool)]
BAD = {
    "huge": (10**400, ValueError),
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "negative": (-1.0, ValueError),
    "text": ("0.1", TypeError),
    "bool": (True, TypeError),
    "array": (np.array([0.1]), TypeError),
    "complex": (0.1j, TypeError),
}


def in_place(name, value):
    return (value, 0.5) if name == "betas" else value


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("cls", "name"), NUMBERS)
def test_numbers(cls, name, bad):
    value, error = BAD[bad]
    value = in_place(name, value)
    with pytest.raises(error, match=name):
        cls(**{name: value})
    optimizer = cls()
    before = repr(optimizer), getattr(optimizer, name)
    with pytest.raises(error, match=name):
        setattr(optimizer, name, value)
    assert (repr(optimizer), getattr(optimizer, name)) == before


@pytest.mark.parametrize(("cls", "name"), FLAGS)
def test_flags(cls, name):
    for bad in ("no", 1, None):
        with pytest.raises(TypeError, match=f"{name} must be True or False"):
            cls(**{name: bad})
        with pytest.raises(TypeError, match=f"{name} must be True or False"):
            setattr(cls(), name, bad)


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.25), np.int64(1), gd.Cosine(0.1), lambda t: 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_a_rate_may_be(name, value):
    optimizer = OPTIMIZERS[name]()
    optimizer.lr = value
    assert optimizer.lr is value
    assert optimizer.copy().lr is value


@pytest.mark.parametrize(("name", "ours"), [("learning_rate", "lr"), ("clipnorm", "clip_norm"), ("epsilon", "eps")])
def test_names_of_other_libraries(name, ours):
    optimizer = gd.Adam()
    with pytest.raises(AttributeError, match=f"Adam has no setting '{name}': it is called {ours}"):
        setattr(optimizer, name, 0.1)
    optimizer.note = "of the user"


@pytest.mark.parametrize(
    ("setting", "value", "error", "message"),
    [
        ("average", 0.9, TypeError, "average must be an object"),
        ("average", gd.EMA(), ValueError, "needs another state: 1 slot and an average instead of 1 slot"),
        ("groups", {"*": {"lr": -1}}, ValueError, "groups"),
        ("momentum", 0.0, ValueError, "nesterov=True needs momentum"),
        ("dampening", 0.5, ValueError, "nesterov=True needs momentum"),
    ],
)
def test_assignment_checks_what_belongs_together(setting, value, error, message):
    optimizer = gd.SGD(momentum=0.9, nesterov=True)
    optimizer.bind(3, "float32")
    before = repr(optimizer)
    with pytest.raises(error, match=message):
        setattr(optimizer, setting, value)
    assert repr(optimizer) == before


def test_a_setting_that_needs_another_state_waits_for_reset():
    trainer = make(optimizer=gd.Adam())
    fit(trainer, 1)
    with pytest.raises(ValueError, match="3 slots instead of 2 slots"):
        trainer.optimizer.amsgrad = True
    trainer.optimizer.reset()
    trainer.optimizer.amsgrad = True
    fit(trainer, 1)


def test_the_callers_objects_are_not_shared():
    factors, betas = {"lr": 2.0}, [0.9, 0.99]
    optimizer = gd.Adam(betas=betas, groups={"*.bias": factors})
    factors["lr"], betas[0] = -1.0, 2.0
    assert (optimizer.groups, optimizer.betas) == ({"*.bias": {"lr": 2.0}}, (0.9, 0.99))


def test_an_assignment_counts_from_the_next_step(engine):
    """In a custom loop; in a fit, from the first step after the callback that assigns."""
    model, optimizer = gd.MLP(2, 1, seed=0, dtype="float64"), gd.SGD(lr=0.1)
    for lr in (0.1, schedules.Constant(0.5), 0.2):
        optimizer.lr = lr
        before, model.grad[:] = model.theta.copy(), 1
        optimizer.step(model)
        np.testing.assert_allclose(before - model.theta, getattr(lr, "lr", lr), rtol=1e-12)
    trainer = make(optimizer=gd.SGD(lr=0.1))
    fit(trainer, 4, callbacks=[EachEpoch(lambda t: setattr(t.optimizer, "lr", 0.1 / (1 + t.epoch)))])
    np.testing.assert_allclose(trainer.history["lr"], [0.1, 0.05, 0.1 / 3, 0.025])


WITH_EPS = [cls for cls in OPTIMIZERS.values() if "eps" in cls.intervals]


@pytest.mark.parametrize("eps", [1e-50, 1e-40, 1.17e-38])
@pytest.mark.parametrize("cls", WITH_EPS)
def test_eps_must_not_vanish_in_the_dtype_of_the_model(cls, eps):
    """0 / (0 + eps) would be NaN; the C core takes denormals for 0."""
    with pytest.raises(ValueError, match=f"eps={eps} counts as 0 in float32"):
        fit(make(optimizer=cls(eps=eps)))
    fit(make(optimizer=cls(eps=eps), dtype="float64"), 1)


@pytest.mark.parametrize("cls", WITH_EPS)
def test_eps_may_not_become_denormal(engine, cls):
    """Assigned to an optimizer that has a state, or by a schedule; the least normal number is accepted."""
    least = float(np.finfo(np.float32).tiny)
    model, optimizer = gd.MLP(2, 1, seed=0), cls(eps=least)
    optimizer.step(model)
    with pytest.raises(ValueError, match=f"eps={least / 2} counts as 0"):
        optimizer.eps = least / 2
    assert optimizer.eps == least
    optimizer.step(model)
    assert np.isfinite(model.theta).all()
    with pytest.raises(ValueError, match="gave 1e-40 at epoch 0"):
        cls(eps=schedules.Constant(1e-40)).step(model)
    with pytest.raises(ValueError, match="gave 1e-40 at epoch 0"):
        fit(make(optimizer=cls(eps=schedules.Constant(1e-40))), 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", -1), ("lr", "0.1"), ("betas", [0.9, 1.0]), ("eps", None), ("amsgrad", "no"), ("learning_rate", 0.1)],
)
def test_settings_in_a_file(tmp_path, name, value):
    path = tmp_path / "run.npz"
    trainer = make(optimizer=gd.Adam())
    fit(trainer, 1)
    trainer.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(members["fastgd.json"])
    config["optimizer"][name] = value
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, json.dumps(config) if member == "fastgd.json" else content)
    with pytest.raises(ValueError, match="damaged"):
        gd.Trainer.load(path)


# ---- steps of a custom loop


OVERFLOWS: dict[str, Any] = {
    "theta": (gd.SGD(lr=1e30), 1e20),
    "momentum": (gd.SGD(lr=1e10, momentum=0.9, average=gd.EMA()), 3e38),
    "mean square": (gd.Adam(), 1e30),
    "weight decay": (gd.SGD(lr=1e30, weight_decay=1e30), 0.0),
}


@pytest.mark.parametrize("case", OVERFLOWS)
def test_a_step_that_overflows_changes_nothing(engine, case):
    optimizer, gradient = OVERFLOWS[case]
    optimizer = optimizer.copy()
    model = gd.MLP(5, 4, 2, seed=0)
    model.grad[:] = 1e-3
    lr, optimizer.lr = optimizer.lr, 1e-3
    optimizer.weight_decay, decay = 0.0, optimizer.weight_decay
    optimizer.step(model)
    optimizer.lr, optimizer.weight_decay = lr, decay
    vectors = [model.theta, optimizer.state] + ([] if optimizer.average is None else [optimizer.averaged_theta])
    before = [vector.copy() for vector in vectors]
    model.grad[:] = gradient
    for _ in range(2):
        with pytest.raises(FloatingPointError, match="theta or the state of the optimizer inf or NaN"):
            optimizer.step(model)
    assert optimizer.steps == 1
    for vector, old in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, old)
