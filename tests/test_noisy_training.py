"""Trainers with noise and augmentation: what they affect, and that runs are reproducible."""

import numpy as np
import pytest
from test_resume import EPOCHS, check_same, saved_and_loaded
from training import Chunks, blobs, fit

import fastgd as gd
from fastgd._common import random
from fastgd.callbacks import EveryStep, StepBudget
from fastgd.training.chunks import ChunkSizer


def make(dtype="float32", seed=0, dropout=0.3, **options):
    layers = gd.GaussianNoise(gd.Exponential(0.5, 0.9)), gd.Dense(4, 16, "tanh"), gd.Dense(16, 8, "relu")
    model = gd.Sequential(*layers, gd.Dropout(dropout), gd.Dense(8, 3), seed=seed, dtype=dtype)
    options.setdefault("batch_size", 16)
    return gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(lr=0.01), **options)


def jitter(X, rng):
    X += rng.normal(scale=0.3, size=X.shape)
    return X


@pytest.mark.parametrize("augment", [None, jitter], ids=["plain", "augmented"])
@pytest.mark.parametrize("steps", [3, 7, 17])
def test_stopped_at_any_step(engine, steps, augment, tmp_path):
    whole, stopped = make(), make()
    fit(whole, EPOCHS, validation=0.2, augment=augment)
    fit(stopped, EPOCHS, validation=0.2, augment=augment, callbacks=[StepBudget(steps)])
    loaded = saved_and_loaded(stopped, tmp_path / "run.npz")
    for resumed in (stopped, loaded):
        fit(resumed, None, validation=0.2, augment=augment)
        check_same(resumed, whole)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("augment", [None, jitter], ids=["plain", "augmented"])
def test_chunks_and_threads_change_nothing(engine, augment):
    whole = make()
    fit(whole, augment=augment)
    for every, threads in [(1, 1), (3, 2), (5, 3)]:
        other, chunks = make(n_threads=threads), Chunks()
        fit(other, augment=augment, callbacks=[EveryStep(lambda trainer: None, every), chunks])
        assert chunks.count >= other.step // every
        np.testing.assert_array_equal(other.model.theta, whole.model.theta)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("threads", [1, 3])
def test_passes_of_one_step_have_noise_of_their_own(engine, threads):
    """Row r of a step gets the same noise in any micro-batch: accumulation still equals a larger batch."""
    passes, whole = make("float64", batch_size=5, accumulate=3, n_threads=threads), make("float64", batch_size=15)
    for trainer in (passes, whole):
        fit(trainer)
    assert passes.step == whole.step
    if engine.backend == "native":
        np.testing.assert_array_equal(passes.model.theta, whole.model.theta)
    np.testing.assert_allclose(passes.model.theta, whole.model.theta, rtol=0, atol=1e-12)


def test_seeds_choose_the_noise(engine):
    first, same, other = make(shuffle=False), make(shuffle=False), make(shuffle=False, seed=0)
    other.seed = 1
    for trainer in (first, same, other):
        fit(trainer)
    np.testing.assert_array_equal(first.model.theta, same.model.theta)
    assert not np.array_equal(first.model.theta, other.model.theta)


def test_each_step_of_the_run_has_other_noise(engine):
    """With lr = 0 and all rows in each step, losses differ by the noise alone."""
    trainer = make(batch_size=None)
    trainer.optimizer = gd.SGD(lr=lambda epoch: 0.0)
    history = fit(trainer, 20)
    assert len(set(history["loss"])) == 20


def test_validation_goes_without_noise(engine):
    trainer, (X, y) = make(dropout=0.9), blobs()
    history = fit(trainer, validation=(X, y))
    Z = trainer.model.forward(X)
    losses = np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]
    assert history["validation_loss"][-1] == pytest.approx(losses.mean(), rel=1e-5)
    assert history["loss"][-1] > losses.mean()


