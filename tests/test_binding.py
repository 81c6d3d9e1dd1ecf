"""An optimizer belongs to the model that it trains: no other training gets its state, its steps or its reduced rate."""

import copy
import pickle

import numpy as np
import pytest
from training import fit, make, problem

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS, Optimizer

REFUSED = "this optimizer belongs to another model"


def step(optimizer, model):
    model.grad[:] = 0.1
    optimizer.step(model)


def trained(optimizer=None):
    """A model, and the optimizer that has done a step for it."""
    model, optimizer = gd.MLP(4, 8, 3, seed=0), optimizer or gd.Adam()
    step(optimizer, model)
    return model, optimizer


def vectors(model, optimizer):
    average = optimizer.averaged_theta
    return [v.tobytes() for v in (model.theta, optimizer.state, *([] if average is None else [average]))]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("average", [None, gd.EMA(0.9)])
def test_a_model_of_the_same_size_is_refused_and_nothing_changes(engine, name, average):
    model, optimizer = trained(OPTIMIZERS[name](average=average))
    other = gd.MLP(4, 8, 3, seed=1)
    other.grad[:] = 1
    before, theta = vectors(model, optimizer), other.theta.copy()
    with pytest.raises(ValueError, match=REFUSED):
        optimizer.step(other)
    with pytest.raises(ValueError, match=REFUSED):
        gd.Trainer(other, loss="cross_entropy", optimizer=optimizer)
    if average:
        with pytest.raises(ValueError, match=REFUSED):
            optimizer.averaged(other)
    assert vectors(model, optimizer) == before
    assert optimizer.steps == 1
    np.testing.assert_array_equal(other.theta, theta)
    step(optimizer, model)


def test_the_message_names_the_cures():
    _, optimizer = trained(gd.RMSprop())
    with pytest.raises(ValueError, match=r"make a new RMSprop.*optimizer\.copy\(\).*optimizer\.reset\(\).*deepcopy"):
        optimizer.step(gd.MLP(4, 8, 3))


def test_a_model_that_is_gone_was_another_model():
    optimizer = trained()[1]
    for _ in range(3):  # new models may be at the same address
        with pytest.raises(ValueError, match=REFUSED):
            optimizer.step(gd.MLP(4, 8, 3))


@pytest.mark.parametrize("duplicate", [copy.copy, Optimizer.copy], ids=["copy.copy", "copy"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_copy_is_new(engine, name, duplicate):
    """K-fold: each training with a copy is the training with a new optimizer."""
    first = make(optimizer=OPTIMIZERS[name](average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}}))
    fit(first)
    first.optimizer.reduce_lr(0.1)
    new = duplicate(first.optimizer)
    assert (new.state, new.averaged_theta, new.steps) == (None, None, 0)
    assert repr(new) == repr(OPTIMIZERS[name](average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}}))
    second = make(optimizer=new)
    fit(second)
    np.testing.assert_array_equal(second.averaged.theta, make_fitted(name).averaged.theta)
    new.groups["*.bias"]["lr"] = 3.0
    assert first.optimizer.groups["*.bias"]["lr"] == 2.0


def make_fitted(name):
    trainer = make(optimizer=OPTIMIZERS[name](average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}}))
    fit(trainer)
    return trainer


def test_reset_is_new():
    trainer = make(optimizer=gd.SGD(lr=0.05, momentum=0.9))
    X, y, _ = problem()
    plateau = gd.ReduceLROnPlateau(patience=1, min_delta=1e9)
    trainer.fit(X, y, epochs=6, validation=0.2, callbacks=[plateau], verbose=0)
    optimizer = trainer.optimizer
    assert optimizer.lr < 0.05
    optimizer.reset()
    assert (optimizer.lr, optimizer.steps, optimizer.state) == (0.05, 0, None)
    again, want = make(optimizer=optimizer), make(optimizer=gd.SGD(lr=0.05, momentum=0.9))
    fit(again)
    fit(want)
    np.testing.assert_array_equal(again.model.theta, want.model.theta)


def test_several_trainers_may_train_one_model():
    trainer = make()
    fit(trainer)
    other = gd.Trainer(trainer.model, loss="cross_entropy", optimizer=trainer.optimizer)
    fit(other, 1)
    fit(trainer, 1)


def test_an_optimizer_that_did_no_step_is_free():
    X, y, _ = problem()
    optimizer = gd.SGD(lr=1e300, average=gd.EMA())
    with pytest.raises(FloatingPointError):
        make(optimizer=optimizer, batch_size=None).fit(X, y, epochs=2, verbose=0)
    optimizer.lr = 0.1
    second, want = make(optimizer=optimizer), make(optimizer=gd.SGD(lr=0.1, average=gd.EMA()))
    for trainer in (second, want):
        trainer.model.theta *= 2
        fit(trainer)
    np.testing.assert_array_equal(second.averaged.theta, want.averaged.theta)


def test_the_model_of_a_trainer_cannot_be_exchanged():
    trainer = make()
    fit(trainer)
    trainer.model = make().model
    with pytest.raises(ValueError, match=REFUSED):
        fit(trainer)
    trainer.optimizer.reset()
    fit(trainer)


