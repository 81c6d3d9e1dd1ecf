"""Networks that predict together: the mean of their predictions, and how far these are apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from .. import metrics
from .._common.checks import check_objects
from .._common.explain import ExplainsAttributes, explains_arguments
from .._common.typing import Array, Floats
from ..data.arrays import as_numeric, check_finite, to_array
from ..data.outputs import OutputSpec
from ..data.shared import Shared
from ..losses.link import REGRESSION_LINKS
from ..metrics import Metric
from ..models import files
from ..models.predictions import network_outputs
from ..models.sequential import Sequential
from .ensemble_files import load_ensemble, save_ensemble
from .intervals import Calibration
from .workers import map_all

# Predictions of all models that are held at once.
_MAX_VALUES = 1 << 24


@explains_arguments
class Ensemble(ExplainsAttributes):
    """Models that predict together.

    `Population.ensemble` and `Population.select` make one of the members of a population.

    Parameters
    ----------
    models : iterable of Sequential
        Trained on the same columns of X, for the same classes or the same number of outputs; else of any size.
    weights : array (models,), default=None
        Weights >= 0 of the models in the mean; None: equal ones.
    n_threads : int >= 1 or None, default=None
        Maximum number of threads of a prediction; the results do not depend on it.

    Attributes
    ----------
    models : tuple of Sequential
    weights : ndarray (models,) float64
        They sum to 1.
    calibration : Calibration or None
        What `calibrate` has measured.

    References
    ----------
    Lakshminarayanan, Pritzel & Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles",
    NeurIPS 2017.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> trainers = [gd.Trainer(gd.MLP(64, 32, 10, seed=i), loss="cross_entropy", seed=i) for i in range(3)]
    >>> population = gd.Population(trainers)
    >>> histories = population.fit(X[:1500] / 16, y[:1500], epochs=5, verbose=0)
    >>> ensemble = population.ensemble()
    >>> ensemble.score(X[1500:] / 16, y[1500:]) > 0.7
    True
    >>> ensemble.predict_std(X[1500:] / 16).shape
    (297, 10)
    """

    def __init__(
        self, models: Iterable[Sequential], weights: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> None:
        self.models = _check_models(models)
        self.weights = _check_weights(weights, len(self.models))
        self.n_threads = n_threads
        self.calibration: Calibration | None = None

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        return f"Ensemble(<{len(self.models)} models>)"

    @property
    def head(self) -> OutputSpec:
        """What the outputs of the models mean."""
        return self.models[0].head

    def predict(self, X: Any) -> Array:
        """Predict the rows of X: the class of the highest mean probability, or the mean of numbers.

        Parameters
        ----------
        X : array, nested list, data frame or Arrow table, shape (rows, n_in)

        Returns
        -------
        ndarray
            As of `Sequential.predict`.  Models with a hinge loss have no probabilities: the sign of their mean output
            decides.
        """
        return self._reduce(X, lambda values: self._answers(self._mean(values)))

    def predict_proba(self, X: Any) -> Array:
        """Mean probabilities (rows, n_classes), in the order of `head.classes`; ValueError if there are none."""
        if self.head.link not in ("softmax", "sigmoid"):
            self.head.predict_proba(np.zeros((1, self.models[0].n_out)))  # raises the error of a single model
        return self._reduce(X, self._mean)

    def predict_std(self, X: Any) -> Array:
        """Standard deviation of the models' predictions, in the shape of the targets, or of their probabilities.

        It says how far the models disagree, not how far the targets scatter about the mean: `predict_interval` does.
        """
        return self._reduce(X, lambda values: self._squeeze(self._std(values)))

    def predict_members(self, X: Any) -> Array:
        """What each model predicts: numbers (models, rows) or (models, rows, n_out), or probabilities of classes."""
        return self._reduce(X, self._squeeze, axis=1)

    def calibrate(self, X: Any, y: Any) -> Ensemble:
        """Measure the errors on rows that no model was trained on: `predict_interval` then covers what it says.

        Parameters
        ----------
        X, y : array-like (rows, n_in), and (rows,) or (rows, n_out)
            Of a regression.

        Returns
        -------
        Ensemble
            Itself.

        Notes
        -----
        Split conformal prediction with scores abs(y - mean) / (std + s), where std is the spread of the models in a row
        and s its mean over these rows.  Whatever the distribution of the rows, an interval of coverage c contains the
        target of a further one with a probability of c or a little more.

        References
        ----------
        Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, "Distribution-free predictive inference for regression", JASA
        2018, section 5.2 (locally weighted).
        """
        if self.head.link not in REGRESSION_LINKS:
            raise ValueError("calibrate needs a regression: for classes, see predict_proba and predict_std")
        targets = as_numeric(y, "y")
        check_finite(targets, "y")
        mean, std = self._mean_and_std(X)
        targets = targets.reshape(-1, 1) if targets.ndim == 1 else targets
        if targets.shape != mean.shape:
            raise ValueError(f"y must have the shape of the predictions, {mean.shape}, not {targets.shape}")
        self.calibration = Calibration.of(targets - mean, std)
        return self

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper bounds that contain a share `coverage` of the targets; `calibrate` comes first.

        Parameters
        ----------
        X : array-like (rows, n_in)
        coverage : float in (0, 1), default=0.9

        Returns
        -------
        lower, upper : ndarray
            In the shape of the targets.

        Raises
        ------
        ValueError
            The ensemble was not calibrated, or on too few rows for this coverage.
        """
        if self.calibration is None:
            raise ValueError("the intervals are not calibrated: call calibrate(X, y) with rows that were held out")
        mean, std = self._mean_and_std(X)
        half = self.calibration.half_widths(std, coverage)
        return self._squeeze(mean - half), self._squeeze(mean + half)

    def score(self, X: Any, y: Any, metric: str | Callable[..., float] | Metric | None = None) -> float:
        """A metric of the predictions.

        Parameters
        ----------
        X, y : array-like
            As in `Trainer.fit`.
        metric : str, callable or Metric, default=None
            See `fastgd.metrics.get`; None: accuracy, or R2 of numbers.
        """
        default = "r2" if self.head.link in REGRESSION_LINKS else "accuracy"
        values = self._reduce(X, self._mean)
        return self._measure(metrics.get(default if metric is None else metric), to_array(y, "y"), values)

    def save(self, path: files.Target, format: str | None = None) -> None:
        """Write models, weights and calibration to `path`, which ends in .npz or .safetensors.

        A binary file object is written in `format`, "npz" (default) or "safetensors".
        """
        save_ensemble(path, self.models, self.weights, self.calibration, format)

    @classmethod
    def load(cls, path: files.Target) -> Ensemble:
        """Load an ensemble that `save` wrote; ValueError if the file is damaged or of another kind."""
        models, weights, calibration = load_ensemble(path)
        ensemble = cls(models, weights)
        ensemble.weights, ensemble.calibration = weights, calibration
        return ensemble

    # What is averaged: numbers of a regression in the units of y, probabilities, or with hinge losses outputs.

    def _reduce(self, X: Any, function: Callable[[Array], Array], axis: int = 0) -> Array:
        """function(values (models, rows, columns)) of all rows, of which some at a time are predicted."""
        return np.concatenate([function(values) for values in self._blocks(X)], axis=axis)

    def _blocks(self, X: Any) -> Iterator[Array]:
        shared, n_out = Shared(X), max(model.n_out for model in self.models)
        n, step = n_rows(shared, self.models[0]), max(1, _MAX_VALUES // (len(self.models) * max(2, n_out)))
        for start in range(0, n, step):
            yield values_of(
                self.models, shared if step >= n else shared.take(slice(start, start + step)), self.n_threads
            )

    def _mean(self, values: Array) -> Array:
        mean: Array = np.einsum("k,knc->nc", self.weights, values)
        return mean

    def _std(self, values: Array) -> Array:
        std: Array = np.sqrt(np.einsum("k,knc->nc", self.weights, np.square(values - self._mean(values))))
        return std

    def _mean_and_std(self, X: Any) -> tuple[Array, Array]:
        both = self._reduce(X, lambda values: np.stack([self._mean(values), self._std(values)]), axis=1)
        return both[0], both[1]

    def _answers(self, mean: Array) -> Array:
        return answers(self.head, self.models[0].n_out, mean)

    def _squeeze(self, values: Array) -> Array:
        return values[..., 0] if self.head.squeeze and self.head.link in REGRESSION_LINKS else values

    def _measure(self, metric: Metric, y: Array, mean: Array) -> float:
        return measure(metric, self.head, self.models[0].n_out, y, mean)


def n_rows(X: Shared, model: Sequential) -> int:
    """Number of rows of X, which are checked."""
    return len(model.inputs.rows(X, model.n_in, "X", model.inputs.dtype_of_rows(model.dtype)))


def values_of(models: Iterable[Sequential], X: Shared, n_threads: int | None) -> Array:
    """What is averaged, of each model: (models, rows, columns) float64."""
    models = tuple(models)
    flops = 2.0 * sum(model.size for model in models) * n_rows(X, models[0])
    return np.array(map_all(lambda model: _values(model, X), models, n_threads, flops))


def _values(model: Sequential, X: Shared) -> Array:
    head, Z = model.head, network_outputs(model, X, model.head.link)
    if head.link in REGRESSION_LINKS:
        return head.inverse_link(Z).astype(np.float64)
    return (Z if head.link == "sign" else head.predict_proba(Z)).astype(np.float64)


def answers(head: OutputSpec, n_out: int, mean: Array) -> Array:
    """Predictions in the shape of the targets, from mean values (rows, columns)."""
    if head.link in REGRESSION_LINKS:
        return mean[:, 0] if head.squeeze else mean
    if head.link == "sigmoid":  # p > 1/2 where its log-odds are positive
        return head.predict((mean[:, 1:] if n_out == 1 else mean) - 0.5)
    return head.predict(mean)


def measure(metric: Metric, head: OutputSpec, n_out: int, y: Array, mean: Array) -> float:
    """The value of a metric for targets of the user and mean values."""
    if metric.of == "probabilities":
        return metric(y, mean[:, 1] if mean.shape[1] == 2 else mean, None)
    predicted = answers(head, n_out, mean)
    return metric(y.reshape(predicted.shape) if y.size == predicted.size else y, predicted, None)


def _check_models(models: Any) -> tuple[Sequential, ...]:
    """The models as a tuple; TypeError or ValueError if their predictions have no mean."""
    checked = tuple(check_objects(models, Sequential, "an Ensemble", "model", "model"))
    for i, model in enumerate(checked):
        if (problem := _difference(checked[0], model)) is not None:
            raise ValueError(f"models 0 and {i} cannot predict together: {problem}")
    return checked


def _difference(one: Sequential, other: Sequential) -> str | None:
    """Why the predictions of two models have no mean; None if they have."""
    a, b = one.head, other.head
    kinds = ["numbers" if spec.link in REGRESSION_LINKS else spec.link for spec in (a, b)]
    if one.n_in != other.n_in:
        return f"they take {one.n_in} and {other.n_in} columns of X"
    if kinds[0] != kinds[1]:
        return f"their outputs are {kinds[0]} and {kinds[1]}"
    if (a.classes is None) != (b.classes is None) or not (
        a.classes is None or a.classes.tolist() == cast(Array, b.classes).tolist()
    ):
        return f"their classes are {a.classes} and {b.classes}"
    if a.classes is None and one.n_out != other.n_out:
        return f"they have {one.n_out} and {other.n_out} outputs"
    return None


def _check_weights(weights: ArrayLike | None, n: int) -> Floats:
    if weights is None:
        return np.full(n, 1 / n)
    checked = as_numeric(weights, "weights").astype(np.float64)
    if checked.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one per model, not {checked.shape}")
    check_finite(checked, "weights")
    if (checked < 0).any() or not checked.any():
        raise ValueError("weights must be >= 0, and > 0 for some model")
    shares: Floats = checked / checked.sum()
    return shares
