"""fastgd itself: the engine on given batches, and `Trainer.fit` as users call it."""

import numpy as np
from numpy.typing import NDArray

import fastgd as gd
from fastgd import backend

from ..workloads import BF16_PREDICTION_TOLERANCE, BF16_TOLERANCE, Order, Workload
from . import Contender


class Engine(Contender):
    """`model.network.train`: a chunk of steps on the batches that all contenders get."""

    optimizers = frozenset(("sgd", "momentum", "adam"))
    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.X, self.y = X, y
        self.model = workload.model()
        self.of_predictions = {"n_threads": threads} if threads > 1 else {}  # else fewer, if rows are few

    def start(self, theta: NDArray) -> None:
        self.model.theta = theta

    def train(self, order: Order) -> None:
        self.model.network.train(self.workload.chunk(self.model, self.X, self.y, order))

    def theta(self) -> NDArray:
        return self.model.theta

    def predict(self, X: NDArray) -> NDArray:
        return self.model.predict(X, **self.of_predictions)


class Buffered(Engine):
    """Predictions into a preallocated array."""

    def start(self, theta: NDArray) -> None:
        super().start(theta)
        self.out = np.empty((0, self.model.n_out), self.model.dtype)

    def predict(self, X: NDArray) -> NDArray:
        if len(self.out) != len(X):
            self.out = np.empty((len(X), self.model.n_out), self.model.dtype)
        return self.model.predict(X, self.out, **self.of_predictions)


class Bf16(Engine):
    """Products in bfloat16."""

    optimizers = frozenset(("sgd", "adam"))
    dtypes = frozenset(("float32",))
    tolerance = BF16_TOLERANCE
    prediction_tolerance = BF16_PREDICTION_TOLERANCE

    def train(self, order: Order) -> None:
        network = self.model.network_for("identity", "bf16")
        network.train(self.workload.chunk(self.model, self.X, self.y, order))

    def predict(self, X: NDArray) -> NDArray:
        return self.model.predict(X, precision="bf16", **self.of_predictions)


class Other(Engine):
    """The same on another engine."""

    engine: tuple[str, str | None]

    @classmethod
    def can(cls, workload: Workload) -> bool:
        return super().can(workload) and backend.Engine(*cls.engine) in backend.available()

    def train(self, order: Order) -> None:
        with backend.override(*self.engine):
            super().train(order)

    def predict(self, X: NDArray) -> NDArray:
        with backend.override(*self.engine):
            return super().predict(X)


class NumPyEngine(Other):
    """The definitions in NumPy."""

    engine = ("numpy", None)


class Avx2(Other):
    """What fastgd does on a CPU without AVX-512."""

    engine = ("native", "avx2")

    @classmethod
    def can(cls, workload: Workload) -> bool:
        return super().can(workload) and backend.choose().isa != "avx2"


class Fit(Engine):
    """`Trainer.fit` with everything that it does: checks, shuffling, history, snapshots of theta."""

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.y = y.reshape(-1) if workload.widths[-1] == 1 else y
        self.min_steps = workload.rows // workload.batch

    def train(self, order: Order) -> None:
        rows = order.ravel()
        self._trainer(shuffle=False).fit(self.X[rows], self.y[rows], epochs=1, verbose=0)

    def race(self, order: Order) -> None:
        """Whole epochs in its own order, with the same number of steps."""
        self._trainer(shuffle=True).fit(self.X, self.y, epochs=len(order) // self.min_steps, verbose=0)

    def _trainer(self, shuffle: bool) -> gd.Trainer:
        loss, rule, batch = self.workload.loss, self.workload.rule(), self.workload.batch
        return gd.Trainer(self.model, loss=loss, optimizer=rule, batch_size=batch, shuffle=shuffle)
