"""Training from sources: the same bits as from memory, whatever the blocks; errors that name the block; Ctrl-C."""

import signal
import threading
import time

import numpy as np
import pytest

import fastgd as gd
from fastgd.training.stream import Rows, Stream

X, Y = gd.datasets.digits()
X = (X / 16).astype(np.float32)
WEIGHT = np.random.default_rng(0).uniform(0, 2, len(X))
LABELS = np.array(list("abcdefghij"))[Y]


def trained(*data, epochs=3, shuffle=True, batch_size=32, threads=None, model=None, fit=None, **settings):
    model = model or gd.MLP(64, 32, 10, seed=0)
    loss = "mse" if model.n_out == 1 else "cross_entropy"
    trainer = gd.Trainer(model, loss=loss, shuffle=shuffle, batch_size=batch_size, n_threads=threads, **settings)
    trainer.fit(*data, epochs=epochs, verbose=0, **(fit or {}))
    return trainer


def assert_same(a, b):
    assert np.array_equal(a.model.theta, b.model.theta)
    for name in set(a.history) - {"seconds"}:
        assert a.history[name] == b.history[name], name


def blocks(size, *arrays):
    return lambda: (tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size))


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "fastgd reader"]


@pytest.mark.parametrize(("size", "buffer"), [(100, 300), (7, 1), (5000, 1), (50, 10_000)])
@pytest.mark.parametrize("batch_size", [32, 500])
def test_without_shuffling_a_source_is_its_rows(size, buffer, batch_size):
    source = gd.ArraySource(X, Y, block_rows=size, buffer_rows=buffer)
    options = {"shuffle": False, "batch_size": batch_size, "fit": {"validation": (X[:100], Y[:100])}}
    assert_same(trained(X, Y, **options), trained(source, **options))
    assert_same(trained(X, Y, **options), trained(blocks(size, X, Y), **options))
    assert readers() == []


@pytest.mark.parametrize(
    ("rows", "size", "buffer", "expected"),
    [
        (1000, 100, 1000, [1000]),
        (1000, 100, 999, [500, 500]),
        (1000, 100, 350, [300, 300, 300, 100]),
        (950, 100, 700, [500, 450]),
        (1000, 400, 300, [400, 400, 200]),
        (1000, 1000, 1, [1000]),
    ],
)
def test_windows_are_few_and_even(rows, size, buffer, expected):
    source = gd.ArraySource(np.zeros((rows, 1)), np.zeros(rows), block_rows=size, buffer_rows=buffer)
    like = Rows(np.zeros((1, 1)), np.zeros((1, 1)), None)
    windows = Stream(source, lambda index, block: like, like, 1, 0, False).windows(0)
    assert [sum(source.block_rows[block] for block in window) for window in windows] == expected


def test_one_window_is_shuffled_as_rows_in_memory():
    assert_same(trained(X, Y), trained(gd.ArraySource(X, Y, block_rows=100)))


@pytest.mark.parametrize(
    ("data", "settings", "fit"),
    [
        ((X, Y, WEIGHT), {}, {}),
        ((X, Y, WEIGHT), {}, {"class_weight": "balanced"}),
        ((X, Y), {}, {"class_weight": {3: 2.5}}),
        ((X, Y, WEIGHT), {"standardize": True}, {}),
        ((X.astype(np.float64), LABELS), {"accumulate": 3}, {}),
        ((gd.datasets.digits()[0], Y), {"standardize": True, "grad_norm": True}, {}),
        ((X, np.eye(10)[Y]), {}, {}),
        ((X, Y), {"standardize": True}, {"augment": lambda rows, rng: rows + rng.normal(size=rows.shape)}),
        ((X, X[:, 0] * 3.0, WEIGHT), {"standardize": True, "model": (64, 8, 1)}, {}),
    ],
)
def test_settings_mean_what_they_mean_for_arrays(data, settings, fit):
    settings = dict(settings)
    widths = settings.pop("model", (64, 32, 10))

    def run(*args, **more):
        model = gd.MLP(*widths, seed=0)
        return trained(*args, shuffle=False, model=model, fit=fit | more, **settings)

    in_memory = run(*data[:2], **({"sample_weight": data[2]} if len(data) == 3 else {}))
    source = gd.ArraySource(*data, block_rows=100, buffer_rows=300)
    assert_same(in_memory, run(source))


def test_shuffled_bits_depend_on_blocks_but_on_nothing_else(tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y)
    options = {"block_rows": 100, "buffer_rows": 300}
    expected = trained(gd.ArraySource(X, Y, **options), threads=1)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for source in (
        gd.ArraySource(tmp_path / "X.npy", tmp_path / "y.npy", **options),
        gd.ArraySource(mapped, Y, **options),
    ):
        assert_same(expected, trained(source, threads=2))
    assert not np.array_equal(expected.model.theta, trained(X, Y).model.theta)


