"""The C core's activations are as exact as docs/activations.md says, from the largest negative number to the largest.

They are seen through networks of one weight, 1, and compared with mpmath.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from networks import ENGINES, NATIVE, REALS, Net, name_of
from problems import EACH_ACTIVATION

from fastgd import activations, initializers
from fastgd.activations import ACTIVATIONS

mpmath = pytest.importorskip("mpmath")
from exact import EXACT, MARKS, arguments, values  # noqa: E402

Long = np.longdouble
pytestmark = pytest.mark.skipif(np.finfo(Long).nmant < 63, reason="no type with more bits to compare with")
CASES = [pytest.param(engine, dtype, id=f"{name_of(engine)}-{dtype}") for engine in NATIVE for dtype in REALS]

TABLE = {
    row[1]: [cell.strip() for cell in row[2].split("|")]
    for row in re.finditer(
        r"^\| `(\w+)` \| (.*) \|$",
        (Path(__file__).parents[1] / "docs" / "activations.md").read_text(),
        re.MULTILINE,
    )
}
FLOORS = {"gelu_tanh": 1 / 8, "softmax": 1}  # where errors are in units of this, if it is more than the value
WITHOUT_FMA = {"gelu": 8}


def test_the_table_has_all_of_them():
    assert list(TABLE) == list(ACTIVATIONS)
    assert set(EXACT) == {name for name, cls in ACTIVATIONS.items() if not cls.rowwise}
    for name, cls in ACTIVATIONS.items():
        _, _, read, init, _, _ = TABLE[name]
        assert (read, init.strip("`")) == (cls.saved, cls.init)
        assert initializers.default_for(activations.get(name)).name == cls.init


def bounds(engine, name):
    """Of the errors of f and f'."""
    of_f, of_slope = map(float, TABLE[name][-2:])
    return WITHOUT_FMA.get(name, of_f) if engine.isa == "scalar" else of_f, of_slope


@cache
def wanted(f, dtype):
    """Arguments, f and f' of them."""
    z = arguments(dtype, 600)
    numbers = [float(np.dtype(dtype).type(number)) for number in f.params]
    return z, *(values(function, numbers, z) for function in EXACT[f.name])


def passed(engine, dtype, f, z, g):
    """f and g f' of the rows z (rows, n), by the engine."""
    n = z.shape[1]
    net, dZ = Net(engine, dtype, (n, n, n), f), np.empty_like(z)
    net.theta[:] = np.concatenate([np.eye(n).ravel(), np.zeros(n), np.eye(n).ravel()])
    a = net.forward(z)
    net.network.backward(g, dZ)
    return a, dZ


def units(error, want, floor, dtype):
    """The largest error in units in the last place of what is wanted, or of `floor`; none where both are next to 0."""
    limits = np.finfo(dtype)
    least = 2 * Long(limits.tiny)
    _, exponent = np.frexp(np.maximum(abs(want), max(floor, limits.tiny)))
    unit = np.ldexp(Long(limits.eps), exponent - 1)
    return float(np.max(np.where((abs(want) < least) & (error < least), 0, error / unit)))


@pytest.mark.parametrize("f", [f for f in EACH_ACTIVATION if not f.rowwise], ids=str)
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_errors(engine, dtype, f):
    z, want, want_slope = wanted(f, dtype)
    a, derivative = (x[:, 0].astype(Long) for x in passed(engine, dtype, f, z[:, None], np.ones((len(z), 1), dtype)))
    of_f, of_slope = bounds(engine, f.name)
    fits = abs(want) <= np.finfo(dtype).max
    assert units(abs(a[fits] - want[fits]), want[fits], FLOORS.get(f.name, 0), dtype) <= of_f
    assert np.isinf(a[~fits]).all()
    apart = abs(abs(z)[:, None] / MARKS.astype(dtype) - 1).min(axis=1) > 4 * np.finfo(dtype).eps
    assert abs(derivative - want_slope)[apart].max() <= of_slope * np.finfo(dtype).eps


@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_errors_of_softmax(engine, dtype):
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(200, 16)) * rng.choice([1, 10, 40, 400], (200, 1))
    Z, g = Z.astype(dtype), rng.uniform(-1, 1, size=(200, 16)).astype(dtype)
    e = np.exp(Z.astype(Long) - Z.max(axis=1, keepdims=True))
    want = e / e.sum(axis=1, keepdims=True)
    want_slope = want * (g - (g * want).sum(axis=1, keepdims=True))
    a, derivative = passed(engine, dtype, activations.get("softmax"), Z, g)
    of_f, of_slope = bounds(engine, "softmax")
    assert units(abs(a - want), want, FLOORS["softmax"], dtype) <= of_f
    assert abs(derivative - want_slope).max() <= of_slope * np.finfo(dtype).eps


LIMITS = {
    **dict.fromkeys(("sigmoid", "hard_sigmoid"), (0, 1)),
    **dict.fromkeys(("tanh", "hard_tanh"), (-1, 1)),
    **dict.fromkeys(("relu", "softplus", "silu", "hard_swish", "gelu", "gelu_tanh", "mish"), (0, np.inf)),
    **dict.fromkeys(("identity", "leaky_relu"), (-np.inf, np.inf)),
    "relu6": (0, 6),
    "elu": (-1, np.inf),
    "selu": (-1.7580993408473768599, np.inf),
}


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_infinity_and_nan(engine, dtype):
    z = np.array([[-np.inf], [np.inf], [np.nan]], dtype)
    for name in EXACT:
        a, derivative = passed(engine, dtype, activations.get(name), z, np.ones_like(z))
        low, high = LIMITS[name]
        np.testing.assert_allclose(a[:2, 0], [low, high], rtol=np.finfo(dtype).eps, atol=2 * np.finfo(dtype).tiny)
        assert np.isnan(a[2]), name
        assert np.isfinite(derivative[:2]).all(), name


@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
def test_nan_goes_through_softmax(engine):
    Z = np.array([[1, np.nan, 2], [1, 2, 3]], "float64")
    a, _ = passed(engine, "float64", activations.get("softmax"), Z, np.ones_like(Z))
    assert np.isnan(a[0]).all()
    assert a[1].sum() == pytest.approx(1)
