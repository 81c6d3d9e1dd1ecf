"""`Trainer.train_on_batch`, and functions of the user within the steps of `fit`."""

import copy
import pickle
import signal
import time

import numpy as np
import pytest
from training import ROWS, Chunks, EachEpoch, blobs, make, problem

import fastgd as gd
from fastgd.callbacks import TimeBudget
from fastgd.losses import LOSSES
from fastgd.training import chunks

X, KIND = blobs()
X = X.astype("float32")
WORDS = np.array(["red", "green", "blue"])[KIND]


def epoch_of(trainer, X, y, weight=None):
    parts = [slice(i, i + 16) for i in range(0, ROWS, 16)]
    return [trainer.train_on_batch(X[p], y[p], None if weight is None else weight[p]) for p in parts]


# ---- train_on_batch


@pytest.mark.parametrize("weight", [None, np.arange(ROWS) % 3], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_batches_are_the_steps_of_fit(engine, loss, weight):
    X, y, _ = problem(loss)
    one, other = (make(loss, shuffle=False) for _ in range(2))
    for trainer in (one, other):
        trainer.fit(X, y, epochs=1, verbose=0)
    one.fit(X, y, epochs=2, sample_weight=weight, verbose=0)
    first, _ = (epoch_of(other, X, y, weight) for _ in range(2))
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    assert (other.step, other.optimizer.steps, other.epoch) == (12, 12, 1)
    sums = [16, 16, 16, 2] if weight is None else [weight[i : i + 16].sum() for i in range(0, ROWS, 16)]
    assert one.history["loss"][1] == pytest.approx(np.average(first, weights=sums), rel=1e-6)
    assert len(other.history["loss"]) == 1


def test_noise_is_that_of_fit(engine):
    def trained():
        model = gd.Sequential(gd.GaussianNoise(0.1), gd.Dense(4, 8, "tanh"), gd.Dropout(0.3), gd.Dense(8, 3), seed=0)
        return gd.Trainer(model, loss="cross_entropy", batch_size=16, shuffle=False)

    one, other = trained(), trained()
    one.fit(X, KIND, epochs=2, verbose=0)
    for _ in range(2):
        epoch_of(other, X, KIND)
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    np.testing.assert_array_equal(other.model.predict(X), one.model.predict(X))


def test_labels_of_an_earlier_fit(engine):
    trainer, numbers = make(), make()
    trainer.fit(X, WORDS, epochs=1, verbose=0)
    order = trainer.model.head.classes.tolist()
    numbers.fit(X, [order.index(word) for word in WORDS], epochs=1, verbose=0)
    assert epoch_of(trainer, X, WORDS) == epoch_of(numbers, X, np.array([order.index(word) for word in WORDS]))
    with pytest.raises(ValueError, match="the label 'pink' in row 0"):
        trainer.train_on_batch(X[:1], ["pink"])


def test_a_custom_loss_and_other_kinds_of_data(engine):
    def mse(Z, Y):
        return float(((Z - Y.reshape(Z.shape)) ** 2).mean()), 2 * (Z - Y.reshape(Z.shape)) / Z.size

    y = X[:, 0] + KIND
    one, other = make("mse"), make("mse")
    other.loss = gd.Trainer(other.model, loss=mse).loss
    for trainer in (one, other):
        trainer.train_on_batch(X.tolist(), y.tolist())
        trainer.train_on_batch(X.astype("float64"), y[:, np.newaxis], np.ones(ROWS) if trainer is one else None)
    np.testing.assert_allclose(one.model.theta, other.model.theta, rtol=0, atol=1e-6)


REFUSED = [
    (lambda t: t.train_on_batch(X, WORDS), ValueError, "pass integers from 0 to 2 as labels|has the label"),
    (lambda t: t.train_on_batch(X, KIND[:9]), ValueError, "the same number of rows, not 50 and 9"),
    (lambda t: t.train_on_batch(X, KIND + 1), ValueError, "one batch need not have all classes|has the label 3"),
    (lambda t: t.train_on_batch(X[:, 1:], KIND), ValueError, r"X must have shape \(rows, 4\)"),
    (lambda t: t.train_on_batch(X * np.inf, KIND), ValueError, "X must be finite"),
    (lambda t: t.train_on_batch(X, KIND, -np.ones(ROWS)), ValueError, "sample_weight must be >= 0"),
    (lambda t: t.train_on_batch(X, KIND, np.ones(3)), ValueError, r"sample_weight must have shape \(50,\)"),
]


@pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_is_refused_changes_nothing(engine, call, error, message, warm):
    trainer = make()
    if warm:
        trainer.train_on_batch(X, KIND)
    theta, steps = trainer.model.theta.copy(), trainer.step
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        call(trainer)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert (trainer.step, trainer.optimizer.steps) == (steps, steps)
    trainer.train_on_batch(X, KIND)


def test_a_loss_that_overflows(engine):
    trainer, y = make("mse"), np.full(ROWS, 1e30, "float32")
    for _ in range(2):
        theta = trainer.model.theta.copy()
        with pytest.raises(FloatingPointError, match="the mean loss is not finite"):
            trainer.train_on_batch(X, y)
        np.testing.assert_array_equal(trainer.model.theta, theta)
        assert trainer.step == trainer.optimizer.steps
        trainer.train_on_batch(X, 0 * y)


def test_not_within_a_fit(engine):
    def batch(trainer):
        with pytest.raises(RuntimeError, match="this model is being trained"):
            trainer.train_on_batch(X, KIND)
        seen.append(trainer.epoch)

    seen, trainer = [], make()
    trainer.fit(X, KIND, epochs=2, callbacks=[EachEpoch(batch)], verbose=0)
    assert seen == [1, 2]
    trainer.train_on_batch(X, KIND)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deep", "pickle"])
def test_copies_train_alone(engine, duplicate):
    trainer = make()
    trainer.train_on_batch(X, KIND)
    other = duplicate(trainer)
    theta = trainer.model.theta.copy()
    other.train_on_batch(X, KIND)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    trainer.train_on_batch(X, KIND)
    np.testing.assert_array_equal(trainer.model.theta, other.model.theta)


# ---- functions of the user within steps


class Steps(gd.Callback):
    """Records the number of steps done after each call of the engine."""

    def __init__(self):
        self.done = []

    def on_chunk_end(self, trainer):
        self.done.append(trainer.step)


def own(Z, Y):
    return 0.5 * float(((Z - Y.reshape(Z.shape)) ** 2).mean()), (Z - Y.reshape(Z.shape)) / Z.size


@pytest.mark.parametrize(
    "options", [{"loss": own}, {"loss": "mse", "augment": lambda X, rng: X}], ids=["loss", "augment"]
)
def test_the_first_call_is_one_step(options):
    augment, steps = options.pop("augment", None), Steps()
    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), **options, batch_size=4)
    trainer.fit(X, X[:, :1], epochs=20, callbacks=[steps], augment=augment, verbose=0)
    assert steps.done[0] == 1
    assert trainer.step == 260


