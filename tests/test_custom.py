"""Losses of the user's own: the same training as a built-in loss, whatever goes wrong in them, and files."""

import numpy as np
import pytest
from training import ROWS, Chunks, EachEpoch, blobs, make, problem

import fastgd as gd
from fastgd import losses
from fastgd._common import random
from fastgd.callbacks import StepBudget
from fastgd.losses import LOSSES
from fastgd.optimizers import OPTIMIZERS
from fastgd.training.stepwise import measure

X, KIND = blobs()
Y = X[:, 0] + KIND


def mse(Z, Y):
    d = Z - Y.reshape(Z.shape)
    return (d**2).mean(), 2 * d / d.size


def weighted_mse(Z, Y, weight):
    d = Z - Y.reshape(Z.shape)
    share = weight[:, np.newaxis] / weight.sum() / Z.shape[1]
    return (share * d**2).sum(), 2 * share * d


def of(definition):
    """A built-in loss as a user would write it: its NumPy definition, on targets as the engine takes them."""

    def loss(Z, Y):
        return definition.per_row(Z, Y).mean(), definition.gradient(Z, Y) / len(Z)

    return loss


def custom(loss, optimizer=None, dtype="float64", n_out=1, **options):
    model = gd.MLP(4, 8, n_out, activation="tanh", seed=0, dtype=dtype)
    options.setdefault("batch_size", 16)
    return gd.Trainer(model, loss=loss, optimizer=optimizer or gd.SGD(lr=0.05, momentum=0.9), **options)


def close(one, other, tolerance=1e-11):
    np.testing.assert_allclose(one.model.theta, other.model.theta, rtol=0, atol=tolerance)
    assert (one.epoch, one.step, one.optimizer.steps) == (other.epoch, other.step, other.optimizer.steps)
    for name in set(one.history) & set(other.history) - {"seconds"}:
        np.testing.assert_allclose(one.history[name], other.history[name], rtol=1e-9, atol=1e-12)


# ---- the same as the engine's own


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_that_of_the_built_in_loss(engine, optimizer):
    own, built_in = (custom(loss, OPTIMIZERS[optimizer](lr=0.01)) for loss in (mse, "mse"))
    for trainer in (own, built_in):
        trainer.fit(X, Y, epochs=4, validation=0.2, verbose=0)
    close(own, built_in, 1e-8)
    assert list(own.history) == ["epoch", "loss", "validation_loss", "lr", "seconds"]


@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, ROWS)], ids=["plain", "weighted"])
def test_passes_averages_and_clipping_are_those_of_the_built_in_loss(engine, weight):
    def optimizer():
        return gd.Adam(lr=0.01, clip_norm=0.5, l1=0.01, average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}})

    options = {"batch_size": 6, "accumulate": 3, "grad_norm": True}
    own, built_in = (custom(loss, optimizer(), **options) for loss in (weighted_mse, "mse"))
    for trainer in (own, built_in):
        trainer.fit(X, Y, epochs=4, sample_weight=weight, verbose=0)
    close(own, built_in, 1e-9)
    np.testing.assert_allclose(own.averaged.theta, built_in.averaged.theta, rtol=0, atol=1e-9)


