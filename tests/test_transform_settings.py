"""What an update does besides its rule: the definitions compute what they state, and invalid settings are refused."""

import numpy as np
import pytest
from networks import Net
from problems import derivatives

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS, transforms
from fastgd.optimizers.groups import assign_groups


def one_step(settings, theta, grad, widths=(4, 3)):
    """theta after a step of plain descent with lr = 1."""
    model = gd.MLP(*widths, seed=0, dtype="float64")
    model.theta, model.grad[:] = theta, grad
    gd.SGD(lr=1.0, **settings).step(model)
    return model.theta


def test_penalties_are_derivatives():
    """The step with a gradient of 0 is the slope of l1 |theta|_1 + weight_decay |theta|^2 / 2."""
    theta = np.random.default_rng(0).normal(size=15)
    want = derivatives(lambda x: 0.3 * abs(x).sum() + 0.2 * (x @ x) / 2, theta.copy())
    got = theta - one_step({"l1": 0.3, "weight_decay": 0.2}, theta, np.zeros(15))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-8)


def test_penalties_do_not_depend_on_the_batch(engine):
    """Rows that weigh nothing in the loss leave the penalty alone: its strength is per step."""
    moves = []
    for rows in (10, 100):
        model = gd.MLP(3, 1, seed=0, dtype="float64")
        before = model.theta.copy()
        X, y = np.ones((rows, 3)), np.full(rows, before[:3].sum())
        gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=0.1, l1=0.1, weight_decay=0.2), batch_size=None).fit(
            X, y, epochs=1, verbose=0
        )
        moves.append(model.theta - before)
    np.testing.assert_allclose(moves[0], moves[1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(moves[0][:3], -0.1 * (0.1 * np.sign(before[:3]) + 0.2 * before[:3]), rtol=1e-13)


def test_a_clipped_gradient_keeps_its_direction(engine):
    theta, grad = np.zeros(15), np.random.default_rng(0).normal(size=15)
    move = -one_step({"clip_norm": 0.25}, theta, grad)
    np.testing.assert_allclose(move / np.linalg.norm(move), grad / np.linalg.norm(grad), rtol=1e-13)
    assert np.linalg.norm(move) == pytest.approx(0.25, rel=1e-5)
    np.testing.assert_array_equal(-one_step({"clip_norm": 100}, theta, grad), grad)
    np.testing.assert_array_equal(-one_step({"clip_value": 0.5}, theta, grad), np.clip(grad, -0.5, 0.5))


def test_max_norm_limits_units_and_not_biases(engine):
    theta = np.random.default_rng(0).normal(size=15)
    W, b = one_step({"max_norm": 1.5}, theta, np.zeros(15))[:12].reshape(4, 3), theta[12:]
    W0 = theta[:12].reshape(4, 3)
    before = np.linalg.norm(W0, axis=0)
    assert (before > 1.5).any()
    assert (before < 1.5).any()
    np.testing.assert_allclose(np.linalg.norm(W, axis=0), np.minimum(before, 1.5), rtol=1e-14)
    np.testing.assert_array_equal(W[:, before < 1.5], W0[:, before < 1.5])
    np.testing.assert_array_equal(one_step({"max_norm": 1.5}, theta, np.zeros(15))[12:], b)


def test_the_norm_of_a_large_gradient_does_not_overflow(engine):
    model = gd.MLP(40, 1, seed=0)
    model.grad[:] = 1e30
    norm = np.empty(1)
    optimizer = gd.SGD(lr=1.0, clip_norm=1.0)
    state = optimizer.bind(model.size, model.dtype)
    one, numbers = np.ones(1, int), optimizer.coefficients(np.ones(1), np.ones(1, int))
    model.network.update(optimizer, numbers[0], state, optimizer.transforms(model, one, np.ones(1), norm=norm))
    assert norm[0] == pytest.approx(np.sqrt(41) * 1e30)
    assert np.isfinite(model.theta).all()


def test_nan_passes_every_limit(engine):
    """So that a training which has gone wrong is found out."""
    model = gd.MLP(2, 1, seed=0)
    model.grad[:] = np.nan
    optimizer = gd.SGD(lr=1.0, clip_norm=1.0, clip_value=1.0, l1=0.1)
    state, one = optimizer.bind(model.size, model.dtype), np.ones(1, int)
    numbers = optimizer.coefficients(np.ones(1), one)
    model.network.update(optimizer, numbers[0], state, optimizer.transforms(model, one, np.ones(1)))
    assert np.isnan(model.theta).all()


def test_groups_by_the_last_pattern_that_fits():
    names = ["0.weight", "0.bias", "1.weight", "3.weight", "3.bias"]
    groups = {"*.bias": {}, "[01].*": {}, "3.weight": {}}
    assert assign_groups(groups, names).tolist() == [2, 2, 2, 0, 3, 1]
    assert assign_groups(None, names).tolist() == [0] * 6


def test_a_group_can_be_frozen(engine):
    rng = np.random.default_rng(0)
    model = gd.MLP(4, 9, 2, seed=1)
    before = {name: value.copy() for name, value in model.parameters().items()}
    optimizer = gd.AdamW(lr=0.01, groups={"0.*": {"lr": 0}})
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=8)
    trainer.fit(rng.normal(size=(40, 4)), rng.normal(size=(40, 2)), epochs=3, verbose=0)
    moved = {name: bool((value != before[name]).all()) for name, value in model.parameters().items()}
    assert moved == {"0.weight": False, "0.bias": False, "1.weight": True, "1.bias": True}


def test_nothing_costs_nothing():
    """Without a setting the engine gets no transforms at all, and takes the plain step; Muon's rule needs them."""
    model, one = gd.MLP(2, 1), np.ones(1, int)
    for cls in set(OPTIMIZERS.values()) - {gd.Muon}:
        assert cls(weight_decay=0.1).transforms(model, one, np.ones(1)) is None


# ---- what must be refused


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"clip_norm": 0}, ValueError, r"clip_norm must be in \(0, inf\), not 0"),
        ({"clip_value": -1.0}, ValueError, r"clip_value must be in \(0, inf\)"),
        ({"l1": -0.1}, ValueError, r"l1 must be in \[0, inf\)"),
        ({"l1": None}, TypeError, r"l1 must be a number"),
        ({"max_norm": np.inf}, ValueError, r"max_norm must be in \(0, inf\)"),
        ({"clip_norm": "1"}, TypeError, "clip_norm must be a number"),
        ({"average": 0.999}, TypeError, r"average must be an object such as EMA\(0.999\)"),
        ({"average": gd.EMA}, TypeError, "average must be an object"),
        ({"groups": ["*.bias"]}, TypeError, "groups must be a mapping such as"),
        ({"groups": {"*.bias": 0.1}}, TypeError, "groups must be a mapping such as"),
        ({"groups": {0: {"lr": 0.1}}}, TypeError, "a pattern of groups must be a string"),
        ({"groups": {"*": {"momentum": 0.1}}}, ValueError, "has 'momentum', but a group has factors on lr, weight"),
        ({"groups": {"*": {"lr": -1}}}, ValueError, r"groups\['\*'\]\['lr'\] must be in \[0, inf\)"),
        ({"groups": {"*": {"lr": None}}}, TypeError, "must be a number"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        gd.SGD(**settings)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: gd.EMA(1.0), ValueError, r"decay must be in \[0, 1\)"),
        (lambda: gd.EMA("0.9"), TypeError, "decay must be a number"),
        (lambda: gd.SWA(0), ValueError, "start must be 1 or more"),
        (lambda: gd.SWA(every=0.5), TypeError, "every must be an integer"),
    ],
)
def test_bad_averages(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_pattern_must_fit(engine):
    model, optimizer = gd.MLP(2, 3, 1, seed=0), gd.SGD(groups={"*.bias": {"lr": 2}, "2.*": {"lr": 0}})
    model.grad[:] = 1
    before = model.theta.copy()
    with pytest.raises(
        ValueError, match=r"the pattern '2.\*' of groups matches no parameter; there are 0.weight, 0.bias, 1"
    ):
        optimizer.step(model)
    assert (model.theta == before).all()
    assert optimizer.steps == 0
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=None)
    with pytest.raises(ValueError, match="matches no parameter"):
        trainer.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    assert (model.theta == before).all()
    assert model.head.link == "identity"
    assert optimizer.state is None


