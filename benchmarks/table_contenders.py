"""What is compared on tables: estimators with a `fit` and a `predict`, all with their defaults."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastgd.sklearn import TabularClassifier, TabularRegressor

_MAX_CATEGORIES = 255  # that scikit-learn's trees accept


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


def _realmlp(is_classification: bool, variant: str = "TD_S") -> Any:
    import pytabkit

    kind = getattr(pytabkit, f"RealMLP_{variant}_{'Classifier' if is_classification else 'Regressor'}")
    return _Filled(kind(device="cpu", random_state=0))


class _FewCategories:
    """Columns of more categories than scikit-learn's trees accept become numbers."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: pd.DataFrame, y: Any) -> None:
        self.model.fit(self._prepared(X), y)

    def predict(self, X: pd.DataFrame) -> Any:
        return self.model.predict(self._prepared(X))

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return self.model.predict_proba(self._prepared(X))

    def _prepared(self, X: pd.DataFrame) -> pd.DataFrame:
        categories = X.select_dtypes("category")
        large = [name for name in categories if len(X[name].cat.categories) > _MAX_CATEGORIES]
        return X.assign(**{name: X[name].cat.codes.astype(float) for name in large})


class _Filled(_FewCategories):
    """Gaps in numbers, which RealMLP refuses, become the median."""

    def fit(self, X: pd.DataFrame, y: Any) -> None:
        self.medians = X.median(numeric_only=True)
        super().fit(X, y)

    def _prepared(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.fillna(self.medians.to_dict())


# By name: the package that must be installed, and what makes the estimator.
CONTENDERS: dict[str, tuple[str, Callable[[bool], Any]]] = {
    "fastgd": ("fastgd", _fastgd),
    "fastgd, 8 networks": ("fastgd", lambda is_classification: _fastgd(is_classification, n_ensemble=8)),
    "LightGBM": ("lightgbm", _lightgbm),
    "HistGradientBoosting": ("sklearn", _histogram),
    "scikit-learn MLP": ("sklearn", _perceptron),
    "RealMLP-TD-S": ("pytabkit", _realmlp),
    "RealMLP-TD": ("pytabkit", lambda is_classification: _realmlp(is_classification, "TD")),
}
