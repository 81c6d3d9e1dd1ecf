"""Types of the C engine, `_native.pyx`; `contract.Executor` describes its methods."""

from collections.abc import Sequence
from typing import Any, Final, final

from .._common.typing import Array, Floats, Ints
from ..layers.noise import Noise, NoiseSpec
from ..losses.base import Loss
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms
from .chunk import Chunk
from .numpy_layers import LayerLike
from .plan import Plan

ISAS: Final[tuple[str, ...]]
TYPES: Final[dict[str, int]]
ACTIVATIONS: Final[dict[str, int]]
LOSSES: Final[dict[str, int]]
RULES: Final[dict[str, int]]
INPUT_LAYERS: Final[dict[str, int]]
NOISES: Final[dict[str, int]]
COMPILER: Final[str]

def max_threads() -> int: ...
def set_max_threads(threads: int) -> None: ...
def fill_orders(order: Ints, seed: int, first_epoch: int, rows: Ints | None = None, isa: str | None = None) -> None: ...

@final
class Lock:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: Any) -> None: ...

@final
class Losses:
    def __new__(cls, isa: str | None = None) -> Losses: ...
    def mean(self, loss: Loss, Z: Array, Y: Array, weight: Array | None, dZ: Array) -> float: ...

@final
class Updates:
    def step(self, i: int) -> None: ...

@final
class Executor:
    def __new__(
        cls,
        layers: Sequence[LayerLike],
        theta: Array,
        grad: Array,
        isa: str | None = None,
        noises: Sequence[Noise | None] = (),
        lock: Lock | None = None,
        precision: str = "f32",
    ) -> Executor: ...
    @property
    def isa(self) -> str: ...
    @property
    def precision(self) -> str: ...
    def predict(self, X: Array, out: Array, n_threads: int = 0) -> bool: ...
    def forward(
        self, X: Array, out: Array, n_threads: int = 0, noise: NoiseSpec | None = None, check: bool = False
    ) -> None: ...
    def backward(
        self, dZ: Array, dX: Array | None = None, n_threads: int = 0, accumulate: bool = False, check: bool = False
    ) -> None: ...
    def loss(
        self, loss: Loss, Z: Array, Y: Array, weight: Array | None, rows: Floats, dZ: Array | None = None
    ) -> None: ...
    def measure(
        self, loss: Loss, X: Array, Y: Array, weight: Array | None, Z: Array, losses: Floats, n_threads: int = 0
    ) -> int: ...
    def update(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> None: ...
    def updates(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> Updates: ...
    def train(self, chunk: Chunk, first: int = 0, last: int | None = None) -> None: ...
    def plan(self, batch: int, n_threads: int = 0) -> Plan: ...
