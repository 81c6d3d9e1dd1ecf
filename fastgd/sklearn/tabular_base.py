"""What the estimators of tables share: a thin layer over `fastgd.tables.TableModel`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from .._common.checks import check_int, closest, shown
from .._common.typing import Array
from ..callbacks.history import History
from ..data.arrays import is_frame
from ..tables import Finding, TableModel
from ..tables.frames import columns_of
from .compat import validate_data

# Parameters that `TableModel` has by other names.
_RENAMED = {
    "hidden_layer_sizes": "hidden",
    "learning_rate": "lr",
    "max_iter": "epochs",
    "validation_fraction": "validation",
    "n_iter_no_change": "patience",
    "scoring": "metric",
}


class BaseTabular(BaseEstimator):  # type: ignore[misc]
    """An estimator of tables; subclasses say what targets mean."""

    model_: TableModel
    histories_: tuple[History, ...]
    _task: str

    def _store(self, parameters: dict[str, Any]) -> None:
        """Set the parameters, given as `locals()` of the constructor, without looking at them."""
        for name in self._get_param_names():
            setattr(self, name, parameters[name])

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, eval_set: Any = None) -> Any:
        """Train on a table.

        Parameters
        ----------
        X : data frame, dict, array-like of shape (n_samples, n_features), or path
            A frame of pandas, polars or Arrow, a dict of columns, an array, or a CSV or Parquet file.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or str
            The targets, or the name of the column of X that holds them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 0 or more.
        eval_set : (X, y) or (X, y, sample_weight), default=None
            Rows that decide which epoch to keep; none of the training rows are held out then.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._split_target(X, y)
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        n_features, names, table = self._read_columns(X)
        y = self._check_targets(y)
        if names is None:
            check_consistent_length(table, y)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        model = TableModel(self._task, seed=seed, **self._settings())
        verbose = check_int("verbose", int(self.verbose), minimum=0)
        model.fit(table, y, sample_weight, eval_set=self._read_eval_set(eval_set), verbose=verbose)
        self._describe(model, n_features, names)
        return self

    def predict(self, X: Any) -> Array:
        """Predict the label or the targets of each row.

        Parameters
        ----------
        X : table as in `fit`
            Columns of a frame, dict or file are matched by name, in any order; those unknown to `fit` are ignored.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        rows = self._read_rows(X)
        return self.model_.predict(rows)

    @property
    def history_(self) -> History:
        """Loss, learning rate and what was measured on the held-out rows, by epoch, of the first network."""
        return self.histories_[0]

    @property
    def findings_(self) -> tuple[Finding, ...]:
        """Columns that were left out, and other notable ones, with the reason."""
        return self.model_.encoder.findings

    def _describe(self, model: TableModel, n_features: int, names: list[str] | None) -> None:
        """Set the attributes of a fitted estimator."""
        self.model_, self.histories_, self.n_features_in_ = model, model.histories, n_features
        self.n_iter_ = max(len(history["epoch"]) for history in model.histories)
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array(names, object)

    def _settings(self) -> dict[str, Any]:
        """The parameters as `TableModel` takes them."""
        names = [name for name in self._get_param_names() if name not in ("random_state", "verbose")]
        settings = {_RENAMED.get(name, name): getattr(self, name) for name in names}
        return settings | {name: settings[name] or () for name in ("drop", "callbacks")}

    def _split_target(self, X: Any, y: Any) -> tuple[Any, Any]:
        """The table and the targets, which may be one of its columns; a file is read."""
        if isinstance(X, (str, os.PathLike)):
            as_text = [name for name, kind in (self.kinds or {}).items() if kind not in ("number", "boolean")]
            X = columns_of(X, [*as_text, *(self.drop or ())])[0]
        if not isinstance(y, str):
            return X, y
        columns = dict(columns_of(X)[0])
        if y not in columns:
            close = closest(y, columns)
            hint = f"; did you mean {close!r}?" if close else ""
            raise ValueError(f"X has no column {y!r} that could be the target{hint}")
        target = columns.pop(y)
        return columns, target

    def _read_columns(self, X: Any) -> tuple[int, list[str] | None, Any]:
        """Number and names of the columns of the table of `fit`, None if they have none, and the table."""
        if not _has_columns(X):
            X = validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=2)
            return X.shape[1], None, X
        columns, is_named = columns_of(X)
        return len(columns), list(columns) if is_named else None, X

    def _read_rows(self, X: Any) -> Any:
        """A table to predict: columns of a frame are taken by name, those of an array by position."""
        check_is_fitted(self, "model_")
        return X if _has_columns(X) else validate_data(self, X, dtype=None, ensure_all_finite="allow-nan", reset=False)

    def _check_targets(self, y: Any) -> Array:
        raise NotImplementedError

    def _read_eval_set(self, eval_set: Any) -> tuple[Any, ...] | None:
        if eval_set is None:
            return None
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) not in (2, 3):
            raise TypeError(f"eval_set must be (X, y) or (X, y, sample_weight), not {shown(eval_set)}")
        X, y = self._split_target(*eval_set[:2])
        return X, self._check_targets(y), *eval_set[2:]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # before scikit-learn 1.6
        return {"requires_y": True, "allow_nan": True, "X_types": ["2darray", "categorical", "string"]}


def _has_columns(X: Any) -> bool:
    """Whether X is a table whose columns may have types of their own, rather than an array or a list of rows."""
    if isinstance(X, np.ndarray) or hasattr(X, "toarray"):  # a sparse matrix may be a dict
        return False
    return isinstance(X, (str, os.PathLike, Mapping)) or hasattr(X, "__arrow_c_stream__") or is_frame(X)
