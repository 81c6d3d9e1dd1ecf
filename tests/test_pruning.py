"""Masks: weights that are 0 and stay 0."""

import copy
import pickle

import numpy as np
import pytest
from networks import ENGINES

import fastgd as gd
from fastgd import backend
from fastgd.optimizers import OPTIMIZERS


def data(n=40):
    random = np.random.default_rng(0)
    return random.normal(size=(n, 4)).astype("float32"), random.integers(0, 3, n)


def masked(seed=1, dtype="float32", **settings):
    model = gd.MLP(4, 17, 5, 3, activation="tanh", seed=seed, dtype=dtype, **settings)
    model.mask = np.random.default_rng(2).random(model.size) > 0.4
    return model


def fit(model, rule, epochs=3, **settings):
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=rule, batch_size=8, seed=0, **settings)
    trainer.fit(*data(), epochs=epochs, verbose=0)
    return trainer


def rule_of(name, **settings):
    decay = {} if name == "rprop" else {"weight_decay": 0.1}
    return OPTIMIZERS[name](**decay, **settings)


@pytest.mark.parametrize("settings", [{}, {"clip_norm": 0.1, "max_norm": 0.6, "l1": 0.01, "average": gd.EMA(0.9)}])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_keeps_masked_weights_at_zero(engine, optimizer, settings):
    model = masked(dropout=0.2)
    before = model.theta.copy()
    trainer = fit(model, rule_of(optimizer, **settings))
    is_masked = model.mask == 0
    assert not model.theta[is_masked].any()
    assert (model.theta != before)[~is_masked].mean() > 0.9
    if settings:
        assert not trainer.averaged.theta[is_masked].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_engines_agree(optimizer):
    trained = []
    for engine in ENGINES:
        with backend.override(engine.backend, engine.isa):
            model = masked(dtype="float64")
            fit(model, rule_of(optimizer, clip_norm=0.1, max_norm=0.6))
            trained.append(model.theta.copy())
    for theta in trained[1:]:
        np.testing.assert_allclose(theta, trained[0], rtol=1e-7, atol=1e-10)


def test_a_mask_is_a_smaller_network(engine):
    """Units without weights take no part: the others are trained as in a network without them."""
    small = gd.MLP(4, 6, 3, activation="tanh", seed=1, dtype="float64")
    large = gd.MLP(4, 9, 3, activation="tanh", seed=1, dtype="float64")
    large.theta[:] = 0
    parts, mask = large.parameters(), gd.MLP(4, 9, 3, dtype="float64")
    mask.theta[:] = 0
    for each, places in (
        ("0.weight", np.s_[:, :6]),
        ("0.bias", np.s_[:6]),
        ("1.weight", np.s_[:6]),
        ("1.bias", np.s_[:]),
    ):
        parts[each][places] = small.parameters()[each]
        mask.parameters()[each][places] = 1
    large.mask = mask.theta
    for model in (small, large):
        fit(model, gd.Adam(0.01, clip_norm=0.2))
    np.testing.assert_allclose(large.predict(data()[0]), small.predict(data()[0]), rtol=1e-9, atol=1e-12)


def test_a_mask_of_ones_changes_no_bit(engine):
    one, other = gd.MLP(4, 600, 3, seed=1), gd.MLP(4, 600, 3, seed=1)
    other.mask = np.ones(other.size)
    for model in (one, other):
        fit(model, gd.AdamW(0.01, clip_norm=0.2))
    np.testing.assert_array_equal(one.theta, other.theta)


def test_threads_and_chunks_do_not_matter(engine):
    models = [masked(), masked()]
    fit(models[0], gd.AdamW(0.01), epochs=4, n_threads=1)
    trainer = fit(models[1], gd.AdamW(0.01), epochs=2, n_threads=2)
    trainer.fit(*data(), epochs=2, verbose=0)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_a_custom_loop_sees_a_new_mask(engine):
    model, rule, loss, (X, y) = gd.MLP(4, 6, 3, seed=0), gd.Adam(0.01), gd.losses.get("cross_entropy"), data()

    def step():
        model.backward(loss.value_and_gradient(model.forward(X), y)[1])
        rule.step(model)

    step()
    model.mask = np.arange(model.size) % 2 == 0
    for _ in range(3):
        step()
        assert not model.theta[1::2].any()
    model.mask = None
    step()
    assert model.theta[1::2].any()


