"""What workers of Dask and Ray execute: importable there."""

import os

import numpy as np

import fastgd as gd
from fastgd import backend

X, Y = gd.datasets.digits()
X, Y = X[:300].astype("float32") / 16, Y[:300]


def trainer(seed):
    model = gd.MLP(64, 16, 10, dropout=0.2, seed=seed)
    return gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=0.05, momentum=0.9))


def train(trainer, epochs):
    """Train what came from another process, and send it back; with the process and the threads that it may use."""
    trainer.fit(X, Y, epochs=epochs, verbose=0)
    return trainer, os.getpid(), backend.default_threads()


def predict(model):
    return model.forward(X)


def same(one, other):
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    np.testing.assert_array_equal(one.optimizer.state, other.optimizer.state)
    assert one.history["loss"] == other.history["loss"]
