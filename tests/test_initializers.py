"""Initial weights and biases: of the right size and distribution, for every activation, in models and files."""

import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest

import fastgd as gd
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


SCALED = [name for name in INITIALIZERS if name.endswith(("_normal", "_uniform")) and name != "truncated_normal"]


@pytest.mark.parametrize("name", SCALED)
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


BIASES = [name for name in INITIALIZERS if name != "orthogonal"]


@pytest.mark.parametrize("name", BIASES)
def test_biases_are_a_function_of_seed_and_layer_and_not_weights(name):
    init = initializer(name)
    b = init.biases(5, 3, 1, 2)
    assert b.shape == (3,)
    assert b.dtype == np.float64
    np.testing.assert_array_equal(b, init.biases(5, 3, 1, 2))
    if np.ptp(init.weights(5, 3, 1, 2)) > 0:
        assert (init.biases(5, 3, 2, 2) != b).all()
        assert (init.biases(5, 3, 1, 3) != b).all()
        assert not np.isin(b, init.weights(5, 3, 1, 2)).any()


def test_the_widths_of_the_layer_scale_its_biases():
    b = initializers.GlorotUniform().biases(4, 10_000, 0, 0)
    assert abs(b).max() == pytest.approx(math.sqrt(6 / 10_004), rel=1e-2)


def test_the_default_of_pytorch():
    """nn.Linear: weights from kaiming_uniform_(a=sqrt 5), biases uniform, both up to 1 / sqrt(fan_in)."""
    layer = gd.Dense(400, 200, "relu", init="pytorch_linear")
    values = layer.initial_values(0, 0)
    for name, count in (("weight", 80_000), ("bias", 200)):
        assert abs(values[name]).max() <= 1 / 20
        assert abs(values[name]).max() == pytest.approx(1 / 20, rel=10 / count)
        assert values[name].var() == pytest.approx(1 / 400 / 3, rel=5 * math.sqrt(0.8 / count))
    assert gd.Dense(4, 2, init="torch", bias_init="zeros").bias_init == initializers.Zeros()


def test_pytorch_agrees_on_the_bounds():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    linear, ours = torch.nn.Linear(100, 500), gd.Dense(100, 500, init="pytorch").initial_values(0, 0)
    for theirs, values in ((linear.weight, ours["weight"]), (linear.bias, ours["bias"])):
        assert abs(values).max() == pytest.approx(float(theirs.detach().abs().max()), rel=0.02)
        assert values.std() == pytest.approx(float(theirs.detach().std()), rel=0.1)


def test_normal_and_uniform_values():
    standard = initializers.Normal(1.0).weights(300, 200, 0, 0)
    assert abs(standard.mean()) < 5 / math.sqrt(60_000)
    assert standard.std() == pytest.approx(1, rel=5 / math.sqrt(120_000))
    np.testing.assert_allclose(initializers.Normal(0.3, -2).weights(300, 200, 0, 0), 0.3 * standard - 2, rtol=1e-15)
    u = initializers.Uniform(2, 5).weights(300, 200, 0, 0)
    assert 2 <= u.min() < 2.001
    assert 4.999 < u.max() < 5
    assert u.mean() == pytest.approx(3.5, abs=5 * 3 / math.sqrt(12 * 60_000))
    assert (initializers.Uniform(3, 3).weights(2, 2, 0, 0) == 3).all()


@pytest.mark.parametrize(("limit", "share", "deviation"), [(1, 0.682689492, 0.539560), (2, 0.954499736, 0.879626)])
def test_truncated_normal_values(limit, share, deviation):
    """The values of Normal within the limits, in their order; its standard deviation is Keras' correction, 0.8796."""
    standard = initializers.Normal(1.0).weights(1, 120_000, 3, 1).ravel()
    x = initializers.TruncatedNormal(0.5, 1.0, limit).weights(1, 60_000, 3, 1).ravel()
    within = standard[abs(standard) <= limit]
    assert len(within) / 120_000 == pytest.approx(share, abs=0.007)
    np.testing.assert_allclose(x, 1 + 0.5 * within[:60_000], rtol=1e-15)
    assert abs(x - 1).max() <= 0.5 * limit
    assert x.std() == pytest.approx(0.5 * deviation, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 5), (300, 70), (70, 300), (64, 64)])
def test_orthogonal_weights(shape):
    W = initializers.Orthogonal(1.5).weights(*shape, 0, 0)
    product = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(product, 2.25 * np.eye(min(shape)), atol=1e-11)
    assert W.flags.c_contiguous


def test_orthogonal_weights_are_those_of_qr_with_a_positive_diagonal():
    A = initializers.Normal(1.0).weights(6, 9, 4, 2).reshape(6, 9)
    Q, R = np.linalg.qr(A.T)
    W = initializers.Orthogonal().weights(6, 9, 4, 2)
    np.testing.assert_allclose(W, (Q * np.sign(np.diag(R))).T, atol=1e-13)


