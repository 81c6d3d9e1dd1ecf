"""Warnings that name cause and remedy, and that appear only where they should."""

import linecache
import warnings

import numpy as np
import pytest
from training import blobs, problem

import fastgd as gd
from fastgd.training.diagnostics import AdviceWarning

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
    assert advice_of(gd.Trainer(model, loss=loss), X, y, epochs=10, validation=0.2) == []


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
    assert "(X - X.mean(0)) / X.std(0)" in text
    assert advice_of(trainer, X, y) == []  # warned once, before the first step


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