@pytest.mark.parametrize("name", ["clip_norm", "clip_value", "l1", "max_norm"])
def test_a_schedule_must_stay_in_the_interval(name):
    optimizer = gd.SGD(**{name: lambda t: -1.0 if t > 3 else 1.0})
    with pytest.raises(ValueError, match=rf"{name}|gave"):
        optimizer.transforms(gd.MLP(2, 1), np.arange(1, 9), np.arange(1.0, 9))
    with pytest.raises(ValueError, match="gave 1 at epoch 2"):
        gd.SGD(average=gd.EMA(lambda t: t / 2)).transforms(gd.MLP(2, 1), np.arange(1, 9), np.arange(1.0, 9))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": np.array([0, 1, 0, 2, 0, 0])}, "group must hold indices in 0 "),
        ({"group": np.array([0, -1, 0, 1, 0, 0])}, "group must hold indices in 0 "),
        ({"group": np.zeros(4, int)}, r"group must have shape \(6,\)"),
        ({"per_step": np.zeros((1, 3))}, r"per_step must have shape \(1, 2\)"),
        ({"per_step": np.zeros((2, 2))}, r"per_step must have shape \(1, 2\)"),
        ({"average": np.zeros(3)}, r"average must have shape"),
        ({"norm": np.zeros(2)}, r"norm must have shape \(1,\)"),
        ({"micro_batch": 0}, "micro_batch (must )?be 1 or more"),
    ],
)
def test_what_an_engine_refuses(engine, changes, message):
    net, optimizer = Net(engine, "float64", (5, 33, 9, 3)), gd.SGD()
    net.grad[:] = 1
    before = net.theta.copy()
    good = {"per_step": np.array([[np.inf, 0]]), "per_group": np.ones((1, 6)), "group": np.array([0, 1, 0, 1, 0, 0])}
    state = optimizer.bind(net.theta.size, "float64")
    with pytest.raises(ValueError, match=message):
        net.network.update(optimizer, np.ones(4), state, transforms.Transforms(**good | changes))
    assert (net.theta == before).all()
    net.network.update(optimizer, np.ones(4), state, transforms.Transforms(**good))
