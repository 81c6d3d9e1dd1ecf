"""What is inspected: a network, or an estimator that has one or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .. import metrics
from .._common.checks import shown
from .._common.typing import Array, Floats
from ..data.inputs import column_names
from ..losses.link import BINARY_LINKS, REGRESSION_LINKS
from ..models.sequential import Sequential
from ..training.trainer import Trainer
from .rows import ArrayRows, Rows, rows_of


class Subject(ABC):
    """A trained model.

    Attributes
    ----------
    classes : ndarray or None
        The labels of the classes; None for a regression.
    """

    classes: Array | None

    @abstractmethod
    def rows(self, X: Any) -> Rows:
        """X, checked, as rows whose columns can be replaced."""

    @abstractmethod
    def predict(self, X: Any) -> Array:
        """Labels or values of rows as `Rows` returns them."""

    @abstractmethod
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of rows as `Rows` returns them."""

    @abstractmethod
    def default_metric(self) -> metrics.Metric | None:
        """How the model scores rows unless the user says otherwise; None: by `score`."""

    def score(self, X: Any, y: Any, weight: Any) -> float:
        """The score of the model itself."""
        raise NotImplementedError

    def responses(self, X: Any) -> Floats:
        """Probabilities or values (rows, outputs); of two classes, that of the second."""
        p = np.asarray(self.predict(X) if self.classes is None else self.predict_proba(X), np.float64)
        p = p.reshape(len(p), -1)
        return p[:, 1:] if self.classes is not None and p.shape[1] == 2 else p


class Network(Subject):
    """A `Sequential`, or that of a trainer.

    Parameters
    ----------
    model : Sequential
    trainer : Trainer or None
        Names the default metric.
    """

    def __init__(self, model: Sequential, trainer: Trainer | None = None) -> None:
        self.model, self._trainer = model, trainer
        link, classes = model.head.link, model.head.classes
        self.classes = classes if classes is not None or link in REGRESSION_LINKS else np.arange(max(model.n_out, 2))

    def rows(self, X: Any) -> Rows:
        model, names = self.model, self.model.feature_names_in_
        names = column_names(X) if names is None else names
        array = model.inputs.rows(X, model.n_in, dtype=model.inputs.dtype_of_rows(model.dtype))
        return ArrayRows(array, names, self._scale)

    def predict(self, X: Array) -> Array:
        return self.model.head.predict(self._outputs(X, self.model.head.link_of_labels))

    def predict_proba(self, X: Array) -> Array:
        return self.model.head.predict_proba(self._outputs(X, self.model.head.link))

    def default_metric(self) -> metrics.Metric:
        trainer = self._trainer
        if trainer is not None and trainer.metrics:
            return trainer.metrics[0]
        name = "r2" if self.model.head.link in REGRESSION_LINKS else "accuracy"
        name = name if trainer is None else getattr(trainer.loss, "metric", name)
        if name is None:
            raise ValueError(f"the loss {trainer and trainer.loss!r} implies no metric: pass metric=")
        return metrics.get(name)

    def _scale(self, rows: Array) -> Array:
        """Rows as the network takes them, of a dtype that it reads in place."""
        scaled = self.model.inputs.scale(rows, self.model.dtype)
        return scaled.astype(self.model.dtype, copy=False) if scaled.dtype.kind == "f" else scaled

    def _outputs(self, X: Array, link: str) -> Array:
        """Outputs of the network for rows that are scaled already."""
        model = self.model
        Z = np.empty((len(X), model.n_out), model.dtype)
        if not model.network_for(link).predict(X, Z, 0):
            raise FloatingPointError(
                f"outputs of the model overflow {model.dtype}: are these the rows it was made for?"
            )
        return Z


class Estimator(Subject):
    """Anything with `predict`, and `predict_proba` if it classifies."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        classes = getattr(estimator, "classes_", getattr(estimator, "classes", None))
        self.classes = None if classes is None else np.asarray(classes)

    def rows(self, X: Any) -> Rows:
        return rows_of(X)

    def predict(self, X: Any) -> Array:
        return np.asarray(self._estimator.predict(X))

    def predict_proba(self, X: Any) -> Array:
        return np.asarray(self._estimator.predict_proba(X))

    def default_metric(self) -> metrics.Metric | None:
        if hasattr(self._estimator, "score"):
            return None
        return metrics.get("r2" if self.classes is None else "accuracy")

    def score(self, X: Any, y: Any, weight: Any) -> float:
        return float(self._estimator.score(X, y, **({} if weight is None else {"sample_weight": weight})))


def subject_of(model: Any) -> Subject:
    """What is inspected; TypeError if it cannot predict."""
    if isinstance(model, Trainer):
        return Network(model.eval_model, model)
    if isinstance(model, Sequential):
        return Network(model)
    if isinstance(model, type) or not hasattr(model, "predict"):
        raise TypeError(f"expected a trained model, a Trainer or an estimator with predict, not {shown(model)}")
    return Estimator(model)


def network_of(model: Any) -> Sequential:
    """The network of a model, whose gradients are asked for; TypeError if it has none."""
    if isinstance(model, (Trainer, Sequential)):
        return model.eval_model if isinstance(model, Trainer) else model
    network = getattr(model, "network_", None)
    if not isinstance(network, Sequential):
        raise TypeError(f"gradients need a model of fastgd, a Trainer or a fitted estimator of it, not {shown(model)}")
    return network


def is_binary(network: Sequential) -> bool:
    """Whether a network has one output that decides between two classes."""
    return network.head.link in BINARY_LINKS and network.n_out == 1
