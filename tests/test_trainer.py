"""Training: the loop over epochs, on every engine."""

import copy
import pickle

import numpy as np
import pytest
from problems import in_turn
from training import ROWS, Chunks, EachEpoch, blobs, fit, make, problem

import fastgd as gd
from fastgd import metrics, schedules
from fastgd._common import random
from fastgd.data.splits import split_rows
from fastgd.losses import LOSSES
from fastgd.optimizers import OPTIMIZERS
from fastgd.training import chunks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "optimizer"), in_turn(LOSSES, OPTIMIZERS))
def test_the_loss_falls(engine, loss, optimizer, dtype):
    trainer = make(loss, OPTIMIZERS[optimizer](lr=1.0 if optimizer == "adadelta" else 0.01), dtype)
    history = fit(trainer, 30)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert (trainer.epoch, trainer.step, trainer.optimizer.steps) == (30, 120, 120)
    assert trainer.stop_reason is None


@pytest.mark.parametrize("optimizer", [gd.SGD(lr=0.1), gd.SGD(lr=0.05, momentum=0.9, nesterov=True), gd.AdamW(lr=0.01)])
def test_fit_twice_is_fit_once_longer(engine, optimizer):
    settings = pickle.dumps(optimizer)
    once, twice = (make(optimizer=pickle.loads(settings)) for _ in range(2))
    fit(once, 5, validation=0.2)
    fit(twice, 2, validation=0.2)
    history = fit(twice, 3, validation=0.2)
    np.testing.assert_array_equal(once.model.theta, twice.model.theta)
    for name in ("epoch", "loss", "validation_loss", "validation_accuracy", "lr"):
        assert history[name] == once.history[name]
    assert (once.epoch, once.step) == (twice.epoch, twice.step) == (5, 15)


def test_chunks_change_no_bit(engine, monkeypatch):
    """However steps are divided into calls of the engine, and whatever callbacks there are."""
    plain, watched, stepwise = make(), make(), make()
    fit(plain, 6)
    fit(watched, 6, callbacks=[EachEpoch(lambda trainer: None)])
    monkeypatch.setattr(chunks, "_FIRST_FLOPS", 1)
    monkeypatch.setattr(chunks, "_SECONDS", 0)
    monkeypatch.setattr(chunks, "_COPY_SHARE", np.inf)
    monkeypatch.setattr(chunks, "EPOCH_ROWS", 2 * ROWS)
    counter = Chunks()
    fit(stepwise, 6, callbacks=[counter])
    assert counter.count == stepwise.step == 24
    for other in (watched, stepwise):
        np.testing.assert_array_equal(plain.model.theta, other.model.theta)
        assert plain.history["loss"] == other.history["loss"]


@pytest.mark.usefixtures("three_threads")
def test_threads_change_no_bit(engine):
    if engine.backend == "numpy":
        pytest.skip("the threads of NumPy's BLAS are its own affair")
    X, y = blobs(700)
    thetas = []
    for n_threads in (1, 2, 3):
        model = gd.MLP(4, 67, 33, 3, seed=0)
        trainer = gd.Trainer(model, loss="cross_entropy", batch_size=256, n_threads=n_threads)
        trainer.fit(X, y, epochs=3, verbose=0)
        thetas.append(model.theta)
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [16, 1, 50, None])
def test_a_loop_of_ones_own_is_the_same(engine, batch_size, shuffle):
    """forward, backward and step on the same rows; only the rounding of the fused loop may differ."""
    trainer = make(dtype="float64", batch_size=batch_size, shuffle=shuffle, seed=3)
    fit(trainer, 2)
    model = gd.MLP(4, 8, 3, activation="tanh", seed=0, dtype="float64")
    loss, optimizer = gd.CrossEntropy(), gd.SGD(lr=0.05, momentum=0.9)
    X, y, _ = problem()
    for epoch in range(2):
        order = random.permutation(3, epoch, ROWS) if shuffle else np.arange(ROWS)
        for start in range(0, ROWS, batch_size or ROWS):
            rows = order[start : start + (batch_size or ROWS)]
            Z = model.forward(X[rows])
            model.backward(loss.gradient(Z, y[rows].reshape(-1, 1)) / len(rows))
            optimizer.step(model)
    np.testing.assert_allclose(model.theta, trainer.model.theta, rtol=1e-10, atol=1e-12)


