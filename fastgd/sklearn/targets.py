"""What the targets of classifiers and of regressors mean, whatever the network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from .. import losses
from .._common.exact_math import log_softmax, softplus
from .._common.typing import Array, Floats
from . import objectives
from .base import BaseNetwork, if_stochastic
from .objectives import Objective


def _has_probabilities(estimator: Any) -> bool:
    """Whether the loss of a classifier makes outputs probabilities: hinge losses do not."""
    return bool(losses.get(estimator.loss).link != "sign")


class Classifier(ClassifierMixin, BaseNetwork):  # type: ignore[misc]
    """A network whose targets are classes, or several labels per row.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The labels, sorted; for several labels per row, the numbers of the columns.
    """

    _is_classifier = True
    _is_multilabel = False
    classes_: Array

    @if_stochastic
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, *, eval_set: Any = None
    ) -> Any:
        """Train the network for one epoch on some rows, and keep what it has learned from others.

        Parameters
        ----------
        X, y, sample_weight, eval_set
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            The labels of all calls; required in the first one, may be left out in others.

        Returns
        -------
        self : object
            The estimator.
        """
        self._declare_classes(y, classes)
        return self._fit(X, y, sample_weight, eval_set, incremental=True)

    def predict(self, X: Any) -> Array:
        """Predict the label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_outputs) of 0 and 1
            For several labels per row, whether the row has each.
        """
        Z = self._outputs(X)
        if self._is_multilabel:
            return (Z > 0).astype(np.int64)
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(Z))
        labels: Array = self.classes_[(Z[:, 0] > 0).astype(np.intp) if Z.shape[1] == 1 else Z.argmax(axis=1)]
        return labels

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.  Rows sum to 1, but not for several labels per row.
        """
        Z = self._outputs(X)
        return self.network_.head.predict_proba(Z) if len(self.classes_) > 1 else np.ones_like(Z)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of the probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Finite also where the probability is too small for a float.
        """
        Z = self._outputs(X)
        if len(self.classes_) == 1:
            return np.zeros_like(Z)
        if self._is_multilabel:
            return -softplus(-Z)
        return log_softmax(Z) if Z.shape[1] > 1 else -np.concatenate([softplus(Z), softplus(-Z)], axis=1)

    def decision_function(self, X: Any) -> Array:
        """Outputs of the network: log-odds, or margins with a hinge loss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            The class with the largest value is predicted; the second of two where it is positive.
        """
        Z = self._outputs(X)
        if len(self.classes_) > 2 or self._is_multilabel:
            return Z
        return Z[:, 0] if Z.shape[1] == 1 else Z[:, 1] - Z[:, 0]

    def _declare_classes(self, y: Any, classes: Any) -> None:
        """Set `classes_` in the first call of `partial_fit`, or check that they are the same in another."""
        known = getattr(self, "classes_", None)
        if classes is None and known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is None:
            return
        declared = unique_labels(classes)
        if known is None:
            self._is_multilabel = type_of_target(y).startswith("multilabel")
            self.classes_ = declared
        elif not np.array_equal(known, declared):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")

    def _read_targets(self, y: Array, continues: bool, incremental: bool) -> None:
        check_classification_targets(y)
        is_multilabel = y.ndim == 2 and type_of_target(y).startswith("multilabel")
        if y.ndim == 2 and not is_multilabel:
            raise ValueError(
                f"y must have one label per row, or be a label indicator matrix of 0 and 1, not shape {y.shape}: "
                "columns of several classes need one estimator each, as sklearn.multioutput.MultiOutputClassifier makes"
            )
        found = unique_labels(y)
        if not continues and not incremental:
            self.classes_, self._is_multilabel = found, is_multilabel
        elif incremental:
            if len(np.setdiff1d(found, self.classes_)):
                raise ValueError(
                    f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
                )
        elif not np.array_equal(found, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )

    def _make_objective(self, y: Array, weight: Floats | None) -> Objective:
        return objectives.classification(self.loss, len(self.classes_), self._is_multilabel)

    def _encode(self, y: Array) -> Array:
        if self._known_classes() is not None or self._is_multilabel:
            return y
        if (y != self.classes_[0]).any():
            raise ValueError(f"there is one class, {self.classes_[0]!r}, but eval_set has others")
        return np.zeros(len(y))

    def _known_classes(self) -> Array | None:
        return self.classes_ if len(self.classes_) > 1 and not self._is_multilabel else None

    def _class_weights(self, y: Array) -> Floats | None:
        if self.class_weight is None:
            return None
        weights: Floats = compute_sample_weight(self.class_weight, y)
        return weights

    def _check_combinations(self, eval_set: Any, incremental: bool) -> None:
        super()._check_combinations(eval_set, incremental)
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows, which partial_fit does not see: compute the weights with "
                "sklearn.utils.class_weight.compute_class_weight and pass them as a dict"
            )

    def _default_score(self, objective: Objective) -> str | None:
        return "accuracy_score" if self._is_multilabel else "accuracy"  # a row counts if all its labels are right

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # before scikit-learn 1.6
        return {"multilabel": True}


class Regressor(RegressorMixin, BaseNetwork):  # type: ignore[misc]
    """A network whose targets are real numbers."""

    _is_classifier = False

    @if_stochastic
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Any:
        """Train the network for one epoch on some rows, and keep what it has learned from others.

        Parameters
        ----------
        X, y, sample_weight, eval_set
            As in `fit`.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._fit(X, y, sample_weight, eval_set, incremental=True)

    def predict(self, X: Any) -> Array:
        """Predict the targets of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Columns of a loss with several quantiles: all those of the first target, then of the second ...
        """
        X = self._check_rows(X)
        return self.network_.predict(X, n_threads=self.n_threads)

    def _make_objective(self, y: Array, weight: Floats | None) -> Objective:
        return objectives.regression(self.loss, y, weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # before scikit-learn 1.6
        return {"multioutput": True}
