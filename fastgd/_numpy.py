"""The engine in NumPy: the definitions, put together. It needs no compiler and is what the C engine is tested against.

All arithmetic is in the dtype of theta. Threads are those of NumPy's BLAS, so `n_threads` has no effect.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ._definition import Array
from .activations import Activation
from .losses import Loss, LossNotFinite
from .optimizers import RULES, Optimizer

_BLOCK = 4096  # rows predicted at a time: bounds the memory of the hidden layers


class LayerLike(Protocol):
    """What an engine must know of a layer."""

    n_in: int
    n_out: int
    activation: Activation
    bias: bool


class _Layer(NamedTuple):
    """Views of one layer: W, dW (n_in, n_out); b, db (n_out,), of length 0 without a bias."""

    activation: Activation
    W: Array
    dW: Array
    b: Array
    db: Array

    def products(self, A: Array) -> Array:
        """z = A W + b, (B, n_out)."""
        z: Array = A @ self.W
        return z + self.b if self.b.size else z


class _Pass(NamedTuple):
    """What a layer keeps for the way back: its inputs A (B, n_in) and what `activation.backward` reads (B, n_out)."""

    A: Array
    x: Array


class Network:
    """A dense network on the NumPy engine; see `fastgd.backend` for what the methods promise.

    Parameters
    ----------
    layers : sequence of layers
        Each with n_in, n_out, activation and bias.
    theta, grad : (size,) float32 or float64
        Parameters and gradient, C-contiguous, writable, of one dtype. They are referenced, not copied.
    isa : None
        There for the signature: instruction sets are NumPy's affair.
    lock : lock or None, default=None
        Held while it works; networks on the same vectors share one.
    """

    def __init__(
        self,
        layers: Sequence[LayerLike],
        theta: Array,
        grad: Array,
        isa: str | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        if isa is not None:
            raise ValueError(f"the NumPy engine has no instruction sets to choose from: isa must be None, not {isa!r}")
        if theta.dtype not in (np.float32, np.float64):
            raise ValueError(f"theta must be float32 or float64, not {theta.dtype}")
        size = sum((layer.n_in + layer.bias) * layer.n_out for layer in layers)
        for name, vector in (("theta", theta), ("grad", grad)):
            _check(name, vector, (size,), theta.dtype)
            if not (vector.flags.c_contiguous and vector.flags.writeable):
                raise ValueError(f"{name} must be C-contiguous and writable")
        self._theta, self._grad = theta, grad
        self._layers = list(_views(layers, theta, grad))
        self._n_in, self._n_out = layers[0].n_in, layers[-1].n_out
        self._kept: list[_Pass] | None = None
        self._lock = lock or threading.Lock()

    def predict(self, X: NDArray[Any], out: Array, n_threads: int = 0) -> None:
        self._check_rows(X, out)
        for start in range(0, len(X), _BLOCK):
            A = X[start : start + _BLOCK].astype(out.dtype, copy=False)
            for layer in self._layers:
                A = layer.activation.forward(layer.products(A))
            out[start : start + _BLOCK] = A

    def forward(self, X: NDArray[Any], out: Array, n_threads: int = 0) -> None:
        with self._alone():
            self._check_rows(X, out)
            out[:], self._kept = self._forward(X.astype(out.dtype))

    def backward(self, dZ: Array, dX: Array | None = None, n_threads: int = 0) -> None:
        with self._alone():
            if self._kept is None:
                raise RuntimeError("backward needs the activations of a forward pass: call forward first")
            B = len(self._kept[0].A)
            _check("dZ", dZ, (B, self._n_out), self._theta.dtype)
            if dX is not None:
                _check("dX", dX, (B, self._n_in), self._theta.dtype)
            self._backward(self._kept, dZ, dX)

    def loss(
        self,
        loss: Loss,
        Z: Array,
        Y: NDArray[Any],
        weight: Array | None,
        rows: NDArray[np.float64],
        dZ: Array | None,
    ) -> None:
        B = len(Z)
        _check("Z", Z, (B, self._n_out), self._theta.dtype)
        _check("rows", rows, (B,), np.float64)
        if weight is not None:
            _check("weight", weight, (B,), self._theta.dtype)
        if dZ is not None:
            _check("dZ", dZ, (B, self._n_out), self._theta.dtype)
        self._check_targets(loss, Y, B)
        self._check_labels(loss, Y)
        Y = self._targets(loss, Y)
        w = 1 if weight is None else weight
        rows[:] = loss.rows(Z, Y) * w
        if dZ is not None:
            dZ[:] = (loss.gradient(Z, Y).T * w).T

    def update(self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array) -> None:
        with self._alone():
            _check("state", state, (optimizer.slots, self._theta.size), self._theta.dtype)
            self._update(optimizer, coefficients, state)

    def train(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        weight: Array | None,
        order: NDArray[np.int64],
        starts: NDArray[np.int64],
        loss: Loss,
        optimizer: Optimizer,
        coefficients: NDArray[np.float64],
        state: Array,
        losses: NDArray[np.float64],
        n_threads: int = 0,
    ) -> None:
        # A loss that overflows is an error with the number of its step, not a warning from somewhere inside NumPy.
        with self._alone(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._check_train(X, Y, weight, order, starts, loss, optimizer, coefficients, state, losses)
            self._kept = None
            for s, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
                rows = order[start:stop]
                losses[s] = self._mean_loss(X[rows], Y[rows], None if weight is None else weight[rows], loss)
                if not np.isfinite(losses[s]):
                    raise LossNotFinite(s)
                self._update(optimizer, coefficients[s], state)

    def _mean_loss(self, X: NDArray[Any], Y: NDArray[Any], weight: Array | None, loss: Loss) -> float:
        """The mean loss of a batch; `grad` <- its gradient. If all weights of the batch are 0, so are both."""
        Z, kept = self._forward(X.astype(self._theta.dtype, copy=False))
        Y = self._targets(loss, Y)
        rows, dZ = loss.rows(Z, Y).astype(np.float64), loss.gradient(Z, Y)
        divisor = float(len(Z))
        if weight is not None:
            rows, dZ = rows * weight, dZ * weight[:, np.newaxis]
            divisor = float(weight.sum(dtype=np.float64)) or 1.0
        self._backward(kept, dZ / self._theta.dtype.type(divisor))
        return float(rows.sum() / divisor)

    def _forward(self, A: Array) -> tuple[Array, list[_Pass]]:
        """Outputs of the rows A (B, n_in), and what the backward pass needs of each layer."""
        kept = []
        for layer in self._layers:
            z = layer.products(A)
            a = layer.activation.forward(z)
            kept.append(_Pass(A, z if layer.activation.through == "z" else a))
            A = a
        return A, kept

    def _backward(self, kept: list[_Pass], dA: Array, dX: Array | None = None) -> None:
        """`grad` <- dL/dtheta, dX <- dL/dX, from dA = dL/d outputs (B, n_out)."""
        for i in range(len(kept) - 1, -1, -1):
            layer = self._layers[i]
            dz = layer.activation.backward(kept[i].x, dA)
            np.matmul(kept[i].A.T, dz, out=layer.dW)
            if layer.db.size:
                np.sum(dz, axis=0, out=layer.db)
            if i > 0:
                dA = dz @ layer.W.T
            elif dX is not None:
                np.matmul(dz, layer.W.T, out=dX)

    def _update(self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array) -> None:
        RULES[optimizer.rule](self._theta, self._grad, state, coefficients.astype(self._theta.dtype))

    def _targets(self, loss: Loss, Y: NDArray[Any]) -> NDArray[Any]:
        """Y as the loss computes with it: class numbers as they are, rows in the dtype of theta."""
        return Y if loss.target == "labels" else Y.astype(self._theta.dtype, copy=False)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Work that no other thread may do on this network at the same time."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this model is at work in another thread: wait for it, or train a copy of the model")
        try:
            yield
        finally:
            self._lock.release()

    def _check_rows(self, X: NDArray[Any], out: Array) -> None:
        _check("X", X, (len(X), self._n_in))
        _check("out", out, (len(X), self._n_out), self._theta.dtype)

    def _check_targets(self, loss: Loss, Y: NDArray[Any], n: int) -> None:
        _check("Y", Y, (n, 1 if loss.target == "labels" else self._n_out))

    def _check_labels(self, loss: Loss, Y: NDArray[Any]) -> None:
        if loss.target == "labels" and Y.size and not (Y.min() >= 0 and Y.max() < self._n_out):
            raise ValueError(f"class numbers must be in 0 ... {self._n_out - 1}, not {Y.min()} ... {Y.max()}")

    def _check_train(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        weight: Array | None,
        order: NDArray[np.int64],
        starts: NDArray[np.int64],
        loss: Loss,
        optimizer: Optimizer,
        coefficients: NDArray[np.float64],
        state: Array,
        losses: NDArray[np.float64],
    ) -> None:
        """The last line of defence; nothing has changed when it raises."""
        n, steps, dtype = len(X), len(losses), self._theta.dtype
        _check("X", X, (n, self._n_in))
        self._check_targets(loss, Y, n)
        if weight is not None:
            _check("weight", weight, (n,), dtype)
        _check("losses", losses, (steps,), np.float64)
        _check("coefficients", coefficients, (steps, coefficients.shape[-1]), np.float64)
        _check("state", state, (optimizer.slots, self._theta.size), dtype)
        _check("order", order, (len(order),), np.int64)
        _check("starts", starts, (steps + 1,), np.int64)
        if starts[0] < 0 or starts[-1] > len(order) or (np.diff(starts) < 1).any():
            raise ValueError(f"starts must rise within 0 ... {len(order)}")
        if order.size and not (order.min() >= 0 and order.max() < n):
            raise ValueError(f"order must hold row numbers in 0 ... {n - 1}, not {order.min()} ... {order.max()}")
        self._check_labels(loss, Y[order])


def _views(layers: Sequence[LayerLike], theta: Array, grad: Array) -> Iterator[_Layer]:
    start = 0
    for layer in layers:
        shape, middle = (layer.n_in, layer.n_out), start + layer.n_in * layer.n_out
        stop = middle + layer.n_out * layer.bias
        W, dW = theta[start:middle].reshape(shape), grad[start:middle].reshape(shape)
        yield _Layer(layer.activation, W, dW, theta[middle:stop], grad[middle:stop])
        start = stop


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: Any = None) -> None:
    if array.shape != shape or (dtype is not None and array.dtype != dtype):
        wanted = "" if dtype is None else f" and dtype {np.dtype(dtype)}"
        raise ValueError(f"{name} must have shape {shape}{wanted}, not {array.shape} and {array.dtype}")
