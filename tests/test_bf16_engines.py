"""Products in bfloat16 on every engine: those of the NumPy engine, and the same bits however the work is divided."""

import hashlib
import itertools

import numpy as np
import pytest
from input_stacks import STACKS, data, model_of, on
from networks import ALL_ENGINES, NUMPY, Net, close, name_of, numbers, run_of
from problems import EACH_ACTIVATION, LOSS_CASES, RULE_USERS, TRAININGS

from fastgd import MLP, SGD, Adam, Dropout, Sequential, Trainer, backend, datasets
from fastgd.layers import Dense

NATIVE = [engine for engine in ALL_ENGINES if engine.backend == "native"]
FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]
needs_fused = pytest.mark.skipif(not FUSED, reason="no instruction set with fused multiply-add here")

# SHA-256 of theta after the training of `known_answer`: another one breaks the promise to users of older versions.
HASH = "e33d7a87a91dcaeabc260ca668c807c142fb595393f4e71c83a857bc5ebfa6ac"

WIDTHS = (5, 33, 9, 3)


def net(engine, widths, hidden="tanh", **options):
    return Net(engine, "float32", widths, hidden, precision="bf16", **options)


# Around groups of 32 products, tiles of 16 rows and columns, and blocks of 32 of them; single rows and outputs.
SHAPES = [
    *itertools.product([1, 2, 16, 31, 33], [1, 5, 32, 33], [1, 7, 17]),
    *[(70, 100, 65), (129, 31, 48), (16, 257, 16), (64, 784, 128), (3, 1025, 2)],
]


def passes(engine, rows, n_in, n):
    """Results of forward, predict and two times backward of n_in -> n -> n_in, without exp or log."""
    rng, network = np.random.default_rng(rows + n), net(engine, (n_in, n, n_in), "relu")
    X, dZ, dX = numbers(rng, rows, n_in), numbers(rng, rows, n_in).astype("f4"), network.empty(rows, n_in)
    Z = network.forward(X, n_threads=1 + rows % 3)
    network.network.backward(dZ, dX, 1 + n % 3)
    grad = network.grad.copy()
    network.network.backward(dZ, None, 1, True)
    return Z, network.predict(X), grad, dX, network.grad


@pytest.mark.parametrize("engine", FUSED, ids=name_of)
def test_products_have_the_bits_of_the_definition(engine):
    for shape in SHAPES:
        for got, want in zip(passes(engine, *shape), passes(NUMPY, *shape), strict=True):
            np.testing.assert_array_equal(got, want, err_msg=str(shape))


