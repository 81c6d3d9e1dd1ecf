"""exp and log are our own code: the errors of losses, in units in the last place, over the whole range.

They are seen through losses of single rows, and compared with long double. The largest errors seen over ten million
arguments of each: softmax SMAX, softplus SPLUS units, and log softmax LSMAX units of 1.
"""

import functools
import itertools

import numpy as np
import pytest
from networks import ENGINES, NATIVE, REALS, Net, name_of
from problems import LOSS_CASES

from fastgd import losses

Long = np.longdouble
needs_more_bits = pytest.mark.skipif(np.finfo(Long).nmant < 63, reason="no type with more bits to compare with")
CASES = [pytest.param(engine, dtype, id=f"{name_of(engine)}-{dtype}") for engine in NATIVE for dtype in REALS]

# Below -SATURATED, just before e**x leaves the normal numbers of the dtype, ours stays what it is there.
SATURATED = {"float32": 87, "float64": 708}


@functools.cache
def arguments(dtype, count=50_000, seed=0):
    """Numbers of all sizes and both signs, the extremes among them."""
    rng, limits = np.random.default_rng(seed), np.finfo(dtype)
    sizes = np.exp2(rng.uniform(limits.minexp, 12, count)), rng.uniform(0, 20, count), rng.uniform(0, 1000, count)
    x = np.concatenate([*sizes, [0, limits.tiny, limits.eps, limits.max / 2]]).astype(dtype)
    x = np.concatenate([x, -x])
    x.flags.writeable = False
    return x


def units(got, want, dtype, least=0):
    """The largest error, in units in the last place of what is wanted, or of `least` if that is more."""
    unit = np.spacing(np.maximum(abs(want), least).astype(dtype))
    return float(np.max(abs(got.astype(Long) - want) / unit))


@functools.cache
def exact(dtype, sign=1):
    """softplus ln(1 + e**z), and its derivative, of all arguments times `sign`; computed once for all engines."""
    z = sign * arguments(dtype).astype(Long)
    with np.errstate(over="ignore"):
        return np.maximum(z, 0) + np.log1p(np.exp(-abs(z))), 1 / (1 + np.exp(-z))


@functools.cache
def exact_log_cosh(dtype):
    d = abs(arguments(dtype).astype(Long))
    u = np.expm1(np.minimum(d, 1))
    log_cosh = np.where(d > 1, d - np.log(Long(2)) + np.log1p(np.exp(-2 * d)), np.log1p(u * u / (2 + 2 * u)))
    return log_cosh, np.tanh(arguments(dtype).astype(Long))


@functools.cache
def exact_exp(dtype):
    with np.errstate(over="ignore"):
        return np.exp(arguments(dtype).astype(Long))


def loss_of(engine, dtype, loss, Z, y):
    """Losses of the rows Z (n, n_out), all with the target y, and their slopes."""
    net, values, dZ = Net(engine, dtype, (1, Z.shape[1])), np.empty(len(Z)), np.empty_like(Z)
    net.network.loss(losses.get(loss), Z, np.full((len(Z), 1), y, "uint8"), None, values, dZ)
    return values, dZ


@needs_more_bits
@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_log_of_one_plus_exp(engine, dtype, y):
    """Binary cross-entropy is right to the last bits even where it is as small as numbers get."""
    x = arguments(dtype)
    got, _ = loss_of(engine, dtype, "bce", x[:, np.newaxis], y)
    sign = -1 if y else 1
    (want, _), normal = exact(dtype, sign), sign * x >= -SATURATED[dtype]
    assert units(got[normal], want[normal], dtype) < 3
    assert abs(got - want)[~normal].max() < 2 * np.finfo(dtype).tiny


@needs_more_bits
@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_softmax_and_its_log(engine, dtype, y):
    """Cross-entropy is a logarithm of numbers from 1 on: it is right to the last bits of 1."""
    x = arguments(dtype)
    Z = np.stack([x, np.zeros_like(x)], axis=1)
    got, dZ = loss_of(engine, dtype, "cross_entropy", Z, y)
    (log, _), (_, derivative) = exact(dtype, 1 if y else -1), exact(dtype)
    assert units(got, log, dtype, least=1) < 1.5
    if y == 1:
        small = (x < 0) & (x >= -SATURATED[dtype])
        assert units(dZ[small, 0], derivative[small], dtype) < 3


