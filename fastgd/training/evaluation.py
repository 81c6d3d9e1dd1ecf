"""Loss and metrics on rows that the model is not trained on."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._common.typing import Array, Floats, Ints
from ..data.inputs import InputSpec
from ..data.outputs import OutputSpec
from ..losses import Loss
from ..losses.custom import Custom
from ..losses.link import BINARY_LINKS, REGRESSION_LINKS
from ..metrics import Metric, scikit_learn
from ..metrics import get as get_metric
from ..models.sequential import Sequential
from ..parallel import Group
from .stepwise import measure

# Rows that are predicted at once, so that outputs and gathered rows stay small however large the data are.
_BLOCK = 8192


class Evaluator:
    """Measures the mean loss and metrics of a model over fixed rows.

    Parameters
    ----------
    model : Sequential
    loss : Loss
        Without `metrics`, it determines the metric: accuracy for classification, R2 for regression, or none.
    X, Y : ndarray (rows, n_in), (rows, n_out) or (rows, 1)
        As the engine reads them, but not standardized: metrics are in the units of the user, the loss is in those that
        the network is trained on.
    weight : ndarray (rows,) or None, default=None
        Weights of the rows, in the model's dtype.
    rows : (n,) int64 or None, default=None
        Indices of the rows to use; None uses all.
    n_threads : int, default=0
    metrics : sequence of Metric or None, default=None
    output_spec : OutputSpec or None, default=None
        How outputs become the labels, values and probabilities that metrics take.
    input_spec : InputSpec or None, default=None
        How X becomes inputs of the network.
    precision : {"f32", "bf16"}, default="f32"
        In which outputs are computed.
    group : Group or None, default=None
        Processes whose rows are measured together: each predicts its own.

    Attributes
    ----------
    columns : tuple of str
        "validation_loss", and "validation_" + name of each metric.
    """

    def __init__(
        self,
        model: Sequential,
        loss: Loss,
        X: Array,
        Y: Array,
        weight: Array | None = None,
        rows: Ints | None = None,
        n_threads: int = 0,
        metrics: Sequence[Metric] | None = None,
        output_spec: OutputSpec | None = None,
        input_spec: InputSpec | None = None,
        precision: str = "f32",
        group: Group | None = None,
    ) -> None:
        self._model, self._loss, self._n_threads, self._precision = model, loss, n_threads, precision
        self._X, self._Y, self._rows, self._output_spec = X, Y, rows, output_spec or OutputSpec(loss.link)
        self._input_spec = input_spec or InputSpec()
        self._weight = weight if weight is None or rows is None else weight[rows]
        self._n = len(X) if rows is None else len(rows)
        self._read_rows: tuple[Array, Array] | None = None
        default = [] if loss.metric is None else [get_metric(loss.metric)]
        self._metrics = default if metrics is None else list(metrics)
        is_accuracy = self._metrics == [get_metric("accuracy")] and loss.target == "labels"
        self._counts_correct = is_accuracy and self._weight is None  # then the engine counts the rows that are right
        self._group = group or Group()
        self._n_of_all = sum(self._group.exchange(self._n))
        weights = self._weight_of_all = None if self._weight is None else self._group.concatenate(self._weight)
        self._divisor = float(self._n_of_all) if weights is None else weights.sum(dtype=np.float64)
        Y = self._group.concatenate(Y if rows is None else Y[rows])
        self._y_true = {kind: self._targets(kind, Y) for kind in {metric.of for metric in self._metrics}}
        self.columns = ("validation_loss", *(f"validation_{metric.name}" for metric in self._metrics))

    @property
    def calls_python(self) -> bool:
        """Whether functions of the user, or of scikit-learn, take part in a measurement."""
        return isinstance(self._loss, Custom) or any(metric.of != "encoded" for metric in self._metrics)

    def check(self) -> None:
        """Measure once, so that a metric of scikit-learn that cannot handle these targets fails before the training.

        Its functions are pure, so nothing changes.  A function of the user, which may count or print, is first called
        after the first epoch.  Warnings are ignored: they would be about a model that has not been trained.

        Raises
        ------
        ValueError
            A metric raised an exception, or did not return a number.
        """
        metrics = [metric for metric in self._metrics if scikit_learn.is_of_sklearn(metric)]
        if not metrics:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._measure(self._model, metrics)

    def measure(self, model: Sequential | None = None) -> dict[str, list[float]]:
        """Value of each column, as a list of one number.

        Parameters
        ----------
        model : Sequential or None, default=None
            Of the same shape as the evaluator's own, which None stands for.

        Raises
        ------
        ValueError
            A metric raised an exception, or did not return a number.
        """
        return {column: [value] for column, value in zip(self.columns, self.values(model), strict=True)}

    def values(self, model: Sequential | None = None) -> list[float]:
        """The value of each column; see `measure`."""
        return self._measure(model or self._model, self._metrics)

    def _measure(self, model: Sequential, metrics: Sequence[Metric]) -> list[float]:
        """The mean loss, and the value of each metric."""
        losses, correct = np.empty(self._n), 0
        blocks: dict[str, list[Array]] = {} if self._counts_correct else {metric.of: [] for metric in metrics}
        for block in self._blocks():
            Z, count = self._measure_block(model, block, losses[block])
            correct = -1 if min(count, correct) < 0 else correct + count
            for kind, predictions in blocks.items():
                predictions.append(self._predictions(kind, Z))
        loss = float(self._group.concatenate(losses).sum() / self._divisor)
        if not self._counts_correct:
            whole = {kind: parts[0] if len(parts) == 1 else np.concatenate(parts) for kind, parts in blocks.items()}
            y_pred = {kind: self._group.concatenate(array) for kind, array in whole.items()}
            return [loss, *(self._score(metric, y_pred[metric.of]) for metric in metrics)]
        counts = self._group.exchange(correct)
        if min(counts) >= 0:
            return [loss, sum(counts) / self._n_of_all]
        self._counts_correct = False  # an output is not finite: the definition says what that is
        return self._measure(model, metrics)

    def _score(self, metric: Metric, y_pred: Array) -> float:
        try:
            return metric(self._y_true[metric.of], y_pred, self._weights(metric.of))
        except Exception as error:
            raise ValueError(
                f"the metric {metric.name!r} cannot be measured here: {error}. Set options of a function with "
                "functools.partial, as in partial(f1_score, average='macro')"
            ) from error

    def some_rows(self, n: int) -> tuple[Array, Array]:
        """X and Y of up to n rows, evenly spaced among all, as network and loss take them."""
        rows = np.arange(self._n) if self._rows is None else self._rows
        return self._read(rows[:: max(1, self._n // n)][:n])

    def _read(self, rows: Any) -> tuple[Array, Array]:
        """X and Y of some rows, standardized if the model is."""
        dtype = self._model.dtype
        return self._input_spec.scale(self._X[rows], dtype), self._output_spec.scale_targets(self._Y[rows], dtype)

    def _read_block(self, block: slice) -> tuple[Array, Array]:
        """X and Y of a block; if it has all rows, they are read once for all epochs."""
        if self._read_rows is not None:
            return self._read_rows
        read = self._read(block if self._rows is None else self._rows[block])
        if self._n <= _BLOCK:
            self._read_rows = read
        return read

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, min(start + _BLOCK, self._n)) for start in range(0, self._n, _BLOCK))

    def _measure_block(self, model: Sequential, block: slice, losses: Floats) -> tuple[Array, int]:
        """Outputs of a block of rows, and how many are right or -1; `losses` <- the weighted loss of each."""
        weight = None if self._weight is None else self._weight[block]
        Z = np.empty((len(losses), model.n_out), model.dtype)
        network = model.network_for(self._loss.link, self._precision)
        X, Y = self._read_block(block)
        if not isinstance(self._loss, Custom):
            return Z, network.measure(self._loss, X, Y, weight, Z, losses, self._n_threads)
        network.predict(X, Z, self._n_threads)
        measure(network, self._loss, Z, Y, weight, losses, None)
        return Z, -1

    def _weights(self, kind: str) -> Array | None:
        """Weight of each prediction: as "encoded", a row with several binary outputs has several predictions."""
        weight = self._weight_of_all
        if weight is None or kind != "encoded" or self._loss.link not in BINARY_LINKS:
            return weight
        return np.repeat(weight, self._model.n_out)

    def _targets(self, kind: str, Y: Array) -> Array:
        """What a metric compares with: class indices, each binary target or the targets; or the user's labels."""
        link, classes = self._loss.link, self._output_spec.classes
        if link == "softmax":
            index: Array = Y[:, 0] if self._loss.target == "labels" else Y.argmax(axis=1)
            return index if kind == "encoded" or classes is None else classes[index]
        if link in REGRESSION_LINKS:
            return Y[:, 0] if kind != "encoded" and Y.shape[1:] == (1,) else Y
        if kind == "encoded":
            return (Y > 0.5).ravel()
        indices = (Y > 0.5).astype(np.intp)
        labels: Array = indices if classes is None else classes[indices]
        return labels[:, 0] if labels.shape[1] == 1 else labels

    def _predictions(self, kind: str, Z: Array) -> Array:
        """The same, predicted from outputs Z (n, n_out)."""
        if kind == "encoded":
            if self._loss.link in REGRESSION_LINKS:
                return self._output_spec.inverse_link(Z)
            return (Z > 0).ravel() if self._loss.link in BINARY_LINKS else Z.argmax(axis=1)
        if kind == "probabilities":
            p = self._output_spec.predict_proba(Z)
            return p[:, 1] if p.shape[1] == 2 else p
        labels = self._output_spec.predict(Z)
        return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


class TrainingMetrics:
    """The metrics of training rows, under their own names: "accuracy" next to "validation_accuracy".

    Parameters
    ----------
    evaluator : Evaluator
        Of the training rows; its loss is left out, as the history has a column "loss" already.

    Attributes
    ----------
    columns : tuple of str
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.columns = tuple(name.removeprefix("validation_") for name in evaluator.columns[1:])
        self.calls_python = evaluator.calls_python

    def check(self) -> None:
        """As `Evaluator.check`."""
        self._evaluator.check()

    def measure(self, model: Sequential) -> dict[str, list[float]]:
        """As `Evaluator.measure`."""
        return {column: [value] for column, value in zip(self.columns, self.values(model), strict=True)}

    def values(self, model: Sequential) -> list[float]:
        """As `Evaluator.values`."""
        return self._evaluator.values(model)[1:]
