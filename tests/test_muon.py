"""Muon: orthogonalized steps for weights, AdamW for the rest; PyTorch's values, on every engine."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
from networks import CASES, NATIVE, NUMPY, REALS, close, run_of
from training import fit, make
from transformed import GROUPS, train

import fastgd as gd
from fastgd.optimizers.orthogonal import orthogonalize

FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]
WIDTHS = (5, 33, 9, 3)  # wide and tall, with and without bias
NS = np.array((3.4445, -4.775, 2.0315))
SETTINGS = {
    "default": {},
    "original": {"adjust_lr_fn": "original", "nesterov": False, "ns_steps": 2},
    "adamw for the ends": {"adamw": ("0.*", "2.*")},
    "penalty": {"weight_decay": 0.3, "decoupled_weight_decay": False},
    "all": {
        "lr": gd.Cosine(0.05, epochs=5),
        "momentum": lambda t: 0.8 + t / 80,
        "clip_norm": 0.1,
        "l1": 0.01,
        "max_norm": 0.9,
        "average": gd.EMA(0.8),
        "groups": GROUPS,
        "adamw": ("2.*",),
    },
}


def optimizer_of(name):
    return gd.Muon(**{"lr": 0.02, "adamw_eps": 1e-2} | SETTINGS[name])


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5), (5, 1), (40, 25)])
def test_singular_values_come_close_to_1(shape):
    G = np.random.default_rng(0).normal(size=shape)
    values = np.linalg.svd(orthogonalize(G, NS, 5, 1e-7), compute_uv=False)
    assert values.min() > 0.3
    assert values.max() < 1.3
    np.testing.assert_allclose(orthogonalize(G.T, NS, 5, 1e-7).T, orthogonalize(G, NS, 5, 1e-7), atol=1e-13)


def test_a_classical_iteration_converges_to_the_polar_factor():
    """With (15, -10, 3) / 8, Newton-Schulz of order 5."""
    G = np.random.default_rng(0).normal(size=(4, 6))
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    np.testing.assert_allclose(orthogonalize(G, np.array([15, -10, 3]) / 8, 40, 1e-7), U @ Vt, atol=1e-12)


def test_no_gradient_no_step(engine):
    model, optimizer = gd.MLP(4, 3, 2, seed=0), gd.Muon(weight_decay=0.0)
    before, model.grad[:] = model.theta.copy(), 0
    optimizer.step(model)
    np.testing.assert_array_equal(model.theta, before)


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("micro_batch", [None, 4])
def test_fused_steps_are_those_of_the_definition(engine, dtype, name, micro_batch):
    optimizer = optimizer_of(name)
    run = run_of("mse", optimizer, WIDTHS, epochs=4)
    got = train(engine, dtype, optimizer, run, micro_batch=micro_batch)
    want = train(NUMPY, "float64", optimizer, run)
    for values, expected in zip(got, want, strict=True):
        close(values, expected, 3e4 * np.finfo(dtype).eps)


@pytest.mark.skipif(not FUSED, reason="no instruction set with fused multiply-add here")
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_bits(name, dtype):
    widths = (40, 70, 19, 3)
    optimizer = optimizer_of(name)
    run = run_of("cross_entropy", optimizer, widths, epochs=4)
    results = [
        np.concatenate(train(engine, dtype, optimizer, run, pieces, n_threads, micro_batch=4, widths=widths))
        for engine, n_threads, pieces in itertools.product(FUSED, (1, 2, 3), (1, 5))
    ]
    assert all((result == results[0]).all() for result in results[1:])


@pytest.mark.parametrize("dtype", REALS)
def test_a_custom_loop_and_resumed_runs_are_the_same(engine, dtype, tmp_path):
    def new(**settings):
        return make(optimizer=gd.Muon(lr=0.01, average=gd.EMA(0.9)), dtype=dtype, shuffle=False, **settings)

    whole, stopped = new(), new()
    fit(whole, 4)
    fit(stopped, 2)
    stopped.save(tmp_path / "run.npz")
    for trainer in (gd.Trainer.load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(stopped)), copy.deepcopy(stopped)):
        fit(trainer, 2)
        np.testing.assert_array_equal(trainer.averaged.theta, whole.averaged.theta)
    loop, steps = new(batch_size=None), new(batch_size=None)
    fit(loop, 3)
    for _ in range(3):
        fit(steps, 1)
    np.testing.assert_array_equal(loop.model.theta, steps.model.theta)


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_as_pytorch(engine, adjust, nesterov, monkeypatch):
    """Which iterates in bfloat16, unless its conversion is replaced."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    model = gd.MLP(5, 8, 3, seed=1, dtype="float64")
    groups = {"weight": [], "bias": []}
    for name, value in model.parameters().items():
        groups[name[2:]].append(torch.nn.Parameter(torch.tensor(value.T.copy())))
    common = {"lr": 0.02, "weight_decay": 0.3}
    muon = torch.optim.Muon(groups["weight"], nesterov=nesterov, adjust_lr_fn=adjust, **common)
    adamw = torch.optim.AdamW(groups["bias"], **common)
    ours = gd.Muon(nesterov=nesterov, adjust_lr_fn=adjust, **common)
    rng = np.random.default_rng(0)
    for _ in range(50):
        for l, (weight, bias) in enumerate(zip(groups["weight"], groups["bias"], strict=True)):
            for parameter, name in ((weight, "weight"), (bias, "bias")):
                gradient = rng.normal(size=tuple(parameter.shape))
                parameter.grad = torch.tensor(gradient)
                model.gradients()[f"{l}.{name}"][:] = gradient.T
        ours.step(model)
        muon.step()
        adamw.step()
    for l, (weight, bias) in enumerate(zip(groups["weight"], groups["bias"], strict=True)):
        np.testing.assert_allclose(model.parameters()[f"{l}.weight"], weight.detach().numpy().T, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(model.parameters()[f"{l}.bias"], bias.detach().numpy(), rtol=1e-10)


def test_a_large_matrix(engine):
    """Beyond the blocks of the products along k and the caches."""
    model, reference = (gd.MLP(700, 300, seed=0, dtype="float64") for _ in range(2))
    optimizers = gd.Muon(lr=0.1), gd.Muon(lr=0.1)
    gradient = np.random.default_rng(0).normal(size=model.size)
    model.grad[:] = gradient
    optimizers[0].step(model)
    with gd.backend.override("numpy", None):
        reference.grad[:] = gradient
        optimizers[1].step(reference)
    close(model.theta, reference.theta, 1e-12)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"ns_steps": 0}, ValueError, "ns_steps must be 1 or more"),
        ({"ns_steps": 100}, ValueError, "ns_steps"),
        ({"ns_steps": 2.5}, TypeError, "ns_steps must be an integer"),
        ({"ns_coefficients": (1, 2)}, ValueError, "ns_coefficients must be three numbers"),
        ({"ns_coefficients": (1, 2, math.nan)}, ValueError, r"ns_coefficients\[2\] must be in"),
        ({"adjust_lr_fn": "match_rms"}, ValueError, "did you mean 'match_rms_adamw'"),
        ({"adamw": "0.*"}, TypeError, "adamw must be a sequence of patterns"),
        ({"momentum": 1.0}, ValueError, r"momentum must be in \[0, 1\)"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        gd.Muon(**settings)
    optimizer = gd.Muon()
    (name, value), before = next(iter(settings.items())), repr(optimizer)
    with pytest.raises(error, match=message):
        setattr(optimizer, name, value)
    assert repr(optimizer) == before


def test_a_pattern_must_match():
    with pytest.raises(ValueError, match=r"the pattern '7.\*' of adamw matches no parameter; there are 0.weight"):
        fit(make(optimizer=gd.Muon(adamw=["7.*"])), 1)
