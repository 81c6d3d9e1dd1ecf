"""Stacks of input layers, models that begin with them, and rows for these."""

import numpy as np

import fastgd as gd
from fastgd import backend

ROWS = 41
CODES = {2: 5, 5: 33}  # cardinality of each column of codes of `data`


def embedding():
    return gd.Embedding(7, CODES, dim={2: 3, 5: 19})


# Widths around one and two vectors; each stack takes the 7 columns of `data`.
STACKS = {
    "scale": lambda: [gd.Scale(7)],
    "embedding": lambda: [embedding()],
    "periodic": lambda: [gd.PeriodicEmbedding(7, [0, 1, 3], n_frequencies=5, dim=2, std=0.5)],
    "wide": lambda: [
        gd.PeriodicEmbedding(7, n_frequencies=2, dim=5, std=0.5),
        gd.PeriodicEmbedding(42, range(20), 3, 1),
    ],
    "all": lambda: [embedding(), gd.PeriodicEmbedding(27, [0, 4, 26], 4, 3, 0.3), gd.Scale(36)],
    "reverse": lambda: [embedding(), gd.Scale(27), gd.PeriodicEmbedding(27, n_frequencies=3, dim=1)],
}


def data(rows=ROWS, seed=0):
    """X (rows, 7) with codes in columns 2 and 5, which float32 holds exactly; y of three classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 7)).astype(np.float32).astype(np.float64)
    for column, cardinality in CODES.items():
        X[:, column] = rng.integers(0, cardinality, rows)
    return X, (X[:, 0] > 0).astype(np.int64) + (X[:, 2] == 1)


def model_of(stack, dtype="float64", seed=1, noise=()):
    inputs = STACKS[stack]() if isinstance(stack, str) else stack
    model = gd.Sequential(
        *inputs, *noise, gd.Dense(inputs[-1].n_out, 18, "tanh"), gd.Dense(18, 3), seed=seed, dtype=dtype
    )
    model.theta[:] = model.theta.astype(np.float32)  # the same in both dtypes
    return model


def on(engine):
    return backend.override(engine.backend, engine.isa)
