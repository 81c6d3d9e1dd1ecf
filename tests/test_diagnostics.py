"""Warnings that name cause and remedy, and that appear only where they should."""

import linecache
import re
import warnings
from inspect import signature

import numpy as np
import pytest
from training import blobs, problem

import fastgd as gd
from fastgd.training.diagnostics import AdviceWarning
from fastgd.training.fit_data import DEFAULT_BATCH_SIZE

pytestmark = pytest.mark.usefixtures("capsys")


def advice_of(trainer, X, y, **options):
    """The texts of all warnings of a short training."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(X, y, **{"epochs": 2, **options})
    assert all(issubclass(w.category, AdviceWarning) and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


def classifier(activation="relu", **options):
    model = gd.MLP(4, 16, 3, activation=activation, seed=0)
    return gd.Trainer(model, loss="cross_entropy", **{"optimizer": gd.SGD(lr=0.01), **options})


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "hard_sigmoid"])
def test_a_good_training_gets_no_advice(engine, activation):
    X, y = blobs(300)
    assert advice_of(classifier(activation), X, y, validation=0.2) == []
    numbers = gd.Trainer(gd.MLP(4, 8, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.001))
    assert advice_of(numbers, X, X[:, 0] + y) == []


def healthy():
    X, y = gd.datasets.digits()
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (500, 20))
    for activation in ("relu", "tanh", "sigmoid"):
        yield activation, gd.MLP(64, 32, 32, 10, activation=activation, seed=0), "cross_entropy", X / 16, y
    yield "standard", gd.MLP(64, 32, 10, seed=0), "cross_entropy", (X - X.mean(0)) / (X.std(0) + 1e-9), y
    yield "bits", gd.MLP(20, 8, 2, seed=0), "cross_entropy", bits, bits[:, 0]
    tails = rng.lognormal(0, 2, (500, 20))
    yield "tails", gd.MLP(20, 8, 2, seed=0), "cross_entropy", (tails - tails.mean(0)) / tails.std(0), bits[:, 0]
    yield "kinds", gd.MLP(10, 8, 2, seed=0), "cross_entropy", np.eye(10)[rng.integers(0, 10, 500)], bits[:, 0]
    yield "counts", gd.MLP(3, 8, 1, seed=0), "mse", rng.standard_normal((500, 3)), 5 + rng.poisson(3, 500)


@pytest.mark.parametrize("run", list(healthy()), ids=lambda run: run[0])
def test_healthy_runs_get_no_advice(run):
    _, model, loss, X, y = run
    assert advice_of(gd.Trainer(model, loss=loss), X, y, epochs=5, validation=0.2) == []


def test_advice_points_at_the_line_that_called_fit():
    X, y = blobs(300)
    with pytest.warns(AdviceWarning) as caught:
        classifier(optimizer=gd.SGD(lr=1e-9)).fit(1e3 * X, y, epochs=1)
    line = linecache.getline(caught[0].filename, caught[0].lineno)
    assert "classifier(optimizer=" in line


def test_unscaled_inputs():
    X, y = blobs(300)
    X[:, 2] *= 1e3
    trainer = classifier(batch_size=None)
    trainer.optimizer.lr = 1e-9
    (text,) = advice_of(trainer, X, y)
    assert "column 2" in text
    assert "Trainer(standardize=True)" in text
    assert advice_of(trainer, X, y) == []  # warned once, before the first step


def test_unscaled_columns_of_frames_are_named():
    X, y = blobs(300)
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    frame["c"] *= 1e3
    (text,) = advice_of(classifier(optimizer=gd.SGD(lr=1e-9)), frame, y)
    assert "column 'c' has values around" in text


def test_pixels_that_are_not_scaled():
    """Grey values 0 ... 16: no column is far larger than the others, but steps are longer than usual rates assume."""
    X, y = gd.datasets.digits()
    trainer = gd.Trainer(gd.MLP(64, 32, 10, seed=0), loss="cross_entropy", optimizer=gd.SGD(lr=0.1, momentum=0.9))
    texts = advice_of(trainer, X, y)
    assert "X is not scaled: column" in texts[0]
    assert "pixels" in texts[0]


def test_classes_as_numbers():
    X, y = blobs(300)
    trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.001))
    (text,) = advice_of(trainer, X, y)
    assert "integers 0 to 2" in text
    assert 'loss="cross_entropy" and 3 outputs' in text
    trainer.reset()
    (text,) = advice_of(trainer, X, y > 0)
    assert "integers 0 and 1, " in text
    assert text.endswith('use loss="bce"')


def test_validation_rows_that_are_training_rows():
    X, y = blobs(300)
    (text,) = advice_of(classifier(), X, y, validation=(X[:50], y[:50]))
    assert "50 of 50 validation rows" in text
    assert "groups=" in text
    (text,) = advice_of(classifier(), np.repeat(X, 3, axis=0), np.repeat(y, 3), validation=0.2)
    assert "validation rows are training rows too" in text
    assert advice_of(classifier(), X, y, validation=(X[:50], (y[:50] + 1) % 3)) == []


def test_dead_units(engine):
    X, y = blobs(300)
    trainer = classifier()
    trainer.model.parameters()["0.bias"][:12] = -1e3
    (text,) = advice_of(trainer, X, y)
    assert "12 of the 16 relu units of layer 0" in text or "13 of the 16" in text
    assert "leaky_relu" in text
    assert "Lower lr" in text


def test_noise_is_off_and_names_no_other_layer(engine):
    """Layers are numbered as in `model.parameters`; the noise would revive the dead units."""
    X, y = blobs(300)
    hidden = gd.Dense(4, 16, "tanh"), gd.GaussianNoise(1e3), gd.Dense(16, 16, "relu"), gd.Dropout(0.5)
    model = gd.Sequential(gd.Dropout(0.5), *hidden, gd.Dense(16, 3), seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=1e-30))
    model.parameters()["1.weight"][:, :9] = 0.01
    model.parameters()["1.bias"][:9] = -1
    assert (model.forward(X, training=True) != model.forward(X)).any()
    (text,) = advice_of(trainer, X, y)
    assert "of the 16 relu units of layer 1" in text
    model.parameters()["0.weight"][:] *= 100
    saturated, dead = advice_of(trainer, X, y)
    assert "of layer 0 (tanh)" in saturated
    assert "of the 16 relu units of layer 1" in dead


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "hard_sigmoid"])
def test_saturated_units(engine, activation):
    X, y = blobs(300)
    trainer = classifier(activation)
    trainer.model.parameters()["0.weight"][:] *= 100
    (text,) = advice_of(trainer, X, y)
    assert f"layer 0 ({activation})" in text
    assert "almost no gradient" in text


def test_verbose_0_gives_no_advice():
    X, y, _ = problem()
    assert advice_of(classifier(), 1e3 * X, y, verbose=0, validation=(1e3 * X, y)) == []


TARGETS = {
    "far": (lambda y: 3e5 + 1e5 * y, r"y has the mean 3e\+05 and the standard deviation \d"),
    "large": (lambda y: 1000 * (y - y.mean()), "y has the mean .* and the standard deviation"),
    "far and narrow": (lambda y: 1000 + y, "y has the mean 1e[+]03 and the standard deviation"),
    "small": (lambda y: 1e-4 * y, "y has the mean .* and the standard deviation 9.8e-05"),
    "the second of two": (lambda y: np.c_[y, 100 * y], "column 1 of y has"),
    "the first of two": (lambda y: np.c_[1e-3 * y, y], "column 0 of y has"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets_that_are_not_scaled(case):
    change, words = TARGETS[case]
    X = np.random.default_rng(0).standard_normal((300, 4))
    y = change(X[:, 0])
    n_out = 1 if y.ndim == 1 else 2
    for loss in ("mse", "mae", "huber"):
        (text,) = advice_of(gd.Trainer(gd.MLP(4, n_out, seed=0), loss=loss, optimizer=gd.SGD(lr=1e-12)), X, y)
        assert re.search(f"^y is not scaled: {words}", text)
        assert "Trainer(standardize=True)" in text
        assert advice_of(gd.Trainer(gd.MLP(4, n_out, seed=0), loss=loss, standardize=True), X, y) == []


def test_targets_that_need_no_scaling():
    X = np.random.default_rng(0).standard_normal((300, 4))
    for loss, y in (
        ("mse", np.full(300, 5.0)),
        ("mse", 1 + X[:, 0]),
        ("poisson", np.floor(50 * np.exp(X[:, 0]))),  # its outputs are logarithms
        (lambda Z, Y: (0.0, np.zeros_like(Z)), 1000 * X[:, 0]),  # a custom loss may do what it likes
    ):
        trainer = gd.Trainer(gd.MLP(4, 1, seed=0), loss=loss, optimizer=gd.SGD(lr=1e-12))
        assert advice_of(trainer, X, y) == []


def test_scaled_columns_are_judged_after_scaling(tmp_path):
    X, y = blobs(300)
    X = X * 1000 + 5e4
    mapped = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
    mapped[:] = X
    for each in (X, mapped):
        assert advice_of(classifier(standardize=True), each, y, validation=0.2) == []
    (text,) = advice_of(classifier(standardize=True), X, y, validation=(X[:50], y[:50]))
    assert "50 of 50 validation rows" in text


def test_few_rows_with_the_default_batch_size():
    X, y = blobs(20)
    assert advice_of(gd.Trainer(gd.MLP(4, 3, seed=0), loss="cross_entropy"), X, y) == []
    assert signature(gd.Trainer).parameters["batch_size"].default == DEFAULT_BATCH_SIZE
