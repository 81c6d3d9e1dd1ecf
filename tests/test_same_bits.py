"""One seed, one result, to the last bit: over threads, instruction sets, chunks of steps, shuffled or not."""

import hashlib
import itertools

import numpy as np
import pytest
from networks import NATIVE, REALS, Net, name_of, run_of
from problems import LOSS_CASES

from fastgd import MLP, SGD, Trainer, backend, datasets

FUSED = [engine for engine in NATIVE if engine.isa != "scalar"]
pytestmark = pytest.mark.skipif(not FUSED, reason="no instruction set with fused multiply-add here")

# SHA-256 of theta after the training of `known_answer`: another one breaks the promise to users of older versions.
HASHES = {
    "float32": "63039395129c2e87050238369707b237e2ee04b7ec8e54ccad0b364abe7bdf41",
    "float64": "a6c7ac924a6ab518bd8c77590e6f7febac140d1409a7203ffceaa3fc6f549d97",
}


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("loss", LOSS_CASES)
def test_threads_instruction_sets_and_chunks(loss, dtype):
    # 345 is beyond the blocks of rows, and 520 rows are, on one thread, beyond a pass; all tiles are ragged.
    widths = (37, 345, 19, 3)
    run = run_of(LOSS_CASES[loss], "adam", widths, rows=530, batch=520, weighted=True)
    results = []
    for engine in FUSED:
        for n_threads in (1, 2, 3):
            for pieces in (1, 3):
                net = Net(engine, dtype, widths)
                losses, state = run.on(net, pieces, n_threads)
                results.append(np.concatenate([net.theta, state.ravel(), losses]))
    assert all((result == results[0]).all() for result in results[1:])


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_teams_that_the_engine_chooses(engine):
    """It measures as it goes and lets threads go or come back, at moments that differ from run to run.

    In windows of 5 ms: the first is of all threads, the second of half of them, the third of those that were faster.
    """
    widths = (64, 128, 64, 10)
    run = run_of("cross_entropy", "sgd", widths, rows=640, batch=64, epochs=20 if engine.isa == "scalar" else 300)
    alone, together = Net(engine, "float32", widths), Net(engine, "float32", widths)
    want, got = run.on(alone, n_threads=1), run.on(together, pieces=2, n_threads=0)
    assert (together.theta == alone.theta).all() and (got[0] == want[0]).all()


@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_where_rows_lie_in_memory(engine):
    """Rows in random order, and the same rows one after the other."""
    widths = (37, 33, 3)
    run = run_of("mse", "adam", widths, rows=100, batch=32, weighted=True)
    there, here = Net(engine, "float32", widths), Net(engine, "float32", widths)
    rows = {name: getattr(run, name)[run.order] for name in ("X", "Y", "weight")}
    run.on(there)
    run.changed(order=np.arange(200), **rows).on(here)
    assert (there.theta == here.theta).all()


def trained(engine, shuffle, n_threads, epochs):
    """theta and outputs of a classifier of the digits, after calls of fit for so many epochs."""
    X, y = datasets.digits()
    with backend.override(engine.backend, engine.isa):
        model = MLP(64, 32, 10, seed=1)
        optimizer = SGD(lr=0.01, momentum=0.9)
        trainer = Trainer(model, loss="cross_entropy", optimizer=optimizer, shuffle=shuffle, n_threads=n_threads)
        for n in epochs:
            trainer.fit(X, y, epochs=n, verbose=0)
        return np.append(model.theta, model.forward(X))


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("shuffle", [True, False])
def test_trainer(shuffle):
    ways = [(engine, n, epochs) for engine in FUSED for n, epochs in ((1, (4,)), (2, (1, 3)), (3, (2, 2)))]
    results = [trained(engine, shuffle, n_threads, epochs) for engine, n_threads, epochs in ways]
    assert all((result == results[0]).all() for result in results[1:])


@pytest.mark.usefixtures("three_threads")
def test_threads_that_share_rows():
    """Few rows for many weights: threads split columns, also in passes of a regime, with noise, and with softmax."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 170)), rng.integers(10, size=60)
    results = []
    for engine, n_threads in itertools.product(FUSED, (1, 2, 3)):
        with backend.override(engine.backend, engine.isa):
            model = MLP(170, 130, 99, 10, activation="gelu", output="softmax", dropout=0.2, seed=1)
            assert n_threads == 1 or model.plan(12, n_threads).grid == (1, n_threads)
            options = {"batch_size": 12, "accumulate": 2, "n_threads": n_threads, "optimizer": SGD(0.1, clip_norm=1.0)}
            Trainer(model, loss="mse", **options).fit(X, np.eye(10)[y], epochs=2, verbose=0)
            results.append(model.theta)
    assert all((result == results[0]).all() for result in results[1:])


def known_answer(dtype):
    X, y = datasets.digits()
    model = MLP(64, 33, 17, 10, activation="tanh", seed=7, dtype=dtype)
    trainer = Trainer(model, loss="cross_entropy", optimizer="adam", batch_size=50, seed=3)
    trainer.fit(X[:500], y[:500], epochs=3, verbose=0)
    return hashlib.sha256(model.theta.tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", HASHES)
@pytest.mark.parametrize("engine", FUSED, ids=name_of)
def test_the_bits_of_earlier_versions(engine, dtype):
    with backend.override(engine.backend, engine.isa):
        assert known_answer(dtype) == HASHES[dtype]


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("widths", [(300, 513, 1), (513, 300, 3), (41, 1), (700, 501), (1100, 1024)], ids=str)
def test_rows_that_are_predicted_together(widths, dtype):
    """One by one, a few at a time, all at once: the rows of a large layer and single outputs have ways of their own."""
    X = np.random.default_rng(0).normal(size=(37, widths[0])).astype(dtype)
    results = []
    for engine in FUSED:
        with backend.override(engine.backend, engine.isa):
            model = MLP(*widths, activation="tanh", seed=1, dtype=dtype)
            for rows in (37, 16, 5, 2, 1):
                results.append(np.concatenate([model.predict(X[i : i + rows]) for i in range(0, 37, rows)]))
            results.append(model.forward(X[:1]))
    assert all((result == results[0][: len(result)]).all() for result in results[1:])


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("engine", NATIVE, ids=name_of)
def test_where_rows_lie_that_are_predicted(engine, dtype):
    """One after the other, with something between them, backwards, a page apart, as another type of numbers."""
    X = np.random.default_rng(0).integers(-9, 9, size=(300, 37)).astype(dtype)
    page = np.full((len(X), 4096 // X.itemsize), np.nan, dtype)
    page[:, : X.shape[1]] = X
    with backend.override(engine.backend, engine.isa):
        model = MLP(37, 33, 3, activation="tanh", seed=1, dtype=dtype)
        want = model.forward(X)
        others = [page[:, :37], page[:, :50].copy()[:, :37], X[::-1].copy()[::-1], X.astype(np.int8), X.astype("f2")]
        assert all((model.predict(rows) == want).all() for rows in [X, *others])
