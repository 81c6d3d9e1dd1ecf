"""Compare fastgd's estimators with scikit-learn's: scores on its data sets, and seconds of a fit.

    python -m benchmarks.scikit_learn scores               5 folds with 5 seeds each, as tables for docs/scikit-learn.md
    python -m benchmarks.scikit_learn scores --seeds 1     a fifth of it
    python -m benchmarks.scikit_learn times                on a quiet machine

Settings are equal, and defaults unless they are shown; X, and y of a regression, are scaled to mean 0 and standard
deviation 1 of the training rows.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastgd import sklearn as ours

Data = tuple[Any, Any]

CLASSIFICATIONS: dict[str, Callable[[], Data]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "make_classification": lambda: datasets.make_classification(1000, n_informative=8, n_classes=3, random_state=0),
}
REGRESSIONS: dict[str, Callable[[], Data]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "linnerud": lambda: datasets.load_linnerud(return_X_y=True),
    "make_regression": lambda: datasets.make_regression(500, 20, noise=20, random_state=0),
    "friedman 1": lambda: datasets.make_friedman1(500, noise=1, random_state=0),
    "friedman 2": lambda: datasets.make_friedman2(500, noise=50, random_state=0),
    "friedman 3": lambda: datasets.make_friedman3(500, noise=0.1, random_state=0),
}
SOLVERS = ("adam", "sgd", "lbfgs")
RATES = {"adam": 0.001, "sgd": 0.01, "lbfgs": 0.001}
TIMED: dict[str, dict[str, Any]] = {
    "defaults": {},
    "batch_size=32": {"batch_size": 32},
    "solver='sgd'": {"solver": "sgd"},
    "solver='lbfgs'": {"solver": "lbfgs"},
    "hidden_layer_sizes=(64, 32), early_stopping=True": {"hidden_layer_sizes": (64, 32), "early_stopping": True},
}


def estimator(module: Any, name: str, **settings: Any) -> Any:
    """The estimator of fastgd or of scikit-learn, with scaling before and after it."""
    model = make_pipeline(StandardScaler(), getattr(module, name)(**settings))
    if name == "MLPClassifier":
        return model
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def splits(y: Any, name: str, seed: int) -> Iterator[tuple[Any, Any]]:
    """Five folds."""
    folds = StratifiedKFold if name == "MLPClassifier" else KFold
    yield from folds(5, shuffle=True, random_state=seed).split(y, y)


def scores(X: Any, y: Any, name: str, solver: str, seeds: int) -> tuple[list[float], list[float]]:
    """The scores of fastgd and of scikit-learn, each on every fold with every seed."""
    found: tuple[list[float], list[float]] = [], []
    for seed in range(seeds):
        for train, test in splits(y, name, seed):
            settings = {"solver": solver, "learning_rate_init": RATES[solver], "random_state": seed}
            for module, values in zip((ours, neural_network), found, strict=True):
                model = estimator(module, name, **settings).fit(X[train], y[train])
                values.append(model.score(X[test], y[test]))
    return found


def table_of_scores(seeds: int) -> Iterator[str]:
    """Lines of a table: mean scores, and the mean difference with its standard error."""
    yield "| data | score | solver | fastgd | scikit-learn | difference |"
    yield "|---|---|---|---:|---:|---:|"
    for name, sets in (("MLPClassifier", CLASSIFICATIONS), ("MLPRegressor", REGRESSIONS)):
        score = "accuracy" if name == "MLPClassifier" else "R²"
        for title, load in sets.items():
            X, y = load()
            for solver in SOLVERS:
                a, b = scores(X, y, name, solver, seeds)
                difference = np.subtract(a, b)
                error = difference.std(ddof=1) / np.sqrt(len(difference))
                cells = f"{np.mean(a):.3f} | {np.mean(b):.3f} | {difference.mean():+.3f} ± {error:.3f}"
                yield f"| {title} | {score} | {solver} | {cells} |"


def seconds(module: Any, X: Any, y: Any, settings: dict[str, Any]) -> float:
    """Seconds of 40 epochs, or steps of L-BFGS."""
    model = module.MLPClassifier(random_state=0, max_iter=40, tol=0, n_iter_no_change=1000, **settings)
    began = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - began


def table_of_times(rounds: int) -> Iterator[str]:
    """Lines of a table: medians over interleaved turns."""
    X, y = datasets.load_digits(return_X_y=True)
    yield "| settings | dtype | fastgd | scikit-learn | ratio |"
    yield "|---|---|---:|---:|---:|"
    for title, settings in TIMED.items():
        for dtype in ("float64", "float32"):
            data = (X / 16).astype(dtype)
            turns = [
                [seconds(module, data, y, settings) for module in (ours, neural_network)] for _ in range(rounds + 1)
            ]
            a, b = np.median(turns[1:], axis=0)  # in the first one, threads start and memory is touched
            yield f"| `{title}` | {dtype} | {a * 1e3:.0f} ms | {b * 1e3:.0f} ms | {b / a:.1f} |"


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.scikit_learn", description=__doc__, formatter_class=plain)
    parser.add_argument("what", choices=["scores", "times"])
    parser.add_argument("--seeds", type=int, default=5, help="of the scores (default: 5)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (default: 5)")
    arguments = parser.parse_args()
    lines = table_of_scores(arguments.seeds) if arguments.what == "scores" else table_of_times(arguments.rounds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not all converge
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
