"""The contract of an engine, and which one runs.

An engine is a class `Network`: a network bound to its memory, with six verbs. Above this file nobody knows which
engine does the work; below it nobody knows users, epochs or files. There are two: `_native` (C, one for each
instruction set) and `_numpy` (the definitions, the reference).

Environment, read when the first network is made: FASTGD_BACKEND=native|numpy, FASTGD_ISA=avx512|avx2|neon|scalar,
FASTGD_NUM_THREADS.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _numpy, threads
from ._numpy_layers import LayerLike
from ._version import __version__
from .losses import Loss
from .noise import Draw, Noise
from .optimizers import Optimizer
from .plan import Plan
from .regime import Regime

Array = NDArray[Any]


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

    def forward(self, X: Array, out: Array, n_threads: int = 0, noise: Draw | None = None) -> None:
        """The same, and keep the activations for `backward`.

        With noise, whose amounts are those of one step (1, layers), this is the forward pass of that step of a run:
        `train` with the same seed and step number has just the same disturbances.
        """

    def backward(self, dZ: Array, dX: Array | None = None, n_threads: int = 0, adds: bool = False) -> None:
        """grad <- dL/dtheta, dX (rows, n_in) <- dL/dX, summed over rows, from dZ (rows, n_out) = dL/d outputs.

        With `adds` dL/dtheta is added to grad: the sum over the rows of several passes.

        RuntimeError without a `forward` before, or with training in between.
        """

    def loss(
        self, loss: Loss, Z: Array, Y: Array, weight: Array | None, rows: NDArray[np.float64], dZ: Array | None
    ) -> None:
        """rows (B,) <- weight * loss of each row of outputs Z (B, n_out); dZ (B, n_out) or None <- its derivative."""

    def update(
        self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array, regime: Regime | None = None
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
        regime: Regime | None = None,
        noise: Draw | None = None,
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


@dataclass(frozen=True)
class Engine:
    """One engine: `backend` "native" or "numpy", and its instruction set."""

    backend: str
    isa: str | None

    def network(
        self,
        layers: Sequence[LayerLike],
        theta: Array,
        grad: Array,
        noises: Sequence[Noise | None] = (),
        lock: threading.Lock | None = None,
    ) -> Network:
        """A network of this engine."""
        home: Any = _numpy if self.backend == "numpy" else _native()
        return home.Network(layers, theta, grad, self.isa, noises, lock)  # type: ignore[no-any-return]


@cache
def _native() -> ModuleType:
    """The extension; ImportError says why it is there but cannot be loaded."""
    try:
        from . import _native as native
    except ImportError as error:
        raise ImportError(
            f"fastgd's C engine is installed but cannot be loaded ({error}); install fastgd again, or set "
            "FASTGD_BACKEND=numpy to run without it"
        ) from error
    native.set_max_threads(threads.available())
    return native


def _is_pure() -> bool:
    return find_spec("fastgd._native") is None


def available() -> list[Engine]:
    """All engines of this installation that this CPU can run, best first."""
    native = [] if _is_pure() else [Engine("native", isa) for isa in _native().ISAS]
    return [*native, Engine("numpy", None)]


_chosen: Engine | None = None


def choose() -> Engine:
    """The engine that runs: by FASTGD_BACKEND and FASTGD_ISA, else the best one. ValueError if there is none such."""
    global _chosen
    if _chosen is None:
        _chosen = _find(os.environ.get("FASTGD_BACKEND") or None, os.environ.get("FASTGD_ISA") or None)
    return _chosen


def _find(backend: str | None, isa: str | None) -> Engine:
    if backend == "numpy" and isa is None:
        return Engine("numpy", None)
    engines = available()
    for engine in engines:
        if backend in (None, engine.backend) and isa in (None, engine.isa):
            return engine
    have = ", ".join(engine.backend + (f" ({engine.isa})" if engine.isa else "") for engine in engines)
    raise ValueError(
        f"there is no engine with FASTGD_BACKEND={backend or ''} and FASTGD_ISA={isa or ''}; there are {have}"
    )


@contextmanager
def override(backend: str | None = None, isa: str | None = None) -> Iterator[Engine]:
    """Run on another engine for a while: `with backend.override("numpy"): ...`. For the whole process; for tests."""
    global _chosen
    before, _chosen = _chosen, _find(backend, isa)
    try:
        yield _chosen
    finally:
        _chosen = before


def default_threads() -> int:
    """Threads that a call may use when it asks for 0."""
    if choose().backend == "numpy":
        return threads.available()
    return _native().max_threads()  # type: ignore[no-any-return]


def config() -> dict[str, Any]:
    """What runs: versions, engine, instruction set, threads, compiler."""
    import platform  # slow to import, and needed here alone

    engine = choose()
    return {
        "fastgd": __version__,
        "engine": engine.backend,
        "isa": engine.isa,
        "threads": default_threads(),
        "compiler": None if engine.backend == "numpy" else _native().COMPILER,
        "engines": [e.isa or e.backend for e in available()],
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def show_config() -> dict[str, Any]:
    """Print `config()` and return it."""
    facts = config()
    for name, value in facts.items():
        print(f"{name:>10}: {', '.join(value) if isinstance(value, list) else value}")
    return facts
