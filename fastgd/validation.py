"""How well a model does on rows that it is not trained on."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .arrays import Array
from .losses import Loss
from .model import Sequential

# Rows that are predicted at once: outputs and gathered rows of a block stay small, whatever the data.
_BLOCK = 8192


class Validation:
    """Mean loss and metric over some rows, for the model as it is at that moment.

    Parameters
    ----------
    model : Sequential
    loss : Loss
        Its link chooses the metric: accuracy for classes and for yes or no, else R2.
    X, Y : ndarray (rows, n_in), (rows, n_out) or (rows, 1)
        As the engine reads them.
    weight : ndarray (rows,) or None, default=None
        Weights of the rows, of the model's dtype.
    rows : (n,) int64 or None, default=None
        The rows to use; None uses all.
    n_threads : int, default=0
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
    ) -> None:
        self._model, self._loss, self._n_threads = model, loss, n_threads
        self._X, self._Y, self._rows = X, Y, rows
        self._weight = weight if weight is None or rows is None else weight[rows]
        self._n = len(X) if rows is None else len(rows)
        self._truth = _truth(loss, Y if rows is None else Y[rows])
        self._metric = metrics.r2 if loss.link == "identity" else metrics.accuracy
        self.columns = ("validation_loss", f"validation_{self._metric.__name__}")

    def measure(self) -> dict[str, list[float]]:
        """The value of each column, as a list of one number."""
        losses = np.empty(self._n)
        guesses = []
        for place in self._blocks():
            Z = self._measure_block(place, losses[place])
            guesses.append(_guess(self._loss, Z))
        divisor = float(self._n) if self._weight is None else self._weight.sum(dtype=np.float64)
        score = self._metric(self._truth, np.concatenate(guesses), self._answer_weights())
        return dict(zip(self.columns, ([float(losses.sum() / divisor)], [score]), strict=True))

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, min(start + _BLOCK, self._n)) for start in range(0, self._n, _BLOCK))

    def _measure_block(self, place: slice, losses: NDArray[np.float64]) -> Array:
        """Outputs of the block at `place`; `losses` <- the weighted loss of each of its rows."""
        rows = place if self._rows is None else self._rows[place]
        weight = None if self._weight is None else self._weight[place]
        Z = np.empty((len(losses), self._model.n_out), self._model.dtype)
        self._model.network.predict(self._X[rows], Z, self._n_threads)
        self._model.network.loss(self._loss, Z, self._Y[rows], weight, losses, None)
        return Z

    def _answer_weights(self) -> Array | None:
        """The weight of each answer: a row may answer several questions with yes or no."""
        if self._weight is None or self._loss.link != "sigmoid":
            return self._weight
        return np.repeat(self._weight, self._model.n_out)


def _truth(loss: Loss, Y: Array) -> Array:
    """What the metric compares: class numbers, each yes or no, or the targets themselves."""
    if loss.link == "identity":
        return Y
    if loss.link == "sigmoid":
        return (Y > 0.5).ravel()
    return Y[:, 0] if loss.target == "labels" else Y.argmax(axis=1)


def _guess(loss: Loss, Z: Array) -> Array:
    """The same from outputs."""
    if loss.link == "identity":
        return Z
    return (Z > 0).ravel() if loss.link == "sigmoid" else Z.argmax(axis=1)
