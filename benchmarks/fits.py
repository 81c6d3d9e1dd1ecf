"""What `Trainer.fit` costs besides its steps: checks, orders of rows, history; and the first fit of a process.

The steps are those of the engine, called with an order that is ready; where an epoch ends with a validation, the
engine's predictions of the validation rows and their losses are added to them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

import fastgd as gd
from fastgd import losses

from . import fresh
from .workloads import WORKLOADS, Workload

EPOCHS = (1, 10, 100)  # of a call
SHORT = 10  # epochs of the first fit of a process
VALIDATION = 0.2

Data = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A fit of a workload's network to `rows` rows, or to the bundled digits with a validation after each epoch."""

    workload: Workload
    rows: int
    is_validated: bool

    def data(self) -> Data:
        if not self.is_validated:
            return replace(self.workload, rows=self.rows).data()
        X, y = gd.datasets.digits()
        return X.astype("float32") / 16, y

    def fit(self, X: np.ndarray, y: np.ndarray) -> Callable[[int], object]:
        """A function that trains for some epochs, from where it was."""
        rule = gd.SGD(1e-3)  # a rate at which nothing converges: each epoch does the same
        loss, batch = self.workload.loss, self.workload.batch
        trainer = gd.Trainer(self.workload.model(), loss=loss, optimizer=rule, batch_size=batch, seed=0)
        validation = VALIDATION if self.is_validated else None
        return lambda epochs: trainer.fit(X, y, epochs=epochs, validation=validation, verbose=0)

    def steps(self, X: np.ndarray, y: np.ndarray) -> Callable[[int], None]:
        """A function that runs what the engine does in as many epochs."""
        model, loss = self.workload.model(), losses.get(self.workload.loss)
        rows = len(X) - (round(VALIDATION * len(X)) if self.is_validated else 0)
        chunk = replace(self.workload, lr=1e-3).chunk(model, X, y, np.random.default_rng(0).permutation(rows))
        held_out, labels = X[rows:], y[rows:].reshape(-1, 1)
        Z, per_row = np.empty((len(held_out), model.n_out), "float32"), np.empty(len(held_out))

        def run(epochs: int) -> None:
            for _ in range(epochs):
                model.network.train(chunk)
                if self.is_validated:
                    model.network.predict(held_out, Z)
                    model.network.loss(loss, Z, labels, None, per_row)

        return run


FITS = {"tiny": Case(WORKLOADS["tiny"], 6400, False), "digits": Case(WORKLOADS["digits"], 1797, True)}


def measure(name: str, seconds: float, rounds: int) -> list[dict[str, float]]:
    """By the "epochs" of a call: medians of the seconds per epoch of "fit" and "steps", and of their "ratio"."""
    return fresh.apart(measure_here, name, seconds, rounds)


def measure_here(name: str, seconds: float, rounds: int) -> list[dict[str, float]]:
    """What `measure` returns, in this process."""
    X, y = FITS[name].data()
    fit, steps = FITS[name].fit(X, y), FITS[name].steps(X, y)
    found = []
    for epochs in EPOCHS:
        _seconds(fit, epochs)
        once = _seconds(fit, epochs) + _seconds(steps, epochs)
        count = max(3, int(seconds * rounds / once))
        pairs = [(_seconds(fit, epochs), _seconds(steps, epochs)) for _ in range(count)]
        both = [median(times) / epochs for times in zip(*pairs, strict=True)]
        ratio = median(one / other for one, other in pairs)
        found.append({"epochs": epochs, "fit": both[0], "steps": both[1], "ratio": ratio})
    return found


def _seconds(run: Callable[[int], object], epochs: int) -> float:
    begun = time.perf_counter()
    run(epochs)
    return time.perf_counter() - begun


FIRST = """
import sys
from benchmarks.fits import FITS, SHORT, _seconds
case = FITS[sys.argv[1]]
X, y = case.data()
print(_seconds(case.fit(X, y), SHORT), min(_seconds(case.fit(X, y), SHORT) for _ in range(5)))
"""


def measure_first(name: str, rounds: int) -> dict[str, Any]:
    """Medians of the seconds of the "first" fit of a process and of a "later" one of another trainer."""
    runs = [map(float, fresh.python("-c", FIRST, name).split()) for _ in range(rounds)]
    first, later = map(median, zip(*runs, strict=True))
    return {"epochs": SHORT, "first": first, "later": later, "ratio": first / later}