# ---- copies and pickles


def through_shared_memory(value):
    """As Ray and joblib do it: arrays are read in place, in memory that must not be written."""
    buffers = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "shared memory": through_shared_memory,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_made_with_the_model_belongs_to_its_copy(how, order):
    model, optimizer = trained(gd.SGD(lr=0.1, momentum=0.9))
    model2, optimizer2 = COPIES[how]((model, optimizer)[::order])[::order]
    for pair in ((model, optimizer), (model2, optimizer2)):
        step(*pair[::-1])
    assert vectors(model, optimizer) == vectors(model2, optimizer2)
    if how == "deepcopy":
        for other, wrong in ((optimizer, model2), (optimizer2, model)):
            with pytest.raises(ValueError, match=REFUSED):
                other.step(wrong)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_made_alone_belongs_to_the_same_model(how):
    model, optimizer = trained()
    duplicate = COPIES[how](optimizer)
    with pytest.raises(ValueError, match=REFUSED):
        duplicate.step(copy.deepcopy(model))
    step(duplicate, model)
    step(COPIES[how](duplicate), model)


def test_a_model_and_its_optimizer_may_be_pickled_apart():
    model, optimizer = (pickle.loads(pickle.dumps(part)) for part in trained())
    step(optimizer, model)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_model_is_another_model(duplicate):
    model, optimizer = trained()
    with pytest.raises(ValueError, match=REFUSED):
        optimizer.step(duplicate(model))


@pytest.mark.parametrize("how", COPIES)
def test_a_copied_trainer_continues_with_its_own_model(engine, how):
    trainer, whole = make(), make()
    fit(trainer, 2)
    duplicate = COPIES[how](trainer)
    fit(whole, 4)
    for each in (trainer, duplicate):
        fit(each, 2)
        np.testing.assert_array_equal(each.model.theta, whole.model.theta)
    if how == "deepcopy":
        with pytest.raises(ValueError, match=REFUSED):
            gd.Trainer(trainer.model, loss="cross_entropy", optimizer=duplicate.optimizer)


def test_a_shallow_copy_of_a_trainer_shares_model_and_optimizer():
    trainer = make()
    fit(trainer, 1)
    duplicate = copy.copy(trainer)
    fit(duplicate, 1)
    assert duplicate.optimizer is trainer.optimizer


def test_a_saved_trainer_and_its_reduced_rate(tmp_path):
    trainer = make(optimizer=gd.SGD(lr=gd.Cosine(0.1, epochs=9), momentum=0.9))
    fit(trainer, 2)
    trainer.optimizer.reduce_lr(0.5)
    trainer.save(tmp_path / "run.npz")
    loaded = gd.Trainer.load(tmp_path / "run.npz")
    for each in (trainer, loaded):
        fit(each, 1)
        with pytest.raises(ValueError, match=REFUSED):
            each.optimizer.step(make().model)
        each.optimizer.reduce_lr(0.5)
        assert each.optimizer.copy().lr == gd.Cosine(0.1, epochs=9)
    np.testing.assert_array_equal(loaded.model.theta, trainer.model.theta)


def test_other_processes_and_cloudpickle():
    cloudpickle = pytest.importorskip("cloudpickle")
    model, optimizer = cloudpickle.loads(cloudpickle.dumps(trained(gd.SGD(lr=lambda t: 0.1, momentum=0.9))))
    step(optimizer, model)
    with pytest.raises(ValueError, match=REFUSED):
        optimizer.step(gd.MLP(4, 8, 3))


def test_a_pickle_of_an_earlier_release():
    model, optimizer = trained()
    for part, new in ((model, "identity"), (optimizer, "_bond")):
        state = part.__getstate__() if part is model else vars(part).copy()
        state.pop(new)
        old = type(part).__new__(type(part))
        old.__setstate__(state) if part is model else vars(old).update(state)
        if part is optimizer:
            step(old, model)
        else:
            step(gd.Adam(), old)


def test_the_rate_finder_uses_a_copy():
    model, optimizer = trained(gd.SGD(momentum=0.9))
    X, y, _ = problem()
    before = vectors(model, optimizer)
    gd.lr_finder(gd.MLP(4, 8, 3, seed=1), X, y, loss="cross_entropy", optimizer=optimizer, steps=20)
    assert vectors(model, optimizer) == before
    step(optimizer, model)


# ---- reductions of the rate


@pytest.mark.parametrize(("lr", "factor", "least", "want"), [(0.1, 0.5, 0.0, 0.05), (0.1, 0.1, 0.02, 0.02)])
def test_reductions_of_a_number(lr, factor, least, want):
    optimizer = gd.SGD(lr=lr)
    optimizer.reduce_lr(factor, least)
    assert optimizer.lr == want
    optimizer.reduce_lr(factor, least)
    assert optimizer.copy().lr == lr
    optimizer.lr = 0.3  # what the user assigns is the setting
    assert optimizer.copy().lr == 0.3


def test_a_rate_below_the_least_stays():
    optimizer = gd.SGD(lr=1e-3)
    optimizer.reduce_lr(0.5, min_lr=0.01)
    assert optimizer.lr == 1e-3
