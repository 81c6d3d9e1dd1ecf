"""PyTorch with products in bfloat16: what it does by itself, and by hand; weights in float32 unless stated."""

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..workloads import BF16_PREDICTION_TOLERANCE, BF16_TOLERANCE, Order
from . import batch_of
from .by_torch import DERIVATIVES, FUNCTIONS, Fused, Manual

BF16 = torch.bfloat16


class Medium(Fused):
    """Tensors of float32, which the library may round for a product."""

    dtypes = frozenset(("float32",))
    tolerance = BF16_TOLERANCE
    prediction_tolerance = BF16_PREDICTION_TOLERANCE

    def train(self, order: Order) -> None:
        torch.set_float32_matmul_precision("medium")
        try:
            super().train(order)
        finally:
            torch.set_float32_matmul_precision("highest")

    def predict(self, X: NDArray) -> Tensor:
        torch.set_float32_matmul_precision("medium")
        try:
            return super().predict(X)
        finally:
            torch.set_float32_matmul_precision("highest")


class Autocast(Fused):
    """Automatic mixed precision."""

    dtypes = frozenset(("float32",))
    tolerance = BF16_TOLERANCE
    prediction_tolerance = BF16_PREDICTION_TOLERANCE

    def _step(self, X: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", BF16):
            loss = self.loss(self.model(X), y)
        loss.backward()
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, X: NDArray) -> Tensor:
        with torch.autocast("cpu", BF16):
            return self.model(torch.from_numpy(X)).float()


class Bf16Weights(Autocast):
    """Weights, activations and gradients in bfloat16: theta loses what it gains below 2^-9 of itself."""

    tolerance = dict.fromkeys(BF16_TOLERANCE, float("inf"))

    def start(self, theta: NDArray) -> None:
        self.model.to(BF16)
        super().start(theta)

    def theta(self) -> NDArray:
        self.model.float()
        return super().theta()

    def _step(self, X: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        self.loss(self.model(X.to(BF16)).float(), y).backward()
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, X: NDArray) -> Tensor:
        return self.model(torch.from_numpy(X).to(BF16)).float()


class ManualBf16(Manual):
    """No autograd: products of bfloat16 copies, updates of float32 weights."""

    optimizers = frozenset(("sgd", "adam"))
    dtypes = frozenset(("float32",))
    tolerance = BF16_TOLERANCE
    prediction_tolerance = BF16_PREDICTION_TOLERANCE

    def start(self, theta: NDArray) -> None:
        super().start(theta)
        self.halves = [(W.to(BF16), b.to(BF16)) for W, b in self.layers]
        if self.workload.optimizer == "adam":
            parameters = [part for layer in self.layers for part in layer]
            self.adam = torch.optim.Adam(parameters, lr=self.workload.lr, fused=True)

    def _step(self, X: Tensor, y: Tensor, rows: Tensor) -> None:
        X, y = batch_of(self.workload, X, y, rows)
        a = self._forward(X)
        dz = self._loss_gradient(a[-1].float(), y).to(BF16)
        derivative = DERIVATIVES[self.workload.activation]
        for l in reversed(range(len(self.layers))):
            dx = dz @ self.halves[l][0].T if l else None
            self._update(l, a[l].T @ dz, dz.sum(0, dtype=torch.float32))
            if dx is not None:
                dz = dx.mul_(derivative(a[l]))
        if self.workload.optimizer == "adam":
            self.adam.step()
        for layer, halves in zip(self.layers, self.halves, strict=True):
            for part, half in zip(layer, halves, strict=True):
                half.copy_(part)

    def _update(self, l: int, dW: Tensor, db: Tensor) -> None:
        """One layer by SGD, or its gradients for Adam."""
        W, b = self.layers[l]
        if self.workload.optimizer == "adam":
            W.grad, b.grad = dW.float(), db
        else:
            W.sub_(dW, alpha=self.workload.lr)
            b.sub_(db, alpha=self.workload.lr)

    def _forward(self, X: Tensor) -> list[Tensor]:
        a, f = [X.to(BF16)], FUNCTIONS[self.workload.activation]
        for W, b in self.halves[:-1]:
            a.append(f(torch.addmm(b, a[-1], W)))
        W, b = self.halves[-1]
        return [*a, torch.addmm(b, a[-1], W)]

    @torch.inference_mode()
    def predict(self, X: NDArray) -> Tensor:
        return self._forward(torch.from_numpy(X))[-1].float()
