"""Activations, losses and metrics are right, by finite differences and formulas in float64; every name is found."""

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from problems import DERIVATIVE_TOLERANCE, EACH_ACTIVATION, LOSS_CASES, derivatives, targets

import fastgd as gd
from fastgd import activations, initializers, losses, metrics, optimizers
from fastgd.activations import ACTIVATIONS, ELU, LeakyReLU
from fastgd.initializers import INITIALIZERS
from fastgd.losses import LOSSES
from fastgd.optimizers import OPTIMIZERS
from fastgd.schedules import Schedule

REALS = [np.float32, np.float64]


# Activations


@pytest.mark.parametrize("f", EACH_ACTIVATION, ids=str)
def test_activation_backward_is_the_slope(f):
    rng = np.random.default_rng(0)
    z, g = rng.normal(scale=3, size=(50, 10)), rng.normal(size=(50, 10))
    x = f.forward(z) if f.saved == "a" else z
    derivative = derivatives(lambda z: (g * f.forward(z)).sum(), z)
    np.testing.assert_allclose(f.backward(x, g), derivative, rtol=0, atol=DERIVATIVE_TOLERANCE)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_keeps_dtype_and_shape_and_does_not_overflow(name, dtype):
    f = activations.get(name)
    z = np.array([[-1e4, -100, -1], [0, 100, 1e4]], dtype)
    a = f.forward(z)
    dz = f.backward(a if f.saved == "a" else z, np.ones_like(z))
    for result in (a, dz):
        assert result.dtype == dtype
        assert result.shape == z.shape
        assert np.isfinite(result).all()


LIMITS = {"silu": 0, "hard_swish": 0, "gelu": 0, "gelu_tanh": 0, "mish": 0, "softplus": 0, "relu": 0, "elu": -1}


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", LIMITS)
def test_activation_limits(name, dtype):
    """At -inf and inf f and f' are their limits, and NaN stays NaN."""
    f, z = activations.get(name), np.array([-np.inf, np.inf, np.nan], dtype)
    with np.errstate(over="ignore"):
        a = f.forward(z)
        derivative = f.backward(a if f.saved == "a" else z, np.ones_like(z))
    np.testing.assert_array_equal(a, [LIMITS[name], np.inf, np.nan])
    np.testing.assert_array_equal(derivative[:2], [0, 1])


