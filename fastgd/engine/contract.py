"""The contract of an engine."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..layers.noise import NoiseSpec
from ..losses.base import Loss
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms
from .plan import Plan


class Network(Protocol):
    """What every engine's network does.

    Network(layers, theta, grad, isa=None, noises=(), lock=None) refers to theta and grad, (size,) float32 or float64,
    and does not copy them; theta is layer by layer W (n_in, n_out) row-major, then b (n_out,). All results are of
    theta's dtype. `noises` are what may disturb the inputs of each layer; how much, and by which random numbers, is
    said to forward and train. Networks on the same vectors share a lock.

    X (rows, n_in) and Y are read as they are: bool, integers of 8 to 64 bits, floats of 16 to 64, the numbers of a row
    neighbours in memory, rows any distance apart. n_threads=0: as many as pay.

    All verbs but predict may be run by one thread at a time: another gets a RuntimeError. Networks with one lock count
    as one.
    """

    def predict(self, X: Array, out: Array, n_threads: int = 0) -> None:
        """out (rows, n_out) <- the outputs. Any number of threads may predict on one network.

        ValueError if a number of X is not finite in the dtype of theta, or if out shares memory with X.
        """

    def forward(self, X: Array, out: Array, n_threads: int = 0, noise: NoiseSpec | None = None) -> None:
        """The same, and keep the activations for `backward`.

        With noise, whose amounts are those of one step (1, layers), this is the forward pass of that step of a run:
        `train` with the same seed and step number has just the same disturbances.
        """

    def backward(self, dZ: Array, dX: Array | None = None, n_threads: int = 0, accumulate: bool = False) -> None:
        """grad <- dL/dtheta, dX (rows, n_in) <- dL/dX, summed over rows, from dZ (rows, n_out) = dL/d outputs.

        With `accumulate` dL/dtheta is added to grad: the sum over the rows of several passes.

        RuntimeError without a `forward` before, or with training in between.
        """

    def loss(
        self, loss: Loss, Z: Array, Y: Array, weight: Array | None, rows: NDArray[np.float64], dZ: Array | None
    ) -> None:
        """rows (B,) <- weight * loss of each row of outputs Z (B, n_out); dZ (B, n_out) or None <- its derivative."""

    def update(
        self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array, regime: Transforms | None = None
    ) -> None:
        """theta, state (slots, size) <- one step of optimizer.rule with grad; see `train`."""

    def train(
        self,
        X: Array,
        Y: Array,
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
        """A chunk of training: step s on the rows order[starts[s]:starts[s + 1]] of X, Y and weight (or None).

        coefficients (steps, groups n) of optimizer.rule, group by group; regime: what a step does beside the rule, with
        its groups, None: one group, nothing else; losses (steps,) <- the mean loss of each step's rows before its
        update: sum of weight * loss / sum of weight. The gradient is that mean's. noise: that of all steps; None: none.

        LossNotFinite (its `step` is the number in this chunk) stops before the step's update; theta keeps the updates
        of the steps before. ValueError for row or class numbers outside the data.
        """

    def plan(self, batch: int, n_threads: int = 0) -> Plan:
        """What `train` would do for steps of `batch` rows, on n_threads (0: as many as pay)."""
