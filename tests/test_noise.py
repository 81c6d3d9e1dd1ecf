"""Dropout and Gaussian noise: their numbers, what networks do with them, and where they never are."""

import copy
import pickle

import numpy as np
import pytest
from networks import ENGINES, NATIVE, REALS, Net, name_of, numbers, run_of
from problems import DERIVATIVE_TOLERANCE, derivatives

import fastgd as gd
from fastgd import backend
from fastgd._common import random
from fastgd.layers.noise import NOISES, Dropout, GaussianNoise, NoiseSpec, check_noise_spec

EACH = [Dropout(0.3), GaussianNoise(0.5)]
WIDTHS = (5, 33, 65, 3)
SAME = {"float32": 2e-5, "float64": 1e-12}  # some hundred sums of rounding errors
FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]

engines = pytest.mark.parametrize("engine", ENGINES, ids=name_of)
dtypes = pytest.mark.parametrize("dtype", REALS)
noises = pytest.mark.parametrize("noise", EACH, ids=lambda noise: noise.name)


def noise_spec(noise, steps=1, step=0, seed=7, layers=3):
    return NoiseSpec(seed, step, np.full((steps, layers), float(noise.strength)))


def disturbed(engine, dtype, noise, widths=WIDTHS, hidden="tanh"):
    return Net(engine, dtype, widths, hidden, noises=[noise] * (len(widths) - 1))


def test_philox_has_the_known_answers():
    """Random123 of Salmon et al., kat_vectors."""
    ones, pi = 2**32 - 1, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    known = {
        ((0, 0, 0, 0), 0): "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        ((ones,) * 4, 2**64 - 1): "408f276d 41c83b0e a20bc7c6 6d5451fd",
        (pi, 0x299F31D0A4093822): "d16cfe09 94fdcceb 5001e420 24126ea1",
    }
    for (counter, key), answer in known.items():
        block = random.philox4x32(np.array([counter], np.uint32), key)[0]
        assert " ".join(f"{word:08x}" for word in block) == answer


def test_groups_are_blocks_of_their_stream():
    stream, seed = 5 | 3 << 48, 2**63 + 11
    words = random.groups(seed, stream, 3)
    counters = np.array([[b, 0, 5, 3 << 16] for b in range(48)], np.uint32)
    blocks = random.philox4x32(counters, seed).reshape(3, 16, 4)
    np.testing.assert_array_equal(words[:, :32], blocks[:, :, :2].reshape(3, -1))
    np.testing.assert_array_equal(words[:, 32:], blocks[:, :, 2:].reshape(3, -1))


def test_a_number_depends_on_its_place_alone():
    for noise in EACH:
        few, many = (noise.sample(1, 2, 3, (rows, 40), 0.3) for rows in (3, 50))
        np.testing.assert_array_equal(few, many[:3])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1 - 2**-30])
def test_dropout_keeps_the_mean(p):
    """The share of zeros is p to 16 bits, and the scale is that of just this share."""
    kept = Dropout(p).sample(0, 0, 0, (1000, 512), p)
    below = min(round(p * 65536), 65535)
    assert set(np.unique(kept)) <= {0, 65536 / (65536 - below)}
    share = below / 65536
    assert abs((kept == 0).mean() - share) < 4 * np.sqrt(share * (1 - share) / kept.size) + 1e-12
    assert abs(kept.mean() - 1) < 4 * np.sqrt(share / (1 - share) / kept.size) + 1e-12


def test_masks_are_independent():
    """Chi-square of 4 by 4 outcomes: two bits of one mask and two of another, or of the same one elsewhere.

    The seeds are fixed, so the outcome cannot change from run to run.
    """
    stats = pytest.importorskip("scipy.stats")
    places = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 2**32, 0)]
    first, *others = (Dropout(0.5).sample(*place, (600, 128), 0.5) > 0 for place in places)
    pairs = [(first, other) for other in others]
    pairs += [(first[::2], first[1::2]), (first[:, ::2], first[:, 1::2]), (first[:, :64], first[:, 64:])]
    for a, b in pairs:
        a, b = (mask.reshape(len(mask), -1, 2) @ [1, 2] for mask in (a, b))
        assert stats.chisquare(np.bincount((4 * a + b).ravel(), minlength=16)).pvalue > 1e-3


