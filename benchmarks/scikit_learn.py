"""Compare fastgd's estimators with scikit-learn's: scores on its data sets, and seconds of a fit.

    python -m benchmarks.scikit_learn scores               5 folds with 5 seeds each, as tables for docs/scikit-learn.md
    python -m benchmarks.scikit_learn times                on a quiet machine
    python -m benchmarks.scikit_learn times --limit 30     for at most 30 seconds; repeat until nothing is left

Settings are equal, and defaults unless they are shown; X, and y of a regression, are scaled to mean 0 and standard
deviation 1 of the training rows. What has been measured is kept in build/scikit_learn/ and not measured again:
remove this folder to begin anew.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastgd import sklearn as ours

from . import store
from .fresh import ROOT

Data = tuple[Any, Any]
FOLDER = ROOT / "build" / "scikit_learn"
MODULES = {"fastgd": ours, "scikit-learn": neural_network}

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
SETS = CLASSIFICATIONS | REGRESSIONS
SOLVERS = ("adam", "sgd", "lbfgs")
RATES = {"adam": 0.001, "sgd": 0.01, "lbfgs": 0.001}
DTYPES = ("float64", "float32")
TIMED: dict[str, dict[str, Any]] = {
    "defaults": {},
    "batch_size=32": {"batch_size": 32},
    "solver='sgd'": {"solver": "sgd"},
    "solver='lbfgs'": {"solver": "lbfgs"},
    "hidden_layer_sizes=(64, 32), early_stopping=True": {"hidden_layer_sizes": (64, 32), "early_stopping": True},
}


def estimator(contender: str, title: str, **settings: Any) -> Any:
    """The estimator of fastgd or of scikit-learn for a data set, with scaling before and after it."""
    module = MODULES[contender]
    if title in CLASSIFICATIONS:
        return make_pipeline(StandardScaler(), module.MLPClassifier(**settings))
    model = make_pipeline(StandardScaler(), module.MLPRegressor(**settings))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def scores(title: str, solver: str, seed: int) -> dict[str, list[float]]:
    """The scores of each contender on five folds."""
    X, y = SETS[title]()
    folds = (StratifiedKFold if title in CLASSIFICATIONS else KFold)(5, shuffle=True, random_state=seed)
    settings = {"solver": solver, "learning_rate_init": RATES[solver], "random_state": seed}
    found: dict[str, list[float]] = {contender: [] for contender in MODULES}
    for train, test in folds.split(X, y):
        for contender, values in found.items():
            model = estimator(contender, title, **settings).fit(X[train], y[train])
            values.append(model.score(X[test], y[test]))
    return found


def seconds(title: str, settings: str, dtype: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of 40 epochs, or steps of L-BFGS, of each contender, which take turns."""
    X, y = SETS[title]()
    X, y = StandardScaler().fit_transform(X).astype(dtype), y if title in CLASSIFICATIONS else _scaled(y)
    found: dict[str, list[float]] = {contender: [] for contender in MODULES}
    for turn, (contender, module) in product(range(rounds + 1), MODULES.items()):
        kind = module.MLPClassifier if title in CLASSIFICATIONS else module.MLPRegressor
        model = kind(random_state=0, max_iter=40, tol=0, n_iter_no_change=1000, **TIMED[settings])
        began = time.perf_counter()
        model.fit(X, y)
        if turn > 0:  # in the first one, threads start and memory is touched
            found[contender].append(time.perf_counter() - began)
    return found


def _scaled(y: Any) -> Any:
    return (y - y.mean(axis=0)) / y.std(axis=0)


def scored_parts(seeds: int) -> dict[str, Callable[[], Any]]:
    """What `scores` measures, by name."""
    parts = product(range(seeds), SETS, SOLVERS)
    return {f"{title}/{solver}/{seed}": lambda a=(title, solver, seed): scores(*a) for seed, title, solver in parts}


