"""The engine in NumPy: the definitions, put together. It needs no compiler and is what the C engine is tested against.

All arithmetic is in the dtype of theta. Threads are those of NumPy's BLAS, so `n_threads` has no effect.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..layers.noise import Noise, NoiseSpec, check_noise_spec
from ..losses import Loss, LossNotFinite
from ..optimizers import RULES, Optimizer, transforms
from ..optimizers.transforms import WHOLE_STEP, Transforms
from . import threads
from .numpy_layers import LayerLike, LayerPass, parts_of, views_of
from .plan import Plan

X_NOT_FINITE = "X has a number that is not finite in the dtype of theta"
SHARED = "X and out share memory"

_BLOCK = 4096  # rows predicted at a time: bounds the memory of the hidden layers


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
    noises : sequence of Noise or None, default=()
        What may disturb the inputs of each layer; empty: nothing.
    lock : lock or None, default=None
        Held while it works; networks on the same vectors share one.
    """

    def __init__(
        self,
        layers: Sequence[LayerLike],
        theta: Array,
        grad: Array,
        isa: str | None = None,
        noises: Sequence[Noise | None] = (),
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
        self._layers = list(views_of(layers, theta, grad))
        self._parts = list(parts_of(layers))
        self._noises = list(noises) or [None] * len(layers)
        self._n_in, self._n_out = layers[0].n_in, layers[-1].n_out
        self._kept: list[LayerPass] | None = None
        self._lock = lock or threading.Lock()

    def predict(self, X: NDArray[Any], out: Array, n_threads: int = 0) -> None:
        self._check_rows(X, out)
        if np.may_share_memory(X, out):
            raise ValueError(SHARED)
        for start in range(0, len(X), _BLOCK):
            with np.errstate(over="ignore"):
                A = X[start : start + _BLOCK].astype(out.dtype, copy=False)
            if not np.isfinite(A).all():
                raise ValueError(X_NOT_FINITE)
            for layer in self._layers:
                A = layer.activation.forward(layer.products(A))
            out[start : start + _BLOCK] = A

    def forward(self, X: NDArray[Any], out: Array, n_threads: int = 0, noise: NoiseSpec | None = None) -> None:
        with self._exclusive():
            self._check_rows(X, out)
            self._check_noise(noise, 1)
            out[:], self._kept = self._forward(X.astype(out.dtype), noise)

    def backward(self, dZ: Array, dX: Array | None = None, n_threads: int = 0, accumulate: bool = False) -> None:
        with self._exclusive():
            if self._kept is None:
                raise RuntimeError("backward needs the activations of a forward pass: call forward first")
            B = len(self._kept[0].A)
            _check("dZ", dZ, (B, self._n_out), self._theta.dtype)
            if dX is not None:
                _check("dX", dX, (B, self._n_in), self._theta.dtype)
            self._backward(self._kept, dZ, dX, accumulate)

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
        rows[:] = loss.per_row(Z, Y) * w
        if dZ is not None:
            dZ[:] = (loss.gradient(Z, Y).T * w).T

    def update(
        self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array, regime: Transforms | None = None
    ) -> None:
        with self._exclusive():
            _check("state", state, (optimizer.slots, self._theta.size), self._theta.dtype)
            self._check_regime(regime, 1)
            self._update(optimizer, coefficients, state, regime, 0)

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
        regime: Transforms | None = None,
        noise: NoiseSpec | None = None,
    ) -> None:
        # A loss that overflows is an error with the number of its step, not a warning from somewhere inside NumPy.
        with self._exclusive(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._check_train(X, Y, weight, order, starts, loss, optimizer, coefficients, state, losses)
            self._check_regime(regime, len(losses))
            self._check_noise(noise, len(losses))
            self._kept, batch = None, regime.micro_batch if regime else WHOLE_STEP
            for s, (start, stop) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
                rows = order[start:stop]
                losses[s] = self._mean_loss(X, Y, weight, rows, batch, loss, None if noise is None else noise.of(s))
                if not np.isfinite(losses[s]):
                    raise LossNotFinite(s)
                self._update(optimizer, coefficients[s], state, regime, s)

    def plan(self, batch: int, n_threads: int = 0) -> Plan:
        weights = [layer.W.size for layer in self._layers]
        widths = [layer.W.shape[0] for layer in self._layers] + [2 * self._n_out]
        workspace = 2 * batch * sum(widths) * self._theta.itemsize
        flops = 2.0 * batch * (3 * sum(weights) - weights[0])
        most, why = threads.available(), "NumPy's BLAS decides"
        return Plan("numpy", str(self._theta.dtype), batch, (), most, most, (), why, workspace, flops)

    def _mean_loss(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        weight: Array | None,
        rows: NDArray[np.int64],
        batch: int,
        loss: Loss,
        noise: NoiseSpec | None,
    ) -> float:
        """The mean loss of these rows, `batch` at a time; `grad` <- its gradient. If all weights are 0, so are both."""
        divisor = float(len(rows)) if weight is None else float(weight[rows].sum(dtype=np.float64)) or 1.0
        total = 0.0
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            w = None if weight is None else weight[part]
            draw = None if noise is None else noise.of(0, start)
            total += self._sum_of_losses(X[part], Y[part], w, loss, divisor, draw, accumulate=start > 0)
        return total / divisor

    def _sum_of_losses(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        weight: Array | None,
        loss: Loss,
        divisor: float,
        noise: NoiseSpec | None,
        accumulate: bool,
    ) -> float:
        """The weighted losses of some rows; `grad` <- the gradient of their sum / divisor, or that is added to it."""
        Z, kept = self._forward(X.astype(self._theta.dtype, copy=False), noise)
        Y = self._targets(loss, Y)
        rows, dZ = loss.per_row(Z, Y).astype(np.float64), loss.gradient(Z, Y)
        if weight is not None:
            rows, dZ = rows * weight, dZ * weight[:, np.newaxis]
        self._backward(kept, dZ / self._theta.dtype.type(divisor), accumulate=accumulate)
        return float(rows.sum())

    def _forward(self, A: Array, noise: NoiseSpec | None) -> tuple[Array, list[LayerPass]]:
        """Outputs of the rows A (B, n_in) in a step with this noise, and what the backward pass needs of each layer."""
        kept = []
        for l, layer in enumerate(self._layers):
            A, multipliers = self._disturb(l, A, noise)
            z = layer.products(A)
            a = layer.activation.forward(z)
            kept.append(LayerPass(A, z if layer.activation.saved == "z" else a, multipliers))
            A = a
        return A, kept

    def _disturb(self, l: int, A: Array, draw: NoiseSpec | None) -> tuple[Array, Array | None]:
        """The inputs A (B, n_in) of layer l with noise, and what it has multiplied them by, if it does that."""
        noise = self._noises[l]
        if noise is None or draw is None or not draw.strengths[0, l] > 0:
            return A, None
        shape = draw.row + len(A), A.shape[1]
        numbers = noise.sample(draw.seed, draw.step, l, shape, float(draw.strengths[0, l]))[draw.row :].astype(A.dtype)
        return (A * numbers, numbers) if noise.multiplies else (A + numbers, None)

    def _backward(self, kept: list[LayerPass], dA: Array, dX: Array | None = None, accumulate: bool = False) -> None:
        """`grad` <- dL/dtheta, or that is added to it, dX <- dL/dX, from dA = dL/d outputs (B, n_out)."""
        for i in range(len(kept) - 1, -1, -1):
            layer = self._layers[i]
            dz = layer.activation.backward(kept[i].x, dA)
            if accumulate:
                np.add(layer.dW, kept[i].A.T @ dz, out=layer.dW)
            else:
                np.matmul(kept[i].A.T, dz, out=layer.dW)
            if layer.db.size:
                np.add(layer.db if accumulate else 0, dz.sum(axis=0), out=layer.db)
            if i > 0 or dX is not None:
                dA = dz @ layer.W.T
                multipliers = kept[i].kept
                dA = dA if multipliers is None else dA * multipliers
        if dX is not None:
            dX[:] = dA

    def _update(
        self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array, regime: Transforms | None, s: int
    ) -> None:
        rule = RULES[optimizer.rule]
        if regime is None:
            rule(self._theta, self._grad, state, coefficients.astype(self._theta.dtype))
        else:
            transforms.update(regime, s, rule, coefficients, self._theta, self._grad, state, self._parts)

    def _targets(self, loss: Loss, Y: NDArray[Any]) -> NDArray[Any]:
        """Y as the loss computes with it: class numbers as they are, rows in the dtype of theta."""
        return Y if loss.target == "labels" else Y.astype(self._theta.dtype, copy=False)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Work that no other thread may do on this network at the same time."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this model is at work in another thread: wait for it, or train a copy of the model")
        try:
            yield
        finally:
            self._lock.release()

    def _check_rows(self, X: NDArray[Any], out: Array) -> None:
        _check("X", X, (len(X), self._n_in))
        if X.dtype.kind not in "biuf":
            raise TypeError(f"X has numbers of dtype {X.dtype}, which an engine does not read")
        _check("out", out, (len(X), self._n_out), self._theta.dtype)

    def _check_targets(self, loss: Loss, Y: NDArray[Any], n: int) -> None:
        _check("Y", Y, (n, 1 if loss.target == "labels" else self._n_out))

    def _check_noise(self, noise: NoiseSpec | None, steps: int) -> None:
        if noise is not None:
            check_noise_spec(noise, steps, len(self._layers))

    def _check_labels(self, loss: Loss, Y: NDArray[Any]) -> None:
        if loss.target == "labels" and Y.size and not (Y.min() >= 0 and Y.max() < self._n_out):
            raise ValueError(f"class numbers must be in 0 ... {self._n_out - 1}, not {Y.min()} ... {Y.max()}")

    def _check_regime(self, regime: Transforms | None, steps: int) -> None:
        if regime is None:
            return
        _check("per_step", regime.per_step, (steps, 2), np.float64)
        _check("per_group", regime.per_group, (steps, 3 * regime.n_groups), np.float64)
        _check("group", regime.group, (len(self._parts),), np.int64)
        if regime.group.min() < 0 or regime.group.max() >= regime.n_groups:
            raise ValueError(f"group must hold numbers in 0 ... {regime.n_groups - 1}, not {regime.group}")
        if regime.average is not None:
            _check("average", regime.average, (self._theta.size,), self._theta.dtype)
        if regime.norm is not None:
            _check("norm", regime.norm, (steps,), np.float64)
        if regime.micro_batch < 1:
            raise ValueError(f"micro_batch must be 1 or more, not {regime.micro_batch}")

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


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: Any = None) -> None:
    if array.shape != shape or (dtype is not None and array.dtype != dtype):
        wanted = "" if dtype is None else f" and dtype {np.dtype(dtype)}"
        raise ValueError(f"{name} must have shape {shape}{wanted}, not {array.shape} and {array.dtype}")