def test_every_epoch_uses_every_row_once_in_another_order():
    source = gd.ArraySource(X, np.arange(len(X)), block_rows=100, buffer_rows=350)
    seen = []
    for epoch in range(3):
        like = trained_rows(source, slice(0, 1))
        stream = Stream(source, lambda index, block: Rows_of(*block), like, 32, 0, True)
        steps, parts = [], []
        for segment in stream._segments(epoch, 0, lambda: False):  # the memory of one serves the next but one
            steps.append((segment.first, segment.last))
            parts.append(segment.rows.Y[segment.order, 0])
        order = np.concatenate(parts)
        assert sorted(order) == list(range(len(X)))
        assert [first for first, _ in steps[1:]] == [last for _, last in steps[:-1]]
        later = np.concatenate([s.rows.Y[s.order, 0] for s in stream._segments(epoch, 20, lambda: False)])
        assert np.array_equal(later, order[20 * 32 :])
        seen.append(order.tolist())
    assert seen[0] != seen[1] != seen[2]


def Rows_of(X, y):
    from fastgd.training.stream import Rows

    return Rows(X, y[:, np.newaxis], None)


def trained_rows(source, rows):
    block = source.block(0)
    return Rows_of(block[0][rows], block[1][rows])


@pytest.mark.parametrize("weight", [(), (WEIGHT,)])
def test_resumed_in_the_middle_of_an_epoch(tmp_path, weight):
    """A run that is stopped, saved, loaded and resumed ends in the same bits, history included."""
    source = gd.ArraySource(X, Y, *weight, block_rows=100, buffer_rows=300)
    trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy")
    trainer.fit(source, epochs=3, callbacks=[gd.StepBudget(71)], verbose=0)
    assert trainer.step == 71
    assert trainer.partial_epoch is not None
    trainer.save(tmp_path / "run.npz")
    resumed = gd.Trainer.load(tmp_path / "run.npz")
    resumed.fit(source, epochs=None, verbose=0)
    assert_same(trained(source), resumed)


def test_a_source_that_fails_loses_nothing():
    """Theta is that of the steps counted; the next fit continues to the bits of a run without the failure."""
    is_broken = [True]

    class Unreliable(gd.ArraySource):
        reads = 0

        def block(self, index):
            self.reads += 1
            if self.reads > 30 and is_broken[0]:
                raise OSError("the network is down")
            return super().block(index)

    options = {"block_rows": 100, "buffer_rows": 300}
    source = Unreliable(X, Y, **options)
    trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy")
    with pytest.raises(RuntimeError, match=r"block \d+ of the source: OSError: the network is down"):
        trainer.fit(source, epochs=3, verbose=0)
    assert trainer.stop_reason == "error"
    assert trainer.epoch == 1
    assert 0 < len(trainer.partial_epoch.losses) < 57
    assert readers() == []
    is_broken[0] = False
    trainer.fit(source, epochs=None, verbose=0)
    assert_same(trained(gd.ArraySource(X, Y, **options)), trainer)


def test_ctrl_c_while_a_block_is_awaited():
    """It does not wait for the source."""
    release = threading.Event()

    class Slow(gd.ArraySource):
        def block(self, index):
            if index == 15:
                threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
                release.wait(2)
            return super().block(index)

    trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", shuffle=False)
    trainer.fit(Slow(X, Y, block_rows=100, buffer_rows=100), epochs=2, verbose=0)
    release.set()
    assert trainer.stop_reason == "interrupted"
    assert trainer.step == 46  # of the first 15 blocks
    for _ in range(100):
        if readers():
            time.sleep(0.05)
    assert readers() == []


def test_blocks_that_are_invalid_are_named():
    def source(**changes):
        def make():
            for i, block in enumerate(blocks(600, X, Y)()):
                yield changes.get(f"b{i}", block)

        return gd.IterSource(make, block_rows=[600, 600, 597])

    bad = X[600:1200].copy()
    bad[5, 3] = np.nan
    cases = [
        ((bad, Y[600:1200]), ValueError, "X of block 1 must be finite, but has nan in row 5, column 3"),
        ((bad[:, 1:], Y[600:1200]), ValueError, r"X of block 1 must have shape \(rows, 64\)"),
        ((X[600:1200], Y[600:1100]), ValueError, "X of block 1 and y of block 1 must have the same number of rows"),
        (
            (X[600:1100], Y[600:1100]),
            ValueError,
            "block 1 of the source must have 600 rows, by its block_rows, not 500",
        ),
        ((X[600:1200],), TypeError, "block 1 of the source must be"),
        ((X[600:1200], Y[600:1200] + 5), ValueError, "y of block 1"),
        ((X[600:1200], Y[600:1200], WEIGHT[600:1200]), ValueError, "a sample_weight or none, but block 1"),
        ((X[600:1200], Y[600:1200], WEIGHT[600:1200] * 1e30), ValueError, "sample_weight of block 1 has"),
    ]
    for block, error, message in cases:
        trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy")
        with pytest.raises(error, match=message):
            trainer.fit(source(b1=block), epochs=2, classes=range(10), verbose=0)
        assert readers() == []
    with pytest.raises(RuntimeError, match="the source ended before block 3"):
        trained(gd.IterSource(blocks(600, X, Y), block_rows=[600, 600, 597, 10]))