def test_lbfgs(engine):
    pytest.importorskip("scipy")
    model = masked()
    gd.fit_lbfgs(model, *data(), loss="cross_entropy", epochs=5)
    assert not model.theta[model.mask == 0].any()


def test_the_smallest_weights_are_pruned(engine):
    model = gd.MLP(20, 30, 4, seed=0)
    before = {name: values.copy() for name, values in model.parameters().items()}
    model.prune(0.8)
    weights = np.concatenate([abs(before[name]).ravel() for name in ("0.weight", "1.weight")])
    kept = np.concatenate([model.parameters()[name].ravel() != 0 for name in ("0.weight", "1.weight")])
    assert kept.sum() == round(0.2 * kept.size)
    assert weights[kept].min() >= weights[~kept].max()
    np.testing.assert_array_equal(model.parameters()["0.bias"], before["0.bias"])


def test_pruning_by_layer_and_in_steps(engine):
    model = gd.MLP(20, 30, 4, seed=0)
    model.prune(0.5, by_layer=True)
    for name in ("0.weight", "1.weight"):
        assert (model.parameters()[name] == 0).mean() == 0.5
    fit_X = np.random.default_rng(0).normal(size=(20, 20)).astype("float32")
    gd.Trainer(model, loss="mse", batch_size=5, seed=0).fit(fit_X, fit_X[:, :4], epochs=2, verbose=0)
    first = model.mask.copy()
    model.prune(0.75, "0.*")
    assert (model.parameters()["0.weight"] == 0).mean() > 0.7
    assert not (model.mask > first).any()


def test_copies_pickles_files_and_parts_have_the_mask(engine, tmp_path):
    model = masked()
    model.save(tmp_path / "model.npz")
    trainer = fit(model, gd.SGD(0.1), epochs=1)
    trainer.save(tmp_path / "trainer.safetensors")
    loaded = [gd.Sequential.load(tmp_path / "model.npz"), gd.Trainer.load(tmp_path / "trainer.safetensors").model]
    for each in (copy.copy(model), pickle.loads(pickle.dumps(model)), *loaded):
        np.testing.assert_array_equal(each.mask, model.mask)
    np.testing.assert_array_equal(model[1:].mask, model.mask[-model[1:].size :])
    assert gd.MLP(4, 3, seed=0).mask is None


def test_assignments_obey_the_mask(engine):
    model = masked()
    model.theta = np.ones(model.size)
    np.testing.assert_array_equal(model.theta, model.mask)
    model.copy_parameters(gd.MLP(4, 17, 5, 3, seed=9))
    assert not model.theta[model.mask == 0].any()
    with pytest.raises(ValueError, match="read-only"):
        model.mask[0] = 1


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: setattr(m, "mask", [True]), ValueError, r"the shape of theta, \(15,\), not \(1,\)"),
        (lambda m: setattr(m, "mask", np.full(15, 0.5)), ValueError, "booleans, or 0 and 1"),
        (lambda m: setattr(m, "mask", ["a"] * 15), ValueError, "booleans, or 0 and 1"),
        (lambda m: m.prune(1.0), ValueError, r"sparsity must be in \[0, 1\), not 1"),
        (lambda m: m.prune(0.5, "3.*"), ValueError, "matches no parameter; there are 0.weight, 0.bias"),
        (lambda m: m.prune(0.5, by_layer=2), TypeError, "by_layer"),
    ],
)
def test_refused(engine, call, error, text):
    model = gd.MLP(4, 3, seed=0)
    before = model.theta.copy()
    with pytest.raises(error, match=text):
        call(model)
    np.testing.assert_array_equal(model.theta, before)
    assert model.mask is None