def test_activation_values():
    z = np.array([-4, -3, -1.5, 0, 1.5, 3, 4])
    np.testing.assert_array_equal(activations.get("hard_sigmoid").forward(z), [0, 0, 0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_array_equal(activations.get("hard_swish").forward(z), [0, 0, -0.375, 0, 1.125, 3, 4])
    np.testing.assert_array_equal(activations.get("hard_tanh").forward(z), [-1, -1, -1, 0, 1, 1, 1])
    np.testing.assert_array_equal(activations.get("relu6").forward(2 * z), [0, 0, 0, 0, 3, 6, 6])
    np.testing.assert_array_equal(LeakyReLU(0.5).forward(z), [-2, -1.5, -0.75, 0, 1.5, 3, 4])
    np.testing.assert_allclose(ELU(2.0).forward(z[:2]), 2 * np.exp(z[:2]) - 2, rtol=1e-15)
    np.testing.assert_array_equal(activations.get("relu").forward(z), [0, 0, 0, 0, 1.5, 3, 4])
    assert activations.get("relu").backward(np.zeros(1), np.ones(1)) == 0
    np.testing.assert_allclose(activations.get("sigmoid").forward(z), 1 / (1 + np.exp(-z)), rtol=1e-15)
    assert activations.get("sigmoid").forward(np.array([-700.0])) == pytest.approx(math.exp(-700), rel=1e-15)


@pytest.mark.parametrize("make", [LeakyReLU, ELU])
def test_activation_refuses_numbers_that_hide_the_sign_of_z(make):
    for bad in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"must be in \[0, inf\)"):
            make(bad)
    with pytest.raises(TypeError, match="must be a number"):
        make("0.1")


def test_softmax_is_a_function_of_rows():
    z = np.random.default_rng(5).normal(size=(4, 3))
    a = activations.get("softmax").forward(z)
    np.testing.assert_allclose(a, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-15)
    np.testing.assert_array_equal(activations.get("softmax").forward(z + 1000) > 0, True)


# Losses


@pytest.mark.parametrize("name", LOSS_CASES)
def test_loss_gradient_is_the_slope(name):
    loss = LOSS_CASES[name]
    rng = np.random.default_rng(1)
    Z = rng.normal(scale=2, size=(6, 4))
    Y = targets(rng, loss, *Z.shape)
    np.testing.assert_allclose(
        loss.gradient(Z, Y), derivatives(lambda Z: loss.per_row(Z, Y).sum(), Z), rtol=0, atol=DERIVATIVE_TOLERANCE
    )


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", LOSS_CASES)
def test_loss_keeps_dtype_and_does_not_overflow(name, dtype):
    """Logarithms of means are the exception: e^z must be a number of the dtype, or the loss is inf."""
    loss = LOSS_CASES[name]
    large = (80 if dtype == np.float32 else 700) if loss.link == "log" else 1e4
    Z = np.array([[-large, large, 0], [large, -large, 1]], dtype)
    Y = targets(np.random.default_rng(2), loss, *Z.shape)
    Y = Y if loss.target == "labels" else Y.astype(dtype)
    rows, dZ = loss.per_row(Z, Y), loss.gradient(Z, Y)
    assert rows.dtype == dZ.dtype == dtype
    assert rows.shape == (2,)
    assert dZ.shape == Z.shape
    assert np.isfinite(rows).all()
    assert np.isfinite(dZ).all()


def test_loss_values():
    rng = np.random.default_rng(3)
    Z, labels = rng.normal(size=(5, 3)), rng.integers(3, size=(5, 1))
    one_hot, P = np.eye(3)[labels[:, 0]], rng.random((5, 3))
    softmax, sigmoid = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True), 1 / (1 + np.exp(-Z))

    def close(loss, Y, expected):
        np.testing.assert_allclose(losses.get(loss).per_row(Z, Y), expected, rtol=1e-13)

    close("mse", P, ((Z - P) ** 2).mean(axis=1))
    close("cross_entropy", labels, -np.log((softmax * one_hot).sum(axis=1)))
    close("soft_cross_entropy", P, -(P * np.log(softmax)).sum(axis=1))
    close("bce", P, -(P * np.log(sigmoid) + (1 - P) * np.log(1 - sigmoid)).mean(axis=1))
    close(losses.BCE(pos_weight=3), P, -(3 * P * np.log(sigmoid) + (1 - P) * np.log(1 - sigmoid)).mean(axis=1))
    close("kl_div", P, (P * np.log(P / softmax)).sum(axis=1))
    p = (softmax * one_hot).sum(axis=1)
    close("focal", labels, -((1 - p) ** 2) * np.log(p))
    close(losses.Focal(0.5, (1, 2, 3)), labels, -(1 + labels[:, 0]) * (1 - p) ** 0.5 * np.log(p))
    close("binary_focal", one_hot, -(abs(one_hot - sigmoid) ** 2 * np.log(1 - abs(one_hot - sigmoid))).mean(axis=1))
    smoothed = 0.9 * one_hot + 0.1 / 3
    close(losses.CrossEntropy(label_smoothing=0.1), labels, -(smoothed * np.log(softmax)).sum(axis=1))
    d = Z - P
    close("mae", P, abs(d).mean(axis=1))
    close(losses.Huber(0.5), P, np.where(abs(d) <= 0.5, d**2 / 2, 0.5 * (abs(d) - 0.25)).mean(axis=1))
    close("log_cosh", P, np.log(np.cosh(d)).mean(axis=1))
    q = np.array([0.2, 0.5, 0.9])
    close(losses.Quantile(q), P, np.where(d < 0, -q * d, (1 - q) * d).mean(axis=1))
    close("poisson", P, (np.exp(Z) - P * Z).mean(axis=1))
    close("gamma", P, (P * np.exp(-Z) + Z).mean(axis=1))
    t = 2 * one_hot - 1
    for Y in (t, one_hot):
        close("hinge", Y, np.maximum(0, 1 - t * Z).mean(axis=1))
        close("squared_hinge", Y, (np.maximum(0, 1 - t * Z) ** 2).mean(axis=1))


