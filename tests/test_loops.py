"""Custom training loops: the bits of the trainer, settings that change on the way, and steps that are undone."""

import copy
import pickle

import numpy as np
import pytest
from networks import REALS, Net
from problems import LOSS_CASES, targets

import fastgd as gd
from fastgd import losses
from fastgd.optimizers import OPTIMIZERS
from fastgd.optimizers.bound_steps import UpdateNotFinite
from fastgd.schedules.base import Scaled

ROWS, BATCH = 50, 16
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 5)).astype("float32")
LABELS = RNG.integers(0, 3, ROWS)


def batches(epochs):
    return [slice(start, start + BATCH) for _ in range(epochs) for start in range(0, ROWS, BATCH)]


def noisy(dtype):
    layers = gd.Dense(5, 9, "tanh"), gd.Dropout(0.3), gd.Dense(9, 3)
    return gd.Sequential(gd.GaussianNoise(0.1), *layers, seed=1, dtype=dtype)


def plain(dtype="float32"):
    return gd.MLP(5, 9, 3, activation="tanh", seed=1, dtype=dtype)


# ---- the same bits as the trainer


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loop_has_the_bits_of_the_trainer(engine, name, weighted, dtype):
    weight = (np.arange(ROWS) % 4).astype(dtype) if weighted else None
    models, optimizers = [noisy(dtype) for _ in range(2)], [OPTIMIZERS[name](lr=0.01) for _ in range(2)]
    trainer = gd.Trainer(models[0], loss="cross_entropy", optimizer=optimizers[0], batch_size=BATCH, shuffle=False)
    history = trainer.fit(X, LABELS, epochs=5, sample_weight=weight, verbose=0)
    loss, values = losses.get("cross_entropy"), []
    for rows in batches(5):
        Z = models[1].forward(X[rows], training=True)
        w = None if weight is None else weight[rows]
        value, dZ = loss.value_and_gradient(Z, LABELS[rows], w)
        models[1].backward(dZ, input_gradient=False)
        optimizers[1].step(models[1])
        values.append(value)
    np.testing.assert_array_equal(models[1].theta, models[0].theta)
    np.testing.assert_array_equal(optimizers[1].state, optimizers[0].state)
    sums = [BATCH, BATCH, BATCH, 2] if weight is None else [weight[rows].sum() for rows in batches(1)]
    assert history["loss"][-1] == pytest.approx(np.average(values[-4:], weights=sums), rel=1e-12)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("case", LOSS_CASES)
def test_every_loss_is_its_definition(engine, case, dtype):
    loss, rng = losses.get(LOSS_CASES[case]), np.random.default_rng(2)
    n_out = 4
    Z, weight = rng.normal(size=(33, n_out)).astype(dtype), rng.integers(0, 9, 33).astype(dtype)
    Y = targets(rng, loss, 33, n_out)
    out = np.empty_like(Z)
    for w in (None, weight):
        value, dZ = loss.value_and_gradient(Z, Y, w, out)
        assert dZ is out
        assert isinstance(value, float)
        share = np.ones(33) / 33 if w is None else w / w.sum()
        exact = Z.astype("float64"), Y if loss.target == "labels" else np.asarray(Y, "float64")
        tolerance = 1e-12 if dtype == "float64" else 1e-5
        assert value == pytest.approx(float(loss.per_row(*exact) @ share), rel=tolerance, abs=tolerance)
        np.testing.assert_allclose(dZ, loss.gradient(*exact) * share[:, np.newaxis], rtol=tolerance, atol=tolerance)
    assert loss.value_and_gradient(Z, Y, 0 * weight)[0] == 0


@pytest.mark.parametrize("settings", [{"clip_norm": 0.1}, {"l1": 0.01}, {"average": gd.EMA(0.9)}, {"max_norm": 0.5}])
def test_transforms_of_many_steps(engine, settings):
    """Computed ahead for several steps, they are those of each step alone."""
    models = [plain("float64") for _ in range(2)]
    optimizers = [gd.SGD(lr=gd.Cosine(0.1, epochs=40), momentum=0.9, **settings) for _ in range(2)]
    for _ in range(20):
        for model, optimizer in zip(models, optimizers, strict=True):
            model.backward(model.forward(X), input_gradient=False)
            optimizer.step(model)
        optimizers[0].lr = optimizers[0].lr  # drops what was computed ahead
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


# ---- settings that change


def moved(optimizer, model):
    before = model.theta.copy()
    optimizer.step(model)
    return (before - model.theta)[0]


def still(value=1.0):
    model = plain("float64")
    model.grad[:] = value
    return model


