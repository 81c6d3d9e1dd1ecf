"""The arithmetic of layers before the first dense one, on every engine."""

import copy

import numpy as np
import pytest
from input_stacks import CODES, ROWS, STACKS, data, model_of, on
from networks import CASES, ENGINES, NATIVE, NUMPY, REALS, close, name_of
from numpy.testing import assert_allclose, assert_array_equal

import fastgd as gd
from fastgd.layers.inputs import InputLayer
from fastgd.layers.stack import INPUT_LAYERS

FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]


def passes(engine, dtype, stack, rows=ROWS):
    """Results of forward, predict and backward, twice, the second time added to the first."""
    with on(engine):
        model, (X, _) = model_of(stack, dtype), data(rows)
        Z = model.forward(X)
        dX = model.backward(np.cos(Z))
        once = model.grad.copy()
        model.backward(np.sin(Z), accumulate=True, input_gradient=False)
        return Z, model.predict(X), dX, once, model.grad


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("rows", [1, 3, ROWS, 300])
def test_passes_are_those_of_the_definitions(engine, dtype, stack, rows):
    results = passes(engine, dtype, stack, rows)
    for got, want in zip(results, passes(NUMPY, "float64", stack, rows), strict=True):
        close(got, want, 300 * np.finfo(dtype).eps)
    if engine.backend == "native":
        assert_array_equal(results[0], results[1])


def test_every_layer_is_tested():
    used = {type(layer) for make in STACKS.values() for layer in make()}
    assert used == set(INPUT_LAYERS.values()) == set(InputLayer.__subclasses__())


@pytest.mark.parametrize("stack", STACKS)
def test_gradients_are_derivatives(engine, stack):
    """Central differences in float64, of parameters and of the columns of numbers; codes have the derivative 0."""
    model, (X, _) = model_of(stack), data()
    direction = np.cos(np.arange(ROWS * 3.0)).reshape(ROWS, 3)

    def value():
        return float((model.forward(X) * direction).sum())

    value()
    dX, grad, h = model.backward(direction), model.grad.copy(), 1e-6
    for vector, derivative in [(model.theta, grad), (X.reshape(-1), dX.reshape(-1))]:
        for i in np.random.default_rng(0).permutation(len(vector))[:120]:
            before = vector[i]
            if vector.size == X.size and model.inputs.codes and i % 7 in CODES:
                assert derivative[i] == 0
                continue
            vector[i] = before + h
            above = value()
            vector[i] = before - h
            assert derivative[i] == pytest.approx((above - value()) / (2 * h), rel=1e-5, abs=1e-7)
            vector[i] = before


SETTINGS = {
    "sgd": gd.SGD(lr=0.1),
    "adam": gd.Adam(lr=0.01, eps=1e-3),
    "muon": gd.Muon(lr=0.01),
    "groups": gd.AdamW(
        lr=0.01,
        eps=1e-3,
        weight_decay=0.1,
        clip_norm=0.3,
        l1=0.01,
        max_norm=0.8,
        average=gd.EMA(0.8),
        groups={"2.*": {"lr": 6.0, "weight_decay": 0.0}, "1.phase": {"lr": 0.1}, "*.bias": {"l1": 0.0}},
    ),
}


def trained(engine, dtype, optimizer, epochs=2, n_threads=None, batch_size=16, rows=ROWS, noise=(), **options):
    """theta, state and average after a short training of all layers."""
    with on(engine):
        (X, y), optimizer = data(rows), copy.deepcopy(SETTINGS[optimizer])
        model = model_of("all", dtype, noise=noise)
        options |= {"batch_size": batch_size, "n_threads": n_threads, "seed": 0}
        trainer = gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, **options)
        for some in [epochs] if isinstance(epochs, int) else epochs:
            trainer.fit(X, y, epochs=some, verbose=0)
        average = optimizer.averaged_theta
        return np.concatenate([model.theta, optimizer.state.ravel(), [] if average is None else average])


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("optimizer", SETTINGS)
def test_training_is_that_of_the_definitions(engine, dtype, optimizer):
    got, want = trained(engine, dtype, optimizer), trained(NUMPY, "float64", optimizer)
    close(got, want, (300 if optimizer == "sgd" else 3000) * np.finfo(dtype).eps)


@pytest.mark.skipif(not FUSED, reason="no instruction set with fused multiply-add here")
@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("optimizer", SETTINGS)
def test_threads_instruction_sets_and_chunks_change_no_bit(dtype, optimizer):
    # 1100 rows of a step are, on one thread, more than a micro-batch; 2 of 3 rows of a batch of 3 are a row group's.
    noise = [gd.Dropout(0.3)]
    for batch_size, rows in [(1100, 1110), (3, 31)]:
        options = {"batch_size": batch_size, "rows": rows, "noise": noise}
        want = trained(FUSED[0], dtype, optimizer, n_threads=1, **options)
        for engine in FUSED:
            for n_threads in (1, 2, 3):
                got = trained(engine, dtype, optimizer, epochs=(1, 1), n_threads=n_threads, **options)
                assert_array_equal(got, want, err_msg=f"{name_of(engine)}, {n_threads} threads, {batch_size} rows")


