"""scikit-learn: MLPClassifier and MLPRegressor, steps by `partial_fit`."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..workloads import Order, Workload, parameters
from . import Contender, flatten

NAMES = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


class MLP(Contender):
    """`partial_fit` runs one epoch on the given rows: all batches of a measurement, in their order."""

    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        is_mse = workload.loss == "mse"
        self.X, self.y = X, y.ravel() if is_mse and y.shape[1] == 1 else y
        self.options = {} if is_mse else {"classes": np.arange(workload.widths[-1])}
        self.model = (MLPRegressor if is_mse else MLPClassifier)(
            hidden_layer_sizes=workload.widths[1:-1],
            activation=NAMES[workload.activation],
            solver="sgd",
            alpha=0,
            batch_size=workload.batch,
            learning_rate_init=workload.lr * (2 if is_mse else 1),  # its squared loss is half of the mean square
            momentum=0,
            shuffle=False,
        )
        self.model.partial_fit(self.X[: workload.batch], self.y[: workload.batch], **self.options)

    @classmethod
    def can(cls, workload: Workload) -> bool:
        return super().can(workload) and workload.widths[-1] != 2

    def start(self, theta: NDArray) -> None:
        for l, (W, b) in enumerate(parameters(self.workload.widths, theta)):
            self.model.coefs_[l][...] = W
            self.model.intercepts_[l][...] = b

    def theta(self) -> NDArray:
        return flatten(list(zip(self.model.coefs_, self.model.intercepts_, strict=True)))

    def train(self, order: Order) -> None:
        rows = order.ravel()
        self.model.partial_fit(self.X[rows], self.y[rows], **self.options)

    def predict(self, X: NDArray) -> NDArray:
        return self.model.predict(X)