def test_history_has_a_row_per_epoch(engine):
    trainer = make("mse")
    history = fit(trainer, 4)
    assert list(history) == ["epoch", "loss", "lr", "seconds"]
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["lr"] == [0.05] * 4
    assert all(seconds > 0 for seconds in history["seconds"])
    fit(trainer, 1, validation=0.2)
    assert list(history) == ["epoch", "loss", "lr", "seconds", "validation_loss", "validation_r2"]
    assert np.isnan(history["validation_loss"][:4]).all()
    assert np.isfinite(history["validation_loss"][4])
    assert history is trainer.history


def test_loss_is_the_mean_over_rows(engine):
    """Batches of 16, 16, 16 and 2 rows are weighted by their rows; a tiny rate leaves theta unchanged."""
    trainer = make("mse", gd.SGD(lr=1e-30), dtype="float64")
    history = fit(trainer, 2)
    X, y, _ = problem("mse")
    want = np.square(gd.MLP(4, 8, 1, activation="tanh", seed=0, dtype="float64").predict(X)[:, 0] - y).mean()
    assert history["loss"] == pytest.approx([want, want], rel=1e-12)


def test_weighted_loss_is_the_weighted_mean(engine):
    weight = np.arange(ROWS) % 3
    trainer = make("mse", gd.SGD(lr=1e-30), dtype="float64")
    history = fit(trainer, 1, sample_weight=weight)
    X, y, _ = problem("mse")
    errors = np.square(trainer.model.predict(X) - y)
    assert history["loss"][0] == pytest.approx(np.average(errors, weights=weight), rel=1e-12)


def test_rows_of_weight_zero_are_not_there(engine):
    """Full batches with and without the rows give the same steps."""
    X, y, _ = problem()
    kept = np.arange(ROWS) % 4 != 0
    thetas = []
    for rows, weight in ((slice(None), kept), (kept, None)):
        trainer = make(dtype="float64", batch_size=None, shuffle=False)
        trainer.fit(X[rows], y[rows], epochs=5, sample_weight=weight, verbose=0)
        thetas.append(trainer.model.theta)
    np.testing.assert_allclose(*thetas, rtol=1e-10, atol=1e-12)


def test_a_batch_without_weight_changes_nothing(engine):
    X, y, _ = problem()
    weight = np.zeros(ROWS)
    weight[:16] = 1
    trainer, short = make(optimizer=gd.SGD(lr=0.1), shuffle=False), make(optimizer=gd.SGD(lr=0.1), shuffle=False)
    trainer.fit(X, y, epochs=1, sample_weight=weight, verbose=0)
    short.fit(X[:16], y[:16], epochs=1, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, short.model.theta)


@pytest.mark.parametrize(
    "lr",
    [
        0.05,
        schedules.Constant(0.05),
        gd.Step(0.1, every=2, factor=0.5),
        gd.Cosine(0.1, final=0.01),
        gd.Warmup(0.1, epochs=1.5),
        gd.Warmup(gd.Cosine(0.1), epochs=2),
        pytest.param(lambda epoch: 0.1 / (1 + epoch), id="lambda"),
    ],
    ids=str,
)
def test_schedules(engine, lr):
    trainer = make(optimizer=gd.SGD(lr=lr))
    history = fit(trainer, 4)
    last_steps = np.arange(4) + 3 / 4
    np.testing.assert_array_equal(history["lr"], schedules.as_schedule(lr)(last_steps, 4))
    assert np.isfinite(trainer.model.theta).all()


