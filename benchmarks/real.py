"""Time to a goal on real and realistic data: whole programs, from the start of their process.

Each program (benchmarks/programs) imports its library, loads the data, trains the same network with the same optimizer,
batch size and learning rate from the same initial weights, and predicts held-out rows after each epoch until the goal
is reached. Its clock starts when its process does, and a second one at the first call that trains, which compiles what
has to be compiled.
"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import fastgd as gd

from .fresh import python

PROGRAMS = {
    "with_fastgd": "fastgd",
    "with_sklearn": "scikit-learn MLP",
    "with_torch": "PyTorch, DataLoader",
    "with_torch_expert": "PyTorch, index batches, fused optimizer",
    "with_jax": "JAX, jitted step",
    "with_jax_scan": "JAX, epochs in one jit",
}
FOLDER = Path(__file__).parent / "programs"
TIMEOUT = 120  # seconds of a program

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Data, a network and a goal.

    Attributes
    ----------
    title, goal : str
        For tables.
    data : callable
        Makes X, y, X_test, y_test, and the goal as a number.
    widths : tuple of int
        Of the network; its number of inputs is the data's.
    seeds : int
        Number of runs: initial weights, orders of rows.
    """

    title: str
    goal: str
    data: Callable[[], Arrays]
    widths: tuple[int, ...]
    batch: int
    lr: float
    seeds: int

    def arrays(self) -> Arrays:
        """All that a program needs, as arrays."""
        found = self.data()
        widths = (found["X"].shape[1], *self.widths)
        return {**found, "widths": widths, "batch": self.batch, "lr": self.lr}


def digits() -> Arrays:
    """The bundled digits; every fifth row is held out."""
    X, y = gd.datasets.digits()
    return {**_split(X.astype("float32") / 16, y), "goal": 0.975}


ROWS, CATEGORIES, NUMBERS = 60_000, (4, 7, 12, 24, 31, 52), 6
NOISE = 0.1  # relative to the signal


def table() -> Arrays:
    """Six categorical columns, one-hot encoded, and six numbers; a target with interactions, and noise.

    The goal is 0.99 of the R^2 that the signal itself has on the held-out rows.
    """
    rng = np.random.default_rng(0)
    codes = [rng.integers(count, size=ROWS) for count in CATEGORIES]
    numbers = rng.standard_normal((ROWS, NUMBERS))
    effects = [rng.standard_normal(count) for count in CATEGORIES]
    signal = sum(effect[code] for effect, code in zip(effects, codes, strict=True))
    signal = signal + rng.standard_normal((CATEGORIES[0], CATEGORIES[1]))[codes[0], codes[1]]  # of two categories
    signal += rng.standard_normal(CATEGORIES[2])[codes[2]] * numbers[:, 0]  # a slope by category
    signal += numbers[:, 1] * numbers[:, 2] + np.sin(2 * numbers[:, 3])
    signal = (signal - signal.mean()) / signal.std()
    X = np.hstack([*(np.eye(count)[code] for count, code in zip(CATEGORIES, codes, strict=True)), numbers])
    y = signal + NOISE * rng.standard_normal(ROWS)
    arrays = _split(X.astype("float32"), y.astype("float32")[:, None])
    noise = (y - signal)[::5]
    return {**arrays, "goal": 0.99 * (1 - (noise**2).mean() / arrays["y_test"].var())}


def _split(X: np.ndarray, y: np.ndarray) -> Arrays:
    held_out = np.arange(len(X)) % 5 == 0
    return {"X": X[~held_out], "y": y[~held_out], "X_test": X[held_out], "y_test": y[held_out]}


PROBLEMS = {
    "digits": Problem("digits, 64-64-10, SGD with momentum, batch 32", "97.5 % of held-out digits", digits,
                      (64, 10), 32, 0.05, 5),
    "table": Problem("one-hot table of 60,000 rows, 136-128-64-1, Adam, batch 256", "0.99 of the best R²", table,
                     (128, 64, 1), 256, 2e-3, 3),
}  # fmt: skip


def measure(name: str) -> Arrays:
    """For each program that can run here: medians over the seeds of epochs, "training" and "total" seconds."""
    problem, found = PROBLEMS[name], {}
    with TemporaryDirectory(prefix="fastgd-real-") as folder:
        file = Path(folder, "problem.npz")
        np.savez(file, **problem.arrays())
        for program in PROGRAMS:
            if find_spec(program.split("_")[1]):
                found[program] = _runs(program, file, problem.seeds)
    return {"title": problem.title, "goal": problem.goal, "runs": found}


def _runs(program: str, file: Path, seeds: int) -> dict[str, Any]:
    """Medians over the seeds; the first run, which may write caches of bytecode, does not count."""
    try:
        runs = [run(program, file, seed) for seed in (0, *range(seeds))][1:]
    except subprocess.CalledProcessError as error:
        return {"failed": error.stderr.strip().splitlines()[-1]}
    return {key: median(one[key] for one in runs) for key in runs[0]}


def run(program: str, file: Path, seed: int) -> dict[str, float]:
    """What a program printed: "epochs", the "score" then, "training" and "total" seconds."""
    arguments = f"{program}.py", str(file), str(seed), repr(time.monotonic())
    lines = python(*arguments, folder=FOLDER, timeout=TIMEOUT).splitlines()
    found: dict[str, float] = json.loads(lines[-1])
    return found
