"""The engine in NumPy: it combines the definitions, needs no compiler and is the reference for tests of the C engine.

All arithmetic is in the dtype of theta, denormals included: the C engine takes them for zeros, because they are slow.
Threads are those of NumPy's BLAS, so `n_threads` has no effect.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._common.typing import Array, Floats, Ints
from ..layers.inputs import InputLayer
from ..layers.noise import Noise, NoiseSpec, check_noise_spec
from ..losses import Loss, LossNotFinite
from ..optimizers import RULES, Optimizer
from ..optimizers.bound_steps import CheckedUpdates
from ..optimizers.transforms import WHOLE_STEP, Transforms
from ..optimizers.transforms import update as update_with_transforms
from . import threads
from .chunk import Chunk
from .contract import DZ_NOT_FINITE, IN_USE, NO_FORWARD, NO_PHASES, OVERLAP, X_NOT_FINITE
from .numpy_checks import check_array, check_transforms, checked_order
from .numpy_inputs import InputChain
from .numpy_layers import LayerLike, LayerPass, backward_pass, forward_pass, input_gradient, parts_of, views_of
from .numpy_losses import Losses
from .numpy_orders import fill_orders
from .numpy_products import PRODUCTS
from .plan import Plan
from .precision import check_precision

__all__ = ["Executor", "Lock", "Losses", "fill_orders"]
Lock = threading.Lock
_BLOCK = 4096  # rows predicted at a time: bounds the memory of the hidden layers


class Executor:
    """A dense network on the NumPy engine; `fastgd.engine.contract.Executor` describes the methods.

    Parameters
    ----------
    layers : sequence of layers
        Input layers, then dense ones, each with n_in, n_out, activation and bias.
    theta, grad : (size,) float32 or float64
        Parameters and gradient, C-contiguous, writable, of one dtype. They are referenced, not copied.
    isa : None
        Only there because other engines have it: NumPy chooses the instruction set.
    noises : sequence of Noise or None, default=()
        Noise that may be added to the inputs of each dense layer; empty: none.
    lock : lock or None, default=None
        Held by exclusive methods; executors on the same vectors share one.
    precision : {"f32", "bf16"}, default="f32"
        Of the products of matrices; see `fastgd.engine.bf16`.

    Raises
    ------
    ValueError
        `isa` is not None, theta or grad has another shape, dtype or memory layout, or the dtype not this precision.
    """

    def __init__(
        self,
        layers: Sequence[LayerLike | InputLayer],
        theta: Array,
        grad: Array,
        isa: str | None = None,
        noises: Sequence[Noise | None] = (),
        lock: threading.Lock | None = None,
        precision: str = "f32",
    ) -> None:
        if isa is not None:
            raise ValueError(f"the NumPy engine has no choice of instruction sets: isa must be None, not {isa!r}")
        if theta.dtype not in (np.float32, np.float64):
            raise ValueError(f"theta must be float32 or float64, not {theta.dtype}")
        inputs = [layer for layer in layers if isinstance(layer, InputLayer)]
        dense: Sequence[Any] = layers[len(inputs) :]
        start = sum(layer.size for layer in inputs)
        size = start + sum((layer.n_in + layer.bias) * layer.n_out for layer in dense)
        for name, vector in (("theta", theta), ("grad", grad)):
            check_array(name, vector, (size,), theta.dtype)
            if not (vector.flags.c_contiguous and vector.flags.writeable):
                raise ValueError(f"{name} must be C-contiguous and writable")
        self.precision = check_precision(precision, theta.dtype)
        self._products = PRODUCTS[precision]
        self._theta, self._grad = theta, grad
        self._inputs = InputChain(inputs, theta, grad)
        self._layers = list(views_of(dense, theta, grad, start))
        self._parts = [*self._inputs.parts, *parts_of(dense, start)]
        self._noises = list(noises) or [None] * len(dense)
        self._n_in, self._n_out = layers[0].n_in, layers[-1].n_out
        self._kept: list[LayerPass] | None = None
        self._lock = lock or threading.Lock()

    def predict(self, X: Array, out: Array, n_threads: int = 0) -> bool:
        self._check_rows(X, out)
        self._check_memory("out", out, "X", X)
        for start in range(0, len(X), _BLOCK):
            with np.errstate(over="ignore"):
                A = X[start : start + _BLOCK].astype(out.dtype, copy=False)
            if not np.isfinite(A).all():
                raise ValueError(X_NOT_FINITE)
            with np.errstate(over="ignore", invalid="ignore"):  # as in C: the result says so
                A = self._inputs.outputs(A)[-1]
                for layer in self._layers:
                    A = layer.activation.forward(self._products.affine(A, layer.W, layer.b))
            out[start : start + _BLOCK] = A
        return bool(np.isfinite(out).all())

    def forward(
        self, X: Array, out: Array, n_threads: int = 0, noise: NoiseSpec | None = None, check: bool = False
    ) -> None:
        with self._exclusive():
            self._check_rows(X, out)
            self._check_memory("out", out, "X", X)
            self._check_noise(noise, 1)
            with np.errstate(over="ignore", invalid="ignore"):
                A = X.astype(out.dtype)
                if check and not np.isfinite(A).all():
                    raise ValueError(X_NOT_FINITE)
                out[:], self._kept = self._forward(A, noise)

    def backward(
        self,
        dZ: Array,
        dX: Array | None = None,
        n_threads: int = 0,
        accumulate: bool = False,
        check: bool = False,
    ) -> None:
        with self._exclusive():
            if self._kept is None:
                raise RuntimeError(NO_FORWARD)
            B = len(self._kept[0].A)
            check_array("dZ", dZ, (B, self._n_out), self._theta.dtype)
            if dX is not None:
                check_array("dX", dX, (B, self._n_in), self._theta.dtype)
                self._check_memory("dX", dX, "dZ", dZ)
            if check and not np.isfinite(dZ).all():
                raise ValueError(DZ_NOT_FINITE)
            with np.errstate(over="ignore", invalid="ignore"):
                self._backward(self._kept, dZ, dX, accumulate)

    def loss(self, loss: Loss, Z: Array, Y: Array, weight: Array | None, rows: Floats, dZ: Array | None = None) -> None:
        B = len(Z)
        check_array("Z", Z, (B, self._n_out), self._theta.dtype)
        check_array("rows", rows, (B,), np.float64)
        if weight is not None:
            check_array("weight", weight, (B,), self._theta.dtype)
        if dZ is not None:
            check_array("dZ", dZ, (B, self._n_out), self._theta.dtype)
        self._check_targets(loss, Y, B)
        self._check_labels(loss, Y)
        Y = self._targets(loss, Y)
        w = 1 if weight is None else weight
        rows[:] = loss.row_losses(Z, Y) * w
        if dZ is not None:
            dZ[:] = (loss.row_gradients(Z, Y).T * w).T

    def measure(
        self, loss: Loss, X: Array, Y: Array, weight: Array | None, Z: Array, losses: Floats, n_threads: int = 0
    ) -> int:
        is_finite = self.predict(X, Z, n_threads)
        with np.errstate(over="ignore", invalid="ignore"):
            self.loss(loss, Z, Y, weight, losses)
        return int(np.count_nonzero(Z.argmax(axis=1) == Y[:, 0])) if is_finite and loss.target == "labels" else -1

    def update(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> None:
        with self._exclusive():
            check_array("state", state, (optimizer.slots, self._theta.size), self._theta.dtype)
            check_transforms(transforms, 1, self._theta, len(self._parts))
            self._update(optimizer, coefficients, state, transforms, 0)

    def updates(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> CheckedUpdates:
        check_array("state", state, (optimizer.slots, self._theta.size), self._theta.dtype)
        check_transforms(transforms, len(coefficients), self._theta, len(self._parts))

        def update(i: int) -> None:
            with self._exclusive():
                self._update(optimizer, coefficients[i], state, transforms, i)

        average = None if transforms is None else transforms.average
        changed = [self._theta, state] + ([] if average is None else [average])
        return CheckedUpdates(update, self._grad, changed)

    def train(self, chunk: Chunk, first: int = 0, last: int | None = None) -> None:
        # A loss that overflows is an error with the index of its step, not a warning from somewhere inside NumPy.
        with self._exclusive(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            steps = slice(first, chunk.n_steps if last is None else last)
            self._check_chunk(chunk)
            self._check_labels(chunk.loss, chunk.Y[checked_order(chunk, steps)])
            self._kept = None
            for s in range(steps.start, steps.stop):
                chunk.losses[s] = self._mean_loss(chunk, s)
                if not np.isfinite(chunk.losses[s]):
                    raise LossNotFinite(s)
                self._update(chunk.optimizer, chunk.coefficients[s], chunk.state, chunk.transforms, s)

    def plan(self, batch: int, n_threads: int = 0) -> Plan:
        weights = [layer.W.size for layer in self._layers]
        widths = [layer.W.shape[0] for layer in self._layers] + [2 * self._n_out]
        workspace = 2 * batch * sum(widths) * self._theta.itemsize
        flops = 2.0 * batch * (3 * sum(weights) - weights[0])
        max_threads, why = threads.available(), "NumPy's BLAS decides"
        facts = batch, (), max_threads, max_threads, (), why, workspace, flops
        return Plan(
            "numpy", str(self._theta.dtype), *facts, precision=self.precision, f32_is_faster=self.precision == "bf16"
        )

    def _mean_loss(self, chunk: Chunk, s: int) -> float:
        """The mean loss of a step; `grad` <- its gradient. Both are 0 if all weights are 0."""
        rows, weight = chunk.rows(s), chunk.weight
        noise = None if chunk.noise is None else chunk.noise.of(s)
        micro_batch = WHOLE_STEP if chunk.transforms is None else chunk.transforms.micro_batch
        micro_batch = self._products.micro_batch(micro_batch)
        divisor = float(len(rows)) if weight is None else float(weight[rows].sum(dtype=np.float64)) or 1.0
        total = 0.0
        for start in range(0, len(rows), micro_batch):
            part = rows[start : start + micro_batch]
            part_noise = None if noise is None else noise.of(0, start)
            total += self._sum_of_losses(chunk, part, divisor, part_noise, accumulate=start > 0)
        return total / divisor

    def _sum_of_losses(
        self, chunk: Chunk, rows: Ints, divisor: float, noise: NoiseSpec | None, accumulate: bool
    ) -> float:
        """The sum of the weighted losses of some rows; `grad` <- the gradient of sum / divisor, or += to accumulate."""
        Z, kept = self._forward(chunk.X[rows].astype(self._theta.dtype, copy=False), noise)
        Y = self._targets(chunk.loss, chunk.Y[rows])
        losses, dZ = chunk.loss.row_losses(Z, Y).astype(np.float64), chunk.loss.row_gradients(Z, Y)
        if chunk.weight is not None:
            weight = chunk.weight[rows]
            losses, dZ = losses * weight, dZ * weight[:, np.newaxis]
        self._backward(kept, dZ / self._theta.dtype.type(divisor), accumulate=accumulate)
        return float(losses.sum())

    def _forward(self, A: Array, noise: NoiseSpec | None) -> tuple[Array, list[LayerPass]]:
        """Outputs of the rows A (B, n_in) with the noise of a step, and what the backward pass needs of each layer."""
        A = self._inputs.forward(A)
        return forward_pass(self._layers, A, self._products, lambda l, A: self._add_noise(l, A, noise))

    def _add_noise(self, l: int, A: Array, spec: NoiseSpec | None) -> tuple[Array, Array | None]:
        """The inputs A (B, n_in) of layer l with noise, and factors (B, n_in) of their gradient, or None."""
        noise = self._noises[l]
        if noise is None or spec is None or not (spec.strengths[0, l] > 0 or noise.is_backward):
            return A, None
        shape = spec.row + len(A), A.shape[1]
        values = noise.sample(spec.seed, spec.step, l, shape, float(spec.strengths[0, l]))[spec.row :].astype(A.dtype)
        if noise.is_backward:
            return A, values
        return (A * values, values) if noise.multiplies else (A + values, None)

    def _backward(self, kept: list[LayerPass], dA: Array, dX: Array | None = None, accumulate: bool = False) -> None:
        """`grad` <- dL/dtheta (or += to accumulate), dX <- dL/dX, from dA = dL/d outputs (B, n_out)."""
        for layer, saved, dz in backward_pass(self._layers, kept, dA, self._products):
            self._products.matmul(saved.A.T, dz, layer.dW, accumulate)
            if layer.db.size:
                self._products.sum_rows(dz, layer.db, accumulate)
        if dX is None and not self._inputs.parts:
            return
        dA = input_gradient(layer, saved, dz, self._products)
        if self._inputs.parts:
            dA = self._inputs.backward(dA, accumulate)
        if dX is not None:
            dX[:] = dA

    def _update(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None, s: int
    ) -> None:
        rule = RULES[optimizer.rule]
        if transforms is None:
            rule(self._theta, self._grad, state, coefficients.astype(self._theta.dtype))
        else:
            update_with_transforms(transforms, s, rule, coefficients, self._theta, self._grad, state, self._parts)

    def _targets(self, loss: Loss, Y: Array) -> Array:
        """Y as the loss reads it: class indices as they are, other targets in the dtype of theta."""
        return Y if loss.target == "labels" else Y.astype(self._theta.dtype, copy=False)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the lock; RuntimeError if another thread holds it."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(IN_USE)
        try:
            yield
        finally:
            self._lock.release()

    def _check_rows(self, X: Array, out: Array) -> None:
        check_array("X", X, (len(X), self._n_in))
        if X.dtype.kind not in "biuf":
            raise TypeError(f"X has dtype {X.dtype}, which engines cannot read")
        check_array("out", out, (len(X), self._n_out), self._theta.dtype)

    def _check_memory(self, name: str, out: Array, other_name: str, other: Array) -> None:
        for whose, array in ((other_name, other), ("theta", self._theta), ("grad", self._grad)):
            if np.may_share_memory(out, array):
                raise ValueError(OVERLAP.format(name, whose))

    def _check_targets(self, loss: Loss, Y: Array, n: int) -> None:
        check_array("Y", Y, (n, 1 if loss.target == "labels" else self._n_out))

    def _check_noise(self, noise: NoiseSpec | None, steps: int) -> None:
        if noise is not None:
            check_noise_spec(noise, steps, len(self._layers))

    def _check_labels(self, loss: Loss, Y: Array) -> None:
        if loss.target == "labels" and Y.size and not (Y.min() >= 0 and Y.max() < self._n_out):
            raise ValueError(f"class indices must be in 0 ... {self._n_out - 1}, not {Y.min()} ... {Y.max()}")

    def _check_chunk(self, chunk: Chunk) -> None:
        """The last line of defence; nothing has changed when it raises."""
        if chunk.phases is not None:
            raise RuntimeError(NO_PHASES)
        n, steps, dtype = len(chunk.X), chunk.n_steps, self._theta.dtype
        check_array("X", chunk.X, (n, self._n_in))
        self._check_targets(chunk.loss, chunk.Y, n)
        if chunk.weight is not None:
            check_array("weight", chunk.weight, (n,), dtype)
        check_array("losses", chunk.losses, (steps,), np.float64)
        check_array("coefficients", chunk.coefficients, (steps, chunk.coefficients.shape[-1]), np.float64)
        check_array("state", chunk.state, (chunk.optimizer.slots, self._theta.size), dtype)
        check_array("order", chunk.order, (len(chunk.order),), np.int64)
        check_array("starts", chunk.starts, (steps + 1,), np.int64)
        check_transforms(chunk.transforms, steps, self._theta, len(self._parts))
        self._check_noise(chunk.noise, steps)
