"""The contract of an engine."""

from __future__ import annotations

from typing import Protocol

from .._common.typing import Array, Floats, Ints
from ..layers.noise import NoiseSpec
from ..losses.base import Loss
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms
from .chunk import Chunk
from .plan import Plan

# What engines raise in the same words.
IN_USE = "this model is in use by another thread: wait until it has finished, or train a copy of the model"
NO_FORWARD = "backward needs the activations of a forward pass: call forward first, with no training in between"
OVERLAP = "{} must not share memory with {}"
DZ_NOT_FINITE = "dZ has a value that is not finite"
LOSS_NOT_FINITE = "the mean loss is not finite"
BAD_VALUE = "Y has a target that the loss does not take, or a weight is negative or not finite"
NO_PHASES = "the NumPy engine does not measure phases: use the native one"
BAD_CODE = "X has a code of a category that an embedding does not have"
X_NOT_FINITE = "X has a value that is not finite in the dtype of theta"


class Executor(Protocol):
    """A network bound to its memory: what every engine's class of this name can do.

    `Executor(layers, theta, grad, isa=None, noises=(), lock=None, precision="f32")` refers to theta and grad, (size,)
    float32 or float64, and does not copy them; theta holds the parameters of the input layers, then, for each dense
    layer, W (n_in, n_out) in row-major order and b (n_out,). All results have the dtype of theta, `real` below. With
    precision="bf16", for float32 only, the products of layers are those that `fastgd.engine.bf16` defines; all else is
    the same. `noises` may be added to the inputs of each dense layer; their strength and random numbers are arguments
    of `forward` and `train`. Executors on the same vectors share a lock, a `Lock` of their engine.

    X (rows, n_in) and Y are read in place: bool, integers of 8 to 64 bits, floats of 16 to 64, the values of a row
    contiguous, the distance between rows arbitrary. `n_threads` is a maximum; 0: the engine decides.

    All methods but `predict`, `loss` and `plan` are exclusive: while one runs, a call from another thread raises
    RuntimeError. Executors with a common lock count as one.
    """

    def predict(self, X: Array, out: Array, n_threads: int = 0) -> bool:
        """out (rows, n_out) <- the outputs; returns whether all of them are finite.

        Any number of threads may call it at the same time.

        Raises
        ------
        ValueError
            A value of X is not finite in the dtype of theta, a code has no vector, or out shares memory with X, theta
            or grad.
        """

    def forward(
        self, X: Array, out: Array, n_threads: int = 0, noise: NoiseSpec | None = None, check: bool = False
    ) -> None:
        """out (rows, n_out) <- the outputs; the activations are kept for `backward`.

        With noise, whose strengths are those of one step (1, layers), this is the forward pass of that step of a run:
        `train` with the same seed and step index adds exactly the same noise.

        Raises
        ------
        ValueError
            out shares memory with X, theta or grad, or with `check` a value of X is not finite in the dtype of theta;
            the activations of the forward pass before are still there. Or a code of X has no vector.
        """

    def backward(
        self,
        dZ: Array,
        dX: Array | None = None,
        n_threads: int = 0,
        accumulate: bool = False,
        check: bool = False,
    ) -> None:
        """grad <- dL/dtheta, dX (rows, n_in) <- dL/dX, summed over rows, from dZ (rows, n_out) = dL/d outputs.

        With `accumulate`, dL/dtheta is added to grad: the sum over the rows of several passes.

        Raises
        ------
        RuntimeError
            There was no `forward` before, or training in between.
        ValueError
            dX shares memory with dZ, theta or grad, or with `check` dZ is not finite; nothing has changed.
        """

    def loss(self, loss: Loss, Z: Array, Y: Array, weight: Array | None, rows: Floats, dZ: Array | None = None) -> None:
        """rows (B,) <- weight * loss of each row of Z (B, n_out); dZ (B, n_out) or None <- its gradient."""

    def measure(
        self, loss: Loss, X: Array, Y: Array, weight: Array | None, Z: Array, losses: Floats, n_threads: int = 0
    ) -> int:
        """`predict` to Z (B, n_out), then `loss` to losses (B,); returns the number of rows of the right class.

        That is the class index in Y, where it is the first of the largest outputs.  -1: Y holds no class indices, or an
        output is not finite.
        """

    def update(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> None:
        """theta, state (slots, size) <- one step of `optimizer.rule` with grad; arguments as in `Chunk`."""

    def updates(
        self, optimizer: Optimizer, coefficients: Floats, state: Array, transforms: Transforms | None = None
    ) -> Updates:
        """Several steps of `optimizer.rule`; arguments as in `Chunk`, whose arrays are bound until the last of them."""

    def train(self, chunk: Chunk, first: int = 0, last: int | None = None) -> None:
        """Execute the steps `first` to `last` - 1 of a chunk, None: to its end.

        The gradient of each is that of its mean loss.

        Raises
        ------
        LossNotFinite
            A loss became inf or NaN: training stopped before the update of that step (`step` is its index in the
            chunk), and theta holds the updates of the steps before it.
        ValueError
            The arrays do not fit, or hold row or class indices outside the data; nothing has changed.
        IndexError
            The chunk has fewer steps.
        RuntimeError
            The engine does not measure `Chunk.phases`.
        """

    def plan(self, batch: int, n_threads: int = 0) -> Plan:
        """How `train` would execute steps of `batch` rows on n_threads (0: the engine decides)."""


class Updates(Protocol):
    """Updates of theta, bound to all that they need; exclusive like the methods of the executor."""

    def step(self, i: int) -> None:
        """theta, state <- update number i, with grad.

        Raises
        ------
        UpdateNotFinite
            The gradient is not finite, or theta, the state or the average would not be; nothing has changed.
        """


class Losses(Protocol):
    """The built-in losses of an engine, for custom training loops: `Losses(isa=None)`."""

    def mean(self, loss: Loss, Z: Array, Y: Array, weight: Array | None, dZ: Array) -> float:
        """The mean sum weight * loss / sum weight over the rows; dZ (B, n) <- its derivative with respect to Z.

        It has the bits of `train`. Z (B, n) is float32 or float64 and C-contiguous, as weight (B,) and dZ are, of the
        same dtype; Y (B, n), or (B, 1) class indices, is read in place; it may be (B,) instead of (B, 1).

        Raises
        ------
        TypeError, ValueError
            The arrays do not fit, share memory with dZ, or have values that the loss does not take.
        FloatingPointError
            The mean is not finite.
        """


class FillOrders(Protocol):
    """The function `fill_orders` of an engine: random orders of the rows of epochs."""

    def __call__(
        self, order: Ints, seed: int, first_epoch: int, rows: Ints | None = None, isa: str | None = None
    ) -> None:
        """order (epochs, n) <- `random.permutations(seed, first_epoch, epochs, n)`, or the rows (n,) in these orders.

        Both order and rows are C-contiguous int64.
        """


def bounds_of(interval: str) -> tuple[float, float]:
    """The bounds of an interval that `Loss.interval` may have, as a closed one."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    return (_TINY if interval[0] == "(" and low == 0 else low), high


_TINY = 2.0**-126  # the smallest normal number of float32
