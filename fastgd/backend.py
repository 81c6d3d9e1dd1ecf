"""The choice of the engine that does the arithmetic.

An engine is a class `Executor` (`fastgd.engine.contract`). There are two: `_native`, in C, with a variant for each
instruction set, and `numpy_engine`, which combines the definitions and is the reference. Code above this module does
not know which one runs; code below it does not know users, epochs or files.

Environment variables, read when the first executor is created: FASTGD_BACKEND=native|numpy,
FASTGD_ISA=amx|avx512|avx2|neon|scalar, FASTGD_NUM_THREADS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from ._common.checks import check_int
from ._common.typing import Array, Ints
from ._version import __version__
from .engine import numpy_engine, threads
from .engine.contract import Executor, Losses
from .engine.loss_batch import convert_batch
from .engine.numpy_layers import LayerLike
from .layers.dense import Dense
from .layers.inputs import InputLayer
from .layers.noise import Noise
from .losses import Loss

__all__ = [
    "Engine",
    "available",
    "choose",
    "config",
    "default_threads",
    "limited_threads",
    "override",
    "show_config",
]


@dataclass(frozen=True)
class Engine:
    """An engine.

    Attributes
    ----------
    backend : {"native", "numpy"}
    isa : str or None
        Instruction set; None for the NumPy engine.
    """

    backend: str
    isa: str | None

    def executor(
        self,
        layers: Sequence[LayerLike | InputLayer],
        theta: Array,
        grad: Array,
        noises: Sequence[Noise | None] = (),
        lock: Any = None,
        precision: str = "f32",
    ) -> Executor:
        """A network bound to its memory and run by this engine; see `fastgd.engine.contract.Executor`."""
        options = self.isa, noises, lock, precision
        return self._home.Executor(layers, theta, grad, *options)  # type: ignore[no-any-return]

    def lock(self) -> Any:
        """A lock for executors on the same vectors."""
        return self._home.Lock()

    def fill_orders(self, order: Ints, seed: int, first_epoch: int, rows: Ints | None = None) -> None:
        """Fill order (epochs, n) with the rows in the order of each epoch; see `fastgd.engine.contract.FillOrders`."""
        self._home.fill_orders(order, seed, first_epoch, rows, self.isa)

    @cached_property
    def losses(self) -> Losses:
        """The built-in losses; see `fastgd.engine.contract.Losses`."""
        return self._home.Losses(self.isa)  # type: ignore[no-any-return]

    def loss_of_batch(self, loss: Loss, Z: Any, Y: Any, sample_weight: Any, out: Array | None) -> tuple[float, Array]:
        """`Loss.value_and_gradient` for arguments that have to be converted, or of which one is wrong."""
        Z, Y, weight, dZ = convert_batch(loss, Z, Y, sample_weight, out)
        return self.losses.mean(loss, Z, Y, weight, dZ), dZ

    @property
    def _home(self) -> Any:
        return numpy_engine if self.backend == "numpy" else _native()


@cache
def _native() -> ModuleType:
    """The extension module; ImportError if it is installed but cannot be loaded."""
    try:
        from .engine import _native as native
    except ImportError as error:
        raise ImportError(
            f"fastgd's C engine is installed but cannot be loaded ({error}); install fastgd again, or set "
            "FASTGD_BACKEND=numpy to run without it"
        ) from error
    native.set_max_threads(_available_threads())
    return native


_limits: list[int] = []  # those of the blocks of `limited_threads` that have not ended, in whichever thread


@contextmanager
def limited_threads(n_threads: int) -> Iterator[None]:
    """Context manager during which each training or prediction, in any Python thread, uses at most this many threads.

    It is for programs whose own threads keep the cores busy, such as those that train several models at a time.  The
    results do not depend on it.

    Parameters
    ----------
    n_threads : int >= 1

    Examples
    --------
    >>> from fastgd import backend
    >>> with backend.limited_threads(1):
    ...     backend.usable_threads(None)
    1
    """
    limit = check_int("n_threads", n_threads)
    _limits.append(limit)
    try:
        yield
    finally:
        _limits.remove(limit)


def usable_threads(n_threads: int | None) -> int:
    """At most `n_threads` of the threads that this process may use; 0, which leaves it to the engine, for None."""
    limits = _limits if n_threads is None else [*_limits, n_threads]
    return min([*limits, _available_threads()]) if limits else 0


@cache
def _available_threads() -> int:
    return threads.available()


def _is_pure() -> bool:
    return find_spec("fastgd.engine._native") is None


def available() -> list[Engine]:
    """All engines of this installation that run on this CPU, best first."""
    native = [] if _is_pure() else [Engine("native", isa) for isa in _native().ISAS]
    return [*native, Engine("numpy", None)]


chosen: Engine | None = None  # None: not chosen yet


def choose() -> Engine:
    """The engine in use: the best one that FASTGD_BACKEND and FASTGD_ISA allow.

    Raises
    ------
    ValueError
        No available engine matches the environment variables.
    """
    global chosen
    if chosen is None:
        chosen = _find(os.environ.get("FASTGD_BACKEND") or None, os.environ.get("FASTGD_ISA") or None)
    return chosen


def _find(backend: str | None, isa: str | None) -> Engine:
    if backend == "numpy" and isa is None:
        return Engine("numpy", None)
    engines = available()
    for engine in engines:
        if backend in (None, engine.backend) and isa in (None, engine.isa):
            return engine
    have = ", ".join(engine.backend + (f" ({engine.isa})" if engine.isa else "") for engine in engines)
    raise ValueError(f"no engine matches FASTGD_BACKEND={backend or ''} and FASTGD_ISA={isa or ''}; available: {have}")


@contextmanager
def override(backend: str | None = None, isa: str | None = None) -> Iterator[Engine]:
    """Context manager that switches the whole process to another engine; meant for tests.

    Examples
    --------
    >>> from fastgd import backend
    >>> with backend.override("numpy") as engine:
    ...     engine.backend
    'numpy'
    """
    global chosen
    before, chosen = chosen, _find(backend, isa)
    try:
        yield chosen
    finally:
        chosen = before


def default_threads() -> int:
    """Maximum number of threads of a call that asks for 0."""
    if choose().backend == "numpy":
        return threads.available()
    return _native().max_threads()  # type: ignore[no-any-return]


def bf16_unit() -> str:
    """What multiplies in bfloat16 with `precision="bf16"`: see `Plan.unit`; "NumPy" on that engine."""
    layer = Dense(32, 32)
    theta, grad = np.zeros((2, layer.size), np.float32)
    return choose().executor([layer], theta, grad, precision="bf16").plan(32).unit or "NumPy"


def config() -> dict[str, Any]:
    """Versions, engine, instruction set, units of bfloat16, threads and compiler in use."""
    import platform  # slow to import, and only needed here

    engine = choose()
    return {
        "fastgd": __version__,
        "engine": engine.backend,
        "isa": engine.isa,
        "bf16": bf16_unit(),
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


def __dir__() -> list[str]:
    return __all__