def test_losses_beyond_the_dtype_are_infinite():
    for dtype, z in ((np.float32, 89), (np.float64, 710)):
        Z, Y = np.array([[z]], dtype), np.ones((1, 1), dtype)
        assert losses.Poisson().per_row(Z, Y) == losses.Poisson().gradient(Z, Y) == np.inf
        assert losses.Gamma().per_row(-Z, Y) == -losses.Gamma().gradient(-Z, Y) == np.inf


def test_slopes_at_kinks():
    """A target that is met pulls nowhere."""
    Z = np.array([[2.0, -1.0]])
    for name in ("mae", "quantile", "huber", "log_cosh"):
        assert (losses.get(name).gradient(Z, Z) == 0).all()
    assert (losses.Hinge().gradient(np.array([[1.0, -1.0]]), np.array([[1.0, -1.0]])) == 0).all()


def test_soft_cross_entropy_takes_rows_that_do_not_sum_to_one():
    loss, rng = losses.get("soft_cross_entropy"), np.random.default_rng(12)
    Z, Y = rng.normal(size=(5, 3)), rng.random((5, 3))
    expected = derivatives(lambda Z: loss.per_row(Z, Y).sum(), Z)
    np.testing.assert_allclose(loss.gradient(Z, Y), expected, rtol=0, atol=DERIVATIVE_TOLERANCE)


def test_cross_entropy_for_rows_is_the_same_loss():
    rng = np.random.default_rng(4)
    Z, labels = rng.normal(size=(5, 3)), rng.integers(3, size=(5, 1))
    loss, one_hot = losses.CrossEntropy(), np.eye(3)[labels[:, 0]]
    np.testing.assert_allclose(loss.for_rows().per_row(Z, one_hot), loss.per_row(Z, labels), rtol=1e-14)
    np.testing.assert_allclose(loss.for_rows().gradient(Z, one_hot), loss.gradient(Z, labels), atol=1e-15)


# Metrics


def test_metrics():
    assert metrics.accuracy(np.array(["a", "b", "b"]), np.array(["a", "b", "a"])) == pytest.approx(2 / 3)
    assert metrics.accuracy(np.array([1, 2]), np.array([1, 3]), np.array([3, 1])) == 0.75
    y, p = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0])
    assert metrics.rmse(y, p) == pytest.approx(math.sqrt(4 / 3))
    assert metrics.rmse(y, p, np.array([1, 1, 0])) == 0
    assert metrics.r2(y, p) == pytest.approx(1 - 4 / 2)
    assert metrics.r2(y, y) == 1
    assert metrics.r2(y, np.full(3, 2.0)) == 0
    weight = np.array([1, 2, 1])
    assert metrics.r2(y, p, weight) == pytest.approx(metrics.r2(y.repeat(weight), p.repeat(weight)))
    Y, P = np.stack([y, np.ones(3)], axis=1), np.stack([p, np.ones(3)], axis=1)
    assert metrics.r2(Y, P) == pytest.approx((-1 + 1) / 2)
    assert metrics.r2(np.ones(3), p) == 0


@pytest.mark.parametrize("metric", [metrics.rmse, metrics.r2])
def test_metrics_refuse_shapes_that_differ(metric):
    with pytest.raises(ValueError, match=r"same shape, not \(3,\) and \(3, 1\)"):
        metric(np.ones(3), np.ones((3, 1)))


# Names


TABLES: dict[Any, Any] = {activations: ACTIVATIONS, losses: LOSSES, optimizers: OPTIMIZERS, initializers: INITIALIZERS}
ROWS = [(module, name) for module, table in TABLES.items() for name in table]


@pytest.mark.parametrize(("module", "name"), ROWS)
def test_every_name_is_its_row(module, name):
    cls = TABLES[module][name]
    assert cls.name == name
    if module is initializers and name == "constant":
        with pytest.raises(ValueError, match=r"'constant' needs a parameter: pass an object, Constant\(\.\.\.\)"):
            module.get(name)
        return
    one = module.get(name)
    assert type(one) is cls
    assert module.get(one) is one


@pytest.mark.parametrize(("module", "name"), ROWS)
def test_unknown_name_suggests_the_closest(module, name):
    with pytest.raises(ValueError, match=f"did you mean '{name}'") as caught:
        module.get(name + "_")
    assert all(known in str(caught.value) for known in TABLES[module])


