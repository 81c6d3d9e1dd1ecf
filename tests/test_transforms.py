"""What an update does besides its rule: the definitions, and every engine compared with them."""

import itertools

import numpy as np
import pytest
from networks import CASES, ENGINES, NATIVE, NUMPY, REALS, close, name_of, run_of
from problems import in_turn
from transformed import GROUPS, WIDTHS, train

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS

FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]
WIDE = (40, 140, 19, 3)  # beyond the blocks of 512 elements and of 64 columns; none a multiple

# Every setting alone, and all together; each limit affects some values and not others.
SETTINGS = {
    "clip_norm": {"clip_norm": 0.1},
    "clip_value": {"clip_value": 0.01},
    "l1": {"l1": 0.01},
    "max_norm": {"max_norm": 0.7},
    "groups": {"groups": GROUPS, "weight_decay": 0.1},
    "ema": {"average": gd.EMA(0.8)},
    "swa": {"average": gd.SWA(start=2)},
    "all": {
        "clip_norm": gd.Cosine(0.2, 0.05, epochs=4),
        "clip_value": 0.02,
        "l1": gd.Step(0.01, 1),
        "max_norm": lambda t: 0.9 - t / 20,
        "average": gd.EMA(gd.Polynomial(0.9, 0.5, epochs=4)),
        "groups": GROUPS | {"1.*": {"lr": gd.Exponential(1.0, 0.9)}},
        "weight_decay": 0.05,
    },
}
# Rules that divide by a root magnify its rounding errors.
STEADY = {"eps": 1e-2}


def optimizer_of(name, settings):
    cls = OPTIMIZERS[name]
    return cls(**settings, **(STEADY if "eps" in cls.intervals else {}))


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize(("rule", "settings"), [*in_turn(OPTIMIZERS, SETTINGS), *in_turn(OPTIMIZERS, ["all"])])
def test_training_is_that_of_the_definitions(engine, dtype, settings, rule):
    optimizer = optimizer_of(rule, SETTINGS[settings])
    run = run_of("mse", optimizer, WIDTHS, epochs=4, weighted=rule == "adam")
    got, want = train(engine, dtype, optimizer, run), train(NUMPY, "float64", optimizer, run)
    for values, expected in zip(got, want, strict=True):
        close(values, expected, (300 if rule == "sgd" else 3000) * np.finfo(dtype).eps)


@pytest.mark.parametrize(("engine", "dtype"), CASES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_training_of_a_wider_network(engine, dtype, settings):
    optimizer = optimizer_of("sgd", SETTINGS[settings])
    run = run_of("mse", optimizer, WIDE, epochs=4)
    got, want = (train(*on, optimizer, run, widths=WIDE) for on in ((engine, dtype), (NUMPY, "float64")))
    for values, expected in zip(got, want, strict=True):
        close(values, expected, 300 * np.finfo(dtype).eps)


@pytest.mark.parametrize("settings", SETTINGS)
def test_each_setting_matters(settings):
    with_it, without = optimizer_of("sgd", SETTINGS[settings]), optimizer_of("sgd", {})
    run = run_of("mse", with_it, WIDTHS, epochs=4)
    (got, _), (want, _) = (train(NUMPY, "float64", optimizer, run) for optimizer in (with_it, without))
    assert len(got) != len(want) or abs(got - want).max() > 1e-3


@pytest.mark.usefixtures("three_threads")
@pytest.mark.skipif(not FUSED, reason="no instruction set with fused multiply-add here")
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_threads_instruction_sets_and_chunks(settings, dtype):
    optimizer = optimizer_of("adam", SETTINGS[settings])
    run = run_of("cross_entropy", optimizer, WIDE, epochs=4, weighted=True)
    results = [
        np.concatenate(train(engine, dtype, optimizer, run, pieces, n_threads, micro_batch=4, widths=WIDE))
        for engine, n_threads, pieces in itertools.product(FUSED, (1, 2, 3), (1, 5))
    ]
    assert all((result == results[0]).all() for result in results[1:])


# ---- steps of several micro-batches


@pytest.mark.parametrize("engine", ENGINES, ids=name_of)
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("settings", [{}, SETTINGS["all"]], ids=["plain", "all"])
@pytest.mark.parametrize("micro_batch", [1, 2, 4, 9, 100])
def test_micro_batches_are_one_batch(engine, dtype, settings, micro_batch):
    """To the last bit in the C core: each element of dW continues the sum of the previous micro-batch."""
    optimizer = optimizer_of("sgd", settings)
    run = run_of("cross_entropy", optimizer, WIDTHS, epochs=4, weighted=True)
    got = np.concatenate(train(engine, dtype, optimizer, run, micro_batch=micro_batch, n_threads=micro_batch % 3))
    want = np.concatenate(train(engine, dtype, optimizer, run))
    if engine.backend == "native":
        np.testing.assert_array_equal(got, want)
    close(got, want, 300 * np.finfo(dtype).eps)


@pytest.mark.parametrize("weighted", [False, True])
def test_accumulate_is_a_larger_batch(engine, weighted):
    """Steps of 32, 32 and 16 rows, of micro-batches of 8 rows or in one pass."""
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(80, 4)), rng.normal(size=80), rng.random(80) if weighted else None
    thetas = []
    for options in ({"batch_size": 8, "accumulate": 4}, {"batch_size": 32}):
        model = gd.MLP(4, 9, 1, seed=1, dtype="float64")
        trainer = gd.Trainer(model, loss="mse", optimizer=gd.Adam(lr=0.01, average=gd.EMA(0.9)), **options)
        trainer.fit(X, y, epochs=3, sample_weight=weight, verbose=0)
        assert trainer.step == trainer.optimizer.steps == 9
        thetas.append(np.append(model.theta, trainer.averaged.theta))
    np.testing.assert_allclose(*thetas, rtol=0, atol=0 if engine.backend == "native" else 1e-13)


