"""Late epochs: what an epoch costs when training has converged, relative to one early in the same training.

Weights whose gradient has become 0 make the difference: what an optimizer remembers of them decays into the range of
denormal numbers, with which CPUs compute slowly unless they are told to take them for 0. Both stages run in one
process, on one thread, and take turns, so that what else the machine does slows both alike.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import fastgd as gd

from . import fresh

EARLY, ROUND = 5, 20  # epochs before the early ones; epochs per round and stage
HIDDEN, BATCH = 64, 32
ROWS, CATEGORIES, CLASSES = 20_000, (5, 15, 50, 130), 5

Data = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Course:
    """A training until long after it has converged.

    Attributes
    ----------
    data : callable
        Makes X and y.
    optimizer : callable
        Makes the optimizer.
    epochs : int
        Epochs before the late ones.
    block : int
        Epochs that are timed at once, before it is the other stage's turn.
    """

    data: Callable[[], Data]
    optimizer: Callable[[], Any]
    epochs: int
    block: int


def digits() -> Data:
    """The bundled digits; some pixels are 0 in all of them."""
    X, y = gd.datasets.digits()
    return X.astype("float32") / 16, y


def one_hot(rows: int = ROWS) -> Data:
    """Categorical columns with frequencies by Zipf's law, one-hot encoded; the rarest categories are in a row or two.

    The classes are those of a linear model of the columns, without noise: they can be learned completely. The momentum
    of the rarest categories reaches the denormal range between two of their rows, so in early epochs, too.
    """
    rng = np.random.default_rng(0)
    blocks = []
    for count in CATEGORIES:
        frequencies = 1 / np.arange(1, count + 1) ** 2
        codes = rng.choice(count, rows, p=frequencies / frequencies.sum())
        blocks.append(np.eye(count, dtype="float32")[codes])
    X = np.hstack(blocks)
    return X, (X @ rng.normal(size=(X.shape[1], CLASSES))).argmax(1)


COURSES = {
    "digits-momentum": Course(digits, lambda: gd.SGD(0.1, momentum=0.9), 1500, 5),
    "digits-adam": Course(digits, lambda: gd.Adam(1e-3), 2500, 5),
    "one-hot-momentum": Course(one_hot, lambda: gd.SGD(0.1, momentum=0.9), 300, 1),
    "one-hot-adam": Course(one_hot, lambda: gd.Adam(1e-3), 300, 1),
}


def measure(name: str, seconds: float, rounds: int) -> dict[str, float]:
    """What `measure_course` returns, in a process of its own."""
    return fresh.apart(measure_course, name, seconds, rounds)


def measure_course(name: str, seconds: float, rounds: int, epochs: int | None = None) -> dict[str, float]:
    """Seconds per epoch, early and late, their ratio, and the epochs before the late ones.

    All are medians over the blocks; that of the ratio of an early block and the late one after it cancels most of what
    else the machine does.

    Parameters
    ----------
    name : str
        One of `COURSES`.
    seconds, rounds : float, int
        At least this many rounds, and more where they take less than `seconds` each.
    epochs : int or None, default=None
        Epochs before the late ones; None: those of the course.
    """
    course = COURSES[name]
    X, y = course.data()
    epochs = course.epochs if epochs is None else epochs
    early = _trainer(course.optimizer(), X, y)
    late = copy.deepcopy(early)
    early.fit(X, y, epochs=EARLY - 1, verbose=0)
    late.fit(X, y, epochs=epochs - 1, verbose=0)
    taken: list[list[float]] = []
    end = time.perf_counter() + rounds * seconds
    while len(taken) < rounds * ROUND // course.block or time.perf_counter() < end:
        taken += _round([early, late], X, y, course.block)
    ratio = median(after / before for before, after in taken)
    seconds_early, seconds_late = map(median, zip(*taken, strict=True))
    return {"epochs": epochs, "early": seconds_early, "late": seconds_late, "ratio": ratio}


def _trainer(optimizer: Any, X: np.ndarray, y: np.ndarray) -> gd.Trainer:
    model = gd.MLP(X.shape[1], HIDDEN, int(y.max()) + 1, seed=0)
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=BATCH, seed=0, n_threads=1)


def _round(stages: list[gd.Trainer], X: np.ndarray, y: np.ndarray, block: int) -> list[list[float]]:
    """Seconds per epoch of each block and stage, block by block in turn; the trainers stay where they are."""
    stages = [copy.deepcopy(stage) for stage in stages]
    for stage in stages:
        stage.fit(X, y, epochs=1, verbose=0)  # touches the memory of the copy
    return [[_seconds(stage, X, y, block) for stage in stages] for _ in range(ROUND // block)]


def _seconds(trainer: gd.Trainer, X: np.ndarray, y: np.ndarray, epochs: int) -> float:
    begun = time.perf_counter()
    trainer.fit(X, y, epochs=epochs, verbose=0)
    return (time.perf_counter() - begun) / epochs