def test_gaussian_numbers_are_normal():
    stats = pytest.importorskip("scipy.stats")
    x = GaussianNoise(2.0).sample(0, 0, 0, (500, 400), 2.0).ravel() / 2
    assert stats.kstest(x, "norm").pvalue > 1e-3
    np.testing.assert_allclose([x.mean(), x.std(), np.corrcoef(x[:-1], x[1:])[0, 1]], [0, 1, 0], atol=0.01)


def test_gaussian_numbers_are_the_quantiles():
    special = pytest.importorskip("scipy.special")
    words = np.array([[0, 1, 2**31, 2**32 - 1, 2**32 - 2, 12345678, 3 * 10**8, 3 * 10**9]], np.uint32)
    v = ((words >> 1) + 0.5) / 2**31
    want = np.where(words & 1, -1, 1) * -special.ndtri(v / 2)
    np.testing.assert_allclose(GaussianNoise(1.0).from_words(words, 1.0), want, rtol=2e-7)
    assert abs(GaussianNoise(1.0).from_words(words, 1.0)).max() < 6.4


@engines
@dtypes
@noises
def test_the_same_noise_in_every_engine(engine, dtype, noise):
    """A layer of ones in a diagonal shows what its inputs became: a mask to the bit, numbers to rounding."""
    n, rows, draw = 70, 9, NoiseSpec(2**64 - 1, 2**48 - 1, np.array([[noise.strength]]))
    net = disturbed(engine, dtype, noise, (n, n), "identity")
    net.theta[:] = np.append(np.eye(n), np.zeros(n))
    X = numbers(np.random.default_rng(0), rows, n).astype(dtype)
    made = noise.sample(draw.seed, draw.step, 0, (rows, n), noise.strength).astype(dtype)
    want = X * made if noise.multiplies else X + made
    tolerance = 0 if noise.multiplies else 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(net.forward(X, noise=draw), want, rtol=0, atol=tolerance)


@engines
@noises
@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_gradient_is_the_slope_under_fixed_noise(engine, noise, hidden):
    net, rng = disturbed(engine, "float64", noise, hidden=hidden), np.random.default_rng(3)
    draw = NoiseSpec(7, 4, np.array([[0.3, 0.0, 0.5]]))
    X, R = rng.normal(size=(6, WIDTHS[0])), rng.normal(size=(6, WIDTHS[-1]))

    def total(_):
        return float((net.forward(X, noise=draw) * R).sum())

    net.forward(X, noise=draw)
    dX = net.empty(*X.shape)
    net.network.backward(R, dX)
    gradient = net.grad.copy()
    np.testing.assert_allclose(dX, derivatives(total, X), rtol=0, atol=DERIVATIVE_TOLERANCE * abs(dX).max())
    some = np.arange(0, net.theta.size, 37)
    theta = net.theta.copy()
    found = []
    for i in some:
        for sign in (1, -1):
            net.theta[i] = theta[i] + sign * 1e-6
            found.append(total(None))
        net.theta[i] = theta[i]
    got = (np.array(found[::2]) - np.array(found[1::2])) / 2e-6
    np.testing.assert_allclose(gradient[some], got, rtol=0, atol=DERIVATIVE_TOLERANCE * abs(gradient).max())


@engines
@dtypes
@noises
def test_forward_is_a_step_of_train(engine, dtype, noise):
    """A loop over forward, loss, backward and update is `train`, step by step, under the same noise."""
    run = run_of("cross_entropy", "sgd", WIDTHS)
    steps = len(run.starts) - 1
    draw = noise_spec(noise, steps, step=2**40)
    fused, loop = disturbed(engine, dtype, noise), disturbed(engine, dtype, noise)
    losses, _ = run.on(fused, noise=draw)
    chunk = run.chunk(loop)
    for s in range(steps):
        rows = run.order[run.starts[s] : run.starts[s + 1]]
        Z = loop.forward(run.X[rows], noise=NoiseSpec(draw.seed, draw.step + s, draw.strengths[s : s + 1]))
        each, dZ = np.empty(len(rows)), loop.empty(*Z.shape)
        loop.network.loss(run.loss, Z, run.Y[rows], None, each, dZ)
        assert losses[s] == pytest.approx(each.mean(), rel=SAME[dtype])
        loop.network.backward(dZ / len(rows))
        loop.network.update(run.optimizer, chunk.coefficients[s], chunk.state)
    np.testing.assert_allclose(loop.theta, fused.theta, rtol=0, atol=SAME[dtype])


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
@dtypes
@noises
@pytest.mark.parametrize("hidden", {f.saved: name for name, f in gd.activations.ACTIVATIONS.items()}.values())
def test_training_is_that_of_numpy(engine, dtype, noise, hidden):
    run = run_of("mse", gd.SGD(momentum=0.9), WIDTHS, weighted=True)
    draw = noise_spec(noise, len(run.starts) - 1)
    draw.strengths[::2, 1] = 0  # noise comes and goes
    net, want = disturbed(engine, dtype, noise, hidden=hidden), disturbed(ENGINES[-1], "float64", noise, hidden=hidden)
    losses, _ = run.on(net, noise=draw)
    np.testing.assert_allclose(losses, run.on(want, noise=draw)[0], rtol=10 * SAME[dtype])
    np.testing.assert_allclose(net.theta, want.theta, rtol=0, atol=10 * SAME[dtype])


