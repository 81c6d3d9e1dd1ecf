"""Estimators of scikit-learn, trained by fastgd: `pip install "fastgd[sklearn]"`.

`MLPClassifier` and `MLPRegressor` take the place of the classes of these names in `sklearn.neural_network`;
`LinearClassifier` and `LinearRegressor` are the same without hidden layers.  docs/scikit-learn.md says what they add,
and what differs.  `TabularClassifier` and `TabularRegressor` take tables as they are: see docs/tables.md.
`PopulationSearchCV` and `HalvingPopulationSearchCV` search for hyper-parameters: see docs/many-models.md.

>>> from fastgd.sklearn import MLPClassifier
>>> import fastgd as gd
>>> X, y = gd.datasets.digits()
>>> MLPClassifier(random_state=0, tol=0.01).fit(X / 16, y).score(X / 16, y) > 0.95
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .classifier import MLPClassifier
    from .linear import LinearClassifier, LinearRegressor
    from .regressor import MLPRegressor
    from .search import HalvingPopulationSearchCV, PopulationSearchCV
    from .tabular import TabularClassifier, TabularRegressor

__all__ = [
    "HalvingPopulationSearchCV",
    "LinearClassifier",
    "LinearRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "PopulationSearchCV",
    "TabularClassifier",
    "TabularRegressor",
]

_HOMES = {
    "HalvingPopulationSearchCV": "search",
    "LinearClassifier": "linear",
    "LinearRegressor": "linear",
    "MLPClassifier": "classifier",
    "MLPRegressor": "regressor",
    "PopulationSearchCV": "search",
    "TabularClassifier": "tabular",
    "TabularRegressor": "tabular",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise ImportError(f'fastgd.sklearn.{name} needs scikit-learn: pip install "fastgd[sklearn]"') from None
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