def derivative_and_value(engine, dtype, loss, x, y):
    values, dZ = loss_of(engine, dtype, loss, x[:, np.newaxis], y)
    return dZ[:, 0], values


@needs_more_bits
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_log_cosh(engine, dtype):
    """Small errors too: the loss is then as small as their squares."""
    x = arguments(dtype)
    derivative, got = derivative_and_value(engine, dtype, "log_cosh", x, 0)
    want, tanh = exact_log_cosh(dtype)
    normal = want > np.finfo(dtype).tiny
    assert units(got[normal], want[normal], dtype) < 6.5
    assert units(derivative, tanh, dtype) < 3


@needs_more_bits
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_exp_of_poisson_and_gamma(engine, dtype):
    """inf and 0 where e^z is beyond the dtype, else right to the last bits."""
    x, limits, want = arguments(dtype), np.finfo(dtype), exact_exp(dtype)
    normal = (want > limits.tiny) & (want < limits.max)
    for derivative, sign in ((derivative_and_value(engine, dtype, "poisson", x, 0)[0], 1),
                        (1 - derivative_and_value(engine, dtype, "gamma", -x, 1)[0], 0)):  # fmt: skip
        assert (derivative[want > limits.max] == np.inf).all()
        assert (abs(derivative[want < limits.tiny]) < limits.tiny).all()
        assert units(derivative[normal], want[normal], dtype, least=1 - sign) < 3.5


@needs_more_bits
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_weighted_bce(engine, dtype):
    x = arguments(dtype)
    inside = (abs(x) < 1e30) & (x < SATURATED[dtype])
    derivative, got = derivative_and_value(engine, dtype, losses.BCE(pos_weight=3), x[inside], 1)
    lost, share = (values[inside] for values in exact(dtype, -1))
    assert units(got, 3 * lost, dtype) < 5
    assert units(derivative, -3 * share, dtype) < 4


@needs_more_bits
@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize(("engine", "dtype"), CASES)
def test_focal(engine, dtype, gamma):
    """10 + gamma z units: the exponent of what is almost 0 is known to units of itself."""
    x = arguments(dtype)
    inside = (abs(x) < 1e30) & (max(1, gamma) * x < SATURATED[dtype] - 10)
    x = x[inside]
    derivative, got = derivative_and_value(engine, dtype, losses.BinaryFocal(gamma), x, 1)
    gain, right = (values[inside] for values in exact(dtype))
    lost, wrong = (values[inside] for values in exact(dtype, -1))
    share = np.exp(-gamma * gain)
    for result, want in ((got, share * lost), (derivative, -share * (gamma * right * lost + wrong))):
        with np.errstate(over="ignore"):
            normal = abs(want) > np.finfo(dtype).tiny
            unit = np.spacing(abs(want[normal]).astype(dtype)).astype(Long)
        error = abs(result[normal].astype(Long) - want[normal]) / unit
        assert (error / (10 + gamma * np.maximum(x[normal].astype(Long), 0))).max() < 1


@pytest.mark.parametrize("loss", LOSS_CASES)
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
def test_losses_of_huge_logits(engine, dtype, loss):
    loss = LOSS_CASES[loss]
    Z = np.array([*itertools.product([-1e4, 0, 1e4], repeat=3)])
    labels = np.arange(27)[:, np.newaxis] % 3
    Y = labels if loss.target == "labels" else np.eye(3)[labels[:, 0]]
    if loss.interval == "(0, inf)":
        Y = Y + 1
    net, got, dZ = Net(engine, dtype, (1, 3)), np.empty(27), np.empty((27, 3), dtype)
    net.network.loss(loss, Z.astype(dtype), Y, None, got, dZ)
    roundings = 10 if "focal" in loss.name else 4  # a power is a logarithm and an exponential
    close = {"rtol": roundings * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).tiny}
    np.testing.assert_allclose(got, loss.per_row(Z, Y), **close)
    np.testing.assert_allclose(dZ, loss.gradient(Z, Y), **close)