@pytest.mark.skipif(len(FUSED) == 0, reason="no engine with fused multiply-add")
@dtypes
@noises
def test_same_bits(dtype, noise):
    run = run_of("cross_entropy", "adam", WIDTHS, rows=70, batch=33)
    draw = noise_spec(noise, len(run.starts) - 1)
    found = {}
    for engine in FUSED:
        for pieces, threads in [(1, 1), (3, 2), (6, 3), (2, 0)]:
            net = disturbed(engine, dtype, noise)
            run.on(net, pieces, threads, draw)
            found[engine.isa, pieces, threads] = net.theta.tobytes()
    assert len(set(found.values())) == 1


@engines
@noises
def test_strength_0_is_no_noise(engine, noise):
    X = numbers(np.random.default_rng(0), 8, WIDTHS[0])
    net, plain = disturbed(engine, "float64", noise), Net(engine, "float64", WIDTHS, "tanh")
    want = plain.forward(X)
    nothing = NoiseSpec(0, 0, np.zeros((1, 3)))
    for got in (net.forward(X), net.predict(X), net.forward(X, noise=nothing)):
        np.testing.assert_array_equal(got, want)
    assert not np.array_equal(net.forward(X, noise=noise_spec(noise)), want)
    np.testing.assert_array_equal(net.forward(X), want)  # and none is left behind


@engines
@noises
def test_mean_over_steps_is_inference(engine, noise):
    """Of a linear network: 2000 masks, each output's mean within 4.5 standard errors of the 24."""
    X = numbers(np.random.default_rng(0), 8, 20)
    net = disturbed(engine, "float64", noise, (20, 3), "identity")
    Z = np.array([net.forward(X, noise=noise_spec(noise, step=s, layers=1)) for s in range(2000)])
    error = Z.std(axis=0) / np.sqrt(len(Z))
    assert (abs(Z.mean(axis=0) - net.predict(X)) < 4.5 * error).all()


def test_pytorch_agrees_under_the_same_mask():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, R = rng.normal(size=(10, 6)), rng.normal(size=(10, 4))
    model = gd.Sequential(gd.Dense(6, 9, "relu"), gd.Dropout(0.25), gd.Dense(9, 4), seed=3, dtype="float64")
    Z = model.forward(X, training=True)
    dX = model.backward(R)
    x = torch.tensor(X, requires_grad=True)
    p = {name: torch.tensor(value, requires_grad=True) for name, value in model.parameters().items()}
    kept = torch.tensor(Dropout(0.25).sample(3, 0, 1, (10, 9), 0.25) > 0)
    hidden = torch.relu(x @ p["0.weight"] + p["0.bias"])
    out = torch.where(kept, hidden / 0.75, 0.0) @ p["1.weight"] + p["1.bias"]
    (out * torch.tensor(R)).sum().backward()
    np.testing.assert_allclose(Z, out.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dX, x.grad.numpy(), rtol=1e-12, atol=1e-12)
    for name, gradient in model.gradients().items():
        np.testing.assert_allclose(gradient, p[name].grad.numpy(), rtol=1e-12, atol=1e-12)


def stack():
    return gd.GaussianNoise(0.1), gd.Dense(4, 6, "tanh"), gd.Dropout(gd.Cosine(0.4, epochs=9)), gd.Dense(6, 3)


def test_names_count_dense_layers():
    model = gd.Sequential(*stack(), seed=0)
    plain = gd.MLP(4, 6, 3, activation="tanh", seed=0)
    assert list(model.parameters()) == list(plain.parameters())
    np.testing.assert_array_equal(model.theta, plain.theta)
    assert model.stack == (model.noises[0], model.layers[0], model.noises[1], model.layers[1])