@pytest.mark.parametrize(
    ("settings", "fit", "message"),
    [
        ({}, {"validation": 0.2}, "source.split"),
        ({}, {"y": Y}, "y must be None"),
        ({}, {"sample_weight": WEIGHT}, "sample_weight must be None"),
        ({"batch_size": None}, {}, "batch_size=None would need all rows"),
        ({"train_metrics": True}, {}, "train_metrics=True would read"),
        ({"shards": 2}, {}, "shards=1"),
    ],
)
def test_what_a_source_cannot_do(settings, fit, message):
    trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", **settings)
    before = trainer.model.theta.copy()
    with pytest.raises((TypeError, ValueError), match=message):
        trainer.fit(gd.ArraySource(X, Y), epochs=1, verbose=0, **fit)
    assert np.array_equal(before, trainer.model.theta)


def test_a_fit_without_targets_says_so():
    with pytest.raises(TypeError, match="fit needs y"):
        trained(X)


def test_split_and_validation_by_a_source():
    source = gd.ArraySource(X, Y, block_rows=100)
    training, held_out = source.split(0.2)
    assert len(training) + len(held_out) == len(X)
    trainer = trained(training, fit={"validation": held_out})
    assert trainer.history["validation_accuracy"][-1] == trainer.evaluate(*held_out.arrays())["accuracy"]
    parts = gd.IterSource(blocks(100, X, Y)).split(0.2)
    assert np.array_equal(parts[1].arrays()[1], held_out.arrays()[1])


def test_rows_sorted_by_class_are_learned():
    """Blocks of one class each: windows of several blocks mix them."""
    order = np.argsort(Y, kind="stable")
    source = gd.ArraySource(X[order], Y[order], block_rows=50, buffer_rows=500)
    scores = [trained(*data, epochs=30).evaluate(X, Y)["accuracy"] for data in ((X, Y), (source,))]
    assert scores[1] > scores[0] - 0.02


def test_npy_files_that_cannot_be_read_in_parts(tmp_path):
    np.save(tmp_path / "F.npy", np.asfortranarray(X))
    with pytest.raises(ValueError, match="Fortran order"):
        gd.ArraySource(tmp_path / "F.npy", Y)
    np.save(tmp_path / "O.npy", np.array([None, 1]))
    with pytest.raises(ValueError, match="Python objects"):
        gd.ArraySource(tmp_path / "O.npy", Y)
    (tmp_path / "T.npy").write_bytes((tmp_path / "F.npy").read_bytes()[:1000].replace(b"True", b"False"))
    with pytest.raises(ValueError, match="truncated|not a .npy file"):
        gd.ArraySource(tmp_path / "T.npy", Y)
    with pytest.raises(ValueError, match="same number of rows"):
        gd.ArraySource(X, Y[:-1])


@pytest.mark.parametrize("block_rows", [1000, 8192, 20_000])
@pytest.mark.parametrize("has_weight", [False, True])
def test_evaluation_and_predictions_are_those_of_the_rows_in_memory(block_rows, has_weight):
    random = np.random.default_rng(0)
    X = random.normal(size=(20_000, 3)).astype(np.float32)
    y = np.where(X[:, 0] > X[:, 1], "more", "less")
    weight = (random.uniform(0, 2, len(X)),) if has_weight else ()
    trainer = gd.Trainer(gd.MLP(3, 8, 1, seed=0), loss="bce", metrics=["accuracy", "roc_auc"], standardize="X")
    trainer.fit(X[:500], y[:500], epochs=2, verbose=0)
    source = gd.ArraySource(X, y, *weight, block_rows=block_rows)
    assert trainer.evaluate(source) == trainer.evaluate(X, y, *weight)
    for predict in (trainer.model.predict, trainer.model.predict_proba):
        np.testing.assert_array_equal(predict(source), predict(X))


def test_evaluation_of_blocks_that_come_in_order():
    X, y = gd.datasets.digits()
    trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy")
    blocks = lambda: ((X[i : i + 300], y[i : i + 300]) for i in range(0, len(X), 300))  # noqa: E731
    assert trainer.evaluate(blocks) == trainer.evaluate(X, y)


def test_evaluation_names_the_block():
    X, y = np.zeros((30, 2)), np.zeros(30)
    trainer = gd.Trainer(gd.MLP(2, 1, seed=0), loss="mse")
    bad = X.copy()
    bad[12, 1] = np.nan
    with pytest.raises(ValueError, match="X of block 1 must be finite"):
        trainer.evaluate(gd.ArraySource(bad, y, block_rows=10))
    with pytest.raises(TypeError, match="y must be None where X is a source"):
        trainer.evaluate(gd.ArraySource(X, y), y)
    with pytest.raises(TypeError, match="evaluate needs y"):
        trainer.evaluate(X)