@pytest.mark.parametrize("engine", FUSED, ids=name_of)
def test_accumulated_micro_batches_change_no_bit(engine):
    whole = trained(engine, "float32", "groups", batch_size=40, rows=80)
    assert_array_equal(trained(engine, "float32", "groups", batch_size=10, accumulate=4, rows=80), whole)


def test_a_custom_loop_takes_the_steps_of_fit(engine):
    """With noise, because its random numbers count dense layers only."""
    X, y = data()
    noise = [gd.GaussianNoise(0.1)]
    whole, alone = model_of("all", "float32", noise=noise), model_of("all", "float32", noise=noise)
    trainer = gd.Trainer(whole, loss="cross_entropy", optimizer=gd.SGD(lr=0.1), batch_size=None, shuffle=False, seed=1)
    trainer.fit(X, y, epochs=3, verbose=0)
    optimizer, loss = gd.SGD(lr=0.1), gd.CrossEntropy()
    for _ in range(3):
        dZ = loss.value_and_gradient(alone.forward(X, training=True), y)[1]
        alone.backward(dZ, input_gradient=False)
        optimizer.step(alone)
    close(alone.theta, whole.theta, 1e-6)


def test_frozen_and_scaled_by_groups(engine):
    X, y = data()
    model = model_of("all", "float32")
    before = {name: view.copy() for name, view in model.parameters().items()}
    optimizer = gd.SGD(lr=0.1, groups={"0.*": {"lr": 0.0}, "1.frequency": {"lr": 0.0}})
    gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=8).fit(X, y, epochs=2, verbose=0)
    same = {name for name, view in model.parameters().items() if (view == before[name]).all()}
    assert same == {"0.column2", "0.column5", "1.frequency"}


def test_large_phases_are_reduced_without_loss(engine):
    """Thousands of turns: the whole ones are subtracted before the cosine is computed."""
    layer = gd.PeriodicEmbedding(1, n_frequencies=1, dim=1)
    model = gd.Sequential(layer, gd.Dense(2, 1, bias=False), seed=0, dtype="float32")
    model.theta[:] = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]  # frequency, phase, amplitude, offset, W
    x = np.linspace(-4096, 4096, 32 * 8192 + 1)[:, np.newaxis]  # multiples of 1/32, which float32 holds exactly
    assert_allclose(model.predict(x).ravel(), np.cos(2 * np.pi * (x.ravel() % 1)), rtol=0, atol=3e-7)


class TestAgainstPyTorch:
    torch = pytest.importorskip("torch")

    def test_embedding(self, engine):
        torch, (X, _) = self.torch, data()
        model = model_of("embedding", "float32")
        p = {name: torch.tensor(view.copy(), requires_grad=True) for name, view in model.parameters().items()}
        columns = [torch.nn.functional.embedding(torch.tensor(X[:, c].astype(int)), p[f"0.column{c}"]) for c in CODES]
        others = torch.tensor(X[:, [0, 1, 3, 4, 6]], dtype=torch.float32)
        hidden = torch.tanh(torch.cat([others, *columns], dim=1) @ p["1.weight"] + p["1.bias"])
        self.compare(model, X, p, hidden @ p["2.weight"] + p["2.bias"])

    def test_periodic_embedding(self, engine):
        torch, (X, _) = self.torch, data()
        model = model_of("periodic", "float32")
        p = {name: torch.tensor(view.copy(), requires_grad=True) for name, view in model.parameters().items()}
        x = torch.tensor(X, dtype=torch.float32)
        angles = 2 * torch.pi * p["0.frequency"] * x[:, None, [0, 1, 3]] + p["0.phase"]
        features = torch.einsum("bkc,kdc->bdc", torch.cos(angles), p["0.amplitude"]) + p["0.offset"]
        hidden = torch.tanh(torch.cat([x, features.flatten(1)], dim=1) @ p["1.weight"] + p["1.bias"])
        self.compare(model, X, p, hidden @ p["2.weight"] + p["2.bias"])

    def compare(self, model, X, p, outputs):
        assert_allclose(model.forward(X), outputs.detach(), rtol=0, atol=3e-6)
        outputs.sin().sum().backward()
        model.backward(np.cos(outputs.detach().numpy()))
        for name, gradient in model.gradients().items():
            close(gradient, p[name].grad.numpy(), 3e-6)


def test_engines_refuse_widths_that_do_not_match(engine):
    scale, dense = gd.Scale(7), gd.Dense(6, 3)
    layers, size = [scale, dense], scale.size + dense.size
    if engine.backend == "native":
        with pytest.raises(ValueError, match="input layer 0 has 7 outputs, but the next layer takes 6 inputs"):
            engine.executor(layers, np.zeros(size), np.zeros(size))


@pytest.mark.parametrize("engine_", ENGINES, ids=name_of)
def test_predict_of_any_number_of_threads(engine_):
    with on(engine_):
        X, _ = data(300)
        model = model_of("all", "float32")
        want = model.predict(X, n_threads=1)
        for n_threads in (2, 3, None) if engine_.backend == "native" else ():
            assert_array_equal(model.predict(X, n_threads=n_threads), want)
            assert_array_equal(model.predict(X[:1], n_threads=n_threads), want[:1])
            assert_array_equal(model.predict(X.astype(np.float32)[:, :], n_threads=n_threads), want)
