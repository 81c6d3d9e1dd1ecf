"""Scores of networks that were trained and that predict in float32 and in bfloat16: the table of docs/precision.md.

    python -m benchmarks.accuracy            every problem
    python -m benchmarks.accuracy teacher    some of them

Each seed has its own initial weights and orders of rows, which both precisions share.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

import fastgd as gd

from . import real
from .summary import table

SEEDS = 5
PRECISIONS = ("f32", "bf16")
HEADER = ("held-out score", "trained in f32", "trained in bf16", "difference", "predictions in bf16")
Rows = tuple[NDArray, NDArray]


@dataclass(frozen=True)
class Problem:
    """Data and a training.

    Attributes
    ----------
    title, score : str
        For the table.
    data : callable
        Makes the training rows and the held-out rows, each X and y.
    hidden : tuple of int
        Widths of the hidden layers.
    n_out, epochs, batch : int
    lr : float
        Of Adam, at the beginning; it falls to 0 along a cosine.
    """

    title: str
    score: str
    data: Callable[[], tuple[Rows, Rows]]
    hidden: tuple[int, ...]
    n_out: int
    epochs: int
    batch: int
    lr: float
    activation: str = "relu"

    @property
    def is_classification(self) -> bool:
        return self.score == "accuracy, %"


def digits() -> tuple[Rows, Rows]:
    """The bundled digits, with noise, so that some errors remain; every fifth is held out."""
    X, y = gd.datasets.digits()
    noise = np.random.default_rng(0).standard_normal(X.shape)
    return _split((X / 16 + 0.4 * noise).astype("float32"), y)


def teacher() -> tuple[Rows, Rows]:
    """20 classes that a random network tells apart, with noise on its outputs."""
    rng = np.random.default_rng(1)
    X, outputs = rng.standard_normal((30_000, 64), "float32"), gd.MLP(64, 100, 20, activation="tanh", seed=1).forward
    Z = outputs(X)
    Z = Z / Z.std() + 0.3 * rng.standard_normal(Z.shape, "float32")
    return _split(X, Z.argmax(axis=1))


def regression() -> tuple[Rows, Rows]:
    """Friedman's function of 5 of 10 columns, without noise: what is left is the error of the network."""
    x = np.random.default_rng(2).random((20_000, 10), "float32")
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return _split(2 * x - 1, (y - y.mean()) / y.std())


def curve() -> tuple[Rows, Rows]:
    """A smooth function of one column, which a network could learn to many digits."""
    x = np.random.default_rng(3).uniform(-1, 1, (5_000, 1)).astype("float32")
    return _split(x, np.sin(5 * x[:, 0]))


def one_hot() -> tuple[Rows, Rows]:
    """Categories, one-hot encoded, and numbers."""
    arrays = real.table()
    return (arrays["X"], arrays["y"][:, 0]), (arrays["X_test"], arrays["y_test"][:, 0])


def _split(X: NDArray, y: NDArray) -> tuple[Rows, Rows]:
    held_out = np.arange(len(X)) % 5 == 0
    return (X[~held_out], y[~held_out]), (X[held_out], y[held_out])


PROBLEMS = {
    "digits": Problem("noisy digits, 64-128-128-10", "accuracy, %", digits, (128, 128), 10, 30, 32, 2e-3),
    "teacher": Problem("20 classes of a teacher, 64-256-256-20", "accuracy, %", teacher, (256, 256), 20, 10, 128, 2e-3),
    "regression": Problem(
        "Friedman's function, 10-128-128-1", "MSE / var, ppm", regression, (128, 128), 1, 30, 64, 2e-3
    ),
    "table": Problem("one-hot table, 136-128-64-1", "R², %", one_hot, (128, 64), 1, 8, 256, 2e-3),
    "curve": Problem("sin(5x), 1-64-64-1, gelu", "MSE / var, ppm", curve, (64, 64), 1, 150, 32, 1e-2, "gelu"),
}


def measure(problem: Problem, seed: int) -> dict[tuple[str, str], float]:
    """The score on held-out rows by precision of the training and of the predictions."""
    (X, y), (X_test, y_test) = problem.data()
    found = {}
    for precision in PRECISIONS:
        widths = X.shape[1], *problem.hidden, problem.n_out
        model = gd.MLP(*widths, activation=problem.activation, seed=seed)
        loss = "cross_entropy" if problem.is_classification else "mse"
        optimizer = gd.Adam(lr=gd.Cosine(problem.lr))
        trainer = gd.Trainer(model, loss=loss, optimizer=optimizer, batch_size=problem.batch, precision=precision)
        trainer.fit(X, y, epochs=problem.epochs, verbose=0)
        for other in PRECISIONS:
            found[precision, other] = score(problem, y_test, model.predict(X_test, precision=other))
    return found


def score(problem: Problem, y: NDArray, predictions: NDArray) -> float:
    if problem.is_classification:
        return 100 * float((predictions == y).mean())
    share = float(((predictions - y) ** 2).mean() / y.var())
    return 100 * (1 - share) if problem.score == "R², %" else 1e6 * share


def row(problem: Problem) -> tuple[str, ...]:
    """A row of the table: means and standard deviations over the seeds; the difference is that of the same seeds."""
    runs = [measure(problem, seed) for seed in range(SEEDS)]
    f32, bf16, both = ([run[key] for run in runs] for key in (("f32", "f32"), ("bf16", "f32"), ("bf16", "bf16")))
    difference = [b - a for a, b in zip(f32, bf16, strict=True)]
    digits = 2 if mean(f32) < 1000 else 0
    cells = (f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}" for values in (f32, bf16, difference, both))
    return f"{problem.title}: {problem.score}", *cells


def main() -> None:
    names = sys.argv[1:] or list(PROBLEMS)
    print("\n".join(table(HEADER, [row(PROBLEMS[name]) for name in names])))


if __name__ == "__main__":
    main()
