"""Vectors of 2 MB and more behave like ordinary NumPy arrays."""

import copy
import os
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd._common.memory import zeros


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [0, 1, 300_000, 600_000, (3, 300_000)])
def test_zeros(shape, dtype):
    vector = zeros(shape, dtype)
    same = np.zeros(shape, dtype)
    assert (vector.shape, vector.dtype, vector.flags.c_contiguous) == (same.shape, same.dtype, True)
    assert vector.flags.writeable
    assert not vector.any()
    vector += 1
    assert (vector == 1).all()


def test_a_large_model_is_copied_and_pickled():
    model = gd.MLP(1000, 1000, seed=0)
    theta = model.theta.copy()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (other.theta == theta).all()
        other.theta[:] = 0
    assert (model.theta == theta).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_its_own_copy():
    """Changes in a forked child do not reach the parent."""
    model = gd.MLP(1000, 1000, seed=0)
    theta = model.theta.copy()
    child = os.fork()
    if child == 0:
        model.theta[:] = 0
        os._exit(0)
    os.waitpid(child, 0)
    assert (model.theta == theta).all()