def test_backward_can_add_to_the_gradient(engine):
    rng = np.random.default_rng(0)
    for n_out in (1, 3, 5):
        model = gd.MLP(4, 9, n_out, seed=1, dtype="float64")
        X, dZ = rng.normal(size=(20, 4)), rng.normal(size=(20, n_out))
        model.forward(X)
        model.backward(dZ)
        want = model.grad.copy()
        for i, part in enumerate((slice(7), slice(7, 20))):
            model.forward(X[part])
            model.backward(dZ[part], accumulate=i > 0)
        np.testing.assert_allclose(model.grad, want, rtol=0, atol=0 if engine.backend == "native" else 1e-13)


# ---- custom loops


@pytest.mark.parametrize("rule", ["sgd", "adamw"])
@pytest.mark.parametrize("settings", [name for name in SETTINGS if name != "swa"])
def test_a_custom_loop(engine, settings, rule):
    """The same bits as the trainer, because 1 / 16 is exact; no schedules, which count steps here and epochs there."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(64, 5)).astype("float32"), rng.normal(size=(64, 1)).astype("float32")
    settings = SETTINGS[settings] if settings != "all" else SETTINGS["all"] | {
        "clip_norm": 0.2, "l1": 0.01, "max_norm": 0.8, "average": gd.EMA(0.7), "groups": GROUPS,
    }  # fmt: skip
    models = [gd.MLP(5, 12, 7, 1, activation="tanh", seed=1) for _ in range(2)]
    optimizers = [OPTIMIZERS[rule](lr=0.05, **settings) for _ in range(2)]
    trainer = gd.Trainer(models[0], loss="mse", optimizer=optimizers[0], batch_size=16, shuffle=False)
    trainer.fit(X, Y, epochs=3, verbose=0)
    for _ in range(3):
        for start in range(0, 64, 16):
            rows = slice(start, start + 16)
            models[1].backward(2 * (models[1].forward(X[rows]) - Y[rows]) / 16)
            optimizers[1].step(models[1])
    got, want = (np.append(m.theta, o.state) for m, o in zip(models, optimizers, strict=True))
    np.testing.assert_array_equal(got, want)
    if optimizers[0].average:
        np.testing.assert_array_equal(optimizers[1].averaged(models[1]).theta, trainer.averaged.theta)


def test_swa_in_a_custom_loop_counts_steps(engine):
    model, optimizer, thetas = gd.MLP(2, 3, seed=0, dtype="float64"), gd.SGD(lr=0.1, average=gd.SWA(start=3)), []
    for _ in range(6):
        model.grad[:] = model.theta
        optimizer.step(model)
        thetas.append(model.theta.copy())
        average = optimizer.averaged(model).theta
        np.testing.assert_allclose(average, np.mean(thetas[2:] or thetas[-1:], axis=0), rtol=1e-15)