def test_every_number_of_the_optimizer_may_be_a_schedule(engine):
    """A momentum that drops after 2 of 4 epochs equals a run whose momentum is changed there."""
    scheduled = make(optimizer=gd.SGD(lr=0.05, momentum=gd.Step(0.8, every=2, factor=0.5)))
    fit(scheduled, 4)
    changed = make(optimizer=gd.SGD(lr=0.05, momentum=0.8))
    fit(changed, 2)
    changed.optimizer.momentum = 0.4
    fit(changed, 2)
    np.testing.assert_array_equal(scheduled.model.theta, changed.model.theta)


def test_a_schedule_goes_on_in_the_next_fit(engine):
    trainer = make(optimizer=gd.SGD(lr=lambda epoch: 0.1 / (1 + epoch)))
    fit(trainer, 2)
    assert fit(trainer, 2)["lr"] == pytest.approx([0.1 / (1 + e + 0.75) for e in range(4)], rel=1e-15)


def test_validation_forms(engine):
    """A fraction holds out rows; a pair of the same rows gives the same values."""
    X, y, _ = problem()
    by_fraction, by_pair = make(seed=1), make(seed=1)
    by_fraction.fit(X, y, epochs=2, validation=0.3, verbose=0)
    training, rest = split_rows(ROWS, 0.3, 1)
    by_pair.fit(X[training], y[training], epochs=2, validation=(X[rest], y[rest]), verbose=0)
    assert by_fraction.run.rows == len(training) == 35
    for name in ("loss", "validation_loss", "validation_accuracy"):
        assert by_fraction.history[name] == by_pair.history[name]
    np.testing.assert_array_equal(by_fraction.model.theta, by_pair.model.theta)
    guess = by_pair.model.predict(X[rest])
    assert by_pair.history["validation_accuracy"][-1] == pytest.approx((guess == y[rest]).mean())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_validation_is_the_definition(engine, loss, weighted, monkeypatch):
    """Loss and metric of the held-out rows, however they are divided into blocks."""
    monkeypatch.setattr("fastgd.training.evaluation._BLOCK", 4)
    X, y, _ = problem(loss)
    weight = 1 + np.arange(ROWS) % 3 if weighted else None
    trainer = make(loss, dtype="float64")
    history = trainer.fit(X, y, epochs=1, validation=0.2, sample_weight=weight, verbose=0)
    rest = split_rows(ROWS, 0.2, 0)[1]
    w, Z, Y = (weight[rest] if weighted else None), trainer.model.forward(X[rest]), y[rest].reshape(len(rest), -1)
    definition = LOSSES[loss]()
    assert history["validation_loss"][0] == pytest.approx(np.average(definition.per_row(Z, Y), weights=w), rel=1e-12)
    assert set(history) - {"epoch", "loss", "lr", "seconds"} == {
        "validation_loss",
        *([f"validation_{definition.metric}"] if definition.metric else []),
    }
    if definition.metric != "accuracy":
        guess = np.exp(Z) if definition.link == "log" else Z
        if definition.metric:
            assert history["validation_r2"][0] == pytest.approx(metrics.r2(Y, guess, w), rel=1e-12)
        return
    right = ((Z > 0) == (Y > 0.5)).mean(axis=1)
    if definition.link == "softmax":
        right = Z.argmax(axis=1) == (Y[:, 0] if definition.target == "labels" else Y.argmax(axis=1))
    assert history["validation_accuracy"][0] == pytest.approx(np.average(right, weights=w), rel=1e-12)


def test_a_batch_larger_than_the_data_is_all_rows(engine):
    large, full = make(batch_size=ROWS + 1), make(batch_size=None)
    with pytest.warns(UserWarning, match=f"batch_size={ROWS + 1} is more than the {ROWS} training rows"):
        fit(large)
    fit(full)
    assert large.step == 3
    np.testing.assert_array_equal(large.model.theta, full.model.theta)


