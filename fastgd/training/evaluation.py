"""How well a model does on rows that it is not trained on."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..data.outputs import OutputSpec
from ..losses import Loss
from ..losses.link import BINARY_LINKS, REGRESSION_LINKS
from ..metrics import Metric
from ..metrics import get as get_metric
from ..models.sequential import Sequential
from .stepwise import measure

# Rows that are predicted at once: outputs and gathered rows of a block stay small, whatever the data.
_BLOCK = 8192


class Validation:
    """Mean loss and metrics over some rows, for the model as it is at that moment.

    Parameters
    ----------
    model : Sequential
    loss : Loss
        Without `metrics`, it names the metric: accuracy for classes and for yes or no, R2 for numbers, or none.
    X, Y : ndarray (rows, n_in), (rows, n_out) or (rows, 1)
        As the engine reads them.
    weight : ndarray (rows,) or None, default=None
        Weights of the rows, of the model's dtype.
    rows : (n,) int64 or None, default=None
        The rows to use; None uses all.
    n_threads : int, default=0
    metrics : sequence of Metric or None, default=None
    head : Head or None, default=None
        What the outputs mean; metrics that are not of `fastgd.metrics` see labels and probabilities through it.
    """

    def __init__(
        self,
        model: Sequential,
        loss: Loss,
        X: Array,
        Y: Array,
        weight: Array | None = None,
        rows: NDArray[np.int64] | None = None,
        n_threads: int = 0,
        metrics: Sequence[Metric] | None = None,
        head: OutputSpec | None = None,
    ) -> None:
        self._model, self._loss, self._n_threads = model, loss, n_threads
        self._X, self._Y, self._rows, self._head = X, Y, rows, head or OutputSpec(loss.link)
        self._weight = weight if weight is None or rows is None else weight[rows]
        self._n = len(X) if rows is None else len(rows)
        default = [] if loss.metric is None else [get_metric(loss.metric)]
        self._metrics = default if metrics is None else list(metrics)
        self._kinds = sorted({metric.of for metric in self._metrics})
        Y = Y if rows is None else Y[rows]
        self._y_true_of = {kind: self._y_true(kind, Y) for kind in self._kinds}
        self.columns = ("validation_loss", *(f"validation_{metric.name}" for metric in self._metrics))

    def check(self) -> None:
        """Measure once, so that a metric of others that cannot read these answers is refused before the training.

        `model.head` is not needed; warnings are for later, when the model has learnt something.

        Raises
        ------
        ValueError
            A metric raised an exception, or gave no number.
        """
        if self._kinds in ([], ["numbers"]):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.measure()

    def measure(self, model: Sequential | None = None) -> dict[str, list[float]]:
        """The value of each column, as a list of one number; of another model than its own, if it is given."""
        model = model or self._model
        losses = np.empty(self._n)
        blocks: dict[str, list[Array]] = {kind: [] for kind in self._kinds}
        for place in self._blocks():
            Z = self._measure_block(model, place, losses[place])
            for kind, predictions in blocks.items():
                predictions.append(self._predictions(kind, Z))
        y_pred = {kind: np.concatenate(predictions) for kind, predictions in blocks.items()}
        divisor = float(self._n) if self._weight is None else self._weight.sum(dtype=np.float64)
        scores = [self._score(metric, y_pred[metric.of]) for metric in self._metrics]
        return dict(zip(self.columns, ([value] for value in (float(losses.sum() / divisor), *scores)), strict=True))

    def _score(self, metric: Metric, y_pred: Array) -> float:
        try:
            return metric(self._y_true_of[metric.of], y_pred, self._weights(metric.of))
        except Exception as problem:
            raise ValueError(
                f"the metric {metric.name!r} cannot be measured here: {problem}. Settings of a function go in by "
                "functools.partial, as in partial(f1_score, average='macro')"
            ) from problem

    def some_rows(self, n: int) -> tuple[Array, Array]:
        """X and Y of up to n of the rows, spread over all."""
        rows = np.arange(self._n) if self._rows is None else self._rows
        rows = rows[:: max(1, self._n // n)][:n]
        return self._X[rows], self._Y[rows]

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, min(start + _BLOCK, self._n)) for start in range(0, self._n, _BLOCK))

    def _measure_block(self, model: Sequential, place: slice, losses: NDArray[np.float64]) -> Array:
        """Outputs of the block at `place`; `losses` <- the weighted loss of each of its rows."""
        rows = place if self._rows is None else self._rows[place]
        weight = None if self._weight is None else self._weight[place]
        Z = np.empty((len(losses), model.n_out), model.dtype)
        model.network_for(self._loss.link).predict(self._X[rows], Z, self._n_threads)
        measure(model, self._loss, Z, self._Y[rows], weight, losses, None)
        return Z

    def _weights(self, kind: str) -> Array | None:
        """The weight of each answer: as "numbers", a row may answer several questions with yes or no."""
        if self._weight is None or kind != "numbers" or self._loss.link not in BINARY_LINKS:
            return self._weight
        return np.repeat(self._weight, self._model.n_out)

    def _y_true(self, kind: str, Y: Array) -> Array:
        """What a metric compares with: class numbers, each yes or no, or the targets; or the user's labels."""
        link, classes = self._loss.link, self._head.classes
        if link == "softmax":
            number: Array = Y[:, 0] if self._loss.target == "labels" else Y.argmax(axis=1)
            return number if kind == "numbers" or classes is None else classes[number]
        if link in REGRESSION_LINKS:
            return Y[:, 0] if kind != "numbers" and Y.shape[1:] == (1,) else Y
        if kind == "numbers":
            return (Y > 0.5).ravel()
        numbers = (Y > 0.5).astype(np.intp)
        answers: Array = numbers if classes is None else classes[numbers]
        return answers[:, 0] if answers.shape[1] == 1 else answers

    def _predictions(self, kind: str, Z: Array) -> Array:
        """The same from outputs."""
        if kind == "numbers":
            if self._loss.link in REGRESSION_LINKS:
                return self._head.inverse_link(Z)
            return (Z > 0).ravel() if self._loss.link in BINARY_LINKS else Z.argmax(axis=1)
        if kind == "probabilities":
            p = self._head.predict_proba(Z)
            return p[:, 1] if p.shape[1] == 2 else p
        answers = self._head.predict(Z)
        return answers[:, 0] if answers.ndim == 2 and answers.shape[1] == 1 else answers
