"""Small problems, models and trainers that several test files share."""

from types import SimpleNamespace

import numpy as np

import fastgd as gd
from fastgd.losses import LOSSES

ROWS = 50


def blobs(rows=ROWS, classes=3, seed=0):
    """Points around `classes` centres, and the index of each point's centre."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    return rng.standard_normal((classes, 4))[y] * 3 + rng.standard_normal((rows, 4)), y


def problem(loss="cross_entropy"):
    """X, y and number of outputs for a loss."""
    X, y = blobs()
    kind = LOSSES[loss]
    if kind.target == "labels":
        return X, y, 3
    if kind.link == "identity":
        return X, X[:, 0] + y, 1
    if kind.link == "log":
        return X, 1.0 + 2 * y, 1
    return (X, 2 * np.eye(3)[y] - 1, 3) if kind.link == "sign" else (X, np.eye(3)[y], 3)


def make(loss="cross_entropy", optimizer=None, dtype="float32", **options):
    n_out = problem(loss)[2]
    model = gd.MLP(4, 8, n_out, activation="tanh", seed=0, dtype=dtype)
    options.setdefault("batch_size", 16)
    return gd.Trainer(model, loss=loss, optimizer=optimizer or gd.SGD(lr=0.05, momentum=0.9), **options)


def fit(trainer, epochs=3, **options):
    X, y, _ = problem(trainer.loss.name)
    return trainer.fit(X, y, epochs=epochs, verbose=0, **options)


class EachEpoch(gd.Callback):
    """Calls a function with the trainer at the end of each epoch."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, trainer, logs):
        self.function(trainer)


class Chunks(gd.Callback):
    """Counts the calls of the engine."""

    count = 0

    def on_chunk_end(self, trainer):
        self.count += 1


def played(callback, name, values, **epochs):
    """Run a callback over given values of a column; the epoch after which it stopped or None, and the final theta."""
    run = SimpleNamespace(columns=("epoch", name))
    model = SimpleNamespace(theta=np.zeros(1))
    reasons = []
    trainer = SimpleNamespace(run=run, model=model, optimizer=gd.SGD(), epoch=0, stop_reason=None, stop=reasons.append)
    callback.on_fit_begin(trainer)
    for value in values:
        trainer.epoch += 1
        model.theta[:] = trainer.epoch
        callback.on_epoch_end(trainer, {name: value})
        if reasons:
            break
    stopped = trainer.epoch if reasons else None
    callback.on_fit_end(trainer)
    return stopped, float(model.theta[0])


def model_of(*widths, seed=0, **options):
    """An MLP with these widths, by default 3-4-2."""
    return gd.MLP(*(widths or (3, 4, 2)), seed=seed, **options)


def trained(labels, n_out=2, loss="cross_entropy"):
    """A model trained on these labels, and rows to predict."""
    X = np.random.default_rng(0).standard_normal((len(labels), 3))
    model = model_of(3, 4, n_out)
    gd.Trainer(model, loss=loss, batch_size=None).fit(X, labels, epochs=1, verbose=0)
    return model, X