@pytest.mark.parametrize("module", TABLES)
def test_what_is_no_name(module):
    with pytest.raises(ValueError, match="unknown .*'€': known are"):
        module.get("€")
    with pytest.raises(TypeError, match="must be a name or an instance of"):
        module.get(3)
    cls = next(iter(TABLES[module].values()))
    with pytest.raises(TypeError, match=rf"write {cls.__name__}\(\) instead of {cls.__name__}"):
        module.get(cls)


@pytest.mark.parametrize("module", [activations, losses, initializers])
def test_every_alias_has_a_row(module):
    for alias, meant in module._ALIASES.items():
        assert alias not in TABLES[module]
        assert module.get(alias) == (TABLES[module][meant]() if isinstance(meant, str) else meant)


def test_names_of_other_libraries_have_their_defaults():
    """torchvision's sigmoid_focal_loss and Keras' CategoricalFocalCrossentropy have alpha=0.25."""
    assert losses.get("sigmoid_focal") == losses.BinaryFocal(gamma=2.0, alpha=0.25)
    assert losses.get("categorical_focal_crossentropy") == losses.Focal(gamma=2.0, alpha=0.25)
    assert losses.get("binary_focal_crossentropy") == losses.BinaryFocal(gamma=2.0, alpha=None)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_are_the_fields(name):
    one = activations.get(name)
    assert one.params == tuple(float(v) for v in vars(one).values())


def test_parameters_of_losses():
    """Before several numbers, how many they are."""
    assert losses.Huber(2).params == (2.0,)
    assert losses.Quantile((0.1, 0.9)).params == (2.0, 0.1, 0.9)
    assert losses.Focal(1, [3, 4]).params == (1.0, 2.0, 3.0, 4.0, 0.0)
    assert losses.Focal(1, [3, 4], 0.5).params == (1.0, 2.0, 3.0, 4.0, 0.5)
    assert losses.BCE().params == ()
    assert losses.BCE(pos_weight=2).params == (1.0, 2.0, 0.0)
    assert losses.BCE(label_smoothing=0.5).params == (1.0, 1.0, 0.5)
    assert losses.BinaryFocal().params == (2.0, 1.0, 1.0, 0.0)
    assert losses.BinaryFocal(1, 0.25, 0.5).params == (1.0, 0.25, 0.75, 0.5)


def test_settings_with_a_number_for_each_output():
    for loss, name in (
        (losses.BCE(pos_weight=(1, 2)), "pos_weight"),
        (losses.Focal(alpha=(1, 2)), "alpha"),
    ):
        assert loss.outputs_per_target(2) == 1
        with pytest.raises(ValueError, match=f"{name} has 2 values, but the model has 3 outputs: give one for each"):
            loss.outputs_per_target(3)
    assert losses.Quantile((0.1, 0.9)).outputs_per_target(4) == 2
    with pytest.raises(ValueError, match=r"2 quantiles of each target need 2 outputs .* but the model has 3"):
        losses.Quantile((0.1, 0.9)).outputs_per_target(3)


def test_every_row_of_the_c_table_has_a_case():
    """And every row that a loss says it has is one that it takes."""
    taken = {loss.c_name for loss in LOSS_CASES.values()}
    assert taken == {c_name for loss in LOSSES.values() for c_name in loss.c_names or (loss.name,)}


def test_records_are_equal_by_what_they_hold():
    first, same, other = gd.Cosine(0.1), gd.Cosine(0.1), gd.Cosine(0.2)
    assert first == same
    assert hash(first) == hash(same)
    assert first != other
    assert first != gd.Step(0.1, 5)
    assert repr(gd.SGD(lr=first, momentum=0.5)) == "SGD(lr=Cosine(lr=0.1), momentum=0.5)"
    assert gd.ReLU() == gd.ReLU() != gd.Tanh()
    assert repr(gd.Huber(2.0)) == "Huber(delta=2.0)"
    with pytest.raises(FrozenInstanceError, match=r"Cosine cannot be changed; make another with lr=0\.2"):
        first.lr = 0.2
    with pytest.raises(FrozenInstanceError):
        first.rate = 0.2
    with pytest.raises(FrozenInstanceError):
        del first.lr


def test_a_schedule_of_ones_own_needs_no_dataclass():
    class Half(Schedule):
        def __init__(self, lr):
            self.lr = lr

        def rates(self, t, total):
            return self.lr / 2

    assert Half(0.1) == Half(0.1) != Half(0.2)
    assert "Half(lr=0.1)" in repr(Half(0.1))