def test_dropout_can_be_scheduled(engine):
    """No noise from epoch 2 on, so from there on runs with p = 0 and p > 0 before take the same steps."""
    trainer = make(dropout=lambda epoch: 0.5 if epoch < 2 else 0.0)
    plain = make(dropout=0)
    fit(trainer, 2)
    fit(plain, 2)
    plain.model.theta, plain.optimizer.state[:] = trainer.model.theta, trainer.optimizer.state
    fit(trainer, 2)
    fit(plain, 2)
    np.testing.assert_array_equal(trainer.model.theta, plain.model.theta)


def test_a_schedule_that_leaves_its_interval(engine):
    trainer = make(dropout=lambda epoch: epoch / 2)
    with pytest.raises(ValueError, match=r"p=.* gave 1 at epoch 2; it must be in \[0, 1\)"):
        fit(trainer, 5)
    assert np.isfinite(trainer.model.theta).all()


def test_the_finder_and_lbfgs(engine):
    X, y = blobs()
    model = make().model
    theta = model.theta.copy()
    assert 0 < gd.lr_finder(model, X, y, loss="cross_entropy", steps=30).suggestion < 10
    pytest.importorskip("scipy")
    with pytest.raises(ValueError, match="L-BFGS needs a deterministic loss"):
        gd.fit_lbfgs(model, X, y, loss="cross_entropy")
    np.testing.assert_array_equal(model.theta, theta)


def test_augmentation_is_a_step_on_changed_rows(engine):
    """One step on all rows, as if the augmented rows had been passed."""
    X, y = blobs()
    weight = np.arange(len(X)) / len(X)
    one, other = make(batch_size=None, shuffle=False), make(batch_size=None, shuffle=False)
    one.fit(X, y, 1, sample_weight=weight, verbose=0, augment=jitter)
    changed = jitter(X.copy(), random.generator(0, random.AUGMENT, 0)).astype("float32")
    other.fit(changed, y, 1, sample_weight=weight, verbose=0)
    np.testing.assert_array_equal(one.model.theta, other.model.theta)


def test_augmentation_sees_batches_as_they_are(engine):
    X, y = blobs()
    rows, seen = (X * 10).astype("int8"), []

    def look(batch, rng):
        seen.append(batch)
        return batch / 10

    trainer = make()
    trainer.fit(rows, y, 2, validation=0.2, verbose=0, augment=look)
    assert [len(batch) for batch in seen] == 2 * [16, 16, 8]
    assert {batch.dtype for batch in seen} == {np.dtype("int8")}
    assert len(np.unique(np.concatenate(seen[:3]), axis=0)) == len(np.unique(np.concatenate(seen), axis=0))


def test_augmented_rows_are_made_a_few_at_a_time(engine, monkeypatch):
    monkeypatch.setattr("fastgd.training.fit_data._MAX_BYTES", 2 * 16 * 4 * 4)
    monkeypatch.setattr(ChunkSizer, "__init__", lambda sizer, flops: setattr(sizer, "steps", 100))
    monkeypatch.setattr(ChunkSizer, "update", lambda *args, **times: None)
    trainer, chunks = make(), Chunks()
    fit(trainer, augment=jitter, callbacks=[chunks])
    assert chunks.count == trainer.step // 2


@pytest.mark.parametrize(
    ("augment", "error", "message"),
    [
        ("flip", TypeError, "augment must be a function"),
        (lambda X, rng: X[:-1], ValueError, "rows of the shape of its batch"),
        (lambda X, rng: X[:, 0], ValueError, "rows of the shape of its batch"),
        (lambda X, rng: X * np.inf, ValueError, "the result of augment"),
        (lambda X, rng: X * 1e200, ValueError, "the result of augment"),
        (lambda X, rng: None, TypeError, "the result of augment"),
        (lambda X, rng: X.astype(str), TypeError, "the result of augment"),
    ],
)
def test_bad_augmentation_changes_nothing(engine, augment, error, message):
    trainer = make()
    theta = trainer.model.theta.copy()
    with pytest.raises(error, match=message):
        fit(trainer, augment=augment)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.step == 0