def test_labels_of_any_kind(engine):
    """Strings and numbers lead to the same theta, and a second fit knows the classes of the first."""
    X, y, _ = problem()
    names = np.array(["ant", "bee", "cat"])[y]
    by_number, by_name = make(), make()
    fit(by_number)
    by_name.fit(X, names, epochs=3, verbose=0)
    np.testing.assert_array_equal(by_number.model.theta, by_name.model.theta)
    assert set(by_name.model.predict(X)) <= {"ant", "bee", "cat"}
    by_name.fit(X[names != "ant"], names[names != "ant"], epochs=1, verbose=0)
    assert by_name.model.head.classes.tolist() == ["ant", "bee", "cat"]
    before = by_name.model.theta.copy()
    with pytest.raises(ValueError, match="'dog'.*row 1"):
        by_name.fit(X[:2], ["ant", "dog"], epochs=1, verbose=0)
    np.testing.assert_array_equal(by_name.model.theta, before)


def test_one_hot_rows_are_labels(engine):
    X, y, _ = problem()
    labels, one_hot = make(dtype="float64"), make(dtype="float64")
    labels.fit(X, y, epochs=3, verbose=0)
    one_hot.fit(X, np.eye(3)[y], epochs=3, validation=(X, np.eye(3)[y]), verbose=0)
    np.testing.assert_allclose(labels.model.theta, one_hot.model.theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(one_hot.model.predict(X), labels.model.predict(X))


@pytest.mark.parametrize("convert", [np.float16, np.float64, np.int8, np.asfortranarray, np.ndarray.tolist])
def test_any_kind_of_rows(engine, convert):
    X = np.random.default_rng(0).integers(-3, 4, (ROWS, 4)).astype(np.float32)
    thetas = []
    for rows in (X, convert(X) if not isinstance(convert, type) else X.astype(convert)):
        trainer = make()
        trainer.fit(rows, X[:, 0] > 0, epochs=2, validation=0.2, verbose=0)
        thetas.append(trainer.model.theta)
    np.testing.assert_array_equal(*thetas)


def test_small_data_take_few_calls():
    """A thousand epochs of 50 rows without callbacks: Python handles chunks, not epochs."""
    counter = Chunks()
    trainer = make("mse", gd.SGD(lr=0.001))
    fit(trainer, 1000, callbacks=[counter])
    assert len(trainer.history["loss"]) == 1000
    assert counter.count < 100


def test_the_trainers_seed_is_the_models():
    one, other = make(seed=4), make(seed=4)
    assert one.seed == 4
    fit(one)
    fit(other)
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    assert gd.Trainer(gd.MLP(4, 3, seed=4), loss="mse").seed == 4


def test_a_trainer_can_be_pickled(engine):
    one = make()
    fit(one, 2)
    other = pickle.loads(pickle.dumps(one))
    fit(one, 2)
    fit(other, 2)
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    assert one.history["loss"] == other.history["loss"]


def test_a_shallow_copy_has_its_own_counters():
    """It shares model, optimizer and history, as the attributes of any object."""
    one = make()
    fit(one, 2)
    other = copy.copy(one)
    fit(other, 1)
    assert (one.epoch, other.epoch) == (2, 3)
    assert other.model is one.model
    assert other.history is one.history


def test_settings_assigned_between_fits_take_effect():
    one, other = make(batch_size=16), make(batch_size=50)
    one.batch_size, one.n_threads, one.shuffle, other.shuffle = 50, 1, False, False
    fit(one)
    fit(other)
    assert one.step == other.step == 3
    np.testing.assert_array_equal(one.model.theta, other.model.theta)


@pytest.mark.parametrize(
    ("old", "new"), [("begun", "partial_epoch"), ("stopped", "resume_theta"), ("judged", "eval_model")]
)
def test_renamed_attributes_keep_their_old_names(old, new):
    trainer = make()
    with pytest.warns(DeprecationWarning, match=f"Trainer.{old} is deprecated: use Trainer.{new}"):
        assert getattr(trainer, old) is getattr(trainer, new)