def timed_parts(rounds: int) -> dict[str, Callable[[], Any]]:
    """What `times` measures, by name: the data sets with the defaults, and the digits with other settings."""
    cases = [(title, "defaults") for title in SETS] + [("digits", name) for name in TIMED if name != "defaults"]
    return {
        f"{title}/{name}/{dtype}": lambda a=(title, name, dtype): seconds(*a, rounds)
        for (title, name), dtype in product(cases, DTYPES)
    }


def measure(what: str, parts: dict[str, Callable[[], Any]], limit: float) -> dict[str, Any]:
    """The results of all parts, of which those that were not kept are measured, while there is time."""
    file, deadline = FOLDER / f"{what}.json", time.perf_counter() + limit
    found = store.read(file)
    for name in (name for name in parts if name not in found):
        if time.perf_counter() >= deadline:
            break
        found[name] = parts[name]()
        store.write(file, found)
    left = len([name for name in parts if name not in found])
    if left:
        print(f"{left} of {len(parts)} parts are left; call again to measure them\n")
    return {name: found[name] for name in parts if name in found}


def table_of_scores(found: dict[str, Any]) -> Iterator[str]:
    """Lines of a table: means over folds and seeds with the standard deviation between seeds, and the difference."""
    yield "| data | score | solver | fastgd | scikit-learn | difference |"
    yield "|---|---|---|---:|---:|---:|"
    for title, solver in product(SETS, SOLVERS):
        runs = [run for name, run in found.items() if name.startswith(f"{title}/{solver}/")]
        if not runs:
            continue
        by_seed = {contender: np.mean([run[contender] for run in runs], axis=1) for contender in MODULES}
        difference = np.concatenate([np.subtract(*(run[contender] for contender in MODULES)) for run in runs])
        cells = [f"{means.mean():.3f} ± {_spread(means):.3f}" for means in by_seed.values()]
        cells.append(f"{difference.mean():+.3f} ± {_spread(difference) / np.sqrt(len(difference)):.3f}")
        yield f"| {title} | {'accuracy' if title in CLASSIFICATIONS else 'R²'} | {solver} | {' | '.join(cells)} |"


def _spread(values: Any) -> float:
    """The standard deviation; 0 of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def table_of_times(found: dict[str, Any]) -> Iterator[str]:
    """Lines of a table: medians of the times, and their ratio, by dtype."""
    columns = [f"{dtype}: fastgd | scikit-learn | ratio" for dtype in DTYPES]
    yield f"| data | settings | {' | '.join(columns)} |"
    yield "|---|---|" + "---:|" * (3 * len(DTYPES))
    for case in dict.fromkeys(name.rpartition("/")[0] for name in found):
        title, settings = case.split("/")
        cells = []
        for dtype in DTYPES:
            run = found.get(f"{case}/{dtype}")
            both = [] if run is None else [float(np.median(run[contender])) for contender in MODULES]
            cells += [f"{median * 1e3:.0f} ms" for median in both]
            cells += [f"{both[1] / both[0]:.1f}"] if both else ["", "", ""]
        yield f"| {title} | {settings if settings == 'defaults' else f'`{settings}`'} | {' | '.join(cells)} |"


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.scikit_learn", description=__doc__, formatter_class=plain)
    parser.add_argument("what", choices=["scores", "times"])
    parser.add_argument("--seeds", type=int, default=5, help="of the scores (default: 5)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (default: 5)")
    parser.add_argument("--limit", type=float, default=np.inf, help="seconds after which no part begins")
    arguments = parser.parse_args()
    is_scores = arguments.what == "scores"
    parts = scored_parts(arguments.seeds) if is_scores else timed_parts(arguments.rounds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not all converge
        found = measure(arguments.what, parts, arguments.limit)
    for line in table_of_scores(found) if is_scores else table_of_times(found):
        print(line)


if __name__ == "__main__":
    main()