def test_summary_shows_noise():
    lines = gd.Sequential(*stack()).summary().splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["GaussianNoise(std=0.1)", "0", "Dropout(p=Cosine(lr=0.4,", "1"]


def test_mlp_drops_hidden_units():
    assert gd.MLP(4, 6, 5, 3, dropout=0.2).noises == (None, Dropout(0.2), Dropout(0.2))
    assert gd.MLP(4, 6, 3).noises == gd.MLP(4, 6, 3, dropout=0).noises == (None, None)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_keep_noise(tmp_path, suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    model = gd.Sequential(*stack(), seed=0)
    model.save(tmp_path / f"model{suffix}")
    loaded = gd.load(tmp_path / f"model{suffix}")
    assert loaded.noises == model.noises
    np.testing.assert_array_equal(loaded.theta, model.theta)


def test_files_without_noise_say_nothing_of_it():
    words = gd.MLP(4, 6, 3).to_config()
    assert all(set(layer) == {"n_in", "n_out", "activation", "bias", "init", "bias_init"} for layer in words["layers"])


def test_own_schedules_cannot_be_saved(tmp_path):
    model = gd.Sequential(gd.Dropout(lambda epoch: 0.1), gd.Dense(4, 3))
    with pytest.raises(TypeError, match=r"Dropout.*cannot be saved.*use a number or one of fastgd.schedules"):
        model.save(tmp_path / "model.npz")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_noise_and_go_on(copied):
    X = np.ones((5, 4))
    model = gd.Sequential(*stack(), seed=0)
    model.forward(X, training=True)
    twin = copied(model)
    np.testing.assert_array_equal(twin.forward(X, training=True), model.forward(X, training=True))


@engines
def test_each_pass_has_other_noise(engine):
    X = numbers(np.random.default_rng(0), 8, 4)
    with backend.override(engine.backend, engine.isa):
        model = gd.Sequential(*stack(), seed=0)
        first, second = model.forward(X, training=True), model.forward(X, training=True)
        assert not np.array_equal(first, second)
        assert model.passes == 2
        np.testing.assert_allclose(model.forward(X), model.predict(X), rtol=1e-6)
        assert model.passes == 2
        model.passes = 1
        np.testing.assert_array_equal(model.forward(X, training=True), second)
        model.reset()
        np.testing.assert_array_equal(model.forward(X, training=True), first)


REFUSED = {
    "p": (lambda: gd.Dropout(1.0), ValueError, r"p must be in \[0, 1\), not 1"),
    "p below": (lambda: gd.Dropout(-0.1), ValueError, r"p must be in \[0, 1\)"),
    "p NaN": (lambda: gd.Dropout(float("nan")), ValueError, r"p must be in \[0, 1\)"),
    "p text": (lambda: gd.Dropout("0.5"), TypeError, r"p must be a number in \[0, 1\)"),
    "std": (lambda: gd.GaussianNoise(-1), ValueError, r"std must be in \[0, inf\)"),
    "mlp": (lambda: gd.MLP(4, 3, 2, dropout=1.5), ValueError, r"p must be in \[0, 1\), not 1.5"),
    "last": (
        lambda: gd.Sequential(gd.Dense(4, 3), gd.Dropout(0.5)),
        ValueError,
        "acts on the inputs of a Dense, but none follows",
    ),
    "two": (lambda: gd.Sequential(*EACH, gd.Dense(4, 3)), ValueError, "only one of them may precede a Dense"),
    "alone": (lambda: gd.Sequential(gd.Dropout(0.5)), ValueError, "put it before the last Dense"),
    "class": (lambda: gd.Sequential(gd.Dropout, gd.Dense(4, 3)), TypeError, "must be a Dense, a Dropout, a Gaussian"),
    "shape": (
        lambda: check_noise_spec(NoiseSpec(0, 0, np.zeros((2, 3))), 1, 3),
        ValueError,
        r"must have shape \(1, 3\)",
    ),
    "step": (lambda: check_noise_spec(NoiseSpec(0, 2**48, np.zeros((1, 3))), 1, 3), ValueError, "2\\*\\*48 steps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        make()


@engines
def test_engines_refuse_strengths_of_other_steps(engine):
    net, X = disturbed(engine, "float64", EACH[0]), np.ones((2, WIDTHS[0]))
    with pytest.raises(ValueError, match="strengths of noise must have shape"):
        net.forward(X, noise=noise_spec(EACH[0], steps=2))


def test_every_noise_is_tested():
    assert {noise.name for noise in EACH} | {"gradient_reversal"} == set(NOISES)  # test_reversal.py