def test_a_setting_may_be_assigned_at_any_time(engine):
    model, optimizer = still(), gd.SGD(lr=1.0)
    for step in range(20):
        if step % 3 == 0:
            optimizer.lr = step + 1.0
        assert moved(optimizer, model) == pytest.approx(step // 3 * 3 + 1)
    assert optimizer.steps == 20


def test_a_function_may_depend_on_more_than_time(engine):
    model, rate = still(), [1.0]
    optimizer = gd.SGD(lr=lambda t: rate[0] + t)
    for step in range(20):
        rate[0] = 10.0 if step > 6 else 1.0
        assert moved(optimizer, model) == pytest.approx(step + rate[0])


def test_what_lies_ahead_need_not_exist(engine):
    """A list that ends is no error before its end."""
    rates = [1.0, 2.0, 3.0, 4.0, 5.0]
    model, optimizer = still(), gd.SGD(lr=Scaled(lambda t: rates[int(t)], 1.0))
    assert [moved(optimizer, model) for _ in rates] == pytest.approx(rates)
    with pytest.raises(IndexError):
        optimizer.step(model)
    assert optimizer.steps == 5


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["deep", "pickle"])
def test_copies_of_an_optimizer_step_alone(engine, duplicate):
    model = still()
    optimizer = gd.SGD(lr=0.1, momentum=0.5)
    optimizer.step(model)
    other_model, other = duplicate((model, optimizer))
    other_model.grad[:] = model.grad
    before = optimizer.state.copy()
    for _ in range(3):
        other.step(other_model)
    np.testing.assert_array_equal(optimizer.state, before)
    for _ in range(3):
        optimizer.step(model)
    np.testing.assert_array_equal(optimizer.state, other.state)
    np.testing.assert_array_equal(model.theta, other_model.theta)


def test_one_optimizer_follows_its_model_only(engine):
    one, other = still(), gd.MLP(5, 9, 3, 2, seed=0, dtype="float64")
    optimizer = gd.SGD(momentum=0.9)
    optimizer.step(one)
    with pytest.raises(ValueError, match="make a new SGD"):
        optimizer.step(other)
    optimizer.step(one)
    assert optimizer.steps == 2


# ---- overflow


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_that_overflows_is_undone(engine, name, dtype):
    largest = float(np.finfo(dtype).max)
    model, optimizer = plain(dtype), OPTIMIZERS[name](lr=largest / 20, average=gd.EMA(0.9), weight_decay=0.0)
    model.grad[:] = 1
    model.theta[:] = -0.999 * largest
    optimizer.bind(model.size, dtype, model)
    kept = [array.copy() for array in (model.theta, optimizer.state, optimizer.averaged_theta)]

    def step_until_it_overflows():
        for _ in range(500):
            optimizer.step(model)
            kept[:] = [array.copy() for array in (model.theta, optimizer.state, optimizer.averaged_theta)]
            optimizer.steps = 0

    with pytest.raises(FloatingPointError, match="step 1 would make theta or the state of the optimizer inf or NaN"):
        step_until_it_overflows()
    for array, before in zip((model.theta, optimizer.state, optimizer.averaged_theta), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    model.theta[:], model.grad[3] = 0, np.nan
    with pytest.raises(FloatingPointError, match="the gradient of step 1 is not finite, theta is unchanged"):
        optimizer.step(model)
    assert (model.theta == 0).all()


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "muon"])  # which always has transforms
def test_no_update_of_any_size_leaves_a_value_that_is_not_finite(engine, name):
    """Also where the C core decides beforehand that nothing can overflow."""
    rng, optimizer = np.random.default_rng(0), OPTIMIZERS[name]()
    net = Net(engine, "float32", (4, 3, 2))
    size, done, refused = net.theta.size, 0, 0
    for case in range(300):
        scales = 10.0 ** rng.uniform(-20, 38, 4)
        net.theta[:], net.grad[:] = (np.clip(rng.normal(size=size) * s, -3e38, 3e38) for s in scales[:2])
        state = np.clip(abs(rng.normal(size=(optimizer.slots, size))) * scales[2], 0, 3e38).astype("float32")
        c = optimizer.coefficients(np.array([min(scales[3], 1e30)]), np.array([1 + case]))
        before = net.theta.copy(), state.copy()
        try:
            net.network.updates(optimizer, c, state).step(0)
            done += 1
            assert np.isfinite(net.theta).all()
            assert np.isfinite(state).all()
        except UpdateNotFinite:
            refused += 1
            np.testing.assert_array_equal(net.theta, before[0])
            np.testing.assert_array_equal(state, before[1])
    assert done > 10
    assert refused > 10 or name == "lion"  # whose steps have the size of lr