def test_orthogonal_weights_have_the_same_bits_everywhere():
    """Sums of halves, by hand, in the order that the docstring of `orthonormal_rows` states."""
    A = initializers.Normal(1.0).weights(3, 5, 4, 2)
    assert (
        initializers.Orthogonal().weights(3, 5, 4, 2)[0].tolist() == (A[0] / math.sqrt(in_halves(A[0] ** 2))).tolist()
    )


def in_halves(values):
    values = list(values)
    while len(values) > 1:
        half = len(values) // 2
        values = [a + b for a, b in zip(values[:half], values[len(values) - half :], strict=True)] + values[
            half : len(values) - half
        ]
    return values[0]


def test_orthogonal_is_for_weights():
    with pytest.raises(TypeError, match="choose another bias_init"):
        gd.MLP(3, 2, bias_init="orthogonal", seed=0)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: initializers.Normal(-1), ValueError, r"std must be in \[0, 1e37\]"),
        (lambda: initializers.Normal(1e38), ValueError, r"std must be in"),
        (lambda: initializers.Uniform(1, 0), ValueError, r"low must not be above high, but is 1.0 with high=0.0"),
        (lambda: initializers.Uniform("0"), TypeError, r"low must be a number"),
        (lambda: initializers.TruncatedNormal(limit=0.1), ValueError, r"limit must be in \[1, inf\)"),
        (lambda: initializers.Orthogonal(math.nan), ValueError, "gain must be in"),
        (lambda: initializers.Constant(1e39), ValueError, "value must be of a size that float32 can hold"),
        (lambda: initializers.HeNormal(10**400), ValueError, "negative_slope must be"),
        (lambda: gd.Dense(3, 2, bias_init=3), TypeError, "initializer must be a name or an instance"),
        (lambda: gd.Dense(3, 2, bias_init="noraml"), ValueError, "did you mean 'normal'"),
        (lambda: gd.Dense(3, 2, bias="no"), TypeError, "bias must be True or False, not 'no'"),
    ],
)
def test_settings(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_models_start_with_them():
    model = gd.MLP(4, 3, 2, init="pytorch", bias_init=initializers.Constant(0.5), seed=7)
    layers = [layer.initial_values(7, index) for index, layer in enumerate(model.layers)]
    for index, values in enumerate(layers):
        for name, value in values.items():
            np.testing.assert_array_equal(model.parameters()[f"{index}.{name}"], value.astype(np.float32))
    assert (model.parameters()["0.bias"] == 0.5).all()
    theta = model.theta.copy()
    model.theta = np.zeros(model.size)
    model.reset()
    np.testing.assert_array_equal(model.theta, theta)
    assert "bias" not in gd.Dense(3, 2, bias=False, bias_init="normal").initial_values(0, 0)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_files_keep_them(name, tmp_path):
    init = initializer(name)
    bias_init = init if name in BIASES else initializers.Normal(0.125)
    model = gd.MLP(4, 3, 2, init=init, bias_init=bias_init, seed=7)
    model.save(tmp_path / "model.npz")
    loaded = gd.load(tmp_path / "model.npz")
    assert [(layer.init, layer.bias_init) for layer in loaded.layers] == [(init, bias_init)] * 2
    loaded.reset()
    np.testing.assert_array_equal(loaded.theta, model.theta)


def test_files_of_the_previous_release_have_biases_of_0():
    config = gd.Dense(3, 2).to_config()
    del config["bias_init"]
    assert gd.Dense.from_config(config).bias_init == initializers.Zeros()


def test_layers_show_what_was_chosen():
    assert repr(gd.Dense(3, 2, "relu")) == 'Dense(3, 2, "relu")'
    shown = repr(gd.Dense(3, 2, "relu", init="orthogonal", bias_init=initializers.Normal(0.5)))
    assert shown == 'Dense(3, 2, "relu", init=Orthogonal(), bias_init=Normal(std=0.5))'
    assert (
        repr(gd.Dense(3, 2, bias=False, init="pytorch")) == 'Dense(3, 2, "identity", bias=False, init=PyTorchLinear())'
    )
    assert repr(gd.Dense(3, 2, gd.LeakyReLU(0.5))) == "Dense(3, 2, LeakyReLU(negative_slope=0.5))"


PAGE = (Path(__file__).resolve().parents[1] / "docs" / "initializers.md").read_text()


def test_the_page_lists_them_all():
    table = re.findall(r"^\| `(\w+)` \| `(\w+\(.*?\))` \|", PAGE, re.MULTILINE)
    assert [name for name, _ in table] == list(INITIALIZERS)
    for name, made in table:
        cls = INITIALIZERS[name]
        assert re.findall(r"([a-z]\w*)[=)]", made) == list(inspect.signature(cls).parameters)
        if "=" in made:
            assert eval(made, vars(initializers)) == cls()
    others = PAGE[PAGE.index("Other names:") :].split("\n")[0]
    assert re.findall(r"`(\w+)`", others) == list(initializers._ALIASES)
