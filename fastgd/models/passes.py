"""What custom training loops call: forward and backward passes, and updates.

Each call tries the engine on the arrays as they are. Only if the engine refuses them are they converted, or the precise
error raised, which would cost more than a pass through a small network.
"""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np

from .._common.typing import Array, Floats
from ..data.arrays import as_rows, check_finite
from ..data.inputs import InputSpec
from ..engine.contract import Executor
from ..layers.dense import Dense
from ..layers.noise import Noise, NoiseSpec, noise_spec
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms
from .network_cache import ExecutorCache


class Passes:
    """The passes of a model, which `Sequential` describes."""

    n_in: int
    n_out: int
    dtype: np.dtype[Any]
    seed: int
    passes: int
    noises: tuple[Noise | None, ...]
    _reverses: bool
    dense_layers: tuple[Dense, ...]
    inputs: InputSpec
    _executors: ExecutorCache
    _precision: str = "f32"  # of the last forward

    def forward(self, X: Any, training: bool = False, out: Array | None = None, precision: str = "f32") -> Array:
        """Compute the outputs and keep the activations for `backward`.

        Parameters
        ----------
        X : array or data frame (rows, n_in)
            As the network takes them: with a scaling in `inputs`, standardized already, as dZ and outputs are.
        training : bool, default=False
            Whether to apply dropout and other noise, drawn anew in each call (see `passes`); `backward` uses the same
            noise. A custom loop has no epochs, so schedules are evaluated at t = `passes`.
        out : ndarray (rows, n_out) of the model's dtype, default=None
            Receives the outputs, and is returned. It must not share memory with X, theta or grad.
        precision : {"f32", "bf16"}, default="f32"
            As in `Trainer`; `backward` computes in the precision of its `forward`.

        Returns
        -------
        ndarray (rows, n_out)

        Raises
        ------
        TypeError, ValueError
            X or out does not fit, or X is not finite; nothing was changed.
        """
        network = self._executors.get("identity", precision)
        noise = self._noise_of_pass(training) if training or self._reverses else None
        try:
            if type(X) is np.ndarray and len(X):
                Z = np.empty((len(X), self.n_out), self.dtype) if out is None else out
                network.forward(X, Z, 0, noise, True)
                self.passes, self._precision = self.passes + bool(training), precision
                return Z
        except (TypeError, ValueError):
            pass
        X = self.inputs.rows(X, self.n_in, dtype=self.dtype)
        Z = self._output(out, (len(X), self.n_out))
        network.forward(X, Z, 0, noise, True)
        self.passes, self._precision = self.passes + bool(training), precision
        return Z

    @overload
    def backward(
        self, dZ: Any, accumulate: bool = False, out: Array | None = None, *, input_gradient: Literal[True] = True
    ) -> Array: ...

    @overload
    def backward(
        self, dZ: Any, accumulate: bool = False, out: Array | None = None, *, input_gradient: bool
    ) -> Array | None: ...

    def backward(
        self, dZ: Any, accumulate: bool = False, out: Array | None = None, *, input_gradient: bool = True
    ) -> Array | None:
        """Backpropagate dL/dZ of the last `forward`: fill `grad` with dL/dtheta and return dL/dX.

        Parameters
        ----------
        dZ : array (rows, n_out)
            The gradient is summed over rows: for a mean loss, divide dZ by the number of rows.
        accumulate : bool, default=False
            Whether to add the gradient to `grad`: several passes followed by one step are one step on all their rows.
        out : ndarray (rows, n_in) of the model's dtype, default=None
            Receives dL/dX, and is returned. It must not share memory with dZ, theta or grad.
        input_gradient : bool, default=True
            Whether to compute dL/dX, which takes up to a third of the pass; False returns None.

        Returns
        -------
        ndarray (rows, n_in) or None

        Raises
        ------
        RuntimeError
            There was no `forward` before.
        TypeError, ValueError
            dZ or out does not fit, or dZ is not finite; nothing was changed.
        """
        network, dX = self._executors.get("identity", self._precision), out if input_gradient else None
        try:
            if type(dZ) is np.ndarray:
                if input_gradient and out is None:
                    dX = np.empty((len(dZ), self.n_in), self.dtype)
                network.backward(dZ, dX, 0, accumulate, True)
                return dX
        except (TypeError, ValueError):
            pass
        dZ = np.ascontiguousarray(self._cast(as_rows(dZ, self.n_out, "dZ"), "dZ"))
        dX = self._output(out, (len(dZ), self.n_in)) if input_gradient else None
        network.backward(dZ, dX, 0, accumulate, True)
        return dX

    def apply(self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None) -> None:
        """One step of the optimizer's rule with `grad`, unchecked; `optimizer.step(model)` is the checked way."""
        self._executors.get("identity").update(optimizer, coefficients, state, transforms)

    @property
    def network(self) -> Executor:
        """The network on the current engine, created on first use; for loops that need no checks."""
        return self._executors.get("identity")

    def noise(self, seed: int, step: int, epoch_times: Floats, total_epochs: float = math.inf) -> NoiseSpec | None:
        """The noise of some steps as engines take it, None if there is none; see `layers.noise.noise_spec`."""
        return noise_spec(self.noises[-len(self.dense_layers) :], seed, step, epoch_times, total_epochs)

    def _noise_of_pass(self, training: bool) -> NoiseSpec | None:
        """The noise of the next pass; outside training only what changes nothing but gradients."""
        noises = self.noises if training else [each if each and each.is_backward else None for each in self.noises]
        return noise_spec(noises[-len(self.dense_layers) :], self.seed, self.passes, np.array([float(self.passes)]))

    def _output(self, out: Any, shape: tuple[int, int]) -> Array:
        """`out`, checked, or a new array."""
        if out is None:
            return np.empty(shape, self.dtype)
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be an ndarray {shape} of {self.dtype}, not {type(out).__name__}")
        if out.shape != shape or out.dtype != self.dtype:
            raise ValueError(f"out must have shape {shape} and dtype {self.dtype}, not {out.shape} and {out.dtype}")
        if not out.flags.carray:
            raise ValueError("out must be C-contiguous, aligned and writable")
        return out

    def _cast(self, array: Array, name: str) -> Array:
        """`array` in the model's dtype, all finite."""
        with np.errstate(over="ignore"):
            array = array.astype(self.dtype, copy=False)
        check_finite(array, name)
        return array