def test_the_clock_is_looked_at_between_steps(monkeypatch):
    """Each step of the loss takes a second of a clock that nothing else moves."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    def slow(Z, Y):
        clock.now += 1
        return own(Z, Y)

    clock, steps = Clock(), Steps()
    real = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss=slow, batch_size=4)
    monkeypatch.setattr(chunks.ChunkSizer, "update", lambda self, *_, **__: setattr(self, "steps", 1000))
    trainer.fit(X, X[:, :1], epochs=20, callbacks=[steps, TimeBudget(4.5)], verbose=0)
    monkeypatch.setattr(time, "perf_counter", real)
    assert steps.done == [1, 2, 3, 4, 5]
    assert trainer.step == 5
    assert "time budget" in trainer.stop_reason


def test_an_interrupt_ends_the_step_not_the_chunk(monkeypatch):
    calls = []

    def interrupted(Z, Y):
        calls.append(1)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
        return own(Z, Y)

    monkeypatch.setattr(chunks.ChunkSizer, "update", lambda self, *_, **__: setattr(self, "steps", 1000))
    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss=interrupted, batch_size=4)
    trainer.fit(X, X[:, :1], epochs=20, verbose=0)
    assert (trainer.stop_reason, trainer.step, len(calls)) == ("interrupted", 7, 7)
    resumed = gd.Trainer(gd.MLP(4, 1, seed=0), loss=own, batch_size=4)
    resumed.fit(X, X[:, :1], epochs=20, verbose=0)
    trainer.fit(X, X[:, :1], epochs=None, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, resumed.model.theta)


def test_counting_calls_still_works():
    counter = Chunks()
    gd.Trainer(gd.MLP(4, 1, seed=0), loss=own).fit(X, X[:, :1], epochs=3, callbacks=[counter], verbose=0)
    assert counter.count >= 2


def test_scaling_and_names_of_columns_are_those_of_a_fit(engine):
    pandas = pytest.importorskip("pandas")
    frame, y = pandas.DataFrame(100 * X, columns=list("abcd")), 1000 * X[:, 0]
    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.01), standardize=True)
    with pytest.raises(ValueError, match="needs mean and standard deviation of all rows"):
        trainer.train_on_batch(frame, y)
    trainer.fit(frame, y, epochs=1, verbose=0)
    other = copy.deepcopy(trainer)
    first = trainer.train_on_batch(frame, y)
    assert other.train_on_batch(frame[list("dbca")], y) == first < 100
    np.testing.assert_array_equal(other.model.theta, trainer.model.theta)


@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_labels(engine, ignore_index):
    labels = np.where(np.arange(ROWS) % 3 == 0, ignore_index, KIND)
    kept = labels != ignore_index
    losses = gd.CrossEntropy(ignore_index=ignore_index), "cross_entropy"
    one, other = (gd.Trainer(gd.MLP(4, 8, 3, seed=0), loss=loss) for loss in losses)
    for _ in range(3):
        value = other.train_on_batch(X[kept], labels[kept])
        assert one.train_on_batch(X, labels) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(one.model.theta, other.model.theta, rtol=1e-4, atol=1e-6)
