"""NumPy with its BLAS, as an expert writes it: every result goes to a preallocated buffer."""

import numpy as np
from numpy.typing import NDArray

from ..workloads import Order, Workload, parameters
from . import Contender


class ByHand(Contender):
    """A ReLU network and plain SGD."""

    activations = frozenset(("relu",))
    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.X, self.y = X, y
        self.vector, self.grad = theta.copy(), np.empty_like(theta)
        self.layers = parameters(workload.widths, self.vector)
        self.gradients = parameters(workload.widths, self.grad)
        self.a = [np.empty((workload.batch, n), theta.dtype) for n in workload.widths]
        self.dz = [np.empty_like(a) for a in self.a]
        self.counter = np.arange(workload.batch)

    def start(self, theta: NDArray) -> None:
        self.vector[:] = theta

    def theta(self) -> NDArray:
        return self.vector

    def train(self, order: Order) -> None:
        for rows in order:
            self._forward(rows)
            self._loss_gradient(rows)
            self._backward()
            self.grad *= self.workload.lr
            self.vector -= self.grad

    def _forward(self, rows: NDArray) -> None:
        a, last = self.a, len(self.layers) - 1
        if self.workload.is_full_batch:
            a[0] = self.X
        else:
            np.take(self.X, rows, axis=0, out=a[0], mode="clip")  # "raise" would copy through a buffer
        for l, (W, b) in enumerate(self.layers):
            np.matmul(a[l], W, out=a[l + 1])
            a[l + 1] += b
            if l < last:
                np.maximum(a[l + 1], 0, out=a[l + 1])

    def _loss_gradient(self, rows: NDArray) -> None:
        """dz[-1] <- the gradient of the mean loss."""
        Z, dz = self.a[-1], self.dz[-1]
        if self.workload.loss == "mse":
            np.subtract(Z, self.y[rows], out=dz)
            dz *= 2 / dz.size
            return
        np.subtract(Z, Z.max(axis=1, keepdims=True), out=dz)
        np.exp(dz, out=dz)
        dz /= dz.sum(axis=1, keepdims=True)
        dz[self.counter, self.y[rows]] -= 1
        dz /= len(rows)

    def _backward(self) -> None:
        a, dz = self.a, self.dz
        for l in reversed(range(len(self.layers))):
            dW, db = self.gradients[l]
            np.matmul(a[l].T, dz[l + 1], out=dW)
            np.sum(dz[l + 1], axis=0, out=db)
            if l:
                np.matmul(dz[l + 1], self.layers[l][0].T, out=dz[l])
                dz[l] *= a[l] > 0

    def predict(self, X: NDArray) -> NDArray:
        for W, b in self.layers[:-1]:
            X = X @ W
            X += b
            np.maximum(X, 0, out=X)
        W, b = self.layers[-1]
        return X @ W + b
