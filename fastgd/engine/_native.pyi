"""Types of the C engine (_native.pyx); `Executor` is described in backend.py."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.noise import Noise, NoiseSpec
from ..losses import Loss
from ..optimizers import Optimizer
from .plan import Plan

ISAS: tuple[str, ...]
TYPES: dict[str, int]
ACTIVATIONS: dict[str, int]
LOSSES: dict[str, int]
RULES: dict[str, int]
NOISES: dict[str, int]
COMPILER: str

def max_threads() -> int: ...
def set_max_threads(threads: int) -> None: ...

class Executor:
    def __init__(
        self,
        layers: Sequence[Any],
        theta: NDArray[Any],
        grad: NDArray[Any],
        isa: str | None = None,
        noises: Sequence[Noise | None] = (),
        lock: Lock | None = None,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def predict(self, X: NDArray[Any], out: NDArray[Any], n_threads: int = 0) -> None: ...
    def forward(
        self, X: NDArray[Any], out: NDArray[Any], n_threads: int = 0, noise: NoiseSpec | None = None
    ) -> None: ...
    def backward(self, dZ: NDArray[Any], dX: NDArray[Any] | None = None, n_threads: int = 0) -> None: ...
    def loss(
        self,
        loss: Loss,
        Z: NDArray[Any],
        Y: NDArray[Any],
        weight: NDArray[Any] | None,
        rows: NDArray[np.float64],
        dZ: NDArray[Any] | None = None,
    ) -> None: ...
    def update(self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: NDArray[Any]) -> None: ...
    def train(
        self,
        X: NDArray[Any],
        Y: NDArray[Any],
        weight: NDArray[Any] | None,
        order: NDArray[np.int64],
        starts: NDArray[np.int64],
        loss: Loss,
        optimizer: Optimizer,
        coefficients: NDArray[np.float64],
        state: NDArray[Any],
        losses: NDArray[np.float64],
        n_threads: int = 0,
        noise: NoiseSpec | None = None,
    ) -> None: ...
    def plan(self, batch: int, n_threads: int = 0) -> Plan: ...