def test_noise_is_that_of_the_built_in_loss(engine):
    own, built_in = (custom(loss, batch_size=6, accumulate=2) for loss in (mse, "mse"))
    for trainer in (own, built_in):
        layers = gd.Dense(4, 8, "tanh"), gd.Dropout(0.4), gd.Dense(8, 1)
        trainer.model = gd.Sequential(gd.GaussianNoise(0.2), *layers, seed=0, dtype="float64")
        trainer.fit(X, Y, epochs=4, verbose=0)
    close(own, built_in, 1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_could_be_ones_own(engine, loss):
    X, y, n_out = problem(loss)
    definition = losses.get(loss)
    Y = y.reshape(ROWS, -1)
    own, built_in = (custom(f, n_out=n_out, dtype="float64") for f in (of(definition), loss))
    own.fit(X, Y, epochs=3, verbose=0)
    built_in.fit(X, y, epochs=3, verbose=0)
    close(own, built_in, 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_the_function_sees(engine, dtype):
    """Outputs in the model's dtype, targets in the shape and dtype that they came in, rows in the trainer's order."""
    seen = []

    def look(Z, Y):
        seen.append((Z, Y))
        return 0.0, np.zeros_like(Z)

    labels = np.arange(ROWS, dtype="int16")
    trainer = custom(look, dtype=dtype, n_out=3, seed=5)
    trainer.fit(X, labels, epochs=1, verbose=0)
    order = random.permutation(5, 0, ROWS)
    np.testing.assert_array_equal(np.concatenate([Y for _, Y in seen]), order)
    assert {Y.dtype for _, Y in seen} == {np.dtype("int16")}
    assert {Z.dtype for Z, _ in seen} == {np.dtype(dtype)}
    assert [Z.shape for Z, _ in seen] == [(16, 3)] * 3 + [(2, 3)]
    np.testing.assert_array_equal(seen[0][0], trainer.model.forward(X[order[:16]]))
    seen.clear()
    trainer.fit(X, np.ones((ROWS, 2)), epochs=1, verbose=0)
    assert [Y.shape for _, Y in seen] == [(16, 2)] * 3 + [(2, 2)]


def test_targets_may_have_gaps(engine):
    """NaN stands for what is not known: the function leaves it out."""

    def masked(Z, Y):
        d = np.where(np.isnan(Y), 0, Z - Y)
        known = np.isfinite(Y).sum() or 1
        return (d**2).sum() / known, 2 * d / known

    T = np.stack([Y, -Y], axis=1)
    T[::3, 1] = np.nan
    history = custom(masked, n_out=2).fit(X, T, epochs=40, validation=0.2, verbose=0)
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert np.isfinite(history["validation_loss"]).all()


def test_a_loss_of_the_whole_batch(engine):
    """Not a mean over rows: 1 - correlation of outputs and targets."""

    def correlation(Z, Y):
        z, y = Z[:, 0] - Z.mean(), Y - Y.mean()
        a, b, c = z @ y, z @ z, y @ y
        r = a / np.sqrt(b * c)
        return 1 - r, ((a / b * z - y) / np.sqrt(b * c))[:, np.newaxis]

    history = custom(correlation, batch_size=None).fit(X, Y, epochs=100, verbose=0)
    assert history["loss"][-1] < 0.1


def test_weights(engine):
    weight = np.arange(ROWS) % 3
    own, built_in = custom(weighted_mse), custom("mse")
    for trainer in (own, built_in):
        trainer.fit(X, Y, epochs=3, sample_weight=weight, validation=0.3, verbose=0)
    close(own, built_in)
    unweighted, plain = custom(weighted_mse), custom(mse)
    for trainer in (unweighted, plain):
        trainer.fit(X, Y, epochs=2, validation=(X, Y), verbose=0)
    close(unweighted, plain)


def test_batches_without_weight_are_not_shown(engine):
    weight = np.zeros(ROWS)
    weight[:16] = 1
    own, built_in = (custom(loss, shuffle=False) for loss in (weighted_mse, "mse"))
    for trainer in (own, built_in):
        trainer.fit(X, Y, epochs=2, sample_weight=weight, verbose=0)
    close(own, built_in)


def test_schedules_callbacks_and_early_stopping(engine):
    def run(loss):
        trainer = custom(loss, gd.SGD(lr=gd.Cosine(0.1), momentum=0.5))
        chunks, epochs = Chunks(), []
        monitors = [
            chunks,
            EachEpoch(lambda t: epochs.append(t.epoch)),
            gd.EarlyStopping(patience=2, min_delta=0.05),
        ]
        trainer.fit(X, Y, epochs=50, validation=0.2, callbacks=monitors, verbose=0)
        assert trainer.stop_reason
        assert chunks.count >= len(epochs) == trainer.epoch < 50
        return trainer

    close(run(mse), run("mse"))


def test_rate_finder_and_lbfgs(engine):
    model = gd.MLP(4, 8, 1, seed=0, dtype="float64")
    own, built_in = (gd.lr_finder(model, X, Y, loss=loss, steps=30, batch_size=16) for loss in (mse, "mse"))
    np.testing.assert_allclose(own.losses, built_in.losses, rtol=1e-6)
    pytest.importorskip("scipy")
    results = []
    for loss in (mse, "mse", weighted_mse):
        model = gd.MLP(4, 1, seed=0, dtype="float64")
        weight = None if loss is mse else np.ones(ROWS)
        gd.fit_lbfgs(model, X, Y, loss=loss, sample_weight=weight, epochs=50)
        results.append(model.theta.copy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    np.testing.assert_allclose(results[2], results[1], atol=1e-6)


def test_metrics_of_ones_own(engine):
    trainer = custom(mse, metrics=["r2", "mae"])
    trainer.fit(X, Y[:, np.newaxis], epochs=2, validation=0.2, verbose=0)
    assert np.isfinite(trainer.history["validation_r2"]).all()


def test_predictions_are_the_outputs(engine):
    one, two = custom(mse), custom(lambda Z, Y: (0.0, 0 * Z), n_out=2)
    for trainer, shape in ((one, (ROWS,)), (two, (ROWS, 2))):
        trainer.fit(X, Y, epochs=1, verbose=0)
        assert trainer.model.predict(X).shape == shape


# ---- files


@pytest.mark.parametrize("steps", [3, 6])
def test_resume(engine, steps, tmp_path):
    """The function is code, which no file holds: it is given again."""
    whole, stopped = custom(mse), custom(mse)
    whole.fit(X, Y, epochs=4, validation=0.2, verbose=0)
    stopped.fit(X, Y, epochs=4, validation=0.2, callbacks=[StepBudget(steps)], verbose=0)
    stopped.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"hold custom code: pass it again, Trainer.load\(path, loss=...\)"):
        gd.Trainer.load(tmp_path / "run.npz")
    loaded = gd.Trainer.load(tmp_path / "run.npz", loss=mse)
    loaded.fit(X, Y, epochs=None, validation=0.2, verbose=0)
    np.testing.assert_array_equal(loaded.model.theta, whole.model.theta)
    assert loaded.history["loss"] == whole.history["loss"]


def test_another_loss_for_a_file(tmp_path):
    make("mse").save(tmp_path / "run.npz")
    assert gd.Trainer.load(tmp_path / "run.npz", loss="huber").loss == losses.Huber()


# ---- in loops of one's own


def test_rows_and_gradient_are_those_of_the_mean(engine):
    loss, Z = losses.get(mse), np.random.default_rng(0).normal(size=(ROWS, 1))
    assert loss.per_row(Z, Y).mean() == pytest.approx(mse(Z, Y)[0])
    assert loss.params == ()
    np.testing.assert_allclose(loss.gradient(Z, Y) / ROWS, mse(Z, Y)[1])
    rows, dZ = np.empty(ROWS), np.empty_like(Z)
    measure(gd.MLP(4, 1, dtype="float64").network, losses.get(weighted_mse), Z, Y, np.zeros(ROWS), rows, dZ)
    assert (rows == 0).all()
    assert (dZ == 0).all()


def test_jax_functions(engine):
    jax = pytest.importorskip("jax")
    value_and_grad = jax.jit(jax.value_and_grad(lambda Z, Y: ((Z[:, 0] - Y) ** 2).mean()))
    own, built_in = (custom(loss, dtype="float32") for loss in (value_and_grad, "mse"))
    for trainer in (own, built_in):
        trainer.fit(X, Y.astype("float32"), epochs=2, verbose=0)
    np.testing.assert_allclose(own.model.theta, built_in.model.theta, atol=1e-4)
