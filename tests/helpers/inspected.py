"""Small trained models whose features are known to matter or not."""

import numpy as np

import fastgd as gd

LABELS = np.array(["low", "high", "odd"])


def rows(n=300, columns=4):
    return np.random.default_rng(0).normal(size=(n, columns))


def regression(dtype="float32", **settings):
    """A trainer, X and y: column 0 counts most, column 1 less, the others not at all; the columns have other scales."""
    X = rows() * [1, 10, 0.1, 1] + [0, 50, 0, 7]
    y = 20 * X[:, 0] + 0.5 * (X[:, 1] - 50) + 100
    trainer = gd.Trainer(
        gd.MLP(4, 16, 1, activation="tanh", seed=0, dtype=dtype), loss="mse", standardize=True, **settings
    )
    trainer.fit(X, y, epochs=30, verbose=0)
    return trainer, X, y


def classification(n_classes=3, loss="cross_entropy", standardize=False):
    X = rows()
    y = LABELS[(X[:, 0] > 0).astype(int) + (X[:, 2] > 0.8) * (n_classes > 2)]
    model = gd.MLP(4, 16, 1 if loss == "bce" else n_classes, seed=0)
    trainer = gd.Trainer(model, loss=loss, standardize=standardize)
    trainer.fit(X, y, epochs=30, verbose=0)
    return trainer, X, y
