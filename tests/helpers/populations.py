"""Small populations of different members, and their data."""

import numpy as np

import fastgd as gd

X, Y = gd.datasets.digits()
X, Y = X[:240].astype("float32") / 16, Y[:240]
EPOCHS = 6


def member(i, seed=None, **settings):
    """A trainer that differs from those with another i in everything that a member may have of its own."""
    rules = [
        gd.SGD(lr=0.05, momentum=0.9),
        gd.AdamW(lr=gd.Cosine(0.01), weight_decay=0.1),
        gd.Adam(lr=0.003),
        gd.SGD(0.1),
    ]
    hidden = [gd.Dense(64, 8 + 4 * i, "relu"), *([gd.Dropout(0.3)] if i % 2 else [])]
    model = gd.Sequential(*hidden, gd.Dense(8 + 4 * i, 10), seed=i if seed is None else seed)
    options = {"optimizer": rules[i % 4], "batch_size": (16, 32, 7)[i % 3]} | settings
    return gd.Trainer(model, loss="cross_entropy", **options)


def members(n=4, **settings):
    return [member(i, **settings) for i in range(n)]


def folds(n=4):
    """Training and validation rows of each of n members."""
    held_out = [np.arange(i, len(X), n) for i in range(n)]
    return [np.setdiff1d(np.arange(len(X)), rows) for rows in held_out], held_out


def same_training(one, other):
    """Whether two trainers have the same bits of everything that the next step depends on, and the same history."""
    a, b = one.optimizer.state, other.optimizer.state
    histories = [{name: column for name, column in each.history.items() if name != "seconds"} for each in (one, other)]
    return (
        one.model.theta.tobytes() == other.model.theta.tobytes()
        and (a is b is None or a.tobytes() == b.tobytes())
        and (one.epoch, one.step) == (other.epoch, other.step)
        and histories[0] == histories[1]
    )
