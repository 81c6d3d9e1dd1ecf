"""Trainings that are divided among ranks: each function is what one rank does."""

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgd as gd

_IMAGES, _DIGITS = gd.datasets.digits()
X, y = _IMAGES[:480] / 16, _DIGITS[:480]
REGRESSION = X[:, :20], X[:, 20:22] @ [[1.0, 2.0], [-1.0, 0.5]]
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, 480)
WEIGHT[::7] = 0
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def part(array: Any, comm: Any) -> Any:
    """The rows of a rank."""
    n = len(array) // comm.Get_size()
    return array[comm.Get_rank() * n :][:n]


def squares(Z: Any, Y: Any, weight: Any) -> tuple[float, Any]:
    """A custom loss."""
    divisor = weight.sum()
    return float((weight[:, None] * (Z - Y) ** 2).sum() / divisor), 2 * weight[:, None] * (Z - Y) / divisor


def classifier(comm: Any, dtype: str = "float32", shards: int = 8, layers: Any = None, **settings: Any) -> gd.Trainer:
    """A trainer of a small network for the digits."""
    layers = layers or [gd.Dense(64, 12, "relu"), gd.Dense(12, 10)]
    model = gd.Sequential(*layers, seed=3, dtype=dtype)
    defaults: dict[str, Any] = {"loss": "cross_entropy", "optimizer": gd.SGD(lr=0.1, momentum=0.9), "batch_size": 48}
    settings = defaults | settings
    return gd.Trainer(model, comm=comm, shards=shards, **settings)


def regressor(comm: Any, **settings: Any) -> gd.Trainer:
    """A trainer of a small network for `REGRESSION`."""
    model = gd.MLP(20, 8, 2, seed=1)
    return gd.Trainer(model, **({"loss": "mse", "batch_size": 48, "shards": 8, "comm": comm} | settings))


def fit(trainer: gd.Trainer, comm: Any, X: Any = X, y: Any = y, **arguments: Any) -> tuple[bytes, str, str | None]:
    """Train on the rows of this rank; returns theta, the history and why it ended early."""
    if "sample_weight" in arguments:
        arguments["sample_weight"] = part(arguments["sample_weight"], comm)
    trainer.fit(part(X, comm), part(y, comm), **({"epochs": 2, "verbose": 0} | arguments))
    history = {name: [float(x) for x in column] for name, column in trainer.history.items() if name != "seconds"}
    return trainer.model.theta.tobytes(), repr(history), trainer.stop_reason


CASES: dict[str, Callable[[Any], tuple[bytes, str, str | None]]] = {
    "plain": lambda comm: fit(classifier(comm), comm),
    "float64": lambda comm: fit(classifier(comm, "float64", optimizer="adam"), comm),
    "six shards": lambda comm: fit(classifier(comm, shards=6), comm),
    "uneven steps": lambda comm: fit(classifier(comm, batch_size=56, shards=4), comm),
    "in order": lambda comm: fit(classifier(comm, shuffle=False), comm),
    "all rows": lambda comm: fit(classifier(comm, batch_size=None), comm),
    "text": lambda comm: fit(classifier(comm), comm, y=np.sort(NAMES[y])),
    "weights": lambda comm: fit(classifier(comm), comm, sample_weight=WEIGHT, validation=0.2),
    "class weights": lambda comm: fit(classifier(comm), comm, class_weight={3: 2.0, 4: 0.0}),
    "balanced": lambda comm: fit(classifier(comm), comm, class_weight="balanced", validation=0.25),
    "validation": lambda comm: fit(classifier(comm, train_metrics=True), comm, validation=0.25),
    "rows of others": lambda comm: fit(classifier(comm), comm, validation=(part(X[:48], comm), part(y[:48], comm))),
    "stopped": lambda comm: fit(
        classifier(comm), comm, epochs=50, validation=0.2, callbacks=[gd.EarlyStopping(patience=1)]
    ),
    "clipped": lambda comm: fit(classifier(comm, optimizer=gd.AdamW(clip_norm=0.1, average=gd.EMA(0.9))), comm),
    "dropout": lambda comm: fit(
        classifier(comm, layers=[gd.Dropout(0.2), gd.Dense(64, 9, "tanh"), gd.GaussianNoise(0.1), gd.Dense(9, 10)]),
        comm,
    ),
    "schedule": lambda comm: fit(classifier(comm, optimizer=gd.SGD(lr=gd.Cosine(0.1))), comm, epochs=3),
    "binary": lambda comm: fit(
        classifier(comm, layers=[gd.Dense(64, 1)], loss="bce", metrics=["roc_auc"]), comm, y=y > 4, validation=0.2
    ),
    "two names": lambda comm: fit(
        classifier(comm, layers=[gd.Dense(64, 1)], loss="bce"), comm, y=np.sort(NAMES[(y > 4) * 1])
    ),
    "standardized": lambda comm: fit(regressor(comm, standardize=True), comm, *REGRESSION, validation=0.25),
    "custom": lambda comm: fit(regressor(comm, loss=squares), comm, *REGRESSION, sample_weight=WEIGHT),
    "local": lambda comm: fit(classifier(comm, local_steps=3, optimizer="adam"), comm, validation=0.2),
    "local with weights": lambda comm: fit(
        classifier(comm, local_steps=2, layers=[gd.Dense(64, 9), gd.Dropout(0.2), gd.Dense(9, 10)], grad_norm=True),
        comm,
        sample_weight=WEIGHT,
    ),
    "local with a custom loss": lambda comm: fit(regressor(comm, loss=squares, local_steps=4), comm, *REGRESSION),
}


if __name__ == "__main__":  # mpirun -n 2 python -m sharded_fits CASE
    import hashlib
    import sys

    from mpi4py import MPI

    theta, history, _ = CASES[sys.argv[1]](MPI.COMM_WORLD)
    digests = MPI.COMM_WORLD.gather(hashlib.sha256(theta + history.encode()).hexdigest())
    if digests is not None:
        print(*digests)
