"""First weights: of the right size, for every activation."""

import inspect
import math

import numpy as np
import pytest

from fastgd import activations, initializers
from fastgd.activations import ACTIVATIONS
from fastgd.initializers import INITIALIZERS


def initializer(name):
    """An object of this row; numbers without a default are 0.25."""
    cls = INITIALIZERS[name]
    needed = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return cls(*[0.25] * len(needed))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_are_a_function_of_seed_and_layer(name):
    init = initializer(name)
    W = init.weights(5, 3, 1, 2)
    assert W.shape == (5, 3)
    assert W.dtype == np.float64
    np.testing.assert_array_equal(W, init.weights(5, 3, 1, 2))
    if np.ptp(W) > 0:
        assert (init.weights(5, 3, 2, 2) != W).all()
        assert (init.weights(5, 3, 1, 3) != W).all()


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if "_" in name])
def test_weights_have_their_variance(name):
    """Bounds are five standard errors of the sample variance."""
    n_in, n_out = 400, 200
    family, shape = name.split("_")
    variance = {"he": 2 / n_in, "glorot": 2 / (n_in + n_out), "lecun": 1 / n_in}[family]
    W = initializer(name).weights(n_in, n_out, 0, 0)
    assert abs(W.mean()) < 5 * math.sqrt(variance / W.size)
    assert W.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / W.size))
    bound = math.sqrt(3 * variance)
    if shape == "uniform":
        assert abs(W).max() <= bound
        assert abs(W).max() == pytest.approx(bound, rel=1e-3)
    else:
        assert abs(W).max() > 2 * bound


def test_constant_weights():
    assert (initializers.Zeros().weights(2, 3, 0, 0) == 0).all()
    assert (initializers.Constant(-1.5).weights(2, 3, 0, 0) == -1.5).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_an_initializer(name):
    assert initializers.default_for(activations.get(name)).name == ACTIVATIONS[name].init