@pytest.mark.parametrize("engine", ALL_ENGINES, ids=name_of)
def test_products_of_values_of_all_sizes(engine):
    """Factors that are denormal, or whose products are, and infinities, at all places of a group."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(40, 70)) * 2.0 ** rng.integers(-130, 60, (40, 70))).astype("f4")
    X[3, 5], X[7, 40], X[9, 9] = np.inf, -np.inf, np.nan
    results = []
    for one in (engine, NUMPY):
        network = net(one, (70, 9))
        network.theta[:630] *= 2.0 ** np.random.default_rng(1).integers(-60, 60, 630)
        results.append(network.forward(X))
    if engine in FUSED:
        np.testing.assert_array_equal(*results)
    finite = np.isfinite(results[1])
    assert (np.isfinite(results[0]) == finite).all()
    np.testing.assert_allclose(results[0][finite], results[1][finite], rtol=1e-2)


# A float32 that differs in its last bit, because exp does, may be rounded to the other neighbour of bfloat16: an error
# of 2^-8 of one factor.  In these networks it is one of many factors of every sum.
TOLERANCE = 2.0**-8


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
@pytest.mark.parametrize(("activation", "loss", "optimizer", "weighted"), TRAININGS)
def test_training_is_that_of_the_definition(engine, activation, loss, optimizer, weighted):
    run = run_of(LOSS_CASES[loss], RULE_USERS[optimizer], WIDTHS, weighted=weighted)
    network, reference = net(engine, WIDTHS, activation), net(NUMPY, WIDTHS, activation)
    (got_losses, _), (want_losses, _) = run.on(network), run.on(reference)
    close(network.theta, reference.theta, TOLERANCE)
    close(got_losses, want_losses, TOLERANCE)


@pytest.mark.parametrize("activation", EACH_ACTIVATION, ids=lambda f: f.name)
def test_the_gradient_is_near_that_of_float32(engine, activation):
    """Every factor is wrong by up to 2^-9 of itself: so, about, is the gradient, except at the kinks of f."""
    rng = np.random.default_rng(4)
    X, dZ = numbers(rng, 50, 40), numbers(rng, 50, 7).astype("f4")
    bf16, f32 = net(engine, (40, 60, 7), activation), Net(engine, "float32", (40, 60, 7), activation)
    for network in (bf16, f32):
        network.forward(X)
        network.network.backward(dZ)
    assert 0 < np.linalg.norm(bf16.grad - f32.grad) < 2.0**-4 * np.linalg.norm(f32.grad)


def test_the_gradient_is_the_slope_of_the_loss(engine):
    """Loosely: the loss itself is a staircase, so its differences are taken over many stairs."""
    rng, network = np.random.default_rng(5), net(engine, (40, 60, 1), "tanh")
    X, theta, losses = numbers(rng, 300, 40), network.theta.copy(), []
    Z = network.forward(X)
    network.network.backward(2 * Z / Z.size)
    steepest = np.linalg.norm(network.grad)
    for h in (-0.05, 0.05):
        network.theta[:] = theta + h * network.grad / steepest
        losses.append((network.predict(X).astype("f8") ** 2).mean())
    assert (losses[1] - losses[0]) / 0.1 == pytest.approx(steepest, rel=0.02)


# ---- the same bits


@needs_fused
@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "bce"])
def test_threads_instruction_sets_and_chunks(loss, optimizer):
    widths = (37, 345, 19, 3)  # all tiles are ragged
    run = run_of(LOSS_CASES[loss], optimizer, widths, rows=530, batch=520, weighted=True)
    results = []
    for engine in FUSED:
        for n_threads in (1, 2, 3):
            for pieces in (1, 3):
                network = net(engine, widths)
                losses, state = run.on(network, pieces, n_threads)
                results.append(np.concatenate([network.theta, state.ravel(), losses]))
    assert all((result == results[0]).all() for result in results[1:])


@pytest.mark.parametrize("engine", [*FUSED, NUMPY], ids=name_of)
def test_micro_batches(engine):
    """They begin at multiples of 32 rows, whatever their size: so the products have the same groups."""
    widths = (9, 20, 3)
    run = run_of("mse", SGD(clip_norm=0.5), widths, rows=150, batch=150)
    results = []
    for rows in (1, 32, 33, 100, 150):
        network = net(engine, widths, "relu")
        t = np.arange(1, len(run.starts))
        transforms = run.optimizer.transforms(network, t, t.astype(float), micro_batch=rows)
        network.network.train(run.chunk(network, transforms=transforms))
        results.append(network.theta)
    assert all((theta == results[0]).all() for theta in results[1:])


@needs_fused
@pytest.mark.parametrize("widths", [(300, 513, 1), (513, 300, 3), (41, 1), (700, 501)], ids=str)
def test_rows_that_are_predicted_together(widths):
    """Single rows and outputs have no way of their own that would change a bit."""
    X = np.random.default_rng(0).normal(size=(37, widths[0])).astype("f4")
    results = []
    for engine in FUSED:
        with backend.override(engine.backend, engine.isa):
            model = MLP(*widths, activation="tanh", seed=1)
            for rows in (37, 16, 5, 2, 1):
                parts = [model.predict(X[i : i + rows], precision="bf16") for i in range(0, 37, rows)]
                results.append(np.concatenate(parts))
            results.append(model.forward(X[:1], precision="bf16").reshape(results[0][:1].shape))
    assert all((result == results[0][: len(result)]).all() for result in results[1:])


def known_answer(n_threads=None, epochs=(2,)):
    X, y = datasets.digits()
    model = Sequential(Dense(64, 40, "relu"), Dropout(0.2), Dense(40, 10), seed=1)
    options = {"optimizer": Adam(lr=0.01, clip_norm=1.0), "batch_size": 70, "n_threads": n_threads}
    trainer = Trainer(model, loss="mse", precision="bf16", **options)
    for n in epochs:
        trainer.fit(X, np.eye(10, dtype="f4")[y], epochs=n, verbose=0)
    return hashlib.sha256(model.theta.tobytes()).hexdigest()


@pytest.mark.parametrize("engine", FUSED, ids=name_of)
def test_the_result_is_that_of_earlier_versions(engine):
    with backend.override(engine.backend, engine.isa):
        assert known_answer() == known_answer(1, (1, 1)) == HASH


@needs_fused
@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("stack", STACKS)
def test_layers_of_inputs_are_trained_alike_in_one_chunk_or_several(stack):
    """The gradient of their outputs needs W of the first dense layer as the step before has left it."""
    X, y = data()

    def trained(engine, parts, n_threads=1):
        with on(engine):
            model = model_of(stack, "float32")
            options = {"loss": "cross_entropy", "batch_size": 9, "seed": 0, "precision": "bf16"}
            trainer = Trainer(model, optimizer=SGD(0.001), n_threads=n_threads, **options)
            for epochs in parts:
                trainer.fit(X, y, epochs=epochs, verbose=0)
            return model.theta.copy(), model.predict_proba(X, precision="bf16")

    want = trained(FUSED[0], [4])
    for engine in FUSED:
        for parts, n_threads in (([4], 2), ([1, 3], 1), ([1, 1, 2], 3)):
            for got, expected in zip(trained(engine, parts, n_threads), want, strict=True):
                np.testing.assert_array_equal(got, expected)
    for got, definition in zip(want, trained(NUMPY, [4]), strict=True):
        close(got, definition, TOLERANCE)
