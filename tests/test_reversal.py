"""Gradient reversal: what passes unchanged, what is reversed, in each engine, place and kind of pass."""

import copy
import math
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd.layers.noise import NOISES

CASES = pytest.mark.parametrize("dtype", ["float32", "float64"])
STEPS = 5


def stacks(reversal, place):
    """Two stacks of the same layers: with the reversal before dense layer `place`, and without it."""
    dense = [gd.Dense(6, 33, "tanh"), gd.Dense(33, 7, "silu"), gd.Dense(7, 2)]
    return [*dense[:place], reversal, *dense[place:]], dense


def gradients(model, X, dZ, **settings):
    Z = model.forward(X, **settings)
    dX = model.backward(dZ)
    return Z, dX, {name: values.copy() for name, values in model.gradients().items()}


@CASES
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("weight", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_gradients_before_it_are_reversed(engine, dtype, place, weight, training):
    model, plain = (gd.Sequential(*stack, seed=3, dtype=dtype) for stack in stacks(gd.GradientReversal(weight), place))
    rng = np.random.default_rng(0)
    X, dZ = rng.normal(size=(40, 6)).astype(dtype), rng.normal(size=(40, 2)).astype(dtype)
    Z, dX, found = gradients(model, X, dZ, training=training)
    Z_plain, dX_plain, expected = gradients(plain, X, dZ)
    np.testing.assert_array_equal(Z, Z_plain)
    np.testing.assert_array_equal(dX, -weight * dX_plain)  # factors that round nothing
    for name, values in expected.items():
        factor = -weight if int(name[0]) < place else 1
        np.testing.assert_array_equal(found[name], factor * values, err_msg=name)


def test_a_classifier_of_domains_teaches_the_trunk_the_opposite(engine):
    """One model of trunk, reversal and head: a step makes the head better and the trunk worse for it."""
    trunk, head = gd.MLP(6, 8, output="tanh", seed=0), gd.Sequential(gd.GradientReversal(2.0), gd.Dense(8, 1), seed=1)
    model, bce = trunk + head, gd.losses.get("bce")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 6)).astype("float32"), (rng.random((50, 1)) < 0.5).astype("float32")

    def loss(theta):
        other = copy.copy(model)
        other.theta = theta
        return bce.value_and_gradient(other.forward(X), y)[0]

    _, dZ = bce.value_and_gradient(model.forward(X), y)
    model.backward(dZ, input_gradient=False)
    theta, split = model.theta.copy(), trunk.size
    for part, direction in ((slice(split), 1), (slice(split, None), -1)):
        moved = theta.copy()
        moved[part] -= 0.1 * model.grad[part]
        assert direction * (loss(moved) - loss(theta)) > 0


@CASES
def test_fit_runs_it_in_the_fused_loop(engine, dtype):
    """Epochs of fit and the same steps of a custom loop have the same bits, with a weight that grows."""
    stack = stacks(gd.GradientReversal(lambda t: math.tanh(t)), 1)[0]
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(STEPS * 8, 6)).astype(dtype), rng.normal(size=(STEPS * 8, 2)).astype(dtype)
    fitted, looped = (gd.Sequential(*stack, seed=2, dtype=dtype) for _ in range(2))
    gd.Trainer(fitted, loss="mse", optimizer=gd.SGD(lr=0.1), batch_size=None, shuffle=False).fit(X, y, STEPS, verbose=0)
    optimizer, loss = gd.SGD(lr=0.1), gd.losses.get("mse")
    for _ in range(STEPS):  # as many passes as epochs
        _, dZ = loss.value_and_gradient(looped.forward(X, training=True), y)
        looped.backward(dZ, input_gradient=False)
        optimizer.step(looped)
    np.testing.assert_array_equal(fitted.theta, looped.theta)


def test_derivatives_of_the_function_know_no_reversal(engine):
    model, plain = (gd.Sequential(*stack, seed=3) for stack in stacks(gd.GradientReversal(), 1))
    X, y = np.random.default_rng(0).normal(size=(9, 6)), np.random.default_rng(1).normal(size=(9, 2))
    for name in ("input_gradient", "fisher_diagonal"):
        np.testing.assert_array_equal(getattr(model, name)(X, y, "mse"), getattr(plain, name)(X, y, "mse"))
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_it_is_copied_pickled_and_saved(engine, tmp_path):
    model = gd.Sequential(*stacks(gd.GradientReversal(0.5), 1)[0], seed=3)
    model.save(tmp_path / "model.npz")
    X, dZ = np.ones((3, 6), "float32"), np.ones((3, 2), "float32")
    expected = gradients(model, X, dZ)[1]
    for other in (copy.copy(model), pickle.loads(pickle.dumps(model)), gd.Sequential.load(tmp_path / "model.npz")):
        np.testing.assert_array_equal(gradients(other, X, dZ)[1], expected)
    assert NOISES["gradient_reversal"] is gd.GradientReversal
    assert "GradientReversal(weight=0.5)" in model.summary()


@pytest.mark.parametrize(("weight", "error"), [(-0.1, ValueError), (float("nan"), ValueError), ("1", TypeError)])
def test_refused(weight, error):
    with pytest.raises(error, match="weight"):
        gd.GradientReversal(weight)
